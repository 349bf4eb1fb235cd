"""What a file is that holds no examples in a form we read, by its first bytes."""

from app.datasets.reading import gzip_stream

BINARY = 0.05  # share of control characters from which on bytes are no text; random bytes have 0.1

_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_MAGIC = (
    (b"\x1f\x8b", "gzip data under another name; call it .gz, or unpack it first"),
    (b"PK\x03\x04", "a zip archive (or an Excel workbook, which is one); upload the file inside, or the sheet as CSV"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"%PDF", "a PDF document; examples have to be text with a question and an answer each"),
    (b"BZh", "bzip2 data; unpack it and upload the file inside"),
    (b"\xfd7zXZ", "xz data; unpack it and upload the file inside"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and upload the file inside"),
    (b"\x28\xb5\x2f\xfd", "zstd data; unpack it and upload the file inside"),
    (b"SQLite format 3", "a database; export the examples as JSONL or CSV"),
    *((mark, "a Python pickle, which is never opened here; save it as JSONL or CSV") for mark in _PICKLES),
    (b"\x89HDF", "an HDF5 file; save it as JSONL, CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array; save it as JSONL, CSV or Parquet"),
    (b"ARROW1", "an Arrow file; save it as JSONL, CSV or Parquet"),
    (b"PARE", "an encrypted Parquet file; save it without encryption"),
    (b"\xd0\xcf\x11\xe0", "an old Office document; save it as CSV"),
)
_CONTROL = bytes(sign for sign in range(32) if sign not in b"\t\n\v\f\r\x1b") + b"\x7f"


def is_binary(head: bytes) -> bool:
    """Whether these are no bytes of a text: a program, a picture or a recording that we don't know by its mark."""
    return len(head) - len(head.translate(None, _CONTROL)) > max(8, BINARY * len(head))


def foreign_kind(head: bytes, *, unpacked: bool) -> str:
    """What a file is that is none we read, by its first bytes; empty where nothing gives it away.

    unpacked: whether these bytes came out of a gzip file.
    """
    if unpacked and head.startswith(gzip_stream.GZIP):
        return "packed twice: gzip data inside gzip data; unpack it once"
    known = next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")
    return known or ("a tar archive; upload the file inside" if head[257:262] == b"ustar" else "")
