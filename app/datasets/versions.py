"""What changed from one version to the next: rows added, removed, answered differently, or moved to another part.

Only rows that are used are compared, because they are what is measured and trained on: a row that stands in both files
and is a repeat in one of them is gone there. Two rows are the same row when they ask the same (`duplicates.key`).
A million rows take 50 MiB.
"""

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from app.datasets import duplicates
from app.datasets.reading import from_canonical
from app.datasets.rows import question

KEPT = 200  # rows of each kind that are kept to be shown

Numbers = npt.NDArray[np.uint64]
_PARTS = {"train": 0, "dev": 1, "test": 2}


class _Side:
    """One version, by the key of what each row asks; where a key stands twice the first row speaks for it."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        keys, answers, at, parts = array("Q"), array("Q"), array("Q"), array("B")
        for raw in lines:
            record, used = from_canonical(raw), orjson.loads(raw)
            keys.append(duplicates.key(question(record)))
            answers.append(duplicates.key(record.target))
            at.append(used["id"])
            parts.append(_PARTS[used["split"]])
        self.keys, first = np.unique(np.frombuffer(keys, dtype=np.uint64), return_index=True)
        self.answers: Numbers = np.frombuffer(answers, dtype=np.uint64)[first]
        self.ids: Numbers = np.frombuffer(at, dtype=np.uint64)[first]
        self.parts = np.frombuffer(parts, dtype=np.uint8)[first]


def compare(old: Iterable[bytes], new: Iterable[bytes], since: int) -> dict[str, Any]:
    """The difference between the used rows of two versions, as it is stored in the later one's report.

    since: number of the earlier version. rows: ids of rows of the later version, for removed ones of the earlier; for
    changed ones both, the later first. moved: rows with the same question and answer that are in another part now.
    """
    before, after = _Side(old), _Side(new)
    _, mine, theirs = np.intersect1d(after.keys, before.keys, assume_unique=True, return_indices=True)
    other = after.answers[mine] != before.answers[theirs]
    moved = ~other & (after.parts[mine] != before.parts[theirs])
    added = np.sort(np.delete(after.ids, mine))
    removed = np.sort(np.delete(before.ids, theirs))
    changed = np.stack([after.ids[mine][other], before.ids[theirs][other]], axis=1)
    changed = changed[np.argsort(changed[:, 0], kind="stable")]
    return {
        "since": since,
        "added": len(added),
        "removed": len(removed),
        "changed": len(changed),
        "same": int((~other).sum()),
        "moved": int(moved.sum()),
        "rows": {
            "added": added[:KEPT].tolist(),
            "removed": removed[:KEPT].tolist(),
            "changed": changed[:KEPT].tolist(),
        },
    }
