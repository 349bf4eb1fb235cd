"""Rows that end in errors: nothing is concluded above the policy's share, and they can be asked again; and what a
meeting found out about the server goes into the measurement and stays there."""

import html
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.advice.policy import Numbers
from app.advice.policy_file import POLICY
from app.assessments.tables import AssessmentRow
from app.baselines import error_share, job, looks, runs, standing, store
from app.baselines.arms import ArmResult
from app.baselines.measured_model import MeasuredModel
from app.db import reading, writing
from app.gate.reviewed import ModelMeasured
from app.inference.findings import PLAIN, Changed, Findings, Manner
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Failed
from app.policies import service as policies
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, finish_job, number_of, started, target
from tests.support.model_server import Body, ModelServer, Raw, last_user, serving

People = Callable[[UserRow], TestClient]
FLAGGED = Raw(b'{"error": {"message": "flagged"}}', status=400)


def right(body: Body) -> str:
    return target(number_of(last_user(body).rpartition("\n\n")[2]))


def one_fails(body: Body) -> str | Raw:
    """The server refuses one dev row."""
    return FLAGGED if last_user(body).rpartition("\n\n")[2].startswith("case 45:") else right(body)


class Measured:
    """A measurement of zero-shot and what needs no model, run to its end."""

    def __init__(
        self,
        make: Make,
        engine: Engine,
        settings: Settings,
        queue: job_engine.Client,
        server: ModelServer,
        share: float = 0.1,
    ) -> None:
        self.engine, self.settings, self.queue = engine, settings, queue
        self.case: Case = a_case(make, engine, server, dev=10, test=10)
        self.id = 0
        if share == POLICY.limit("error_rate"):
            return
        with writing(engine) as session:
            numbers: Numbers = {"thresholds": {"error_rate": share}}
            policy = policies.publish(session, numbers, "Our server is old.", 0, make.admin())
            session.flush()
            session.get_one(AssessmentRow, self.case.assessment.id).policy_id = policy.id

    def run(self) -> None:
        self.id = self.id or started(self.engine, self.queue, self.case, variants=("zero_shot",)).id
        claim = claim_of(self.engine, self.settings, self.queue, self.id)
        try:
            job.measure(claim)
        finally:
            finish_job(self.engine, claim)

    @property
    def dev(self) -> ArmResult:
        arm = next(arm for arm in baseline_of(self.engine, self.id).arms if arm.name == "zero_shot")
        assert arm.dev is not None
        return arm.dev


def test_the_failed_rows_of_a_run_that_is_through_are_asked_again_and_nothing_else(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, people: People
) -> None:
    """B5, kind 6: one refused prompt ended everything, and a run that was through could not ask for its errors."""
    with serving(one_fails) as server:
        measured = Measured(make, engine, settings, queue, server)
        measured.run()
        first = measured.dev
        assert (first.n, first.errors, first.known) == (9, 1, True)
        author = people(measured.case.author)
        page = author.get(f"/assessments/{measured.case.assessment.id}/measure").text
        assert "1 row got no answer." in page
        links = re.findall(r'href="([^"]+show=error)">', page)
        read = author.get(html.unescape(links[0])).text
        assert read.count('<article class="card answer-row"') == 1
        assert "Ask the failed rows again" in page

        server.reply = right
        before = len(server.calls)
        assert author.post(f"/api/v1/baselines/{measured.id}/failed-rows").status_code == 202
        measured.run()

    assert len(server.calls) - before == 1
    assert (measured.dev.n, measured.dev.errors, measured.dev.score) == (10, 0, 1.0)
    again = author.post(f"/api/v1/baselines/{measured.id}/failed-rows")
    assert (again.status_code, again.json()["detail"]) == (409, "No row ended in an error.")


def test_failed_test_rows_are_asked_again_of_a_prompt_that_does_not_lead(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    """A rival of the best prompt lost a test row to the server: its button has to bring that row back."""

    def reply(body: Body) -> str | Raw:
        rival = any(turn["role"] == "assistant" for turn in body["messages"])
        number = number_of(last_user(body))
        right_one = number % 3 != 0 if number <= 50 else number % 2 == 0
        if failing and rival and number == 51:
            return FLAGGED
        return target(number) if right_one and not (rival and number == 41) else "no"

    failing = True
    with serving(reply) as server:
        case = a_case(make, engine, server, dev=10, test=10)
        baseline = started(engine, queue, case, variants=("zero_shot", "few_shot_nearest"))
        for _ in range(2):
            claim = claim_of(engine, settings, queue, baseline.id)
            job.measure(claim)
            finish_job(engine, claim)
            tested = {arm.name: arm.test for arm in baseline_of(engine, baseline.id).arms}
            if failing:
                failing = False
                with writing(engine) as session:
                    jobs.bind(session, queue)
                    runs.ask_failed_rows(session, baseline.id, by=case.author)
                assert (rival := tested["few_shot_nearest"]) is not None
                assert rival.errors == 1

    assert (rival := tested["few_shot_nearest"]) is not None
    assert (rival.n, rival.errors) == (10, 0)
    assert standing.failed_rows(baseline_of(engine, baseline.id)) == 0


def test_what_an_adapter_was_evaluated_against_is_asked_no_more(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, people: People
) -> None:
    with serving(one_fails) as server:
        measured = Measured(make, engine, settings, queue, server)
        measured.run()
    with writing(engine) as session:
        arm = runs.add_adapter_arm(session, measured.id, training_id=1, title="Adapter", instructions="x")
        arm.test = measured.dev

    author = people(measured.case.author)
    page = author.get(f"/assessments/{measured.case.assessment.id}/measure").text
    assert "so they stay as they are" in page
    assert "Ask the failed rows again" not in page
    assert author.post(f"/api/v1/baselines/{measured.id}/failed-rows").status_code == 409


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_above_the_policys_share_of_errors_nothing_is_concluded(
    share: float, make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    """Above it there is no best prompt and no verdict; the limit of the policy is what counts, and stays with it."""
    with serving(one_fails) as server:
        measured = Measured(make, engine, settings, queue, server, share)
        if share < 0.1:
            with pytest.raises(Failed, match=r"errors on more than 2 % of its rows.*press Resume"):
                measured.run()
        else:
            measured.run()

    baseline = baseline_of(engine, measured.id)
    with reading(engine) as session:
        assert error_share.limit(session, baseline) == share
    assert (standing.best(baseline) is not None) is (share == 0.1)
    assert measured.dev.error_limit == (0.1 if share == 0.1 else None), "the usual one is not written down"
    assert replace(measured.dev, error_limit=None).known is False


# ---------------------------------------------------------------- what a meeting found out

KNOWN = Manner(
    at="2026-11-30T12:00:00",
    without=("temperature",),
    seed=7,
    together=Changed(changed=3, of=12),
    ends="2027-03-01",
)


def meet(engine: Engine, model: ModelRow, manner: Manner = KNOWN) -> None:
    with writing(engine) as session:
        row = session.get_one(ModelRow, model.id)
        known = Findings(base_url=row.base_url, model=row.reference, calls=34, seconds=1.5, manner=manner, lines=())
        row.met = known.to_json()


def test_a_measurement_is_asked_as_the_server_was_met_and_says_what_that_is_worth(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, people: People
) -> None:
    """B17: answers that change by load went into every comparison without a word."""
    with serving(right) as server:
        measured = Measured(make, engine, settings, queue, server)
        meet(engine, measured.case.model)
        measured.run()

    assert {call.body.get("seed") for call in server.calls} == {7}
    assert all("temperature" not in call.body for call in server.calls)
    baseline = baseline_of(engine, measured.id)
    assert baseline.model_as is not None
    approved = ModelMeasured(id=1, **MeasuredModel(**baseline.model_as).part())
    assert approved.server == KNOWN.to_json()
    assert ModelMeasured.from_json(approved.to_json()) == approved
    page = people(measured.case.author).get(f"/assessments/{measured.case.assessment.id}/measure").text
    assert "3 of 12 answers changed when the same was asked again" in page
    assert "until 2027-03-01" in page


def test_a_measurement_that_began_before_a_meeting_goes_on_as_it_began(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    with serving(right) as server:
        measured = Measured(make, engine, settings, queue, server)
        measured.id = started(engine, queue, measured.case, variants=("zero_shot",)).id
        meet(engine, measured.case.model)
        measured.run()

    assert all("seed" not in call.body and call.body["temperature"] == 0 for call in server.calls)
    with reading(engine) as session:
        row = store.get(session, measured.id)
        assert looks.before(session, row) is not None
        assert row.model_as is not None
        assert "server" not in row.model_as, "what was approved before there were meetings keeps its digest"
        assert MeasuredModel(**row.model_as).manner == PLAIN
