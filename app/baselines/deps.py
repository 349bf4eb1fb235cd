"""What the routes of measuring share: downloads of all answers."""

from collections.abc import Iterator

from fastapi import Response
from fastapi.responses import StreamingResponse

from app.baselines import exports, service
from app.baselines.tables import BaselineRow
from app.db import reading
from app.web.context import AppContext


def exported(app: AppContext, baseline: BaselineRow, kind: str) -> Response:
    """A download of all answers; the stream has a session of its own, because the request's ends before it."""

    def lines() -> Iterator[bytes]:
        with reading(app.engine) as session:
            found = service.export_lines(session, baseline.id)
            yield from exports.as_csv(found) if kind == "csv" else exports.jsonl(found)

    media = "text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson"
    name = f'attachment; filename="measurement-{baseline.id}.{kind}"'
    return StreamingResponse(lines(), media_type=media, headers={"Content-Disposition": name})
