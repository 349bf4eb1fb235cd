"""The migrations make exactly the tables that the code describes, up and down, on both databases."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect

from app import schema
from app.settings import Settings
from tests.support.databases import on_both


@on_both
def test_the_schema_is_what_the_code_says(either: Settings) -> None:
    command.check(schema.config(either.url))


@on_both
def test_every_step_goes_down_and_up_again(either: Settings) -> None:
    command.downgrade(schema.config(either.url), "base")
    engine = create_engine(either.url)
    assert "assessments" not in inspect(engine).get_table_names()
    engine.dispose()

    assert schema.migrate(either.url) == f"The database was created (schema {schema.head()})."
    assert schema.migrate(either.url) == "The database is up to date."


def test_an_older_database_is_copied_before_it_is_changed(settings: Settings) -> None:
    command.downgrade(schema.config(settings.url), "0001")

    schema.migrate(settings.url)

    copy = sqlite3.connect(settings.data / "tunegate.db.before-0001")
    assert copy.execute("select version_num from alembic_version").fetchall() == [("0001",)]
    copy.close()


def test_the_web_says_what_to_type_when_the_database_is_not_ready(tmp_path: Path, settings: Settings) -> None:
    from app import main

    assert main.not_ready(settings) == ""
    assert "python -m app migrate" in main.not_ready(settings.model_copy(update={"data": tmp_path / "new"}))


@pytest.mark.parametrize("name", ["workflow_status", "queues"])
def test_the_engines_own_tables_are_left_alone(settings: Settings, name: str) -> None:
    engine = create_engine(settings.url)
    assert name in inspect(engine).get_table_names()
    engine.dispose()
    command.check(schema.config(settings.url))
