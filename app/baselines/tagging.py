"""Saying why answers fail: every person's word is kept, and one of them counts.

What counts (`AnswerRow.cause`): what somebody settled; else what more people said than anything else, if at least two
did; else what the first person said. Whoever sees another's word and changes it has settled it.

A second person tags in a round: failures that somebody else tagged, offered without that tag and without a suggestion.
Until the round is done they are shown nobody else's word on them, wherever they look. Agreement is counted from the
words that two people gave like that; what they change once they have seen each other's counts, but is no agreement.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.advice.facts import BEYOND
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import accounts
from app.audit import service as audit
from app.baselines import answer_store, arms, causes, looks, standing, store, tag_store
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow, TagRoundRow, TagRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.evaluation.agreement import Agreement, agreement
from app.labelling import blind_rounds
from app.users.tables import UserRow

# ------------------------------------------------------------------ one person's word


def tag(session: Session, arm_id: int, tags: Mapping[int, str], *, by: UserRow) -> int:
    """Write down why answers failed; an empty cause takes the word back. Returns how many changed.

    Raises:
        Conflict: an answer is of another arm, or did not fail.
        Invalid: a cause is none of the four.
    """
    arm = store.arm(session, arm_id)
    assessment_store.opened(session, arm.baseline.assessment_id)
    _need_known(tags.values())
    tagged = [answer_store.answer(session, answer_id) for answer_id in tags]
    before = [answer.cause for answer in tagged]
    if any(answer.split == "test" for answer in tagged):
        looks.note_opening(session, arm.baseline, [arm], by, "tagged")
    tags_so_far = tag_store.of_answers(session, tags)
    in_rounds = tag_store.in_open_rounds(session, arm.baseline_id)
    changed = 0
    for answer, cause in zip(tagged, tags.values(), strict=True):
        if answer.arm_id != arm_id:
            raise Conflict("Only failed answers of this variant can be tagged. Reload the page.")
        _need_failed(arm, answer)
        changed += _say(session, answer, cause, by, tags_so_far.get(answer.id, []), in_rounds.get(answer.id, set()))
    if changed:
        detail: dict[str, object] = {"arm": arm.name, "answers": changed}
        if len(tagged) == 1:
            detail |= {"answer": tagged[0].id, "from": before[0], "to": tagged[0].cause}
        _note(session, arm, by, "baseline.tag", detail)
    return changed


def _say(
    session: Session, answer: AnswerRow, cause: str, by: UserRow, tags_so_far: Sequence[TagRow], tagging: set[int]
) -> bool:
    """Keep one person's word, and work out what counts. tagging: who has this answer in a round that is not done.

    Returns whether anything is otherwise than before.
    """
    tags_so_far = _carried_over(session, answer, tags_so_far)
    own = next((row for row in tags_so_far if row.user_id == by.id), None)
    others = [row for row in tags_so_far if row.user_id != by.id]
    was = (answer.cause, answer.settled_by, own.cause if own else None)
    blind = by.id in tagging or not any(row.user_id not in tagging for row in others)
    _put(session, answer, own, cause, by, blind=blind)
    if by.id in tagging:
        if answer.settled_by is None:
            _recount(session, answer)
    else:
        answer.settled_by = None
        _recount(session, answer)
        if (others or was[1] is not None) and (answer.cause or "") != cause:
            answer.cause, answer.tagged_by, answer.settled_by = cause or None, by.id, by.id
    return was != (answer.cause, answer.settled_by, cause or None)


def _put(session: Session, answer: AnswerRow, own: TagRow | None, cause: str, by: UserRow, *, blind: bool) -> None:
    """One person's word as it is now; `blind` keeps what they said before they saw another's."""
    if not cause:
        if own is not None:
            session.delete(own)
    elif own is None:
        row = TagRow(answer_id=answer.id, user_id=by.id, cause=cause, blind=cause if blind else None, at=utcnow())
        session.add(row)
    else:
        own.cause, own.at = cause, utcnow()
        if blind:
            own.blind = cause
    session.flush()


def _carried_over(session: Session, answer: AnswerRow, tags_so_far: Sequence[TagRow]) -> Sequence[TagRow]:
    """The tags there are; a word that an earlier version kept with the answer alone becomes its person's."""
    if tags_so_far or answer.cause is None or answer.tagged_by is None or answer.settled_by is not None:
        return tags_so_far
    first = TagRow(
        answer_id=answer.id, user_id=answer.tagged_by, cause=answer.cause, blind=answer.cause, at=answer.created_at
    )
    session.add(first)
    session.flush()
    return [first]


def _recount(session: Session, answer: AnswerRow) -> None:
    """What counts of what everybody said: what most said, if two did, else what the first one said."""
    tags_so_far = tag_store.of_answers(session, [answer.id]).get(answer.id, [])
    if not tags_so_far:
        answer.cause, answer.tagged_by = None, None
        return
    (word, times), *rest = Counter(row.cause for row in tags_so_far).most_common()
    agreed = times > 1 and (not rest or rest[0][1] < times)
    first = next(row for row in tags_so_far if not agreed or row.cause == word)
    answer.cause, answer.tagged_by = first.cause, first.user_id


@dataclass(frozen=True, slots=True)
class Tagging:
    """What a tag came to. replaced: the cause that somebody else had given meanwhile and that this one took the place
    of, empty for none; replaced_by_user: that somebody's id."""

    cause: str
    replaced: str = ""
    replaced_by_user: int | None = None


def tag_one(session: Session, answer_id: int, cause: str, *, before: str, by: UserRow) -> Tagging:
    """Write down why one answer failed, as somebody chose it beside the cause `before`, which their page showed.

    Of two people who tag at once the later one counts, and learns what the other had chosen; both words are kept.

    Raises:
        Conflict: it did not fail.
        Invalid: a cause is none of the four.
    """
    answer = answer_store.answer(session, answer_id)
    arm = store.arm(session, answer.arm_id)
    assessment_store.opened(session, arm.baseline.assessment_id)  # from here on nobody else tags
    session.refresh(answer)
    was, whose = answer.cause or "", answer.tagged_by
    hidden = answer_id in tag_store.hidden_from(session, arm.baseline_id, by.id)
    tag(session, arm.id, {answer_id: cause}, by=by)
    if hidden or was in ("", before, cause) or whose == by.id:
        return Tagging(cause)
    return Tagging(cause, was, whose)


# ------------------------------------------------------------------ a second person


@dataclass(frozen=True, slots=True)
class Offered:
    """What a second person could tag. answers: ids; against: why there are none. same_person: because whoever asks is
    no second person for sure."""

    arm: ArmRow | None
    answers: tuple[int, ...]
    against: str = ""
    same_person: bool = False


def offered(session: Session, baseline: BaselineRow, me: UserRow) -> Offered:
    """Failures of the best variant on dev rows that somebody else tagged and this person did not: `causes.ENOUGH` of
    them, drawn by the measurement's seed, so that nobody chooses which."""
    arm = standing.leading(baseline)
    if arm is None:
        return Offered(None, (), "No variant has a result on the dev set yet.")
    answers = {row.id: row for row in answer_store.answers(session, arm.id, "dev") if _failed(baseline, row)}
    tags_so_far = tag_store.of_answers(session, answers)
    first = {answer_id: _first_tagger(answers[answer_id], tags_so_far.get(answer_id, [])) for answer_id in answers}
    others = {
        answer_id: by
        for answer_id, by in first.items()
        if by is not None and by != me.id and all(row.user_id != me.id for row in tags_so_far.get(answer_id, []))
    }
    if not others:
        return Offered(arm, (), "Nobody else has tagged a failure that you have not." if answers else "Nothing failed.")
    same = {by for by in set(others.values()) if not accounts.independent(session, me.id, by)}
    free = sorted(answer_id for answer_id, by in others.items() if by not in same)
    if not free:
        return Offered(
            arm,
            (),
            "Whoever tagged first made or opened your account, or you theirs: that is no second person. Somebody whose "
            "account another administrator made has to tag.",
            same_person=True,
        )
    order = np.random.default_rng(baseline.seed).permutation(len(free))
    return Offered(arm, tuple(sorted(free[place] for place in order[: causes.ENOUGH])))


def begin_round(session: Session, baseline_id: int, *, by: UserRow) -> TagRoundRow:
    """Begin to tag as second person; the round that one has begun goes on.

    Raises:
        Conflict: there is nothing to tag as second person.
        Forbidden: this person is not a second one.
    """
    baseline = store.get(session, baseline_id)
    assessment_store.opened(session, baseline.assessment_id)
    if (already := tag_store.open_round(session, baseline_id, by.id)) is not None:
        return already
    offer = offered(session, baseline, by)
    if offer.arm is None or not offer.answers:
        raise (Forbidden if offer.same_person else Conflict)(offer.against)
    row = TagRoundRow(
        baseline_id=baseline_id, arm_id=offer.arm.id, user_id=by.id, answers=list(offer.answers), started_at=utcnow()
    )
    session.add(row)
    session.flush()
    arm = store.arm(session, offer.arm.id)
    _note(session, arm, by, "baseline.second_begin", {"answers": len(offer.answers)}, changed=False)
    return row


def end_round(session: Session, round_id: int, *, by: UserRow) -> TagRoundRow:
    """End a round: from here on both see each other's tags.

    Raises:
        Forbidden: it is somebody else's.
    """
    row = tag_store.get_round(session, round_id)
    baseline = store.get(session, row.baseline_id)
    assessment_store.opened(session, baseline.assessment_id)
    blind_rounds.own(row, by)
    if row.done_at is None:
        row.done_at = utcnow()
        session.flush()
        arm = store.arm(session, row.arm_id)
        _note(session, arm, by, "baseline.second_end", {"answers": len(row.answers)})
    return row


def settle(session: Session, answer_id: int, cause: str, *, by: UserRow) -> AnswerRow:
    """Decide which word counts where two people gave different ones.

    Raises:
        Conflict: it was not tagged by two people, or whoever asks is still tagging it as second person.
        Invalid: a cause is none of the four.
    """
    answer = answer_store.answer(session, answer_id)
    arm = store.arm(session, answer.arm_id)
    assessment_store.opened(session, arm.baseline.assessment_id)
    _need_known([cause])
    if not cause:
        raise Invalid("Nothing was chosen.", [FieldError("#/cause", "Choose one of the causes.")])
    _need_failed(arm, answer)
    if answer_id in tag_store.hidden_from(session, arm.baseline_id, by.id):
        raise Conflict("Finish your own round first: you are still tagging this failure.")
    if len(tag_store.of_answers(session, [answer_id]).get(answer_id, [])) < 2:
        raise Conflict("Only what two people tagged can be settled.")
    before = answer.cause
    answer.cause, answer.tagged_by, answer.settled_by = cause, by.id, by.id
    _note(session, arm, by, "baseline.settle", {"answer": answer_id, "from": before, "to": cause, "arm": arm.name})
    return answer


@dataclass(frozen=True, slots=True)
class Compared:
    """What two people said of the same failures. each: one after the other; words: their pairs, in the same order."""

    each: tuple[tag_store.Twice, ...]
    agreement: Agreement

    @property
    def words(self) -> list[tuple[str, str]]:
        return [pair.causes for pair in self.each]

    @property
    def disagreements(self) -> list[tag_store.Twice]:
        return [pair for pair in self.each if pair.causes[0] != pair.causes[1]]


def compared(session: Session, baseline: BaselineRow) -> Compared:
    """How far two people agree on why the model's prompts fail; rounds that are not done are not counted."""
    beside = (*arms.FREE, *BEYOND, "adapter")
    prompted = {arm.id for arm in baseline.arms if arm.family not in beside}
    tagging = tag_store.in_open_rounds(session, baseline.id)
    each = tuple(
        pair
        for pair in tag_store.twice(session, baseline.id)
        if pair.arm_id in prompted and not tagging.get(pair.answer_id, set()) & set(pair.users)
    )
    return Compared(each, agreement(pair.causes for pair in each))


# ------------------------------------------------------------------ what has to hold


def _first_tagger(answer: AnswerRow, tags_so_far: Sequence[TagRow]) -> int | None:
    return tags_so_far[0].user_id if tags_so_far else answer.tagged_by if answer.cause else None


def _failed(baseline: BaselineRow, answer: AnswerRow) -> bool:
    return answer.score is not None and answer.score < standing.passing(baseline)


def _need_failed(arm: ArmRow, answer: AnswerRow) -> None:
    if not _failed(arm.baseline, answer):
        raise Conflict("Only failed answers of this variant can be tagged. Reload the page.")


def _need_known(given: Iterable[str | None]) -> None:
    if {cause for cause in given if cause and cause not in causes.CAUSES}:
        known = ", ".join(causes.CAUSES)
        raise Invalid("These causes cannot be stored.", [FieldError("#/causes", f"Use one of: {known}.")])


def _note(
    session: Session, arm: ArmRow, by: UserRow, act: str, detail: Mapping[str, object], *, changed: bool = True
) -> None:
    """Whoever tags had a hand in it. The words about an adapter's failures are no evidence: nothing that was decided or
    approved changes by them."""
    baseline = arm.baseline
    assessment = assessment_store.get(session, baseline.assessment_id)
    assessments.contribute(session, assessment, by, "measure", changed=changed and arm.family != "adapter")
    audit.record(session, by, act, "baseline", baseline.id, {"assessment": baseline.assessment_id, **detail})
