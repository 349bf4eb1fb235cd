"""A judge as the deciding metric: only with people's agreement, corrected by their labels, shut again when it fails."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.baselines import belonging, deciding_judge, facts, run_control, runs, scored
from app.baselines import job as measuring
from app.baselines import store as baseline_store
from app.baselines.outlines import Known
from app.baselines.tables import AnswerRow
from app.db import reading, utcnow, writing
from app.errors import Conflict, Invalid
from app.evaluation.comparison import Pair
from app.gate import evidence, subject_builder
from app.inference import service as inference
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Failed
from app.judging import deciding
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.deciding import begun, choice, decided, lenient, measured
from tests.support.factories import Make
from tests.support.judged import Judgeable, between, judgeable, says
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
    there = judgeable(make, engine, settings, queue, (model, judge))
    there.write_rubric()
    there.judged()
    with writing(engine) as session:
        row = session.get_one(AssessmentRow, there.case.assessment.id)
        row.answers, row.metric_set_at = {**row.answers, "metric": "llm_judge"}, utcnow()
    return there


def gate(case: Judgeable) -> tuple[Mapping[str, Any], bool, str]:
    """What was measured, whether the criterion on labels locks, and its sentence."""
    with reading(case.engine) as session:
        found = evidence.gather(session, session.get_one(AssessmentRow, case.case.assessment.id))
        advised = evidence.judge(found)
        line = next(one for one in advised.gates if one.id == "G8")
        return found.evidence.to_json(), advised.findings["G8"].locks, f"{line.measured} {line.change}"


def test_a_judge_decides_only_once_enough_labels_agree(case: Judgeable, make: Make, judge: ModelServer) -> None:
    with pytest.raises(Invalid) as early:
        begun(case)
    assert "0 of 50 answers" in str(early.value.errors)
    assert "Label 50 more answers; kappa has to be at least 0.6" in str(early.value.errors)
    case.label(make.author("Lea"), right=lambda output, _: output.endswith(("1", "3", "5")))  # a rule of her own
    assert not choice(case).usable
    with pytest.raises(Invalid, match="cannot start") as refused:
        begun(case)
    assert "at least 0.6 is asked for" in str(refused.value.errors)
    assert len(judge.calls) == case.run(1).spent.calls, "nothing was asked"


@pytest.mark.deep
def test_without_word_from_above_no_judge_decides(case: Judgeable, make: Make) -> None:
    case.label(make.author("Lea"))
    order = case.case.order(metric_options={"judge": choice(case).key}, consents=(case.judge.id,))
    with writing(case.engine) as session, pytest.raises(Invalid) as refused:
        runs.start(session, case.case.assessment.id, order, by=case.case.author)
    assert "No LLM judge can decide yet" in str(refused.value.errors)
    without = case.case.order(metric_options={"judge": choice(case).key})
    known = Known(case.settings, None, deciding.choices)
    with writing(case.engine) as session, pytest.raises(Invalid) as unasked:
        runs.start(session, case.case.assessment.id, without, by=case.case.author, known=known)
    assert "Confirm that rows and answers may be sent to 127.0.0.1" in str(unasked.value.errors)


def test_the_judges_words_are_the_scores_corrected_by_labels_of_prompts_and_of_the_adapter(
    case: Judgeable, make: Make, judge: ModelServer
) -> None:
    case.label(make.author("Lea"))
    assert choice(case).usable
    baseline, claim = measured(case)
    kept = deciding_judge.of(baseline.judge)
    assert kept is not None
    assert (kept.name, kept.counted.total, kept.limit) == ("Judge", 50, 0.6)
    with reading(case.engine) as session:
        assert list(facts.misstated(session, baseline)) == []
        for arm in baseline.arms:
            if arm.dev is None or arm.family not in ("zero_shot", "few_shot_nearest"):
                continue
            rows = session.scalars(select(AnswerRow).where(AnswerRow.arm_id == arm.id, AnswerRow.split == "dev")).all()
            assert {row.score for row in rows} == {0.0, 1.0}
            assert all((row.details or {})["why"] == "Because." for row in rows)
            assert (arm.dev.passed, arm.dev.judge_passed) == (None, sum(row.score or 0 for row in rows))
            truth = sum(row.output.startswith("label-") for row in rows) / arm.dev.n
            assert arm.dev.low <= truth <= arm.dev.high
            assert arm.dev.high - arm.dev.low > 0.25, "40 rows and 50 labels leave more open than 40 rows"
        frozen = subject_builder.snapshot(session, session.get_one(AssessmentRow, case.case.assessment.id)).subject
    assert frozen.baseline is not None
    assert frozen.baseline.judge == kept
    found, locks, sentence = gate(case)
    assert found["judge_holds"] is True
    assert found["judge_labels"] == 50
    assert found["judge_kin"] == "unknown"
    assert "LLM judge" not in sentence or not locks

    with writing(case.engine) as session:
        arm = runs.add_adapter_arm(session, baseline.id, training_id=1, title="Adapter", instructions="Say it.")
    with reading(case.engine) as session:
        row = session.get_one(ModelRow, case.case.model.id)
    asked = len(judge.calls)
    with closing(inference.generator(claim.settings, row)) as generator:
        result = measuring.answer_arm(claim, arm.id, "test", generator)
    assert len(judge.calls) > asked
    assert result.judge_passed is not None
    assert result.passed is None
    with reading(case.engine) as session:
        best = next(one for one in baseline_store.get(session, baseline.id).arms if one.test and one.id != arm.id)
        pairs, left_out = belonging.pairs(session, best.id, arm.id, "test")
        compared = belonging.compared(session, baseline, pairs)
    assert (len(pairs), left_out) == (20, 0)
    assert all(isinstance(pair, Pair) and pair.after in (0, 1) for pair in pairs)
    assert compared.after == pytest.approx(result.score)
    assert compared.delta == pytest.approx(compared.after - compared.before)


def test_the_gate_shuts_when_labels_rubric_or_judge_change(case: Judgeable, make: Make) -> None:
    case.label(make.author("Lea"))
    baseline, claim = measured(case)
    finish_job(case.engine, claim)
    case.label(make.author("Max"))  # of the new measurement's answers
    found, locks, sentence = gate(case)
    assert (found["judge_fault"], locks) == ("labels", True)
    assert "people labelled more since" in sentence
    before = {arm.id: arm.dev for arm in baseline.arms}
    with writing(case.engine) as session:
        deciding.correct(session, baseline.id, by=case.case.author)
    after = baseline_of(case.engine, baseline.id)
    assert after.judge is not None
    labels: Any = after.judge["labels"]
    assert sum(labels) == 100
    assert any(arm.dev != before[arm.id] for arm in after.arms)
    assert gate(case)[0]["judge_holds"] is True
    with reading(case.engine) as session:
        assert list(facts.misstated(session, after)) == []

    with writing(case.engine) as session:
        session.get_one(ModelRow, case.judge.id).reference = "claude-other"
    assert gate(case)[0]["judge_fault"] == "judge"
    with pytest.raises(Failed, match="connection of the LLM judge"):
        scored.scorer_of(claim, after)
    with writing(case.engine) as session:
        session.get_one(ModelRow, case.judge.id).reference = "claude-judge"
    case.label(make.author("Eve"), right=lambda output, target: output != target)  # the other way round
    found, locks, sentence = gate(case)
    assert (found["judge_fault"], locks) == ("kappa", True)
    assert "agrees too little with people" in sentence
    with writing(case.engine) as session, pytest.raises(Conflict, match=r"at least 0\.6"):
        deciding.correct(session, baseline.id, by=case.case.author)
    case.write_rubric("it is short")
    found, locks, _ = gate(case)
    assert (found["judge_fault"], locks) == ("rubric", True)


@pytest.mark.deep
def test_what_the_judge_does_not_say_is_an_error_and_no_wrong_answer(
    case: Judgeable, make: Make, model: ModelServer, judge: ModelServer
) -> None:
    case.label(make.author("Lea"))
    model.calls.clear()
    judge.reply = lambda body: says("maybe") if between(body, "answer").endswith(("2", "7")) else lenient(body)
    baseline = begun(case)
    claim = claim_of(case.engine, case.settings, case.queue, baseline.id)
    with pytest.raises(Failed, match="No variant can be evaluated"):
        measuring.measure(claim)
    finish_job(case.engine, claim)
    with reading(case.engine) as session:
        ids = [arm.id for arm in baseline_store.get(session, baseline.id).arms]
        rows = session.scalars(select(AnswerRow).where(AnswerRow.arm_id.in_(ids))).all()
    unsaid = [row for row in rows if row.output.endswith(("2", "7"))]
    assert unsaid
    assert {(row.status, row.score) for row in unsaid} == {("error", None)}
    assert all("Not judged. The verdict was none of the words" in (row.error or "") for row in unsaid)

    judge.reply = lenient
    with writing(case.engine) as session:
        jobs.bind(session, case.queue)
        runs.resume(session, baseline.id, by=case.case.author)
    measuring.measure(claim_of(case.engine, case.settings, case.queue, baseline.id))
    assert not any(arm.has_errors for arm in baseline_of(case.engine, baseline.id).arms)
    asked = Counter(str(call.body["messages"]) for call in model.calls)
    assert set(asked.values()) == {1}, "what the model answered is scored again, and not asked again"
    with reading(case.engine) as session:
        used = run_control.spent(session, baseline_of(case.engine, baseline.id))
    assert used.calls - used.judge_calls == len(model.calls)


@pytest.mark.deep
def test_the_form_and_the_programs_say_who_may_decide_and_why_not(
    case: Judgeable, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    page = people(case.case.author)
    there = f"/assessments/{case.case.assessment.id}"
    shut = page.get(f"{there}/measure").text
    assert "can&#39;t decide" in shut or "can't decide" in shut
    assert "Label 50 more answers" in shut
    (listed,) = page.get(f"/api/v1{there}/judges").json()["data"]
    assert (listed["usable"], listed["labels"], listed["enough"], listed["limit"]) == (False, 0, 50, 0.6)
    case.label(make.author("Lea"))
    page.get(f"{there}/measure")
    (listed,) = page.get(f"/api/v1{there}/judges").json()["data"]
    assert listed["usable"]
    assert listed["key"] in page.get(f"{there}/measure?model_id={case.case.model.id}").text
    baseline = decided(case)
    shown = page.get(f"/api/v1/baselines/{baseline.id}/judge").json()
    assert shown["holds"] is True
    assert "kappa" in page.get(f"{there}/judging").text
    assert "Scores are corrected by these labels" in page.get(f"{there}/measure").text
    assert page.post(f"{there}/watched", data={"metric": "llm_judge"}).status_code == 422
    case.label(make.author("Max"))
    assert "Correct scores by 100 labels" in page.get(f"{there}/judging").text
    done = page.post(f"/baselines/{baseline.id}/judge/correct", follow_redirects=False)
    assert done.status_code == 303
    assert "Correct scores by" not in page.get(f"{there}/judging").text
