"""How an adapter leaves: one stream for the page's button and for the API."""

from collections.abc import Iterator
from typing import IO

from fastapi.responses import StreamingResponse


def send(bundle: IO[bytes], training_id: int) -> StreamingResponse:
    """Stream a file as a download, closing it at the end."""

    def pieces() -> Iterator[bytes]:
        with bundle:
            while piece := bundle.read(1 << 18):
                yield piece

    headers = {"Content-Disposition": f'attachment; filename="adapter-{training_id}.zip"'}
    return StreamingResponse(pieces(), media_type="application/zip", headers=headers)
