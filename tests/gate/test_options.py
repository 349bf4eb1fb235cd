"""The ways to do the job side by side: which rows a score is from is said, and both where there are both."""

from app.advice.evidence import Evidence, Prompting, Score
from app.advice.policy import Points
from app.gate.options import options


def test_a_test_score_has_the_dev_score_of_the_same_variant_beside_it() -> None:
    evidence = Evidence(
        baseline=Prompting(arms=("zero_shot", "few_shot_nearest"), revised=False, best_arm="few_shot_nearest",
                           passed=120, total=200),
        arms={"few_shot_nearest": Score(passed=70, total=100), "rag": Score(passed=76, total=100),
              "trivial": Score(passed=90, total=200, split="test")},
    )  # fmt: skip
    by_key = {one.key: one for one in options(Points(prompt=1, rag=0, fine_tune=2), evidence, None)}

    assert (by_key["prompt"].measured, by_key["prompt"].split, by_key["prompt"].dev) == (0.6, "test", 0.7)
    assert (by_key["rag"].measured, by_key["rag"].split, by_key["rag"].dev) == (0.76, "dev", None)
    assert (by_key["no_model"].measured, by_key["no_model"].split, by_key["no_model"].dev) == (0.45, "test", None)
