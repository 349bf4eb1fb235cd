"""Made-up examples, always the same ones, and short ways to ask the parts of a check about them."""

import io
import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.chat import Record
from app.datasets.checks import compared_text, duplicates
from app.datasets.checks.gathering import Tick, silent
from app.datasets.checks.outcome import Check
from app.datasets.checks.pipeline import CheckInput, check
from app.datasets.checks.working_rows import WorkingRows, question
from app.datasets.reading.reader import read
from app.datasets.tables import DatasetRow

Pairs = list[tuple[str, str]]
# What the fixtures `upload` and `checked` are: `upload(data, test=...)`.
Upload = Callable[..., DatasetRow]


def pairs(number: int, start: int = 0) -> bytes:
    kinds = ["river", "stone", "cloud", "engine", "paper", "violin", "market", "garden", "window", "castle"]
    lines = [
        {
            "prompt": f"Describe the {kinds[n % 10]} {sha256(str(n).encode()).hexdigest()[:24]}",
            "completion": f"It is {n}.",
        }
        for n in range(start, start + number)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def load(path: Path) -> Pairs:
    with path.open("rb") as file:
        return [(question(item), item.target) for item in read(file) if isinstance(item, Record)]


def jsonl(pairs: Pairs) -> io.BytesIO:
    return io.BytesIO(b"".join(json.dumps({"prompt": p, "completion": c}).encode() + b"\n" for p, c in pairs))


def judge(pairs: Pairs, test: Pairs | None = None, *, tick: Tick = silent, **options: Any) -> Check:
    """tick: see `pipeline.check`; the other options are fields of its input."""
    inputs = CheckInput(jsonl(pairs), jsonl(test) if test is not None else None, **options)
    with TemporaryDirectory() as folder, WorkingRows(Path(folder) / "rows") as rows:
        return check(inputs, rows, tick=tick)


def questions(number: int) -> Pairs:
    words = [
        "river",
        "stone",
        "cloud",
        "engine",
        "paper",
        "violin",
        "market",
        "garden",
        "window",
        "castle",
        "ocean",
        "letter",
    ]
    return [
        (
            f"Tell me about the {words[n % 12]} of {words[(n // 12) % 12]} and {words[(5 * n + 3) % 12]} #{n}",
            f"It is {n}.",
        )
        for n in range(number)
    ]


class Texts(Pairs):
    def pair(self, index: int) -> tuple[str, str]:
        return self[index]


def find(
    pairs: Sequence[tuple[str, str]],
    *,
    labels: bool = False,
    conflict: Callable[[tuple[str, str], tuple[str, str]], bool] = duplicates.agreeing,
) -> duplicates.Groups:
    texts = Texts(pairs)
    return duplicates.find(texts, [compared_text.key(text) for text, _ in texts], labels=labels, conflict=conflict)


def groups(joined: duplicates.Groups) -> int:
    return len(set(joined.oldest))
