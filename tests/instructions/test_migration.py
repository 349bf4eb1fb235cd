"""A database from before versions were kept: what was measured becomes its versions."""

from alembic import command
from sqlalchemy import Engine

from app import schema
from app.baselines import store, versions
from app.baselines.tables import ArmRow
from app.db import reading, writing
from app.settings import Settings
from tests.support.factories import Make


def test_measured_prompts_become_versions(make: Make, engine: Engine, settings: Settings) -> None:
    assessment = make.ready(make.author())
    with writing(engine) as session:
        baseline = store.current(session, assessment.id)
        assert baseline is not None
        texts = [baseline.instructions]
        texts += [arm.settings["instructions"] for arm in baseline.arms if arm.family == "revised_prompt"]
        same = {"family": "revised_prompt", "name": "revised_prompt/8", "title": "again"}
        session.add(ArmRow(baseline_id=baseline.id, settings={"instructions": f" {texts[0]} "}, **same))
    command.downgrade(schema.config(settings.url), "0025")

    schema.migrate(settings.url)

    with reading(engine) as session:
        rows = versions.of_assessment(session, assessment.id)[::-1]
    assert [row.text for row in rows] == [text.strip() for text in dict.fromkeys(texts)]
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert [row.why for row in rows] == ["hand", *["failures"] * (len(rows) - 1)]
    assert rows[0].created_by == assessment.created_by
    assert [row.created_by for row in rows[1:]] == [None] * (len(rows) - 1)
