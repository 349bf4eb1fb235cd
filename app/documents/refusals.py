"""Why a document, or a file of them, is not read: a code with its values, and the one table that puts it into words."""

from app.wording import Wording, state

# What bytes are that no text can be taken from, by a code.
KINDS_OF_FILE = {
    "picture": "a picture",
    "gzip": "gzip data; unpack it first",
    "zip": "an archive (or an Office document, which is one); save it as PDF, HTML or text",
    "archive": "an archive",
    "old_office": "an old Office document; save it as PDF, HTML or text",
    "parquet": "a Parquet file, which holds rows and no documents",
    "database": "a database",
    "program": "a program",
}


def _kind(kind: str) -> str:
    return f"It is {KINDS_OF_FILE[kind]}."


WORDS = Wording(
    {
        # Of bytes.
        "empty": "It is empty.",
        "kind": _kind,
        "no_text": "It holds no text.",
        "not_utf8": "It is not UTF-8 text (byte {byte:,}); save it as UTF-8.",
        "nul": "It holds NUL characters, so it is no text.",
        "large": "It is larger than the {mib} MiB that one document may have.",
        # Of documents in a file of JSON. part: Line, Record.
        "not_json": "{part} {number:,} is not JSON.",
        "no_text_key": "{part} {number:,} has no text; documents as JSON need the key text.",
        "nul_in": "{part} {number:,} holds a NUL character.",
        # Of an archive.
        "zip_damaged": "The zip archive is damaged.",
        "zip_many": "The archive holds {number:,} files; at most {most:,} are read.",
        "zip_empty": "The archive is empty.",
        "zip_climbs": "The archive holds a name that leads out of its folder; nothing of it was read.",
        "zip_grown": "The archive unpacks to over {times} times its size; nothing more was read.",
        "zip_grows": "The archive unpacks to over {times} times its size; this was not read.",
        # Of a file in an archive.
        "system": "It belongs to the system the archive was made on, and is no document.",
        "locked": "It is locked with a password.",
        "link": "It is a link to somewhere else.",
        "damaged_inside": "It is damaged inside the archive.",
        "not_unpacked": "It could not be unpacked.",
        # Of a PDF.
        "pdf_damaged": "The PDF is damaged.",
        "pdf_pictures": "The PDF holds pictures of text only; make it searchable (OCR) first.",
        "pdf_locked": "The PDF is locked with a password.",
        "pdf_long": "The PDF has {number:,} pages; at most {most:,} are read.",
        # Of the process that reads.
        "memory": "Reading it takes more than {gib} GiB of memory.",
        "ended": "It could not be read: it is damaged, or took too long.",
        # Of a file as a whole.
        "none_read": "None of its documents could be read.",
    }
)


class Unreadable(Exception):
    """No text can be taken from this; `statement` says why, and the exception itself says it in words, for the page."""

    def __init__(self, code: str, /, **values: object) -> None:
        self.statement = state(code, **values)
        super().__init__(WORDS(self.statement))
