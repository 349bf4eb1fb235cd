"""What the uploader's own columns say of rows: what belongs together, where a row goes, when it came up."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from app.chat import Record
from app.datasets.splits.places import Split

T = TypeVar("T")
EPOCH_DIGITS = 9  # of a number from which on it counts as seconds since 1970: "2024" is a year


class Column(Mapping[int, T]):
    """What a column says of rows, by rising position: 16 bytes a row besides the words."""

    def __init__(self) -> None:
        self._rows = array("Q")
        self._values: list[T] = []

    def add(self, row: int, value: T) -> None:
        self._rows.append(row)
        self._values.append(value)

    def __getitem__(self, row: int) -> T:
        at = bisect_left(self._rows, row)
        if at == len(self._rows) or self._rows[at] != row:
            raise KeyError(row)
        return self._values[at]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, slots=True)
class DeclaredColumns:
    """What the uploader's columns say, by position: what belongs together, where a row is wanted, how old it is."""

    groups: Mapping[int, str]
    parts: Mapping[int, Split]
    times: Mapping[int, float]


def declared_by(records: Iterable[Record]) -> DeclaredColumns:
    """Gather it from the rows. Times are seconds since 1970; what can't be read as a time is not one."""
    names: dict[str, str] = {}  # each name once, however many rows have it
    groups: Column[str] = Column()
    parts: Column[Split] = Column()
    times: Column[float] = Column()
    for index, record in enumerate(records):
        if record.group:
            groups.add(index, names.setdefault(record.group, record.group))
        if record.part:
            parts.add(index, record.part)
        if record.time and (when := moment(record.time)) is not None:
            times.add(index, when)
    return DeclaredColumns(groups, parts, times)


def moment(text: str) -> float | None:
    """ISO 8601 with or without time and zone, or seconds or milliseconds since 1970; without a zone it is UTC."""
    try:
        if text.replace(".", "", 1).isdecimal() and EPOCH_DIGITS <= len(text) <= 2 * EPOCH_DIGITS:
            number = float(text)
            return number / 1000 if number > 1e11 else number  # 1e11 seconds is the year 5138
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
