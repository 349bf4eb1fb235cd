"""Queries on rubrics, runs of a judge, its judgements, and people's labels of the same answers."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict, cast

from sqlalchemy import ColumnElement, CursorResult, Select, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.baselines.tables import AnswerRow, ArmRow
from app.errors import NotFound
from app.judging.tables import JudgeLabelRow, JudgementRow, JudgeRoundRow, JudgeRunRow, RubricRow

Show = Literal["all", "pass", "fail", "first", "second", "tie", "error", "differ", "labelled"]


# ---------------------------------------------------------------- rubrics


def rubrics(session: Session, assessment_id: int) -> Sequence[RubricRow]:
    """All versions, the newest first."""
    query = select(RubricRow).where(RubricRow.assessment_id == assessment_id)
    return session.scalars(query.order_by(RubricRow.number.desc())).all()


def rubric(session: Session, rubric_id: int) -> RubricRow:
    """One version.

    Raises:
        NotFound: there is none.
    """
    row = session.get(RubricRow, rubric_id)
    if row is None:
        raise NotFound("There is no such rubric.")
    return row


# ---------------------------------------------------------------- runs


def get(session: Session, run_id: int) -> JudgeRunRow:
    """One run.

    Raises:
        NotFound: there is none.
    """
    row = session.get(JudgeRunRow, run_id)
    if row is None:
        raise NotFound("There is no such run of a judge.")
    return row


def of_assessment(
    session: Session, assessment_id: int, before: int | None = None, limit: int | None = None
) -> Sequence[JudgeRunRow]:
    """Runs of an assessment, the newest first; before: only those with a lower id."""
    query = select(JudgeRunRow).where(JudgeRunRow.assessment_id == assessment_id)
    if before is not None:
        query = query.where(JudgeRunRow.id < before)
    return session.scalars(query.order_by(JudgeRunRow.id.desc()).limit(limit)).all()


def number_of_runs(session: Session, assessment_id: int) -> int:
    return session.scalar(select(func.count()).where(JudgeRunRow.assessment_id == assessment_id)) or 0


class JudgeWord(TypedDict):
    """What a judge said, or why nothing of it can be read; see `JudgementRow`."""

    status: str
    word: str | None
    reason: str
    raw: str | None
    error: str | None
    prompt_sha256: str


class NewJudgement(JudgeWord):
    """A row of `JudgementRow` to be stored."""

    run_id: int
    answer_id: int
    beside_id: int | None
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    reused: bool
    attempt: int
    created_at: datetime


def put(session: Session, judgements: Sequence[NewJudgement]) -> None:
    """Keep judgements; an answer that has one in its run keeps it, whatever a repeated attempt brings."""
    if not judgements:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(JudgementRow).on_conflict_do_nothing(index_elements=["run_id", "answer_id"])
    session.execute(statement, list(judgements))


def judged(session: Session, run_id: int) -> Sequence[JudgementRow]:
    """All judgements of a run, by answer."""
    query = select(JudgementRow).where(JudgementRow.run_id == run_id)
    return session.scalars(query.order_by(JudgementRow.answer_id)).all()


@dataclass(frozen=True, slots=True)
class Usual:
    """What a judgement of a run took on average. reads, writes: tokens, None where the server counted none; seconds:
    None where no call was made."""

    reads: float | None
    writes: float | None
    seconds: float | None


def usual(session: Session, run_id: int) -> Usual:
    """By the calls of this run that got a reply."""
    called = select(
        func.avg(JudgementRow.prompt_tokens), func.avg(JudgementRow.completion_tokens), func.avg(JudgementRow.seconds)
    ).where(JudgementRow.run_id == run_id, JudgementRow.status == "ok", JudgementRow.reused.is_(False))
    seconds = session.execute(called).one()[2]
    reads, writes, _ = session.execute(called.where(JudgementRow.prompt_tokens > 0)).one()
    return Usual(*(None if value is None else float(value) for value in (reads, writes, seconds)))


def judgement(session: Session, judgement_id: int) -> JudgementRow:
    """One judgement.

    Raises:
        NotFound: there is none.
    """
    row = session.get(JudgementRow, judgement_id)
    if row is None:
        raise NotFound("There is no such judgement.")
    return row


def forget_errors(session: Session, run_id: int) -> int:
    """Delete what could not be read, so that it is asked again; returns how many."""
    gone = session.execute(delete(JudgementRow).where(JudgementRow.run_id == run_id, JudgementRow.status == "error"))
    return cast("CursorResult[Any]", gone).rowcount


def known_replies(session: Session, run_ids: Collection[int]) -> dict[str, JudgementRow]:
    """What the judges of these runs replied, by the hash of the prompt; errors are not among it."""
    query = select(JudgementRow).where(JudgementRow.run_id.in_(sorted(run_ids)), JudgementRow.status == "ok")
    return {row.prompt_sha256: row for row in session.scalars(query.order_by(JudgementRow.id))}


def page_of(
    session: Session, run: JudgeRunRow, show: Show, *, after: int = 0, limit: int = 50
) -> tuple[Sequence[JudgementRow], int]:
    """Judgements above an id, and how many there are of that kind in all."""
    query = _only(select(JudgementRow).where(JudgementRow.run_id == run.id), run, show)
    number = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(query.where(JudgementRow.id > after).order_by(JudgementRow.id).limit(limit)).all()
    return rows, number


def _only(query: "Select[JudgementRow]", run: JudgeRunRow, show: Show) -> "Select[JudgementRow]":
    if show == "error":
        return query.where(JudgementRow.status == "error")
    if show in ("labelled", "differ"):
        counting = _counting(run.rubric_id)
        same = (JudgeLabelRow.answer_id == JudgementRow.answer_id) & JudgeLabelRow.round_id.in_(counting)
        query = query.join(JudgeLabelRow, same).where(JudgementRow.beside_id.is_(None))
        return query.where(JudgeLabelRow.label != JudgementRow.word) if show == "differ" else query
    return query if show == "all" else query.where(JudgementRow.word == show)


# ---------------------------------------------------------------- people's labels


def rounds(session: Session, rubric_id: int) -> Sequence[JudgeRoundRow]:
    """All samples that were drawn for a version of the rubric, the oldest first."""
    query = select(JudgeRoundRow).where(JudgeRoundRow.rubric_id == rubric_id)
    return session.scalars(query.order_by(JudgeRoundRow.id)).all()


def round_of(session: Session, round_id: int) -> JudgeRoundRow:
    """One sample.

    Raises:
        NotFound: there is none.
    """
    row = session.get(JudgeRoundRow, round_id)
    if row is None:
        raise NotFound("There is no such sample of answers.")
    return row


def labels_of(session: Session, round_ids: Collection[int]) -> Sequence[JudgeLabelRow]:
    """Everything that was said in these rounds."""
    query = select(JudgeLabelRow).where(JudgeLabelRow.round_id.in_(sorted(round_ids)))
    return session.scalars(query.order_by(JudgeLabelRow.id)).all()


def counted_labels(session: Session, rubric_id: int) -> dict[int, str]:
    """The labels that count, by answer: those of rounds that are done."""
    query = select(JudgeLabelRow).where(JudgeLabelRow.round_id.in_(_counting(rubric_id)))
    return {row.answer_id: row.label for row in session.scalars(query.order_by(JudgeLabelRow.id))}


def number_labelled(session: Session, rubric_id: int, baseline_id: int) -> int:
    """How many answers of a measurement people have labelled by a version of the rubric."""
    of_round = JudgeRoundRow.id == JudgeLabelRow.round_id
    query = select(func.count()).select_from(JudgeLabelRow).join(JudgeRoundRow, of_round)
    mine = (JudgeRoundRow.rubric_id == rubric_id, JudgeRoundRow.baseline_id == baseline_id)
    return session.scalar(query.where(*mine, JudgeRoundRow.done_at.is_not(None))) or 0


def _counting(rubric_id: int) -> "Select[int]":
    return select(JudgeRoundRow.id).where(JudgeRoundRow.rubric_id == rubric_id, JudgeRoundRow.done_at.is_not(None))


# ---------------------------------------------------------------- answers


def words_of_answers(session: Session, run_ids: Collection[int], answer_ids: Collection[int]) -> dict[int, str]:
    """What these runs, pass or fail, said of these answers; a newer word counts before an older one."""
    query = (
        select(JudgementRow.answer_id, JudgementRow.word)
        .where(JudgementRow.run_id.in_(sorted(run_ids)), JudgementRow.word.in_(("pass", "fail")))
        .order_by(JudgementRow.id)
    )
    wanted = set(answer_ids)
    return {answer_id: str(word) for answer_id, word in session.execute(query) if answer_id in wanted}


def scores_of(session: Session, baseline_ids: Collection[int], answer_ids: Collection[int]) -> dict[int, float]:
    """The scores of these answers, of those that belong to these measurements."""
    query = (
        select(AnswerRow.id, AnswerRow.score)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(
            ArmRow.baseline_id.in_(sorted(baseline_ids)),
            AnswerRow.id.in_(sorted(answer_ids)),
            AnswerRow.score.is_not(None),
        )
    )
    return {answer_id: score for answer_id, score in session.execute(query) if score is not None}


def answers_of(session: Session, arm_ids: Collection[int], split: str) -> Sequence[AnswerRow]:
    """The answers of these arms that came, by row and arm; an error is no answer to judge."""
    return session.scalars(_answers(AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.split == split)).all()


def answers_by_id(session: Session, ids: Iterable[int]) -> dict[int, AnswerRow]:
    """The answers with these ids that still are there."""
    return {row.id: row for row in session.scalars(_answers(AnswerRow.id.in_(sorted(set(ids)))))}


def numbers_of_answers(session: Session, arm_ids: Collection[int]) -> dict[tuple[int, str], int]:
    """How many answers each arm has on each split."""
    rows = session.execute(
        select(AnswerRow.arm_id, AnswerRow.split, func.count())
        .where(AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.status == "ok")
        .group_by(AnswerRow.arm_id, AnswerRow.split)
    )
    return {(arm_id, split): int(number) for arm_id, split, number in rows}


def _answers(*conditions: ColumnElement[bool]) -> "Select[AnswerRow]":
    query = select(AnswerRow).where(AnswerRow.status == "ok", *conditions)
    return query.order_by(AnswerRow.example_id, AnswerRow.arm_id)
