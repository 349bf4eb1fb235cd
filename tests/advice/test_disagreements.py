"""Where a measurement says something else than people did: the measurement counts, and both are shown."""

from typing import Any

import pytest

from app.advice.case import parse
from app.advice.disagreements import Disagreement
from app.advice.facts import Score
from app.advice.questions import ASKED
from app.advice.verdict import Advice, advise
from tests.support.golden import FACTS, case

Json = dict[str, Any]
LIKELY = {"knowledge": "likely", "novelty": 0.64}


def advice(answers: Json, measured: Json | None = None) -> Advice:
    return advise(parse(case({"examples_declared": 1400} | answers, measured)))


def only(answers: Json, measured: Json | None = None) -> Disagreement:
    (found,) = advice(answers, measured).disagreements
    return found


def test_what_was_said_and_what_was_counted_stand_side_by_side() -> None:
    found = only({"examples_declared": 5000}, {"uploaded_examples": 1200, "usable_examples": 720})

    assert (found.factor, found.key, found.declared, found.measured) == ("F07", "examples_declared", "5,000", "720")
    assert found.text == (
        "Self-reported: 5,000 examples. Measured: 720 of the 1,200 rows uploaded are usable, test rows not counted."
    )


@pytest.mark.parametrize(
    ("answers", "measured", "factor", "key", "code", "values"),
    [
        (
            {"corpus_tokens": 100000, "fact_change": "yearly"},
            {"corpus_tokens": 400000},
            "F05",
            "corpus_tokens",
            "corpus",
            {"declared": 100000, "counted": 400000},
        ),
        (
            {"label_agreement": "high"},
            {"agreement_kappa": 0.41},
            "F08",
            "label_agreement",
            "labels_kappa",
            {"declared": "high", "kappa": 0.41, "agreement": "low"},
        ),
        (
            {"label_agreement": "high"},
            {"contradiction_rate": 0.12},
            "F08",
            "label_agreement",
            "labels_clash",
            {"declared": "high", "rate": 0.12},
        ),
        (
            {"label_agreement": "low"},
            {},
            "F08",
            "label_agreement",
            "labels_kappa",
            {"declared": "low", "kappa": 0.84, "agreement": "high"},
        ),
        (
            {"prompting_tried": "met"},
            {},
            "F12",
            "prompting_tried",
            "prompting",
            {"declared": "met", "score": Score(0.74, 0.6949, 0.7806, 400), "target": 0.9},
        ),
        ({"holdout": "no"}, {}, "F15", "holdout", "test_rows", {"rows": 400}),
        ({}, {"failure_causes": FACTS}, "F01", "goals", "failures_miss_facts", {"share": 0.85}),
        ({}, {"oracle_gain": 0.25}, "F01", "goals", "passage_helps", {"gain": 0.25}),
        (
            {"goals": ["facts", "style"], "corpus_tokens": 9000},
            {},
            "F01",
            "goals",
            "passage_does_not_help",
            {"gain": 0.02},
        ),
        ({"sources": "no"}, {"signals": {"cites": 0.34}}, "F03", "sources", "sources", {"share": 0.34}),
        (
            {},
            {"signals": {"goals": ["classify"]}},
            "F01",
            "goals",
            "other_goals",
            {"declared": ("style",), "seen": ("classify",)},
        ),
        (
            {},
            {"signals": {"output_kind": "prose", "distinct_share": 0.98}},
            "F14",
            "metric",
            "free_text",
            {"share": 0.98},
        ),
        ({"metric": "json_match"}, {"signals": {"schema_share": 0.1}}, "F14", "metric", "unstructured", {"share": 0.1}),
    ],
)
def test_each_answer_that_a_measurement_can_give_is_held_against_it(
    answers: Json, measured: Json, factor: str, key: str, code: str, values: Json
) -> None:
    found = only(answers, measured)

    assert (found.factor, found.key, found.contrast.code) == (factor, key, code)
    assert {name: pytest.approx(value, abs=1e-4) for name, value in values.items()} == found.contrast.values
    assert found.declared
    assert found.measured
    assert key in ASKED


@pytest.mark.parametrize(
    ("answers", "measured"),
    [
        ({}, {}),
        ({"examples_declared": 1500}, {}),  # roughly the same number
        ({"examples_declared": None}, {}),
        ({"corpus_tokens": 100_000, "fact_change": "yearly"}, {"corpus_tokens": 120_000}),
        ({"prompting_tried": "short_large"}, {}),
        ({"prompting_tried": "no"}, {}),
        ({"label_agreement": "low"}, {"agreement_kappa": None}),
        ({}, {"signals": {"goals": ["style", "format"], "cites": 0.1}}),
        ({"metric": "chrf"}, {"signals": {"output_kind": "prose", "distinct_share": 0.98}}),
        ({}, {"signals": LIKELY}),  # the right passage and the tagged failures have settled it
    ],
)
def test_where_they_agree_nothing_is_said(answers: Json, measured: Json) -> None:
    assert advice(answers, measured).disagreements == []


def test_a_cheaper_model_is_judged_by_the_teacher_and_not_by_what_was_tried() -> None:
    answers = {"goals": ["efficiency"], "main_goal": "efficiency", "prompting_tried": "met"}

    assert advice(answers, {"teacher": {"passed": 390, "total": 400}}).disagreements == []


@pytest.mark.parametrize(
    ("answers", "key", "words"),
    [
        ({}, "fact_change", "Self-reported: no outside facts are needed. Measured: in 64 % of your rows"),
        (
            {"fact_change": "yearly", "corpus_tokens": 0},
            "goals",
            "Facts are not among your goals; in 64 % of your rows",
        ),
    ],
)
def test_rows_that_look_like_facts_lock_until_it_is_settled(answers: Json, key: str, words: str) -> None:
    unsettled = {"oracle_gain": None, "failure_causes": {"behaviour": 29}, "signals": LIKELY}
    found = advice(answers, unsettled)
    (said,) = found.disagreements

    assert said.key == key
    assert said.text.startswith(words)
    assert {gate.id: gate.state for gate in found.gates}["G2"] == "unknown"
    assert found.training == "locked"

    for settled in ({"oracle_gain": 0.02}, {"failure_causes": {"behaviour": 30}}):
        after = advice(answers, unsettled | settled)
        assert after.disagreements == []
        assert {gate.id: gate.state for gate in after.gates}["G2"] == "pass"


def test_the_measured_size_of_the_text_decides() -> None:
    knows = {"goals": ["facts"], "main_goal": "facts", "fact_change": "yearly"}
    said = advice(knows | {"corpus_tokens": 90_000}, {"oracle_gain": 0.3, "failure_causes": FACTS})
    counted = advice(
        knows | {"corpus_tokens": 90_000}, {"oracle_gain": 0.3, "failure_causes": FACTS, "corpus_tokens": 900_000}
    )

    assert (said.approach, said.technique) == ("prompt", "whole_corpus_in_context")
    assert counted.approach == "rag"
    assert next(reason for reason in counted.reasons if reason.factor == "F05").measured


def test_what_a_check_writes_beside_the_sums_is_let_be() -> None:
    report = {"knowledge": "unlikely", "sampled": 300, "kind_shares": {"prose": 1.0}, "evidence": [{"signal": "new"}]}

    assert parse(case({}, {"signals": report})) == parse(case({}, {"signals": {"knowledge": "unlikely"}}))
