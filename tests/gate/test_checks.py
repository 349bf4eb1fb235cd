"""What a reviewer looks at: said from the frozen subject, ticked, and kept with the decision under its seal."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import IntegrityError

from app.db import reading, writing
from app.gate import checks, permission, reviews, store
from app.gate.checks import seen, steps
from app.gate.evidence import gather
from app.gate.tables import DecisionRow
from app.users.tables import UserRow
from app.wording import MINUS
from tests.support.factories import Make
from tests.support.gated import Gated, gated_installation, settings
from tests.support.installed import unguard

__all__ = ["gated_installation", "settings"]

People = Callable[[UserRow], TestClient]
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
SAID: dict[str, Any] = {
    "review_id": 7,
    "reviewer_id": 3,
    "kind": "approve",
    "digest": "a" * 64,
    "comment": "Fine.",
    "at": AT,
    "expires_at": None,
}


@pytest.fixture
def gated(make: Make, people: People, engine: Engine) -> Gated:
    return Gated(make, people, engine)


# ------------------------------------------------------------------ pure


def test_a_decision_without_ticks_has_the_seal_that_it_had_before_there_were_ticks() -> None:
    """Worked out by the code that knew no ticks; it must never change, or every earlier approval would be lost."""
    before = "426119d5442373bb80ec2fc9eec9dfecafe1c4e85f888f7fc37d4e84f872a5ce"
    seal = permission.decision_seal(b"k" * 32, **SAID)

    assert seal == before
    assert seal == permission.decision_seal(b"k" * 32, **SAID, checked="")
    assert seal != permission.decision_seal(b"k" * 32, **SAID, checked="data")


def test_ticks_are_stored_once_each_and_read_in_the_order_of_the_page() -> None:
    assert checks.stored(["warnings", "data", "data"]) == "data,warnings"
    assert checks.listed("data,warnings") == ["data", "warnings"]
    assert checks.listed("training,prompt") == ["prompt", "training"]
    assert checks.listed("") == []
    assert [fault.pointer for fault in checks.unknown(["data", "moon"])] == ["#/checked"]


@pytest.mark.parametrize(
    ("recipe", "rows", "expected"),
    [
        (
            {"max_steps": "16", "batch_rows": "8", "epochs": "3"},
            6692,
            "16 steps: 128 of 6,692 rows seen (2 % of an epoch)",
        ),
        ({"max_steps": 1, "batch_rows": 1, "epochs": 3}, 6692, "1 step: 1 of 6,692 rows seen (0.0 % of an epoch)"),
        ({"max_steps": 0, "batch_rows": 16, "epochs": 1}, 100, "7 steps: all 100 rows seen once"),
        ({"batch_rows": 16, "epochs": 3}, 100, "21 steps: all 100 rows seen 3 times"),
        ({"max_steps": 10, "batch_rows": 16, "epochs": 3}, 100, "10 steps: all 100 rows seen 1.5 times"),
    ],
)
def test_steps_are_said_as_rows_seen(recipe: dict[str, Any], rows: int, expected: str) -> None:
    planned = steps(recipe, rows)

    assert planned is not None
    assert planned.text == expected


def test_the_last_step_of_a_pass_may_have_fewer_rows() -> None:
    assert seen(7, 16, 100).epochs == 1
    assert seen(8, 16, 100).epochs == pytest.approx(1.16)
    assert steps({}, 0) is None


# ------------------------------------------------------------------ stored


def test_ticks_go_with_the_decision(gated: Gated) -> None:
    review = gated.requested()

    made = gated.decide(review, checked=["training", "data"]).json()
    page = gated.review_page(review)

    assert made["checked"] == ["data", "training"]
    assert "Checked: Data, Training" in page
    with reading(gated.engine) as session:
        row = store.get(session, review["id"])
        assert not reviews.fallen(session, row, gather(session, gated.assessment))


def test_a_section_that_is_none_is_refused(gated: Gated) -> None:
    review = gated.requested()

    assert gated.decide(review, checked=["moon"]).status_code == 422
    page = gated.post(
        f"/reviews/{review['id']}/decide",
        gated.reviewer,
        data={"kind": "approve", "digest": review["digest"], "checked": "moon"},
    )
    assert page.status_code == 422
    assert "There is no section of that name" in page.text


def test_ticks_that_were_changed_behind_the_app_end_the_approval(gated: Gated) -> None:
    gated.approved()
    with pytest.raises(IntegrityError, match="does not change"), writing(gated.engine) as session:
        session.execute(update(DecisionRow).values(checked="data"))
    with writing(gated.engine) as session:
        unguard(session, "decisions")
        session.execute(update(DecisionRow).values(checked="data"))

    answer = gated.launch()

    assert answer.status_code == 409
    assert "does not carry this installation's seal" in answer.text


# ------------------------------------------------------------------ the page


def test_comments_and_decisions_carry_over_to_the_next_review(gated: Gated) -> None:
    first = gated.requested()
    gated.decide(first, kind="request_changes", comment="Twelve steps is not a training run.")
    gated.edit(calls_per_month=60_000)
    second = gated.requested()

    page = gated.review_page(second)

    assert "Twelve steps is not a training run." in page
    assert f'href="/reviews/{first["id"]}">review {first["id"]}</a>' in page
    assert f"Changes since review {first['id']}" in page
    assert "300,000" in page
    assert "Twelve steps" in gated.review_page(first)


def test_everything_to_check_leads_somewhere(gated: Gated) -> None:
    review = gated.requested()
    rob = gated.people(gated.reviewer)

    page = rob.get(f"/reviews/{review['id']}").text

    for section in checks.NAMES.values():
        assert f"<b>{section}</b>" in page
    for target in (f"/reviews/{review['id']}/rows", "?show=wrong", "#prompts", "/plan#preflight", "/costs"):
        assert target in page, target
    assert "30 failures tagged, 100 % wrong format, tone or label." in page
    assert f"Prompt v2 scored {MINUS}20.0 points against v1 on the dev set and is not the best." in page


def test_the_rows_to_look_at_are_the_same_for_everybody(gated: Gated) -> None:
    review = gated.requested()

    pages = [gated.people(who).get(f"/reviews/{review['id']}/rows").text for who in (gated.reviewer, gated.author)]
    lines = [{part.split("<")[0] for part in page.split("Comment function number ")[1:]} for page in pages]

    assert len(lines[0]) == 20
    assert lines[0] == lines[1]
    assert all(1150 < int(number) <= 1370 for number in lines[0])  # the lines of the test rows
    assert gated.people(gated.author).get("/reviews/999/rows").status_code == 404


def test_a_decision_without_a_choice_keeps_what_was_typed(gated: Gated) -> None:
    review = gated.requested()

    page = gated.post(
        f"/reviews/{review['id']}/decide",
        gated.reviewer,
        data={"digest": review["digest"], "comment": "I looked at it.", "checked": ["data"]},
    )

    assert page.status_code == 422
    assert "I looked at it." in page.text
    assert 'value="data" form="decide-form" checked' in page.text
    with reading(gated.engine) as session:
        assert session.scalars(select(DecisionRow)).all() == []


def test_a_comment_of_the_same_form_decides_nothing(gated: Gated) -> None:
    review = gated.requested()

    gated.post(
        f"/reviews/{review['id']}/decide",
        gated.reviewer,
        data={"kind": "comment", "digest": review["digest"], "comment": "Which seed?"},
    )

    with reading(gated.engine) as session:
        assert session.execute(text("select kind, seal from decisions")).all() == [("comment", "")]
        assert store.get(session, review["id"]).state == "open"
