"""A measurement is of one model: what it was is kept, and one that became another is not asked."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, update

from app.assessments.tables import AssessmentRow
from app.baselines import job, measured_model
from app.db import reading, writing
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs.claims import Failed
from app.settings import Settings
from tests.support import measured
from tests.support.factories import Make
from tests.support.model_server import ModelServer, serving


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(measured.clever) as running:
        yield running


def test_the_copy_is_made_at_the_start_and_the_first_result_is_noted(
    make: Make, engine: Engine, queue: job_engine.Client, settings: Settings, server: ModelServer
) -> None:
    case = measured.a_case(make, engine, server, dev=20, test=20)
    baseline = measured.started(engine, queue, case)
    with writing(engine) as session:
        session.execute(update(ModelRow).values(name="Something grander"))

    job.measure(measured.claim_of(engine, settings, queue, baseline.id))

    with reading(engine) as session:
        found = measured_model.model_of(session, measured.baseline_of(engine, baseline.id))
        assert session.get_one(AssessmentRow, case.assessment.id).result_seen_at is not None
    assert (found.name, found.base_url, found.reference) == ("Loopback", server.url, "loopback-1")


def test_a_connection_that_was_changed_before_the_worker_came_is_not_asked(
    make: Make, engine: Engine, queue: job_engine.Client, settings: Settings, server: ModelServer
) -> None:
    case = measured.a_case(make, engine, server, dev=20, test=20)
    baseline = measured.started(engine, queue, case)
    with writing(engine) as session:
        session.execute(update(ModelRow).values(reference="another-model"))

    with pytest.raises(Failed, match="would mix two models"):
        job.measure(measured.claim_of(engine, settings, queue, baseline.id))

    assert not server.calls
