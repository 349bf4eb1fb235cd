"""Right passages by program: what a column names, a row brings, an answer quotes; and what gives rows away."""

import pytest

from app.relevance.gold import Gold, Piece, Row, find, given_away, name_keys

ROADS = (
    "Salt is spread on the northern roads from November to March, by two lorries that start at four in the morning. "
    "The depot stands behind the old mill and opens at six."
)
BRIDGE = (
    "The iron bridge was built in 1889 by Ludmila Varga, an engineer of the county, and carries twelve tons at most. "
    "It was painted green again in 1974."
)
FERRY = "The ferry of the northern roads authority crosses twice a day in summer, and not at all in winter."
PIECES = [
    Piece(1, 10, ROADS, ("Winter service", "docs/winter.md")),
    Piece(2, 11, BRIDGE, ("Bridges", "docs/bridges.md")),
    Piece(3, 12, FERRY, ("Ferry", "docs/ferry.md")),
]


def only(row: Row) -> Gold | None:
    return find([row], PIECES).get(row.id)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (Row(1, "Who built it?", "Ludmila Varga"), Gold((2,), "quotation")),
        (Row(1, "How heavy?", "an engineer of the county, and carries twelve tons at most"), Gold((2,), "quotation")),
        # A short answer in two places is from neither; a number of two digits stands anywhere.
        (Row(1, "Which authority?", "northern roads"), None),
        (Row(1, "When?", "74"), None),
        (Row(1, "When does it open?", "at nine"), None),
        # A name decides, and within its document the passage that holds the answer.
        (Row(1, "Which?", "northern roads", ("https://example.org/docs/Ferry.md#summer",)), Gold((3,), "named")),
        (Row(1, "Which?", "no such words", ("bridges",)), Gold((2,), "named")),
        (Row(1, f"When does the depot open?\n\nContext:\n{ROADS}", "At six."), Gold((1,), "context")),
    ],
)
def test_a_right_passage_is_known_by_the_surest_sign(row: Row, wanted: Gold | None) -> None:
    assert only(row) == wanted


def test_a_long_answer_that_was_cut_into_passages_stands_in_each_of_them() -> None:
    halves = [Piece(1, 1, ROADS[:80]), Piece(2, 1, ROADS[80:]), Piece(3, 2, BRIDGE)]
    assert find([Row(7, "Winter?", ROADS)], halves) == {7: Gold((1, 2), "quotation")}


def test_a_short_answer_may_stand_in_what_two_neighbours_share() -> None:
    row = Row(1, "Where?", "behind the old mill")
    shared = [Piece(4, 1, ROADS), Piece(5, 1, "The depot stands behind the old mill. It is closed.")]
    assert find([row], shared) == {1: Gold((4, 5), "quotation")}
    apart = [Piece(4, 1, ROADS), Piece(5, 2, "The depot stands behind the old mill. It is closed.")]
    assert find([row], apart) == {}


def test_what_gives_a_row_away_is_its_question_or_its_long_answer_and_no_name() -> None:
    faq = Piece(4, 13, "Q: Who built the iron bridge over the river Lom? A: L. Varga did.")
    rows = [
        Row(1, "Who built the iron bridge over the river Lom?", "Ludmila Varga"),
        Row(2, "When is salt spread?", "Salt is spread on the northern roads from November to March, by two lorries"),
    ]
    assert given_away(rows, [*PIECES, faq]) == {1, 4}


def test_a_name_is_the_same_with_and_without_folder_ending_and_capitals() -> None:
    assert name_keys("docs/Geology.md") & name_keys("geology")
    assert not name_keys("docs/geology.md") & name_keys("docs/biology.md")
    assert name_keys("  ") == frozenset()
