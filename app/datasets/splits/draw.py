"""Which rows train, which choose (dev), which judge (test).

At random: a row's place follows from a hash of its group's oldest input and the seed, not from its place in the file
(`assign`). By time: the newest rows judge, as they will in use. By the uploader's own column, or own test file: as they
say. In all of them rows that are nearly the same, and rows that the uploader says belong together, stay on one side;
and when rows are appended, the previous assignment holds, so that what once was test stays test and is never trained
on later.

An own test file may hold groups that the upload holds too. To name a group is to say that its rows know of each other,
and such rows are never on two sides; so the upload's rows of those groups are left out. Where that took more than
`MOST_SHARED` of what could be used, the column most likely means something wider (a department, not a customer): then
nothing is left out until a person says so. Either way a person can turn it round.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.datasets.splits.assign import assign_codes
from app.datasets.splits.declared import DeclaredColumns
from app.datasets.splits.places import CODES, DEV, OPEN, TEST, TRAIN, Codes, Numbers, Places, PreviousAssignment, Split

MOST_SHARED = 0.5  # of the usable rows that are left out unasked because the own test file holds their group
LEAST_GROUPS = 3  # one for each part; with an own test file one less


PLANS = ("random", "time", "column")


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


@dataclass(frozen=True, slots=True)
class DrawInput:
    """What a split is drawn from; sequences are by position unless they say otherwise.

    usable: positions of the rows to place, rising. oldest: of each row the oldest of its near-duplicates. keys: of what
    each row asks. files: 1 for the own test file, whose rows all judge. plan: random, time or column; empty takes the
    column where there is one, else random. labels: of each row, where answers are labels. earlier_keys: keys that rows
    had in an earlier version, where they have others now.
    """

    usable: Sequence[int] | Numbers
    oldest: Sequence[int]
    keys: Sequence[int]
    files: Sequence[int]
    declared: DeclaredColumns
    seed: int
    plan: str = ""
    previous_assignment: Mapping[int, Split] = field(default_factory=dict)
    own_test: bool = False
    labels: Sequence[int] | None = None
    earlier_keys: Mapping[int, int] = field(default_factory=dict)

    def by_side(self) -> tuple[Numbers, Numbers]:
        """The usable rows of the upload, and those of the own test file."""
        rows = np.asarray(self.usable, dtype=np.int64)
        in_test_file = np.asarray(self.files, dtype=np.uint8)[rows] != 0
        return rows[~in_test_file], rows[in_test_file]


def draw(inputs: DrawInput) -> Drawn:
    """Place the usable rows."""
    declared = inputs.declared
    row_keys = np.asarray(inputs.keys, dtype=np.uint64)
    root = _joined(inputs.oldest, declared.groups)
    uploaded, test_file = inputs.by_side()
    has_column = not inputs.own_test and any(declared.parts.get(int(index)) == "test" for index in uploaded)
    by = _plan(inputs, has_column=has_column)
    first_rows, group, weight = np.unique(root[uploaded], return_inverse=True, return_counts=True)
    settled_rows = _settled(inputs, root, row_keys, declared.parts if by == "column" else {})
    settled = settled_rows[first_rows]
    labels = None
    if inputs.labels is not None:
        labels = _labels_of(group, np.asarray(inputs.labels, dtype=np.uint64)[uploaded])
    if by == "column":
        dev_is_named = bool(np.any(settled_rows == DEV))
        _settle_by_column(settled, row_keys[first_rows], weight, labels, seed=inputs.seed, dev_is_named=dev_is_named)
    newest, times = None, np.zeros(0)
    if by == "time":
        times = _times(declared, uploaded)
        newest = np.full(len(first_rows), -np.inf)
        np.maximum.at(newest, group, times)
    codes = np.zeros(len(root), dtype=np.uint8)
    codes[uploaded] = assign_codes(
        row_keys[first_rows],
        inputs.seed,
        settled,
        own_test=inputs.own_test,
        weight=weight,
        newest=newest,
        labels=labels,
    )[group]
    codes[test_file] = TEST
    return Drawn(
        split=Places(codes),
        by="group" if by == "random" and declared.groups else by,
        groups=len(set(declared.groups.values())),
        group_overlap=int(np.count_nonzero(np.isin(root[uploaded], root[test_file]))),
        times=len(declared.times),
        column=has_column,
        parts=len(declared.parts),
        newer=_newer(times, codes[uploaded] == TEST),
        released=int(weight[settled == TEST].sum()) if inputs.own_test else 0,
        units=len(first_rows),
    )


def shared_groups(
    usable: Sequence[int] | Numbers, oldest: Sequence[int], files: Sequence[int], declared: DeclaredColumns
) -> Numbers:
    """The usable rows of the upload that belong with a row of the own test file, rising."""
    if not declared.groups:
        return np.zeros(0, dtype=np.int64)
    root = _joined(oldest, declared.groups)
    uploaded, test_file = DrawInput(usable, oldest, (), files, declared, seed=0).by_side()
    return np.asarray(uploaded[np.isin(root[uploaded], root[test_file])], dtype=np.int64)


def _plan(inputs: DrawInput, *, has_column: bool) -> str:
    """How the rows are split: as was chosen where that can be, else as the file suggests."""
    if inputs.own_test:
        return "own_file"
    plan = inputs.plan or "column"
    return "random" if plan == "column" and not has_column else plan


def _times(declared: DeclaredColumns, rows: Numbers) -> npt.NDArray[np.float64]:
    """When each row came up; the place in the file where it doesn't say."""
    return np.fromiter((declared.times.get(index, float(index)) for index in rows.tolist()), np.float64, len(rows))


def _newer(times: npt.NDArray[np.float64], judging: npt.NDArray[np.bool_]) -> int:
    """How many rows to learn from are newer than the oldest that judges; 0 where times decide nothing."""
    if not len(times) or not judging.any():
        return 0
    return int(np.count_nonzero(times[~judging] > times[judging].min()))


def _labels_of(group: Numbers, labels: npt.NDArray[np.uint64]) -> Numbers:
    """One label for all that stays together: its rarest, because the common ones come into every part anyway."""
    _, label, rows = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.lexsort((label, rows[label], group))  # the last is looked at first
    _, first = np.unique(group[order], return_index=True)
    return np.asarray(label[order][first], dtype=np.int64)


def _joined(oldest: Sequence[int], groups: Mapping[int, str]) -> Numbers:
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
        named_first, named_now = root(first.setdefault(name, index)), root(index)
        parent[max(named_first, named_now)] = min(named_first, named_now)
    return np.fromiter(map(root, range(len(parent))), np.int64, len(parent))


def _settled(
    inputs: DrawInput, root: Numbers, keys: npt.NDArray[np.uint64], column_parts: Mapping[int, Split]
) -> Codes:
    """At each group's first row the strictest place that any of its rows had before, or is given by the column."""
    codes = np.zeros(len(root), dtype=np.uint8)
    previous = inputs.previous_assignment
    if previous:
        if not isinstance(previous, PreviousAssignment):
            previous = PreviousAssignment(previous.items())
        np.maximum.at(codes, root, previous.codes(keys))
        if earlier_keys := inputs.earlier_keys:
            earlier = previous.codes(np.fromiter(earlier_keys.values(), np.uint64, len(earlier_keys)))
            np.maximum.at(codes, root[np.fromiter(earlier_keys, np.int64, len(earlier_keys))], earlier)
    for index, split in column_parts.items():
        codes[root[index]] = max(codes[root[index]], CODES[split])
    return codes


def _settle_by_column(
    settled: Codes,
    keys: npt.NDArray[np.uint64],
    weight: Numbers,
    labels: Numbers | None,
    *,
    seed: int,
    dev_is_named: bool,
) -> None:
    """Settle the groups that the column leaves to us: all train, but for a share of dev where it names none."""
    undecided = np.flatnonzero((settled == OPEN) | ((settled == TRAIN) & (not dev_is_named)))
    if dev_is_named:
        settled[undecided] = TRAIN
        return
    settled[undecided] = assign_codes(
        keys[undecided],
        seed,
        np.zeros(len(undecided), dtype=np.uint8),
        own_test=True,
        weight=weight[undecided],
        newest=None,
        labels=None if labels is None else labels[undecided],
    )
