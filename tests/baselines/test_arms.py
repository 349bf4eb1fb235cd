import pytest

from app.baselines import arms
from app.baselines.arms import Arm, ArmResult, Scored

FREE_TEXT = [f"answer {number}" for number in range(100)]
PLAN = {arm.name: arm for arm in arms.plan(3, 5, 7, FREE_TEXT)}


def result(score: float, n: int, errors: int, tokens: float = 0.0) -> ArmResult:
    return ArmResult(score=score, n=n, errors=errors, mean_prompt_tokens=tokens)


def measured(**scores: float | ArmResult) -> list[tuple[Arm, ArmResult]]:
    names = {name.replace("__", "/"): value for name, value in scores.items()}
    return [
        (
            PLAN.get(name) or Arm(name.split("/", maxsplit=1)[0], name),
            value if isinstance(value, ArmResult) else result(value, 100, 0),
        )
        for name, value in names.items()
    ]


def test_a_first_run_tries_what_the_gate_asks_for_before_a_revision() -> None:
    assert list(PLAN) == [
        "nearest_answer",
        "zero_shot",
        "few_shot_random/1",
        "few_shot_random/2",
        "few_shot_random/3",
        "few_shot_nearest",
    ]
    assert len({PLAN[f"few_shot_random/{draw}"].settings["seed"] for draw in (1, 2, 3)}) == 3
    assert arms.missing((arm, result(0.5, 100, 0)) for arm in PLAN.values()) == ["revised_prompt"]


def test_the_commonest_answer_is_an_arm_only_for_labels() -> None:
    assert "majority_answer" not in PLAN
    names = [arm.name for arm in arms.plan(3, 5, 7, ["yes", "no", "yes"])]
    assert names[:3] == ["nearest_answer", "majority_answer", "zero_shot"]


@pytest.mark.parametrize(
    ("targets", "label"), [([], None), (["a"], None), (["a", "a ", "b"], "a"), (FREE_TEXT, None), (["", ""], None)]
)
def test_majority(targets: list[str], label: str | None) -> None:
    assert arms.majority(targets) == label


def test_the_best_arm_has_the_highest_dev_score() -> None:
    best = arms.best(measured(zero_shot=0.4, few_shot_nearest=0.7, few_shot_random__1=0.6))

    assert best == PLAN["few_shot_nearest"]


def test_a_tie_goes_to_the_cheaper_prompt() -> None:
    best = arms.best(measured(few_shot_nearest=result(0.7, 50, 0, 900.0), zero_shot=result(0.7, 50, 0, 80.0)))

    assert best == PLAN["zero_shot"]


def test_free_arms_adapters_and_arms_with_errors_are_never_the_best() -> None:
    tallies = measured(
        nearest_answer=0.99, adapter=0.98, few_shot_nearest=result(0.9, 97, 3), zero_shot=result(0.3, 98, 2)
    )

    assert arms.best(tallies) == PLAN["zero_shot"]
    assert arms.best(measured(nearest_answer=0.99)) is None


def test_an_arm_with_too_many_errors_counts_as_missing() -> None:
    tallies = measured(zero_shot=result(0.3, 97, 3), few_shot_nearest=result(0.5, 98, 2))

    assert arms.missing(tallies) == ["zero_shot", "few_shot_random", "revised_prompt"]


def test_random_examples_count_only_with_all_their_draws() -> None:
    assert "few_shot_random" in arms.missing(measured(few_shot_random__1=0.5, few_shot_random__2=0.5))
    assert arms.done(measured(few_shot_random__1=0.5, few_shot_random__2=0.5, few_shot_random__3=0.6)) == [
        "few_shot_random"
    ]


def test_a_revision_keeps_the_examples_and_changes_the_words() -> None:
    arm = arms.revised("Be exact.", PLAN["few_shot_nearest"], 2)

    assert (arm.family, arm.name) == ("revised_prompt", "revised_prompt/2")
    assert arm.settings == {"shots": "nearest", "k": 5, "instructions": "Be exact."}


def test_nothing_answered_is_unknown() -> None:
    assert not result(0.0, 0, 0).known
    assert not result(0.0, 0, 9).known


def test_a_sample_is_the_same_every_time_and_grows_without_changing() -> None:
    ids = list(range(100, 200))

    assert arms.sample(ids, 0, 7) == arms.sample(ids, 500, 7) == ids
    assert arms.sample(ids, 10, 7) == arms.sample(ids, 10, 7)
    assert arms.sample(ids, 10, 7) != arms.sample(ids, 10, 8)
    assert set(arms.sample(ids, 10, 7)) < set(arms.sample(ids, 30, 7))


def test_a_result_counts_errors_apart_and_never_as_wrong() -> None:
    answers = [Scored(1.0, 100, 10, 0.5), Scored(0.0, 200, 20, 1.5, cut=True), Scored(None)]

    found = arms.tallied(answers, binary=True, seed=1)

    assert (found.score, found.n, found.errors, found.passed, found.cut) == (0.5, 2, 1, 1, 1)
    assert (found.mean_prompt_tokens, found.mean_seconds) == (150, 1)
    assert found.low < 0.5 < found.high
    assert not found.known


def test_a_graded_result_keeps_its_spread() -> None:
    found = arms.tallied([Scored(0.2), Scored(0.6)], binary=False, seed=1)

    assert found.spread == pytest.approx(0.2)
    assert "passed" not in found.to_json()
    assert arms.tallied([], binary=True, seed=1).score == 0


def test_pace_counts_attempts_apart_and_answers_that_overlap_together() -> None:
    moments = [(1, 10.0, 5.0), (1, 11.0, 5.0), (1, 12.0, 5.0), (1, 13.0, 5.0), (2, 500.0, 2.0), (2, 502.0, 2.0)]

    assert arms.pace(moments) == pytest.approx((8 + 4) / 6)
    assert arms.pace([]) is None
