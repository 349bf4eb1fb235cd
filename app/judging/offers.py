"""Whether a judge can be started, with which model, over whose answers, and what it will cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import arms, measured_model, outlines, runs
from app.baselines import store as baseline_store
from app.baselines.measured_model import MeasuredModel
from app.baselines.tables import ArmRow, BaselineRow
from app.inference import service as models
from app.inference import store as model_store
from app.inference import trials, weights
from app.inference.findings import Manner
from app.inference.tables import ModelRow
from app.instructions import offers as critics
from app.instructions.budget import Prices
from app.jobs import store as job_store
from app.judging import families, items, store
from app.judging.families import Kinship, Known
from app.judging.items import Item, Wanted
from app.judging.order import Order
from app.judging.tables import JudgementRow, RubricRow
from app.scoring.judge import REPLY_CHARACTERS

UNUSABLE = critics.UNUSABLE


@dataclass(frozen=True, slots=True)
class JudgeChoice:
    """A model that could be the judge. host: of its server, empty on this machine. against: why it can't be. kin: of
    one family with what."""

    row: ModelRow
    host: str
    against: str
    prices: Prices
    kin: tuple[Kinship, ...]


@dataclass(frozen=True, slots=True)
class Judgeable:
    """An arm whose answers can be judged. dev, test: how many it has."""

    row: ArmRow
    dev: int
    test: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What could be judged. against: why nothing can be, each with what to do first."""

    against: tuple[str, ...]
    baseline: BaselineRow | None
    rubric: RubricRow | None
    arms: tuple[Judgeable, ...]
    judges: tuple[JudgeChoice, ...]

    @property
    def usable(self) -> tuple[JudgeChoice, ...]:
        return tuple(choice for choice in self.judges if not choice.against)

    @property
    def asked(self) -> tuple[ArmRow, ...]:
        """The arms that ask a model and have dev answers: what people label is drawn from these."""
        return tuple(one.row for one in self.arms if one.dev and one.row.family not in arms.FREE)


def offer(session: Session, assessment_id: int) -> Offer:
    """What stands in the way, what there is to judge, and who could."""
    assessment = assessment_store.get(session, assessment_id)
    baseline = baseline_store.current(session, assessment_id)
    rubric = next(iter(store.rubrics(session, assessment_id)), None)
    there = tuple(_judgeable(session, baseline)) if baseline else ()
    judges = tuple(
        _judge(session, assessment, baseline, row) for row in model_store.usable(session) if row.kind != "bundled"
    )
    against = [*_against(session, assessment, baseline, rubric, there)]
    if not judges:
        against.append(
            "No judge is set up. The embedded model is too small to judge: connect a server, or add a folder of a "
            "larger model, under Models."
        )
    elif all(choice.against for choice in judges):
        against.append("No model can be the judge here; each says why.")
    return Offer(tuple(against), baseline, rubric, there, judges)


def _against(
    session: Session,
    assessment: AssessmentRow,
    baseline: BaselineRow | None,
    rubric: RubricRow | None,
    there: Sequence[Judgeable],
) -> Iterator[str]:
    if assessment.recorded:
        yield "This is the finished example, to be read only."
    elif assessment.archived_at is not None:
        yield "This assessment is archived. Restore it first."
    elif job_store.open_in(session, "judge", assessment.id):
        yield "A judge is waiting or running already."
    elif baseline is None or not there:
        yield "Run baselines first: a judge reads their answers."
    elif runs.running(session, baseline):
        yield "Let the baselines finish first: a judge reads all of their answers."
    elif rubric is None:
        yield "Write the rubric first: what an answer has to do to pass."


def _judgeable(session: Session, baseline: BaselineRow) -> Iterator[Judgeable]:
    numbers = store.numbers_of_answers(session, [arm.id for arm in baseline.arms])
    for arm in baseline.arms:
        dev, test = numbers.get((arm.id, "dev"), 0), numbers.get((arm.id, "test"), 0)
        if dev or test:
            yield Judgeable(arm, dev, test)


def _judge(session: Session, assessment: AssessmentRow, baseline: BaselineRow | None, row: ModelRow) -> JudgeChoice:
    state, job = models.state(session, row)
    against = own_servers.against_sending(assessment, row)
    if not against and state in UNUSABLE:
        tested = trials.last(row)
        against = (tested.error if tested else str(job.failure or "") if job else "") or f"It is {state}."
    host = outlines.host_of(row.base_url) if row.kind == "endpoint" else ""
    kin = kinship(session, baseline, [arm.id for arm in baseline.arms], row) if baseline else ()
    return JudgeChoice(row, host, against, critics.prices_of(session, row), tuple(kin))


# ---------------------------------------------------------------- of one family


def kinship(session: Session, baseline: BaselineRow, arm_ids: Sequence[int], judge: ModelRow) -> list[Kinship]:
    """What judge and judged have in common. An arm that asks no model is nobody's kin."""
    of_run = measured_model.model_of(session, baseline)
    judged: list[tuple[str, Known]] = []
    teachers: dict[str, Known] = {}
    for arm in baseline.arms:
        if arm.family in arms.FREE:
            continue
        other = arm.settings.get("model_as")
        known = _known(MeasuredModel(**other) if other else of_run, arm)
        if arm.id in arm_ids:
            judged.append((arm.label, known))
        elif arm.family == "stronger_model":
            teachers[known.name] = known
    return families.warnings(known_of(MeasuredModel.of(judge)), judged, tuple(teachers.values()))


def known_of(model: MeasuredModel, also: Sequence[str] = ()) -> Known:
    """What names and connection say of a model. also: names under which its answers came."""
    embedded = [weights.MODEL] if model.kind == "bundled" else []
    names = [model.name, model.reference.rsplit("/", 1)[-1], *embedded, *also]
    connection = (model.kind, model.base_url, model.reference)
    return Known(model.name, connection, families.houses(names), frozenset(model.files.values()))


def _known(model: MeasuredModel, arm: ArmRow) -> Known:
    reported = [name for result in (arm.dev, arm.test) if result for name in result.reported or ()]
    return known_of(model, reported)


# ---------------------------------------------------------------- what it will cost


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will ask. calls: exactly, but for replies that fail; judged: answers or orders of pairs; reused: those
    that an earlier run has a judgement of; labelled: answers among them that are judged for calibration only. tokens,
    cost: estimated from characters; cost None without prices. seconds: None where the judge was never timed.
    warnings: as those of a run."""

    calls: int
    judged: int
    reused: int
    labelled: int
    tokens_in: int
    tokens_out: int
    seconds: float | None
    cost: float | None
    warnings: tuple[Kinship, ...]

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


def estimate(
    session: Session, baseline: BaselineRow, rubric: RubricRow, order: Order, sample: Sequence[int]
) -> Estimate:
    """Calls, tokens, time and money of an order. sample: ids of the answers that people label or will."""
    wanted = Wanted.of_order(order, baseline.seed, sample)
    there = items.items(session, baseline, rubric, wanted)
    judge = model_store.get(session, order.judge_id)
    known = known_replies(session, baseline.assessment_id, judge, MeasuredModel.of(judge).manner)
    asked: dict[str, Item] = {}
    for item in there:
        if item.sha256 not in known:
            asked.setdefault(item.sha256, item)
    own = {row.id for row in store.answers_of(session, wanted.arms, wanted.split)}
    tokens_in = round(sum(item.characters for item in asked.values()) / arms.CHARACTERS_PER_TOKEN)
    tokens_out = round(len(asked) * REPLY_CHARACTERS / arms.CHARACTERS_PER_TOKEN)
    paces = [pace.seconds for pace in baseline_store.paces(session, order.judge_id)]
    return Estimate(
        calls=len(asked),
        judged=len(there),
        reused=len(there) - len(asked),
        labelled=sum(item.answer_id not in own for item in there),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        seconds=len(asked) * sum(paces) / len(paces) if paces else None,
        cost=Prices(order.price_in, order.price_out).of(tokens_in, tokens_out)
        if order.price_in is not None and order.price_out is not None
        else None,
        warnings=tuple(kinship(session, baseline, order.arms, judge)),
    )


def known_replies(session: Session, assessment_id: int, judge: ModelRow, manner: Manner) -> dict[str, JudgementRow]:
    """What this very judge, asked like this, has replied in this assessment, by the hash of the prompt."""
    mine = [
        run.id
        for run in store.of_assessment(session, assessment_id)
        if (then := MeasuredModel(**run.judge_as)).answers_as(judge) and then.manner.asks_like(manner)
    ]
    return store.known_replies(session, mine) if mine else {}
