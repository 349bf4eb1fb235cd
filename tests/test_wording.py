"""Sentences of codes and numbers."""

import pytest

from app.wording import MINUS, Wording, joined, plural, state

SAY = Wording({
    "rows": "{rows:#row} of {share:%1}",
    "more": "{more:#more row was|more rows were} added",
    "target": "{target:%g}",
    "made": lambda parts: f"{joined(parts)}.",
})  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1 reply"), (0, "0 replies"), (2, "2 replies"), (1412, "1,412 replies"), (-2, f"{MINUS}2 replies")],
)
def test_a_number_has_its_noun(value: int, text: str) -> None:
    assert plural(value, "reply", "replies") == text
    assert plural(1, "row") == "1 row"
    assert plural(2, "row") == "2 rows"


def test_a_statement_is_said_by_its_code() -> None:
    assert SAY(state("rows", rows=1, share=0.5)) == "1 row of 50.0 %"
    assert SAY(state("more", more=2)) == "2 more rows were added"
    assert SAY(state("more", more=1)) == "1 more row was added"
    assert SAY(state("target", target=0.875)) == "87.5 %"
    assert SAY(state("made", parts=["a", "b", "c"])) == "a, b and c."


@pytest.mark.parametrize("statement", [state("other"), state("rows", rows=1)])
def test_a_code_without_a_sentence_and_a_missing_value_are_bugs(statement: object) -> None:
    with pytest.raises(KeyError):
        SAY(statement)  # type: ignore[arg-type]
