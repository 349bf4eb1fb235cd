"""Queries on what people said of failed answers: each person's tag, and the rounds of a second person."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.baselines.tables import AnswerRow, ArmRow, TagRoundRow, TagRow
from app.db import memo, prefill
from app.errors import NotFound
from app.labelling import blind_rounds


def of_answers(session: Session, answer_ids: Collection[int]) -> dict[int, list[TagRow]]:
    """Every person's tag of these answers, the first one's first."""
    rows = session.scalars(select(TagRow).where(TagRow.answer_id.in_(sorted(answer_ids))).order_by(TagRow.id))
    tags: dict[int, list[TagRow]] = {}
    for row in rows:
        tags.setdefault(row.answer_id, []).append(row)
    return tags


@dataclass(frozen=True, slots=True)
class Twice:
    """A failure that two people tagged, neither knowing the other's word. example_id: its row."""

    answer_id: int
    arm_id: int
    example_id: int
    users: tuple[int, int]
    causes: tuple[str, str]


def twice(session: Session, baseline_id: int) -> list[Twice]:
    """The dev rows that two people tagged blind, by answer; of more than two people the first two."""
    return memo(session, ("tagged_twice", baseline_id), lambda: _twice(session, [baseline_id]).get(baseline_id, []))


def _twice(session: Session, baseline_ids: Iterable[int]) -> dict[int, list[Twice]]:
    rows = session.execute(
        select(
            ArmRow.baseline_id, AnswerRow.arm_id, AnswerRow.example_id, TagRow.answer_id, TagRow.user_id, TagRow.blind
        )
        .join(AnswerRow, AnswerRow.id == TagRow.answer_id)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .where(ArmRow.baseline_id.in_(list(baseline_ids)), AnswerRow.split == "dev", TagRow.blind.is_not(None))
        .order_by(TagRow.answer_id, TagRow.id)
    )
    first: dict[int, tuple[int, str]] = {}
    pairs: dict[int, list[Twice]] = {}
    paired: set[int] = set()
    for baseline_id, arm_id, example_id, answer_id, user_id, blind in rows:
        word = str(blind)
        if answer_id not in first:
            first[answer_id] = (user_id, word)
        elif answer_id not in paired:
            paired.add(answer_id)
            by, said = first[answer_id]
            pair = Twice(answer_id, arm_id, example_id, (by, user_id), (said, word))
            pairs.setdefault(baseline_id, []).append(pair)
    return pairs


def get_round(session: Session, round_id: int) -> TagRoundRow:
    row = session.get(TagRoundRow, round_id)
    if row is None:
        raise NotFound("There is no such round of tagging.")
    return row


def rounds(session: Session, baseline_id: int) -> Sequence[TagRoundRow]:
    """All rounds of a measurement, the newest first."""
    return memo(session, ("tag_rounds", baseline_id), lambda: _rounds(session, [baseline_id]).get(baseline_id, []))


def _rounds(session: Session, baseline_ids: Sequence[int]) -> dict[int, list[TagRoundRow]]:
    query = select(TagRoundRow).where(TagRoundRow.baseline_id.in_(baseline_ids)).order_by(TagRoundRow.id.desc())
    every: dict[int, list[TagRoundRow]] = {}
    for row in session.scalars(query):
        every.setdefault(row.baseline_id, []).append(row)
    return every


def read_ahead(session: Session, baseline_ids: Sequence[int]) -> None:
    """Read what is asked of many measurements one after the other in two queries (`db.prefill`)."""
    pairs, rounds_of = _twice(session, baseline_ids), _rounds(session, baseline_ids)
    prefill(session, {("tagged_twice", each): pairs.get(each, []) for each in baseline_ids})
    prefill(session, {("tag_rounds", each): rounds_of.get(each, []) for each in baseline_ids})


def open_round(session: Session, baseline_id: int, user_id: int) -> TagRoundRow | None:
    """The round that this person has begun and not ended."""
    return blind_rounds.open_round(rounds(session, baseline_id), user_id)


def hidden_from(session: Session, baseline_id: int, user_id: int) -> frozenset[int]:
    """Ids of the answers of which this person is shown nobody else's tag, because they are tagging them as second."""
    row = open_round(session, baseline_id, user_id)
    return frozenset(row.answers) if row is not None else frozenset()


def hidden_everywhere(session: Session, user_id: int) -> dict[int, frozenset[int]]:
    """The same of every measurement in which this person tags as second, by its id."""
    rows = session.scalars(select(TagRoundRow).where(TagRoundRow.user_id == user_id, TagRoundRow.done_at.is_(None)))
    return {row.baseline_id: frozenset(row.answers) for row in rows}


def own_words(session: Session, baseline_id: int, user_id: int) -> dict[int, str]:
    """For each answer that this person is tagging as second, what they said themselves; empty for nothing yet."""
    hidden = hidden_from(session, baseline_id, user_id)
    said = of_answers(session, hidden) if hidden else {}
    return {
        answer_id: next((row.cause for row in said.get(answer_id, []) if row.user_id == user_id), "")
        for answer_id in hidden
    }


def in_open_rounds(session: Session, baseline_id: int) -> dict[int, set[int]]:
    """For each answer in a round that is not done, who is tagging it: theirs is nobody else's to see yet."""
    tagging: dict[int, set[int]] = {}
    for row in rounds(session, baseline_id):
        if row.done_at is None:
            for answer_id in row.answers:
                tagging.setdefault(answer_id, set()).add(row.user_id)
    return tagging
