"""What the routes of measuring share: downloads of all answers."""

from collections.abc import Iterator, Sequence

from fastapi import Response
from fastapi.responses import StreamingResponse

from app.baselines import answers_view, exports, looks
from app.baselines.tables import ArmRow, BaselineRow
from app.db import reading, writing
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import Db as Session


def shown_to(
    app: AppContext, session: Session, me: UserRow, baseline: BaselineRow, arms: Sequence[ArmRow], how: str
) -> None:
    """Note that test answers of these arms are shown to somebody, in a transaction of its own: reading holds none that
    may write. Nothing is written the second time."""
    if due := looks.unnoted(session, baseline, arms, me):
        with writing(app.engine) as own:
            looks.note_opening(own, baseline, due, me, how)


def exported(app: AppContext, session: Session, me: UserRow, baseline: BaselineRow, kind: str) -> Response:
    """A download of all answers; the stream has a session of its own, because the request's ends before it."""
    shown_to(app, session, me, baseline, baseline.arms, "downloaded")

    def lines() -> Iterator[bytes]:
        with reading(app.engine) as own:
            answers = answers_view.export_lines(own, app.blobs, baseline.id, me.id)
            yield from exports.as_csv(answers) if kind == "csv" else exports.jsonl(answers)

    media = "text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson"
    name = f'attachment; filename="measurement-{baseline.id}.{kind}"'
    return StreamingResponse(lines(), media_type=media, headers={"Content-Disposition": name})
