"""Which rows train, which choose (dev), which judge (test).

A row's place follows from a hash of its group's oldest input and the seed, not from its place in the file: sorted
files do no harm, and the same rows get the same split everywhere. When rows are appended, `kept` holds the places of
the version before, so that what once was test stays test and is never trained on later.

Sizes: 70/10/20, raised to 200 test and 100 dev rows where the set is large enough to give them (decision-rules 4.2).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

Split = Literal["train", "dev", "test"]

TEST_SHARE, DEV_SHARE = 0.2, 0.1
TEST_ROWS, DEV_ROWS = 200, 100
# A small set gives at most this much of itself to reach the row counts above; the rest has to be left to learn from.
MOST_TEST, MOST_DEV = 0.3, 0.15


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
    groups: Sequence[int], seed: int, kept: Mapping[int, Split] | None = None, *, own_test: bool = False
) -> list[Split]:
    """The split of each group.

    groups: for each usable group the key of its oldest input. kept: splits of the version before, by the same key.
    A group that was test stays test even when that makes the test set larger than its share.
    """
    want = sizes(len(groups), own_test=own_test)
    before = kept or {}
    found: dict[int, Split] = {}
    for number, key in enumerate(groups):
        split = before.get(key)
        if split is not None and not (own_test and split == "test"):
            found[number] = split
    line = sorted((n for n in range(len(groups)) if n not in found), key=lambda n: (place(groups[n], seed), groups[n]))
    room: dict[Split, int] = {"test": want.test, "dev": want.dev}
    for split in found.values():
        if split in room:
            room[split] -= 1
    at = 0
    for name in ("test", "dev"):
        take = max(0, room[name])
        for number in line[at : at + take]:
            found[number] = name
        at += take
    for number in line[at:]:
        found[number] = "train"
    return [found[number] for number in range(len(groups))]


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
