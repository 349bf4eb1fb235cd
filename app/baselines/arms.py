"""The ways to answer that are tried before anyone may train, and which of them did best.

An arm is chosen on the dev rows and then looked at once on the test rows: picking the best of eight on the rows it
is reported on would flatter it (decision rules, 4.5).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SEEDS = 3  # draws of random examples: their spread shows how much the choice of examples matters
ERROR_LIMIT = 0.02  # above this share of rows without an answer, an arm says nothing about prompting
COMMON_LABEL = 0.05  # the commonest answer is worth an arm of its own when it is at least this common

NEEDED = ("zero_shot", "few_shot_random", "few_shot_nearest", "revised_prompt")  # gate G5, in the order to do them

TITLES: Mapping[str, str] = {
    "zero_shot": "Instructions only",
    "few_shot_random": "Random examples",
    "few_shot_nearest": "Nearest examples",
    "revised_prompt": "Revised instructions",
    "nearest_answer": "Nearest row's answer, no model",
    "majority_answer": "Commonest answer, no model",
    "adapter": "Adapter",
}
TERMS: Mapping[str, str] = {
    "zero_shot": "zero-shot: the model gets the instructions and the question",
    "few_shot_random": "few-shot: finished examples stand before the question, the same for every question",
    "few_shot_nearest": "few-shot with retrieval of examples: those most like the question stand before it",
    "revised_prompt": "the instructions after a look at the failures, with the examples of the best arm so far",
    "nearest_answer": "the answer of the most similar training row, copied: what doing nothing clever reaches",
    "majority_answer": "always the same answer: the commonest one in the training rows",
    "adapter": "the tuned model (LoRA adapter) with the instructions of the best arm and no examples",
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to answer. settings: shots (none, random, nearest), k, seed, and instructions that differ."""

    family: str
    name: str
    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def free(self) -> bool:
        """No model is asked."""
        return self.family in ("nearest_answer", "majority_answer")


def plan(k_random: int, k_nearest: int, seed: int, targets: Sequence[str]) -> tuple[Arm, ...]:
    """The arms of a first run. `targets` are the training rows' answers; they decide which free arms make sense."""
    arms = [
        Arm("nearest_answer", "nearest_answer", TITLES["nearest_answer"]),
        Arm("zero_shot", "zero_shot", TITLES["zero_shot"]),
        *(
            Arm(
                "few_shot_random",
                f"few_shot_random/{draw}",
                f"{k_random} random examples, draw {draw}",
                {"shots": "random", "k": k_random, "seed": seed + draw},
            )
            for draw in range(1, SEEDS + 1)
        ),
        Arm(
            "few_shot_nearest",
            "few_shot_nearest",
            f"{k_nearest} nearest examples",
            {"shots": "nearest", "k": k_nearest},
        ),
    ]
    if label := majority(targets):
        arms.insert(1, Arm("majority_answer", "majority_answer", TITLES["majority_answer"], {"label": label}))
    return tuple(arms)


def revised(instructions: str, best: Arm, round_number: int) -> Arm:
    """New instructions with the examples of the best arm so far, so that only one thing changes."""
    examples = {key: best.settings[key] for key in ("shots", "k", "seed") if key in best.settings}
    return Arm(
        "revised_prompt",
        f"revised_prompt/{round_number}",
        f"Revised instructions, round {round_number}",
        {**examples, "instructions": instructions},
    )


def majority(targets: Sequence[str]) -> str | None:
    """The commonest answer, if it is common enough to be a label."""
    if not targets:
        return None
    (answer, times) = Counter(target.strip() for target in targets).most_common(1)[0]
    return answer if answer and times > 1 and times >= COMMON_LABEL * len(targets) else None


@dataclass(frozen=True, slots=True)
class Tally:
    """What an arm came to on one split, as its row in the database keeps it.

    score: mean over the rows that were answered. n: those rows; errors: rows without an answer.
    """

    score: float
    n: int
    errors: int
    mean_prompt_tokens: float = 0.0

    @property
    def error_rate(self) -> float:
        asked = self.n + self.errors
        return self.errors / asked if asked else 0.0

    @property
    def known(self) -> bool:
        """Whether the number may be used: an arm with too many errors is unknown, not bad."""
        return self.n > 0 and self.error_rate <= ERROR_LIMIT


def best(tallies: Iterable[tuple[Arm, Tally]]) -> Arm | None:
    """The arm to look at on the test rows: the highest dev score; on a tie the cheaper prompt.

    Arms without a model are for comparison and never chosen (there is no prompt in them to build on), and neither is
    an adapter, nor an arm with too many errors.
    """
    eligible = [(arm, tally) for arm, tally in tallies if tally.known and not arm.free and arm.family != "adapter"]
    if not eligible:
        return None
    return max(eligible, key=lambda pair: (round(pair[1].score, 9), -pair[1].mean_prompt_tokens))[0]


def done(tallies: Iterable[tuple[Arm, Tally]]) -> list[str]:
    """Families that count as tried, in the order of `NEEDED`: measured, few errors, all draws of random examples."""
    counted = Counter(arm.family for arm, tally in tallies if tally.known)
    asked = {"few_shot_random": SEEDS}
    return [family for family in NEEDED if counted[family] >= asked.get(family, 1)]


def missing(tallies: Iterable[tuple[Arm, Tally]]) -> list[str]:
    """What gate G5 still asks for."""
    have = done(tallies)
    return [family for family in NEEDED if family not in have]
