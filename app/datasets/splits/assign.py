"""Which part each group of rows goes to, where nothing has settled it.

A group's place follows from a hash of its oldest input and the seed: sorted files do no harm, and the same rows get the
same split everywhere. Where answers are labels each label gives its share, so that a rare one is judged too.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from app.datasets.splits.places import CODES, DEV, NAMES, OPEN, TEST, TRAIN, Codes, Numbers, Split
from app.datasets.splits.shares import Sizes, sizes


def place(key: int, seed: int) -> int:
    """The number by which groups are lined up, the same on every machine."""
    return int.from_bytes(sha256(f"{seed}:{key:016x}".encode()).digest()[:8], "big")


def assign(
    groups: Sequence[int],
    seed: int,
    previous_assignment: Mapping[int, Split] | None = None,
    *,
    own_test: bool = False,
    weights: Sequence[int] | None = None,
    newest: Sequence[float] | None = None,
    labels: Sequence[int] | None = None,
) -> list[Split]:
    """The split of each group.

    groups: for each usable group the key of its oldest input. previous_assignment: places that are settled, by the same
    key; a group that was test stays test even when that makes the test set larger than its share. weights: rows of each
    group, one unless given. newest: the time of each group's newest row; the newest then judge, the next newest choose.
    labels: the label of each group, counted from 0; each then gives its share, and of three groups or more one surely
    judges.
    """
    previous = previous_assignment or {}
    codes = assign_codes(
        np.asarray(groups, dtype=np.uint64),
        seed,
        np.fromiter((CODES[previous[key]] if key in previous else OPEN for key in groups), np.uint8, len(groups)),
        own_test=own_test,
        weight=np.asarray(weights or [1] * len(groups), dtype=np.int64),
        newest=np.asarray(newest, dtype=np.float64) if newest else None,
        labels=np.asarray(labels, dtype=np.int64) if labels else None,
    )
    return [NAMES[code - 1] for code in codes.tolist()]


def assign_codes(
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
    codes = np.where(settled == TEST, OPEN, settled).astype(np.uint8) if own_test else settled.copy()
    queue = np.flatnonzero(codes == OPEN)
    keys = groups[queue]
    places = np.fromiter((place(key, seed) for key in keys.tolist()), np.uint64, len(keys))
    age = np.zeros(len(queue)) if newest is None else -newest[queue]
    queue = queue[np.lexsort((keys, places, age))]  # the last is looked at first
    for code, wanted in ((TEST, want.test), (DEV, want.dev)):
        room = wanted - int(weight[codes == code].sum())
        if labels is not None and newest is None:
            queue = _in_turn(queue, weight, labels, codes == code)
        taken = _taken(queue, weight, room)
        if code == TEST and not (codes == DEV).any() and (fair := _fair(queue, weight, taken, want)):
            taken = _taken(queue, weight, fair)
        if not taken and room == wanted > 0 and len(queue) > 1:
            taken = [int(queue[np.argmin(weight[queue])])]  # every group is too large: the least too large
        codes[taken] = code
        queue = queue[codes[queue] == OPEN]
    codes[queue] = TRAIN
    return codes


def _fair(queue: Numbers, weight: Numbers, taken: list[int], want: Sizes) -> int:
    """The room of test where it would take all but groups too large for dev, which then had nothing; 0 elsewhere."""
    loose = int(weight[taken].sum())
    rest = weight[np.setdiff1d(queue, taken)]
    if not want.dev or len(taken) < 2 or not len(rest) or rest.min() <= 2 * want.dev:
        return 0
    return max(1, loose * want.test // (want.test + want.dev))


def _in_turn(queue: Numbers, weight: Numbers, labels: Numbers, here: npt.NDArray[np.bool_]) -> Numbers:
    """The queue with every label in turn: first who is least along in giving its label's share to this part.

    A label's groups keep their order. The middle of each group's stretch of its label counts, so that of a label with
    three groups one is in the first fifth of the queue, and of one with two none is. here: groups that are in the part.
    """
    kinds = int(labels.max(initial=0)) + 1
    total = np.bincount(labels, weights=weight, minlength=kinds)
    assigned = np.bincount(labels[here], weights=weight[here], minlength=kinds)
    by_label = np.argsort(labels[queue], kind="stable")
    label, rows = labels[queue][by_label], weight[queue][by_label]
    before = np.cumsum(rows) - rows
    first = np.searchsorted(label, label)  # where each label's stretch begins
    along = np.empty(len(queue))
    along[by_label] = (assigned[label] + before - before[first] + rows / 2) / total[label]
    return queue[np.argsort(along, kind="stable")]


def _taken(queue: Numbers, weight: Numbers, room: int) -> list[int]:
    """Groups from the front of the queue until there is no more room; one far larger than the room is passed over."""
    taken = []
    for number in queue:
        if room <= 0:
            break
        if weight[number] <= 2 * room:
            taken.append(int(number))
            room -= int(weight[number])
    return taken
