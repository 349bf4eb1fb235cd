"""The parts of a split, and which rows were in which: mappings that keep a million rows in a few megabytes."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

Split = Literal["train", "dev", "test"]


# Places as numbers, the strictest the highest: a million rows have their place in a megabyte.
NAMES: tuple[Split, ...] = ("train", "dev", "test")
OPEN, TRAIN, DEV, TEST = 0, 1, 2, 3
CODES: Mapping[Split, int] = {name: code for code, name in enumerate(NAMES, start=1)}

Codes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


class Places(Mapping[int, Split]):
    """The place of each row that has one, by position: a mapping that keeps a byte a row."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes.tobytes()

    def __getitem__(self, index: int) -> Split:
        code = self._codes[index] if 0 <= index < len(self._codes) else OPEN
        if not code:
            raise KeyError(index)
        return NAMES[code - 1]

    def __iter__(self) -> Iterator[int]:
        return (index for index, code in enumerate(self._codes) if code)

    def __len__(self) -> int:
        return len(self._codes) - self._codes.count(OPEN)

    def counts(self) -> Counter[Split]:
        """How many rows are where."""
        return Counter({name: self._codes.count(code) for name, code in CODES.items()})

    def where(self, *names: Split) -> Numbers:
        """The positions of the rows that are there, rising."""
        codes = np.frombuffer(self._codes, dtype=np.uint8)
        return np.flatnonzero(np.isin(codes, [CODES[name] for name in names]))


class PreviousAssignment(Mapping[int, Split]):
    """Places of earlier versions by the key of what is asked; the strictest word about a key counts. Nine bytes a row.

    Two rows can come to ask the same when personal data is masked: if one of them judged, both do from then on.
    """

    def __init__(self, pairs: Iterable[tuple[int, Split]]) -> None:
        keys, codes = array("Q"), array("B")
        for key, split in pairs:
            keys.append(key)
            codes.append(CODES[split])
        self._keys, group = np.unique(np.asarray(keys, dtype=np.uint64), return_inverse=True)
        self._codes: Codes = np.zeros(len(self._keys), dtype=np.uint8)
        np.maximum.at(self._codes, group, np.asarray(codes, dtype=np.uint8))

    def codes(self, keys: npt.NDArray[np.uint64]) -> Codes:
        """The places of many rows at once."""
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.uint8)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._codes[at], OPEN).astype(np.uint8)

    def __getitem__(self, key: int) -> Split:
        code = int(self.codes(np.array([key], dtype=np.uint64))[0])
        if not code:
            raise KeyError(key)
        return NAMES[code - 1]

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys.tolist())

    def __len__(self) -> int:
        return len(self._keys)
