"""The one status: every state, and that the newest event decides."""

from dataclasses import replace
from typing import Any

import pytest

from app.standing.rules import STATES, Baselines, Outcome, Situation, decide
from app.standing.steps import steps

READY = Situation(
    7,
    headline="Fine-tune: the best prompt falls measurably short.",
    why="The best prompt reaches 63.6 %.",
    approach="fine_tune",
    training="ready",
    best=0.636,
    target=0.85,
    data="frozen",
    baselines="done",
    plan="checked",
)
LEANING = replace(
    READY,
    headline="Not yet: measure prompting first.",
    approach="prompt",
    training="locked",
    leaning="fine_tune",
    blockers=("G5", "G6", "G9"),
    act=("Choose variants to run", "measure"),
)
REGRESSED = Outcome("regressed", before=0.636, after=0.008, reaches_target=False)
IMPROVED = Outcome("improved", before=0.636, after=0.9, reaches_target=True)
RUN: dict[str, Any] = {"run": "done", "newest": "run"}

CASES: tuple[tuple[str, str, str, str, Situation], ...] = (
    ("archived", "Archived", "soft", "/assessments/7", replace(READY, archived=True)),
    ("draft", "Draft", "soft", "/assessments/7/describe/goal", Situation(7, answered=False)),
    ("draft", "Needs a target", "open", "/assessments/7/describe/success", replace(LEANING, measured_against=False)),
    ("needs_data", "Needs data", "open", "/assessments/7/data", replace(LEANING, data="none", baselines="none")),
    ("needs_data", "Checking data", "info", "/assessments/7/data", replace(LEANING, data="checking")),
    ("needs_data", "Data rejected", "fail", "/assessments/7/data", replace(LEANING, data="rejected")),
    ("needs_data", "Needs a frozen split", "open", "/assessments/7/data", replace(LEANING, data="ready")),
    ("needs_data", "Personal data undecided", "open", "/assessments/7/data?tab=personal",
     replace(LEANING, data="ready", undecided=True)),
    ("needs_baselines", "Needs baselines", "open", "/assessments/7/measure", replace(LEANING, baselines="none")),
    ("needs_baselines", "Baselines queued", "info", "/assessments/7/measure", replace(LEANING, baselines="queued")),
    ("needs_baselines", "Running baselines", "info", "/assessments/7/measure", replace(LEANING, baselines="running")),
    ("needs_baselines", "Baselines failed", "fail", "/assessments/7/measure", replace(LEANING, baselines="failed")),
    ("not_yet", "Fine-tune: not yet", "open", "/assessments/7/measure", LEANING),
    ("not_yet", "RAG now, training later", "open", "/assessments/7/measure", replace(LEANING, leaning="hybrid")),
    ("not_yet", "Fine-tune: not yet", "open", "/assessments/7/costs",
     replace(LEANING, blockers=("G12",), act=("Calculate costs", "costs"))),
    ("not_yet", "Fine-tune: not yet", "open", "/assessments/7/data",
     replace(LEANING, blockers=("G10",), undecided=True, act=("Decide on personal data", "data"))),
    ("not_yet", "Fine-tune: not yet", "open", "/assessments/7/describe/upkeep",
     replace(LEANING, blockers=("G10",), act=("Settle the rights", "describe/upkeep"))),
    ("decided", "RAG recommended", "info", "/assessments/7/verdict", replace(LEANING, leaning=None, approach="rag")),
    ("decided", "Prompt meets target", "pass", "/assessments/7/verdict", replace(LEANING, leaning=None, met=True)),
    ("decided", "Classifier recommended", "info", "/assessments/7/verdict",
     replace(LEANING, leaning=None, technique="small_classifier")),
    ("ready_for_review", "Needs a training plan", "info", "/assessments/7/plan", replace(READY, plan="none")),
    ("ready_for_review", "Needs a preflight", "info", "/assessments/7/plan", replace(READY, plan="unchecked")),
    ("ready_for_review", "Preflight blocked", "fail", "/assessments/7/plan", replace(READY, plan="blocked")),
    ("ready_for_review", "Ready for review", "info", "/assessments/7/review", READY),
    ("ready_for_review", "Ready for review", "info", "/assessments/7/review", replace(READY, review="expired")),
    ("ready_for_review", "Ready for review", "info", "/assessments/7/review", replace(READY, review="outdated")),
    ("in_review", "In review", "info", "/reviews/3", replace(READY, review="open", review_id=3)),
    ("changes_requested", "Changes requested", "fail", "/reviews/3",
     replace(READY, review="changes_requested", review_id=3)),
    ("approved", "Approved", "pass", "/assessments/7/run", replace(READY, review="approved", review_id=3)),
    ("approved", "Approved", "pass", "/assessments/7/verdict", replace(LEANING, review="approved", review_id=3)),
    ("training", "Training queued", "info", "/assessments/7/run", replace(READY, run="queued", newest="run")),
    ("training", "Training", "info", "/assessments/7/run", replace(READY, run="running", newest="run")),
    ("training", "Evaluating", "info", "/assessments/7/run", replace(READY, run="evaluating", newest="work")),
    ("training_failed", "Training failed", "fail", "/assessments/7/run", replace(READY, run="failed", newest="run")),
    ("training_failed", "Training cancelled", "open", "/assessments/7/run",
     replace(READY, run="cancelled", newest="run")),
    ("training_failed", "Training refused", "fail", "/assessments/7/run",
     replace(READY, run="refused", newest="run")),
    ("improved", "Trained: improved", "pass", "/assessments/7/result", replace(READY, **RUN, outcome=IMPROVED)),
    ("improved", "Trained: improved, short of target", "open", "/assessments/7/plan",
     replace(READY, **RUN, outcome=replace(IMPROVED, after=0.7, reaches_target=False))),
    ("improved", "Trained: improved, short of target, checks fail", "open", "/assessments/7/plan",
     replace(READY, **RUN, outcome=replace(IMPROVED, after=0.7, reaches_target=False, failing=2))),
    ("regressed", "Trained: regressed, checks fail", "fail", "/assessments/7/plan",
     replace(READY, **RUN, outcome=replace(REGRESSED, failing=1))),
    ("not_better", "Trained: not better", "open", "/assessments/7/plan",
     replace(READY, **RUN, outcome=Outcome("not better"))),
    ("regressed", "Trained: regressed", "fail", "/assessments/7/plan", replace(READY, **RUN, outcome=REGRESSED)),
    ("inconclusive", "Trained: inconclusive", "open", "/assessments/7/result",
     replace(READY, **RUN, outcome=Outcome("inconclusive"))),
    ("inconclusive", "Trained: inconclusive", "open", "/assessments/7/result", replace(READY, **RUN)),
)  # fmt: skip


@pytest.mark.parametrize(("state", "label", "tone", "url", "now"), CASES)
def test_each_state_has_its_label_tone_and_next_step(
    state: str, label: str, tone: str, url: str, now: Situation
) -> None:
    standing = decide(now)

    assert (standing.state, standing.label, standing.tone, standing.action.url) == (state, label, tone, url)
    assert standing.action.label
    assert standing.sentence.endswith(".")
    assert (standing.best, standing.target) == (now.best, now.target)


def test_every_state_is_reached() -> None:
    assert {state for state, *_ in CASES} == set(STATES)


def test_after_a_regression_the_numbers_are_named() -> None:
    standing = decide(replace(READY, **RUN, outcome=REGRESSED))

    assert standing.sentence == "Trained: regressed. The adapter scores 0.8 %, the best prompt 63.6 %."


@pytest.mark.parametrize(
    "later",
    [
        {"newest": "run", "run": "failed"},
        {"newest": "work"},
        {"newest": "work", "review": "outdated", "review_id": 4},
        {"newest": "review", "review": "open", "review_id": 4},
        {"newest": "review", "review": "approved", "review_id": 4},
        {"newest": "work", "training": "locked", "leaning": "fine_tune", "blockers": ("G6",)},
        {"newest": "work", "training": "locked", "met": True},
        {"newest": "run"},
    ],
)
@pytest.mark.parametrize("verdict", ["regressed", "not better", "inconclusive"])
def test_nothing_is_green_after_a_run_that_did_not_improve(later: dict[str, Any], verdict: str) -> None:
    before = replace(READY, run="done", outcome=replace(REGRESSED, verdict=verdict))

    standing = decide(replace(before, **later))

    assert standing.tone != "pass"
    if later["newest"] != "run" or later.get("run"):
        assert f"The last result: {verdict}" in standing.why


def test_a_review_that_came_after_the_result_decides_and_an_older_one_does_not() -> None:
    after = replace(READY, run="done", outcome=REGRESSED, review="open", review_id=4)

    assert decide(replace(after, newest="review")).state == "in_review"
    assert decide(replace(after, newest="run")).state == "regressed"


def test_an_edit_after_the_result_leads_back_to_work() -> None:
    assert decide(replace(READY, run="done", outcome=REGRESSED, newest="work")).state == "ready_for_review"


def test_two_models_are_named_wherever_their_scores_would_be_compared() -> None:
    apart = replace(READY, measured_on="Large", trains_on="Small")
    expected = "Baselines ran on Large, training on Small: the scores are not comparable."

    for now in (apart, replace(apart, review="approved", review_id=1), replace(apart, **RUN, outcome=IMPROVED)):
        assert expected in decide(now).why


def test_another_model_measured_leads_to_a_run_on_the_one_to_train() -> None:
    found = decide(replace(LEANING, measured_on="Large", trains_on="Small", base=4))

    assert found.action.label == "Run baselines on Small"
    assert found.action.url == "/assessments/7/measure?model_id=4#model_id"
    assert found.why == "Baselines ran on Large, training on Small: the scores are not comparable."


@pytest.mark.parametrize("state", ["running", "stopped", "failed"])
def test_a_measurement_without_a_result_is_named_in_its_step_as_it_is(state: Baselines) -> None:
    step = next(one for one in steps(replace(LEANING, baselines=state, best=None, variants=1)) if one.slug == "measure")

    assert (step.state, step.done) == (state, False)


@pytest.mark.parametrize("settled", [READY, replace(LEANING, leaning=None, technique="small_classifier")])
def test_while_baselines_run_nothing_is_recommended(settled: Situation) -> None:
    found = decide(replace(settled, baselines="running"))

    assert (found.label, found.action.label) == ("Running baselines", "Watch the run")


def test_a_review_that_waits_names_the_advice_as_it_stands() -> None:
    found = decide(replace(READY, review="open", review_id=3, newest="review"))

    assert (found.sentence, found.why) == ("Waiting for a reviewer.", READY.headline)


def test_a_prompt_that_nobody_measured_is_measured_next() -> None:
    unmeasured = replace(LEANING, leaning=None, technique="small_classifier", baselines="none")

    found = decide(replace(unmeasured, data="ready"))

    assert (found.label, found.action.label) == ("Prompt recommended", "Freeze the split")
    assert decide(unmeasured).action.label == "Run baselines"
