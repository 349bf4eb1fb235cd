"""Calls of a judge that decides: in the estimate, in what was spent, and under the budget."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.baselines import job as measuring
from app.baselines import planning, run_control, runs
from app.baselines.outlines import Known
from app.baselines.spending import Budget, Spent
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow, JudgeCallRow
from app.db import reading, utcnow, writing
from app.errors import Invalid
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim, Ended
from app.judging import deciding
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.deciding import begun, choice, lenient
from tests.support.factories import Make
from tests.support.judged import Judgeable, judgeable
from tests.support.measured import baseline_of, claim_of, clever, finish_job
from tests.support.model_server import ModelServer
from tests.support.optimised import serve


@pytest.fixture
def model() -> Iterator[ModelServer]:
    yield from serve(clever)


@pytest.fixture
def judge() -> Iterator[ModelServer]:
    yield from serve(lenient)


@pytest.fixture
def case(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, model: ModelServer, judge: ModelServer
) -> Judgeable:
    """A judge that people agree with, and no call counted of what it took to find out."""
    there = judgeable(make, engine, settings, queue, (model, judge))
    there.write_rubric()
    there.judged()
    with writing(engine) as session:
        row = session.get_one(AssessmentRow, there.case.assessment.id)
        row.answers, row.metric_set_at = {**row.answers, "metric": "llm_judge"}, utcnow()
    there.label(make.author("Lea"))
    model.calls.clear()
    judge.calls.clear()
    return there


def claimed(case: Judgeable, baseline: BaselineRow) -> Claim:
    return claim_of(case.engine, case.settings, case.queue, baseline.id)


def resumed(case: Judgeable, claim: Claim, more: Budget) -> Claim:
    finish_job(case.engine, claim)
    with writing(case.engine) as session:
        jobs.bind(session, case.queue)
        baseline = runs.resume(session, claim.subject_id, by=case.case.author, more=more)
    return claimed(case, baseline)


def spent(case: Judgeable, baseline_id: int) -> Spent:
    with reading(case.engine) as session:
        return run_control.spent(session, baseline_of(case.engine, baseline_id))


def unscored(case: Judgeable, baseline_id: int) -> int:
    with reading(case.engine) as session:
        mine = select(ArmRow.id).where(ArmRow.baseline_id == baseline_id)
        rows = session.scalars(select(AnswerRow).where(AnswerRow.arm_id.in_(mine), AnswerRow.score.is_(None)))
        return len(rows.all())


@pytest.mark.deep
def test_the_estimate_holds_a_judgement_for_every_answer(
    case: Judgeable, model: ModelServer, judge: ModelServer
) -> None:
    order = case.case.order(
        metric_options={"judge": choice(case).key},
        variants=("zero_shot", "few_shot_nearest"),
        consents=(case.judge.id,),
    )
    with reading(case.engine) as session:
        known = Known(case.settings, None, deciding.choices)
        estimate = planning.plan(session, case.case.assessment.id, order, known).estimate
    baseline = begun(case)
    measuring.measure(claimed(case, baseline))

    answered = len(model.calls)
    assert estimate.calls - estimate.judge_calls <= answered <= estimate.most_calls
    assert answered <= len(judge.calls) + 60, "answers without a model are judged, too, alike ones once"
    assert len(judge.calls) <= estimate.judge_calls + (estimate.most_calls - estimate.calls)
    assert estimate.judge_calls > estimate.calls / 2
    came = spent(case, baseline.id)
    assert (came.calls, came.judge_calls) == (answered + len(judge.calls), len(judge.calls))
    assert max(Counter(str(call.body["messages"]) for call in judge.calls).values()) == 1, "the same is asked once"


@pytest.mark.parametrize("calls", [77, pytest.param(40, marks=pytest.mark.deep)])
def test_a_budget_in_calls_counts_the_judge_and_stops_with_every_answer_judged(
    case: Judgeable, model: ModelServer, judge: ModelServer, calls: int
) -> None:
    baseline = begun(case, budget_calls=float(calls))
    claim = claimed(case, baseline)
    with pytest.raises(Ended, match=f"The budget of {calls} calls is used up"):
        measuring.measure(claim)

    asked = len(model.calls) + len(judge.calls)
    assert calls - 20 <= asked <= calls
    assert spent(case, baseline.id).calls == asked
    assert unscored(case, baseline.id) == 0

    more = resumed(case, claim, Budget(calls=5_000))
    measuring.measure(more)
    assert baseline_of(case.engine, baseline.id).concluded_at is not None
    assert spent(case, baseline.id).calls == len(model.calls) + len(judge.calls)
    for server in (model, judge):
        assert max(Counter(str(call.body["messages"]) for call in server.calls).values()) == 1, "nothing is asked twice"


@pytest.mark.deep
def test_tokens_and_money_count_the_judge(case: Judgeable, model: ModelServer, judge: ModelServer) -> None:
    with pytest.raises(Invalid) as refused:
        begun(case, budget_money=1.0, price_in=1.0, price_out=1.0)
    assert "There is no price for Judge" in str(refused.value.errors)
    baseline = begun(case, budget_tokens=600.0)
    with pytest.raises(Ended, match="The budget of 600 tokens is used up"):
        measuring.measure(claimed(case, baseline))

    came = spent(case, baseline.id)
    assert came.judge_tokens > 0
    assert came.tokens <= 600
    assert came.tokens >= 600 - 20 * (came.a_call("tokens") + came.a_judgement("tokens"))
    assert unscored(case, baseline.id) == 0


@pytest.mark.deep
def test_answers_of_earlier_runs_cost_only_their_judgement(
    case: Judgeable, model: ModelServer, judge: ModelServer
) -> None:
    first = begun(case)
    claim = claimed(case, first)
    measuring.measure(claim)
    finish_job(case.engine, claim)
    model.calls.clear()
    judge.calls.clear()
    second = begun(case, budget_calls=25.0)
    claim = claimed(case, second)
    with pytest.raises(Ended, match="The budget of 25 calls is used up"):
        measuring.measure(claim)

    assert not model.calls
    assert len(judge.calls) == 25 == spent(case, second.id).calls
    assert unscored(case, second.id) == 0
    with reading(case.engine) as session:
        mine = select(ArmRow.id).where(ArmRow.baseline_id == second.id)
        assert len(session.scalars(select(JudgeCallRow).where(JudgeCallRow.arm_id.in_(mine))).all()) == 25


@pytest.mark.deep
def test_a_program_and_the_page_say_what_the_judge_takes(
    case: Judgeable, people: Callable[[UserRow], TestClient], judge: ModelServer
) -> None:
    page, there = people(case.case.author), f"/assessments/{case.case.assessment.id}"
    typed = {
        "model_id": str(case.case.model.id),
        "instructions": "Answer.",
        "consent": "on",
        "variants": ["zero_shot"],
        "option_judge": choice(case).key,
        f"also-{case.judge.id}": "on",
    }
    shown = page.post(f"{there}/measure/estimate", data=typed, headers={"HX-Request": "true"}).text
    assert "of the LLM judge among them" in shown
    baseline = begun(case)
    claim = claimed(case, baseline)
    measuring.measure(claim)
    finish_job(case.engine, claim)
    told = page.get(f"/api/v1/baselines/{baseline.id}").json()["spent"]
    assert told["judge_calls"] == len(judge.calls) < told["calls"]
