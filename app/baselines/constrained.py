"""The arm whose answers are held to the output constraint: what is offered, and how many answers keep to it.

It is measured with the very examples of an arm without it, so that one thing differs. How many answers would be allowed
is counted for every arm of such a measurement, also for those that were free to say anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import standing, store
from app.baselines.arm_settings import ArmSettings, only
from app.baselines.arms import EXAMPLES, Arm, ArmResult
from app.baselines.offers import Context, Offer
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.constraints import inferring, views
from app.constraints import store as constraints
from app.inference.constraints import Constraint
from app.wording import percent, plural

GLANCE = 500  # training answers that are looked at to say that a constraint would make sense


def offers(context: Context) -> Iterable[Offer]:
    """With the examples of the arm that led so far, before the first measurement with the nearest ones; and alone."""
    row = constraints.current(context.session, context.assessment.id)
    k, place = context.order.k_nearest, f"/assessments/{context.assessment.id}/constraint"
    plain, nearest = Arm("schema", "schema"), Arm("schema", "schema/nearest", {"shots": "nearest", "k": k})
    if row is None:
        answers = [example.target for example in context.examples["train"][:GLANCE]]
        if (proposal := inferring.propose(answers, str)) is not None:
            kind = "JSON" if proposal.kind == "json_schema" else "labels"
            why = f"The training answers are {kind}, so the model could be held to that."
            yield Offer(nearest, proposed=False, why=why, against="Set an output constraint first.", mend=place)
        return
    rule = row.constraint
    settings: ArmSettings = {
        "constraint": {"kind": rule.kind, "text": rule.text, "sha256": rule.sha256, "version": row.version}
    }
    against = ""
    if row.dataset_id != context.dataset.id:
        rows = "an earlier version of the data" if row.fit.counts else "the data of another assessment"
        against = f"The output constraint was checked against {rows}. Set it again."
    title = views.title(row.constraint)
    led = _led(context)
    arms = {arm.name: arm for arm in (led, nearest, plain) if arm is not None}
    for number, arm in enumerate(arms.values()):
        held = Arm(arm.family, arm.name, {**arm.settings, **settings})
        why = f"Answers can only be what v{row.version} allows: {title}."
        yield Offer(held, proposed=number == 0, why=why, against=against, mend=place if against else "")


def _led(context: Context) -> Arm | None:
    """An arm with the examples of the prompt that led the last measurement on these rows."""
    last = store.current(context.session, context.assessment.id)
    first = standing.leading(last) if last is not None and last.dataset_id == context.dataset.id else None
    if first is None:
        return None
    examples = only(first.settings, EXAMPLES)
    if not examples:
        return Arm("schema", "schema")
    name = "schema/nearest" if examples.get("shots") == "nearest" else f"schema/{examples.get('shots')}"
    return Arm("schema", name, examples)


def of(baseline: BaselineRow) -> Constraint | None:
    """The constraint that arms of a measurement are held to; None where none is."""
    held = next((arm.settings["constraint"] for arm in baseline.arms if "constraint" in arm.settings), None)
    return Constraint.from_json(held) if held else None


def valid(arm: ArmRow, rows: Sequence[AnswerRow]) -> int | None:
    """How many of an arm's answers keep to its measurement's constraint; None where there is none, and for what asks no
    model: it copies answers that are valid."""
    constraint = of(arm.baseline)
    if constraint is None or standing.value(arm).free:
        return None
    return sum(row.error is None and constraint.check.keeps(row.output) for row in rows)


# ---------------------------------------------------------------- the page


@dataclass(frozen=True, slots=True)
class InUse:
    """The output constraint that the next measurement offers."""

    title: str
    version: int


def in_use(session: Session, assessment_id: int) -> InUse | None:
    """None where no constraint is set."""
    row = constraints.current(session, assessment_id)
    return InUse(views.title(row.constraint), row.version) if row is not None else None


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many answers are valid."""

    valid: int
    of: int

    @property
    def value(self) -> float:
        return self.valid / self.of


@dataclass(frozen=True, slots=True)
class Line:
    """Valid answers of an arm; None where it was not asked. scored: it chooses among the labels, so nothing else can
    come. own: the run's own model answers. cut: at the limit."""

    label: str
    held: bool
    scored: bool
    own: bool
    dev: Share | None
    test: Share | None
    cut: int


@dataclass(frozen=True, slots=True)
class Validity:
    """Valid answers with and without the constraint. title: of the constraint; version: of the assessment's."""

    title: str
    version: int | None
    sentence: str
    lines: tuple[Line, ...]


def validity(baseline: BaselineRow) -> Validity | None:
    """None before an arm that is held to a constraint has a result."""
    constraint = of(baseline)
    lines = list(_lines(baseline))
    if constraint is None or not any(line.held for line in lines):
        return None
    version = next((_version(arm.settings) for arm in baseline.arms if "constraint" in arm.settings), None)
    return Validity(views.title(constraint), version, _sentence(lines), tuple(lines))


def _version(settings: ArmSettings) -> int | None:
    number = settings["constraint"].get("version")
    return number if isinstance(number, int) else None


def _lines(baseline: BaselineRow) -> Iterator[Line]:
    def share(result: ArmResult | None) -> Share | None:
        return None if result is None or result.valid is None or not result.n else Share(result.valid, result.n)

    for arm in sorted(baseline.arms, key=lambda arm: "constraint" not in arm.settings):
        dev, test = share(arm.dev), share(arm.test)
        if (dev or test) and not standing.value(arm).free:
            cut = sum(result.cut or 0 for result in (arm.dev, arm.test) if result)
            held, scored = "constraint" in arm.settings, "scoring" in arm.settings
            yield Line(arm.label, held, scored, "model_id" not in arm.settings, dev, test, cut)


def _sentence(lines: Sequence[Line]) -> str:
    """Best with it against best without it, on the dev rows and by the same model."""
    with_it = [line.dev for line in lines if line.own and line.held and line.dev]
    without = [line.dev for line in lines if line.own and not line.held and not line.scored and line.dev]
    if not with_it:
        return ""

    def best(shares: Sequence[Share]) -> str:
        return percent(max(share.value for share in shares))

    rows = plural(with_it[0].of, "dev answer")
    if not without:
        return f"With the constraint {best(with_it)} of {rows} are valid."
    return f"With the constraint {best(with_it)} of {rows} are valid, without it {best(without)} at most."
