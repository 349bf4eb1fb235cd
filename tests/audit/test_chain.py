"""The record cannot be rewritten, by us or by hand, without it showing."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from app.audit import service, store
from app.db import make_engine, reading, writing
from app.settings import Settings
from tests.support.databases import on_both
from tests.support.factories import Make


def fill(engine: Engine, settings: Settings) -> None:
    user = Make(engine, settings).author()
    for number in range(5):
        with writing(engine) as session:
            service.record(session, user, "test.act", "thing", number, {"number": number, "text": "ä\u2028"})


def test_an_untouched_chain_is_whole(either: Settings) -> None:
    engine = make_engine(either.url)
    fill(engine, either)

    with reading(engine) as session:
        assert service.broken_at(session) is None
        assert [entry.detail["number"] for entry in store.newest(session, None, 3)] == [4, 3, 2]
    engine.dispose()


@on_both
@pytest.mark.parametrize("statement", ["update audit set act = 'other' where id = 2", "delete from audit where id = 2"])
def test_the_database_refuses_to_change_it(either: Settings, statement: str) -> None:
    engine = make_engine(either.url)
    fill(engine, either)

    with pytest.raises(DBAPIError, match="append-only"):
        _run(engine, statement)
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("update audit set act = 'other' where id = 2", 2),
        ("update audit set detail = '{\"number\": 9}' where id = 3", 3),
        ("delete from audit where id = 2", 3),
    ],
)
def test_whoever_gets_around_the_database_is_seen(
    engine: Engine, settings: Settings, statement: str, broken: int
) -> None:
    fill(engine, settings)
    _run(engine, "drop trigger audit_no_update")
    _run(engine, "drop trigger audit_no_delete")
    _run(engine, statement)

    with reading(engine) as session:
        assert service.broken_at(session) == broken


def _run(engine: Engine, statement: str) -> None:
    with writing(engine) as session:
        session.execute(text(statement))
