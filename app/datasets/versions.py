"""What changed from one version to another: rows added, removed, answered differently, moved, used no more or again.

Two rows are the same row when they ask the same (`compared_text.key`); where several rows of a version ask the same,
the one that is used speaks for them, else the first. Rows that are used in neither version are not compared.

The check writes an index of every readable row, 25 bytes each, so that any two versions can be compared while a
page is being made: 100,000 rows beside as many take a twentieth of a second, a million less than one, and 200 MiB.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import orjson

from app.datasets.checks import compared_text
from app.datasets.checks.working_rows import question
from app.datasets.reading.canonical import from_line

Numbers = npt.NDArray[np.uint64]

UNUSED = 3
PLACES = {"train": 0, "dev": 1, "test": 2, "": UNUSED}
_ENTRY = np.dtype([("keys", "<u8"), ("answers", "<u8"), ("ids", "<u8"), ("places", "u1")])


@dataclass(frozen=True, slots=True)
class Index:
    """One version, each question once. ids: of the rows in the table; places: train, dev, test or unused."""

    keys: Numbers
    answers: Numbers
    ids: Numbers
    places: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, entries: npt.NDArray[np.void]) -> Self:
        used_first = entries[np.argsort(entries["places"] == UNUSED, kind="stable")]
        keys, first = np.unique(used_first["keys"], return_index=True)
        chosen = used_first[first]
        return cls(keys, chosen["answers"], chosen["ids"], chosen["places"])

    @classmethod
    def load(cls, packed: bytes) -> Self:
        return cls.of(np.frombuffer(packed, dtype=_ENTRY))

    @classmethod
    def of_lines(cls, lines: Iterable[bytes]) -> Self:
        """From the canonical rows, for a version that was checked before there were indexes: used rows only."""
        keys, answers, ids, places = array("Q"), array("Q"), array("Q"), array("B")
        for raw in lines:
            record, used = from_line(raw), orjson.loads(raw)
            keys.append(compared_text.key(question(record)))
            answers.append(compared_text.key(record.target))
            ids.append(used["id"])
            places.append(PLACES[used["split"]])
        return cls.load(pack(keys, answers, ids, places))


def pack(keys: Sequence[int], answers: Sequence[int], ids: Sequence[int], places: Sequence[int]) -> bytes:
    """The index of a version as it is stored; all in the order of its rows."""
    entries = np.empty(len(ids), dtype=_ENTRY)
    entries["keys"], entries["answers"], entries["ids"], entries["places"] = keys, answers, ids, places
    return entries.tobytes()


KINDS = ("changed", "unused", "used_again", "added", "removed", "moved")


@dataclass(frozen=True, slots=True)
class Difference:
    """From an earlier version to a later one, as pairs of row ids: of the later version first, 0 where there is none.

    unused: used before, still there, but used no more. used_again: the other way round. moved: same question and
    answer, in another part of the split. same: how many are used in both, answered alike, moved ones included.
    """

    added: Numbers
    removed: Numbers
    changed: Numbers
    moved: Numbers
    unused: Numbers
    used_again: Numbers
    same: int

    def counts(self) -> dict[str, int]:
        return {**{kind: len(getattr(self, kind)) for kind in KINDS}, "same": self.same}

    def listed(self, kind: str, skip: int, limit: int) -> list[tuple[int, int]]:
        """Some pairs of a kind, in the order of the later file; of removed rows in that of the earlier."""
        pairs: Numbers = getattr(self, kind)  # (pairs, 2)
        return [(int(new), int(old)) for new, old in pairs[skip : skip + limit]]


def compare(old: Index, new: Index) -> Difference:
    _, mine, theirs = np.intersect1d(new.keys, old.keys, assume_unique=True, return_indices=True)
    ids = np.stack([new.ids[mine], old.ids[theirs]], axis=1)
    now, before = new.places[mine] != UNUSED, old.places[theirs] != UNUSED
    alike = new.answers[mine] == old.answers[theirs]
    both = now & before
    fresh, gone = np.ones(len(new.keys), dtype=bool), np.ones(len(old.keys), dtype=bool)
    fresh[mine], gone[theirs] = False, False
    added = np.sort(new.ids[fresh & (new.places != UNUSED)])
    removed = np.sort(old.ids[gone & (old.places != UNUSED)])
    moved = new.places[mine] != old.places[theirs]
    return Difference(
        added=np.stack([added, np.zeros_like(added)], axis=1),
        removed=np.stack([np.zeros_like(removed), removed], axis=1),
        changed=_in_order(ids[both & ~alike]),
        moved=_in_order(ids[both & alike & moved]),
        unused=_in_order(ids[before & ~now]),
        used_again=_in_order(ids[now & ~before]),
        same=int((both & alike).sum()),
    )


def _in_order(pairs: Numbers) -> Numbers:
    return pairs[np.argsort(pairs[:, 0], kind="stable")]
