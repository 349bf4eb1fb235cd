"""Whatever an earlier version stored opens: pages and API answer with each part of it missing."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.db import reading, writing
from app.recipes import preflights
from app.recipes.tables import RecipeRow
from app.training import service
from app.training.tables import TrainingRow
from app.users import store as users
from app.users.tables import UserRow
from tests.support.depth import DEEP
from tests.support.installed import unguard

People = Callable[[UserRow], TestClient]
BAND = {"bytes": 9, "low": 8, "high": 10, "tried": True}
TEXTS = {"prompt": "Say it.", "completion": "It."}
PREFLIGHT: Any = {
    "train": {"rows": 10, "tokens": 800, "trained_tokens": 300},
    "replay": {"rows": 2, "tokens": 90, "trained_tokens": 30, "wanted": 3},
    "dev_rows": 5,
    "left_out": 1,
    "untrained": [],
    "steps": 6,
    "steps_per_epoch": 2,
    "longest": [{"id": "4", "prompt": 60, "completion": 20}],
    "samples": [{"id": "4", **TEXTS}],
    "replay_samples": [TEXTS],
    "warnings": ["Look."],
    "remarks": ["See."],
    "dtype": "bfloat16",
    "context": 2048,
    "threads": 2,
    "device": "CPU",
    "device_free": 0,
    "devices": 1,
    "available": 20_000,
    "shared_tokens": 7,
    "padding": 0.1,
    "adapter_parameters": 400,
    "memory": {"program": 1, "weights": 2, "adapter": 3, "activations": 2, "reserve": 1},
    "needs": BAND,
    "passes": {"tokens": 512, "usual": 1024, "recompute": True},
    "tokens_per_second": 100.0,
    "dev_seconds": 2.0,
    "peak_bytes": 9,
    "proposals": [{"kind": "rows", "change": {"max_row_tokens": 60}, "needs": BAND, "left_out": 1, "fits": True}],
    "scored_rows": 8,
    "score_seconds": 3.0,
    "seconds": 60.0,
    "trainings": [{"words": "Whole training set", "rows": 10, "seconds": 30.0}],
    "shards": {"weights": 5},
    "licence": "apache-2.0",
    "test_sets": 1,
    "met": [{"assessment": 1, "title": "Other", "version": 2, "rows": 3}],
    "started_as": "2 processes on this machine (torchrun)",
    "blockers": [],
}


def without(value: Any) -> Iterator[tuple[str, Any]]:
    """The same JSON with one key of one object left out, for each key: (where, what is left)."""
    for place in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        if isinstance(value, dict):
            yield str(place), {name: part for name, part in value.items() if name != place}
        for where, part in without(value[place]):
            changed = copy.copy(value)
            changed[place] = part
            yield f"{place}.{where}", changed


@pytest.fixture
def ada(people: People, engine: Engine) -> TestClient:
    """Who wrote the assessment 1 and launched its run."""
    with reading(engine) as session:
        return people(users.get(session, session.get_one(TrainingRow, 1).launched_by))


def store(engine: Engine, preflight: Any) -> None:
    with writing(engine) as session:
        plan = service.plan(session, 1)
        plan.row.preflight, plan.row.preflight_of = preflight, plan.digest


def test_a_preflight_without_its_counts_says_so_and_keeps_what_stood_against_a_start(
    ada: TestClient, engine: Engine
) -> None:
    store(engine, {"blockers": ["No dev row."]})

    page = ada.get("/assessments/1/plan")

    assert page.status_code == 200
    assert "No dev row." in page.text
    assert "stored by another version, without its counts" in page.text
    assert ada.get("/api/v1/assessments/1/recipe").json()["prices"] == []


def test_the_plan_opens_with_any_part_of_its_preflight_missing(ada: TestClient, engine: Engine) -> None:
    left = list(without(PREFLIGHT))
    closed: dict[str, int] = {}
    for where, preflight in left if DEEP else left[::12]:
        store(engine, preflight)
        closed |= {f"{path} {where}": status for path in ("/assessments/1/plan", "/api/v1/assessments/1/recipe")
                   if (status := ada.get(path).status_code) != 200}  # fmt: skip

    assert closed == {}


def test_a_part_is_there_whole_or_not_at_all() -> None:
    whole = preflights.readable(PREFLIGHT)
    assert whole is not None
    assert {name for name in PREFLIGHT if name not in whole} == set()
    assert (whole["counted"], whole["memory_bytes"]) == (True, 9)

    for where, preflight in without(PREFLIGHT):
        read = preflights.readable(preflight)
        assert read is not None
        part = where.split(".")[0]
        if part in {*preflights.PIECES, *preflights.EACH} and where.split(".")[-1] in {
            *preflights.PIECES.get(part, ()), *preflights.EACH.get(part, ())
        }:  # fmt: skip
            assert part not in read, where


@pytest.mark.parametrize("config", [{"rank": 16, "dora": True}, {"rank": 9999}, {"launcher": "torchrun"}])
def test_a_config_that_this_version_does_not_take_opens_and_says_what_it_is(
    ada: TestClient, engine: Engine, config: dict[str, Any]
) -> None:
    with writing(engine) as session:
        session.execute(update(RecipeRow).values(settings=config))
        unguard(session, "trainings")
        session.execute(update(TrainingRow).values(recipe=config))

    pages = {path: ada.get(path) for path in ("/assessments/1/plan", "/assessments/1/run", "/trainings/1", "/")}

    assert {page.status_code for page in pages.values()} == {200}
    assert "The saved training config has what this version does not take" in pages["/assessments/1/plan"].text


def test_a_run_opens_however_little_was_kept_of_it(ada: TestClient, engine: Engine) -> None:
    least = {"recipe": {}, "training_facts": {}, "best_step": None, "result": {"verdict": "improved", "release": {}}}
    with writing(engine) as session:
        unguard(session, "trainings")
        session.execute(update(TrainingRow).values(**least))

    paths = ["/trainings/1", "/assessments/1/result", "/assessments/1/run", "/assessments/1",
             "/trainings/1/adapter", "/trainings/1/try",
             "/trainings/1/merged", "/trainings/1/adapter.zip", "/adapters", "/",
             "/api/v1/trainings/1/registry", "/api/v1/trainings/1/release-checks",
             "/api/v1/trainings/1", "/api/v1/trainings/1/live", "/api/v1/trainings/1/result"]  # fmt: skip

    assert {path: status for path in paths if (status := ada.get(path).status_code) != 200} == {}
