"""Each gate at its edges, and that what is unknown locks."""

from typing import Any

import pytest

from app.advice.case import parse
from app.advice.gates import Gate
from app.advice.verdict import advise
from tests.advice.golden import FACTS, KNOWLEDGE_ARMS, USUAL, case

Json = dict[str, Any]
PATH = {"goals": ["efficiency"], "main_goal": "efficiency"}
PAYS = {"cost_case": "pass", "teacher": {"passed": 390, "total": 400}}


def gate(name: str, data: Json) -> Gate:
    return next(found for found in advise(parse(data)).gates if found.id == name)


@pytest.mark.parametrize(
    ("name", "answers", "measured", "state"),
    [
        ("G1", {}, {"usable_examples": 1000}, "pass"),
        ("G1", {}, {"usable_examples": 999}, "fail"),
        ("G1", {"examples_declared": 5000}, {"usable_examples": None, "uploaded_examples": None}, "unknown"),
        ("G1", {"examples_declared": 999}, {"usable_examples": None, "uploaded_examples": None}, "fail"),
        ("G1", {}, {"usable_examples": None, "uploaded_examples": 999}, "fail"),
        ("G2", {"goals": ["facts", "style"], "main_goal": "facts"}, {"rows_carry_context": True}, "fail"),
        ("G2", {"goals": ["facts", "style"]}, {"oracle_gain": 0.0999}, "pass"),
        ("G2", {"goals": ["facts", "style"]}, {"oracle_gain": 0.1}, "fail"),
        ("G2", {"goals": ["facts", "style"]}, {"oracle_gain": 0.3, "rows_carry_context": True}, "pass"),
        ("G2", {"goals": ["facts", "style"]}, {"oracle_gain": None, "rows_carry_context": True}, "pass"),
        ("G2", {"goals": ["facts", "style"]}, {"oracle_gain": None}, "unknown"),
        ("G2", {"goals": ["facts", "style"], "main_goal": None}, {}, "unknown"),
        ("G2", {"fact_change": "daily"}, {"rows_carry_context": True}, "fail"),
        ("G2", {"fact_change": "monthly", "corpus_tokens": 5000}, {"oracle_gain": None}, "unknown"),
        ("G2", {"fact_change": "none"}, {"oracle_gain": None}, "pass"),
        ("G2", {}, {"oracle_gain": None, "failure_causes": FACTS}, "fail"),
        ("G10", {}, {"identifiers_decided": True}, "pass"),
        ("G10", {}, {"identifiers_decided": False}, "fail"),
        ("G10", {"training_rights": None}, {"identifiers_decided": True}, "unknown"),
        ("G3", {"recurrence": "once"}, {}, "fail"),
        ("G3", {"recurrence": None}, {}, "unknown"),
        ("G3", {"calls_per_month": None}, {}, "unknown"),
        ("G3", {"calls_per_month": 1666}, {}, "fail"),
        ("G3", {"calls_per_month": 1667}, {}, "pass"),
        ("G3", {"calls_per_month": 1667}, {"usable_examples": 100_000}, "pass"),
        ("G3", {"calls_per_month": 900}, {"usable_examples": 534}, "pass"),
        ("G4", {}, {"test_rows": 200}, "pass"),
        ("G4", {}, {"test_rows": 199}, "fail"),
        ("G4", {}, {"test_overlap_rows": 1}, "fail"),
        ("G4", {}, {"test_overlap_rows": None}, "unknown"),
        ("G4", {}, {"test_human_checked": None}, "unknown"),
        ("G4", {"holdout": "no"}, {}, "pass"),
        ("G4", {"holdout": "no"}, {"test_rows": None}, "fail"),
        ("G4", {}, {"test_rows": None}, "unknown"),
        ("G5", {}, {"baseline": {"revised": False}}, "fail"),
        ("G5", {}, {"baseline": {"arms": ["zero_shot", "few_shot_nearest"]}}, "fail"),
        ("G5", {"checker_helps": "most"}, {}, "pass"),
        ("G5", {"goals": ["format"], "main_goal": "format", "checker_helps": "most"}, {}, "fail"),
        ("G5", {"goals": ["style", "facts"]}, {}, "fail"),
        ("G5", {"goals": ["style", "facts"]}, {"baseline": {"arms": KNOWLEDGE_ARMS}}, "pass"),
        ("G5", {}, {"baseline": {"error_rate": 0.02}}, "pass"),
        ("G5", {}, {"baseline": {"error_rate": 0.021}}, "unknown"),
        ("G5", {}, {"baseline": {"error_rate": None}}, "unknown"),
        ("G6", {}, {"baseline": {"error_rate": 0.021}}, "unknown"),
        ("G6", {}, {"baseline": {"passed": 0, "total": 0}}, "unknown"),
        ("G6", {"target": None}, {}, "unknown"),
        ("G6", {}, {"baseline": {"passed": 348}}, "pass"),
        ("G6", {}, {"baseline": {"passed": 349}}, "fail"),
        ("G6", {}, {"baseline": {"passed": 360}}, "fail"),
        ("G6", PATH, {"cost_case": "pass"}, "unknown"),
        ("G6", PATH, PAYS, "pass"),
        ("G6", PATH, {**PAYS, "teacher": {"passed": 300, "total": 400}}, "fail"),
        ("G6", PATH, {**PAYS, "baseline": {"passed": 380}}, "fail"),
        ("G7", {"metric": None}, {}, "fail"),
        ("G7", {"target": None}, {}, "fail"),
        ("G7", {}, {"metric_set_before_baseline": False}, "fail"),
        ("G7", {}, {"metric_set_before_baseline": None}, "unknown"),
        ("G8", {}, {"contradiction_rate": 0.05}, "pass"),
        ("G8", {}, {"contradiction_rate": 0.051}, "fail"),
        ("G8", {}, {"agreement_kappa": 0.6}, "pass"),
        ("G8", {"label_agreement": "high"}, {"agreement_kappa": 0.59}, "fail"),
        ("G8", {"label_agreement": "low"}, {}, "pass"),
        ("G8", {"label_agreement": "low"}, {"agreement_kappa": None}, "fail"),
        ("G8", {"label_agreement": None}, {"agreement_kappa": None}, "pass"),
        ("G8", {"label_agreement": None}, {"agreement_kappa": None, "contradiction_rate": None}, "unknown"),
        ("G8", {"label_agreement": "medium"}, {"agreement_kappa": None, "contradiction_rate": None}, "pass"),
        ("G9", {}, {"failure_causes": {"behaviour": 30}}, "pass"),
        ("G9", {}, {"failure_causes": {"behaviour": 29}}, "unknown"),
        ("G9", {}, {"failure_causes": {"behaviour": 30, "facts": 10}}, "pass"),
        ("G9", {}, {"failure_causes": {"behaviour": 29, "facts": 11}}, "fail"),
        ("G9", {}, {"failure_causes": {"behaviour": 29, "instructions": 11}}, "fail"),
        ("G9", {}, {"failure_causes": {"behaviour": 35, "reference": 5}}, "fail"),
        ("G9", {"goals": ["reasoning"], "main_goal": "reasoning"}, {}, "fail"),
        ("G9", {"goals": None, "main_goal": None}, {}, "unknown"),
        ("G9", PATH, {**PAYS, "failure_causes": None}, "not_applicable"),
        ("G9", PATH, {**PAYS, "failure_causes": FACTS}, "fail"),
        ("G9", {"goals": ["style", "efficiency"]}, {**PAYS, "failure_causes": None}, "not_applicable"),
        ("G9", {"goals": ["style", "efficiency"]}, {"cost_case": "pass", "failure_causes": None}, "unknown"),
        ("G6", {"goals": ["style", "efficiency"]}, {**PAYS, "teacher": {"passed": 300, "total": 400}}, "pass"),
        ("G10", {"training_rights": "no"}, {}, "fail"),
        ("G10", {"training_rights": None}, {}, "unknown"),
        ("G11", {"owner": None}, {}, "fail"),
        ("G11", {"owner": "unknown"}, {}, "unknown"),
        ("G12", {}, {"cost_case": "fail"}, "not_applicable"),
        ("G12", PATH, {"cost_case": "fail"}, "fail"),
        ("G12", PATH, {"cost_case": "not_goal"}, "unknown"),
        ("G12", PATH, {"cost_case": None}, "unknown"),
        ("G12", {"goals": ["style", "efficiency"], "main_goal": None}, {"cost_case": None}, "unknown"),
    ],
)
def test_the_state_of_a_gate(name: str, answers: Json, measured: Json, state: str) -> None:
    assert gate(name, case(answers, measured)).state == state


WITHOUT = [*USUAL["measured"], "goals", "owner", "training_rights", "recurrence", "calls_per_month", "metric", "target"]
HARMLESS = {
    "uploaded_examples",
    "agreement_kappa",
    "contradiction_rate",
    "teacher",
    "winning_prompt_tokens",
    "cost_case",
}
BACKED_UP = {"oracle_gain", "rows_carry_context"}  # no outside facts are needed, people said


@pytest.mark.parametrize("key", [key for key in WITHOUT if key not in HARMLESS | BACKED_UP])
def test_what_is_not_known_locks(key: str) -> None:
    assert advise(parse(case())).training == "ready"
    drop = (key, "main_goal") if key == "goals" else (key,)

    assert advise(parse(case(drop=drop))).training == "locked"


def test_how_a_value_is_known_is_said() -> None:
    hows = {found.id: found.how for found in advise(parse(case())).gates}

    assert {name for name, how in hows.items() if how == "declared"} == {"G3", "G10", "G11"}


def test_the_fail_text_counts_what_is_missing() -> None:
    found = gate("G1", case(measured={"uploaded_examples": 1200, "usable_examples": 720}))

    assert found.measured == "720 usable examples of 1,200 uploaded, test rows not counted."
    assert "About 280 more examples" in found.change
    assert "Best so far: instructions with the nearest examples, 74.0 %." in found.meanwhile


def test_an_unclear_result_says_how_many_rows_would_settle_it() -> None:
    found = gate("G6", case({"target": 0.85}, {"baseline": {"passed": 48, "total": 60}}))

    assert "80.0 % (68.2-88.2 %) on 60 rows" in found.measured
    assert found.change == "Add about 150 test rows to know."


def test_the_message_order_is_by_cost_for_the_user() -> None:
    advice = advise(parse({}))

    assert [blocker.id for blocker in advice.blockers][:3] == ["G7", "G5", "G6"]
