"""How a person wants a file to be read, where the guess is wrong or there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.json_types import JsonDict


@dataclass(frozen=True, slots=True)
class ReadAs:
    """How a person wants a file to be read; what is empty is guessed.

    shape: a name of SHAPES; with `columns`, question and answer name the columns that hold them, system one with a
    system text. group, part, time: what belongs together, where a row belongs, when it came up; `group`, `split` and
    one of TIMES, unless others are chosen. A key inside an object is named with a dot: `vars.question`. header: whether
    the first row of a table names its columns; without, they are called "column 1" and so on. encoding: one of
    `encodings.CHOICES`; empty is UTF-8, unless the file begins with the mark of another. reasoning: what becomes of
    what was thought before an answer, one of REASONING; empty leaves it out.
    """

    shape: str = ""
    question: str = ""
    answer: str = ""
    system: str = ""
    group: str = ""
    part: str = ""
    time: str = ""
    header: bool = True
    encoding: str = ""
    reasoning: str = ""

    @property
    def guessed(self) -> bool:
        return self == ReadAs()

    def in_lower_case(self) -> "ReadAs":
        """The same with its columns in lower case, which is how the first row of a table is read."""
        names: dict[str, Any] = {name: column_name(getattr(self, name)) for name in COLUMN_NAMES}
        return replace(self, **names)

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "ReadAs":
        """What `to_json` wrote."""
        return ReadAs(**stored)

    def to_json(self) -> JsonDict:
        """What differs from a guess; an empty object is a guess."""
        names = ("shape", *COLUMN_NAMES, "header", "encoding", "reasoning")
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(GUESS, name)}


COLUMN_NAMES = ("question", "answer", "system", "group", "part", "time")
TRAIN = "train"
REASONING = (
    ("", "leave it out: ask and train without it"),
    (TRAIN, "train it before the answer, and ask with thinking on"),
)
GUESS = ReadAs()


def column_name(header: str) -> str:
    """A column's name as it is read: trimmed, and in lower case but for the one that we know with a capital."""
    name = header.strip().casefold()
    return "expectedOutput" if name == "expectedoutput" else name
