"""What an arm came to on a split, summed up from its stored answers when its rows are through."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.baselines import (
    answer_store,
    arms,
    belonging,
    constrained,
    deciding_judge,
    error_share,
    standing,
    store,
    with_passages,
)
from app.baselines.arms import ArmResult, Dropped, Scored
from app.baselines.prompts import Shot
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets.store import Example
from app.db import utcnow
from app.evaluation import metrics
from app.inference.endpoint import Endpoint
from app.inference.generator import Generator
from app.jobs.claims import Failed
from app.wording import inflect, plural


def conclude(
    session: Session,
    arm_id: int,
    split: str,
    examples: Sequence[Example],
    pool: Sequence[Shot],
    generator: Generator | None,
    dropped: Dropped | None = None,
) -> ArmResult:
    """Sum up an arm's answers on a split, once all of these rows have one.

    examples: those that it was to answer, fewer where it lost the race (`dropped`).

    Raises:
        Failed: a row has no answer.
    """
    arm = store.arm(session, arm_id)
    rows = answer_store.answers(session, arm_id, split)
    if len(rows) < len(examples):
        missing = len(examples) - len(rows)
        have = inflect(missing, "has", "have")
        raise Failed(f"{plural(missing, 'row')} of {arm.label} {have} no answer. Press Resume to ask again.")
    binary = metrics.get(arm.baseline.metric).binary
    nothing = binary and not any(row.score for row in rows)
    wanted = {example.id: example.target for example in examples}
    by_model = arm.family not in arms.FREE
    size = _prompt_characters(session, arm, examples, pool) if by_model else None
    scored = [_scored(arm.baseline, row, wanted.get(row.example_id, ""), near=nothing and by_model) for row in rows]
    codes = belonging.codes(belonging.groups_of(session, arm.baseline), [row.example_id for row in rows])
    result = arms.tallied(scored, binary=binary, seed=arm.baseline.seed, prompt_characters=size, groups=codes)
    result = deciding_judge.by_labels(result, arm.baseline.judge)
    limit = error_share.limit(session, arm.baseline)
    result = replace(
        result,
        at=utcnow().isoformat(),
        dropped=dropped,
        valid=constrained.valid(arm, rows),
        error_limit=None if limit == arms.ERROR_LIMIT else limit,
    )
    assessment_store.note_result(session, arm.baseline.assessment_id, utcnow())
    if by_model:
        pace = _pace(rows, result, generator)
        result = replace(result, pace=pace, null=() if pace else ("pace",))
    if isinstance(generator, Endpoint):
        result = replace(result, reported=tuple(sorted(generator.reported)) or None)
        remarks = list(generator.remarks)
        if size is not None and arms.counted_short(result, size):
            remarks.append(
                f"The server counted {result.tokens_in:,.0f} tokens for prompts of about {size:,.0f} "
                "characters. It may cut prompts off: look at the size of its context."
            )
        result = replace(result, remarks=tuple(remarks) or None)
    if split == "dev":
        arm.dev = result
    else:
        arm.test = result
    return result


def _scored(baseline: BaselineRow, row: AnswerRow, target: str, *, near: bool) -> Scored:
    name, options = baseline.metric, baseline.metric_options
    answered = row.score is not None
    return Scored(
        row.score,
        row.prompt_tokens,
        row.completion_tokens,
        row.seconds,
        cut=row.finish == "length",
        thought=row.raw is not None,
        dressed=bool(row.score) and metrics.dressed(name, row.output, target, options),
        saved=metrics.saved(name, row.output, target, options) if answered and not row.score else "",
        near=metrics.score("chrf", row.output, target, {}) if near and answered else 0.0,
        characters=len(row.raw or row.output),
        taken=row.taken_from is not None,
    )


def _prompt_characters(session: Session, arm: ArmRow, examples: Sequence[Example], pool: Sequence[Shot]) -> float:
    """Characters of a prompt of this arm, on average."""
    question = _mean([len(turn.content) for example in examples for turn in example.messages], of=len(examples))
    shots = int(arm.settings.get("k", 0))
    shot_size = _mean([len(turn.content) for shot in pool for turn in shot.messages], of=len(pool))
    shot_size += _mean([len(shot.target) for shot in pool], of=len(pool))
    passages = with_passages.characters(session, arm.settings)
    return len(standing.instructions_of(arm.baseline, arm)) + question + shots * shot_size + passages


def _mean(values: Sequence[int], *, of: int) -> float:
    return sum(values) / of if of else 0.0


def _pace(rows: Sequence[AnswerRow], result: ArmResult, generator: Generator | None) -> float | None:
    """Seconds from one answer to the next: by the clock where several are under way, else what each took."""
    if isinstance(generator, Endpoint):
        asked = [row for row in rows if row.taken_from is None]
        return arms.pace([(row.attempt, row.created_at.timestamp(), row.seconds) for row in asked])
    return result.mean_seconds or None
