"""What waits for one person: the lines of "Needs you" on the home page, and what of theirs is running.

Everything here was stored when it happened and is found by an index, so that the home page asks a handful of queries,
however many assessments there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.db import memo, not_after, prefill, utcnow
from app.gate import store as reviews
from app.gate.approvals import approving
from app.gate.tables import ReviewRow
from app.inbox import store
from app.jobs import store as jobs
from app.jobs.tables import JobRow
from app.users import store as users
from app.users.tables import Role, UserRow
from app.wording import plural

MOST = 20  # of a kind; whoever has more waiting than that sees the rest when these are done
Kind = Literal["review", "changes", "fallen", "failed", "personal"]


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for a person.

    what: a few words; about: the assessment's title, or what else it is about; why: one line, may be empty; who: a
    name, may be empty. button: verb and object, leading to `url`. posts: the button is a form, since looking changes
    something (a failure that was looked at is no news). named: they were asked by name.
    """

    kind: Kind
    what: str
    about: str
    why: str
    who: str
    at: datetime
    button: str
    url: str
    posts: bool = False
    named: bool = False


def waiting_reviews(session: Session, me: UserRow) -> int:
    """How many reviews wait for this person to decide; asked for every page, and of nobody who never decides."""
    if me.role == Role.AUTHOR:
        return 0
    return memo(session, ("waiting reviews", me.id), lambda: reviews.number_waiting_for(session, me.id))


def needs(session: Session, me: UserRow) -> list[Need]:
    """Everything that waits for this person, what blocks other people first."""
    there = _rough(session, me)
    decides = me.role != Role.AUTHOR
    to_decide = reviews.waiting_for(session, me.id, MOST) if there.reviews and decides else []
    answered = reviews.answered_for(session, me.id, MOST) if there.answered else []
    failures = jobs.failures_of(session, me.id, MOST) if there.failed else []
    data = store.undecided_data(session, me.id, MOST) if there.data else []
    documents = store.undecided_documents(session, me.id, MOST) if there.documents else []
    for approval in filter(None, map(approving, answered)):
        not_after(session, approval.expires_at)
    about = _Named(session, [*to_decide, *answered], failures, [*data, *documents])
    return [
        *(_to_decide(review, me, about) for review in to_decide),
        *(need for review in answered for need in _answered(review, me, about)),
        *(_failure(job, about) for job in failures),
        *(_undecided(waiting, me, about, "data") for waiting in data),
        *(_undecided(waiting, me, about, "documents") for waiting in documents),
    ]


def _rough(session: Session, me: UserRow) -> store.Rough:
    there = memo(session, ("inbox", me.id), lambda: store.rough(session, me.id))
    if me.role != Role.AUTHOR:
        prefill(session, {("waiting reviews", me.id): there.reviews})
    return there


class _Named:
    """Titles, revisions and names of everything that is listed, in two queries."""

    def __init__(
        self,
        session: Session,
        listed: Sequence[ReviewRow],
        failures: Sequence[JobRow],
        undecided: Sequence[store.Undecided],
    ) -> None:
        ids = {review.assessment_id for review in listed} | {waiting.assessment_id for waiting in undecided}
        ids |= {job.assessment_id for job in failures if job.assessment_id is not None}
        self.assessments = assessment_store.named(session, ids) if ids else {}
        people = {review.requested_by for review in listed} | {waiting.by for waiting in undecided}
        people |= {decision.reviewer_id for review in listed if review.state != "open" for decision in review.decisions}
        self.people = users.names(session, sorted(people)) if people else {}

    def title(self, assessment_id: int | None) -> str:
        return self.assessments[assessment_id].title if assessment_id in self.assessments else ""

    def moved_on(self, review: ReviewRow) -> bool:
        """Whether the assessment changed since this was requested."""
        now = self.assessments.get(review.assessment_id)
        return now is not None and now.revision != review.revision

    def who(self, user_id: int, me: UserRow) -> str:
        return "you" if user_id == me.id else self.people.get(user_id, "")


def _to_decide(review: ReviewRow, me: UserRow, about: _Named) -> Need:
    named = review.asked_of == me.id
    return Need(
        "review",
        "Review requested of you" if named else "Review",
        about.title(review.assessment_id),
        _short(review.note),
        about.who(review.requested_by, me),
        review.requested_at,
        "Review",
        f"/reviews/{review.id}",
        named=named,
    )


def _answered(review: ReviewRow, me: UserRow, about: _Named) -> Iterator[Need]:
    """Changes requested; and an approval that does not hold any more. One that holds waits for nobody."""
    title, step = about.title(review.assessment_id), f"/assessments/{review.assessment_id}/review"
    moved_on = about.moved_on(review)
    if review.state == "changes_requested":
        objections = [one for one in review.decisions if one.kind == "request_changes" and one.voided_at is None]
        last = objections[-1] if objections else None
        who, at = (about.who(last.reviewer_id, me), last.at) if last else ("", review.requested_at)
        button, url = ("Request review", step) if moved_on else ("Open", f"/reviews/{review.id}")
        yield Need("changes", "Changes requested", title, _short(last.comment if last else ""), who, at, button, url)
        return
    approval = approving(review)
    expired = approval is not None and approval.expires_at is not None and approval.expires_at <= utcnow()
    if approval is not None and (moved_on or expired):
        why = "Something changed after it." if moved_on else "It was not used in time."
        what = "Approval invalidated" if moved_on else "Approval expired"
        at = approval.expires_at if expired and not moved_on and approval.expires_at else approval.at
        yield Need("fallen", what, title, why, about.who(approval.reviewer_id, me), at, "Request review", step)


def _failure(job: JobRow, about: _Named) -> Need:
    title = about.title(job.assessment_id)
    return Need(
        "failed",
        "Refused" if job.status == "refused" else "Failed",
        f"{job.title}, {title}" if title and title not in job.title else job.title,
        _short(job.failure or ""),
        "",
        job.finished_at or job.created_at,
        "See why",
        f"/jobs/{job.id}/seen",
        posts=True,
    )


def _undecided(waiting: store.Undecided, me: UserRow, about: _Named, where: str) -> Need:
    kinds = plural(waiting.kinds, "kind")
    return Need(
        "personal",
        "Decide on personal data",
        about.title(waiting.assessment_id),
        f"{kinds} in {waiting.what}",
        about.who(waiting.by, me),
        waiting.at,
        "Decide",
        f"/assessments/{waiting.assessment_id}/{where}#personal",
    )


def _short(text: str, most: int = 140) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def running(session: Session, me: UserRow) -> list[tuple[JobRow, str]]:
    """Jobs of this person that wait or run, with the title of their assessment."""
    if not _rough(session, me).running:
        return []
    rows = jobs.open_of(session, me.id, MOST)
    ids = {job.assessment_id for job in rows if job.assessment_id is not None}
    titles = assessment_store.titles(session, ids) if ids else {}
    return [(job, titles.get(job.assessment_id or 0, "")) for job in rows]
