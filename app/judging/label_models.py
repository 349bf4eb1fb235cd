"""What the REST side of the LLM judge takes and gives of people's labels."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.evaluation.correction import LEAST
from app.judging import rounds, store
from app.judging.tables import JudgeRoundRow
from app.web.deps import Db
from app.web.params import Number


class AnswerToLabel(BaseModel):
    """One answer of a round by its place, from 1; which variant gave it is not said. `label`: null for nothing yet."""

    place: int
    question: str
    expected: str | None
    output: str
    label: Literal["pass", "fail"] | None


class JudgeRound(BaseModel):
    """A random sample of dev answers for one person to label by the rubric."""

    id: int
    object: str = "judge_round"
    rubric: int
    passes_if: str
    answers: list[AnswerToLabel]
    started_at: datetime | None
    done_at: datetime | None

    @staticmethod
    def of(session: Db, row: JudgeRoundRow) -> "JudgeRound":
        rubric = store.rubric(session, row.rubric_id)
        return JudgeRound(
            id=row.id,
            rubric=rubric.number,
            passes_if=rubric.passes_if,
            answers=[
                AnswerToLabel.model_validate(
                    {
                        "place": one.place,
                        "question": one.question,
                        "expected": one.expected,
                        "output": one.output,
                        "label": one.label or None,
                    }
                )
                for one in rounds.to_label(session, row)
            ],
            started_at=row.started_at,
            done_at=row.done_at,
        )


class PassOrFail(BaseModel):
    """A person's word on the answer at a place of the round; null takes it back."""

    model_config = ConfigDict(extra="forbid")

    place: Number
    label: Literal["pass", "fail"] | None


class JudgeLabels(BaseModel):
    model_config = ConfigDict(extra="forbid")

    labels: list[PassOrFail] = Field(max_length=LEAST)
