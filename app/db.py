"""One engine, two kinds of transaction.

Why explicit BEGIN: Python's SQLite driver opens a transaction only before the first write, so a value that was read
to decide something could be stale by the time the decision is written. We switch that off and begin ourselves:
IMMEDIATE for a transaction that may write (it waits for the lock instead of failing at the first write), plain and
`query_only` for one that only reads. On PostgreSQL the same two are a read-write and a READ ONLY transaction.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import JSON, CursorResult, DateTime, Dialect, Engine, Executable, MetaData, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeDecorator

from app.json_types import JsonDict, JsonObject
from app.secret import Installation
from app.settings import Settings

T = TypeVar("T")


class Moment(TypeDecorator[datetime]):
    """A moment in UTC. SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = JSON().with_variant(JSONB(), "postgresql")


class JsonOf(TypeDecorator[T]):
    """A typed value that is stored as JSON; from_json reads what any version of the program has written."""

    impl = Json
    cache_ok = True

    def __init__(self, from_json: Callable[[Any], T], to_json: Callable[[T], Any]) -> None:
        super().__init__()
        self.from_json, self.to_json = from_json, to_json

    def process_bind_param(self, value: T | None, dialect: Dialect) -> Any:
        return None if value is None else self.to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> T | None:
        return None if value is None else self.from_json(value)


class Base(DeclarativeBase):
    """All tables. Constraints have names so that SQLite can drop them in a migration."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        dict[str, Any]: Json,
        list[Any]: Json,
        JsonDict: Json,
        list[str]: Json,
        datetime: Moment(),
    }


Database: TypeAlias = Engine
"""What transactions are begun on, for those who only hand it on."""


def utcnow() -> datetime:
    return datetime.now(UTC)


# A process that is frozen inside a transaction keeps its locks; PostgreSQL then ends the transaction, so that a worker
# which inherits its jobs is not kept waiting. SQLite has no such switch: there the process has to be ended or woken.
STUCK = {"options": "-c idle_in_transaction_session_timeout=60s"}

# The words of an error reach the log; they quote no row of anybody's data.
QUIET: Mapping[str, bool] = {"hide_parameters": True}


def engine_for(settings: Settings) -> Engine:
    """The engine of an installation: what may approve, launch and seal."""
    return make_engine(settings.url, Installation(settings))


def make_engine(url: str, installation: Installation | None = None) -> Engine:
    """An engine for `sqlite:///...` or `postgresql+psycopg://...` with our transaction rules."""
    options: dict[str, Any] = {**QUIET, "execution_options": {"installation": installation}}
    if not url.startswith("sqlite"):
        return create_engine(url, **options, pool_size=20, max_overflow=20, pool_pre_ping=True, connect_args=STUCK)
    # One connection a thread of the server's pool at most; a short queue beats a failed request.
    engine = create_engine(url, **options, pool_size=20, max_overflow=20)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    # FULL: an approval or an audit entry that was answered for survives a power cut (sqlite.org/pragma, "synchronous").
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = bool(connection.get_execution_options().get("postgresql_readonly"))
    if read_only:
        # Said to the driver itself: two words that nothing has to be put together for, and that wait for nobody.
        driver: Any = connection.connection.dbapi_connection
        driver.execute("PRAGMA query_only=1")
        driver.execute("BEGIN")
        return
    connection.exec_driver_sql("PRAGMA query_only=0")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def installation_of(session: Session) -> Installation | None:
    """What the session's engine knows of the installation; None for a bare engine, which approves nothing."""
    installation: Installation | None = session.get_bind().get_execution_options().get("installation")
    return installation


class Queue(Protocol):
    """Where jobs are put until it is their turn: `jobs.engine.Client` in the app."""

    def enqueue(self, session: Session, job_id: int) -> None: ...


@dataclass(slots=True)
class Scope:
    """What one transaction carries beside its rows.

    queue: where its jobs go; None where nothing may be put in line. afterwards: what to do once it is committed, by
    name. worked_out: what a reading transaction need not ask the database twice; None in one that may write. until:
    from when on what was read would be something else by the clock alone; None for never (`not_after`).
    """

    queue: Queue | None = None
    afterwards: dict[str, Callable[[], None]] = field(default_factory=dict)
    worked_out: dict[tuple[str, int], Any] | None = None
    until: datetime | None = None


def scope_of(session: Session) -> Scope:
    """The scope of a session; the only place that knows where it is kept."""
    scope: Scope = session.info.setdefault(Scope, Scope())
    return scope


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that may write; commits at the end, rolls back on any error.

    Raises:
        RuntimeError: this process was not told what every such transaction ends with (`before_commit`).
    """
    if not _before_commit:
        raise RuntimeError("a process that writes keeps the statuses of assessments; standing.keeping.install() first")
    with Session(engine, expire_on_commit=False) as session:
        with session.begin():
            yield session
            for last in _before_commit.values():
                last(session)
        acts, scope_of(session).afterwards = scope_of(session).afterwards, {}
        for act in acts.values():
            act()


_before_commit: dict[str, Callable[[Session], None]] = {}


def before_commit(name: str, act: Callable[[Session], None]) -> None:
    """Have every writing transaction of this process end with this, while it can still change something.

    The last one of a name counts.
    """
    _before_commit[name] = act


def afterwards(session: Session, name: str, act: Callable[[], None]) -> None:
    """Have something done once the transaction is committed, and not at all if it is not.

    The last one of a name counts. It must not raise, for what it follows is done.
    """
    scope_of(session).afterwards[name] = act


def memo(session: Session, key: tuple[str, int], work_out: Callable[[], T]) -> T:
    """Work something out once in a reading transaction, where nothing changes; every time in one that may write."""
    kept = scope_of(session).worked_out
    if kept is None:
        return work_out()
    if key not in kept:
        kept[key] = work_out()
    known: T = kept[key]
    return known


def prefill(session: Session, known: Mapping[tuple[str, int], object]) -> None:
    """Say beforehand what `memo` would work out, in a reading transaction: a list asks for all of it in one query."""
    kept = scope_of(session).worked_out
    if kept is not None:
        kept.update(known)


def ask(session: Session, statement: Executable, values: JsonObject) -> CursorResult[*tuple[Any, ...]]:
    """Columns and no objects, past the part of the session that would look for some; for what every page asks.

    What was added or changed in the session and not flushed is not seen.
    """
    return session.connection().execute(statement, values)


def rows_changed(session: Session, statement: UpdateBase) -> int:
    """Carry out an update or a deletion; how many rows it met."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def not_after(session: Session, moment: datetime | None) -> None:
    """Say that what was read comes to something else from this moment on, though nobody changes a row."""
    scope = scope_of(session)
    if moment is not None and moment > utcnow() and (scope.until is None or moment < scope.until):
        scope.until = moment


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A consistent view for reading; a write in it is an error of the database."""
    # Closing gives the connection back and undoes nothing in memory: what was read stays readable afterwards.
    with read_session(engine) as session:
        yield session


def read_session(engine: Engine) -> Session:
    """The same to be closed by whoever takes it. Nothing is asked of the database before the first query."""
    session = Session(_for_reading(engine), expire_on_commit=False)
    scope_of(session).worked_out = {}  # nothing can change in here, so what was worked out holds to the end
    return session


_reading_engines: WeakKeyDictionary[Engine, Engine] = WeakKeyDictionary()


def _for_reading(engine: Engine) -> Engine:
    """The same engine with the option set: made once, for making it takes as long as a small query."""
    if (known := _reading_engines.get(engine)) is None:
        known = _reading_engines[engine] = engine.execution_options(postgresql_readonly=True)
    return known


# ---------------------------------------------------------------- whether anything has changed

Mark = tuple[int, int] | str | None


class Changes:
    """Whether anything was committed to a database since some moment, by whichever process, in one cheap question.

    Two equal marks of one object mean that every row is as it was in between; from other marks nothing follows.
    SQLite: `PRAGMA data_version` of a connection that never writes: "different if changes were committed to the
    database by any other connection" (sqlite.org/pragma). PostgreSQL: the snapshot of a statement, so which
    transactions it sees; each commit of one that wrote something makes it another one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.waits = engine.dialect.name != "sqlite"
        """Whether asking waits for a server, which nobody does in an event loop."""
        self._file = "" if self.waits else engine.url.database or ""
        self._connection: sqlite3.Connection | None = None
        self._opened = 0  # times; the numbers of two connections say nothing about each other

    def mark(self) -> Mark:
        """None where it cannot be said right now. From one thread at a time."""
        return self._snapshot() if self.waits else self._data_version()

    def _snapshot(self) -> Mark:
        try:
            with self._engine.connect() as connection:
                mark: str = connection.exec_driver_sql("select pg_current_snapshot()::text").scalar_one()
        except SQLAlchemyError:
            return None
        return mark

    def _data_version(self) -> Mark:
        try:
            if self._connection is None:
                address = f"{Path(self._file).absolute().as_uri()}?mode=rw"
                # No patience: whoever asks has another way, and others wait behind it.
                self._connection = sqlite3.connect(
                    address, timeout=0, isolation_level=None, check_same_thread=False, uri=True
                )
                self._opened += 1
            return self._opened, self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            self.close()
            return None

    def close(self) -> None:
        """Let go of the connection; the next mark is None of those before."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
