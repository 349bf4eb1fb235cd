"""The page of the record: who did what, by person, act, object and day, and whether it is as it was written."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.audit import listing, sentences, service, store
from app.audit.filters import ACT, FIRST, LAST, SUBJECT, Filters
from app.db import reading
from app.users import store as user_store
from app.users.deps import Reviewer
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.pages import page
from app.web.params import LARGEST, OneLine

router = APIRouter(include_in_schema=False)

PAGE = 50
NO_DAY = "Enter a day as YYYY-MM-DD."
MOST_ASSESSMENTS = 20  # that a name may stand for

Typed = Annotated[OneLine, Query(max_length=200)]
Act = Annotated[str, Query(max_length=60, pattern=ACT)]
Subject = Annotated[str, Query(max_length=40, pattern=SUBJECT)]
Number = Annotated[int | None, Query(ge=1, le=LARGEST)]


async def _typed(
    who: Typed = "",
    act: Act = "",
    assessment: Typed = "",
    subject: Subject = "",
    subject_id: Number = None,
    since: Typed = "",
    until: Typed = "",
) -> dict[str, str]:
    """The filters of the page and of its file, as they came."""
    return {
        "who": who,
        "act": act,
        "assessment": assessment.strip(),
        "subject": subject,
        "subject_id": str(subject_id or ""),
        "since": since,
        "until": until,
    }


Filtered = Annotated[dict[str, str], Depends(_typed)]


@router.get("/audit", name="audit")
def show_audit(
    request: Request,
    app: App,
    db: Db,
    me: Reviewer,
    typed: Filtered,
    before: Number = None,
) -> Response:
    filters, faults = _read(app, db, typed)
    entries = () if faults else store.matching(db, filters, before, PAGE + 1)
    subject, subject_id = typed["subject"], int(typed["subject_id"] or 0)
    of = app.objects.names(db, [(subject, subject_id)]) if subject and subject_id else {}
    return page(
        request,
        "audit/audit.html",
        lines=listing.lines(db, app.objects, entries[:PAGE], me.id),
        next_before=entries[PAGE - 1].id if len(entries) > PAGE else None,
        before=before,
        # A field for a day takes nothing but days, so what is none cannot be kept in it.
        typed=typed | {name: "" for name in faults if faults[name] == NO_DAY},
        filtered=any(typed.values()),
        errors=faults,
        people=[(str(person.id), person.name) for person in user_store.everyone(db)],
        kinds=_kinds(),
        object_name=next((one.name for one in of.values()), "") or sentences.object_name(subject, subject_id or None),
        broken_at=app.chain.broken_at(lambda: service.broken_at(db)),
    )


@router.get("/audit.csv", name="export_audit")
def export_audit(
    app: App,
    db: Db,
    me: Reviewer,
    typed: Filtered,
) -> Response:
    """The list as a file, with the same filters; the stream has a session of its own, because the request's ends
    before it."""
    filters, faults = _read(app, db, typed)

    def rows() -> Iterator[bytes]:
        with reading(app.engine) as own:
            yield from listing.as_csv(own, app.objects, filters, me.id)

    headers = {"Content-Disposition": f'attachment; filename="audit-{datetime.now(UTC):%Y-%m-%d}.csv"'}
    if faults:
        return Response(" ".join(faults.values()), 422, media_type="text/plain; charset=utf-8")
    return StreamingResponse(rows(), media_type="text/csv; charset=utf-8", headers=headers)


def _read(app: AppContext, db: Db, typed: Mapping[str, str]) -> tuple[Filters, dict[str, str]]:
    """The filters of an address, and what is wrong with them by field."""
    faults: dict[str, str] = {}

    def day(name: str) -> date | None:
        try:
            given = date.fromisoformat(typed[name]) if typed[name] else None
        except ValueError:
            given = date.min
        if given is not None and not FIRST <= given <= LAST:
            faults[name] = NO_DAY
            return None
        return given

    since, until = day("since"), day("until")
    if since and until and since > until:
        faults["until"] = "The last day is before the first."
    who = typed["who"]
    if who and not (who.isascii() and who.isdecimal() and len(who) < 10):
        faults["who"] = "Choose a person from the list."
    within = None
    if name := typed["assessment"]:
        within = app.objects.belonging(db, app.objects.assessments_named(db, name, MOST_ASSESSMENTS))
    return Filters(
        int(who) if who and "who" not in faults else None,
        typed["act"],
        typed["subject"],
        int(typed["subject_id"]) if typed["subject_id"] else None,
        within,
        since,
        until,
    ), faults


def _kinds() -> list[tuple[str, list[tuple[str, str]]]]:
    """Acts for the filter: for each kind all of them, then one by one."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for act in sorted(sentences.TEMPLATES):
        kind, _, name = act.partition(".")
        kinds.setdefault(kind, []).append((act, f"{kind}: {name.replace('_', ' ')}"))
    return list(kinds.items())
