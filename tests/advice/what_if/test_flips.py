"""What would change the verdict: the smallest change, in words, and the promise kept."""

from random import Random
from typing import Any

import pytest

from app.advice.case import changed, parse, to_json
from app.advice.schema import ANSWER_KEYS, Case
from app.advice.verdict import Advice, advise
from app.advice.what_if.changes import EFFORTS
from app.advice.what_if.flips import MOST, Flip, Outcome, every
from tests.support.depth import depth
from tests.support.golden import FACTS, GOLDEN, KNOWLEDGE_ARMS, case
from tests.support.random_cases import random_case

Json = dict[str, Any]
KNOWS = {"goals": ["facts"], "main_goal": "facts", "fact_change": "yearly", "corpus_tokens": 5_000_000}
KNOWN = {"baseline": {"arms": KNOWLEDGE_ARMS}, "oracle_gain": 0.3, "failure_causes": FACTS}
FEW = {"usable_examples": 720}


def flips(answers: Json, measured: Json | None = None) -> list[Flip]:
    return advise(parse(case(answers, measured))).flips


def unlocking(answers: Json, measured: Json | None = None) -> Flip:
    return next(flip for flip in flips(answers, measured) if flip.training == "ready")


@pytest.mark.parametrize(
    ("answers", "measured", "code", "values", "effort"),
    [
        ({}, FEW, "usable_examples_more", {"value": 1000, "more": 280}, "days"),
        ({}, {"usable_examples": 999}, "usable_examples_more", {"value": 1000, "more": 1}, "minutes"),
        ({}, {"usable_examples": 100}, "usable_examples_more", {"value": 1000, "more": 900}, "weeks"),
        ({}, {"test_rows": 150}, "test_rows_more", {"value": 200, "more": 50}, "days"),
        ({}, {"test_overlap_rows": 3}, "overlap_removed", {"removed": 3, "overlapping": 3}, "minutes"),
        ({}, {"test_human_checked": False}, "test_human_checked", {"value": True}, "days"),
        ({}, {"contradiction_rate": 0.12}, "contradiction_rate", {"value": 0.05, "now": 0.12}, "days"),
        ({}, {"agreement_kappa": 0.41}, "agreement_kappa", {"value": 0.6, "now": 0.41}, "days"),
        (
            {},
            {"failure_causes": {"behaviour": 20, "facts": 16, "instructions": 4}},
            "tagged_more",
            {"total": 40, "cause": "behaviour", "more": 6},
            "minutes",
        ),
        ({}, {"failure_causes": None}, "tagged", {"total": 30, "cause": "behaviour", "number": 23}, "minutes"),
        ({"owner": None}, {}, "owner", {}, "a new answer"),
        ({"training_rights": "no"}, {}, "training_rights", {"value": "yes"}, "days"),
        ({"recurrence": "once"}, {}, "recurrence", {"value": "months"}, "a new answer"),
        ({"calls_per_month": 900}, {}, "calls_per_month", {"value": 1667, "now": 900}, "a new answer"),
        ({"fact_change": "daily"}, {}, "fact_change", {"value": "weekly"}, "a new answer"),
        ({}, {"baseline": {"error_rate": 0.3}}, "calls_repeated", {}, "minutes"),
        ({}, {"baseline": {"revised": False}}, "revised", {}, "minutes"),
        (
            {},
            {"baseline": {"arms": ["zero_shot", "few_shot_nearest"]}},
            "arms_measured",
            {"arms": ["few_shot_random"], "first": False},
            "minutes",
        ),
        ({}, {"baseline": {"passed": 352}}, "target", {"value": 0.91, "now": 0.9}, "a new answer"),
        (
            {"target": 0.85},
            {"test_rows": 60, "baseline": {"passed": 48, "total": 60}},
            "more_answered",
            {"more": 140, "rows": 200},
            "days",
        ),
        (
            {"goals": ["efficiency"], "main_goal": "efficiency"},
            {"cost_case": "pass", "failure_causes": None},
            "teacher",
            {"score": 0.93, "was": None},
            "minutes",
        ),
        (
            {},
            {"arms": {"small_classifier": {"passed": 372, "total": 400}}},
            "target",
            {"value": 0.93, "now": 0.9},
            "a new answer",
        ),
    ],
)
def test_a_single_change_that_unlocks_is_given_in_numbers(
    answers: Json, measured: Json, code: str, values: Json, effort: str
) -> None:
    unlocking = [flip for flip in flips(answers, measured) if flip.training == "ready"]
    found = next(flip for flip in unlocking if [clause.code for clause in flip.parts[0].clauses] == [code])

    assert found.parts[0].clauses[0].values == {name: pytest.approx(value) for name, value in values.items()}
    assert found.effort == effort
    assert all(flip.steps == 1 for flip in unlocking)


def test_a_flip_is_a_sentence_with_proper_plurals() -> None:
    texts = {rows: unlocking({}, {"usable_examples": rows}).text for rows in (720, 999)}

    assert texts == {
        720: "If 280 more different examples were usable (1,000 in all): training would be unlocked.",
        999: "If 1 more different example was usable (1,000 in all): training would be unlocked.",
    }


def test_two_steps_are_named_where_no_single_one_unlocks() -> None:
    found = [flip for flip in flips({"owner": None}, FEW) if flip.training == "ready"]

    assert [flip.steps for flip in found] == [2]
    assert found[0].text == (
        "If 280 more different examples were usable (1,000 in all) and somebody was named as owner: "
        "training would be unlocked."
    )
    assert found[0].effort == "days", "what the dearer of the two takes"


def test_two_answers_lead_to_a_prompt_where_no_single_one_does() -> None:
    answers, measured = (
        {**KNOWS, "access_rights": "some"},
        {**KNOWN, "baseline": {"arms": KNOWLEDGE_ARMS, "error_rate": 1}},
    )
    found = next(flip for flip in flips(answers | {"target": None}, measured) if flip.approach == "prompt")

    assert found.steps == 2
    assert found.change == {"access_rights": "no", "corpus_tokens": 200_000}
    assert found.text == (
        "If everybody was allowed to see all of the information and the reference text shrank to 200,000 tokens: "
        "the advice would be a prompt; training stays locked."
    )


def test_a_hybrid_says_what_its_rows_carry() -> None:
    answers = {**KNOWS, "goals": ["facts", "style"], "main_goal": "style"}
    texts = [flip.text for flip in flips(answers, {"baseline": {"arms": KNOWLEDGE_ARMS}, "oracle_gain": 0.3})]

    assert (
        "If every training row carried its retrieved passages: "
        "training would be unlocked, with retrieved passages in every row."
    ) in texts


def test_what_is_ready_shows_what_would_lock_it() -> None:
    texts = [flip.text for flip in flips({})]

    assert "If knowing facts was among the goals too: the advice would be RAG; training would lock." in texts
    assert "If nobody owned it: the advice would be a prompt; training would lock." in texts


def test_a_measured_size_is_what_changes() -> None:
    answers, measured = {**KNOWS, "corpus_tokens": 10_000}, {**KNOWN, "corpus_tokens": 900_000}
    before = parse(case(answers, measured))
    found = next(flip for flip in advise(before).flips if "corpus_tokens" in flip.change)

    assert found.approach == "prompt"
    assert changed(before, found.change).measured.corpus_tokens == 200_000


SEEDS = range(depth(30, 150))


def cases() -> list[Case]:
    return [parse(golden.data) for golden in GOLDEN] + [parse(random_case(Random(seed))) for seed in SEEDS]


@pytest.fixture(scope="module")
def advised() -> list[Advice]:
    return [advise(given) for given in cases()]


def test_flips_keep_their_promise(advised: list[Advice]) -> None:
    for advice in advised:
        for flip in advice.flips:
            after = advise(changed(advice.case, flip.change), advice.policy)
            assert (after.approach, after.training) == (flip.approach, flip.training)
            assert (after.approach, after.training) != (advice.approach, advice.training)


def test_flips_come_in_the_order_of_what_they_take(advised: list[Advice]) -> None:
    for advice in advised:
        order = [(EFFORTS.index(flip.effort), flip.steps) for flip in advice.flips]
        assert order == sorted(order)
        assert len(order) <= MOST


def test_a_flip_is_a_change_put_into_the_file_by_hand(advised: list[Advice]) -> None:
    """The contract: whole values by key, put into the half of the case that has the key."""
    for advice in advised:
        if advice.case.measured.corpus_tokens is not None:
            continue  # the one key that stands in both halves
        for flip in advice.flips:
            data: Any = to_json(advice.case)
            for key, value in flip.change.items():
                data["answers" if key in ANSWER_KEYS else "measured"][key] = value
            after = advise(parse(data))
            assert (after.approach, after.training) == (flip.approach, flip.training)


@pytest.mark.parametrize(
    ("key", "answers", "measured", "value"),
    [
        ("usable_examples", {}, {"usable_examples": 3}, 1000),
        ("usable_examples", {}, {"usable_examples": 7777}, 999),
        ("test_rows", {}, {"test_rows": 7}, 200),
        ("test_rows", {}, {"test_rows": 5000}, 199),
        ("calls_per_month", {"calls_per_month": 3}, {}, 1667),
        ("calls_per_month", {"calls_per_month": 10**9}, {}, 1666),
        ("corpus_tokens", {**KNOWS, "access_rights": "no"}, {"oracle_gain": 0.3}, 200_000),
        ("corpus_tokens", {**KNOWS, "corpus_tokens": 30}, {"oracle_gain": 0.3}, 200_001),
        ("contradiction_rate", {}, {"contradiction_rate": 0.5}, 0.05),
        ("contradiction_rate", {}, {"contradiction_rate": 0.0}, 0.051),
        ("agreement_kappa", {}, {"agreement_kappa": -0.2}, 0.6),
        ("oracle_gain", {}, {"oracle_gain": -0.05}, 0.1),
    ],
)
def test_a_number_is_the_nearest_that_does(key: str, answers: Json, measured: Json, value: float) -> None:
    """One step nearer to what is, and nothing changes."""
    before = advise(parse(case(answers, measured)))
    found = next(flip for flip in _all(before) if list(flip.change) == [key])

    assert found.change == {key: value}
    half = before.case.answers if key in ANSWER_KEYS else before.case.measured
    grain = 1 if isinstance(value, int) else 0.001
    after = advise(changed(before.case, {key: value + (grain if value < getattr(half, key) else -grain)}))
    assert (after.approach, after.training) == (before.approach, before.training)


def _all(advice: Advice) -> list[Flip]:
    """Also those that are not among the shown ones."""

    def outcome(other: Case) -> Outcome:
        found = advise(other)
        return Outcome(found.approach, found.training)

    return every(advice.case, advice.facts, Outcome(advice.approach, advice.training), outcome, advice.policy)


def test_words_are_for_people(advised: list[Advice]) -> None:
    for advice in advised:
        for flip in advice.flips:
            assert flip.text.startswith("If ")
            assert flip.text.endswith(".")
            assert "_" not in flip.text
            assert "None" not in flip.text
            assert "  " not in flip.text
