"""What a reviewer approves, as a value: the subject with everything that matters, and nothing else.

Titles and comments are no part of it. `gate/subject.py` makes the one text of it, whose digest is approved. Names are
only ever added, each with a default that is not written, so a subject of an earlier version is read by the same classes
and keeps its digest (`app/strict.py`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from app import glossary
from app.advice.evidence import Evidence
from app.advice.verdict import Advice
from app.baselines.arm_settings import ArmSettings
from app.baselines.arms import ArmResult
from app.baselines.deciding_judge import DecidingJudge
from app.baselines.history import Before, Look
from app.json_types import JsonObject
from app.recipes.dev_answers import Scored
from app.recipes.legs import LegsStated
from app.recipes.passages_carried import CarriedPassages
from app.recipes.replay import ReplayStated
from app.recipes.settings import RecipeSettings
from app.strict import AsWritten, Frozen

SCHEMA = 1  # of the subject; a new field that matters to a reviewer raises it


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyUsed(Frozen):
    """The policy that the assessment is judged by."""

    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Points(Frozen):
    """Points for each approach; they can be negative."""

    prompt: float
    rag: float
    fine_tune: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion(Frozen):
    """One gate as it was judged; see `advice.gates.Gate`."""

    id: str
    title: str
    state: str
    how: str
    measured: str
    needed: str
    change: str
    meanwhile: str

    @property
    def label(self) -> str:
        """What pages call it; the title is part of what is approved."""
        return glossary.named(f"gate.{self.id}", self.title)

    @property
    def locks(self) -> bool:
        return self.state in ("fail", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Frozen):
    """The advice as it stood."""

    approach: str
    training: str
    leaning: str | None
    confidence: str
    technique: str | None
    scores: Points
    gates: tuple[Criterion, ...]

    @property
    def open(self) -> int:
        """How many criteria keep training locked."""
        return sum(gate.locks for gate in self.gates)

    @property
    def passed(self) -> int:
        return sum(gate.state == "pass" for gate in self.gates)

    @classmethod
    def of(cls, advised: Advice) -> "Verdict":
        return cls(
            approach=advised.approach,
            training=advised.training,
            leaning=advised.leaning,
            confidence=advised.confidence,
            technique=advised.technique,
            scores=Points.from_json(asdict(advised.scores)),
            gates=tuple(Criterion.from_json(asdict(gate)) for gate in advised.gates),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts(Frozen):
    """Rows of each split. usable: those that may be trained on and chosen by, test rows not counted."""

    train: int
    dev: int
    test: int
    usable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Data(Frozen):
    """The version of the data that counts. Hashes are SHA-256; None before there is such a file. reasoning: only where
    what was thought before the answers is trained."""

    id: int
    version: int
    file: str
    upload_sha256: str
    test_upload_sha256: str | None
    rows_sha256: str | None
    split_sha256: str | None
    seed: int
    rows: RowCounts
    human_checked: bool | None
    frozen_at: str | None
    reasoning: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMeasured(Frozen):
    """A server and a name, or files by their hashes; never a key. server: how it was asked and what was known of it
    (`findings.Manner`), only where it was met before the measurement. bits: 4 where its layers were held in 4 bits."""

    id: int
    kind: str
    name: str
    reference: str
    base_url: str
    files: Mapping[str, str]
    server: JsonObject | None = None
    bits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAsked(Frozen):
    """How many rows of each split were asked, 0 for all, and the seed that drew them."""

    dev: int
    test: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTried(Frozen):
    """One way to answer with its results; None where it was not asked. outdated: only where its passages are no longer
    those of today, and its results count for nothing."""

    name: str
    title: str
    settings: Annotated[ArmSettings, AsWritten()]
    dev: ArmResult | None
    test: ArmResult | None
    outdated: bool | None = None

    @property
    def label(self) -> str:
        """What to call it today; `title` is what was approved."""
        return glossary.variant(self.name, self.settings, self.title)

    @property
    def errors(self) -> int:
        """Rows of both splits without an answer."""
        return sum(result.errors for result in (self.dev, self.test) if result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(Frozen):
    """The measurement that counts. before: only where something came before on the same test rows. thinks:
    only where models were asked to think before they answer. judge: only where an LLM judge decides: judge, rubric, and
    the labels of people that scores are corrected by."""

    id: int
    dataset: int
    model: ModelMeasured
    metric: str
    metric_options: JsonObject
    target: float | None
    instructions: str
    max_tokens: int
    rows_asked: RowsAsked
    test_looks: tuple[Look, ...]
    arms: tuple[ArmTried, ...]
    answers_sha256: str
    before: Before | None = None
    thinks: bool | None = None
    judge: DecidingJudge | None = None

    @property
    def earlier(self) -> Before:
        return self.before or Before()

    @property
    def looks(self) -> int:
        """How often the test rows were looked at, by this measurement and by others before it."""
        return len(self.test_looks) + len(self.earlier.looks or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Base(Frozen):
    """The model that would be trained. files: SHA-256 by name. bits: 4 where its layers are held in 4 bits (QLoRA)."""

    id: int
    name: str
    revision: str
    files: Mapping[str, str]
    bits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(Frozen):
    """What the trainer reads; nothing else reaches it (`training/spec.py`). passages: what every row carries, with the
    index it is from; None where rows carry none. legs: the trainings, where they are several, and which one is judged.
    scored: how dev rows are answered and scored, where that chooses the checkpoint. replay: the general rows mixed in.
    """

    recipe: Annotated[RecipeSettings, AsWritten()]
    instructions: str
    model: Base
    passages: Annotated[CarriedPassages | None, AsWritten()] = None
    legs: Annotated[LegsStated | None, AsWritten()] = None
    scored: Annotated[Scored | None, AsWritten()] = None
    replay: Annotated[ReplayStated | None, AsWritten()] = None

    @property
    def optional(self) -> JsonObject:
        """What is there only where there is something to say in it, as it is stored."""
        return {name: value for name in ("passages", "legs", "scored", "replay") if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject(Frozen):
    """Everything that a reviewer approves. A part is None where there is no such thing yet.

    answers: the questionnaire as it was answered; questions: the version of it.
    """

    version: ClassVar[int] = SCHEMA

    schema: int = SCHEMA
    assessment: int
    revision: int
    answers: JsonObject
    questions: str
    policy: PolicyUsed
    verdict: Verdict
    evidence: Evidence
    dataset: Data | None
    baseline: Measurement | None
    training: Training | None


def shortcomings(subject: Subject) -> list[str]:
    """What a subject lacks for an approval of it to be worth anything, said before one is asked for and given."""
    lacks = []
    if subject.dataset is None:
        lacks.append("There is no data: nothing was checked, and the advice rests on answers alone.")
    if subject.baseline is None:
        lacks.append("Nothing was measured: nobody knows what prompting reaches.")
    elif not subject.evidence.best_arm:
        lacks.append("No variant has a result on the test rows yet.")
    still = subject.verdict.open
    if subject.verdict.training != "ready":
        criteria = f"{still} {'criterion is' if still == 1 else 'criteria are'} open"
        lacks.append(
            f"Training is locked{f': {criteria}' if still else ''}. An approval agrees with the verdict and unlocks "
            "nothing."
        )
    elif subject.training is None:
        lacks.append("There is no training config: an approval of this starts no training.")
    return lacks


def models_named(subject: Subject) -> str:
    """On which model the baselines ran, and which would be trained, as a sentence; empty before a measurement."""
    if subject.baseline is None:
        return ""
    trains = subject.training.model.name if subject.training is not None else None
    return models_line(subject.baseline.model.name, trains, same=subject.evidence.baseline_on_base is not False)


def models_line(ran: str, trains: str | None, *, same: bool) -> str:
    """The same from the two names; trains: None while no base is chosen."""
    if trains is None:
        return f"Baselines ran on {ran}; no base is chosen for training."
    return f"Baselines ran on {ran}, training on {'the same' if same else trains}."
