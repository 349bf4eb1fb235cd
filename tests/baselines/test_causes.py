import pytest

from app.baselines import causes


@pytest.mark.parametrize(
    ("question", "target", "output", "cause"),
    [
        ("How long is it?", "", "long", "reference"),
        ("How long is it?", "Refund", "refund.", "behaviour"),
        ("How long is it?", "30 days", "two weeks", "facts"),
        ("Is it 30 days?", "30 days", "two weeks", None),
        ("Write it.", "The order was sent to the wrong house", "Sent the order to the wrong house", "behaviour"),
        ("Write it.", "a", "", "behaviour"),
        ("Write it.", "alpha", "omega", None),
    ],
)
def test_a_guess_starts_from_the_texts(question: str, target: str, output: str, cause: str | None) -> None:
    guess = causes.guess(question, target, output, finish="stop", metric="exact_match")

    assert (guess.cause if guess else None) == cause


PATTERN = {"pattern": r"@\w+ \$\w+"}


@pytest.mark.parametrize(
    ("target", "output", "cause"),
    [
        ("/** @param $x EntityRepository of 30 rows */", "/** nothing */", None),  # what is missing is not compared
        ("/** @param $page30 the page */", "/** @var $x */", "facts"),  # what is missing is
        ("/** @PARAM $x of AB-12 */", "/** @param $x */", "behaviour"),  # only capitals differ in what is compared
    ],
)
def test_what_the_metric_passes_over_is_no_missing_fact(target: str, output: str, cause: str | None) -> None:
    guess = causes.guess("Write it.", target, output, finish="stop", metric="pattern", options=PATTERN)

    assert (guess.cause if guess else None) == cause


@pytest.mark.parametrize(("metric", "cause"), [("normalised_match", "facts"), ("rouge_l", "facts"), ("chrf", "facts")])
def test_a_metric_that_folds_case_still_compares_the_code(metric: str, cause: str) -> None:
    guess = causes.guess("Which one?", "Order AB-12", "some other", finish="stop", metric=metric)

    assert (guess.cause if guess else None) == cause


@pytest.mark.parametrize("output", ["it is", "", "30 DAYS"])
def test_an_answer_cut_short_suggests_nothing(output: str) -> None:
    """What it would have said, nobody knows; a suggestion would be taken for one."""
    assert causes.guess("q", "30 days", output, finish="length", metric="exact_match") is None


def test_no_json_is_about_behaviour() -> None:
    guess = causes.guess("q", '{"a": 30}', "a = 30", finish="stop", metric="json_match")

    assert guess is not None
    assert guess.because == "The answer is not JSON."
