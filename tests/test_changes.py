"""The mark of a database: another one as soon as anything was committed, whoever did it."""

import sqlite3
from pathlib import Path

from app.db import Changes, engine_for, make_engine
from app.settings import Settings
from tests.support.databases import on_both


@on_both
def test_a_mark_moves_with_every_commit_of_another_connection(either: Settings) -> None:
    ours, theirs = engine_for(either), make_engine(either.url)
    changes = Changes(ours)
    statement = "insert into sign_in_failures (account, address, area, at) values ('a', 'b', '', '2026-01-01')"

    first = changes.mark()
    assert changes.mark() == first
    seen = {first}
    for engine in (theirs, ours):
        before = changes.mark()
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
            assert changes.mark() == before  # nothing is committed yet
        seen.add(after := changes.mark())
        assert after != before
        with engine.connect() as connection:
            connection.exec_driver_sql("select 1")
        assert changes.mark() == after

    assert len(seen) == 3
    assert None not in seen
    changes.close()
    ours.dispose()
    theirs.dispose()


def test_without_a_database_nothing_is_kept(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'missing.db'}")
    changes = Changes(engine)

    assert changes.mark() is None
    sqlite3.connect(tmp_path / "missing.db").close()
    first = changes.mark()
    assert first is not None
    changes.close()
    assert changes.mark() not in (None, first)  # the numbers of two connections say nothing about each other
    changes.close()
    engine.dispose()
