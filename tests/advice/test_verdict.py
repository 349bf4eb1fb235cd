"""The ordered rules on cases beyond the golden ones, the techniques, and the confidence."""

from typing import Any

import pytest

from app.advice.case import parse
from app.advice.policy import Points
from app.advice.policy_file import POLICY
from app.advice.verdict import Advice, advise
from tests.support.golden import FACTS, KNOWLEDGE_ARMS, USUAL, case

Json = dict[str, Any]
KNOWS = {"goals": ["facts"], "main_goal": "facts", "fact_change": "yearly", "corpus_tokens": 120_000}
KNOWN = {"baseline": {"arms": KNOWLEDGE_ARMS}, "oracle_gain": 0.3, "failure_causes": FACTS}
CHEAPER = {"goals": ["efficiency"], "main_goal": "efficiency", "calls_per_month": 5_000_000}


def verdict(advice: Advice) -> tuple[str, str, str | None, str | None]:
    return advice.approach, advice.training, advice.leaning, advice.technique


@pytest.mark.parametrize(
    ("answers", "measured", "expected"),
    [
        # 1: a one-off
        ({"recurrence": "once"}, {}, ("prompt", "locked", None, "batch_tier")),
        ({"recurrence": "once", "latency": "tight"}, {}, ("prompt", "locked", None, None)),
        ({"recurrence": "once"}, {"baseline": {"passed": 390}}, ("prompt", "locked", None, "batch_tier")),
        ({**KNOWS, "recurrence": "once"}, KNOWN, ("rag", "locked", None, None)),
        ({"recurrence": "once"}, {"failure_causes": FACTS}, ("rag", "locked", None, None)),
        ({"recurrence": "once"}, {"oracle_gain": 0.1}, ("rag", "locked", None, None)),
        # 2: the best arm met the target
        ({}, {"baseline": {"passed": 390}}, ("prompt", "locked", None, None)),
        (
            {**KNOWS, "goals": ["facts", "style"]},
            {**KNOWN, "baseline": {"arms": KNOWLEDGE_ARMS, "best_arm": "rag", "passed": 390}},
            ("rag", "locked", None, None),
        ),
        (
            {},
            {"baseline": {"arms": ["zero_shot", "schema"], "best_arm": "schema", "passed": 390}},
            ("prompt", "locked", None, "schema"),
        ),
        (
            {"goals": ["classify"], "main_goal": "classify"},
            {"baseline": {"arms": ["small_classifier"], "best_arm": "small_classifier", "passed": 390}},
            ("prompt", "locked", None, "small_classifier"),
        ),
        (
            {"goals": ["classify"], "main_goal": "classify"},
            {"baseline": {"arms": ["label_scoring"], "best_arm": "label_scoring", "passed": 390}},
            ("prompt", "locked", None, "label_scoring"),
        ),
        ({}, {"baseline": {"passed": None, "total": None, "score": 0.93, "low": 0.91, "high": 0.95}},
         ("prompt", "locked", None, None)),
        (CHEAPER, {"baseline": {"passed": 390}, "cost_case": "fail"}, ("prompt", "locked", None, "batch_tier")),
        (
            {**CHEAPER, "latency": "tight"},
            {"baseline": {"passed": 390}, "cost_case": "fail"},
            ("prompt", "locked", None, "prompt_caching"),
        ),
        # 2 and efficiency that pays: on to rule 5, where the small model's own success locks
        (CHEAPER, {"baseline": {"passed": 390}, "cost_case": "pass"}, ("prompt", "locked", "fine_tune", None)),
        # 3: knowledge alone
        (KNOWS, KNOWN, ("prompt", "locked", None, "whole_corpus_in_context")),
        ({**KNOWS, "corpus_tokens": 200_000}, KNOWN, ("prompt", "locked", None, "whole_corpus_in_context")),
        ({**KNOWS, "corpus_tokens": 200_001}, KNOWN, ("rag", "locked", None, None)),
        ({**KNOWS, "corpus_tokens": 900_000, "context_window": 1_000_000}, KNOWN,
         ("prompt", "locked", None, "whole_corpus_in_context")),
        ({**KNOWS, "fact_change": "daily"}, KNOWN, ("rag", "locked", None, None)),
        ({**KNOWS, "fact_change": "hourly"}, KNOWN, ("rag", "locked", None, None)),
        ({**KNOWS, "access_rights": "some"}, KNOWN, ("rag", "locked", None, None)),
        ({**KNOWS, "access_rights": "unknown"}, KNOWN, ("rag", "locked", None, None)),
        ({**KNOWS, "corpus_tokens": None}, KNOWN, ("rag", "locked", None, None)),
        ({**KNOWS, "corpus_tokens": 0}, KNOWN, ("rag", "locked", None, None)),
        # 4: both
        (
            {**KNOWS, "goals": ["facts", "style"], "main_goal": "style"},
            {"baseline": {"arms": KNOWLEDGE_ARMS}, "oracle_gain": 0.3, "rows_carry_context": True},
            ("hybrid", "ready", None, None),
        ),
        (
            {**KNOWS, "goals": ["facts", "style"], "main_goal": "style"},
            {"baseline": {"arms": KNOWLEDGE_ARMS}, "oracle_gain": 0.3, "rows_carry_context": False},
            ("rag", "locked", "hybrid", None),
        ),
        (
            {**KNOWS, "goals": ["facts", "style"], "main_goal": "facts"},
            {"baseline": {"arms": KNOWLEDGE_ARMS}, "oracle_gain": 0.3, "rows_carry_context": True},
            ("rag", "locked", "hybrid", None),
        ),
        # 5: behaviour or efficiency
        ({"definition_changes": "monthly"}, {"usable_examples": 900}, ("prompt", "locked", None, None)),
        ({"definition_changes": "monthly"}, {}, ("fine_tune", "ready", None, None)),
        ({}, {"contradiction_rate": 0.12, "agreement_kappa": 0.41}, ("prompt", "locked", "fine_tune", None)),
        (CHEAPER, {"cost_case": "pass"}, ("prompt", "locked", "fine_tune", None)),
        (CHEAPER, {"cost_case": "pass", "teacher": {"passed": 390, "total": 400}},
         ("fine_tune", "ready", None, "distil")),
        (CHEAPER, {"cost_case": "fail", "teacher": {"passed": 390, "total": 400}},
         ("prompt", "locked", "fine_tune", "batch_tier")),
        ({"goals": ["format"], "main_goal": "format", "checker_helps": "most"}, {},
         ("prompt", "locked", "fine_tune", "schema")),
        ({"language_fit": "weak"}, {}, ("fine_tune", "ready", None, None)),
        ({"stakes": "high"}, {}, ("fine_tune", "ready", None, None)),
        # 6: nothing to teach
        ({"goals": ["reasoning"], "main_goal": "reasoning"}, {}, ("prompt", "locked", None, None)),
        ({"goals": None, "main_goal": None}, {}, ("prompt", "locked", None, None)),
        ({}, {"failure_causes": {"instructions": 30, "behaviour": 5}}, ("prompt", "locked", None, None)),
    ],
)  # fmt: skip
def test_the_first_rule_that_matches_decides(
    answers: Json, measured: Json, expected: tuple[str, str, str | None, str | None]
) -> None:
    assert verdict(advise(parse(case(answers, measured)))) == expected


@pytest.mark.parametrize(
    "data", [{}, {"answers": dict.fromkeys(USUAL["answers"], "unknown")}, {"answers": {}, "measured": {}}]
)
def test_where_nothing_is_known_a_prompt_comes_first(data: Json) -> None:
    advice = advise(parse(data))

    assert verdict(advice) == ("prompt", "locked", None, None)
    assert advice.confidence == "low"
    assert advice.scores == Points(0, 0, -1), "only F08 has a row for unknown"
    assert {gate.id for gate in advice.gates if gate.state == "pass"} == set()


def test_people_who_say_that_prompting_does_it_are_believed_until_it_is_measured() -> None:
    said = case({"prompting_tried": "met"}, drop=("baseline", "failure_causes", "usable_examples"))
    measured = case({"prompting_tried": "met"})

    assert verdict(advise(parse(said))) == ("prompt", "locked", None, None)
    assert verdict(advise(parse(measured))) == ("fine_tune", "ready", None, None)


@pytest.mark.parametrize(
    ("answers", "measured", "confidence"),
    [
        ({}, {}, "high"),
        ({}, {"oracle_gain": None}, "medium"),
        ({"coverage": "unknown"}, {}, "medium"),
        ({"coverage": "unknown"}, {"oracle_gain": None}, "low"),
        ({"coverage": "unknown", "stakes": None}, {}, "low"),
        ({"recurrence": "once"}, {"oracle_gain": None, "usable_examples": None}, "medium"),
        ({}, {"baseline": {"passed": 390}, "oracle_gain": None, "failure_causes": None}, "high"),
    ],
)
def test_confidence_says_how_much_was_measured(answers: Json, measured: Json, confidence: str) -> None:
    assert advise(parse(case(answers, measured))).confidence == confidence


@pytest.mark.parametrize(
    ("factor", "answers", "measured", "points", "is_measured"),
    [
        ("F05", {"corpus_tokens": 3_000_000}, {}, (0, 2, 0), False),
        ("F05", {"corpus_tokens": 3_000_001}, {}, (-2, 3, 0), False),
        ("F07", {}, {"usable_examples": 49}, (2, 0, -3), True),
        ("F07", {}, {"usable_examples": 50}, (1, 0, -2), True),
        ("F07", {}, {"usable_examples": 299}, (1, 0, -2), True),
        ("F07", {}, {"usable_examples": 4999}, (0, 0, 2), True),
        ("F07", {"examples_declared": 20}, {"usable_examples": None}, (2, 0, -3), False),
        ("F08", {"label_agreement": "high"}, {"agreement_kappa": 0.7}, (0, 0, 0), True),
        ("F08", {"label_agreement": "high"}, {"agreement_kappa": 0.84, "contradiction_rate": 0.2}, (0, 0, -3), True),
        ("F08", {"label_agreement": "medium"}, {"agreement_kappa": None}, (0, 0, 0), False),
        ("F11", {"calls_per_month": 9999}, {}, (2, 0, -2), False),
        ("F11", {"calls_per_month": 10_000}, {}, (0, 0, 0), False),
        ("F11", {"calls_per_month": 1_000_000}, {}, (0, 0, 1), False),
        ("F11", {"calls_per_month": 1_000_001}, {}, (-1, 0, 2), False),
        ("F12", {"prompting_tried": "met"}, {"baseline": {"passed": 320}}, (-1, 0, 2), True),
        ("F12", {}, {"baseline": {"passed": 324}}, (0, 0, 1), True),
        ("F12", {"target": None, "prompting_tried": "met"}, {}, (0, 0, 0), False),
        ("F12", {"prompting_tried": "unclear"}, {"baseline": {"passed": 0, "total": 0}}, (1, 0, -1), False),
        ("F13", {}, {"failure_causes": {"facts": 20, "behaviour": 20}}, (0, 3, -2), True),
        ("F13", {}, {"failure_causes": {"facts": 20}}, (0, 0, 0), False),
        ("F21", {}, {"winning_prompt_tokens": 4001}, (-1, 0, 2), True),
        ("F21", {"context_window": 2000}, {"winning_prompt_tokens": 2001}, (-1, 0, 2), True),
    ],
)
def test_points_follow_the_table_and_measurements(
    factor: str, answers: Json, measured: Json, points: tuple[int, int, int], is_measured: bool
) -> None:
    advice = advise(parse(case(answers, measured)))

    reason = next(reason for reason in advice.reasons if reason.factor == factor)
    assert (reason.points.prompt, reason.points.rag, reason.points.fine_tune) == points
    assert reason.measured is is_measured


def test_the_policy_can_be_another_one() -> None:
    policy = POLICY.with_numbers("strict", {"thresholds": {"usable_examples": 2000}})

    advice = advise(parse(case()), policy)

    assert advice.training == "locked"
    assert advice.policy_version == "strict"
    assert advice.policy_sha256 == policy.sha256 != POLICY.sha256
