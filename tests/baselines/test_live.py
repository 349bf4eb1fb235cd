"""A measurement while it runs: stages, a bar that is full only at the end, and what has come so far."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, select

from app.baselines import ahead, answer_store, facts, job, live_state, live_store, live_view, runs, standing, store
from app.baselines.tables import ArmRow, BaselineRow
from app.db import reading, utcnow, writing
from app.errors import Invalid
from app.jobs import engine as job_engine
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.progress import Progress, SpentSoFar
from app.jobs.tables import JobEventRow
from app.settings import Settings
from app.web.protocols import CallPrice
from tests.support.factories import Make
from tests.support.loose import loose
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


def reports(engine: Engine, job_id: int) -> list[Any]:
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


def test_the_time_left_after_a_restart_is_of_the_rows_that_are_left(claim: Claim, engine: Engine) -> None:
    job.measure(claim)
    with writing(engine) as session:  # as if it had been killed three answers before its end
        baseline = store.get(session, claim.subject_id)
        best = standing.best(baseline)
        assert best is not None
        best.test, baseline.concluded_at = None, None
        for answer in answer_store.answers(session, best.id, "test")[-8:]:
            session.delete(answer)
        session.execute(delete(JobEventRow))

    job.measure(claim)

    on_test = [told for told in reports(engine, claim.job_id) if told.get("split") == "test"]
    assert on_test[0]["total"] - on_test[0]["done"] == 8


def test_a_run_that_only_another_model_has_to_go_on_with_counts_its_rows(
    case: Case, server: ModelServer, make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    other = make.model(name="Other", kind="endpoint", base_url=server.url, reference="other", files={})
    chosen = ("zero_shot", f"stronger_model/{other.id}/zero_shot")
    claim = claim_of(engine, settings, queue, started(engine, queue, case, arms=chosen, consents=(other.id,)).id)
    job.measure(claim)
    with writing(engine) as session:
        beside = next(arm for arm in store.get(session, claim.subject_id).arms if arm.family == "stronger_model")
        assert beside.test is not None
        beside.test = None
        for answer in answer_store.answers(session, beside.id, "test")[-8:]:
            session.delete(answer)
    with reading(engine) as session:
        meter = ahead.meter(claim, session, store.get(session, claim.subject_id))

    assert (meter.total, meter.most) == (8, 8)


def test_what_a_lost_attempt_had_left_is_not_said_of_the_next_one(claim: Claim, engine: Engine) -> None:
    claim.report({"stage": "Zero-shot", "done": 3, "total": 9, "rate": 2.0, "seconds_left": 3.0}, now=True)
    with writing(engine) as session:
        assert job_store.claim(session, claim.job_id, "another", utcnow()) == 2
        assert job_store.get(session, claim.job_id).progress == {"stage": "Zero-shot", "done": 3, "total": 9}


def test_what_asks_no_model_says_nothing_of_the_speed(claim: Claim, engine: Engine) -> None:
    with reading(engine) as session:
        free = next(arm.id for arm in store.get(session, claim.subject_id).arms if arm.name == "nearest_answer")
    job.answer_arm(claim, free, "dev", None)

    assert all("seconds_left" not in told for told in reports(engine, claim.job_id))


def test_a_run_says_what_it_took_how_far_each_variant_is_and_what_failed(claim: Claim, engine: Engine) -> None:
    job.measure(claim)
    with writing(engine) as session:
        arms = {arm.name: arm for arm in store.get(session, claim.subject_id).arms}
        zero, nearest = arms["zero_shot"], arms["few_shot_nearest"]
        for answer in answer_store.answers(session, nearest.id, "dev")[:4]:
            answer.status, answer.score, answer.error = "error", None, "The server said 500."
        nearest.dev = None

    progress: Progress = {"arm": nearest.id, "split": "dev", "done": 60, "rate": 2.5, "seconds_left": 12.0}
    with reading(engine) as session:
        baseline = store.get(session, claim.subject_id)
        so_far = live_store.so_far(session, [arm.id for arm in baseline.arms])
        listed = live_view.arm_lines(baseline, progress, so_far, dev_rows=20, test_rows=20)
        lines = {line.label: line for line in listed}
        used = answer_store.used(session, live_view.asked(baseline))
        prices = {baseline.model_id: CallPrice(1.0, 1.0, "EUR")}
        figures = live_view.figures(baseline, progress, used, prices)
        unpriced = live_view.figures(baseline, progress, used, {})
        failing = live_store.failing(session, [arm.id for arm in baseline.arms], 3)
        stages = live_view.stages(baseline, progress, running=True, so_far=so_far)

    line = lines[nearest.label]
    assert (line.answered, line.rows, line.errors, line.state) == (20, 20, 4, "now")
    assert lines[zero.label].state == "done"
    assert figures.tokens > 0
    assert figures.money == pytest.approx(figures.tokens / 1e6)
    assert (figures.rate_text, figures.currency, figures.paused, unpriced.money) == ("2.5", "EUR", False, None)
    assert [(one.error, one.rows, one.arm_id) for one in failing] == [("The server said 500.", 4, nearest.id)]
    assert next(stage.note for stage in stages if stage.when == "now").endswith("of 16 so far")
    spent: SpentSoFar = {"tokens": 7, "money": 0.5, "currency": "USD"}
    kept = live_view.figures(baseline, {**progress, "spent": spent}, used, prices)
    assert (kept.tokens, kept.money, kept.currency) == (7, 0.5, "USD")


def test_the_page_of_a_run_asks_the_same_however_much_is_answered(claim: Claim, engine: Engine) -> None:
    """It is drawn anew every second for everybody who looks."""

    def statements() -> list[str]:
        asked: list[str] = []
        note = asked_into(asked)
        with reading(engine) as session:
            baseline = store.get(session, claim.subject_id)
            running = runs.last_job(session, baseline)
            assert running is not None
            event.listen(engine, "before_cursor_execute", note)
            live_state.values(session, baseline, running, {}, lost_after=30)
            event.remove(engine, "before_cursor_execute", note)
        return asked

    before = statements()
    job.measure(claim)
    after = statements()

    assert len(before) <= len(after) <= 10
    texts = [one for one in after if "answers.output" in one and "length(" not in one]  # sums read no text into here
    assert all("LIMIT" in one for one in texts)


def asked_into(asked: list[str]) -> Callable[..., None]:
    return lambda *given: asked.append(given[2])


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
        evidence = loose(facts.measured(session, case.assessment.id).to_json())["baseline"]
    assert families == {"trivial", "zero_shot"}
    assert evidence["arms"] == ["zero_shot"]
    assert len(server.calls) == 20 + 20


def test_a_run_needs_a_prompt(case: Case, engine: Engine) -> None:
    for variants in ((), ("trivial",), ("zero_shot", "magic")):
        with writing(engine) as session, pytest.raises(Invalid) as refusal:
            runs.start(session, case.assessment.id, case.order(variants=variants), by=case.author)
        assert [error.pointer for error in refusal.value.errors] == ["#/variants"]
