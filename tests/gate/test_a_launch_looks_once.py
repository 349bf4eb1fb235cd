"""A launch works the verdict out once: each fact is asked for in one statement, in the transaction that uses it."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.gated import Gated, gated_installation, settings

__all__ = ["gated_installation", "settings"]

People = Callable[[UserRow], TestClient]
MOST = 70  # statements of the whole request; it was 219 when the verdict was worked out four times


@pytest.fixture
def statements(web: TestClient, make: Make, people: People, engine: Engine) -> list[str]:
    """What a launch that goes through asks the database, in order."""
    gated = Gated(make, people, engine)
    gated.approved()
    app: Any = web.app
    asked: list[str] = []
    event.listen(app.state.context.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    assert gated.launch().status_code == 201
    kept = next(place for place, one in enumerate(asked) if "FROM standings" in one)
    return asked[:kept]  # what follows works out the status that pages will show


def test_each_fact_is_asked_for_once(statements: list[str]) -> None:
    asked = Counter(table for one in statements for table in re.findall(r"^SELECT .*\sFROM (\w+)", one, re.DOTALL))

    once = ("recipes", "models", "costs", "document_files", "decisions")
    assert {table: asked[table] for table in once} == dict.fromkeys(once, 1)
    assert len(statements) < MOST


def test_all_answers_are_hashed_once_and_behind_the_lock(statements: list[str]) -> None:
    """What the digest rests on is read in the transaction that uses the approval up."""
    hashed = [place for place, one in enumerate(statements) if "answers.prompt_sha256, answers.cause" in one]
    begun = next(place for place, one in enumerate(statements) if one == "BEGIN IMMEDIATE")
    used_up = next(place for place, one in enumerate(statements) if one.startswith("UPDATE reviews SET state"))

    assert len(hashed) == 1
    assert begun < hashed[0] < used_up
