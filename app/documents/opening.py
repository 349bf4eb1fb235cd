"""Documents of one stored file, read by a child with little memory and time."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from app.datasets import limits


class Refused(Exception):
    """Nothing of the file is used; the words say why."""


def documents(file: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """What `child` says of the file, a document at a time.

    Raises:
        Refused: it is no kind of document, or takes more memory or time than one is given.
    """
    child = limits.start("app.documents.child", (name.replace("\0", ""),), file)
    if child.stdout is None or child.stderr is None:
        raise ValueError("`limits.start` opens both pipes.")
    try:
        for line in child.stdout:
            said = orjson.loads(line)
            if "refused" in said:
                raise Refused(said["refused"])
            yield said
        said_last = child.stderr.read(4000).decode("utf-8", "replace")
        if child.wait():
            if "MemoryError" in said_last:
                raise Refused(f"Reading it takes more than {limits.MEMORY >> 30} GiB of memory.")
            raise Refused("It could not be read: it is damaged, or took too long.")
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()
