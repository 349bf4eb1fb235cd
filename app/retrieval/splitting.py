"""From a document to passages: by structure first, then by size.

A passage never reaches over a heading. Within a section the blocks are put together up to the size that was asked for,
evenly, so that no scrap is left at the end; a block that is larger is cut: a table by rows (its head is repeated), a
list and code by lines, a paragraph by sentences, then words. Each passage knows the headings above it, which is its
title.

Sizes are in tokens as `documents.tokens` estimates them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from app.documents import tokens as estimated
from app.retrieval.settings import IndexSettings
from app.retrieval.structure import Block, blocks

BETWEEN = " \u203a "  # between the headings of a title
LONGEST_TITLE = 400  # characters
MOST_HEAD = 1 / 3  # of a passage that the repeated head of a table may take

_LINE = re.compile(r"\n+")
_SENTENCE = re.compile(r"[.!?][\"'\u201d\u2019)\]]*\s+|[\u3002\uff01\uff1f]+\s*|\n[ \t]*\n\s*")
_WORD = re.compile(r"\s+")
_BLANK = re.compile(r"(?:[ \t]*\n)+")
MOST_SIGNS_A_TOKEN = 20
TOKENS_A_SIGN = 1.3  # at most, whatever the text
MOST_BLOCKS = 10_000  # put together at once; only a text without headings has more


def _tokens(text: str) -> int:
    """The estimate, which takes a long run of signs for one token, with what signs there are at most in one."""
    return max(estimated.estimate(text), -(-len(text) // MOST_SIGNS_A_TOKEN))


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage of one document. start, end: characters of its text; `text` may have a table's head before them."""

    title: str
    text: str
    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is not cut again, [start, end). head: of its table, where the table was cut."""

    start: int
    end: int
    tokens: int
    head: tuple[int, int] | None = None


def split(text: str, kind: str, title: str, settings: IndexSettings) -> Iterator[Piece]:
    """The passages of a document. kind: as it was read (text, markdown, html, pdf); title: of the document."""
    path: list[tuple[int, str]] = []
    section: list[Block] = []
    heading: Block | None = None
    for block in blocks(text, kind):
        if block.kind != "heading":
            section.append(block)
            if len(section) == MOST_BLOCKS:
                yield from _section(text, _title(title, path), heading, section, settings)
                heading, section = None, []
            continue
        yield from _section(text, _title(title, path), heading, section, settings, goes_on=_deeper(heading, block))
        path = [(level, words) for level, words in path if level < block.level]
        path.append((block.level, block.title))
        heading, section = block, []
    yield from _section(text, _title(title, path), heading, section, settings)


def _deeper(heading: Block | None, following: Block) -> bool:
    return heading is None or following.level > heading.level


def _title(document: str, path: Sequence[tuple[int, str]]) -> str:
    words = [heading for _, heading in path]
    if document and (not words or words[0].casefold() != document.casefold()):
        words.insert(0, document)
    return BETWEEN.join(words)[:LONGEST_TITLE]


def _section(
    text: str,
    title: str,
    heading: Block | None,
    section: list[Block],
    settings: IndexSettings,
    *,
    goes_on: bool = False,
) -> Iterator[Piece]:
    """The passages between two headings. A heading with nothing below it is a passage, unless a deeper one follows."""
    if not section:
        if heading is not None and not goes_on:
            yield Piece(title, heading.title, heading.start, heading.end, _tokens(heading.title))
        return
    total = sum(_tokens(text[block.start : block.end]) for block in section)
    target = total / ceil(total / settings.size) if total else settings.size
    first: _Unit | None = None
    begin = end = tokens = 0
    for unit in (unit for block in section for unit in _units(text, block, settings.size)):
        if first is not None and tokens + unit.tokens <= settings.size and tokens + unit.tokens / 2 <= target:
            tokens, end = tokens + unit.tokens, unit.end
            continue
        begin_next, tokens = unit.start, unit.tokens
        if first is not None:
            yield from _piece(text, title, first, begin, end)
            if unit.head is None:
                begin_next = _tail(text, max(begin, first.start), end, min(settings.overlap, settings.size - tokens))
                tokens += _tokens(text[begin_next : unit.start])
        first, begin, end = unit, begin_next, unit.end
    if first is not None:
        yield from _piece(text, title, first, begin, end)


def _piece(text: str, title: str, first: _Unit, start: int, end: int) -> Iterator[Piece]:
    blank = _BLANK.match(text, start, end)
    start = blank.end() if blank else start
    body = text[start:end].rstrip()
    if not body.strip():
        return
    end = start + len(body)
    if first.head is not None and start >= first.head[1]:
        body = f"{text[slice(*first.head)].strip(chr(10))}\n{body}"
    yield Piece(title, body, start, end, _tokens(body))


def _tail(text: str, start: int, end: int, tokens: int) -> int:
    """Where the last sentences (or lines) of [start, end) begin that have up to so many tokens; else its last words."""
    if tokens <= 0:
        return end
    start = max(start, end - 12 * tokens)
    for ends in (_SENTENCE, _LINE, _WORD):
        for mark in ends.finditer(text, start, end):
            if mark.end() < end and _tokens(text[mark.end() : end]) <= tokens:
                return mark.end()
    return end


# ---------------------------------------------------------------------- units
def _units(text: str, block: Block, size: int) -> Iterator[_Unit]:
    tokens = _tokens(text[block.start : block.end])
    if tokens <= size:
        yield _Unit(block.start, block.end, tokens)
        return
    if block.kind == "table" and block.head > block.start:
        head = (block.start, block.head)
        of_head = _tokens(text[slice(*head)])
        if of_head <= MOST_HEAD * size:
            yield _Unit(*head, of_head)
            yield from _cut(text, block.head, block.end, size - of_head, (_LINE, _SENTENCE), head)
            return
    ways = (_SENTENCE, _LINE) if block.kind == "paragraph" else (_LINE, _SENTENCE)
    yield from _cut(text, block.start, block.end, size, ways)


def _cut(
    text: str, start: int, end: int, size: int, ways: Sequence[re.Pattern[str]], head: tuple[int, int] | None = None
) -> Iterator[_Unit]:
    """[start, end) in units of up to `size` tokens: cut where the first way ends something, then by the next ways."""
    if not ways:
        step = max(int(size / TOKENS_A_SIGN), 1)
        while start < end:
            upto = min(start + step, end)
            if upto < end:
                upto = max((mark.end() for mark in _WORD.finditer(text, start + step // 2, upto)), default=upto)
            yield _Unit(start, upto, _tokens(text[start:upto]), head)
            start = upto
        return
    for begin, upto in _between(ways[0], text, start, end):
        tokens = _tokens(text[begin:upto])
        if tokens <= size:
            yield _Unit(begin, upto, tokens, head)
        else:
            yield from _cut(text, begin, upto, size, ways[1:], head)


def _between(ends: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What stands between the marks, each with the mark behind it, so that nothing is lost."""
    begin = start
    for mark in ends.finditer(text, start, end):
        if begin < mark.end() < end:
            yield begin, mark.end()
            begin = mark.end()
    if begin < end:
        yield begin, end
