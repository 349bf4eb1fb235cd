"""The subject of an assessment as it is now, built from stored content."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.baselines import answer_store, deciding_judge, looks, standing
from app.baselines import facts as baselines
from app.baselines.history import Look
from app.datasets.tables import DatasetRow
from app.gate import subject
from app.gate.evidence import Facts, gather, judge
from app.gate.reviewed import (
    ArmTried,
    Base,
    Data,
    Measurement,
    ModelMeasured,
    PolicyUsed,
    RowCounts,
    RowsAsked,
    Subject,
    Training,
    Verdict,
)
from app.inference import service as models
from app.recipes import dev_answers
from app.recipes import parts as recipe_parts
from app.recipes import passages as recipe_passages
from app.recipes.preflights import Preflight
from app.recipes.tables import RecipeRow


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An assessment at one moment: what was gathered, the advice from it, and what a reviewer would approve."""

    facts: Facts
    advised: Advice
    subject: Subject


def snapshot(session: Session, assessment: AssessmentRow) -> Snapshot:
    """Gather, judge and build, each once."""
    return completed(session, gather(session, assessment))


def completed(session: Session, facts: Facts) -> Snapshot:
    """Judge and build what was gathered; reads every answer of the measurement that counts, for its hash."""
    advised = judge(facts)
    return Snapshot(facts, advised, build_subject(session, facts, advised))


def build_subject(session: Session, facts: Facts, advised: Advice) -> Subject:
    """Everything that a reviewer approves, from stored content as it is now."""
    assessment = facts.assessment
    return Subject(
        assessment=assessment.id,
        revision=assessment.revision,
        answers=assessments.answers(assessment),
        questions=assessment.questions_version,
        policy=PolicyUsed(version=advised.policy_version, sha256=advised.policy_sha256),
        verdict=Verdict.of(advised),
        evidence=facts.evidence,
        dataset=_data(facts.dataset) if facts.dataset else None,
        baseline=_measurement(session, facts.measured) if facts.measured else None,
        training=_training(facts),
    )


def _data(row: DatasetRow) -> Data:
    return Data(
        id=row.id,
        version=row.version,
        file=row.filename,
        upload_sha256=row.blob_sha256,
        test_upload_sha256=row.test_blob_sha256,
        rows_sha256=row.rows_sha256,
        split_sha256=row.split_sha256,
        seed=row.seed,
        rows=RowCounts(train=row.train_rows, dev=row.dev_rows, test=row.test_rows, usable=row.usable_rows),
        human_checked=row.human_checked,
        frozen_at=row.frozen_at.isoformat() if row.frozen_at else None,
        reasoning=row.trains_reasoning or None,
    )


def _measurement(session: Session, measured: baselines.Measurement) -> Measurement:
    row, before = measured.row, looks.before_by(session, measured.row, measured.history)
    return Measurement(
        id=row.id,
        dataset=row.dataset_id,
        model=ModelMeasured(id=row.model_id, **measured.model.part()),
        metric=row.metric,
        metric_options=row.metric_options,
        target=row.target,
        instructions=row.instructions,
        max_tokens=row.max_tokens,
        rows_asked=RowsAsked(dev=row.dev_limit, test=row.test_limit, seed=row.seed),
        test_looks=tuple(Look.from_json(look) for look in row.test_looks),
        arms=tuple(
            ArmTried(
                name=arm.name,
                title=arm.title,
                settings=arm.settings,
                dev=arm.dev,
                test=arm.test,
                outdated=True if arm.outdated else None,
            )
            for arm in row.arms
            if arm.family != "adapter"
        ),
        answers_sha256=answer_store.answers_sha256(session, row.id),
        # Only where something came before: the canonical form stays `gate-v1`, and what was approved before there was
        # this part keeps its digest.
        before=before if before.anything else None,
        thinks=row.thinks or None,
        judge=deciding_judge.of(row.judge),
    )


def _training(facts: Facts) -> Training | None:
    """What the trainer reads, and nothing else reaches it (`training/spec.py`)."""
    if facts.recipe is None or facts.base is None or facts.baseline is None:
        return None
    name, revision = models.public_name(facts.base)
    return Training(
        recipe=facts.recipe.settings,
        instructions=standing.winning_instructions(facts.baseline),
        model=Base(id=facts.base.id, name=name, revision=revision, files=facts.base.files, bits=facts.base.bits),
        passages=recipe_passages.part(facts.recipe, facts.baseline, facts.dataset),
        scored=dev_answers.part(facts.recipe.settings, facts.baseline),
        **recipe_parts.stated(facts.recipe.settings),
    )


def preflight_of(frozen: Subject, recipe: RecipeRow | None) -> Preflight | None:
    """The preflight of exactly this config, prompt and data; None where the last one was of something else.

    What a preflight is valid for is a digest of these parts (`training.service.plan_of`).
    """
    training, data = frozen.training, frozen.dataset
    if recipe is None or recipe.preflight is None or training is None or data is None:
        return None
    model = training.model
    part = {
        "recipe": training.recipe,
        "instructions": training.instructions,
        "model": {"name": model.name, "revision": model.revision, "files": model.files}
        | ({"bits": model.bits} if model.bits else {}),
        **training.optional,
    }
    valid_for = subject.digest({"training": part, "rows": data.rows_sha256, "split": data.split_sha256})
    return recipe.preflight if recipe.preflight_of == valid_for else None
