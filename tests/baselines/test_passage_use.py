"""What an answer makes of its passages: citations, refusals, and how it failed."""

from typing import Any

import pytest

from app.baselines import causes, passage_use
from app.baselines.answer_details import AnswerDetails
from app.baselines.passage_use import Share


@pytest.mark.parametrize(
    ("text", "bare", "cited"),
    [
        ("Ludmila Varga [2].", "Ludmila Varga.", (2,)),
        ("Ludmila Varga[1]", "Ludmila Varga", (1,)),
        ("It opens at six [1][3], on Sundays at nine [1, 2].", "It opens at six, on Sundays at nine.", (1, 3, 2)),
        ("first = rows[1] + rows[2]", "first = rows[1] + rows[2]", ()),  # an index of code
        ("see [9]", "see [9]", ()),  # there were five
    ],
)
def test_citations_are_taken_off_and_kept(text: str, bare: str, cited: tuple[int, ...]) -> None:
    assert passage_use.uncited(text, 5) == (bare, cited)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Not in the passages.", True),
        ("I don't know.", True),
        ("The passages do not mention it.", True),
        ("not found", True),
        ("KEINE ANGABE", True),  # what the data itself writes
        ("In 1889.", False),
        ("He did not know that the bridge was weak, so it fell.", False),
    ],
)
def test_a_refusal_is_told_from_an_answer(text: str, refused: bool) -> None:
    assert passage_use.refuses(text, {"keine angabe"}) is refused


def test_how_a_wrong_answer_came_about() -> None:
    passages = [(4, "Salt is spread by two lorries."), (7, "The iron bridge was built in 1889 by Ludmila Varga.")]
    found: AnswerDetails = {"passages": [(4, 0.9), (7, 0.5)]}

    def failure(
        output: str, gold: list[int], cited: tuple[int, ...] = (), asked: str = "", end: str = ""
    ) -> str | None:
        return passage_use.failure({**found, **passage_use.details(output, passages, gold, cited, asked)}, end)

    assert failure("In 1920", [9]) == "missed"
    assert failure("Nobody can say this for sure", [7]) == "unused"
    assert failure("Nobody can say this for sure", [7], cited=(2,)) == "misused"
    assert failure("The bridge was built by Varga", [7]) == "misused"
    assert failure("The bridge was built by Varga", [7], asked="Was the bridge built by Varga?") == "unused"  # an echo
    assert failure("The iron bridge, 1889, Ludmila", [7], asked="Was the bridge built by Varga?") == "misused"
    assert (failure("The", [7], end="length"), failure("The", [9], end="length")) == ("cut", "missed")
    assert failure("In 1920", []) is None
    assert passage_use.failure(None) is None


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("The bridge was built by Varga", True),
        ("Varga", False),  # one name stands in many a passage
        ("Ludmila Varga", False),
        ("bridge bridge bridge Varga", False),  # the same word again is no other word
        ("In 1889 Varga built it", True),
        ("that this with from have been there", False),  # little words
        ("Varga drew railway stations and harbours in Hungary beside the iron bridge of 1889", False),  # mostly others
    ],
)
def test_a_passage_is_used_where_several_words_with_a_meaning_are_shared(output: str, says: bool) -> None:
    passage = "The iron bridge that stands there was built in 1889 by Ludmila Varga, with stone from here."

    assert passage_use.says(output, passage) is says


def test_the_suggested_cause_goes_by_the_passages() -> None:
    def cause(details: Any, finish: str = "stop") -> str | None:
        guess = causes.guess("Who?", "A", "B", finish=finish, metric="exact_match", passages=details)
        return guess.cause if guess else None

    missed = {"passages": [[1, 0.5]], "gold": [3]}
    assert cause(missed) == "facts"
    assert cause({"passages": [[3, 0.5]], "gold": [3], "used": False}) == "behaviour"
    assert cause(missed, finish="length") is None  # an answer that was cut says nothing of passages


def test_refusals_are_counted_where_they_should_be_and_where_not() -> None:
    said = [("Not in the passages.", True), ("In 1889.", True), ("Not in the passages.", False), ("Varga", False)]
    counted = passage_use.refusals(said)
    assert (counted.rightly, counted.wrongly) == (Share(1, 2), Share(1, 2))
