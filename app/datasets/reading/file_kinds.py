"""What a file is that holds no examples in a form we read, by its first bytes."""

from app.datasets.reading import gzip_stream

BINARY = 0.05  # share of control characters from which on bytes are no text; random bytes have 0.1

# What the first bytes give away, by its code in `fault_words`.
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "empty_zip"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"%PDF", "pdf"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf", "7z"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"SQLite format 3", "sqlite"),
    *((mark, "pickle") for mark in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")),
    (b"\x89HDF", "hdf5"),
    (b"\x93NUMPY", "numpy"),
    (b"ARROW1", "arrow"),
    (b"PARE", "encrypted_parquet"),
    (b"\xd0\xcf\x11\xe0", "old_office"),
)
_CONTROL = bytes(sign for sign in range(32) if sign not in b"\t\n\v\f\r\x1b") + b"\x7f"


def is_binary(head: bytes) -> bool:
    """Whether these are no bytes of a text: a program, a picture or a recording that we don't know by its mark."""
    return len(head) - len(head.translate(None, _CONTROL)) > max(8, BINARY * len(head))


def foreign_kind(head: bytes, *, unpacked: bool) -> str:
    """The code of what a file is that is none we read, by its first bytes; empty where nothing gives it away.

    unpacked: whether these bytes came out of a gzip file.
    """
    if unpacked and head.startswith(gzip_stream.GZIP):
        return "packed_twice"
    known = next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")
    return known or ("tar" if head[257:262] == b"ustar" else "")
