"""What pages and API share: a file that is read while it is sent."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from app.baselines.deps import shown_to
from app.baselines.tables import BaselineRow
from app.db import reading
from app.exchange import service
from app.exchange.service import FORMS, Kind, Rows
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import Db as Session

RowsOf = Annotated[Rows, Query(alias="split", description="Answers to which rows; those to test rows are a look.")]


def exported(app: AppContext, session: Session, me: UserRow, baseline: BaselineRow, kind: Kind, rows: Rows) -> Response:
    """A download. Answers to test rows in it are on record as a look; the stream has a session of its own, because the
    request's ends before it."""
    if rows != "dev":
        shown_to(app, session, me, baseline, baseline.arms, "downloaded")

    def pieces() -> Iterator[bytes]:
        with reading(app.engine) as own:
            yield from service.written(own, app.blobs, baseline.id, kind, rows, me.id)

    part = "" if rows == "all" else f"-{rows}"
    name = f'attachment; filename="measurement-{baseline.id}{part}.{kind}"'
    return StreamingResponse(pieces(), media_type=FORMS[kind].media, headers={"Content-Disposition": name})
