"""What the models answered on the frozen rows, and what that is worth."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Dialect, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from app import glossary
from app.baselines.answer_details import AnswerDetails, ReplyKept
from app.baselines.arm_settings import ArmSettings, ModelKept
from app.baselines.arms import ArmResult, Dropped
from app.db import Base, Json
from app.evaluation.kinds.metric import Kept
from app.json_types import JsonObject


class ResultJson(TypeDecorator[ArmResult]):
    """A result of an arm, kept as JSON; `ArmResult` reads what earlier versions wrote."""

    impl = Json
    cache_ok = True

    def process_bind_param(self, value: ArmResult | None, dialect: Dialect) -> JsonObject | None:
        return None if value is None else value.to_json()

    def process_result_value(self, value: JsonObject | None, dialect: Dialect) -> ArmResult | None:
        return None if value is None else ArmResult.from_json(value)


class BaselineRow(Base):
    """One measurement of a use case: one model, one metric, one frozen split, several arms.

    dev_limit, test_limit: how many rows of each split are asked (a sample drawn with `seed`; 0 means all of them).
    model_as: what the model was when the measurement began (`measured_model.MeasuredModel`); its connection may change.
    test_looks: one entry for every time an arm was run on the test rows, with who, when and why.
    metric_set_at: copied from the assessment at the start, so that the order of events can be shown (gate G7).
    concluded_at: set when the best arm's test result stands. racing: losing arms are dropped on the dev rows; None in
    measurements of versions that could not.
    at_once: calls at once that it may make to a server; None is as many as the installation allows. paused_at: set
    while somebody holds it. budget, prices: `spending.Budget` and `spending.Prices` as JSON, the latter as they were
    when it was started or resumed. fresh: nothing is taken from earlier runs. thinks: models are asked to
    think before they answer, as the data trains reasoning; None where they are not. judge: the LLM judge that decides
    (`deciding_judge.DecidingJudge`), with the labels that scores are corrected by; None where no judge does.
    """

    __tablename__ = "baselines"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"), index=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"))
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id"))
    model_as: Mapped[ModelKept | None] = mapped_column(Json)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    metric: Mapped[str] = mapped_column(String(40))
    metric_options: Mapped[Kept] = mapped_column(Json, default=dict)
    target: Mapped[float | None]
    instructions: Mapped[str] = mapped_column(Text, default="")
    max_tokens: Mapped[int] = mapped_column(default=256)
    dev_limit: Mapped[int] = mapped_column(default=0)
    test_limit: Mapped[int] = mapped_column(default=0)
    seed: Mapped[int] = mapped_column(default=7)
    metric_set_at: Mapped[datetime | None]
    test_looks: Mapped[list[JsonObject]] = mapped_column(Json, default=list)
    racing: Mapped[bool | None]
    at_once: Mapped[int | None]
    paused_at: Mapped[datetime | None]
    budget: Mapped[JsonObject | None] = mapped_column(Json)
    prices: Mapped[JsonObject | None] = mapped_column(Json)
    fresh: Mapped[bool | None]
    thinks: Mapped[bool | None]
    judge: Mapped[JsonObject | None] = mapped_column(Json)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    concluded_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    arms: Mapped[list["ArmRow"]] = relationship(lazy="raise", order_by="ArmRow.id", back_populates="baseline")


class ArmRow(Base):
    """One way to answer.

    family: one of `arms.FAMILIES`; `name` tells those of a family apart.
    settings: what the prompt is made of, see `arms.Arm`.
    dev, test: what it came to on these rows, once measured.
    outdated: its passages are from documents or an index that are no longer the current ones (`outdated.mark`), so that
    nobody could use it as it was measured: it leads nothing and does not count as tried.
    """

    __tablename__ = "arms"
    __table_args__ = (UniqueConstraint("baseline_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id", ondelete="CASCADE"), index=True)
    family: Mapped[str] = mapped_column(String(30))
    name: Mapped[str] = mapped_column(String(60))
    title: Mapped[str] = mapped_column(String(120))
    settings: Mapped[ArmSettings] = mapped_column(Json, default=dict)
    dev: Mapped[ArmResult | None] = mapped_column(ResultJson)
    test: Mapped[ArmResult | None] = mapped_column(ResultJson)
    baseline: Mapped[BaselineRow] = relationship(lazy="raise", back_populates="arms")
    outdated = False

    @property
    def label(self) -> str:
        """What to call it; `title` is what it was called when it was made, which an approval holds."""
        return glossary.variant(self.name, self.settings, self.title)

    @property
    def has_errors(self) -> bool:
        """Whether a row that it was asked got no answer, and would be asked again: of a dropped arm none is."""
        return any(result is not None and result.errors > 0 and not result.dropped for result in (self.dev, self.test))

    @property
    def dropped(self) -> Dropped | None:
        """That it lost the race on the dev rows, if it did."""
        return self.dev.dropped if self.dev else None


class AnswerRow(Base):
    """One answer of one arm to one row. Unique, so a repeated job cannot ask or count twice.

    status: ok or error; an error (no answer came) is never a wrong answer. score is 0 to 1, None for an error.
    output: what is scored; raw: the text as it came, where thinking was taken off it. finish: stop, length, or empty
    where the server did not say. prompt_tokens: 0 where it did not say how many (`tokens_known`).
    seconds: time this answer took; shots: lines of the examples shown. details: what else it was made with or came
    with, where there is any: {"passages": [[id, score], ...], "chances": {label: probability}}; {"unscored": true}
    where the model answered and the answer could not be scored.
    asked_sha256: of all that was asked and of what model, by which the answer is taken again (`replies.key`); reply: as
    it came, where that can't be seen from output and raw. taken_from: the answer of an earlier run that this one is.
    prompt_characters: of the prompt, for estimates where no tokens were counted.
    cause: why it failed, in the word that counts: behaviour, facts, instructions, reference. tagged_by: who gave that
    word first. settled_by: who decided between different words (`tagging`); nobody has while it is None.
    """

    __tablename__ = "answers"
    __table_args__ = (
        UniqueConstraint("arm_id", "split", "example_id"),
        Index("ix_answers_arm_split_score", "arm_id", "split", "score"),
        Index("ix_answers_asked_sha256", "asked_sha256"),
        CheckConstraint("status in ('ok', 'error')", name="status"),
        CheckConstraint("split in ('dev', 'test')", name="split"),
        CheckConstraint("cause is null or cause in ('behaviour', 'facts', 'instructions', 'reference')", name="cause"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"))
    split: Mapped[str] = mapped_column(String(8))
    example_id: Mapped[int] = mapped_column(ForeignKey("examples.id"))
    status: Mapped[str] = mapped_column(String(8))
    output: Mapped[str] = mapped_column(Text, default="")
    raw: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    score: Mapped[float | None]
    finish: Mapped[str] = mapped_column(String(16), default="")
    prompt_sha256: Mapped[str] = mapped_column(String(64), default="")
    shots: Mapped[list[int]] = mapped_column(Json, default=list)
    details: Mapped[AnswerDetails | None] = mapped_column(Json)
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    prompt_characters: Mapped[int | None]
    asked_sha256: Mapped[str | None] = mapped_column(String(64))
    reply: Mapped[ReplyKept | None] = mapped_column(Json)
    taken_from: Mapped[int | None]
    seconds: Mapped[float] = mapped_column(default=0.0)
    attempt: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    cause: Mapped[str | None] = mapped_column(String(16))
    tagged_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    settled_by: Mapped[int | None]

    @property
    def tokens_known(self) -> bool:
        """Whether the model said how many tokens there were: no question has none."""
        return self.prompt_tokens > 0


class JudgeCallRow(Base):
    """One call of the LLM judge that decides a measurement, about an answer of this arm.

    asked_sha256: of all that it was asked, so that the same is not asked twice. score: 1 for pass, 0 for fail, None
    where no word could be read; why: its reason, or why there is none. prompt_tokens: 0 where its server did not say
    how many. prompt_characters, characters: of question and reply, for estimates then; both 0 where no reply came.
    seconds: the call took.
    """

    __tablename__ = "judge_calls"

    id: Mapped[int] = mapped_column(primary_key=True)
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"), index=True)
    asked_sha256: Mapped[str] = mapped_column(String(64))
    score: Mapped[float | None]
    why: Mapped[str] = mapped_column(Text, default="")
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    prompt_characters: Mapped[int] = mapped_column(default=0)
    characters: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)
    created_at: Mapped[datetime]


class UnscoredRow(Base):
    """An answer that came and could not be scored, while its row waits to be scored again: nothing is asked twice.

    prompt_sha256: of what was asked, which has to be the same still. text, raw, thinking: as it came.
    """

    __tablename__ = "unscored_answers"

    id: Mapped[int] = mapped_column(primary_key=True)
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"), index=True)
    split: Mapped[str] = mapped_column(String(8))
    example_id: Mapped[int] = mapped_column(ForeignKey("examples.id"))
    prompt_sha256: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    raw: Mapped[str | None] = mapped_column(Text)
    thinking: Mapped[str] = mapped_column(Text, default="")
    finish: Mapped[str] = mapped_column(String(16), default="")
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    seconds: Mapped[float] = mapped_column(default=0.0)


class TagRow(Base):
    """Why one answer failed, in one person's word.

    cause: their word as it is now. blind: their word from before they could see anybody else's, which is what agreement
    is counted from; None where they had seen one.
    """

    __tablename__ = "answer_tags"
    __table_args__ = (
        UniqueConstraint("answer_id", "user_id"),
        CheckConstraint("cause in ('behaviour', 'facts', 'instructions', 'reference')", name="cause"),
        CheckConstraint("blind is null or blind in ('behaviour', 'facts', 'instructions', 'reference')", name="blind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("answers.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    cause: Mapped[str] = mapped_column(String(16))
    blind: Mapped[str | None] = mapped_column(String(16))
    at: Mapped[datetime]


class TagRoundRow(Base):
    """Failures that somebody else tagged, for a second person to tag without seeing how.

    answers: ids of the answers, all of one arm. While done_at is None the person is shown nobody else's tags of them.
    """

    __tablename__ = "tag_rounds"
    __table_args__ = (Index("ix_tag_rounds_baseline_id", "baseline_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id", ondelete="CASCADE"))
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    answers: Mapped[list[int]] = mapped_column(Json, default=list)
    started_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class RerunRow(Base):
    """Dev rows that one arm is asked a second time, to see how many answers change by themselves.

    rows: how many, the first of `arms.sample`. done_at: set once all of them have an answer or an error.
    """

    __tablename__ = "reruns"

    id: Mapped[int] = mapped_column(primary_key=True)
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id", ondelete="CASCADE"), index=True)
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"))
    rows: Mapped[int]
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


class RerunAnswerRow(Base):
    """One answer of a second asking. score: 0 to 1, None for an error, whose sentence is `error`."""

    __tablename__ = "rerun_answers"
    __table_args__ = (UniqueConstraint("rerun_id", "example_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rerun_id: Mapped[int] = mapped_column(ForeignKey("reruns.id", ondelete="CASCADE"))
    example_id: Mapped[int] = mapped_column(ForeignKey("examples.id", ondelete="CASCADE"))
    output: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str | None] = mapped_column(Text)
    score: Mapped[float | None]
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]


class OpeningRow(Base):
    """Somebody was shown the answers of an arm to the test rows. If instructions are revised after it, it was a look.

    how: read, downloaded or tagged. round: revisions that there were by then; once an arm, person and round is enough.
    """

    __tablename__ = "test_openings"
    __table_args__ = (UniqueConstraint("arm_id", "user_id", "round"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    baseline_id: Mapped[int] = mapped_column(ForeignKey("baselines.id", ondelete="CASCADE"), index=True)
    arm_id: Mapped[int] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    round: Mapped[int]
    how: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime]


class VersionRow(Base):
    """One text of an assessment's system prompt; the same text is written down once.

    number: from 1, within its assessment. why: drafted (from the training rows), hand, failures (revised after failed
    answers were tagged), optimised (by the optimizer). from_id: the version that it was made from. created_by: None
    where a version of the app before this one did not write it down.
    """

    __tablename__ = "instruction_versions"
    __table_args__ = (
        UniqueConstraint("assessment_id", "number"),
        Index("uq_instruction_versions_text", "assessment_id", "text_sha256", unique=True),
        CheckConstraint("why in ('drafted', 'hand', 'failures', 'optimised')", name="why"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    number: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    text_sha256: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(String(300), default="")
    from_id: Mapped[int | None] = mapped_column(ForeignKey("instruction_versions.id", ondelete="SET NULL"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
