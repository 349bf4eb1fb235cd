"""Values that stand as JSON text in a cell, and answers that are no text but numbers or lists."""

from typing import Self

import orjson

from app.datasets.reading.faults import storable, too_deep


class Written(float):
    """A number with the words it was written in: 0.10 and 0.1 may be two labels."""

    __slots__ = ("words",)

    def __new__(cls, words: str) -> Self:
        """Read the words as a number."""
        number = super().__new__(cls, words)
        number.words = words
        return number

    words: str


def list_in_cell(cell: object, opening: str = "[") -> object:
    """The list that a table holds as JSON text in one of its cells; anything else as it is. `{`: an object."""
    if isinstance(cell, str) and cell.lstrip().startswith(opening):
        try:
            value = orjson.loads(cell)
        except orjson.JSONDecodeError:
            return cell
        return cell if too_deep(value) else value
    return cell


def answer_as_written(value: object, at: str) -> object:
    """An answer that came as a number, as true or false, or as a list of such or of names, in the words of the file.

    What holds messages, and an object, is let be: there the words are further in.
    """
    if isinstance(value, Written):
        return value.words
    if isinstance(value, bool | int | float):
        return to_text(value)
    if isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        return storable(to_text(value), at)
    return value


def written(value: object) -> str:
    """A value in the words of its file; lists and objects as JSON, with plain numbers in them."""
    return value.words if isinstance(value, Written) else orjson.dumps(value, default=float).decode()


def to_text(value: object) -> str:
    return orjson.dumps(value).decode()
