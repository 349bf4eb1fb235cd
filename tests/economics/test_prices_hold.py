"""Prices that change by a cent, that two people enter at once, and rows whose tokens nobody knew."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.baselines.tables import ArmRow
from app.db import engine_for, reading, utcnow, writing
from app.economics import cost_model, costs, sentences, service
from app.economics.assumptions import Assumptions
from app.economics.prices import Price
from app.economics.tables import PriceRow
from app.errors import Conflict, Invalid
from app.settings import Settings
from app.users.tables import Role, UserRow
from tests.support import as_it_stands
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]
PRICE = {"name": "Large", "unit": "input_tokens", "price": "3", "currency": "EUR", "dated": "2026-10-01", "source": "x"}
CSV = b"""name,unit,price,currency,dated,source
Large,input_tokens,3,EUR,2026-10-01,contract
Large,output_tokens,15,EUR,2026-10-01,contract
GPU,machine_hour,1.5,EUR,2026-10-01,contract
Engineer,person_hour,60,EUR,2026-10-01,payroll
"""
SAID = {"upkeep_hours": "10", "retrains_year": "1", "minutes_row": "3", "review_hours": "4", "rows_to_write": "0"}


def counted(make: Make, engine: Engine, tokens: float = 2200.0) -> tuple[int, UserRow]:
    """An assessment for which cost is the goal, measured, with prices and assumptions; gives its id and its author."""
    author = make.author()
    cheaper = {"goals": ["efficiency", "classify"], "main_goal": "efficiency", "calls_per_month": 2_000_000}
    assessment = make.assessment(author, answers=cheaper)
    dataset = make.dataset(assessment, author)
    make.baseline(assessment, dataset, make.model(name="Large", kind="endpoint"), author, passed=215)
    with writing(engine) as session:
        for arm in session.scalars(select(ArmRow)):
            more: dict[str, Any] = {"mean_prompt_tokens": tokens, "mean_completion_tokens": 150 if tokens else 0.0}
            arm.dev = replace(arm.dev, **more) if arm.dev else None
            arm.test = replace(arm.test, **more, low=arm.test.score - 0.02) if arm.test else None
        service.import_prices(session, CSV, author)
        service.assume(session, assessment.id, SAID, author)
    return assessment.id, author


def dearer(engine: Engine, by: UserRow, unit: str, price: str) -> None:
    with writing(engine) as session:
        row = session.scalars(select(PriceRow).where(PriceRow.unit == unit)).one()
        service.change_price(session, row.id, {**PRICE, "name": row.name, "unit": unit, "price": price}, by)


@pytest.mark.parametrize(
    ("price", "void"), [("60.5", False), ("61", False), ("59", False), ("600", True)]
)  # an hour of a person at 60: ten of them a month
def test_an_approval_falls_with_what_was_read_not_with_a_cent(
    make: Make, people: People, engine: Engine, price: str, void: bool
) -> None:
    number, author = counted(make, engine)
    reviewer, pricer = make.reviewer("Una"), make.author("Pat")
    review = people(author).post(f"/api/v1/assessments/{number}/reviews", json={}).json()
    body = {"kind": "approve", "digest": review["digest"]}
    assert people(reviewer).post(f"/api/v1/reviews/{review['id']}/decisions", json=body).status_code == 201

    dearer(engine, pricer, "person_hour", price)

    found = people(author).get(f"/api/v1/reviews/{review['id']}").json()["void_because"]
    assert bool(found) is void
    queue = people(author).get("/reviews").text
    step = people(author).get(f"/assessments/{number}/review").text
    assert ('<span class="tag fail">invalidated</span>' in queue) is void
    assert ('<span class="tag fail">invalidated</span>' in step) is void


@pytest.mark.parametrize(
    ("value", "rounded"), [(1649.2, 1600), (1695, 1700), (0.0123, 0.012), (0, 0), (99.6, 100), (-1695, -1700)]
)
def test_two_figures_count(value: float, rounded: float) -> None:
    assert sentences.about(value) == pytest.approx(rounded)


# ---------------------------------------------------------------- the same price twice at once


def test_of_two_who_enter_the_same_price_at_once_one_is_told(either: Settings) -> None:
    engine = engine_for(either)
    with writing(engine) as session:
        by = UserRow(name="Ada", email="ada@example.org", role=Role.AUTHOR, password_hash="x", created_at=utcnow())
        session.add(by)
    entered, wait = threading.Event(), threading.Event()
    told: list[str] = []

    def first() -> None:
        with writing(engine) as session:
            service.add_price(session, PRICE, by)
            entered.set()
            wait.wait(5)

    def second() -> None:
        try:
            with writing(engine) as session:
                service.add_price(session, PRICE, by)
        except (Conflict, Invalid) as refusal:
            told.append(type(refusal).__name__)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(5)
    threads[1].start()
    threading.Timer(0.3, wait.set).start()
    for thread in threads:
        thread.join(10)

    assert told in (["Conflict"], ["Invalid"])
    with reading(engine) as session:
        assert len(session.scalars(select(PriceRow)).all()) == 1
    engine.dispose()


# ---------------------------------------------------------------- tokens that nobody knew


def test_no_tokens_stored_as_measured_read_as_unknown(make: Make, engine: Engine, people: People) -> None:
    number, author = counted(make, engine, tokens=0.0)

    costs = people(author).get(f"/api/v1/assessments/{number}/costs").json()

    (line, *_) = [line for line in costs["ways"] if line["name"].startswith("few_shot_nearest")]
    assert (line["tokens_in"], line["per_call"], line["month"]) == (None, None, None)
    assert "how many tokens" in line["lacks"]
    with reading(engine) as session:
        found = as_it_stands.evidence(session, session.get_one(AssessmentRow, number))
    assert "winning_prompt_tokens" not in found
    assert all("prompt_tokens" not in result for result in found["arms"].values())


def test_a_way_without_a_model_costs_nothing_and_one_with_unknown_tokens_is_not_priced() -> None:
    day = date(2026, 10, 1)
    prices = [Price("Large", unit, 3.0, "EUR", day, "x") for unit in ("input_tokens", "output_tokens")]
    usual: dict[str, Any] = {"split": "test", "meets": True, "score": 0.9, "model": 1, "local": False}
    arm = costs.MeasuredWay(
        key="1/a", family="zero_shot", title="A", model_name="Large", model_reference="Large", tokens_in=0.0,
        tokens_out=0.0, **usual,
    )  # fmt: skip
    free = replace(arm, key="1/b", family="trivial", title="B", tokens_in=None)

    found = cost_model.work_out(costs.CostInput(arms=[arm, free], assumptions=Assumptions(), prices=prices, today=day))

    known = {line.name.split(",")[0]: line.per_call for line in found.lines}
    assert (known["A"], known["B"]) == (None, 0.0)


@pytest.mark.parametrize(("tested", "score", "split"), [(0, 0.5, "dev"), (1, 0.5, "dev"), (3, 0.9, "test")])
def test_draws_are_taken_together_on_like_rows(
    make: Make, engine: Engine, tested: int, score: float, split: str
) -> None:
    assessment_id, _ = counted(make, engine)
    with writing(engine) as session:
        draws = session.scalars(select(ArmRow).where(ArmRow.family == "few_shot_random")).all()
        for arm in draws[:tested]:
            assert arm.dev
            arm.test = replace(arm.dev, score=0.9, low=0.85, high=0.95)

    with reading(engine) as session:
        study = service.of(session, session.get_one(AssessmentRow, assessment_id))
        drawn = next(line for line in study.every_line if "random" in line.name)

    assert drawn.score == pytest.approx(score)
    assert drawn.split == split
