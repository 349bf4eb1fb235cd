"""Queries on single answers and on what people said of them."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypedDict, cast

import orjson
from sqlalchemy import ColumnElement, CursorResult, Select, and_, case, delete, func, not_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.baselines import arms
from app.baselines.answer_details import AnswerDetails, ReplyKept
from app.baselines.tables import AnswerRow, ArmRow
from app.datasets.tables import ExampleRow
from app.db import memo
from app.errors import NotFound


def answered(session: Session, arm_id: int, split: str) -> set[int]:
    """Ids of the rows that have an answer or an error already: they are not asked again."""
    return set(
        session.scalars(select(AnswerRow.example_id).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split))
    )


class NewAnswer(TypedDict):
    """A row of `AnswerRow` to be stored."""

    arm_id: int
    split: str
    example_id: int
    status: str
    output: str
    raw: str | None
    error: str | None
    score: float | None
    finish: str
    prompt_sha256: str
    shots: list[int]
    details: AnswerDetails | None
    prompt_tokens: int
    completion_tokens: int
    prompt_characters: int | None
    asked_sha256: str | None
    reply: ReplyKept | None
    taken_from: int | None
    seconds: float
    attempt: int
    created_at: datetime


def put(session: Session, answers: Sequence[NewAnswer]) -> None:
    """Store answers; a row that has one keeps it, so a repeated attempt can neither count nor change anything."""
    if not answers:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(AnswerRow).on_conflict_do_nothing(index_elements=["arm_id", "split", "example_id"])
    session.execute(statement, list(answers))


def answers(session: Session, arm_id: int, split: str) -> Sequence[AnswerRow]:
    """All answers of an arm on one split, by row."""
    return session.scalars(
        select(AnswerRow).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split).order_by(AnswerRow.example_id)
    ).all()


def any_answer(session: Session, baseline_id: int, besides: int) -> bool:
    """Whether the model has answered any row of a measurement, in another arm than this one."""
    query = (
        select(AnswerRow.id)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id == baseline_id, ArmRow.family.not_in(arms.FREE), ArmRow.id != besides)
        .where(AnswerRow.status == "ok")
    )
    return session.scalar(query.limit(1)) is not None


def scored(session: Session, arm_id: int, split: str) -> dict[int, float]:
    """What each answered row of an arm scored, by row."""
    rows = session.execute(
        select(AnswerRow.example_id, AnswerRow.score)
        .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split, AnswerRow.score.is_not(None))
        .order_by(AnswerRow.example_id)
    )
    return {example_id: score for example_id, score in rows if score is not None}


def scores(session: Session, arm_id: int, split: str) -> dict[int, float | None]:
    """What each answer of an arm scored, by row; None where no answer came."""
    rows = session.execute(
        select(AnswerRow.example_id, AnswerRow.score)
        .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
        .order_by(AnswerRow.example_id)
    )
    return {row.example_id: row.score for row in rows}


@dataclass(frozen=True, slots=True)
class Tally:
    """An arm's answers to some rows. scores: by row. errors, cut: shares of the rows asked and answered, 0 to 1."""

    scores: Mapping[int, float]
    errors: float
    cut: float


def tallies(
    session: Session, arm_ids: Collection[int], split: str, rows: Collection[int] | None = None
) -> dict[int, Tally]:
    """How each of these arms did on these rows so far (None: on all), by its id."""
    found = session.execute(
        select(AnswerRow.arm_id, AnswerRow.example_id, AnswerRow.score, AnswerRow.finish).where(
            AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.split == split
        )
    )
    of_arm: dict[int, list[tuple[int, float | None, str]]] = {arm_id: [] for arm_id in arm_ids}
    for arm_id, row, score, finish in found:
        if rows is None or row in rows:
            of_arm[arm_id].append((row, score, finish))
    return {
        arm_id: Tally(
            {row: score for row, score, _ in answered if score is not None},
            errors=sum(score is None for _, score, _ in answered) / max(1, len(answered)),
            cut=sum(finish == "length" for _, _, finish in answered) / max(1, len(answered)),
        )
        for arm_id, answered in of_arm.items()
    }


def chances(session: Session, arm_id: int, split: str) -> list[tuple[float, float]]:
    """The probability of each label that an arm gave, with its score, by row; those that came with none are left
    out."""
    rows = session.execute(
        select(AnswerRow.details, AnswerRow.score)
        .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
        .where(AnswerRow.details.is_not(None), AnswerRow.score.is_not(None))
        .order_by(AnswerRow.example_id)
    )
    kept = ((details.get("chances") or {}, score) for details, score in rows if details)
    return [(float(max(known.values())), float(score)) for known, score in kept if known and score is not None]


@dataclass(frozen=True, slots=True)
class Used:
    """What an arm has asked for. uncounted: calls of which the model did not say how many tokens they took, with the
    characters of their prompts and answers. taken: answers of earlier runs, which are in nothing else here."""

    arm_id: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    uncounted: int
    prompt_characters: int
    characters: int
    taken: int


def used(session: Session, arm_ids: Collection[int]) -> list[Used]:
    """Calls and tokens of these arms so far, of both splits; those of errors that were asked again are forgotten."""
    asked = AnswerRow.taken_from.is_(None)
    silent = and_(asked, AnswerRow.prompt_tokens == 0, AnswerRow.status == "ok")

    def total(
        of: ColumnElement[bool], value: ColumnElement[int] | InstrumentedAttribute[int] | int
    ) -> ColumnElement[int]:
        return func.sum(case((of, value), else_=0))

    rows = session.execute(
        select(
            AnswerRow.arm_id,
            total(asked, 1),
            total(asked, AnswerRow.prompt_tokens),
            total(asked, AnswerRow.completion_tokens),
            total(silent, 1),
            total(silent, func.coalesce(AnswerRow.prompt_characters, 0)),
            total(silent, func.length(func.coalesce(AnswerRow.raw, AnswerRow.output))),
            total(AnswerRow.taken_from.is_not(None), 1),
        )
        .where(AnswerRow.arm_id.in_(sorted(arm_ids)))
        .group_by(AnswerRow.arm_id)
    )
    return [Used(*(int(value or 0) for value in row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Paired:
    """One row answered by two arms. A score is None where no answer came."""

    example_id: int
    before: float | None
    after: float | None


def pairs(session: Session, before_arm: int, after_arm: int, split: str = "test") -> Sequence[Paired]:
    """Every row of a split that both arms were asked, in the order of the rows."""
    before, after = aliased(AnswerRow), aliased(AnswerRow)
    rows = session.execute(
        select(before.example_id, before.score, after.score)
        .join(after, (after.example_id == before.example_id) & (after.split == split) & (after.arm_id == after_arm))
        .where(before.arm_id == before_arm, before.split == split)
        .order_by(before.example_id)
    )
    return [Paired(*row) for row in rows]


def of_rows(session: Session, arm_id: int, split: str, example_ids: Collection[int]) -> dict[int, AnswerRow]:
    """An arm's answers to these rows, by row."""
    rows = session.scalars(
        select(AnswerRow).where(
            AnswerRow.arm_id == arm_id, AnswerRow.split == split, AnswerRow.example_id.in_(sorted(example_ids))
        )
    )
    return {row.example_id: row for row in rows}


def answer(session: Session, answer_id: int) -> AnswerRow:
    row = session.get(AnswerRow, answer_id)
    if row is None:
        raise NotFound("There is no such answer.")
    return row


Show = Literal["all", "right", "wrong", "error", "tagged", "untagged", "fixed", "broke"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which answers of an arm to one split. passing: the score from which an answer counts as right.

    show: fixed and broke are the rows that are right here and wrong in the arm `against`, and the other way round.
    rows: ids of the rows to stay within; None for all.
    """

    arm_id: int
    split: str
    passing: float
    show: Show = "all"
    against: int | None = None
    rows: frozenset[int] | None = None


def _selected(only: Selection) -> Select[AnswerRow]:
    query = select(AnswerRow).where(AnswerRow.arm_id == only.arm_id, AnswerRow.split == only.split)
    if only.rows is not None:
        query = query.where(AnswerRow.example_id.in_(sorted(only.rows)))
    match only.show:
        case "error":
            query = query.where(AnswerRow.status == "error")
        case "tagged":
            query = query.where(AnswerRow.cause.is_not(None))
        case "untagged":
            query = query.where(AnswerRow.score < only.passing, AnswerRow.cause.is_(None))
        case "fixed" | "broke":
            other_passed = _OTHER.score >= only.passing
            query = _beside_other(query, only).where(not_(other_passed) if only.show == "fixed" else other_passed)
    if only.show in ("right", "fixed"):
        query = query.where(AnswerRow.score >= only.passing)
    if only.show in ("wrong", "broke"):
        query = query.where(AnswerRow.score < only.passing)
    return query


_OTHER = aliased(AnswerRow)


def _beside_other(query: Select[AnswerRow], only: Selection) -> Select[AnswerRow]:
    """Beside each answer that of the arm it is compared with; none where there is no such arm."""
    same = (_OTHER.example_id == AnswerRow.example_id) & (_OTHER.split == AnswerRow.split)
    return query.join(_OTHER, same & (_OTHER.arm_id == (only.against or 0)))


def page_of_answers(session: Session, only: Selection, *, after: int, limit: int) -> Sequence[AnswerRow]:
    """Answers by row id above `after`."""
    query = _selected(only).where(AnswerRow.example_id > after)
    return session.scalars(query.order_by(AnswerRow.example_id).limit(limit)).all()


def page_before(session: Session, only: Selection, *, before: int, limit: int) -> Sequence[AnswerRow]:
    """The last answers below the row id `before`, in the order of the rows."""
    query = _selected(only).where(AnswerRow.example_id < before)
    return session.scalars(query.order_by(AnswerRow.example_id.desc()).limit(limit)).all()[::-1]


def number_of(session: Session, only: Selection, *, up_to: int | None = None) -> int:
    """How many answers are selected; up_to: those whose row has this id or a lower one."""
    query = _selected(only)
    if up_to is not None:
        query = query.where(AnswerRow.example_id <= up_to)
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def place_of(session: Session, only: Selection, row_id: int) -> int:
    """The number of a row among those selected, from 1; 0 where it is none of them."""
    alone = frozenset({row_id}) if only.rows is None else only.rows & {row_id}
    there = number_of(session, replace(only, rows=alone))
    return number_of(session, only, up_to=row_id) if there else 0


def counted(session: Session, only: Selection) -> dict[Show, int]:
    """How many answers each filter would show."""
    shows: tuple[Show, ...] = ("all", "right", "wrong", "error", "tagged", "untagged")
    return {show: number_of(session, replace(only, show=show)) for show in shows}


@dataclass(frozen=True, slots=True)
class AnsweredText:
    """What was wanted in one row and what came; score None for an error."""

    example_id: int
    target: str
    output: str
    score: float | None


def texts(session: Session, arm_id: int, split: str) -> list[AnsweredText]:
    """Every answer of an arm beside what was wanted, by row, without what was asked."""
    rows = session.execute(
        select(AnswerRow.example_id, ExampleRow.target, AnswerRow.output, AnswerRow.score)
        .join(ExampleRow, ExampleRow.id == AnswerRow.example_id)
        .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
        .order_by(AnswerRow.example_id)
    )
    return [AnsweredText(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The rows that two arms both answered: right in both, right only before, right only after, wrong in both.

    gain: mean of what the second scores more.
    """

    both: int
    broke: int
    fixed: int
    neither: int
    gain: float

    @property
    def rows(self) -> int:
        return self.both + self.broke + self.fixed + self.neither


def outcomes(session: Session, before_arm: int, after_arm: int, split: str, passing: float) -> Outcomes:
    """How two arms answered the same rows. passing: the score from which an answer counts as right."""
    before, after = aliased(AnswerRow), aliased(AnswerRow)
    was, now = before.score >= passing, after.score >= passing
    same = (after.example_id == before.example_id) & (after.split == before.split) & (after.arm_id == after_arm)

    def rows_with(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((and_(*conditions), 1), else_=0)), 0)

    row = session.execute(
        select(
            rows_with(was, now),
            rows_with(was, not_(now)),
            rows_with(not_(was), now),
            rows_with(not_(was), not_(now)),
            func.coalesce(func.avg(after.score - before.score), 0.0),
        )
        .join(after, same)
        .where(before.arm_id == before_arm, before.split == split)
        .where(before.score.is_not(None), after.score.is_not(None))
    ).one()
    both, broke, fixed, neither, gain = row
    return Outcomes(int(both), int(broke), int(fixed), int(neither), float(gain))


def newest(session: Session, arm_ids: Collection[int], limit: int) -> Sequence[AnswerRow]:
    """The answers to dev rows that came last, the newest first. Those to test rows are not among them: whoever sees
    these has looked at the test rows."""
    query = select(AnswerRow).where(AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.split == "dev")
    return session.scalars(query.order_by(AnswerRow.id.desc()).limit(limit)).all()


def failed(session: Session, arm_id: int, split: str, passing: float) -> int:
    """How many answers failed."""
    return number_of(session, Selection(arm_id=arm_id, split=split, passing=passing, show="wrong"))


def failed_rows(session: Session, arm_id: int, passing: float) -> set[int]:
    """Ids of the dev rows on which an arm's answer failed."""
    scores = memo(session, ("imperfect", arm_id), lambda: imperfect(session, [arm_id]).get(arm_id, {}))
    return {row for row, score in scores.items() if score < passing}


def imperfect(session: Session, arm_ids: Collection[int]) -> dict[int, dict[int, float]]:
    """For each arm its dev rows that are not wholly right, with their scores."""
    rows = session.execute(
        select(AnswerRow.arm_id, AnswerRow.example_id, AnswerRow.score).where(
            AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.split == "dev", AnswerRow.score < 1
        )
    )
    scores_of: dict[int, dict[int, float]] = {}
    for arm_id, example_id, score in rows:
        scores_of.setdefault(arm_id, {})[example_id] = float(score or 0.0)
    return scores_of


def forget_errors(session: Session, arm_ids: Iterable[int]) -> int:
    """Delete errors, so that their rows are asked again; returns how many."""
    gone = session.execute(delete(AnswerRow).where(AnswerRow.arm_id.in_(list(arm_ids)), AnswerRow.status == "error"))
    return cast("CursorResult[Any]", gone).rowcount


@dataclass(frozen=True, slots=True)
class Tag:
    """A cause that a person gave a failed answer."""

    arm_id: int
    example_id: int
    cause: str


def tagged(session: Session, baseline_id: int) -> Sequence[Tag]:
    """Every cause that people gave to answers on the dev rows, latest answer last. What somebody noted on a test row
    decides nothing: what is learnt from those may not choose."""
    return memo(session, ("tagged", baseline_id), lambda: tagged_of(session, [baseline_id]).get(baseline_id, []))


def tagged_of(session: Session, baseline_ids: Iterable[int]) -> dict[int, list[Tag]]:
    rows = session.execute(
        select(ArmRow.baseline_id, AnswerRow.arm_id, AnswerRow.example_id, AnswerRow.cause)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id.in_(list(baseline_ids)), AnswerRow.cause.is_not(None), AnswerRow.split == "dev")
        .order_by(AnswerRow.id)
    )
    tags: dict[int, list[Tag]] = {}
    for baseline_id, arm_id, example_id, cause in rows:
        tags.setdefault(baseline_id, []).append(Tag(arm_id, example_id, str(cause)))
    return tags


def answers_sha256(session: Session, baseline_id: int) -> str:
    """Hash over every answer that the verdict rests on: all arms but adapters, in a fixed order."""
    digest = hashlib.sha256()
    rows = session.execute(
        select(
            ArmRow.name,
            AnswerRow.split,
            AnswerRow.example_id,
            AnswerRow.status,
            AnswerRow.output,
            AnswerRow.score,
            AnswerRow.prompt_sha256,
            AnswerRow.cause,
            AnswerRow.details,
        )
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id == baseline_id, ArmRow.family != "adapter")
        .order_by(ArmRow.name, AnswerRow.split, AnswerRow.example_id)
        .execution_options(yield_per=1000)
    )
    for row in rows:
        parts = [*row] if row.details is not None else [*row][:-1]  # as it was before answers had details
        digest.update(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS) + b"\n")
    return digest.hexdigest()
