"""What it takes to try an adapter by hand: the best prompt on the base model beside the adapter, and why it can't be.

Both are asked as they were measured: the same instructions, examples and passages, in the precision of the measurement.
Nothing that is asked or answered here is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.baselines import answers_view, measured_model, prompts, standing
from app.baselines import store as baseline_store
from app.baselines.tables import ArmRow
from app.blobs import Blobs
from app.chat import Message
from app.datasets import store as dataset_store
from app.errors import Conflict, FieldError, Invalid
from app.inference import service as models
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.privacy.masking import Masker
from app.results import service as results
from app.serving import service as serving
from app.serving.answering import Weights
from app.settings import Settings
from app.training import store as trainings
from app.training.tables import TrainingRow

LONGEST = 8_000  # characters of a question: about 2,000 tokens, which a small model reads in some seconds on a CPU
EXAMPLES = 5  # dev questions that are offered, the first of the set
LISTED = 300  # characters of an example's question in the list; longer ones are not offered, nor is half of one


@dataclass(frozen=True, slots=True)
class Asked:
    """One side: what of a measurement is asked. instructions: its system turn; title: what people call it."""

    side: Literal["base", "adapter"]
    arm_id: int
    title: str
    instructions: str
    most_tokens: int


@dataclass(frozen=True, slots=True)
class Example:
    """A dev row to begin with, as it may be read."""

    id: int
    question: str
    target: str


@dataclass(frozen=True, slots=True)
class Trial:
    """One adapter that can be tried, or can't. against: why not now, in a sentence; empty where it can.

    model: the name of the base model, of which both are asked. measured_on: of the model that the best prompt was
    measured with, where that is another one; else empty. base, adapter, weights: None where `against` says why.
    """

    training_id: int
    assessment_id: int
    title: str
    model: str
    measured_on: str
    examples: Sequence[Example]
    hide: Masker
    against: str = ""
    base: Asked | None = None
    adapter: Asked | None = None
    weights: Weights | None = None


def trial(session: Session, settings: Settings, blobs: Blobs, training_id: int) -> Trial:
    """How an adapter would be tried.

    Raises:
        NotFound: there is no such run.
        Conflict: it left no adapter, or one that was never scored.
    """
    run = trainings.get(session, training_id)
    if run.adapter_sha256 is None or run.arm_id is None:
        raise Conflict("This run has left no adapter that was scored.")
    baseline = baseline_store.get(session, run.baseline_id)
    assessment = assessment_store.get(session, run.assessment_id)
    model = model_store.get(session, run.model_id)
    best, arm = results.judged_against(run, baseline), baseline_store.arm(session, run.arm_id)
    measured = measured_model.model_of(session, baseline)
    hide = answers_view.masking(session, baseline)
    known = Trial(
        training_id=run.id,
        assessment_id=run.assessment_id,
        title=assessment.title,
        model=model.name,
        measured_on="" if measured_model.same_weights(measured, model) else measured.name,
        examples=_examples(session, baseline.dataset_id, hide),
        hide=hide,
    )
    if assessment.recorded:
        return replace(known, against="This is the example of the installation: its adapter is not here.")
    if best is None:
        return replace(known, against="No prompt was measured that it could be tried against.")
    if against := _against(session, settings, blobs, run, model, (best, arm)):
        return replace(known, against=against)
    return replace(
        known,
        base=_asked("base", baseline_store.arm(session, best.id)),
        adapter=_asked("adapter", arm),
        weights=serving.weights_of(model, arm, run),
    )


def _asked(side: Literal["base", "adapter"], arm: ArmRow) -> Asked:
    return Asked(side, arm.id, arm.label, standing.instructions_of(arm.baseline, arm), arm.baseline.max_tokens)


def _examples(session: Session, dataset_id: int, hide: Masker) -> list[Example]:
    """Dev rows of one short turn. Test rows are never offered: what is learned from them would spoil the test."""
    offered: list[Example] = []
    for row in dataset_store.rows(session, dataset_id, "dev"):
        turns = [turn for turn in row.messages if turn.role != "system"]
        question = hide.text(prompts.question(turns))
        if len(turns) == 1 and 0 < len(question) <= LISTED:
            offered.append(Example(row.id, question, hide.text(row.target)))
        if len(offered) == EXAMPLES:
            break
    return offered


def _against(
    session: Session,
    settings: Settings,
    blobs: Blobs,
    run: TrainingRow,
    model: ModelRow,
    arms: Sequence[ArmRow],
) -> str:
    if model.retired_at is not None:
        return f"The base model, {model.name}, is retired."
    place = models.folder(settings, model)
    if not model.files or not all((place / name).is_file() for name in model.files):
        return f"The files of the base model, {model.name}, are gone. Set it up again under Models, or put them back."
    if not blobs.path(str(run.adapter_sha256)).is_file():
        return "The adapter's own file is gone from this server."
    for arm in arms:
        if why := serving.against_prompt(session, arm, model):
            return why
    return ""


def question(text: str) -> Message:
    """What somebody typed, as a turn.

    Raises:
        Invalid: it is empty or too long.
    """
    typed = text.replace("\r\n", "\n").strip()
    if not typed:
        raise Invalid("Nothing was asked.", [FieldError("#/question", "Type a question.")])
    if len(typed) > LONGEST:
        words = f"{len(typed):,} characters; {LONGEST:,} at most are asked here."
        raise Invalid("Nothing was asked.", [FieldError("#/question", words)])
    return Message("user", typed)
