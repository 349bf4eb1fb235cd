"""What reading says of a line that it cannot use, or with a word about it; and small questions about JSON values."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]
DEEPEST = 100  # brackets in brackets; honest tool definitions need ten, and 254 is the most that can be written again


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to say about a line, or about the whole file (`line` is None).

    field: the key it is about, empty when it is the line as a whole. level: an error refuses the line unless the
    record is yielded too; a warning never does. kind: `empty` sets blank values apart from values that are wrong.
    """

    line: int | None
    field: str
    text: str
    level: Level = "error"
    kind: Literal["fault", "empty", "shape"] = "fault"


class Unfit(Exception):
    """This record can't be used; `field` is the key at fault."""

    def __init__(self, field: str, text: str, kind: Literal["fault", "empty"] = "fault") -> None:
        super().__init__(text)
        self.field = field
        self.text = text
        self.kind: Literal["fault", "empty"] = kind


def storable(text: str, field: str) -> str:
    """Refuse what a database or an encoder will choke on later; better here, with a line number."""
    if "\0" in text:
        raise Unfit(field, f"{field} holds a NUL character (U+0000), which no text field can store.")
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


def kind_of(value: object) -> str:
    """What a JSON value is, in a person's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def short(value: object) -> str:
    return repr(value[:40]) if isinstance(value, str) else kind_of(value)
