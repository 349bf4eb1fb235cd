"""Random case files from a seed: the values on both sides of everything that decides, and in between.

Faster than hypothesis by an order of magnitude, for tests that need thousands of cases and no shrinking.
"""

from random import Random
from typing import Any

from app.advice.schema import ARMS, CHOICES, COST_CASES, GOALS, KNOWLEDGE
from tests.support.golden import case

Json = dict[str, Any]


def random_case(random: Random) -> Json:
    """Half of them wholly random, half the usual case with a few random values."""
    wild: Json = {"answers": _answers(random), "measured": _measured(random)}
    if random.random() < 0.5:
        return wild
    usual = case()
    for half, most in (("answers", 3), ("measured", 3)):
        keys = random.sample(sorted(wild[half]), random.randint(0, most))
        if {"goals", "main_goal"} & set(keys):
            keys += ["goals", "main_goal"]
        usual[half] |= {key: wild[half][key] for key in keys}
    return usual


def _answers(random: Random) -> Json:
    goals = random.sample(GOALS, random.randint(1, 4)) if random.random() < 0.9 else None
    return {key: random.choice((*values, "unknown")) for key, values in CHOICES.items()} | {
        "goals": goals,
        "main_goal": random.choice((*goals, None)) if goals else None,
        "corpus_tokens": random.choice((None, 0, 50_000, 200_000, 200_001, 3_000_001)),
        "examples_declared": random.choice((None, 0, 49, 50, 999, 1000, 9000)),
        "calls_per_month": random.choice((None, 0, 100, 900, 1666, 1667, 9999, 10_000, 300_000, 5_000_000)),
        "metric": random.choice((None, "exact_match", "chrf", "json_valid")),
        "target": random.choice((None, 0.0, 0.5, 0.85, 0.9, 1.0)),
        "owner": random.choice((None, "unknown", "Docs team")),
    }


def _measured(random: Random) -> Json:
    def maybe(value: Any) -> Any:
        return None if random.random() < 0.2 else value

    return {
        "uploaded_examples": maybe(random.choice((0, 720, 999, 1000, 5000))),
        "usable_examples": maybe(random.choice((0, 720, 999, 1000, 1400, 5000))),
        "contradiction_rate": maybe(random.choice((0.0, 0.05, 0.051, 0.2))),
        "agreement_kappa": maybe(random.choice((-0.1, 0.59, 0.6, 0.8, 0.9))),
        "test_rows": maybe(random.choice((0, 60, 199, 200, 400))),
        "test_overlap_rows": maybe(random.choice((0, 0, 1, 3))),
        "test_human_checked": maybe(random.choice((True, True, False))),
        "metric_set_before_baseline": maybe(random.choice((True, True, False))),
        "baseline": maybe(_baseline(random)),
        "teacher": maybe(_result(random)),
        "oracle_gain": maybe(random.choice((-0.1, 0.02, 0.099, 0.1, 0.3))),
        "rows_carry_context": maybe(random.random() < 0.5),
        "failure_causes": maybe(
            {name: random.choice((0, 1, 3, 10, 15, 36)) for name in ("behaviour", "facts", "instructions", "reference")}
        ),
        "winning_prompt_tokens": maybe(random.choice((0, 900, 4000, 4001, 9000))),
        "cost_case": maybe(random.choice(COST_CASES)),
        "identifiers_decided": random.choice((None, None, True, False)),
        "corpus_tokens": None if random.random() < 0.7 else random.choice((0, 50_000, 5_000_000)),
        "arms": maybe({arm: _result(random) for arm in random.sample(ARMS, 2)}) if random.random() < 0.3 else None,
        "failures": random.choice((None, None, 0, 29, 30)),
        "signals": {"knowledge": random.choice(KNOWLEDGE), "novelty": 0.4} if random.random() < 0.3 else None,
    }


def _baseline(random: Random) -> Json:
    arms = random.sample(ARMS, random.randint(3, len(ARMS)))
    return {
        "arms": arms,
        "revised": random.random() < 0.7,
        "best_arm": random.choice(arms),
        "error_rate": random.choice((None, 0.0, 0.0, 0.02, 0.021)),
    } | _result(random)


def _result(random: Random) -> Json:
    if random.random() < 0.8:
        total = random.choice((0, 60, 200, 400))
        return {"passed": round(total * random.choice((0.5, 0.74, 0.82, 0.87, 0.9, 0.93, 0.98, 1.0))), "total": total}
    score = random.choice((0.6, 0.8, 0.88, 0.93))
    return {"score": score, "low": score - 0.02, "high": min(1.0, score + 0.02)}
