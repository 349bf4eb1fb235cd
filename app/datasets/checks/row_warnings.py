"""What is odd about one readable record. None of it refuses the record; all of it should be seen by a person."""

import re
from collections.abc import Iterator

from app.chat import Record
from app.datasets.checks.notes import Message
from app.text import is_formula
from app.wording import state

# Characters of question and answer together. About 6,000 tokens: over the context that small models are trained with.
LONGEST_RECORD = 24_000

_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_INVISIBLE = re.compile("[\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
_MARKS = re.compile("[\u0300-\u036f]{9,}")
# What UTF-8 becomes when it is read as Windows-1252: two signs for a letter, the first of them one of a few.
_MISREAD = re.compile(
    "[\u00c2\u00c3\u00c5\u00d0\u00d1][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u20ac\u2122\u2030]"
    "|\u00e2[\u0080\u20ac][\u0080-\u00bf\u0152\u0153\u02dc\u2013-\u203a\u2122]"
)
_LOST = "\ufffd"
_MARKUP = re.compile(r"&(?:amp|nbsp|quot|apos|lt|gt|[lr][sd]quo|hellip|[mn]dash|#\d{2,5}|#x[0-9a-fA-F]{2,4});|<br ?/?>")
_TEMPLATE = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|system|user|assistant|end)\|>"
    r"|</?s>(?!\w)|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
)


def texts(record: Record) -> Iterator[tuple[str, str]]:
    """Each text of the record with the word that names it."""
    for turn in record.messages:
        yield "the question" if turn.role == "user" else f"one {turn.role} message", turn.content
    yield "the answer", record.target
    if record.reasoning:
        yield "the reasoning before the answer", record.reasoning


def length(record: Record) -> int:
    """Characters of everything asked, thought and answered."""
    return len(record.target) + len(record.reasoning) + sum(len(turn.content) for turn in record.messages)


def remarks(record: Record, *, table: bool = False) -> Iterator[Message]:
    """Warnings about the record's content. `table`: it came from a spreadsheet, where a cell may be a formula."""
    if (size := length(record)) > LONGEST_RECORD:
        yield Message(record.line, state("long", size=size, most=LONGEST_RECORD))
    seen: set[str] = set()
    for where, text in texts(record):
        for code in _of(text, table=table):
            if code not in seen:
                seen.add(code)
                yield Message(record.line, state(code, where=where))


def _of(text: str, *, table: bool) -> Iterator[str]:
    """The codes of what is odd about one text."""
    if _CONTROL.search(text):
        yield "control"
    if not text.isascii():
        if _MISREAD.search(text):
            yield "wrong_encoding"
        if _LOST in text:
            yield "lost_letter"
    if ("<" in text or "[" in text) and _TEMPLATE.search(text):
        yield "chat_template"
    if table and is_formula(text):
        yield "formula"


def invisible(record: Record) -> bool:
    """Whether signs are in it that a reader can't see or that turn the writing direction."""
    return any(
        not text.isascii() and (_INVISIBLE.search(text) or _MARKS.search(text)) is not None for _, text in texts(record)
    )


def markup(record: Record) -> bool:
    """Whether the answer holds HTML escapes or line breaks that nothing in the question asks for."""
    answer = record.target
    if ("&" not in answer and "<" not in answer) or _MARKUP.search(answer) is None:
        return False
    return not any("<" in turn.content or "&" in turn.content for turn in record.messages)
