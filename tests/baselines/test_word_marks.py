"""Words that differ between an expected answer and two others."""

from app.baselines.word_marks import CHARACTERS, Run, marked


def off(runs: list[Run], place: int) -> list[str]:
    """The stretches that the other text at this place lacks."""
    return [run.text for run in runs if run.lacks[place]]


def test_an_answer_is_compared_with_the_expected_one_and_with_the_other_answer() -> None:
    seen = marked("refund within 30 days", "refund within 14 days", "refund in 30 days")

    assert off(list(seen.first), 0) == ["14"]
    assert off(list(seen.first), 1) == ["within", "14"]
    assert off(list(seen.second), 0) == ["in"]
    assert off(list(seen.expected), 0) == ["30"]
    assert off(list(seen.expected), 1) == ["within"]
    assert off(list(marked("退款三十天", "退款十四天", None).first), 0) == ["四"]


def test_with_no_answer_nothing_is_compared() -> None:
    seen = marked("a b", None, "a c")

    assert (list(seen.first), off(list(seen.expected), 0), off(list(seen.second), 1)) == ([], [], [])
    assert off(list(seen.second), 0) == ["c"]


def test_a_huge_text_stays_whole_and_is_compared_only_so_far() -> None:
    """Alternating words are the dearest case of a comparison."""
    left, right = "a b " * 50_000, "b a " * 50_000
    seen = marked(left, right, left)

    assert "".join(run.text for run in seen.first) == right
    assert len("".join(run.text for run in seen.first[:-1])) == CHARACTERS
    assert seen.first[-1].lacks == (False, False)
