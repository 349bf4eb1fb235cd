"""Bringing a database to the schema of this version: our tables by Alembic, the engine's by its own call.

The web process does not do this; `python -m app migrate` does, before web and workers start.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, inspect, make_url, text

from app.jobs import engine
from app.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

ROOT = Path(__file__).resolve().parents[1]


def load_tables() -> None:
    """Import every concept's tables, so that the references between them can be followed."""
    for tables in sorted((ROOT / "app").glob("*/tables.py")):
        import_module(f"app.{tables.parent.name}.tables")


def config(url: str) -> "Config":
    from alembic.config import Config  # half a second that only migrating needs, not every start of the web

    made = Config()
    made.set_main_option("script_location", str(ROOT / "migrations"))
    made.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return made


def head() -> str:
    """The newest step that this version of the code knows; the steps are numbered."""
    return max(path.name.split("_")[0] for path in (ROOT / "migrations" / "versions").glob("[0-9]*_*.py"))


def current(url: str) -> str:
    """The step the database is at; empty for a new one."""
    if url.startswith("sqlite") and not Path(make_url(url).database or "").exists():
        return ""
    bare = create_engine(url)
    try:
        with bare.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            return str(connection.scalar(text("select version_num from alembic_version")) or "")
    finally:
        bare.dispose()


def migrate(url: str) -> str:
    """Upgrade to the newest schema; returns one sentence about what was done. Two at once: the second waits.

    A SQLite file that holds data is copied beside itself first (`tunegate.db.before-<step>`): going back to the version
    before is then a matter of renaming a file.
    """
    from alembic import command

    if url.startswith("sqlite"):
        Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
    with _alone(url):
        before, newest = current(url), head()
        if before != newest:
            if before and url.startswith("sqlite"):
                _copy(Path(make_url(url).database or ""), before)
            command.upgrade(config(url), "head")
        engine.migrate(url)
    if before == newest:
        return "The database is up to date."
    return f"The database was {'upgraded' if before else 'created'} (schema {newest})."


SEALED_FROM = "0012"  # the step that brought the seals of decisions


def upgrade(settings: Settings) -> str:
    """`migrate` for an installation, which has a key. The step that brings the seals has what was decided before it
    sealed, once: whoever upgrades vouches for the database as it is."""
    before = current(settings.url)
    sentence = migrate(settings.url)
    if before and before < SEALED_FROM:
        from app.db import engine_for, writing  # only this one upgrade needs them
        from app.gate import approvals
        from app.standing import keeping

        keeping.install()
        made = engine_for(settings)
        with writing(made) as session:
            approvals.seal_earlier(session)
        made.dispose()
    return sentence


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Hold the migration lock: a file beside SQLite, an advisory lock on PostgreSQL."""
    if url.startswith("sqlite"):
        import fcntl  # not on every platform, and only needed here

        with Path(f"{make_url(url).database}.migrating").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    bare = create_engine(url)
    try:
        with bare.connect() as connection:
            connection.execute(text("select pg_advisory_lock(8390)"))
            yield
            connection.execute(text("select pg_advisory_unlock(8390)"))
    finally:
        bare.dispose()


def _copy(database: Path, step: str) -> None:
    target = database.with_name(f"{database.name}.before-{step}")
    target.unlink(missing_ok=True)
    connection = sqlite3.connect(database)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
