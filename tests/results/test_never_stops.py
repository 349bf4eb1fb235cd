"""An adapter that goes on until the length limit has learnt no end: its score may rise, and is no improvement."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.baselines.tables import ArmRow
from app.db import reading, writing
from app.results import service
from app.users.tables import UserRow
from tests.support.factories import Make

BEST, ADAPTER = "few_shot_nearest", "adapter/1"


def cut(engine: Engine, **answers: int) -> None:
    """Let so many of 220 test answers of an arm have hit the limit."""
    with writing(engine) as session:
        for name, count in answers.items():
            arm = session.scalars(select(ArmRow).where(ArmRow.name == (ADAPTER if name == "adapter" else BEST))).one()
            assert arm.test is not None
            arm.test = replace(arm.test, cut=count)


@pytest.mark.parametrize(
    ("adapter", "best", "verdict"),
    [
        (0, 0, "improved"),
        (22, 0, "improved"),  # a tenth: single answers may be long
        (23, 0, "inconclusive"),
        (220, 0, "inconclusive"),
        (60, 60, "improved"),  # as often as the prompt's: the limit is short for both
        (61, 60, "inconclusive"),
    ],
)
def test_one_that_does_not_stop_has_not_improved(engine: Engine, adapter: int, best: int, verdict: str) -> None:
    cut(engine, adapter=adapter, best=best)

    with reading(engine) as session:
        found = service.outcome(session, 1)

    assert found.compared is not None
    assert found.compared.verdict == verdict


@pytest.mark.parametrize(
    ("adapter", "best", "sentence"),
    [
        (120, 2, "Cut at the length limit: 120 answers of the adapter, 2 of the best prompt."),
        (1, 0, "Cut at the length limit: 1 answer of the adapter, 0 of the best prompt."),
        (0, 0, None),
    ],
)
def test_the_page_counts_the_answers_that_were_cut(
    engine: Engine, make: Make, people: Callable[[UserRow], TestClient], adapter: int, best: int, sentence: str | None
) -> None:
    cut(engine, adapter=adapter, best=best)

    page = " ".join(people(make.user(name="Zoe", email="zoe@example.org")).get("/assessments/1/result").text.split())

    assert sentence in page if sentence else "Cut at the length limit" not in page
    assert ("does not stop by itself" in page) == (adapter > 22)
