"""Statements are compiled once for all tests, as they are in a process of the app.

An engine keeps what it has compiled, and each test has an engine of its own: a third of the time of tests with a
database went into compiling the same statements again. So the engines of the app on SQLite share what they keep: the
dialect, by which it is found, and the cache. Everything else (file, pool, listeners) is each engine's own.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

_ROOM = 5000  # the app has some hundred statements, tests and pages with many filters some more
_kept: dict[str, Any] = {}


@event.listens_for(Engine, "engine_connect")
def _share(connection: Connection) -> None:
    """An engine's first connection has told its dialect what there is to know; the first dialect serves them all."""
    engine = connection.engine
    if engine.dialect.name != "sqlite" or "installation" not in engine.get_execution_options():
        return
    if not _kept:
        _kept.update(dialect=engine.dialect, compiled=LRUCache(_ROOM))
    if connection.dialect is not _kept["dialect"]:
        connection.dialect = engine.dialect = _kept["dialect"]
    engine._compiled_cache = _kept["compiled"]
