"""What reading says of a line that it cannot use, or with a word about it; and small questions about JSON values."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.datasets.reading.fault_words import sentence
from app.wording import Statement, state

Level = Literal["error", "warning", "note"]
DEEPEST = 100  # brackets in brackets; honest tool definitions need ten, and 254 is the most that can be written again


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to say about a line, or about the whole file (`line` is None), by its code in `fault_words`.

    field: the key it is about, empty when it is the line as a whole. level: an error refuses the line unless the
    record is yielded too; a warning never does. kind: `empty` sets blank values apart from values that are wrong.
    file_line: the physical line of a table's row, where cells that hold lines have pushed it down.
    """

    line: int | None
    field: str
    statement: Statement
    level: Level = "error"
    kind: Literal["fault", "empty", "shape"] = "fault"
    file_line: int | None = None

    @property
    def text(self) -> str:
        """The statement in words."""
        text = sentence(self.statement)
        return text if self.file_line is None else f"{text} (Line {self.file_line:,} of the file.)"


class Unfit(Exception):
    """This record can't be used; `field` is the key at fault."""

    def __init__(self, field: str, statement: Statement, kind: Literal["fault", "empty"] = "fault") -> None:
        super().__init__(field, statement)
        self.field = field
        self.statement = statement
        self.kind: Literal["fault", "empty"] = kind


class Unreadable(Exception):
    """The file can't be used, from some place on. line: where, 1-based; None where nobody can say."""

    def __init__(self, statement: Statement, line: int | None = None) -> None:
        super().__init__(statement)
        self.statement = statement
        self.line = line

    def fault(self) -> Fault:
        return Fault(self.line, "", self.statement)


def storable(text: str, field: str) -> str:
    """Refuse what a database or an encoder will choke on later; better here, with a line number."""
    if "\0" in text:
        raise Unfit(field, state("nul", at=field))
    return text


def too_deep(value: object) -> bool:
    """Whether brackets are nested deeper than DEEPEST; gone through level by level, for Python's own stack is short."""
    level = [value]
    for _ in range(DEEPEST):
        inside = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list))
        level = [inner for held in inside for inner in held if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


class Kind(StrEnum):
    """What a JSON value is, with a person's word for it."""

    NULL = "null"
    TRUTH = "true or false"
    NUMBER = "a number"
    TEXT = "text"
    LIST = "a list"
    OBJECT = "an object"


def kind_of(value: object) -> Kind:
    if value is None:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.TRUTH
    if isinstance(value, int | float):
        return Kind.NUMBER
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.LIST if isinstance(value, list) else Kind.OBJECT


def short(value: object) -> str:
    """A short look at a value: the beginning of a text in quotes, else what it is."""
    return repr(value[:40]) if isinstance(value, str) else kind_of(value)


def wrong_kind(at: str, wanted: str, value: object) -> Unfit:
    """The value at a key is of another kind than it has to be. wanted: by its code in `fault_words`."""
    return Unfit(at, state("wrong_kind", at=at, wanted=wanted, got=kind_of(value)))


def no_list(at: str, wanted: str, value: object) -> Unfit:
    """The same where a list has to stand; a text that begins like one was written by Python, in its own notation."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        return Unfit(at, state("wrong_kind", at=at, wanted=wanted, got=Kind.TEXT, as_python=True))
    return wrong_kind(at, wanted, value)
