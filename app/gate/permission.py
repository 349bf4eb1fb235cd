"""Who may decide, and the token without which the trainer does not start. All pure, to be argued with in a test."""

import hmac
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from app.gate import subject

TOKEN_LIFE = 600  # seconds between a launcher starting a trainer and the trainer reading its token: ample, not eternal


@dataclass(frozen=True, slots=True)
class Person:
    """The facts about somebody that the gate looks at. `rank`: 0 author, 1 reviewer, 2 admin.

    kept_by: who made the account, gave it its last password, its role, or switched it off and on: whoever did may be
    the one who uses it.
    """

    id: int
    rank: int
    active: bool
    kept_by: frozenset[int] = frozenset()


REVIEWER = 1


# Why somebody may not decide: said to them, and said of them once an approval rests on it.
BARRIERS = {
    "inactive": ("This account is switched off.", "The approver's account is switched off."),
    "no_reviewer": ("Only a reviewer decides. Ask an administrator for the role.", "The approver is no reviewer now."),
    "contributor": (
        "You contributed to this assessment; somebody who did not has to decide.",
        "The approver contributed to this; somebody who did not has to decide.",
    ),
    "kept_account": (
        (
            "Your account was made, opened or given its role by somebody who worked on this assessment. Four eyes are "
            "two people: have the operator give you a new password on the server (python -m app reset-password)."
        ),
        (
            "The approver's account was made, opened or given its role by somebody who worked on this assessment. Four "
            "eyes are two people: have the operator give them a new password on the server (python -m app "
            "reset-password)."
        ),
    ),
}


def against_deciding(
    person: Person, contributors: AbstractSet[int], workers: AbstractSet[int] = frozenset()
) -> Iterator[str]:
    """Every reason why this person may not approve or send back this subject, said to them.

    An administrator is no exception: who had a hand in it does not judge it. Four eyes are two people: an account that
    one of the `workers` (who wrote, uploaded, measured, set the recipe) made or opened may be theirs.
    """
    for barrier in barriers(person, contributors, workers):
        yield BARRIERS[barrier][0]


def barriers(person: Person, contributors: AbstractSet[int], workers: AbstractSet[int]) -> Iterator[str]:
    """The same as codes of `BARRIERS`."""
    if not person.active:
        yield "inactive"
    if person.rank < REVIEWER:
        yield "no_reviewer"
    if person.id in contributors:
        yield "contributor"
    elif person.kept_by & workers - {person.id}:
        yield "kept_account"


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as it stands: of which digest, by whom, and whether it still counts.

    sealed: with this installation's key. recorded: the record of what was done knows it.
    """

    digest: str
    approver: Person
    expires_at: datetime | None
    voided: bool
    sealed: bool = True
    recorded: bool = True


def against_launching(
    *,
    digest_now: str,
    digest_reviewed: str | None,
    review_state: str | None,
    approval: Approval | None,
    contributors: AbstractSet[int],
    blockers: list[str],
    now: datetime,
    workers: AbstractSet[int] = frozenset(),
    put_away: Sequence[str] = (),
) -> Iterator[str]:
    """Every reason why training may not start. Nothing said means that it may.

    digest_now: of the subject as it is at this moment, built from stored content.
    digest_reviewed: of the subject that the reviewer saw. blockers: what the criteria say against it.
    put_away: what may not be used any more, as sentences (`put_away`).
    """
    yield from put_away
    yield from blockers
    if review_state == "consumed":
        yield "This approval was used for a launch already; request review again."
        return
    if review_state == "changes_requested":
        yield "A reviewer requested changes. They have to approve the new version first."
        return
    if review_state == "open":
        yield "Nobody has approved this yet: the review waits for its decision."
        return
    if digest_reviewed is None or approval is None or review_state != "approved":
        yield "Nobody has approved this yet. Request review."
        return
    if approval.voided or not hmac.compare_digest(digest_now, digest_reviewed):
        yield "Something changed after the approval. Request review of what it is now."
    if not hmac.compare_digest(approval.digest, digest_reviewed):
        yield "The approval is for something else."
    yield from against_approval(approval, contributors, workers, now)


def against_approval(
    approval: Approval, contributors: AbstractSet[int], workers: AbstractSet[int], now: datetime | None
) -> Iterator[str]:
    """What is wrong with an approval by itself. now: None where it was in time once, and time counts no more."""
    if now is not None and approval.expires_at is not None and approval.expires_at <= now:
        yield "The approval has expired. Request review again."
    if not approval.sealed:
        yield "The approval does not carry this installation's seal. Request review again and tell the operator."
    elif not approval.recorded:
        yield "The record of what was done knows no such approval. Request review again and tell the operator."
    for barrier in barriers(approval.approver, contributors, workers):
        yield f"The approval does not count any more. {BARRIERS[barrier][1]}"


def put_away(*, archived: bool, retired: str, recorded: bool = False) -> Iterator[str]:
    """What was taken out of use and is not trained with, at a launch or a start. retired: a model's name, or empty.
    recorded: it is the finished example, measured elsewhere."""
    if recorded:
        yield "This is the finished example, to be read only. Nothing is trained from it."
    if archived:
        yield "This assessment is archived. Restore it first."
    if retired:
        yield f"The model {retired} is retired. Choose another one in the training config, and request review of that."


def decision_seal(
    key: bytes,
    *,
    review_id: int,
    reviewer_id: int,
    kind: str,
    digest: str,
    comment: str,
    at: datetime,
    expires_at: datetime | None,
    checked: str = "",
) -> str:
    """HMAC-SHA-256 over everything that a decision says; its row's id is the database's, and not part of it.

    checked: what the reviewer ticked. It is part of the text only where there is something, so that a decision of
    before there were ticks keeps its seal.
    """
    sealed: dict[str, str | int | None] = {
        "review": review_id,
        "reviewer": reviewer_id,
        "kind": kind,
        "digest": digest,
        "comment": comment,
        "at": at.isoformat(),
        "expires_at": expires_at.isoformat() if expires_at else None,
    }
    if checked:
        sealed["checked"] = checked
    return hmac.new(key, b"decision-v1\n" + subject.canonical(sealed), sha256).hexdigest()


def launch_token(key: bytes, *, job_id: int, attempt: int, digest: str, expires: int) -> str:
    """The trainer's ticket: HMAC-SHA-256 over what it may do and until when (`expires` in Unix seconds)."""
    body = f"{job_id}.{attempt}.{digest}.{expires}"
    return f"{body}.{_seal(key, body)}"


def verify_token(key: bytes, token: str, *, job_id: int, attempt: int, digest: str, now: float) -> None:
    """Accept a ticket for exactly this job, attempt and digest.

    Raises:
        ValueError: forged, for something else, or too old; the text says which.
    """
    body, _, seal = token.rpartition(".")
    if not body or not hmac.compare_digest(_seal(key, body), seal):
        raise ValueError("the launch token is not ours")
    wanted = f"{job_id}.{attempt}.{digest}"
    named, _, expires = body.rpartition(".")
    if not hmac.compare_digest(named, wanted):
        raise ValueError("the launch token is for another job, attempt or subject")
    if now > int(expires):
        raise ValueError("the launch token has expired")


def _seal(key: bytes, body: str) -> str:
    return hmac.new(key, b"launch-v1\n" + body.encode(), sha256).hexdigest()
