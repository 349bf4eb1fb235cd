"""An LLM judge: its rubric in versions, runs over answers, its judgements, and people's labels of the same answers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.baselines.arm_settings import ModelKept
from app.db import Base, Json, JsonOf
from app.json_types import JsonObject
from app.judging.order import Spent


class RubricRow(Base):
    """One version of what a judge looks at: one question with two answers, in the team's words.

    number: from 1, within its assessment. failure: the one kind of failure that it is there to find. passes_if: what
    an answer has to do to pass. with_expected: whether the judge reads the expected answer as well. sha256: of these
    three; the same rubric is written down once.
    """

    __tablename__ = "judge_rubrics"
    __table_args__ = (
        UniqueConstraint("assessment_id", "number"),
        Index("uq_judge_rubrics_text", "assessment_id", "sha256", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    number: Mapped[int]
    failure: Mapped[str] = mapped_column(String(80))
    passes_if: Mapped[str] = mapped_column(Text)
    with_expected: Mapped[bool]
    sha256: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]


class JudgeRunRow(Base):
    """One judge with one rubric over the answers of some arms of a measurement.

    use: pass_fail (each answer by itself) or pairwise (the answers of two arms to the same row, in both orders).
    arms: their ids, in pairwise the two that are compared. rows: how many rows of the split are judged, 0 for all; in
    pass_fail the dev answers that people label by this rubric are judged besides. judge_as: what the judge was when the
    run began (`measured_model.MeasuredModel`). warnings: where judge and judged come from one house, as
    `families.Kinship` keeps them. calls: the most that it may make, None for as many as it takes. price_in, price_out:
    per million tokens. ending: why it ended, of `order.ENDINGS`, empty before.
    """

    __tablename__ = "judge_runs"
    __table_args__ = (
        CheckConstraint("use in ('pass_fail', 'pairwise')", name="use"),
        CheckConstraint("split in ('dev', 'test')", name="split"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), index=True)
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id", ondelete="CASCADE"), index=True)
    rubric_id: Mapped[int] = mapped_column(ForeignKey("judge_rubrics.id", ondelete="CASCADE"))
    judge_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    judge_as: Mapped[ModelKept] = mapped_column(Json)
    use: Mapped[str] = mapped_column(String(16))
    split: Mapped[str] = mapped_column(String(8))
    arms: Mapped[list[int]] = mapped_column(Json, default=list)
    rows: Mapped[int] = mapped_column(default=0)
    seed: Mapped[int] = mapped_column(default=7)
    calls: Mapped[int | None]
    price_in: Mapped[float | None]
    price_out: Mapped[float | None]
    spent: Mapped[Spent] = mapped_column(JsonOf(Spent.from_json, Spent.to_json))
    warnings: Mapped[list[JsonObject]] = mapped_column(Json, default=list)
    ending: Mapped[str] = mapped_column(String(16), default="")
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class JudgementRow(Base):
    """What a judge said of one answer, or of two in one order. Unique, so that nothing is asked or counted twice.

    answer_id: the answer, in pairwise the one that was read first. beside_id: in pairwise the one that was read second.
    status: ok or error; a reply that can't be read is an error and never a fail. word: pass, fail, or first, second,
    tie; None for an error. raw: the reply as it came. reused: taken over from an earlier run that asked the same.
    """

    __tablename__ = "judgements"
    __table_args__ = (
        UniqueConstraint("run_id", "answer_id"),
        Index("ix_judgements_prompt", "prompt_sha256"),
        CheckConstraint("status in ('ok', 'error')", name="status"),
        CheckConstraint("word is null or word in ('pass', 'fail', 'first', 'second', 'tie')", name="word"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("judge_runs.id", ondelete="CASCADE"))
    answer_id: Mapped[int] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"), index=True)
    beside_id: Mapped[int | None] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(8))
    word: Mapped[str | None] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(Text, default="")
    raw: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    prompt_sha256: Mapped[str] = mapped_column(String(64))
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    reused: Mapped[bool] = mapped_column(default=False)
    attempt: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class JudgeRoundRow(Base):
    """A random sample of dev answers for one person to label by the rubric, seeing neither arm nor judgement.

    arms: ids of those whose answers it was drawn from. answers: ids, in the order of the draw. user_id: who labels
    them; None until somebody begins. While done_at is None the person is shown no judgement of this rubric.
    """

    __tablename__ = "judge_rounds"

    id: Mapped[int] = mapped_column(primary_key=True)
    rubric_id: Mapped[int] = mapped_column(ForeignKey("judge_rubrics.id", ondelete="CASCADE"), index=True)
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id", ondelete="CASCADE"))
    arms: Mapped[list[int]] = mapped_column(Json, default=list)
    answers: Mapped[list[int]] = mapped_column(Json, default=list)
    seed: Mapped[int]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    drawn_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class JudgeLabelRow(Base):
    """A person's word on one answer of a round: pass or fail."""

    __tablename__ = "judge_labels"
    __table_args__ = (
        UniqueConstraint("round_id", "answer_id"),
        CheckConstraint("label in ('pass', 'fail')", name="label"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("judge_rounds.id", ondelete="CASCADE"))
    answer_id: Mapped[int] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(String(8))
    at: Mapped[datetime]
