"""Strangers' text, before anything is done with it: how long it may be, what it may hold, and how it is told apart.

Three promises are kept here, so that they are kept everywhere:

- A normal form takes time that grows with the length of the text. CPython sorts the marks that follow a letter by
  insertion, with the interpreter's lock held: 40,000 of them after one letter stop every thread of a process for
  seconds, 300,000 for minutes. No writing system has more than a few, so long runs are parted as Unicode's own
  Stream-Safe Text Format does it (UAX #15, section 13). `unicodedata.normalize` is banned elsewhere by the linter.
- What a database, an encoder or a terminal would choke on is named: NUL, halves of surrogate pairs, control characters.
- What a reader cannot see, or what turns the writing direction, can be shown.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import orjson

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

MARKS = 30  # that may follow each other; the number of UAX #15, section 13
JOINER = "\N{COMBINING GRAPHEME JOINER}"  # parts a run and is itself not seen
_LAST = 0x20000  # behind the last character that joins the one before it (as of Unicode 16: U+1E94A)

# Signs without a shape of their own, and those that turn the direction of what follows: with them a text reads
# otherwise than a program takes it ("Trojan Source", CVE-2021-42574). Tags (U+E0000..) spell whole sentences unseen.
# Joiners and emoji selectors have their place behind a letter or picture beyond ASCII, one or two at a time.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![^\x00-\x7f])[\u200c\u200d\ufe0e\ufe0f]|(?<=[\u200c\u200d\ufe0e\ufe0f]{2})[\u200c\u200d\ufe0e\ufe0f]"
)
# Everything by which a text could do something to a terminal.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# A spreadsheet runs a cell that begins like a formula (OWASP, CSV injection). Some trim blanks first, and some take the
# full-width signs for the plain ones.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_BEGINS = re.compile(f"[\\s\u200b\ufeff]*[{_SIGNS}]|[\t\r\n]")
# Where another sign than ours parts the cells, a cell begins in the middle of a text too. A list ("- milk") is none.
_INSIDE = re.compile(f"([;\t\r\n])(?=[ \u00a0\"']*(?:[=@\uff1d\uff20]|[{_SIGNS}][^\\s]))")
_OUTSIDE = re.compile(f"([;\t\r\n])'(?=[ \u00a0\"']*(?:[=@\uff1d\uff20]|[{_SIGNS}][^\\s]))")


def normal_form(form: Form, text: str) -> str:
    """The text in a Unicode normal form, in time that grows with its length whatever it holds.

    Text in which at most 30 marks follow each other, which is all that people write, comes out as Unicode says.
    """
    if text.isascii():
        return text
    return unicodedata.normalize(form, _long_run().sub(_parted, text) if len(text) > MARKS else text)  # noqa: TID251 - here it is safe


def _parted(run: re.Match[str]) -> str:
    marks = run[0]
    return JOINER.join(marks[start : start + MARKS] for start in range(0, len(marks), MARKS))


@lru_cache(maxsize=1)
def _long_run() -> re.Pattern[str]:
    """Finds too many joining characters in a row: those that are marks, or begin with one when they are taken apart."""
    joining = [
        code
        for code in range(0x300, _LAST)
        if not 0xD800 <= code < 0xE000 and unicodedata.combining(unicodedata.normalize("NFKD", chr(code))[0])  # noqa: TID251 - one letter
    ]
    spans: list[list[int]] = []
    for code in joining:
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    signs = "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)
    return re.compile(f"[{signs}]{{{MARKS + 1},}}")


def printable(text: str) -> str:
    """The text for a terminal or a log: what could move its cursor or end its line is written as an escape."""
    return _CONTROL.sub(lambda sign: sign[0].encode("unicode_escape").decode("ascii"), text)


def parted(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is one sign that cannot be seen where it stands."""
    at = 0
    for sign in _UNSEEN.finditer(text) if not text.isascii() else ():
        if sign.start() > at:
            yield text[at : sign.start()], False
        yield sign[0], True
        at = sign.end()
    if at < len(text):
        yield text[at:], False


def name_of(sign: str) -> str:
    """How a sign that cannot be seen is called: `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    return f"U+{ord(sign):04X} {unicodedata.name(sign, '')}".strip()


def json_value(text: str) -> object:
    """What a text says as JSON; None for `null` and for what is no JSON."""
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value


def cell(text: str) -> str:
    """The text as a cell that no spreadsheet runs: with an apostrophe in front, which they take as "this is text"."""
    return ("'" if text.startswith("'") or is_formula(text) else "") + _INSIDE.sub(r"\1'", text)


def uncell(text: str) -> str:
    """What `cell` was given."""
    return _OUTSIDE.sub(r"\1", text.removeprefix("'"))


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run it, or would take a sign at its beginning for an order."""
    return _BEGINS.match(text) is not None


def one_line(value: object) -> str:
    """A short text as it was sent: what cannot be shown is taken out, and nothing is no text."""
    return "".join(letter for letter in str(value or "") if letter.isprintable()).strip()
