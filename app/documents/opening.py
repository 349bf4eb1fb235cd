"""Documents of one stored file, read by a child with little memory and time."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from app.processes import sandbox


class Refused(Exception):
    """Nothing of the file is used; the words say why."""


def documents(file: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    """What `child` says of the file, a document at a time.

    Raises:
        Refused: it is no kind of document, or takes more memory or time than one is given.
    """
    with sandbox.start("app.documents.child", name.replace("\0", ""), file=file) as child:
        for event in child.events():
            if event["event"] == "refused":
                raise Refused(event["text"])
            yield event["document"]
        if child.code and sandbox.out_of_memory(child):
            raise Refused(f"Reading it takes more than {sandbox.MEMORY >> 30} GiB of memory.")
        if child.code:
            raise Refused("It could not be read: it is damaged, or took too long.")
