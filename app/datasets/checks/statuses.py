"""Where a row of an upload ends, and the words for it."""

from enum import StrEnum


class RowStatus(StrEnum):
    """Where a row ends. The order is the order of the waterfall."""

    FAULT = "fault"
    EMPTY = "empty"
    PRIVATE = "private"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    CONTRADICTION = "contradiction"
    LEAK = "leak"
    TEST_GROUP = "test_group"
    USABLE = "usable"


# For each status that takes a row out: its word on a tag, the end of "one row ..." and of "rows that ...".
_WORDS = {
    RowStatus.FAULT: ("not read", "could not be read", "could not be read"),
    RowStatus.EMPTY: ("empty", "has no question or no answer", "have no question or no answer"),
    RowStatus.PRIVATE: (
        "personal data",
        "holds personal data that you left out",
        "hold personal data that you left out",
    ),
    RowStatus.TOO_LONG: ("too long", "is too long", "are too long"),
    RowStatus.DUPLICATE: ("duplicate", "repeats another row", "repeat another row"),
    RowStatus.NEAR_DUPLICATE: ("near-duplicate", "nearly repeats another row", "nearly repeat another row"),
    RowStatus.CONTRADICTION: ("contradiction", "contradicts another row", "contradict another row"),
    RowStatus.LEAK: ("in the test file", "stands in the test file, or nearly", "stand in the test file, or nearly"),
    RowStatus.TEST_GROUP: (
        "group in the test file",
        "is of a group in the test file",
        "are of a group in the test file",
    ),
}
# Of a status that a later or an earlier check knew, each of these knows nothing; then the status stands for itself.
TAGS: dict[str, str] = {status.value: words[0] for status, words in _WORDS.items()}
ROWS_THAT: dict[str, str] = {status.value: words[2] for status, words in _WORDS.items()}


def what_rows_do(status: str, rows: int) -> str:
    """The end of the sentence about so many rows with this status: "could not be read", "repeats another row"."""
    _, of_one, of_many = _WORDS[RowStatus(status)]
    return of_one if rows == 1 else of_many
