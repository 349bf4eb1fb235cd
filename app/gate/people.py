"""Who had a hand in what is reviewed, who could be whom, and so who may decide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.audit.accounts import keepers
from app.baselines import other_models
from app.economics import service as economics
from app.gate import permission
from app.gate.evidence import Facts
from app.gate.permission import Person
from app.inference import service as models
from app.users import store as user_store
from app.users.tables import Role, UserRow


@dataclass(frozen=True, slots=True)
class Involved:
    """Who had a hand in what is under review, and what it was: none of them judges it.

    Those who worked on the assessment itself; and those whose word the evidence rests on without being part of the
    assessment: who published the policy it is judged by, set a price that was counted with, or connected a model.

    workers: ids of the first alone: creator, editors, who uploaded, measured, set the recipe. An account that one of
    them made is not another person's for sure. An administrator who only connects models and keeps the accounts is
    none of them: else nobody could ever approve where there is one administrator.
    """

    hands: Mapping[int, list[str]]
    workers: frozenset[int]

    @property
    def contributors(self) -> frozenset[int]:
        """Ids of everybody who had a hand in it."""
        return frozenset(self.hands)


def involved(session: Session, facts: Facts) -> Involved:
    worked = assessment_store.contributions(session, facts.assessment.id)
    hands = {contribution.user_id: [contribution.what] for contribution in worked}
    for user_id, what in (
        *_publisher(facts),
        *_price_setters(session, facts),
        *_connectors(facts),
    ):
        if what not in hands.setdefault(user_id, []):
            hands[user_id].append(what)
    return Involved(hands, frozenset(contribution.user_id for contribution in worked))


def _publisher(facts: Facts) -> Iterator[tuple[int, str]]:
    if (published := facts.policy) is not None:
        yield published.published_by, f"published policy {published.number}, which decides it"


def _price_setters(session: Session, facts: Facts) -> list[tuple[int, str]]:
    """Who set the prices that the cost case rests on; nobody where nothing was counted."""
    study = facts.costs
    return economics.price_setters(session, study) if study is not None and facts.evidence.cost_case is not None else []


def _connectors(facts: Facts) -> Iterator[tuple[int, str]]:
    """Who set up the model that was measured, as it was then, and the one that would be trained."""
    if facts.measured is not None:
        measured = facts.measured.model
        if measured.set_by is not None:
            yield measured.set_by, f"set up the model {measured.name}"
        for other in map(other_models.model_of, other_models.tested(facts.measured.row)):
            if other.set_by is not None:
                yield other.set_by, f"set up the model {other.name}"
    if facts.base is not None and (by := models.set_up_by(facts.base)) is not None:
        yield by, f"set up the model {facts.base.name}"


def workers(session: Session, assessment_id: int) -> frozenset[int]:
    """The workers alone; see `Involved`."""
    return frozenset(assessment_store.contributor_ids(session, assessment_id))


def may_decide(session: Session, facts: Facts, me: UserRow) -> list[str]:
    """Why this person may not decide a review of this assessment; an empty list means that they may."""
    those = involved(session, facts)
    return list(permission.against_deciding(person(session, me), those.contributors, those.workers))


def deciders(session: Session, facts: Facts) -> tuple[list[UserRow], list[UserRow]]:
    """Everybody with the role of a reviewer, or more, who is active: those who may decide a review of this assessment,
    and those who may not."""
    may: list[UserRow] = []
    may_not: list[UserRow] = []
    those = involved(session, facts)
    had, worked = those.contributors, those.workers
    for user in user_store.reviewers(session):
        barred = user.id in had or any(permission.barriers(person(session, user), had, worked))
        (may_not if barred else may).append(user)
    return may, may_not


def person(session: Session, user: UserRow) -> Person:
    kept_by = frozenset(keepers(session, user.id))
    return Person(id=user.id, rank=Role(user.role).rank, active=user.active, kept_by=kept_by)
