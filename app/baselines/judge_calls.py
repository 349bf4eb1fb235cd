"""Calls of the LLM judge that decides a measurement: kept with what they cost, and not made twice."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy import ColumnElement, and_, case, func, insert, select
from sqlalchemy.orm import Session

from app.baselines import prompts
from app.baselines.arms import CHARACTERS_PER_TOKEN
from app.baselines.tables import ArmRow, JudgeCallRow
from app.db import utcnow
from app.scoring.judge import Call, Question
from app.scoring.scores import Score


class NewCall(TypedDict):
    """A row of `JudgeCallRow` to be stored."""

    arm_id: int
    asked_sha256: str
    score: float | None
    why: str
    prompt_tokens: int
    completion_tokens: int
    prompt_characters: int
    characters: int
    seconds: float
    created_at: datetime


def row(arm_id: int, call: Call) -> NewCall:
    """A call about an answer of this arm, as it is stored."""
    return {
        "arm_id": arm_id,
        "asked_sha256": prompts.sha256(call.asked),
        "score": call.score.value,
        "why": call.score.why,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "prompt_characters": call.prompt_characters if call.replied else 0,
        "characters": call.characters if call.replied else 0,
        "seconds": call.seconds,
        "created_at": utcnow(),
    }


def put(session: Session, calls: Sequence[NewCall]) -> None:
    """Store calls as `row` makes them."""
    if calls:
        session.execute(insert(JudgeCallRow), list(calls))


def known(session: Session, baseline_id: int, questions: Sequence[Question]) -> Mapping[Question, Score]:
    """What the judge of a measurement said to these questions before; what could not be read is asked again."""
    hashes = {prompts.sha256(asked): asked for asked in questions}
    found = session.execute(
        select(JudgeCallRow.asked_sha256, JudgeCallRow.score, JudgeCallRow.why)
        .join(ArmRow, ArmRow.id == JudgeCallRow.arm_id)
        .where(ArmRow.baseline_id == baseline_id, JudgeCallRow.score.is_not(None))
        .where(JudgeCallRow.asked_sha256.in_(sorted(hashes)))
        .order_by(JudgeCallRow.id.desc())
    )
    return {hashes[name]: Score(score, why) for name, score, why in found}


@dataclass(frozen=True, slots=True)
class Used:
    """What a judge took. uncounted: calls of whose tokens its server said nothing, with the characters of question and
    reply. seconds: of all calls together."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    uncounted: int
    prompt_characters: int
    characters: int
    seconds: float = 0.0

    @property
    def a_call(self) -> "tuple[float, float, float] | None":
        """Tokens in and out and seconds of one call, on average; tokens from characters where its server counts none.
        None before the first."""
        if not self.calls:
            return None
        if self.uncounted == self.calls:
            guessed = self.prompt_characters / CHARACTERS_PER_TOKEN, self.characters / CHARACTERS_PER_TOKEN
            return guessed[0] / self.calls, guessed[1] / self.calls, self.seconds / self.calls
        counted = self.calls - self.uncounted
        return self.prompt_tokens / counted, self.completion_tokens / counted, self.seconds / self.calls


def used(session: Session, arm_ids: Collection[int]) -> Used:
    """Of all calls about answers of these arms, those that got no reply, too."""
    silent = and_(JudgeCallRow.prompt_tokens == 0, JudgeCallRow.prompt_characters > 0)

    def total(value: ColumnElement[int] | int, of: ColumnElement[bool] | None = None) -> ColumnElement[int]:
        return func.coalesce(func.sum(value if of is None else case((of, value), else_=0)), 0)

    found = session.execute(
        select(
            func.count(JudgeCallRow.id),
            total(JudgeCallRow.prompt_tokens.expression),
            total(JudgeCallRow.completion_tokens.expression),
            total(1, silent),
            total(JudgeCallRow.prompt_characters.expression, silent),
            total(JudgeCallRow.characters.expression, silent),
            func.coalesce(func.sum(JudgeCallRow.seconds), 0.0),
        ).where(JudgeCallRow.arm_id.in_(sorted(arm_ids)))
    ).one()
    calls, read, written, uncounted, prompts_of, texts_of, seconds = found
    return Used(calls, int(read), int(written), int(uncounted), int(prompts_of), int(texts_of), float(seconds))
