"""The process that opens documents: a file on standard input, an event for each document on standard output.

A zip is never unpacked onto a disk: its members are read one at a time. Still a name that climbs out of the folder
refuses the whole archive, because nobody makes such a name by accident. What grows out of proportion, hides another
archive, or is locked is named and left out.
"""

import io
import logging
import os
import re
import stat
import sys
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from app.documents import texts
from app.documents.opening import Opened
from app.documents.refusals import Unreadable
from app.documents.texts import LONGEST, PDF, TITLE, ZIP, Text
from app.processes import parent, sandbox

MOST_MEMBERS = 10_000
MOST_UNPACKED = 1 << 30  # bytes of all members together
FREE = 16 << 20  # bytes that may always come out
MOST_PAGES = 5_000
_CLIMBS = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|\0")
_SYSTEM = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\.git/)")


def main() -> int:
    sandbox.confine()
    logging.disable(logging.CRITICAL)  # a PDF library complains about what it mends
    try:
        with os.fdopen(0, "rb") as file:
            for document in documents(file, sys.argv[1]):
                parent.say("document", document=document)
    except Unreadable as refusal:
        parent.say("refused", code=refusal.statement.code, values=refusal.statement.values)
    return 0


def documents(file: BinaryIO, name: str) -> Iterator[Opened]:
    """What is in the file, as {"name", "title", "kind", "text"}, or {"name", "reason"} where a member has no text.

    Raises:
        Unreadable: nothing of the file is used.
    """
    head = file.read(8)
    file.seek(0)
    if head.startswith(ZIP):
        yield from _archive(file)
        return
    data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise Unreadable("large", mib=LONGEST >> 20)
    yield from _as_json(name, read(data, name))


def read(data: bytes, name: str) -> list[Text]:
    return [_pdf(data, name)] if data.startswith(PDF) else texts.read(data, name)


def _as_json(name: str, read_texts: list[Text]) -> Iterator[Opened]:
    for read_text in read_texts:
        text = read_text.text[:LONGEST]
        yield {"name": name[-TITLE:], "title": read_text.title, "kind": read_text.kind, "text": text}


# ---------------------------------------------------------------------- zip
def _archive(file: BinaryIO) -> Iterator[Opened]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OverflowError, EOFError, NotImplementedError) as error:
        raise Unreadable("zip_damaged") from error
    with archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) > MOST_MEMBERS:
            raise Unreadable("zip_many", number=len(members), most=MOST_MEMBERS)
        if not members:
            raise Unreadable("zip_empty")
        climbing = next((member for member in members if _CLIMBS.search(member.orig_filename)), None)
        if climbing is not None:
            raise Unreadable("zip_climbs")
        left = min(MOST_UNPACKED, max(FREE, sandbox.BOMB * os.fstat(file.fileno()).st_size))
        for member in members:
            try:
                data = _member(archive, member, left)
                read_texts = read(data, member.filename)
            except Unreadable as refusal:
                yield {"name": member.filename[-TITLE:], "reason": str(refusal)}
                continue
            left -= len(data)
            yield from _as_json(member.filename, read_texts)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> bytes:
    if _SYSTEM.search(member.filename):
        raise Unreadable("system")
    if member.flag_bits & 1:
        raise Unreadable("locked")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise Unreadable("link")
    most = min(LONGEST, left)
    if most <= 0:
        raise Unreadable("zip_grown", times=sandbox.BOMB)
    try:
        with archive.open(member) as opened:
            data = opened.read(most + 1)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise Unreadable("damaged_inside") from error
    except Exception as error:  # each packing method has an error of its own
        raise Unreadable("not_unpacked") from error
    if len(data) <= most:
        return data
    if most == LONGEST:
        raise Unreadable("large", mib=LONGEST >> 20)
    raise Unreadable("zip_grows", times=sandbox.BOMB)


# ---------------------------------------------------------------------- PDF
def _pdf(data: bytes, name: str) -> Text:
    try:
        text, title = _pages(data)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # a damaged PDF breaks its library in any place
        raise Unreadable("pdf_damaged") from error
    if not text:
        raise Unreadable("pdf_pictures")
    return Text("pdf", texts.title_of(title, name), text)


def _pages(data: bytes) -> tuple[str, str]:
    """Text and title of a PDF, page after page."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("pdf_locked")
    if len(reader.pages) > MOST_PAGES:
        raise Unreadable("pdf_long", number=len(reader.pages), most=MOST_PAGES)
    pages = (page.extract_text() for page in reader.pages)
    # A font table can name halves of characters, which no text may hold.
    text = "\n\n".join(page.replace("\0", "").encode("utf-8", "replace").decode() for page in pages)
    title = reader.metadata.title if reader.metadata else None
    return text.strip(), title if isinstance(title, str) else ""


if __name__ == "__main__":
    sys.exit(main())
