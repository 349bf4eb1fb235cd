"""Which letters the bytes of a text are: by the mark that it begins with, by a person's word, or else UTF-8.

Nothing else is ever guessed: 0xE9 is an é in one encoding and a й in another, both are honest text, and a wrong guess
garbles every row without a sound. A person sees it at a glance in three rows.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from app.wording import Statement, state

UTF_8 = "utf-8"


@dataclass(frozen=True, slots=True)
class Encoding:
    """One that a person may choose. name: also that of Python's codec. title: what people call it."""

    name: str
    title: str
    about: str


# What spreadsheets still save as "CSV" in one country or another. Latin-1 needs no entry: web browsers read it as
# Windows-1252 too, which differs only where Latin-1 has control characters (WHATWG Encoding Standard, 4.2).
CHOICES = {
    encoding.name: encoding
    for encoding in (
        Encoding("windows-1252", "Windows-1252", "Western Europe, the Americas; also for Latin-1"),
        Encoding("windows-1250", "Windows-1250", "Central Europe: Polish, Czech, Hungarian"),
        Encoding("windows-1251", "Windows-1251", "Cyrillic"),
        Encoding("mac-roman", "Mac Roman", "Western Europe, an old Excel for Mac"),
        Encoding("gb18030", "GB 18030", "Chinese; also for GBK"),
        Encoding("cp932", "Shift JIS", "Japanese, as Windows writes it"),
        Encoding("utf-16-le", "UTF-16 without a mark", "as Windows writes it"),
        Encoding("utf-16-be", "UTF-16 without a mark, big-endian", "rare"),
    )
}
MARKS = (  # UTF-32's begins with that of UTF-16
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def marked(head: bytes) -> tuple[bytes, str]:
    """The mark that a text begins with and the encoding it stands for; both empty without one."""
    return next((pair for pair in MARKS if head.startswith(pair[0])), (b"", ""))


def title(name: str) -> str:
    """What people call an encoding, whether it was chosen or seen from a mark."""
    if wide(name):
        return name[:6].upper()
    return CHOICES[name].title if name in CHOICES else name.upper()


def wide(name: str) -> bool:
    """Whether each letter takes two bytes or four, and plain text is full of zeros."""
    return name.startswith(("utf-16", "utf-32"))


def without_mark(head: bytes) -> str:
    """UTF-16 or UTF-32 where every other byte, or three of four, are NUL, as in Western text; empty if neither."""
    quarters = [head[place::4].count(0) for place in range(4)]
    if len(head) >= 8 and min(quarters) == 0 and sum(quarters) > len(head) * 5 // 8:
        return "UTF-32"
    halves = head[0::2].count(0), head[1::2].count(0)
    return "UTF-16" if min(halves) == 0 and max(halves) > len(head) // 4 else ""


def seems_utf_8(head: bytes) -> bool:
    """Whether the beginning of a text has letters beyond ASCII and all of them are UTF-8: by chance they never are."""
    if head.isascii():
        return False
    try:
        codecs.getincrementaldecoder(UTF_8)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def as_utf_8(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The same text as UTF-8. What is no text becomes bytes that are no UTF-8, so that its line can be named later."""
    if name == UTF_8:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(name)("surrogatepass" if wide(name) else "surrogateescape")
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode(UTF_8, "surrogatepass")
        yield decoder.decode(b"", final=True).encode(UTF_8, "surrogatepass")
    except UnicodeDecodeError:
        yield b"\xff"  # half a character, mostly at the end


def fault(line: bytes, name: str, word: str) -> Statement | None:
    """What is said of a line from `as_utf_8` that is no UTF-8; None if it is. word: line, row or record."""
    try:
        line.decode(UTF_8)
    except UnicodeDecodeError as bad:
        at = bad.start
    else:
        return None
    if wide(name):
        return state("half_character", word=word)
    if name != UTF_8:
        byte = ord(line[at : at + 3].decode(UTF_8, "surrogatepass")) & 0xFF
        return state("no_letter", word=word, byte=f"{byte:#04x}", encoding=title(name))
    return state("not_utf_8", word=word, byte=f"{line[at]:#04x}", position=at + 1)
