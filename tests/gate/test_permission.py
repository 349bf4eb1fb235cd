"""Who may decide, what stands against a launch, and the trainer's ticket."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gate import permission
from app.gate.permission import BARRIERS, Approval, Person

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST, OTHER = "a" * 64, "b" * 64
AUTHOR, REVIEWER, ADMIN = Person(1, 0, True), Person(2, 1, True), Person(3, 2, True)


def usual(**different: Any) -> dict[str, Any]:
    """Everything in order, so that nothing stands against a launch."""
    given_ = {
        "digest_now": DIGEST,
        "digest_reviewed": DIGEST,
        "review_state": "approved",
        "approval": Approval(DIGEST, REVIEWER, NOW + timedelta(days=1), voided=False),
        "contributors": frozenset({AUTHOR.id}),
        "blockers": [],
        "now": NOW,
    }
    return given_ | different


def test_nothing_stands_against_what_is_in_order() -> None:
    assert list(permission.against_launching(**usual())) == []


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"approval": None}, "Nobody has approved"),
        ({"review_state": "open"}, "the review waits for its decision"),
        ({"review_state": None, "digest_reviewed": None}, "Nobody has approved"),
        ({"review_state": "withdrawn"}, "Nobody has approved"),
        ({"review_state": "superseded"}, "Nobody has approved"),
        ({"review_state": "consumed"}, "was used for a launch already"),
        ({"review_state": "changes_requested"}, "requested changes"),
        ({"digest_now": OTHER}, "Something changed after the approval"),
        ({"approval": Approval(OTHER, REVIEWER, None, voided=False)}, "for something else"),
        ({"approval": Approval(DIGEST, REVIEWER, None, voided=True)}, "Something changed"),
        ({"approval": Approval(DIGEST, REVIEWER, NOW, voided=False)}, "has expired"),
        ({"approval": Approval(DIGEST, AUTHOR, None, voided=False)}, "contributed to this"),
        ({"approval": Approval(DIGEST, Person(2, 0, True), None, voided=False)}, "is no reviewer now"),
        ({"approval": Approval(DIGEST, Person(2, 1, False), None, voided=False)}, "switched off"),
        ({"blockers": ["G1: too few"]}, "G1: too few"),
    ],
)
def test_each_thing_that_is_not_in_order_stands_against_it(different: dict[str, Any], reason: str) -> None:
    assert any(reason in said for said in permission.against_launching(**usual(**different)))


def test_all_reasons_are_said_at_once() -> None:
    reasons = list(
        permission.against_launching(
            **usual(digest_now=OTHER, blockers=["one", "two"], approval=Approval(DIGEST, REVIEWER, NOW, voided=False))
        )
    )

    assert len(reasons) == 4


def test_an_administrator_is_no_exception() -> None:
    assert list(permission.against_deciding(ADMIN, {ADMIN.id}))
    assert not list(permission.against_deciding(ADMIN, {AUTHOR.id}))


@given(st.integers(0, 2), st.booleans(), st.booleans())
def test_taking_a_fact_away_never_opens_the_door(rank: int, active: bool, contributed: bool) -> None:
    contributors = {7} if contributed else set()
    allowed = not list(permission.against_deciding(Person(7, rank, active), contributors))

    assert allowed == (rank >= permission.REVIEWER and active and not contributed)


# ---------------------------------------------------------------- the ticket

KEY = b"k" * 32


def ticket(**different: Any) -> str:
    usual_: dict[str, Any] = {"job_id": 5, "attempt": 1, "digest": DIGEST, "expires": 1000}
    return permission.launch_token(KEY, **(usual_ | different))


def check(token: str, **different: Any) -> None:
    usual_: dict[str, Any] = {"job_id": 5, "attempt": 1, "digest": DIGEST, "now": 999.0}
    permission.verify_token(KEY, token, **(usual_ | different))


def test_a_ticket_admits_to_exactly_what_it_is_for() -> None:
    check(ticket())


@pytest.mark.parametrize(
    ("token", "different", "reason"),
    [
        (ticket(), {"job_id": 6}, "another job"),
        (ticket(), {"attempt": 2}, "another job"),
        (ticket(), {"digest": OTHER}, "another job"),
        (ticket(), {"now": 1001.0}, "expired"),
        (ticket(expires=5000).replace(".5000.", ".9000."), {}, "not ours"),
        (permission.launch_token(b"x" * 32, job_id=5, attempt=1, digest=DIGEST, expires=1000), {}, "not ours"),
        ("", {}, "not ours"),
        ("a.b", {}, "not ours"),
        (ticket()[:-1], {}, "not ours"),
    ],
)
def test_any_other_ticket_is_refused(token: str, different: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check(token, **different)


def test_every_barrier_is_said_to_its_person_and_of_them() -> None:
    for to_them, of_them in BARRIERS.values():
        assert to_them != of_them
        assert not {"you", "your", "this account"} & set(of_them.lower().split())
