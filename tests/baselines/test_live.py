"""A measurement while it runs: stages, a bar that is full only at the end, and what has come so far."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.baselines import facts, job, live_view, runs, store
from app.baselines.tables import ArmRow, BaselineRow
from app.db import reading, writing
from app.errors import Invalid
from app.jobs import engine as job_engine
from app.jobs.claims import Claim
from app.jobs.tables import JobEventRow
from app.settings import Settings
from tests.support.factories import Make
from tests.support.measured import Case, a_case, claim_of, clever, started
from tests.support.model_server import ModelServer, serving


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(clever) as made:
        yield made


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server, train=30, dev=20, test=20)


@pytest.fixture
def claim(case: Case, engine: Engine, settings: Settings, queue: job_engine.Client) -> Claim:
    return claim_of(engine, settings, queue, started(engine, queue, case).id)


def reports(engine: Engine, job_id: int) -> list[dict[str, Any]]:
    with reading(engine) as session:
        query = select(JobEventRow.body).where(JobEventRow.job_id == job_id, JobEventRow.kind == "progress")
        return [dict(body) for body in session.scalars(query.order_by(JobEventRow.id))]


def test_the_bar_never_goes_back_and_is_full_only_when_nothing_is_left(claim: Claim, engine: Engine) -> None:
    job.measure(claim)

    told = reports(engine, claim.job_id)
    shares = [live_view.share_done(report) for report in told if report.get("total")]
    assert len(shares) > 8
    assert shares == sorted(shares)
    assert max(shares) == 1 - live_view.LAST_PART
    assert told[-1]["split"] == "end"
    assert told[-1]["done"] == told[-1]["total"]
    assert "test" in {report.get("split") for report in told}
    assert all(report["most"] >= report["total"] >= report["done"] for report in told if report.get("total"))


def test_stages_say_what_is_done_now_and_to_come(claim: Claim, engine: Engine) -> None:
    with reading(engine) as session:
        baseline = store.get(session, claim.subject_id)
        arms = {arm.name: arm for arm in baseline.arms}
        waiting = live_view.stages(baseline, {}, running=False)
        starting = live_view.stages(baseline, {"stage": "Starting"}, running=True)
        second = arms["few_shot_random/2"]
        asking = live_view.stages(baseline, {"arm": second.id, "split": "dev"}, running=True)
        ending = live_view.stages(baseline, {"arm": None, "split": "end"}, running=True)

    assert {stage.when for stage in waiting} == {"to come"}
    assert [stage.when for stage in starting[:2]] == ["now", "to come"]
    assert [(stage.name, stage.when) for stage in asking if stage.when == "now"] == [
        ("Few-shot, 3 random (0 of 3)", "now")
    ]
    assert asking[0].when == "done"
    assert asking[-2:] == [live_view.Stage("Test set", "to come"), live_view.Stage("Write results", "to come")]
    assert [stage.when for stage in ending[-2:]] == ["done", "now"]
    assert [stage.name for stage in asking].count("Zero-shot") == 1


def test_the_table_is_sent_anew_when_a_variant_is_through(claim: Claim, engine: Engine) -> None:
    def signature() -> object:
        with reading(engine) as session:
            return live_view.signature(store.get(session, claim.subject_id).arms)

    before = signature()
    with reading(engine) as session:
        zero = next(arm.id for arm in store.get(session, claim.subject_id).arms if arm.name == "nearest_answer")
    job.answer_arm(claim, zero, "dev", None)

    assert signature() != before


def test_only_the_chosen_variants_are_measured_and_the_criteria_miss_the_others(
    case: Case, engine: Engine, settings: Settings, queue: job_engine.Client, server: ModelServer
) -> None:
    baseline = started(engine, queue, case, variants=("zero_shot",))
    job.measure(claim_of(engine, settings, queue, baseline.id))

    with reading(engine) as session:
        stored = session.get_one(BaselineRow, baseline.id)
        families = set(session.scalars(select(ArmRow.family).where(ArmRow.baseline_id == stored.id)))
        evidence = facts.measured(session, case.assessment.id).to_json()["baseline"]
    assert families == {"trivial", "zero_shot"}
    assert evidence["arms"] == ["zero_shot"]
    assert len(server.calls) == 20 + 20


def test_a_run_needs_a_prompt(case: Case, engine: Engine) -> None:
    for variants in ((), ("trivial",), ("zero_shot", "magic")):
        with writing(engine) as session, pytest.raises(Invalid) as refusal:
            runs.start(session, case.assessment.id, case.order(variants=variants), by=case.author)
        assert [error.pointer for error in refusal.value.errors] == ["#/variants"]
