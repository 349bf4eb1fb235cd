"""Which rows train, which choose (dev), which judge (test).

At random: a row's place follows from a hash of its group's oldest input and the seed, not from its place in the file:
sorted files do no harm, and the same rows get the same split everywhere. By time: the newest rows judge, as they will
in use. By the uploader's own column, or own test file: as they say. In all of them rows that are nearly the same, and
rows that the uploader says belong together, stay on one side; and when rows are appended, `kept` holds the places of
the version before, so that what once was test stays test and is never trained on later.

Sizes: 70/10/20, raised to 200 test and 100 dev rows where the set is large enough to give them (decision-rules 4.2).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from app.datasets.records import Record
from app.evaluation import statistics

Split = Literal["train", "dev", "test"]

TEST_SHARE, DEV_SHARE = 0.2, 0.1
TEST_ROWS, DEV_ROWS = 200, 100
# A small set gives at most this much of itself to reach the row counts above; the rest has to be left to learn from.
MOST_TEST, MOST_DEV = 0.3, 0.15
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


def place(key: int, seed: int) -> int:
    """The number by which groups are lined up, the same on every machine."""
    return int.from_bytes(sha256(f"{seed}:{key:016x}".encode()).digest()[:8], "big")


def assign(
    groups: Sequence[int],
    seed: int,
    kept: Mapping[int, Split] | None = None,
    *,
    own_test: bool = False,
    weights: Sequence[int] | None = None,
    newest: Sequence[float] | None = None,
) -> list[Split]:
    """The split of each group.

    groups: for each usable group the key of its oldest input. kept: places that are settled, by the same key; a group
    that was test stays test even when that makes the test set larger than its share. weights: rows of each group, one
    unless given. newest: the time of each group's newest row; the newest then judge, the next newest choose.
    """
    weight = weights or [1] * len(groups)
    want = sizes(sum(weight), own_test=own_test)
    before = kept or {}
    found: dict[int, Split] = {}
    for number, key in enumerate(groups):
        split = before.get(key)
        if split is not None and not (own_test and split == "test"):
            found[number] = split

    def rank(number: int) -> tuple[float, int, int]:
        return (-newest[number] if newest else 0.0, place(groups[number], seed), groups[number])

    line = sorted((n for n in range(len(groups)) if n not in found), key=rank)
    parts: tuple[tuple[Split, int], ...] = (("test", want.test), ("dev", want.dev))
    for name, wanted in parts:
        room = wanted - sum(weight[number] for number, split in found.items() if split == name)
        taken = _taken(line, weight, room)
        if not taken and room == wanted > 0 and len(line) > 1:
            taken = {min(line, key=lambda number: weight[number])}  # every group is too large: the least too large
        found.update((number, name) for number in taken)
        line = [number for number in line if number not in taken]
    found.update((number, "train") for number in line)
    return [found[number] for number in range(len(groups))]


def _taken(line: Sequence[int], weight: Sequence[int], room: int) -> set[int]:
    """Groups from the front of the line until there is no more room; one far larger than the room is passed over."""
    taken = set()
    for number in line:
        if room <= 0:
            break
        if weight[number] <= 2 * room:
            taken.add(number)
            room -= weight[number]
    return taken


# ---------------------------------------------------------------------- what the rows say of themselves
PLANS = ("random", "time", "column")
STRICT: Mapping[Split, int] = {"train": 0, "dev": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class Told:
    """What the uploader's columns say, by position: what belongs together, where a row is wanted, how old it is."""

    groups: Mapping[int, str]
    parts: Mapping[int, Split]
    times: Mapping[int, float]


def told(records: Iterable[Record]) -> Told:
    """Gather it from the rows. Times are seconds since 1970; what can't be read as a time is not one."""
    groups: dict[int, str] = {}
    parts: dict[int, Split] = {}
    times: dict[int, float] = {}
    for index, record in enumerate(records):
        if record.group:
            groups[index] = record.group
        if record.part:
            parts[index] = record.part
        if record.time and (when := moment(record.time)) is not None:
            times[index] = when
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
    group_overlap: rows of the upload whose group stands in the own test file. times: rows with a time. column: whether
    a column says which rows judge.
    """

    split: dict[int, Split]
    by: str
    groups: int
    group_overlap: int
    times: int
    column: bool

    def report(self) -> dict[str, Any]:
        names = ("by", "groups", "group_overlap", "times", "column")
        return {name: getattr(self, name) for name in names}


def draw(
    usable: Sequence[int],
    oldest: Sequence[int],
    keys: Sequence[int],
    files: Sequence[int],
    said: Told,
    *,
    seed: int,
    plan: str = "",
    kept: Mapping[int, Split] | None = None,
    own_test: bool = False,
) -> Drawn:
    """Place the usable rows.

    oldest: of each row the oldest of its near-duplicates. keys: of what each row asks. files: 1 for the own test file,
    whose rows all judge. plan: random, time or column; empty takes the column where there is one, else random.
    """
    root = _together(oldest, said.groups)
    mine = [index for index in usable if not files[index]]
    has_column = not own_test and any(said.parts.get(index) == "test" for index in mine)
    by = "own_file" if own_test else plan or ("column" if has_column else "random")
    if by == "column" and not has_column:
        by = "random"
    members: dict[int, list[int]] = {}
    for index in mine:
        members.setdefault(root(index), []).append(index)
    settled = _settled(range(len(oldest)), root, keys, kept or {}, said.parts if by == "column" else {})
    names = list(members)
    if by == "column":
        chosen = any(split == "dev" for split in settled.values())
        undecided = [name for name in names if name not in settled or (not chosen and settled[name] == "train")]
        settled.update(_of_column(undecided, members, keys, seed, dev=not chosen))
    newest = [max(said.times.get(index, float(index)) for index in members[name]) for name in names]
    places = assign(
        [keys[name] for name in names],
        seed,
        {keys[name]: settled[name] for name in names if name in settled},
        own_test=own_test,
        weights=[len(members[name]) for name in names],
        newest=newest if by == "time" else None,
    )
    split = {index: place for name, place in zip(names, places, strict=True) for index in members[name]}
    split.update((index, "test") for index in usable if files[index])
    tests = {root(index) for index in usable if files[index]}
    overlap = sum(1 for index in mine if root(index) in tests)
    grouped = by == "random" and bool(said.groups)
    named = len(set(said.groups.values()))
    return Drawn(split, "group" if grouped else by, named, overlap, len(said.times), has_column)


def _together(oldest: Sequence[int], groups: Mapping[int, str]) -> Callable[[int], int]:
    """A function from a row to the first row of all that has to stay on its side."""
    if not groups:
        return lambda index: oldest[index]
    parent = list(oldest)

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[str, int] = {}
    for index, name in groups.items():
        one, other = root(first.setdefault(name, index)), root(index)
        parent[max(one, other)] = min(one, other)
    return root


def _settled(
    rows: Iterable[int],
    root: Callable[[int], int],
    keys: Sequence[int],
    kept: Mapping[int, Split],
    parts: Mapping[int, Split],
) -> dict[int, Split]:
    """The strictest place that any row of a group had before, or is given by the column."""
    found: dict[int, Split] = {}
    if kept or parts:
        for index in rows:
            for place_ in (kept.get(keys[index]), parts.get(index)):
                name = root(index)
                if place_ is not None and (name not in found or STRICT[place_] > STRICT[found[name]]):
                    found[name] = place_
    return found


def _of_column(
    names: Sequence[int], members: Mapping[int, Sequence[int]], keys: Sequence[int], seed: int, *, dev: bool
) -> dict[int, Split]:
    """Rows that the column leaves to us: all train, but for a share that chooses where the column names none."""
    if not dev:
        return dict.fromkeys(names, "train")
    places = assign([keys[name] for name in names], seed, own_test=True, weights=[len(members[name]) for name in names])
    return dict(zip(names, places, strict=True))


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
    return sha256(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def manifest_lines(seed: int, entries: Iterable[Entry]) -> Iterable[bytes]:
    """The manifest as JSON lines: which content is in which split. Its hash is what gets frozen."""
    yield (json.dumps({"seed": seed, "version": 1}, sort_keys=True) + "\n").encode()
    for entry in entries:
        yield manifest_line(entry)


def manifest_line(entry: Entry) -> bytes:
    line = {"content": entry.content, "line": entry.line, "split": entry.split}
    return (json.dumps(line, sort_keys=True) + "\n").encode()
