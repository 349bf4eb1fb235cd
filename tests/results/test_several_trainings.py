"""A run of several trainings on its result: seeds with their spread, the sweep, the learning curve."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.baselines import arms, runs
from app.baselines import store as baselines
from app.db import reading, writing
from app.results import card, service
from app.training.facts import OutcomeJson
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make

USUAL = {
    "rows": 1200,
    "steps": 40,
    "of": 60,
    "base_loss": 2.0,
    "seconds": 600.0,
    "seed": 1,
    "share": 1.0,
    "diverged": "",
}


def leg(name: str, kind: str, loss: float | None, **different: Any) -> Any:
    usual: dict[str, Any] = {"name": name, "kind": kind, "learning_rate": 2e-4, "best_loss": loss, "best_score": None}
    return usual | USUAL | different


LEGS: list[OutcomeJson] = [
    leg("rate-1", "rate", 0.95, learning_rate=1e-4),
    leg("rate-2", "rate", 0.9),
    leg("rate-3", "rate", None, learning_rate=4e-4, diverged="The loss of step 9 is not a number."),
    leg("seed-2", "seed", 0.91, seed=2),
    leg("seed-3", "seed", 0.92, seed=3),
    leg("part-25", "part", 1.4, share=0.25, rows=300),
    leg("part-50", "part", 1.1, share=0.5, rows=600),
]


def several(engine: Engine, *, seeds: dict[int, int], legs: list[OutcomeJson] | None = None) -> None:
    """Make run 1 one of several trainings. seeds: how many of the 220 test rows each other seed gets right."""
    with writing(engine) as session:
        run = session.get_one(TrainingRow, 1)
        run.training_facts = {**run.training_facts, "legs": legs or LEGS, "chosen_leg": "rate-2"}
        for seed, right in seeds.items():
            arm = runs.add_adapter_arm(
                session, run.baseline_id, training_id=1, title="Adapter", instructions="", seed=seed
            )
            scored = [arms.Scored(float(number < right)) for number in range(220)]
            arm.test = arms.tallied(scored, binary=True, seed=7)
        assert baselines.get(session, run.baseline_id).arms


@pytest.fixture
def client(make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.user(name="Zoe", email="zoe@example.org"))


def text_of(client: TestClient, address: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(address).text).split())


def test_the_page_shows_every_seed_and_says_which_one_decides(client: TestClient, engine: Engine) -> None:
    before = client.get("/api/v1/trainings/1/result").json()
    several(engine, seeds={2: 180, 3: 140})

    page, found = text_of(client, "/assessments/1/result"), client.get("/api/v1/trainings/1/result").json()

    assert "3 seeds: 77.3 % on average, 63.6 % at the lowest and 86.4 % at the highest" in page
    assert "2 of 3 are ahead of the best prompt. The verdict is that of seed 1, which was named before." in page
    assert "A seed is not ahead of the best prompt" in page
    assert {name: found[name] for name in ("verdict", "delta", "p")} == {
        name: before[name] for name in ("verdict", "delta", "p")
    }
    assert [(one["seed"], one["deciding"]) for one in found["seeds"]["seeds"]] == [(1, True), (2, False), (3, False)]
    assert found["seeds"]["lowest"] == pytest.approx(140 / 220)


def test_a_seed_without_a_score_is_named(client: TestClient, engine: Engine) -> None:
    gone: list[OutcomeJson] = [{**one, "diverged": "no number"} if one["name"] == "seed-3" else one for one in LEGS]
    several(engine, seeds={2: 180}, legs=gone)

    assert "Seed 3 ended at a number that is none." in text_of(client, "/assessments/1/result")


def test_the_curve_says_what_more_rows_would_bring_as_far_as_seeds_tell(client: TestClient, engine: Engine) -> None:
    several(engine, seeds={2: 180, 3: 140})
    page = text_of(client, "/assessments/1/result")
    level: list[OutcomeJson] = [{**one, "best_loss": 0.905} if one["name"] == "part-50" else one for one in LEGS]
    several(engine, seeds={}, legs=level)
    flat = text_of(client, "/assessments/1/result")

    assert "From 600 to 1,200 rows dev loss falls by 0.200 nats. Seeds differ by 0.020, so the rows made the" in page
    assert "falls by 0.005 nats. Seeds differ by 0.020 alone, so more rows of the same kind would bring little." in flat
    points = client.get("/api/v1/trainings/1/result").json()["learning_curve"]
    assert [point["rows"] for point in points] == [300, 600, 1200]
    assert "Dev loss by training rows" in page
    assert "Dev score by training rows" not in page
    several(engine, seeds={}, legs=[{**one, "best_score": 0.5 if one["kind"] == "part" else 0.7} for one in LEGS])
    scored = text_of(client, "/assessments/1/result")
    assert "Dev score by training rows" in scored
    assert "falls by 0.200 nats, the dev score moves by +20.0 points." in scored


def test_the_sweep_and_the_card_say_what_was_tried(client: TestClient, engine: Engine) -> None:
    several(engine, seeds={2: 180, 3: 140})

    page, run = text_of(client, "/assessments/1/result"), text_of(client, "/trainings/1")
    with reading(engine) as session:
        written = card.card(service.facts(session, service.outcome(session, 1)))

    for shown in (page, run):
        assert "Learning rate 0.0002 kept" in shown
        assert "Learning rate 0.0004 diverged" in shown
    assert "Learning rates tried: 0.0001, 0.0002, 0.0004; 0.0002 was best on the dev rows." in written
    assert "3 seeds: " in written
    assert [one["name"] for one in client.get("/api/v1/trainings/1").json()["legs"]] == [one["name"] for one in LEGS]
