"""What changed from one text to another, word by word. Pure.

Lines are matched first and words inside the lines that differ, so that one changed word in a long prompt is one word,
and a text of thousands of words takes no longer than its changes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import LCSseq

Kind = Literal["same", "added", "removed"]

ALIKE = 0.3  # share of words that two passages have in common before they are compared word by word
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that both have, or only one of them."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """pieces: the whole of both texts in reading order. added, removed: how many words."""

    pieces: tuple[Piece, ...]
    added: int
    removed: int

    @property
    def same(self) -> bool:
        return all(piece.kind == "same" for piece in self.pieces)


def between(old: str, new: str) -> Difference:
    """From the old text to the new one."""
    pieces = tuple(_joined(_by_lines(old.splitlines(keepends=True), new.splitlines(keepends=True))))
    return Difference(pieces, _words(pieces, "added"), _words(pieces, "removed"))


def _words(pieces: Sequence[Piece], kind: Kind) -> int:
    return sum(len(piece.text.split()) for piece in pieces if piece.kind == kind)


def _steps(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, str, str]]:
    """Runs that both have, and between them what one has in place of the other: whether it is the same, both texts."""
    before, after = "", ""
    for step in LCSseq.opcodes(old, new):
        removed, added = (
            "".join(old[step.src_start : step.src_end]),
            "".join(new[step.dest_start : step.dest_end]),
        )
        if step.tag != "equal":
            before, after = before + removed, after + added
            continue
        if before or after:
            yield False, before, after
        before = after = ""
        yield True, removed, added
    if before or after:
        yield False, before, after


def _by_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    for same, before, after in _steps(old, new):
        if same:
            yield Piece("same", before)
        elif before and after:
            yield from _by_words(before, after)
        else:
            yield Piece("removed", before)
            yield Piece("added", after)


def _by_words(old: str, new: str) -> Iterator[Piece]:
    steps = list(_steps(_WORDS.findall(old), _WORDS.findall(new)))
    kept = sum(len(before.split()) for same, before, _ in steps if same)
    if kept < ALIKE * max(len(old.split()), len(new.split())):
        yield Piece("removed", old)
        yield Piece("added", new)
        return
    for same, before, after in steps:
        yield Piece("same" if same else "removed", before)
        if not same:
            yield Piece("added", after)


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Without empty ones, neighbours of a kind as one, and a blank that two changes have between them as part of
    both: `three new words` reads better than three times one."""
    kept: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if kept and kept[-1].kind == piece.kind:
            kept[-1] = Piece(piece.kind, kept[-1].text + piece.text)
        else:
            kept.append(piece)
    removed, added = "", ""
    for at, piece in enumerate(kept):
        inside = bool(removed or added) and at + 1 < len(kept) and piece.text.strip(" ") == ""
        if piece.kind == "same" and not inside:
            yield from _changed(removed, added)
            removed = added = ""
            yield piece
        else:
            removed += piece.text if piece.kind != "added" else ""
            added += piece.text if piece.kind != "removed" else ""
    yield from _changed(removed, added)


def _changed(removed: str, added: str) -> Iterator[Piece]:
    if removed:
        yield Piece("removed", removed)
    if added:
        yield Piece("added", added)
