"""The manifest of a split: which content is in which part, as JSON lines. Its hash is what gets frozen."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import orjson

from app.datasets.splits.places import Split


@dataclass(frozen=True, slots=True)
class Entry:
    """One row in the manifest. content: hash of question and answer (`content_hash`)."""

    line: int
    split: Split
    content: str


def content_hash(messages: Iterable[Mapping[str, str]], target: str) -> str:
    """SHA-256 over question and answer, byte for byte."""
    value = {"messages": [{"content": m["content"], "role": m["role"]} for m in messages], "target": target}
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def lines(seed: int, entries: Iterable[Entry]) -> Iterable[bytes]:
    """The manifest as JSON lines: which content is in which split. Its hash is what gets frozen."""
    yield (json.dumps({"seed": seed, "version": 1}, sort_keys=True) + "\n").encode()
    for entry in entries:
        yield line(entry)


def line(entry: Entry) -> bytes:
    return f'{{"content": "{entry.content}", "line": {entry.line}, "split": "{entry.split}"}}\n'.encode()
