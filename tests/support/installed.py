"""An installation that was made once, and a copy of it for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import engine_for
from app.settings import Settings
from tests.support.factories import Make
from tests.support.processes import cheap


def laid_out(folder: Path, template: Path, furnish: Callable[[Make], object]) -> Path:
    """Make an installation on SQLite with `furnish`'s things in it; gives its data folder.

    A ready assessment alone takes a fifth of a second to make, its copy a hundredth.
    """
    settings = cheap(folder / "data")
    settings.data.mkdir(parents=True)
    shutil.copy(template, settings.data / "tunegate.db")
    engine = engine_for(settings)
    furnish(Make(engine, settings))
    engine.dispose()  # the last connection puts what is in the log into the file
    return settings.data


def copied(laid_out: Path, folder: Path) -> Settings:
    """Settings of a copy of it."""
    shutil.copytree(laid_out, folder / "data")
    return cheap(folder / "data")


def unguard(session: Session, table: str) -> None:
    """Take the triggers of a table away (on SQLite), so that a test can lay out a state without the steps to it."""
    query = text("select name from sqlite_master where type = 'trigger' and tbl_name = :table")
    for name in session.scalars(query, {"table": table}).all():
        session.execute(text(f'drop trigger "{name}"'))
