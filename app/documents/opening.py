"""Documents of one stored file, read by a child with little memory and time."""

from collections.abc import Iterator
from typing import BinaryIO, NotRequired, TypedDict

from app.documents.refusals import Unreadable
from app.processes import sandbox


class Opened(TypedDict):
    """One document of a file. kind and text are missing where it has no text; `reason` says why then."""

    name: str
    title: NotRequired[str]
    kind: NotRequired[str]
    text: NotRequired[str]
    reason: NotRequired[str]


def documents(file: BinaryIO, name: str) -> Iterator[Opened]:
    """What `child` says of the file, a document at a time.

    Raises:
        Unreadable: it is no kind of document, or takes more memory or time than one is given.
    """
    with sandbox.start("app.documents.child", name.replace("\0", ""), file=file) as child:
        for event in child.events():
            if event["event"] == "refused":
                raise Unreadable(event["code"], **event["values"])
            yield event["document"]
        if child.code and sandbox.out_of_memory(child):
            raise Unreadable("memory", gib=sandbox.MEMORY >> 30)
        if child.code:
            raise Unreadable("ended")
