"""What differs between two texts."""

from hypothesis import given
from hypothesis import strategies as st

from app.datasets.pages import diff_view
from app.datasets.pages.diff_view import Piece


def test_what_differs_is_marked_word_by_word() -> None:
    left, right = diff_view.differences("How can I pay?", "How may I pay now?")

    assert left == [Piece("How ", False), Piece("can", True), Piece(" I pay", False), Piece("?", False)]
    assert "".join(piece.text for piece in right if piece.changed) == "may now"


@given(st.text(max_size=80), st.text(max_size=80))
def test_differences_never_change_a_text(one: str, other: str) -> None:
    left, right = diff_view.differences(one, other)

    assert "".join(piece.text for piece in left) == one
    assert "".join(piece.text for piece in right) == other
    assert "".join(p.text for p in left if not p.changed) == "".join(p.text for p in right if not p.changed)


def test_a_very_long_text_is_shown_unmarked_at_once() -> None:
    text = "word " * 20_000

    assert diff_view.differences(text, "other") == ([Piece(text, False)], [Piece("other", False)])
