"""Measuring what prompting reaches: start, go on, revise, tag, and what all of it says.

The order of events is part of the result: metric and target first (gate G7), then a frozen split, then the arms on
the dev rows, then the best of them on the test rows, and every look at the test rows is written down.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.baselines import arms, causes, exports, prompts, store
from app.baselines.arms import Arm, Scored, Tally
from app.baselines.prompts import Shot
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.chat import Message
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.evaluation import metrics, parts, statistics
from app.evaluation.comparison import doubt
from app.evaluation.statistics import Difference
from app.inference import service as models
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.privacy.masking import Masker
from app.users.tables import UserRow

INSTRUCTIONS_LIMIT = 20_000
ROWS_LEAST = 20  # a smaller sample says nothing
SHOTS_MOST = 20
TOKENS_MOST = 4096
PATTERN_COVERAGE = 0.9  # least share of wanted answers in which a pattern has to find anything
BUNDLED_READS, BUNDLED_WRITES = 500.0, 30.0  # tokens a second on one ordinary core, until it has been timed here
CHARACTERS_PER_TOKEN = arms.CHARACTERS_PER_TOKEN
ALIKE = 2.0  # calls of up to so many times the tokens measured so far are estimated well, others roughly


@dataclass(frozen=True, slots=True)
class Order:
    """What a measurement is asked to be; see `BaselineRow`. dev_rows, test_rows: 0 asks all of them.

    consent: the word of whoever starts it that the rows may be sent to the model server.
    price_in, price_out: per million tokens, for the estimate only.
    """

    model_id: int
    instructions: str
    k_random: int = 3
    k_nearest: int = 5
    max_tokens: int = 256
    dev_rows: int = 0
    test_rows: int = 0
    metric_options: Mapping[str, Any] = field(default_factory=dict)
    consent: bool = False
    price_in: float | None = None
    price_out: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will ask for, before it starts.

    seconds: from how long this model took so far for how many tokens; a rough guess for the embedded model before its
    first answer, None for others. rough: it is from other rows or settings than these, or from no counted tokens.
    most_calls: if as many prompts as may are within reach of the best one on the dev rows, and so are asked the test
    rows as well; tokens, time and money are those of `calls`.
    cost: None without prices.
    """

    calls: int
    most_calls: int
    dev_rows: int
    test_rows: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    rough: bool
    cost: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """An order that can be carried out."""

    assessment: AssessmentRow
    dataset: DatasetRow
    model: ModelRow
    metric: str
    metric_options: dict[str, Any]
    target: float
    arms: tuple[Arm, ...]
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """What a model was when a measurement began: what its row says later is of no use to who reads the result.

    set_by: who had made the connection what it was; it stays here, since it is no part of what answered.
    """

    kind: str
    name: str
    reference: str
    base_url: str
    files: Mapping[str, str]
    set_by: int | None

    @classmethod
    def of(cls, row: ModelRow) -> "MeasuredModel":
        return cls(row.kind, row.name, row.reference, row.base_url, dict(row.files), models.set_up_by(row))

    def part(self) -> dict[str, Any]:
        """What a reviewer approves: a server and a name, or files by their hashes. Never its key."""
        return {name: value for name, value in asdict(self).items() if name != "set_by"}

    def answers_as(self, row: ModelRow) -> bool:
        """Whether the connection, as it is now, is still the one that was measured. What people call it may change."""
        return (self.kind, self.reference, self.base_url) == (row.kind, row.reference, row.base_url) and (
            not self.files or dict(self.files) == row.files
        )


def model_of(session: Session, baseline: BaselineRow) -> MeasuredModel:
    """What the model of a measurement was."""
    if baseline.model_as is None:
        return MeasuredModel.of(model_store.get(session, baseline.model_id))
    return MeasuredModel(**baseline.model_as)


def against_sending(assessment: AssessmentRow, model: ModelRow) -> str:
    """Why the rows of an assessment may not be sent to a model; empty when they may.

    Whoever answered that the text stays on the team's own servers is held to it, consent or not.
    """
    if assessments.answers(assessment).get("data_location") != "own_servers" or models.own(model):
        return ""
    return (
        f"The text of this assessment may not leave your own servers, you said; {model.name} answers at "
        f"{model.base_url}, which nobody declared to be one of them. Measure with a model on this machine, have an "
        "administrator say under Models that this server is yours, or change that answer."
    )


def against_model(session: Session, baseline: BaselineRow) -> str:
    """Why this measurement cannot go on with its model; empty when it can."""
    row = model_store.get(session, baseline.model_id)
    if against := against_sending(assessment_store.get(session, baseline.assessment_id), row):
        return against
    if row.retired_at is not None:
        return f"{row.name} is retired. Start a new measurement with another model."
    if not model_of(session, baseline).answers_as(row):
        return (
            f"The connection of {row.name} was changed since this measurement began: going on would mix two models. "
            "Start a new measurement."
        )
    return ""


# ---------------------------------------------------------------- before the start


def hindrances(session: Session, assessment: AssessmentRow) -> list[str]:
    """Everything that has to be done elsewhere before a measurement can start, in the order to do it."""
    found = []
    if assessment.archived_at is not None:
        found.append("This assessment was put away. Take it out again first.")
    answers = assessments.answers(assessment)
    if answers.get("metric") not in metrics.METRICS or not isinstance(answers.get("target"), int | float):
        found.append(
            "Choose the metric and the target in the questionnaire first. Set before the first result, "
            "they cannot be bent to fit it."
        )
    dataset = dataset_store.current(session, assessment.id)
    if dataset is None:
        found.append("Upload examples first: there is nothing to measure on.")
    elif dataset.frozen_at is None:
        found.append("Freeze the split first: the test rows have to stand before anything is tried on them.")
    return found


def plan(session: Session, assessment_id: int, order: Order) -> Plan:
    """Check an order and say what it will cost.

    Raises:
        Conflict: something has to be done elsewhere first; all of it is said.
        Invalid: the order itself cannot be used; all faults at once.
    """
    assessment = assessment_store.get(session, assessment_id)
    if missing := hindrances(session, assessment):
        raise Conflict.because(missing)
    answers = assessments.answers(assessment)
    dataset = dataset_store.current(session, assessment_id)
    if dataset is None:  # said by `hindrances`
        raise Conflict("Upload examples first.")
    metric, target = str(answers["metric"]), float(answers["target"])
    faults = list(_faults(order))
    options: dict[str, Any] = {}
    try:
        options = metrics.checked(metric, order.metric_options)
    except Invalid as refusal:
        faults += refusal.errors
    model = _usable(session, assessment, order, faults)
    examples = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
    if "pattern" in options:
        faults += _pattern_faults(options["pattern"], [example.target for example in examples["dev"]])
    if faults or model is None:
        raise Invalid("The measurement cannot start like this.", faults)
    planned = arms.plan(order.k_random, order.k_nearest, dataset.seed, [row.target for row in examples["train"]])
    costs = _estimate(session, order, planned, examples)
    return Plan(assessment, dataset, model, metric, options, target, planned, costs)


def _faults(order: Order) -> list[FieldError]:
    found = []
    if not order.instructions.strip():
        found.append(FieldError("#/instructions", "Write what the model should do; every arm starts with it."))
    if len(order.instructions) > INSTRUCTIONS_LIMIT:
        found.append(FieldError("#/instructions", f"At most {INSTRUCTIONS_LIMIT:,} characters are possible."))
    for name, value, most in (
        ("k_random", order.k_random, SHOTS_MOST),
        ("k_nearest", order.k_nearest, SHOTS_MOST),
        ("max_tokens", order.max_tokens, TOKENS_MOST),
    ):
        if not 1 <= value <= most:
            found.append(FieldError(f"#/{name}", f"Use a number from 1 to {most:,}."))
    for name, value in (("dev_rows", order.dev_rows), ("test_rows", order.test_rows)):
        if value != 0 and value < ROWS_LEAST:
            found.append(FieldError(f"#/{name}", f"Ask at least {ROWS_LEAST} rows, or 0 for all of them."))
    for name, price in (("price_in", order.price_in), ("price_out", order.price_out)):
        if price is not None and not 0 <= price <= 1e6:
            found.append(FieldError(f"#/{name}", "Use a price per million tokens, or leave it empty."))
    return found


def _pattern_faults(pattern: str, targets: Sequence[str]) -> list[FieldError]:
    """Where an expression finds nothing in the wanted answer, any text without a finding would count as right."""
    covered = metrics.pattern_coverage(pattern, targets)
    if covered >= PATTERN_COVERAGE:
        return []
    return [
        FieldError(
            "#/metric_options/pattern",
            f"It finds something in only {covered:.0%} of the wanted dev answers. In the others any answer without a "
            f"finding would count as right. Make it match in at least {PATTERN_COVERAGE:.0%}, for example by adding "
            "what every answer has to begin with.",
        )
    ]


def _usable(session: Session, assessment: AssessmentRow, order: Order, faults: list[FieldError]) -> ModelRow | None:
    model = next((row for row in model_store.usable(session) if row.id == order.model_id), None)
    if model is None:
        faults.append(FieldError("#/model_id", "Choose one of the models."))
    elif against := against_sending(assessment, model):
        faults.append(FieldError("#/model_id", against))
    elif model.kind == "endpoint" and not order.consent:
        faults.append(
            FieldError("#/consent", f"The rows will be sent to {model.base_url}. Say that they may leave this server.")
        )
    return model


def estimate(session: Session, assessment_id: int, order: Order) -> Estimate | None:
    """Calls, tokens, time and money of an order, right or not; None while there is nothing to measure on."""
    dataset = dataset_store.current(session, assessment_id)
    if dataset is None:
        return None
    examples = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
    planned = arms.plan(order.k_random, order.k_nearest, dataset.seed, [row.target for row in examples["train"]])
    return _estimate(session, order, planned, examples)


def _estimate(
    session: Session, order: Order, planned: Sequence[Arm], examples: Mapping[str, Sequence[Any]]
) -> Estimate:
    """Calls, tokens, time and money, from the texts and from how long this model took so far."""
    dev = min(len(examples["dev"]), order.dev_rows or len(examples["dev"]))
    test = min(len(examples["test"]), order.test_rows or len(examples["test"]))
    asked = [arm for arm in planned if not arm.free]
    calls = len(asked) * dev + test
    shots = [int(arm.settings.get("k", 0)) for arm in asked]
    rows = list(examples["dev"]) or list(examples["train"])
    question = _mean([sum(len(turn.content) for turn in row.messages) for row in rows])
    answer = _mean([len(row.target) for row in rows])
    per_call = [len(order.instructions) + question + k * (question + answer) for k in shots]
    prompt = (sum(per_call) * dev + max(per_call) * test) / CHARACTERS_PER_TOKEN
    completion = calls * min(float(order.max_tokens), max(1.0, answer / CHARACTERS_PER_TOKEN))
    seconds, rough = _time(session, order, calls, prompt, completion)
    cost = None
    if order.price_in is not None and order.price_out is not None:
        cost = (prompt * order.price_in + completion * order.price_out) / 1e6
    return Estimate(
        calls=calls,
        most_calls=calls + min(arms.RIVALS_MOST, len(asked) - 1) * test,
        dev_rows=dev,
        test_rows=test,
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        seconds=seconds,
        rough=rough,
        cost=cost,
    )


def _time(session: Session, order: Order, calls: int, prompt: float, completion: float) -> tuple[float | None, bool]:
    """Seconds for that many tokens, by what this model took so far, and whether that is a rough guess.

    Reading a token takes a model a small part of the time that writing one takes; the ratio is that of the embedded
    model, and close enough for others: what counts is that ten times the tokens are not the same time.
    """

    def work(read: float, write: float) -> float:
        return read / BUNDLED_READS + write / BUNDLED_WRITES

    paces = store.paces(session, order.model_id)
    if not paces:
        row = model_store.bundled(session)
        return (work(prompt, completion) if row and row.id == order.model_id else None), True
    weighed = [one for one in paces if work(one.prompt_tokens, one.completion_tokens) > 0]
    if not weighed:
        return calls * sum(one.seconds for one in paces) / len(paces), True
    spent = sum(one.seconds for one in weighed)
    rate = spent / sum(work(one.prompt_tokens, one.completion_tokens) for one in weighed)
    seconds = rate * work(prompt, completion)
    so_far = sum(work(one.prompt_tokens, one.completion_tokens) for one in weighed) / len(weighed)
    planned = work(prompt, completion) / max(1, calls)
    alike = max(so_far, planned) <= ALIKE * min(so_far, planned)
    return seconds, not (alike and all(one.counted for one in weighed))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0


# ---------------------------------------------------------------- the buttons


def start(session: Session, assessment_id: int, order: Order, *, by: UserRow) -> BaselineRow:
    """Start a measurement; one that stood before is put aside, not deleted.

    Raises:
        Conflict: something has to be done elsewhere first, or a measurement is running.
        Invalid: the order cannot be used.
    """
    assessment_store.changing(session, assessment_id)  # that it is archived is said by `plan`, with the rest
    planned = plan(session, assessment_id, order)
    before = store.current(session, assessment_id)
    if before is not None:
        _need_rest(session, before)
        before.archived_at = utcnow()
    now = utcnow()
    baseline = BaselineRow(
        assessment_id=assessment_id,
        dataset_id=planned.dataset.id,
        model_id=planned.model.id,
        model_as=asdict(MeasuredModel.of(planned.model)),
        metric=planned.metric,
        metric_options=planned.metric_options,
        target=planned.target,
        instructions=order.instructions.strip(),
        max_tokens=order.max_tokens,
        dev_limit=order.dev_rows,
        test_limit=order.test_rows,
        seed=planned.dataset.seed,
        metric_set_at=planned.assessment.metric_set_at,
        test_looks=[],
        created_by=by.id,
        created_at=now,
        arms=[
            ArmRow(family=arm.family, name=arm.name, title=arm.title, settings=dict(arm.settings))
            for arm in planned.arms
        ],
    )
    session.add(baseline)
    session.flush()
    dataset_store.keep_test_keys(session, planned.dataset.id)
    _run(session, baseline, planned.model, by)
    assessments.contribute(session, planned.assessment, by, "measure")
    audit.record(
        session,
        by,
        "baseline.start",
        "baseline",
        baseline.id,
        {
            "assessment": assessment_id,
            "model": planned.model.name,
            "sent_to": planned.model.base_url or None,
            "calls": planned.estimate.calls,
            "metric": planned.metric,
            "target": planned.target,
        },
    )
    return baseline


def go_on(session: Session, baseline_id: int, *, by: UserRow) -> BaselineRow:
    """Ask again what has no answer: after a cancel, a failure, or errors. Answers that came are kept.

    Raises:
        Conflict: it is running, it was put aside, or nothing is left to ask.
    """
    baseline = _open(session, baseline_id)
    incomplete = [arm for arm in baseline.arms if arm.family != "adapter" and _has_errors(arm)]
    if baseline.concluded_at is not None and not incomplete:
        raise Conflict("Everything has been asked and answered.")
    if any(arm.family == "adapter" and arm.test for arm in baseline.arms):
        raise Conflict("An adapter was judged by these answers; they stay as they are. Start a new measurement.")
    _need_model(session, baseline)
    # The results stay until their arms are through again: should this fail, what was known is still known.
    store.forget_errors(session, [arm.id for arm in baseline.arms if arm.family != "adapter"])
    baseline.concluded_at = None
    _run(session, baseline, model_store.get(session, baseline.model_id), by)
    _note(session, baseline, by, "baseline.go_on", {"arms_with_errors": len(incomplete)})
    return baseline


def revise(session: Session, baseline_id: int, instructions: str, *, by: UserRow) -> ArmRow:
    """Try new instructions with the examples of the best arm so far: one round of revision (gate G5).

    Raises:
        Conflict: the first run has to be over, with at least one arm that counts.
        Invalid: there are no new instructions.
    """
    baseline = _open(session, baseline_id)
    best = store.leading(baseline)
    if best is None or baseline.concluded_at is None:
        raise Conflict("Let the first run finish: a revision starts from the arm that did best.")
    _need_model(session, baseline)
    text = instructions.strip()
    if not text or len(text) > INSTRUCTIONS_LIMIT:
        raise Invalid(
            "The revision cannot start like this.",
            [FieldError("#/instructions", f"Write instructions of 1 to {INSTRUCTIONS_LIMIT:,} characters.")],
        )
    if text in {instructions_of(baseline, arm) for arm in baseline.arms if arm.family != "adapter"}:
        raise Invalid(
            "The revision cannot start like this.",
            [FieldError("#/instructions", "These instructions have been tried already. Change them first.")],
        )
    number = 1 + _rounds(baseline)
    baseline.test_looks = [*baseline.test_looks, *_looks_by_people(session, baseline)]
    new = arms.revised(text, store.value(best), number)
    row = ArmRow(family=new.family, name=new.name, title=new.title, settings={**new.settings, **_dtype(baseline)})
    baseline.arms.append(row)
    baseline.concluded_at = None
    session.flush()
    _run(session, baseline, model_store.get(session, baseline.model_id), by)
    _note(session, baseline, by, "baseline.revise", {"arm": row.name})
    return row


def tag(session: Session, arm_id: int, tags: Mapping[int, str], *, by: UserRow) -> int:
    """Write down why answers failed; an empty cause takes the word back. Returns how many changed.

    Raises:
        Conflict: an answer is of another arm, or did not fail.
        Invalid: a cause is none of the four.
    """
    arm = store.arm(session, arm_id)
    assessment_store.opened(session, arm.baseline.assessment_id)
    unknown = sorted({cause for cause in tags.values() if cause and cause not in causes.CAUSES})
    if unknown:
        known = ", ".join(causes.CAUSES)
        raise Invalid("These causes cannot be stored.", [FieldError("#/causes", f"Use one of: {known}.")])
    changed = 0
    tagged = [store.answer(session, answer_id) for answer_id in tags]
    if any(answer.split == "test" for answer in tagged):
        note_opening(session, arm.baseline, [arm], by, "tagged")
    for answer, cause in zip(tagged, tags.values(), strict=True):
        if answer.arm_id != arm_id or answer.score is None or answer.score >= passing(arm.baseline):
            raise Conflict("Only failed answers of this arm can be given a cause. Look at the page again.")
        if (answer.cause or "") != cause:
            answer.cause, answer.tagged_by = cause or None, by.id
            changed += 1
    if changed:
        _note(session, arm.baseline, by, "baseline.tag", {"arm": arm.name, "answers": changed})
    return changed


def add_adapter_arm(session: Session, baseline_id: int, *, training_id: int, title: str, instructions: str) -> ArmRow:
    """An arm for a trained adapter: no examples, the winning instructions, the same rows. Again gives the same arm."""
    baseline = store.get(session, baseline_id)
    name = f"adapter/{training_id}"
    if found := next((arm for arm in baseline.arms if arm.name == name), None):
        return found
    settings = {"instructions": instructions, "training": training_id, **_dtype(baseline)}
    arm = ArmRow(family="adapter", name=name, title=title, settings=settings)
    baseline.arms.append(arm)
    session.flush()
    return arm


def _need_model(session: Session, baseline: BaselineRow) -> None:
    if against := against_model(session, baseline):
        raise Conflict(against)


def _open(session: Session, baseline_id: int) -> BaselineRow:
    assessment_store.opened(session, store.assessment_of(session, baseline_id))
    baseline = store.get(session, baseline_id)
    if baseline.archived_at is not None:
        raise Conflict("This measurement was put aside for a newer one.")
    _need_rest(session, baseline)
    return baseline


def _need_rest(session: Session, baseline: BaselineRow) -> None:
    if running(session, baseline):
        raise Conflict("A measurement is waiting or running. Cancel it, or wait until it is over.")


def _run(session: Session, baseline: BaselineRow, model: ModelRow, by: UserRow) -> None:
    job = jobs.add(
        session,
        "measure",
        baseline.id,
        by.id,
        assessment_id=baseline.assessment_id,
        title=f"Measure with {model.name}",
        # A server's answers load no weights here, so they need not wait behind a training.
        queue="cpu" if model.kind == "endpoint" else None,
    )
    baseline.job_id = job.id


def _note(session: Session, baseline: BaselineRow, by: UserRow, act: str, detail: dict[str, Any]) -> None:
    assessment = assessment_store.get(session, baseline.assessment_id)
    assessments.contribute(session, assessment, by, "measure")
    audit.record(session, by, act, "baseline", baseline.id, {"assessment": baseline.assessment_id, **detail})


# ---------------------------------------------------------------- what else has to be beaten


@dataclass(frozen=True, slots=True)
class Rival:
    """A prompt that the dev rows cannot tell from the best one. behind: how much the best one is better there, with an
    interval for whichever prompt might have come out best (`comparison.doubt`)."""

    arm: ArmRow
    behind: Difference

    @property
    def tested(self) -> bool:
        """Whether it has a result on the test rows that may be used."""
        return self.arm.test is not None and Tally.of(self.arm.test).known


def rivals(session: Session, baseline: BaselineRow) -> list[Rival]:
    """Which prompts are within reach of the best one, the better ones first: the 95 % interval of the paired difference
    on the dev rows does not show them to be worse (subset selection, Gupta 1965; the truly best one is left out in at
    most 3 of 100 choices, `tests/bench/bench_choice.py`). An adapter has to beat each of them.

    None where the measurement is judged by older rules, which looked at the one arm that did best by chance or not.
    """
    leading = store.leading(baseline)
    if leading is None or store.rules(baseline) < arms.RULES:
        return []
    binary = metrics.get(baseline.metric).binary
    first = store.scored(session, leading.id, "dev")
    near: list[Rival] = []
    others = [arm for arm in baseline.arms if arm.id != leading.id and _could_lead(arm, leading)]
    for arm in others:
        other = store.scored(session, arm.id, "dev")
        rows = [row for row in first if row in other]
        pair = [other[row] for row in rows], [first[row] for row in rows]
        if statistics.paired(*pair, binary=binary).low <= 0:
            near.append(Rival(arm, statistics.paired(*pair, binary=binary, confidence=doubt(len(others)))))
    return sorted(near, key=lambda one: (one.arm.test is None, one.behind.delta, one.arm.id))


def rivals_to_ask(session: Session, baseline: BaselineRow) -> list[ArmRow]:
    """Those that answer the test rows too, once the best prompt has: `arms.RIVALS_MOST` at most, and none where it is
    at the target already, since no adapter will be held against them."""
    leading = store.leading(baseline)
    if leading is None or leading.test is None:
        return []
    if baseline.target is not None and leading.test["score"] >= baseline.target:
        return []
    near = rivals(session, baseline)[: arms.RIVALS_MOST]
    return [one.arm for one in near if one.arm.test is None]


def _could_lead(arm: ArmRow, leading: ArmRow) -> bool:
    """A prompt that counts, and that had a fair try where the best one had."""
    if arm.family in (*arms.FREE, "adapter") or arm.dev is None or leading.dev is None:
        return False
    tally = Tally.of(arm.dev)
    return tally.known and (tally.fair or not Tally.of(leading.dev).fair)


def free_arms(baseline: BaselineRow) -> list[ArmRow]:
    """What answered the test rows without a language model, under the rules that have an adapter beat it."""
    if store.rules(baseline) < arms.RULES:
        return []
    return [arm for arm in baseline.arms if arm.family in arms.FREE and arm.test and Tally.of(arm.test).known]


# ---------------------------------------------------------------- looks at the test rows


def unnoted(session: Session, baseline: BaselineRow, arms_: Sequence[ArmRow], by: UserRow) -> list[ArmRow]:
    """Of these arms those whose test answers this person has not been shown yet, since the last revision."""
    noted = {(one.arm_id, one.round) for one in store.openings(session, {baseline.id}) if one.user_id == by.id}
    return [arm for arm in arms_ if arm.test and (arm.id, _rounds(baseline)) not in noted]


def note_opening(session: Session, baseline: BaselineRow, arms_: Sequence[ArmRow], by: UserRow, how: str) -> None:
    """Write down that somebody is shown the answers of these arms to the test rows: `how` is read, downloaded, tagged.

    Reading them is no fault. Writing better instructions after it makes the test rows rows that were looked at.
    """
    for arm in arms_:
        opening = {"baseline_id": baseline.id, "arm_id": arm.id, "user_id": by.id, "how": how, "at": utcnow()}
        store.note_opening(session, opening | {"round": _rounds(baseline)})


def _rounds(baseline: BaselineRow) -> int:
    return sum(arm.family == "revised_prompt" for arm in baseline.arms)


def _looks_by_people(session: Session, baseline: BaselineRow) -> list[dict[str, Any]]:
    """The looks that people took at the test rows since the last revision, which now begins from what they saw."""
    titles = {arm.id: (arm.name, arm.title) for arm in baseline.arms}
    return [
        {
            "arm": titles[one.arm_id][0],
            "title": titles[one.arm_id][1],
            "at": one.at.isoformat(),
            "by": one.user_id,
            "why": f"its test answers were {one.how} before a revision",
        }
        for one in store.openings(session, {baseline.id})
        if one.round == _rounds(baseline)
    ]


def before(session: Session, baseline: BaselineRow) -> dict[str, Any]:
    """What happened on the same test rows before this result, in whichever version, copy or measurement: looks at them,
    and targets that were changed when results were known. Only what there was.

    What others do later changes nothing here: an approval is not lost because somebody else measures.
    """
    looks, late = earlier_looks(session, baseline), late_targets(session, baseline)
    return ({"looks": looks} if looks else {}) | ({"late_targets": late} if late else {})


def earlier_looks(session: Session, baseline: BaselineRow) -> list[dict[str, Any]]:
    """Looks at these test rows by other measurements, up to this one's last look; all so far while it has none."""
    until = max((datetime.fromisoformat(look["at"]) for look in baseline.test_looks), default=None)
    others = {row.id: row for row in store.on_same_rows(session, baseline.dataset_id) if row.id != baseline.id}
    found = [
        {"assessment": row.assessment_id, "measurement": row.id, **look}
        for row in others.values()
        for look in row.test_looks
        if until is None or datetime.fromisoformat(look["at"]) < until
    ]
    if others:
        named = {arm.id: arm for row in others.values() for arm in row.arms}
        found += [
            {
                "assessment": others[one.baseline_id].assessment_id,
                "measurement": one.baseline_id,
                "arm": named[one.arm_id].name,
                "title": named[one.arm_id].title,
                "at": one.at.isoformat(),
                "by": one.user_id,
                "why": f"its test answers were {one.how}",
            }
            for one in store.openings(session, others)
            if one.at < baseline.created_at
        ]
    return sorted(found, key=lambda look: (str(look["at"]), look["measurement"], str(look["arm"])))


def late_targets(session: Session, baseline: BaselineRow) -> list[dict[str, Any]]:
    """Metric and target as they were set after a result on these test rows was known, up to the setting that holds.

    A setting of another assessment on the same rows counts: copying an assessment makes nobody forget.
    """
    assessment = assessment_store.get(session, baseline.assessment_id)
    known = [(at, row) for row in store.on_same_rows(session, baseline.dataset_id) if (at := store.first_result(row))]
    settled = assessment.metric_set_at
    if not known or settled is None:
        return []
    first, of_first = min(known, key=lambda pair: pair[0])
    if settled <= first and settled == baseline.metric_set_at:
        return []
    rows = [
        row
        for row in assessment_store.late_targets(session, {assessment.id, *(row.assessment_id for _, row in known)})
        if first < row.changed_at <= settled
    ]
    found = [
        {
            "assessment": row.assessment_id,
            "at": row.changed_at.isoformat(),
            "by": row.changed_by,
            "from": f"{row.metric_before} {row.target_before}".strip(),
            "to": f"{row.metric} {row.target}".strip(),
        }
        for row in rows
    ]
    own = sum(row.assessment_id == assessment.id for row in assessment_store.late_targets(session, {assessment.id}))
    if settled != baseline.metric_set_at:  # changed by an earlier version of the app, which kept the number only
        unnamed = {"assessment": assessment.id, "at": settled.isoformat(), "by": None, "from": "", "to": ""}
        found += [unnamed] * max(0, (assessment.target_changes or 0) - own)
    elif settled > first and all(row.changed_at != settled for row in rows):
        answers = assessments.answers(assessment)
        now = f"{answers.get('metric')} {answers.get('target')}"
        used = {f"{row.metric} {row.target}" for at, row in known if row.created_at < settled}
        if now not in used | {str(one["to"]) for one in found}:
            was = f"{of_first.metric} {of_first.target}"
            made = {"assessment": assessment.id, "at": settled.isoformat(), "by": assessment.created_by}
            found.append({**made, "from": was, "to": now})
    return found


# ---------------------------------------------------------------- what it says


def running(session: Session, baseline: BaselineRow) -> JobRow | None:
    return job_store.find_open(session, "measure", baseline.id)


def last_job(session: Session, baseline: BaselineRow) -> JobRow | None:
    return job_store.latest(session, "measure", baseline.id)


def passing(baseline: BaselineRow) -> float:
    """The score from which one answer counts as right: all of it for right and wrong, the target for graded ones."""
    if metrics.get(baseline.metric).binary or baseline.target is None:
        return 1.0
    return baseline.target


def instructions_of(baseline: BaselineRow, arm: ArmRow) -> str:
    """The instructions an arm is asked with: its own, or the run's."""
    return str(arm.settings.get("instructions", baseline.instructions))


def _dtype(baseline: BaselineRow) -> dict[str, Any]:
    """The precision of a local model, once it is known: every arm of a run uses the same."""
    return next(({"dtype": arm.settings["dtype"]} for arm in baseline.arms if "dtype" in arm.settings), {})


def _errors(found: Mapping[str, Any] | None) -> int:
    return int(found["errors"]) if found else 0


def _has_errors(arm: ArmRow) -> bool:
    return bool(_errors(arm.dev) or _errors(arm.test))


def winning_instructions(baseline: BaselineRow) -> str:
    """What training rows and the adapter are asked with: those of the winning arm, the run's own until there is one."""
    best = store.best(baseline)
    return instructions_of(baseline, best) if best else baseline.instructions


INTERVAL_SLACK = 0.02  # by how much an interval may differ from one worked out today: the way to do it may have changed


def misstated(session: Session, baseline: BaselineRow) -> Iterator[str]:
    """Results that are not what their answers come to: a sentence for each arm. Adapters are judged apart."""
    binary = metrics.get(baseline.metric).binary
    for arm in baseline.arms:
        for split, stored in (("dev", arm.dev), ("test", arm.test)):
            if arm.family == "adapter" or stored is None or (baseline.concluded_at is None and _errors(stored)):
                continue  # the last: its errors are asked again
            scored = [Scored(score) for score in store.scores(session, arm.id, split)]
            found = arms.tallied(scored, binary=binary, seed=baseline.seed)
            ends = [(found["low"], found["high"])]
            if not binary:
                given = [one.score for one in scored if one.score is not None]
                ends += [(older.low, older.high) for older in statistics.former_means(given, baseline.seed)]
            counted = all(stored.get(name) == found.get(name) for name in ("n", "errors", "passed"))
            near = abs(float(stored.get("score") or 0.0) - found["score"]) <= 1e-9 and any(
                abs(float(stored.get("low") or 0.0) - low) <= INTERVAL_SLACK
                and abs(float(stored.get("high") or 0.0) - high) <= INTERVAL_SLACK
                for low, high in ends
            )
            if not counted or not near:
                yield (
                    f"The {split} result of \u201c{arm.title}\u201d is not what its answers come to. "
                    "Measure again, and tell the operator."
                )


def failure_causes(session: Session, baseline: BaselineRow) -> dict[str, int]:
    """How many dev rows on which the best arm fails people put down to which cause; a row counts once, by the word
    about the best arm first. Where the best arm is right, another one's failure explains nothing."""
    best = store.leading(baseline)
    tags = store.tagged(session, baseline.id) if best is not None else []
    if best is None or not tags:
        return dict.fromkeys(causes.CAUSES, 0)
    failed = store.failed_rows(session, best.id, passing(baseline))
    asked = {arm.id for arm in baseline.arms if not (store.value(arm).free or arm.family == "adapter")}
    word: dict[int, str] = {}
    for tag in sorted(tags, key=lambda tag: tag.arm_id == best.id):
        if tag.arm_id in asked and tag.example_id in failed:
            word[tag.example_id] = tag.cause
    return {cause: sum(said == cause for said in word.values()) for cause in causes.CAUSES}


def counting(session: Session, assessment_id: int, base: ModelRow | None = None) -> BaselineRow | None:
    """The measurement that the criteria, a review and a training rest on; see `store.counting`.

    base: the model that would be trained. What was measured on its very weights comes before anything else.
    """
    return _counting(session, assessment_id, base).row


def _counting(session: Session, assessment_id: int, base: ModelRow | None) -> store.Counting:
    dataset = dataset_store.current(session, assessment_id)
    found = store.of_assessment(session, assessment_id)

    def on_base(row: BaselineRow) -> bool:
        return base is not None and same_weights(model_of(session, row), base)

    return store.counting(found, dataset.id if dataset else None, on_base)


def same_weights(measured: MeasuredModel, base: ModelRow) -> bool:
    """Whether what was measured is what would be trained: file by file, or by its place before it was prepared. What
    answered on a server is never the files of this machine."""
    if measured.kind == "endpoint" or base.kind == "endpoint":
        return False
    return dict(measured.files) == base.files if measured.files and base.files else measured.answers_as(base)


def measured(session: Session, assessment_id: int, base: ModelRow | None = None) -> dict[str, Any]:
    """What the measurement says in the words of the case file (decision rules, section 7); empty before the first.

    base: the model that would be trained; None while none is chosen.
    """
    counts = _counting(session, assessment_id, base)
    baseline = counts.row
    dataset = dataset_store.current(session, assessment_id)
    if baseline is None or dataset is None or baseline.dataset_id != dataset.id or not store.tallies(baseline):
        return {}
    assessment = assessment_store.get(session, assessment_id)
    tried = arms.done(store.tallies(baseline))
    late = len(late_targets(session, baseline))
    found: dict[str, Any] = {"metric_set_before_baseline": _set_before(assessment, baseline, late)}
    if late:
        found["target_changes"] = late
    part: dict[str, Any] = {"arms": tried, "revised": "revised_prompt" in tried}
    if best := store.best(baseline):
        part |= _reached(baseline, best)
        # 0: stored before unknown ones were told apart
        if tokens := round((best.test or {}).get("mean_prompt_tokens", 0)):
            found["winning_prompt_tokens"] = tokens
    found["baseline"] = part
    found |= _on_another(model_of(session, baseline), base)
    if counts.open:
        found["baseline_unfinished"] = True
    if compared := _compared(baseline):
        found["arms"] = compared
    counted = failure_causes(session, baseline)
    if any(counted.values()):
        found["failure_causes"] = counted
    if sum(counted.values()) < causes.ENOUGH and (leading := store.leading(baseline)):
        found["failures"] = store.failed(session, leading.id, "dev", passing(baseline))
    return found


def _reached(baseline: BaselineRow, best: ArmRow) -> dict[str, Any]:
    """The best arm's result on the test rows, and how far it can be trusted."""
    test = best.test or {}
    tally = Tally.of(test)
    part = {"best_arm": best.family, "error_rate": tally.error_rate}
    if store.rules(baseline) >= arms.RULES and not tally.fair:
        part["cut_rate"] = round(test["cut"] / test["n"], 4)
    if "passed" in test:
        return part | {"passed": test["passed"], "total": test["n"]}
    return part | {"score": test["score"], "low": test["low"], "high": test["high"], "rows": test["n"]}


def _on_another(measured: MeasuredModel, base: ModelRow | None) -> dict[str, Any]:
    """That prompting was measured on other weights than those that would be trained, with both names; empty where it is
    the same, or may still be."""
    if base is not None and same_weights(measured, base):
        return {}
    if base is None and measured.kind != "endpoint":
        return {}
    return {
        "baseline_on_base": False,
        "baseline_ran_on": measured.name,
        **({"trains_on": base.name} if base is not None else {}),
    }


def _compared(baseline: BaselineRow) -> dict[str, Any]:
    """Every kind of arm with its result on the dev rows, for what would do instead; its best one where it has several.

    What needs no language model is there with its result on the test rows, the same ones as the best prompt's, once it
    has one; the advice says which rows and how many.
    """
    best: dict[str, dict[str, Any]] = {}
    for arm in baseline.arms:
        if arm.dev is None or arm.family == "adapter" or not Tally.of(arm.dev).known:
            continue
        if arm.family not in best or arm.dev["score"] > best[arm.family]["score"]:
            best[arm.family] = arm.dev
    compared = {family: _result(found) for family, found in best.items()}
    tested: dict[str, dict[str, Any]] = {}
    for arm in free_arms(baseline):
        if arm.test and (arm.family not in tested or arm.test["score"] > tested[arm.family]["score"]):
            tested[arm.family] = arm.test
    on_test = {family: {**_result(found), "split": "test"} for family, found in tested.items()}
    return compared | on_test


def _result(found: Mapping[str, Any]) -> dict[str, Any]:
    score = (
        {"passed": found["passed"], "total": found["n"]}
        if "passed" in found
        else {name: found[name] for name in ("score", "low", "high")}
    )
    tokens = round(found.get("mean_prompt_tokens", 0))
    return score | ({"prompt_tokens": tokens} if tokens else {})


def _set_before(assessment: AssessmentRow, baseline: BaselineRow, late: int) -> bool:
    """Whether metric and target stood before the first result on these test rows. One later change is allowed, and is
    shown (gate G7)."""
    if baseline.metric_set_at is None or baseline.metric_set_at > baseline.created_at:
        return False
    if assessments.answers(assessment).get("metric") != baseline.metric:
        return False
    return late <= 1


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rows can and cannot tell.

    smallest_gap: between two arms on the test rows. to_settle: test rows after which the interval would leave the
    target if the score stays; None when it has left it, or never would. spread: points between the draws of random
    examples.
    """

    test_rows: int
    smallest_gap: float
    to_settle: int | None
    spread: float | None


def outlook(baseline: BaselineRow, test_rows: int) -> Outlook:
    draws = [arm.dev["score"] for arm in baseline.arms if arm.family == "few_shot_random" and arm.dev]
    best = store.best(baseline)
    to_settle = None
    rows = test_rows
    if best and best.test and baseline.target is not None:
        rows = best.test["n"]
        if best.test["low"] <= baseline.target <= best.test["high"]:
            needed = statistics.rows_to_settle(best.test["score"], baseline.target, best.test.get("spread"))
            to_settle = needed if needed and needed > rows else None
    return Outlook(
        test_rows=rows,
        smallest_gap=statistics.smallest_gap(rows),
        to_settle=to_settle,
        spread=max(draws) - min(draws) if len(draws) == arms.SEEDS else None,
    )


# ---------------------------------------------------------------- single answers


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer beside what was asked, for reading. compared_*: what the metric really compares. raw: the answer as it
    came, where thinking was taken off.

    The texts are as they may be shown; `answer` holds them as they are.
    """

    answer: AnswerRow
    line: int
    question: str
    target: str
    output: str
    raw: str | None
    error: str | None
    compared_target: str
    compared_output: str
    right: bool | None
    guess: causes.Guess | None


def veil(session: Session, baseline: BaselineRow) -> Masker:
    """What hides personal data on the pages of a measurement, as long as nobody has decided on it."""
    return masked_rows.masker_for_measurements(dataset_store.get(session, baseline.dataset_id))


def shown(baseline: BaselineRow, examples: Mapping[int, Example], answer: AnswerRow, veil: Masker) -> Shown:
    """Put an answer together with its row."""
    example = examples[answer.example_id]
    metric = metrics.get(baseline.metric)
    asked = prompts.question(example.messages)
    right = None if answer.score is None else answer.score >= passing(baseline)
    guess = None
    if right is False:
        guess = causes.guess(
            asked,
            example.target,
            answer.output,
            finish=answer.finish,
            metric=baseline.metric,
            options=baseline.metric_options,
        )
    return Shown(
        answer=answer,
        line=example.line,
        question=veil.text(asked),
        target=veil.text(example.target),
        output=veil.text(answer.output),
        raw=None if answer.raw is None else veil.text(answer.raw),
        error=None if answer.error is None else veil.text(answer.error),
        compared_target=veil.text(metric.view(example.target, baseline.metric_options)),
        compared_output=veil.text(metric.view(answer.output, baseline.metric_options)),
        right=right,
        guess=guess,
    )


def parts_of(session: Session, arm: ArmRow, split: str) -> tuple[list[parts.Label], list[parts.FieldScore]]:
    """An arm's score by label and by field of the wanted JSON, whichever the wanted answers have."""
    baseline, hide = arm.baseline, veil(session, arm.baseline)
    examples = examples_of(session, baseline, split)
    answered = [
        parts.Answered(hide.text(examples[row.example_id].target), hide.text(row.output), row.score)
        for row in store.answers(session, arm.id, split)
    ]
    binary = metrics.get(baseline.metric).binary
    return parts.by_label(answered, binary=binary), parts.by_field(answered, baseline.metric_options)


def examples_of(session: Session, baseline: BaselineRow, split: str) -> dict[int, Example]:
    return {row.id: row for row in dataset_store.rows(session, baseline.dataset_id, split)}


def prompt_of(session: Session, answer_id: int) -> tuple[AnswerRow, ArmRow, Shown, tuple[Message, ...], bool]:
    """The prompt of an answer, rendered again, and whether it is letter by letter the one that was asked."""
    answer = store.answer(session, answer_id)
    arm = store.arm(session, answer.arm_id)
    baseline = arm.baseline
    examples = examples_of(session, baseline, answer.split)
    by_line = (
        {row.line: row for row in dataset_store.rows(session, baseline.dataset_id, "train")} if answer.shots else {}
    )
    shots = [Shot(row.id, row.line, tuple(row.messages), row.target) for row in map(by_line.__getitem__, answer.shots)]
    rendered = prompts.render(instructions_of(baseline, arm), shots, examples[answer.example_id].messages)
    same = prompts.sha256(rendered) == answer.prompt_sha256
    hide = veil(session, baseline)
    visible = tuple(Message(turn.role, hide.text(turn.content)) for turn in rendered)
    return answer, arm, shown(baseline, examples, answer, hide), visible, same


def export_lines(session: Session, baseline_id: int) -> Iterator[exports.Line]:
    """Every answer of a measurement, arm by arm."""
    baseline = store.get(session, baseline_id)
    hide = veil(session, baseline)
    for split in ("dev", "test"):
        examples = examples_of(session, baseline, split)
        for arm in baseline.arms:
            for answer in store.answers(session, arm.id, split):
                one = shown(baseline, examples, answer, hide)
                yield exports.Line(
                    baseline=baseline.id,
                    arm=arm.name,
                    split=split,
                    example_id=answer.example_id,
                    line=one.line,
                    question=one.question,
                    target=one.target,
                    output=one.output,
                    raw=one.raw,
                    compared_target=one.compared_target,
                    compared_output=one.compared_output,
                    metric=baseline.metric,
                    score=answer.score,
                    correct=one.right,
                    status=answer.status,
                    error=one.error,
                    finish=answer.finish,
                    cause=answer.cause,
                    prompt_sha256=answer.prompt_sha256,
                    shots=tuple(answer.shots),
                    prompt_tokens=answer.prompt_tokens if answer.tokens_known else None,
                    completion_tokens=answer.completion_tokens if answer.tokens_known else None,
                    latency_ms=round(1000 * answer.seconds),
                    attempt=answer.attempt,
                    created_at=answer.created_at.isoformat(),
                )
