"""What the columns beside question and answer say: what belongs together, where a row goes, when it came up."""

from collections.abc import Iterator
from typing import Literal

from app.chat import Part, Record
from app.datasets.reading.faults import short
from app.datasets.reading.read_as import ReadAs
from app.json_types import JsonObject

TIMES = ("time", "timestamp", "date", "created_at", "created")  # columns that say when a row came up
Mark = Literal["split", "group"]
_PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "val": "dev",
    "eval": "dev",
    "evaluation": "dev",
    "development": "dev",
    "test": "test",
    "testing": "test",
    "heldout": "test",
    "holdout": "test",
}


# ---------------------------------------------------------------------- columns
def value_at(record: JsonObject, name: str) -> object:
    """What a key holds; `a.b` is the key b of the object under a, unless a key is really called so."""
    if name in record or "." not in name:
        return record.get(name)
    value: object = record
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def group_of(record: JsonObject, how: ReadAs) -> str:
    value = value_at(record, how.group or "group")
    if isinstance(value, str):
        return value.strip()[:200].replace("\0", "")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a table that has rows without a group writes the numbers of the others as 7.0
    return str(value)[:200] if isinstance(value, int | float) and not isinstance(value, bool) else ""


def time_of(record: JsonObject, how: ReadAs) -> str:
    value = value_at(record, how.time) if how.time else next((record[name] for name in TIMES if name in record), None)
    return str(value)[:40] if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def part_of(record: JsonObject, how: ReadAs) -> Part | None:
    value = value_at(record, how.part or "split")
    return _PARTS.get(value.strip().casefold().replace("-", "").replace("_", "")) if isinstance(value, str) else None


def misread(record: JsonObject, read: Record, how: ReadAs) -> Iterator[tuple[Mark, str, str]]:
    """The marks of a record that say something which is no part of the split, or no group: mark, column, a look."""
    marks: tuple[tuple[Mark, str, object], ...] = (
        ("split", how.part or "split", read.part),
        ("group", how.group or "group", read.group),
    )
    for mark, name, understood in marks:
        value = None if understood else value_at(record, name)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            yield mark, name, short(value.strip() if isinstance(value, str) else value)


def columns_of(record: JsonObject) -> Iterator[tuple[str, object]]:
    """The columns that a person may choose, objects opened one level deep."""
    for key, value in record.items():
        yield key, value
        if isinstance(value, dict):
            for inner, held in value.items():
                yield f"{key}.{inner}", held
