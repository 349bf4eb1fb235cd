"""What uploads need of a request: its bytes, and a transaction that begins only after the last of them came.

A write transaction keeps every other writer waiting, so a route that takes an upload must not have one open while a
slow line trickles; that is why the upload routes don't ask for `Db`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

import anyio.from_thread
import anyio.to_thread
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from app.assessments import store as assessment_store
from app.blobs import CHUNK, Blob
from app.db import reading, writing
from app.errors import Invalid
from app.jobs import service as jobs
from app.uploads.multipart import MOST_PARTS, Part, boundary_of, parts
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import Db
from app.web.problems import described

# What the description of an address says of a raw body, and of the refusals that only uploads have.
RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
REFUSALS = described(429, 503)  # too many under way at once; the disk is full
ANY_SIZE = 1 << 50  # the framework's limit is switched off here; `settings.upload_limit` counts bytes as they come
PATIENCE = 60.0  # seconds without a byte after which nobody is thought to be there any more

T = TypeVar("T")


def must_exist(app: AppContext, assessment_id: int) -> None:
    """Say 404 before a gigabyte was sent, not after."""
    with reading(app.engine) as session:
        assessment_store.get(session, assessment_id)


@contextmanager
def transaction(app: AppContext) -> Iterator[Db]:
    """A write transaction whose jobs go to the app's engine; what it yields is a session."""
    with writing(app.engine) as session:
        jobs.bind(session, app.jobs)
        yield session


async def receive(request: Request, app: AppContext, me: UserRow) -> Blob:
    """Store the request's raw body as it arrives.

    Raises:
        Invalid: it is too large, or says so before it comes; or it is a form, whose frame would be stored too.
    """
    if request.headers.get("content-type", "").lstrip().casefold().startswith("multipart/"):
        raise Invalid("Send the file itself as the body and not a form (with curl: --upload-file FILE).")
    limit = app.settings.upload_limit
    if (stated := request.headers.get("content-length", "")).isdecimal() and len(stated) < 20:
        app.blobs.within(int(stated), limit)
    blob = await with_chunks(request, app, me, lambda chunks: app.blobs.put(chunks, limit))
    if not blob.size:
        raise Invalid("The file is empty. Send the file itself as the body (with curl: --upload-file FILE).")
    return blob


async def with_chunks(
    request: Request, app: AppContext, me: UserRow, use: Callable[[Iterator[bytes]], T], patience: float = PATIENCE
) -> T:
    """Run `use` in a thread with the body's chunks: the event loop receives, the thread parses and writes.

    The thread is none of those that make the pages: an upload keeps its own for as long as the line takes, and with
    all of them waiting for bytes that never come nobody would see a page any more. patience: seconds without a byte.

    Raises:
        Invalid: the client went away, or sends nothing any more.
        TooMany: this person, or everybody together, has as many uploads under way as there may be.
    """
    stream = request.stream()

    async def following() -> bytes | None:
        try:
            with anyio.fail_after(patience):
                return await anext(stream, None)
        except ClientDisconnect as gone:
            text = "The upload broke off before the end of the file. Nothing was kept; please upload again."
            raise Invalid(text) from gone
        except TimeoutError as silent:
            text = f"Nothing came for {patience:.0f} seconds, so the upload was ended. Nothing was kept."
            raise Invalid(f"{text} Please upload again.") from silent

    def chunks() -> Iterator[bytes]:
        while (chunk := anyio.from_thread.run(following)) is not None:
            if chunk:
                yield chunk

    with app.uploads.take(me.id):
        return await anyio.to_thread.run_sync(use, chunks(), limiter=anyio.CapacityLimiter(1))


async def form(
    request: Request, app: AppContext, me: UserRow, use: Callable[[Iterator[Part]], T], most: int = MOST_PARTS
) -> T:
    """Run `use` in a thread with the parts of a form, while they arrive. most: parts that there may be.

    Raises:
        Invalid: see `with_chunks`; or it is no form, or not in order.
    """
    boundary = boundary_of(request.headers.get("content-type", ""))
    return await with_chunks(request, app, me, lambda chunks: use(parts(chunks, boundary, most=most)))


@contextmanager
def reading_for_page(request: Request, app: AppContext) -> Iterator[Db]:
    """A session for a page that is made outside of `Db`: the form again, with what is wrong in it."""
    with reading(app.engine) as session:
        request.state.db = session
        yield session


def download(app: AppContext, sha256: str, name: str) -> StreamingResponse:
    """A stored file as an attachment, never shown on our pages' address."""

    def chunks() -> Iterator[bytes]:
        with app.blobs.open(sha256) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    return attachment(chunks(), name)


def attachment(chunks: Iterator[bytes], name: str) -> StreamingResponse:
    """Bytes to be saved, never shown on our pages' address. The first are taken before the answer begins: what cannot
    be read at all is a refusal in words then, and no connection that drops."""
    first = next(chunks, b"")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(chain((first,), chunks), media_type="application/jsonl", headers=headers)
