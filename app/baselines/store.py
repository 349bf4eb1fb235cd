"""Queries on measurements, their arms and the answers."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson
from sqlalchemy import CursorResult, Select, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, selectinload

from app.baselines import arms
from app.baselines.arms import Arm, Tally
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow, OpeningRow
from app.datasets import store as dataset_store
from app.db import know, once
from app.errors import NotFound


def get(session: Session, baseline_id: int) -> BaselineRow:
    """A measurement with its arms."""
    found = session.scalar(
        select(BaselineRow).where(BaselineRow.id == baseline_id).options(selectinload(BaselineRow.arms))
    )
    if found is None:
        raise NotFound("There is no such measurement.")
    return found


def assessment_of(session: Session, baseline_id: int) -> int:
    """Whose measurement it is, without loading it: its assessment is locked first."""
    found = session.scalar(select(BaselineRow.assessment_id).where(BaselineRow.id == baseline_id))
    if found is None:
        raise NotFound("There is no such measurement.")
    return found


def current(session: Session, assessment_id: int) -> BaselineRow | None:
    """The newest measurement of an assessment that was not put aside, with its arms."""
    return once(
        session,
        ("baseline", assessment_id),
        lambda: session.scalar(
            select(BaselineRow)
            .where(BaselineRow.assessment_id == assessment_id, BaselineRow.archived_at.is_(None))
            .order_by(BaselineRow.id.desc())
            .limit(1)
            .options(selectinload(BaselineRow.arms))
        ),
    )


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Find the current measurement of many assessments at once, for a page that will ask for each (`db.know`)."""
    rows = session.scalars(
        select(BaselineRow)
        .where(BaselineRow.assessment_id.in_(assessment_ids))
        .order_by(BaselineRow.id.desc())
        .options(selectinload(BaselineRow.arms))
    ).all()
    every: dict[int, list[BaselineRow]] = {one: [] for one in assessment_ids}
    for row in rows:
        every[row.assessment_id].append(row)
    know(session, {("measurements", one): found for one, found in every.items()})
    newest = {one: next((row for row in found if row.archived_at is None), None) for one, found in every.items()}
    know(session, {("baseline", one): found for one, found in newest.items()})
    alike = dataset_store.read_ahead_same_test_rows(session, sorted({row.dataset_id for row in rows}))
    measured = _on_rows(session, {one for ids in alike.values() for one in ids})
    know(
        session,
        {("on same rows", one): [row for row in measured if row.dataset_id in ids] for one, ids in alike.items()},
    )
    tags = _tagged(session, [row.id for row in rows])
    know(session, {("tagged", row.id): tags.get(row.id, []) for row in rows})
    first = [found.id for row in rows if tags.get(row.id) and (found := leading(row)) is not None]
    wrong = _imperfect(session, first)
    know(session, {("imperfect", one): wrong.get(one, {}) for one in first})


def of_assessment(session: Session, assessment_id: int) -> Sequence[BaselineRow]:
    """All measurements, the newest first, those put aside included."""
    return once(
        session,
        ("measurements", assessment_id),
        lambda: session.scalars(
            select(BaselineRow)
            .where(BaselineRow.assessment_id == assessment_id)
            .order_by(BaselineRow.id.desc())
            .options(selectinload(BaselineRow.arms))
        ).all(),
    )


def arm(session: Session, arm_id: int) -> ArmRow:
    """An arm with its measurement and that one's other arms."""
    found = session.scalar(
        select(ArmRow).where(ArmRow.id == arm_id).options(selectinload(ArmRow.baseline).selectinload(BaselineRow.arms))
    )
    if found is None:
        raise NotFound("There is no such arm.")
    return found


def value(row: ArmRow) -> Arm:
    """An arm as the pure rules know it."""
    return Arm(row.family, row.name, row.title, row.settings)


def tallies(baseline: BaselineRow) -> list[tuple[Arm, Tally]]:
    """Dev results of every arm that has been measured."""
    return [(value(row), Tally.of(row.dev)) for row in baseline.arms if row.dev is not None]


def leading(baseline: BaselineRow) -> ArmRow | None:
    """The arm with the best dev result; see `arms.best`."""
    first = arms.best(tallies(baseline))
    return next((row for row in baseline.arms if first and row.name == first.name), None)


def best(baseline: BaselineRow) -> ArmRow | None:
    """The best arm whose test result stands and may be used: what an adapter has to beat.

    A revision that was begun, failed or got no usable answers takes no earlier result away; that it may be better is
    said by `finished`.
    """
    judged = {row.name for row in baseline.arms if row.test is not None and Tally.of(row.test).known}
    first = arms.best([(arm, tally) for arm, tally in tallies(baseline) if arm.name in judged])
    return next((row for row in baseline.arms if first and row.name == first.name), None)


def finished(baseline: BaselineRow) -> bool:
    """Whether everything that was begun is through, and the arm that leads on the dev rows is the one that stands."""
    first = leading(baseline)
    return baseline.concluded_at is not None and first is not None and best(baseline) is first


def counting(
    found: Sequence[BaselineRow], dataset_id: int | None, prefers: Callable[[BaselineRow], bool]
) -> "Counting":
    """Which measurement counts, of all of an assessment, the newest first.

    The newest one with a result on these rows, those that `prefers` names before others: one that was begun later and
    failed, was cancelled or is still running hides nothing, and neither does one that came to surely less than an
    earlier one like it (`_outdone`). While none has a result, the newest.
    """
    on_rows = [row for row in found if row.dataset_id == dataset_id]
    there = [row for row in on_rows if best(row) is not None]
    counts = next((row for row in there if prefers(row)), None) or next(iter(there or on_rows or found), None)
    if counts is None:
        return Counting(None, open=False)
    if counts in there:
        same = prefers(counts)
        alike = [row for row in there if (prefers(row) if same else row.model_id == counts.model_id)]
        counts = _outdone(counts, [row for row in alike if row.id < counts.id])
    later = [row for row in on_rows if row.id > counts.id and tallies(row) and prefers(row) == prefers(counts)]
    return Counting(counts, open=any(not finished(row) for row in (counts, *later)))


def _outdone(newest: BaselineRow, earlier: Sequence[BaselineRow]) -> BaselineRow:
    """An earlier measurement whose best arm reached surely more, or the newest one where there is none.

    Otherwise prompts that were tried with less care afterwards would be what an adapter has to beat. It is one with the
    same metric, of at least half as many test rows, whose score lies above the whole interval of the newest.
    """
    reached = _tested(newest)
    alike = [
        row
        for row in earlier
        if (row.metric, row.metric_options) == (newest.metric, newest.metric_options)
        and 2 * _tested(row)["n"] >= reached["n"]
        and _tested(row)["score"] > reached["high"]
    ]
    return max(alike, key=lambda row: float(_tested(row)["score"]), default=newest)


def _tested(baseline: BaselineRow) -> dict[str, Any]:
    """The test result that stands, of a measurement that has one."""
    first = best(baseline)
    return (first.test if first else None) or {}


@dataclass(frozen=True, slots=True)
class Counting:
    """The measurement that counts. open: it, or a later one like it, has begun to answer and is not through."""

    row: BaselineRow | None
    open: bool


def rules(baseline: BaselineRow) -> int:
    """Which rules it is judged by (`arms.RULES`); measurements of earlier versions have none with them."""
    return max((int(row.settings.get("rules", 1)) for row in baseline.arms), default=1)


def on_same_rows(session: Session, dataset_id: int) -> Sequence[BaselineRow]:
    """Every measurement on the test rows of this version, of whichever version, assessment or time, oldest first."""
    return once(
        session,
        ("on same rows", dataset_id),
        lambda: _on_rows(session, dataset_store.of_same_test_rows(session, dataset_id)),
    )


def _on_rows(session: Session, dataset_ids: Collection[int]) -> Sequence[BaselineRow]:
    return session.scalars(
        select(BaselineRow)
        .where(BaselineRow.dataset_id.in_(sorted(dataset_ids)))
        .order_by(BaselineRow.id)
        .options(selectinload(BaselineRow.arms))
    ).all()


def first_result(baseline: BaselineRow) -> datetime | None:
    """When its first result stood; None while there is none. Results of earlier versions have no time of their own."""
    found = [result for arm in baseline.arms for result in (arm.dev, arm.test) if result]
    times = [datetime.fromisoformat(result["at"]) for result in found if "at" in result]
    return min(times) if times else (baseline.concluded_at or baseline.created_at) if found else None


# ---------------------------------------------------------------- looks at the test rows


def openings(session: Session, baseline_ids: Collection[int]) -> Sequence[OpeningRow]:
    """When answers to test rows were shown to people, first ones first."""
    return session.scalars(
        select(OpeningRow).where(OpeningRow.baseline_id.in_(sorted(baseline_ids))).order_by(OpeningRow.id)
    ).all()


def note_opening(session: Session, opening: dict[str, Any]) -> None:
    """Write down that somebody was shown them, unless it is written down already."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    unique = ["arm_id", "user_id", "round"]
    session.execute(dialect.insert(OpeningRow).values(**opening).on_conflict_do_nothing(index_elements=unique))


# ---------------------------------------------------------------- answers


def answered(session: Session, arm_id: int, split: str) -> set[int]:
    """Ids of the rows that have an answer or an error already: they are not asked again."""
    return set(
        session.scalars(select(AnswerRow.example_id).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split))
    )


def put(session: Session, answers: Sequence[dict[str, Any]]) -> None:
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


def scores(session: Session, arm_id: int, split: str) -> Sequence[float | None]:
    """What each answer of an arm scored, by row; None where no answer came."""
    return session.scalars(
        select(AnswerRow.score)
        .where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
        .order_by(AnswerRow.example_id)
    ).all()


def answer(session: Session, answer_id: int) -> AnswerRow:
    found = session.get(AnswerRow, answer_id)
    if found is None:
        raise NotFound("There is no such answer.")
    return found


def _shown(arm_id: int, split: str, show: str, passing: float) -> Select[AnswerRow]:
    query = select(AnswerRow).where(AnswerRow.arm_id == arm_id, AnswerRow.split == split)
    match show:
        case "right":
            return query.where(AnswerRow.score >= passing)
        case "wrong":
            return query.where(AnswerRow.score < passing)
        case "error":
            return query.where(AnswerRow.status == "error")
        case "tagged":
            return query.where(AnswerRow.cause.is_not(None))
        case "untagged":
            return query.where(AnswerRow.score < passing, AnswerRow.cause.is_(None))
        case _:
            return query


def page_of_answers(
    session: Session, arm_id: int, split: str, *, show: str, passing: float, after: int, limit: int
) -> Sequence[AnswerRow]:
    """Answers by row id above `after`; `passing` is the score from which an answer counts as right."""
    query = _shown(arm_id, split, show, passing).where(AnswerRow.example_id > after)
    return session.scalars(query.order_by(AnswerRow.example_id).limit(limit)).all()


def numbered_page(
    session: Session, arm_id: int, split: str, *, show: str, passing: float, number: int, size: int
) -> Sequence[AnswerRow]:
    query = _shown(arm_id, split, show, passing).order_by(AnswerRow.example_id)
    return session.scalars(query.offset((number - 1) * size).limit(size)).all()


def counted(session: Session, arm_id: int, split: str, passing: float) -> dict[str, int]:
    """How many answers each filter would show."""
    shows = ("all", "right", "wrong", "error", "tagged", "untagged")
    return {
        show: session.scalar(select(func.count()).select_from(_shown(arm_id, split, show, passing).subquery())) or 0
        for show in shows
    }


def failed(session: Session, arm_id: int, split: str, passing: float) -> int:
    """How many answers failed."""
    return session.scalar(select(func.count()).select_from(_shown(arm_id, split, "wrong", passing).subquery())) or 0


def failed_rows(session: Session, arm_id: int, passing: float) -> set[int]:
    """Ids of the dev rows on which an arm's answer failed."""
    scores = once(session, ("imperfect", arm_id), lambda: _imperfect(session, [arm_id]).get(arm_id, {}))
    return {row for row, score in scores.items() if score < passing}


def _imperfect(session: Session, arm_ids: Collection[int]) -> dict[int, dict[int, float]]:
    """For each arm its dev rows that are not wholly right, with their scores."""
    rows = session.execute(
        select(AnswerRow.arm_id, AnswerRow.example_id, AnswerRow.score).where(
            AnswerRow.arm_id.in_(sorted(arm_ids)), AnswerRow.split == "dev", AnswerRow.score < 1
        )
    )
    found: dict[int, dict[int, float]] = {}
    for arm_id, example_id, score in rows:
        found.setdefault(arm_id, {})[example_id] = float(score or 0.0)
    return found


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
    return once(session, ("tagged", baseline_id), lambda: _tagged(session, [baseline_id]).get(baseline_id, []))


def _tagged(session: Session, baseline_ids: Iterable[int]) -> dict[int, list[Tag]]:
    rows = session.execute(
        select(ArmRow.baseline_id, AnswerRow.arm_id, AnswerRow.example_id, AnswerRow.cause)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id.in_(list(baseline_ids)), AnswerRow.cause.is_not(None), AnswerRow.split == "dev")
        .order_by(AnswerRow.id)
    )
    found: dict[int, list[Tag]] = {}
    for baseline_id, arm_id, example_id, cause in rows:
        found.setdefault(baseline_id, []).append(Tag(arm_id, example_id, str(cause)))
    return found


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
        )
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id == baseline_id, ArmRow.family != "adapter")
        .order_by(ArmRow.name, AnswerRow.split, AnswerRow.example_id)
        .execution_options(yield_per=1000)
    )
    for row in rows:
        digest.update(orjson.dumps([*row]) + b"\n")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model answered in one arm: seconds from one answer to the next, and the tokens of a call.

    counted: the model said how many tokens, they are not estimated. baseline_id: where it was measured.
    """

    seconds: float
    prompt_tokens: float
    completion_tokens: float
    counted: bool
    baseline_id: int


def paces(session: Session, model_id: int) -> list[Pace]:
    """What was measured last with a model, the newest first; empty when it was never asked."""
    rows = session.scalars(
        select(ArmRow)
        .join(BaselineRow, BaselineRow.id == ArmRow.baseline_id)
        .where(BaselineRow.model_id == model_id, ArmRow.family.not_in(arms.FREE))
        .where(ArmRow.dev.is_not(None) | ArmRow.test.is_not(None))
        .order_by(ArmRow.id.desc())
        .limit(6)
    )
    return [
        Pace(
            seconds=float(result["pace"]),
            prompt_tokens=float(result.get("mean_prompt_tokens") or 0.0),
            completion_tokens=float(result.get("mean_completion_tokens") or 0.0),
            counted=result.get("tokens_from", "measured") == "measured" and bool(result.get("mean_prompt_tokens")),
            baseline_id=row.baseline_id,
        )
        for row in rows
        for result in (row.dev, row.test)
        if result and result.get("pace")
    ]
