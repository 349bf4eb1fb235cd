"""The process that runs a team's own scorer: sealed before the first line of it is read.

Started by path with the root of the product. What a scorer may import is imported before the seal, because nothing can
be opened afterwards.
"""

import contextlib
import importlib
import io
import json
import math
import sys
from collections.abc import Callable
from typing import TypedDict

MEMORY = 512 << 20  # bytes of address space
PROCESSOR = 120  # seconds of one process
REASON = 300  # characters of what went wrong
MODULES = (
    "array", "base64", "bisect", "calendar", "cmath", "collections", "collections.abc", "copy", "csv", "dataclasses",
    "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html", "html.parser", "io",
    "itertools", "json", "keyword", "math", "numbers", "operator", "re", "statistics", "string", "textwrap", "tokenize",
    "typing", "unicodedata", "urllib.parse", "xml.etree.ElementTree",
)  # fmt: skip
"""What a scorer may import, all of the standard library."""


class Asked(TypedDict):
    """One answer to score. row: what a scorer is told of it, see `scores.AboutRow`."""

    number: int
    answer: str
    expected: str
    row: dict[str, object]


class Scored(TypedDict, total=False):
    """A score from 0 to 1, or why there is none; `loaded` once the text of a scorer was run."""

    score: float
    error: str
    loaded: bool


class Opening(TypedDict, total=False):
    """What is said first. why: no seal."""

    ready: bool
    why: str


def _no_scorer(*_about: object) -> object:
    raise NotImplementedError


class Scorer:
    """A team's function, once its text was run. score(answer, expected, row) gives a number from 0 to 1."""

    def __init__(self) -> None:
        self._score: Callable[..., object] = _no_scorer
        self._broken = "no scorer was given"

    def load(self, text: str) -> Scored:
        """Run the text of a scorer, which has to define `score`."""
        scope: dict[str, object] = {"__name__": "scorer"}
        why = _attempted(lambda: exec(compile(text, "scorer.py", "exec"), scope))  # noqa: S102 - what this is for
        score = scope.get("score")
        if callable(score):
            self._score = score
        elif not why:
            why = "It defines no function score(answer, expected, row)."
        self._broken = why
        return {"error": why} if why else {"loaded": True}

    def score(self, asked: Asked) -> Scored:
        if self._broken:
            return {"error": self._broken}
        given: list[object] = []
        why = _attempted(lambda: given.append(self._score(asked["answer"], asked["expected"], asked["row"])))
        if why:
            return {"error": why}
        value = given[0]
        if not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
            return {"error": f"It gave {_named(value)}, and not a number from 0 to 1."}
        return {"score": float(value)}


def _attempted(work: Callable[[], object]) -> str:
    """Do it; what went wrong as a sentence, empty if nothing did. Whatever it prints is heard by nobody."""
    try:
        with contextlib.redirect_stdout(_Nowhere()), contextlib.redirect_stderr(_Nowhere()):
            work()
    except MemoryError:
        return "It needs more memory than it may have."
    except BaseException as error:  # noqa: BLE001 - a stranger's code: sys.exit and generators' ends, too
        line = _line_of(error)
        return f"{type(error).__name__}{line}: {_text(error)}"[:REASON]
    return ""


class _Nowhere(io.TextIOBase):
    """Takes what is printed, and keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def _line_of(error: BaseException) -> str:
    """The line of the scorer that an error came from."""
    if isinstance(error, SyntaxError):
        return f" in line {error.lineno}"
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "scorer.py":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" in line {line}" if line else ""


def _text(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return str(error.msg)
    try:
        return str(error)[:REASON]
    except BaseException:  # noqa: BLE001 - its own __str__ is a stranger's code, too
        return "nothing more is known"


def _named(value: object) -> str:
    return str(value)[:40] if type(value) in (int, float) else f"a {type(value).__name__}"[:60]


def main() -> int:
    sys.path.insert(0, sys.argv[1])
    from app.processes import seal

    for name in MODULES:
        importlib.import_module(name)
    "".encode("idna")  # encodings are imported at their first use
    out = sys.stdout
    opening: Opening = {"ready": True}
    try:
        seal.seal(MEMORY, PROCESSOR)
    except seal.NotSealed as why:
        opening = {"ready": False, "why": str(why)}
    sys.path.clear()
    scorer = Scorer()
    out.write(json.dumps(opening) + "\n")
    out.flush()
    if not opening["ready"]:
        return 0
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        answer = scorer.load(asked["text"]) if "text" in asked else scorer.score(asked)
        out.write(json.dumps({"number": asked["number"], **answer}) + "\n")
        out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
