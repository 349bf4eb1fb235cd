"""How stable a verdict is, held against the slow way of finding out."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from app.advice.case import parse
from app.advice.policy import Points, Policy
from app.advice.policy_file import POLICY
from app.advice.schema import Case
from app.advice.verdict import _sketch, advise
from app.advice.what_if import robustness
from app.advice.what_if.robustness import DRAWS, Draw
from tests.support.golden import GOLDEN, case
from tests.support.random_cases import random_case


def verdict(described: Case, policy: Policy) -> tuple[str, str, str | None]:
    advice = advise(described, policy)
    return advice.approach, advice.training, advice.leaning


def drawn(draw: Draw) -> Policy:
    """The whole policy of one draw: a row's lead of training over prompting moves as the draw says."""
    steps, shifts = draw
    weights = tuple(
        replace(
            one,
            points=Points(
                one.points.prompt, one.points.rag, one.points.fine_tune + shifts.get((one.factor, one.answer), 0)
            ),
        )
        for one in POLICY.weights
    )
    return replace(
        POLICY,
        weights=weights,
        thresholds=tuple(robustness._shifted(one, steps[one.name]) for one in POLICY.thresholds),
    )


POLICIES = [drawn(draw) for draw in robustness._draws(
    tuple(sorted(one.name for one in POLICY.thresholds)), tuple(sorted(robustness._table(POLICY)))
)[:60]]  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_the_quick_way_counts_what_the_slow_way_counts(seed: int) -> None:
    random = Random(seed)
    given = parse(GOLDEN[seed].data if seed < 6 else random_case(random))

    slow = [verdict(given, policy) == verdict(given, POLICY) for policy in POLICIES]
    quick = [kept for kept, _, _ in robustness.kept(lambda policy: _sketch(given, policy), POLICY)]

    assert quick[: len(POLICIES)] == slow


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.title)
def test_the_same_case_has_the_same_number(golden: Any) -> None:
    found = advise(parse(golden.data)).robustness

    assert found == advise(parse(golden.data)).robustness
    assert found.draws == DRAWS
    assert 0 <= found.share <= min(found.by_weights, found.by_thresholds) + 0.35
    assert found.text.startswith(f"{found.share * 100:.0f} % of 300 slightly different policies")


def test_a_value_at_its_threshold_is_fragile_and_says_which() -> None:
    found = advise(parse(case({}, {"usable_examples": 1000}))).robustness

    assert found.word == "fragile"
    assert found.by_weights == 1.0
    assert found.share == found.by_thresholds < 0.8
    assert found.text.endswith("It turns on: Usable examples, test rows not counted.")


def test_a_value_far_from_every_threshold_is_very_stable() -> None:
    found = advise(parse(case({}, {"usable_examples": 8000}))).robustness

    assert (found.share, found.word) == (1.0, "very stable")
    assert "It turns on" not in found.text


def test_weights_tip_a_leaning_and_nothing_else() -> None:
    leaning = next(golden for golden in GOLDEN if golden.number == 22)
    found = advise(parse(leaning.data)).robustness

    assert found.by_thresholds == 1.0
    assert 0.9 < found.by_weights < 1.0
    assert found.word == "stable"


def test_three_thresholds_that_a_gate_multiplies_are_moved_together() -> None:
    """At 2,100 calls a month each of them alone leaves G3 as it is (10 * 1,000 / 6 is 1,667); together they shut it."""
    found = advise(parse(case({"calls_per_month": 2100}))).robustness

    assert 0.8 < found.share < 1.0
