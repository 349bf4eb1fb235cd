"""Which rows train, which choose (dev), which judge (test).

At random: a row's place follows from a hash of its group's oldest input and the seed, not from its place in the file:
sorted files do no harm, and the same rows get the same split everywhere. Where answers are labels each label gives its
share, so that a rare one is judged too. By time: the newest rows judge, as they will in use. By the uploader's own
column, or own test file: as they say. In all of them rows that are nearly the same, and rows that the uploader says
belong together, stay on one side; and when rows are appended, `kept` holds the places of the versions before, so that
what once was test stays test and is never trained on later.

An own test file may hold groups that the upload holds too. To name a group is to say that its rows know of each other,
and such rows are never on two sides; so the upload's rows of those groups are left out. Where that took more than
`MOST_SHARED` of what could be used, the column most likely means something wider (a department, not a customer): then
nothing is left out until a person says so. Either way a person can turn it round.

Sizes: 70/10/20, raised to 200 test and 100 dev rows where the set is large enough to give them (decision-rules 4.2).
"""

import json
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from app.chat import Record
from app.evaluation import statistics

Split = Literal["train", "dev", "test"]
T = TypeVar("T")

TEST_SHARE, DEV_SHARE = 0.2, 0.1
TEST_ROWS, DEV_ROWS = 200, 100
# A small set gives at most this much of itself to reach the row counts above; the rest has to be left to learn from.
MOST_TEST, MOST_DEV = 0.3, 0.15
MOST_SHARED = 0.5  # of the usable rows that are left out unasked because the own test file holds their group
LEAST_GROUPS = 3  # one for each part; with an own test file one less
EPOCH_DIGITS = 9  # of a number from which on it counts as seconds since 1970: "2024" is a year


@dataclass(frozen=True, slots=True)
class Sizes:
    train: int
    dev: int
    test: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One row in the manifest. key: hash of the input; content: hash of input and answer."""

    line: int
    split: Split
    content: str


def sizes(rows: int, *, own_test: bool = False) -> Sizes:
    """How many rows go where; with the uploader's own test file, `rows` are those besides it."""
    test = 0 if own_test else max(round(TEST_SHARE * rows), min(TEST_ROWS, round(MOST_TEST * rows)))
    dev = max(round(DEV_SHARE * rows), min(DEV_ROWS, round(MOST_DEV * rows)))
    return Sizes(rows - test - dev, dev, test)


def rows_for(test_rows: int) -> int:
    """The usable rows of which so many are drawn to judge."""
    low, high = 0, max(1, round(2 * test_rows / TEST_SHARE))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if sizes(middle).test >= test_rows else (middle + 1, high)
    return low


def place(key: int, seed: int) -> int:
    """The number by which groups are lined up, the same on every machine."""
    return int.from_bytes(sha256(f"{seed}:{key:016x}".encode()).digest()[:8], "big")


# Places as numbers, the strictest the highest: a million rows have their place in a megabyte.
_NAMES: tuple[Split, ...] = ("train", "dev", "test")
_OPEN, _TRAIN, _DEV, _TEST = 0, 1, 2, 3
_CODES: Mapping[Split, int] = {name: code for code, name in enumerate(_NAMES, start=1)}

Codes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


def assign(
    groups: Sequence[int],
    seed: int,
    kept: Mapping[int, Split] | None = None,
    *,
    own_test: bool = False,
    weights: Sequence[int] | None = None,
    newest: Sequence[float] | None = None,
    labels: Sequence[int] | None = None,
) -> list[Split]:
    """The split of each group.

    groups: for each usable group the key of its oldest input. kept: places that are settled, by the same key; a group
    that was test stays test even when that makes the test set larger than its share. weights: rows of each group, one
    unless given. newest: the time of each group's newest row; the newest then judge, the next newest choose. labels:
    the label of each group, counted from 0; each then gives its share, and of three groups or more one surely judges.
    """
    before = kept or {}
    found = _assigned(
        np.asarray(groups, dtype=np.uint64),
        seed,
        np.fromiter((_CODES[before[key]] if key in before else _OPEN for key in groups), np.uint8, len(groups)),
        own_test=own_test,
        weight=np.asarray(weights or [1] * len(groups), dtype=np.int64),
        newest=np.asarray(newest, dtype=np.float64) if newest else None,
        labels=np.asarray(labels, dtype=np.int64) if labels else None,
    )
    return [_NAMES[code - 1] for code in found.tolist()]


def _assigned(
    groups: npt.NDArray[np.uint64],
    seed: int,
    settled: Codes,
    *,
    own_test: bool,
    weight: Numbers,
    newest: npt.NDArray[np.float64] | None,
    labels: Numbers | None,
) -> Codes:
    """What `assign` promises, in numbers; `settled` is open where nothing is."""
    want = sizes(int(weight.sum()), own_test=own_test)
    found = np.where(settled == _TEST, _OPEN, settled).astype(np.uint8) if own_test else settled.copy()
    line = np.flatnonzero(found == _OPEN)
    keys = groups[line]
    places = np.fromiter((place(key, seed) for key in keys.tolist()), np.uint64, len(keys))
    age = np.zeros(len(line)) if newest is None else -newest[line]
    line = line[np.lexsort((keys, places, age))]  # the last is looked at first
    for code, wanted in ((_TEST, want.test), (_DEV, want.dev)):
        room = wanted - int(weight[found == code].sum())
        if labels is not None and newest is None:
            line = _in_turn(line, weight, labels, found == code)
        taken = _taken(line, weight, room)
        if code == _TEST and not (found == _DEV).any() and (fair := _fair(line, weight, taken, want)):
            taken = _taken(line, weight, fair)
        if not taken and room == wanted > 0 and len(line) > 1:
            taken = [int(line[np.argmin(weight[line])])]  # every group is too large: the least too large
        found[taken] = code
        line = line[found[line] == _OPEN]
    found[line] = _TRAIN
    return found


def _fair(line: Numbers, weight: Numbers, taken: list[int], want: Sizes) -> int:
    """The room of test where it would take all but groups too large for dev, which then had nothing; 0 elsewhere."""
    loose = int(weight[taken].sum())
    rest = weight[np.setdiff1d(line, taken)]
    if not want.dev or len(taken) < 2 or not len(rest) or rest.min() <= 2 * want.dev:
        return 0
    return max(1, loose * want.test // (want.test + want.dev))


def _in_turn(line: Numbers, weight: Numbers, labels: Numbers, here: npt.NDArray[np.bool_]) -> Numbers:
    """The line with every label in turn: first who is least along in giving its label's share to this part.

    A label's groups keep their order. The middle of each group's stretch of its label counts, so that of a label with
    three groups one is in the first fifth of the line, and of one with two none is. here: groups that are in the part.
    """
    kinds = int(labels.max(initial=0)) + 1
    total = np.bincount(labels, weights=weight, minlength=kinds)
    given = np.bincount(labels[here], weights=weight[here], minlength=kinds)
    by_label = np.argsort(labels[line], kind="stable")
    label, rows = labels[line][by_label], weight[line][by_label]
    before = np.cumsum(rows) - rows
    first = np.searchsorted(label, label)  # where each label's stretch begins
    along = np.empty(len(line))
    along[by_label] = (given[label] + before - before[first] + rows / 2) / total[label]
    return line[np.argsort(along, kind="stable")]


def _taken(line: Numbers, weight: Numbers, room: int) -> list[int]:
    """Groups from the front of the line until there is no more room; one far larger than the room is passed over."""
    taken = []
    for number in line:
        if room <= 0:
            break
        if weight[number] <= 2 * room:
            taken.append(int(number))
            room -= int(weight[number])
    return taken


# ---------------------------------------------------------------------- what the rows say of themselves
PLANS = ("random", "time", "column")


class Places(Mapping[int, Split]):
    """The place of each row that has one, by position: a mapping that keeps a byte a row."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes.tobytes()

    def __getitem__(self, index: int) -> Split:
        code = self._codes[index] if 0 <= index < len(self._codes) else _OPEN
        if not code:
            raise KeyError(index)
        return _NAMES[code - 1]

    def __iter__(self) -> Iterator[int]:
        return (index for index, code in enumerate(self._codes) if code)

    def __len__(self) -> int:
        return len(self._codes) - self._codes.count(_OPEN)

    def counts(self) -> Counter[Split]:
        """How many rows are where."""
        return Counter({name: self._codes.count(code) for name, code in _CODES.items()})

    def where(self, *names: Split) -> Numbers:
        """The positions of the rows that are there, rising."""
        codes = np.frombuffer(self._codes, dtype=np.uint8)
        return np.flatnonzero(np.isin(codes, [_CODES[name] for name in names]))


class Kept(Mapping[int, Split]):
    """Places of earlier versions by the key of what is asked; the strictest word about a key counts. Nine bytes a row.

    Two rows can come to ask the same when personal data is masked: if one of them judged, both do from then on.
    """

    def __init__(self, pairs: Iterable[tuple[int, Split]]) -> None:
        keys, codes = array("Q"), array("B")
        for key, split in pairs:
            keys.append(key)
            codes.append(_CODES[split])
        self._keys, group = np.unique(np.asarray(keys, dtype=np.uint64), return_inverse=True)
        self._codes: Codes = np.zeros(len(self._keys), dtype=np.uint8)
        np.maximum.at(self._codes, group, np.asarray(codes, dtype=np.uint8))

    def codes(self, keys: npt.NDArray[np.uint64]) -> Codes:
        """The places of many rows at once."""
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.uint8)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._codes[at], _OPEN).astype(np.uint8)

    def __getitem__(self, key: int) -> Split:
        code = int(self.codes(np.array([key], dtype=np.uint64))[0])
        if not code:
            raise KeyError(key)
        return _NAMES[code - 1]

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys.tolist())

    def __len__(self) -> int:
        return len(self._keys)


class Column(Mapping[int, T]):
    """What rows say of themselves, by rising position: 16 bytes a row besides the words."""

    def __init__(self) -> None:
        self._rows = array("Q")
        self._said: list[T] = []

    def add(self, row: int, said: T) -> None:
        self._rows.append(row)
        self._said.append(said)

    def __getitem__(self, row: int) -> T:
        at = bisect_left(self._rows, row)
        if at == len(self._rows) or self._rows[at] != row:
            raise KeyError(row)
        return self._said[at]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True, slots=True)
class Told:
    """What the uploader's columns say, by position: what belongs together, where a row is wanted, how old it is."""

    groups: Mapping[int, str]
    parts: Mapping[int, Split]
    times: Mapping[int, float]


def told(records: Iterable[Record]) -> Told:
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
    return Told(groups, parts, times)


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


@dataclass(frozen=True, slots=True)
class Drawn:
    """The outcome, by position, and how it came about.

    by: random, group (at random, whole groups), time, column, own_file. groups: how many the uploader names.
    group_overlap: rows that are used though their group stands in the own test file. times: rows with a time. column:
    whether a column says which rows judge. parts: rows that such a column names. newer: by time, rows to learn from
    that are newer than the oldest row that judges; appended ones are, for old places are kept. released: rows of the
    upload that judged in an earlier version and are learnt from now, because the own test file judges. units: of the
    upload, what stays together counted once.
    """

    split: Places
    by: str
    groups: int
    group_overlap: int
    times: int
    column: bool
    parts: int
    newer: int
    released: int
    units: int


def draw(
    usable: Sequence[int] | Numbers,
    oldest: Sequence[int],
    keys: Sequence[int],
    files: Sequence[int],
    said: Told,
    *,
    seed: int,
    plan: str = "",
    kept: Mapping[int, Split] | None = None,
    own_test: bool = False,
    labels: Sequence[int] | None = None,
    once: Mapping[int, int] | None = None,
) -> Drawn:
    """Place the usable rows.

    oldest: of each row the oldest of its near-duplicates. keys: of what each row asks. files: 1 for the own test file,
    whose rows all judge. plan: random, time or column; empty takes the column where there is one, else random. labels:
    of each row, where answers are labels. once: keys that rows had in an earlier version, where they have others now.
    """
    row_keys = np.asarray(keys, dtype=np.uint64)
    root = _together(oldest, said.groups)
    rows = np.asarray(usable, dtype=np.int64)
    judging = np.asarray(files, dtype=np.uint8)[rows] != 0
    mine, tests = rows[~judging], rows[judging]
    has_column = not own_test and bool(said.parts) and any(said.parts.get(int(index)) == "test" for index in mine)
    by = "own_file" if own_test else plan or ("column" if has_column else "random")
    if by == "column" and not has_column:
        by = "random"
    names, group, weight = np.unique(root[mine], return_inverse=True, return_counts=True)
    every = _settled(root, row_keys, kept or {}, said.parts if by == "column" else {}, once or {})
    settled = every[names]
    label = _labels_of(group, np.asarray(labels, dtype=np.uint64)[mine]) if labels is not None else None
    if by == "column":
        chosen = bool(np.any(every == _DEV))
        undecided = np.flatnonzero((settled == _OPEN) | ((settled == _TRAIN) & (not chosen)))
        settled[undecided] = _of_column(
            row_keys[names[undecided]],
            weight[undecided],
            seed,
            None if label is None else label[undecided],
            dev=not chosen,
        )
    newest, times = None, np.zeros(0)
    if by == "time":
        times = np.fromiter((said.times.get(index, float(index)) for index in mine.tolist()), np.float64, len(mine))
        newest = np.full(len(names), -np.inf)
        np.maximum.at(newest, group, times)
    places = _assigned(row_keys[names], seed, settled, own_test=own_test, weight=weight, newest=newest, labels=label)
    found = np.zeros(len(root), dtype=np.uint8)
    found[mine] = places[group]
    found[tests] = _TEST
    overlap = int(np.count_nonzero(np.isin(root[mine], root[tests])))
    judged = found[mine] == _TEST
    return Drawn(
        Places(found),
        "group" if by == "random" and said.groups else by,
        len(set(said.groups.values())),
        overlap,
        len(said.times),
        has_column,
        len(said.parts),
        int(np.count_nonzero(times[~judged] > times[judged].min())) if by == "time" and judged.any() else 0,
        int(weight[settled == _TEST].sum()) if own_test else 0,
        len(names),
    )


def shared_groups(usable: Sequence[int] | Numbers, oldest: Sequence[int], files: Sequence[int], said: Told) -> Numbers:
    """The usable rows of the upload that belong with a row of the own test file, rising."""
    if not said.groups:
        return np.zeros(0, dtype=np.int64)
    root = _together(oldest, said.groups)
    rows = np.asarray(usable, dtype=np.int64)
    judging = np.asarray(files, dtype=np.uint8)[rows] != 0
    mine, tests = rows[~judging], rows[judging]
    return np.asarray(mine[np.isin(root[mine], root[tests])], dtype=np.int64)


def _labels_of(group: Numbers, labels: npt.NDArray[np.uint64]) -> Numbers:
    """One label for all that stays together: its rarest, because the common ones come into every part anyway."""
    _, label, rows = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.lexsort((label, rows[label], group))  # the last is looked at first
    _, first = np.unique(group[order], return_index=True)
    return np.asarray(label[order][first], dtype=np.int64)


def _together(oldest: Sequence[int], groups: Mapping[int, str]) -> Numbers:
    """For each row the first row of all that has to stay on its side."""
    if not groups:
        return np.asarray(oldest, dtype=np.int64)
    parent = array("q", oldest)

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[str, int] = {}
    for index, name in groups.items():
        one, other = root(first.setdefault(name, index)), root(index)
        parent[max(one, other)] = min(one, other)
    return np.fromiter(map(root, range(len(parent))), np.int64, len(parent))


def _settled(
    root: Numbers,
    keys: npt.NDArray[np.uint64],
    kept: Mapping[int, Split],
    parts: Mapping[int, Split],
    once: Mapping[int, int],
) -> Codes:
    """At each group's first row the strictest place that any of its rows had before, or is given by the column."""
    found = np.zeros(len(root), dtype=np.uint8)
    if kept:
        before = kept if isinstance(kept, Kept) else Kept(kept.items())
        np.maximum.at(found, root, before.codes(keys))
        if once:
            earlier = before.codes(np.fromiter(once.values(), np.uint64, len(once)))
            np.maximum.at(found, root[np.fromiter(once, np.int64, len(once))], earlier)
    for index, split in parts.items():
        found[root[index]] = max(found[root[index]], _CODES[split])
    return found


def _of_column(keys: npt.NDArray[np.uint64], weight: Numbers, seed: int, labels: Numbers | None, *, dev: bool) -> Codes:
    """Rows that the column leaves to us: all train, but for a share that chooses where the column names none."""
    if not dev:
        return np.full(len(keys), _TRAIN, dtype=np.uint8)
    open_ = np.zeros(len(keys), dtype=np.uint8)
    return _assigned(keys, seed, open_, own_test=True, weight=weight, newest=None, labels=labels)


# ---------------------------------------------------------------------- how many rows it takes
GAPS = (0.03, 0.05, 0.08, 0.10, 0.15)


def needs_rows(test_rows: int) -> dict[str, Any]:
    """What so many test rows can tell apart, and how many other gaps would take (decision-rules 4.5).

    Two systems on the same rows, which differ on 20 % of them; two-sided at 5 %, seen with a chance of 80 %.
    """
    return {
        "rows": test_rows,
        "gap": round(statistics.smallest_gap(test_rows), 4) if test_rows else None,
        "table": [{"gap": gap, "rows": statistics.rows_needed(gap)} for gap in GAPS],
    }


def content_hash(messages: Iterable[Mapping[str, str]], target: str) -> str:
    """SHA-256 over question and answer, byte for byte."""
    value = {"messages": [{"content": m["content"], "role": m["role"]} for m in messages], "target": target}
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def manifest_lines(seed: int, entries: Iterable[Entry]) -> Iterable[bytes]:
    """The manifest as JSON lines: which content is in which split. Its hash is what gets frozen."""
    yield (json.dumps({"seed": seed, "version": 1}, sort_keys=True) + "\n").encode()
    for entry in entries:
        yield manifest_line(entry)


def manifest_line(entry: Entry) -> bytes:
    return f'{{"content": "{entry.content}", "line": {entry.line}, "split": "{entry.split}"}}\n'.encode()
