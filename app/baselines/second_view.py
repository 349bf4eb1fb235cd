"""What a second person is shown of failures that somebody else tagged, and what the two agree on."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import answer_store, answers_view, store, tag_store, tagging
from app.baselines.answers_view import AnswerView
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow, TagRoundRow
from app.evaluation.agreement import Agreement, kappa_interval
from app.intervals import Interval
from app.users import store as user_store
from app.users.tables import UserRow


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One failure with two people's words, side by side. settled: the word that somebody decided on, empty for none."""

    view: AnswerView
    people: tuple[str, str]
    causes: tuple[str, str]
    settled: str
    settled_by: str


@dataclass(frozen=True, slots=True)
class Result:
    """What two people agree on. interval: of kappa."""

    agreement: Agreement
    interval: Interval | None
    disagreements: Sequence[Disagreement]

    @property
    def open(self) -> int:
        """How many disagreements nobody has settled."""
        return sum(not one.settled for one in self.disagreements)


@dataclass(frozen=True, slots=True)
class Open:
    """A round that is not done. views: its answers, without anybody else's word."""

    row: TagRoundRow
    arm: ArmRow
    views: Sequence[AnswerView]

    @property
    def given(self) -> int:
        """How many of them have been tagged."""
        return sum(bool(view.cause) for view in self.views)


def open_round(session: Session, baseline: BaselineRow, me: UserRow) -> Open | None:
    """The round that this person has begun, with its rows."""
    row = tag_store.open_round(session, baseline.id, me.id)
    if row is None:
        return None
    answers = [answer_store.answer(session, answer_id) for answer_id in row.answers]
    own = tag_store.own_words(session, baseline.id, me.id)
    return Open(row, store.arm(session, row.arm_id), _views(session, baseline, answers, own))


def result(session: Session, baseline: BaselineRow) -> Result:
    """Agreement over everything that two people tagged, and every disagreement, those that nobody settled first."""
    compared = tagging.compared(session, baseline)
    differing = compared.disagreements
    answers = [answer_store.answer(session, pair.answer_id) for pair in differing]
    names = user_store.names(
        session,
        sorted({by for pair in differing for by in pair.users} | {one.settled_by for one in answers if one.settled_by}),
    )
    views = _views(session, baseline, answers, {})
    listed = [
        Disagreement(
            view,
            (names.get(pair.users[0], ""), names.get(pair.users[1], "")),
            pair.causes,
            (answer.cause or "") if answer.settled_by else "",
            names.get(answer.settled_by or 0, ""),
        )
        for pair, answer, view in zip(differing, answers, views, strict=True)
    ]
    listed.sort(key=lambda one: (bool(one.settled), one.view.line))
    return Result(compared.agreement, kappa_interval(compared.words, baseline.seed), listed)


def _views(
    session: Session, baseline: BaselineRow, answers: Sequence[AnswerRow], own: dict[int, str]
) -> list[AnswerView]:
    examples = answers_view.examples_by_id(session, {answer.example_id for answer in answers})
    masker = answers_view.masking(session, baseline)
    return [answers_view.view(baseline, examples, answer, masker, own=own) for answer in answers]
