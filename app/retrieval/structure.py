"""What a text is made of: headings, paragraphs, lists, code, tables, each with its place.

Markdown is parsed by markdown-it-py (CommonMark with tables, blocks only). Everything else comes as lines, and is read
line by line here: headings with a mark before (#) or a line below (reStructuredText and plain text), fenced and
indented code, lists by their marks, tables by their rules, bars or tabs, and what blank lines part. Both take time that
grows with the length of the text alone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

Kind = Literal["heading", "paragraph", "list", "code", "table"]

WINDOW = 1 << 18  # characters
LONGEST_HEADING = 200  # characters; a longer line is a paragraph

_ATX = re.compile(r"(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*$")
_RULE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"\s{0,8}(?:[-*+\u2022]|\d{1,3}[.)]|#\.)\s+\S")
_INDENTED = re.compile(r"(?: {3,}|\t)\s*\S")
_BARRED = re.compile(r"\s*[|+]")
_BORDER = re.compile(r"=+(?: +=+)+\s*$")  # of a simple table in reStructuredText
_FRONT = re.compile(r"---\n(?:.*\n){0,100}?---\n")  # settings of a page, before its text


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text, [start, end) in characters.

    level, title: of a heading, from 1. head: where the head of a table ends; its start for tables without one.
    """

    kind: Kind
    start: int
    end: int
    level: int = 0
    title: str = ""
    head: int = 0


def blocks(text: str, kind: str) -> Iterator[Block]:
    """The blocks of a text in their order. kind: of the document (text, markdown, html, pdf).

    A long text is read in windows that end at a blank line, so that a file of nothing but short lines takes no more
    memory than any other; what reaches over the end of one is two blocks.
    """
    rules: list[str] = []
    at = 0
    while at < len(text):
        end = _window(text, at)
        if kind == "markdown":
            yield from _markdown(text[at:end], at)
        else:
            yield from _Lines(text[at:end], at, rules).blocks()
        at = end


def _window(text: str, at: int) -> int:
    if len(text) - at <= WINDOW:
        return len(text)
    for mark in ("\n\n", "\n"):
        end = text.rfind(mark, at + WINDOW // 2, at + WINDOW)
        if end >= 0:
            return end + len(mark)
    return at + WINDOW


# ---------------------------------------------------------------------- Markdown
_KINDS: dict[str, Kind] = {
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "fence": "code",
    "code_block": "code",
    "table_open": "table",
}


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _markdown(text: str, offset: int) -> Iterator[Block]:
    """offset: where the text begins in the document."""
    front = None if offset else _FRONT.match(text)
    begin = front.end() if front else 0
    if front:
        yield Block("paragraph", 0, begin)
    starts = [*accumulate((len(line) + 1 for line in text[begin:].split("\n")), initial=offset + begin)]
    starts[-1] = offset + len(text)
    tokens = _parser().parse(text[begin:])
    for number, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None or token.type == "hr":
            continue
        start, end = starts[token.map[0]], starts[min(token.map[1], len(starts) - 1)]
        if token.type == "heading_open":
            title = " ".join(tokens[number + 1].content.split())
            yield Block("heading", start, end, int(token.tag[1]), title[:LONGEST_HEADING])
        else:
            kind = _KINDS.get(token.type, "paragraph")
            head = starts[min(token.map[0] + 2, len(starts) - 1)] if kind == "table" else start
            yield Block(kind, start, end, head=head)


# ---------------------------------------------------------------------- lines
class _Lines:
    """A text without a grammar, line by line.

    offset: where it begins in the document. rules: underlines of headings by their level, in the order in which they
    came; further windows of the same document go on with them.
    """

    def __init__(self, text: str, offset: int, rules: list[str]) -> None:
        self.lines = text.split("\n")
        self.starts = [*accumulate((len(line) + 1 for line in self.lines), initial=offset)]
        self.starts[-1] = offset + len(text)
        self.rules = rules

    def blocks(self) -> Iterator[Block]:
        at = 0
        while at < len(self.lines):
            if not self.lines[at].strip():
                at += 1
                continue
            block, at = self._next(at)
            yield block

    def _next(self, at: int) -> tuple[Block, int]:
        """The block that begins in this line, and the line after it."""
        line = self.lines[at]
        if heading := self._heading(at):
            return heading
        if fence := _FENCE.match(line):
            end = self._until(at + 1, lambda n: self.lines[n].strip().startswith(fence[1]))
            return self._block("code", at, min(end + 1, len(self.lines)))
        if (below := self._end_of_table(at)) is not None:
            return self._table(at, below)
        if _ITEM.match(line):
            return self._block("list", at, self._until(at + 1, self._ends_list))
        if _INDENTED.match(line):
            end = self._until(at + 1, lambda n: bool(self.lines[n].strip()) and not _INDENTED.match(self.lines[n]))
            return self._block("code", at, end)
        return self._block("paragraph", at, self._until(at + 1, self._ends_paragraph))

    def _end_of_table(self, at: int) -> int | None:
        """The line after the table that begins here; None where none does."""
        line = self.lines[at]
        if _BORDER.match(line):
            end = self._until(at + 1, lambda n: bool(_BORDER.match(self.lines[n])) and not self._line(n + 1).strip())
            return min(end + 1, len(self.lines))
        if _BARRED.match(line) and line.count("|") + line.count("+") > 1:
            return self._until(at + 1, lambda n: not self.lines[n].strip())
        if "\t" in line.strip() and "\t" in self._line(at + 1).strip():
            return self._until(at + 1, lambda n: "\t" not in self.lines[n].strip())
        return None

    def _line(self, at: int) -> str:
        return self.lines[at] if at < len(self.lines) else ""

    def _until(self, at: int, ends: Callable[[int], bool]) -> int:
        while at < len(self.lines) and not ends(at):
            at += 1
        return at

    def _ends_list(self, at: int) -> bool:
        """A line that goes on with no item: it stands at the margin behind a blank line."""
        line = self.lines[at]
        if not line.strip() or _ITEM.match(line) or line[0].isspace():
            return False
        return not self.lines[at - 1].strip()

    def _ends_paragraph(self, at: int) -> bool:
        return not self.lines[at].strip() or bool(_FENCE.match(self.lines[at]))

    def _heading(self, at: int) -> tuple[Block, int] | None:
        line = self.lines[at]
        if at and self.lines[at - 1].strip() and not line.startswith("#"):
            return None  # the last line of a paragraph is no heading
        marked = _ATX.match(line) if len(line) <= LONGEST_HEADING else None
        if marked:
            return self._titled(at, at + 1, len(marked[1]), marked[2])
        over = _RULE.match(line)
        title, below = (at + 1, at + 2) if over else (at, at + 1)
        rule = _RULE.match(self._line(below))
        text = self._line(title).strip()
        if rule is None or not text or len(text) > LONGEST_HEADING or _RULE.match(text):
            return None
        if (over and over[1] != rule[1]) or (not over and line[:1].isspace()):
            return None
        if len(self._line(below).strip()) < len(text):
            return None
        name = rule[1] * (2 if over else 1)
        if name not in self.rules:
            self.rules.append(name)
        return self._titled(at, below + 1, self.rules.index(name) + 1, text)

    def _titled(self, at: int, end: int, level: int, title: str) -> tuple[Block, int]:
        title = " ".join(title.split())[:LONGEST_HEADING]
        return Block("heading", self.starts[at], self.starts[end], level, title), end

    def _block(self, kind: Kind, at: int, end: int) -> tuple[Block, int]:
        return Block(kind, self.starts[at], self.starts[end]), end

    def _table(self, at: int, end: int) -> tuple[Block, int]:
        """A table with its head: what stands above the line between head and rows, where there is such a line."""
        top = 1 if _rules_off(self.lines[at]) else 0
        between = next((n for n in range(at + top, min(end, at + top + 4)) if _rules_off(self.lines[n])), None)
        tabbed = between is None and "\t" in self.lines[at]
        head = between + 1 if between is not None else at + 1 if tabbed else at
        return Block("table", self.starts[at], self.starts[end], head=self.starts[head]), end


def _rules_off(line: str) -> bool:
    """Whether the line only parts the head of a table from its rows, or closes it."""
    return ("-" in line or "=" in line) and set(line) <= set("|+:=- \t")
