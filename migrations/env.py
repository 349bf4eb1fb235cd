"""How Alembic reaches the database.

An engine of its own, without our pragmas: SQLite rebuilds a table to change it, and with foreign keys switched on the
rebuild of a parent would delete its children. They are checked afterwards instead.
"""

import sqlalchemy
from alembic import context
from sqlalchemy import create_engine, event, text

from app.db import Base, Moment
from app.schema import load_tables

load_tables()

# DBOS keeps these in the same SQLite file and looks after them itself.
ENGINE_TABLES = {
    "workflow_status", "workflow_input", "workflow_output", "operation_outputs", "notifications", "workflow_events",
    "workflow_events_history", "streams", "workflow_schedules", "application_versions", "queues", "dbos_migrations",
}  # fmt: skip


def ours(_item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    return not (kind == "table" and reflected and compare_to is None and name in ENGINE_TABLES)


def own_types(kind: str, item: object, _context: object) -> str | bool:
    """Write our own column types by name, so that a step reads the same on both databases."""
    if kind == "type" and isinstance(item, Moment):
        return "app.db.Moment()"
    if kind == "type" and isinstance(item, sqlalchemy.JSON):
        return "app.db.Json"
    return False


def run() -> None:
    url = context.config.get_main_option("sqlalchemy.url") or ""
    engine = create_engine(url)
    sqlite = engine.dialect.name == "sqlite"
    if sqlite:

        @event.listens_for(engine, "connect")
        def _connect(connection: object, _record: object) -> None:
            connection.isolation_level = None  # type: ignore[attr-defined]  # the driver's own attribute
            connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]  # the driver's own method
            connection.execute("PRAGMA busy_timeout=30000")  # type: ignore[attr-defined]  # the driver's own method

        @event.listens_for(engine, "begin")
        def _begin(connection: object) -> None:
            # The driver does not put DDL into a transaction by itself; so a step that is killed leaves nothing behind.
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]  # SQLAlchemy's connection

    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=sqlite,
            compare_type=True,
            transaction_per_migration=True,
            include_object=ours,
            render_item=own_types,
        )
        with context.begin_transaction():
            context.run_migrations()
        if sqlite and (broken := connection.execute(text("PRAGMA foreign_key_check")).all()):
            raise RuntimeError(f"The migration broke references: {broken[:5]}")
    engine.dispose()


run()
