"""Pages: templates, the filters that put numbers into words, and redirects.

A template sees what its route hands it and the names in `_globals`; anything else is an error, not an empty space.
"""

import math
import re
from collections.abc import Mapping, Sequence, Sized
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import iter_route_contexts
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from starlette.routing import NoMatchFound

from app import glossary
from app.db import reading
from app.text import name_of, parted
from app.web import charts, menu
from app.web.browsers import browser_of
from app.web.context import AppContext
from app.web.files import Files
from app.web.protocols import Standing, Step
from app.wording import MINUS, inflect, interval_text, lower_first, plural, target_text, upper_first
from app.wording import percent as share_text

if TYPE_CHECKING:
    from app.assessments.tables import AssessmentRow
    from app.users.tables import UserRow

TEMPLATES = Path(__file__).parents[2] / "templates"
NOTHING = "\N{EN DASH}"
NOTICE_SECONDS = 60
"""How long a notice waits for its page; a page comes at once or not at all."""

# What a redirect may say on the next page, once. A cookie carries the key, never the words, and no address does:
# neither a link nor a page that is loaded again makes our pages say something.
NOTICES = {
    "saved": "Saved.",
    "published": "Published. New assessments are evaluated by it.",
    "judged-today": "This assessment is evaluated by today's policy from now on.",
    "created": "Created.",
    "created-cut": "Created. The end of the address, such as /chat/completions, was cut off: the app adds it itself.",
    "saved-cut": "Saved. The end of the address, such as /chat/completions, was cut off: the app adds it itself.",
    "begun": "The template filled in its usual answers. This is the first question that only you can answer.",
    "archived": "Archived. It is in the list under Archived, and can be restored.",
    "restored": "Restored.",
    "deleted": "Deleted.",
    "cancelled": "Cancelled.",
    "moved_up": "Moved to the front of its queue.",
    "cancelling": "Cancelling: the job stops at its next step.",
    "pausing": "Pausing: calls under way are still answered and kept, then the run stops.",
    "started": "Queued. It keeps running if you close this page.",
    "approved": "Approved.",
    "returned": "Sent back with your comments.",
    "withdrawn": "Withdrawn.",
    "signed-out": "You are signed out.",
    "password": "Password changed. Other sessions of this account have ended.",
    "sessions": "All other sessions of this account have ended.",
    "revoked": "Token revoked.",
    "link-ended": "Link revoked.",
    "disabled": "Account disabled and signed out everywhere.",
    "enabled": "Account enabled.",
    "role": "Role changed. The person has to sign in again.",
}


def percent(value: float | None, digits: int = 1) -> str:
    """0.741 -> 74.1 %; no value is a dash, never 0 %."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return share_text(value, digits)


def goal(value: float | None) -> str:
    """A target as people set it: 0.85 -> 85 %; none is a dash."""
    return NOTHING if value is None else target_text(value)


def points(value: float | None, digits: int = 1, unit: str = " points") -> str:
    """A difference of two shares: 0.052 -> +5.2 points."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value * 100:+.{digits}f}{unit}".replace("-", MINUS)


def gap(value: float, digits: int = 0) -> str:
    """The number alone of a distance between two shares, in points: 0.05 -> 5."""
    return f"{value * 100:.{digits}f}"


def hundredths(value: float) -> str:
    """A share as a person types it into a field for percent: 0.9 -> 90, 0.925 -> 92.5."""
    return f"{value * 100:g}"


def signed(value: float | None, digits: int = 0) -> str:
    """3 -> +3, -3 with a real minus sign, 0 -> 0."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:+,.{digits}f}".replace("-", MINUS)
    return text if float(f"{value:.{digits}f}") else text[1:]


def count(value: float | None) -> str:
    """1412 -> 1,412."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:,.0f}".replace("-", MINUS)


def beyond(items: Sized | int, listed: int) -> int:
    """How many there are after the first `listed`. items: the things, or their number."""
    return max((items if isinstance(items, int) else len(items)) - listed, 0)


def share(part: float, whole: float) -> float:
    """What one number is of another, 0 to 1; 0 of nothing."""
    return part / whole if whole else 0.0


def size(value: float | None) -> str:
    """Bytes in units of 1,000, as disks are sold."""
    if value is None:
        return NOTHING
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: the two largest units, no more."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 1:
        return "under 1 s"
    rest = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, rest = divmod(rest, length)
        if number or parts:
            parts.append((number, unit))
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number)


def around(seconds: float | None) -> str:
    """Seconds of an estimate, no more exactly than an estimate is: whole minutes, tens of them beside hours."""
    if seconds is None or not math.isfinite(seconds) or seconds < 60:
        return duration(seconds)
    step = 60 if seconds < 3600 else 600
    return duration(round(seconds / step) * step)


def lasting(start: datetime, end: datetime) -> str:
    """How long it took from one moment to another."""
    return duration((end - start).total_seconds())


def moment(value: datetime | None) -> str:
    """A time as a whole, in UTC, because the people of a team sit in different places."""
    return NOTHING if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def ago(value: datetime | None, now: datetime | None = None) -> str:
    if value is None:
        return NOTHING
    seconds = ((now or datetime.now(UTC)) - value).total_seconds()
    if abs(seconds) < 60:
        return "just now"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if abs(seconds) >= length:
            amount = plural(int(abs(seconds) / length + (0 if seconds > 0 else 0.5)), unit)
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "just now"


def time_of(value: datetime | None) -> Markup | str:
    """A moment as a time element: whole and in UTC, which the script of the page turns into the reader's own time."""
    return NOTHING if value is None else _time(value, moment(value), "whole")


def time_since(value: datetime | None, now: datetime | None = None) -> Markup | str:
    """How long ago a moment was, as a time element that says on hover when it was."""
    return NOTHING if value is None else _time(value, ago(value, now), "since")


def clock(value: datetime) -> Markup:
    """The time of day, for a list with a heading for each day: the reader's own, with the whole of it on hover."""
    return _time(value, f"{value.astimezone(UTC):%H:%M} UTC", "clock")


def day(value: datetime) -> str:
    """The day in UTC; the script of a page puts its lists into the reader's own days (`data-days`)."""
    return f"{value.astimezone(UTC):%Y-%m-%d}"


def _time(value: datetime, text: str, kind: str) -> Markup:
    at = value.astimezone(UTC)
    exact, whole = f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M} UTC"
    # Every piece is ours, and a list has one of these a line: nothing to escape.
    return Markup(f'<time datetime="{exact}" title="{whole}" data-time="{kind}">{text}</time>')  # noqa: S704


def visible(value: object) -> Markup:
    """Text as a reviewer has to see it: what has no shape, or turns the line around, is named in its place."""
    return Markup("").join(  # each piece is escaped on the way in
        Markup('<mark class="unseen" title="{}">U+{:04X}</mark>').format(name_of(piece), ord(piece))
        if unseen
        else piece
        for piece, unseen in parted(str(value))
    )


# The request of the page being drawn, for `url_for`: imported macros see the globals, but not the page's own names.
_asked: ContextVar[Request] = ContextVar("asked")


def make_templates(files: Files) -> Environment:
    """Build the template environment: escaping on, undefined names are errors."""
    # Every template is HTML or SVG, so escaping has no exception.
    env = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(TEMPLATES),
        auto_reload=False,  # else every template that a page is made of is looked up on the disk for each page
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "percent": percent,
        "goal": goal,
        "between": interval_text,
        "points": points,
        "gap": gap,
        "hundredths": hundredths,
        "signed": signed,
        "count": count,
        "plural": plural,
        "inflect": inflect,
        "beyond": beyond,
        "share": share,
        "upper_first": upper_first,
        "lower_first": lower_first,
        "bytes": size,
        "duration": duration,
        "around": around,
        "lasting": lasting,
        "moment": time_of,
        "ago": time_since,
        "clock": clock,
        "day": day,
        "visible": visible,
        "browser": browser_of,
        "term": glossary.label,
        "term_help": lambda key: glossary.term(key).help,
        "todays": glossary.todays,
        "known": lambda name, kind: glossary.known(kind, name),
        "variant": glossary.variant,
    }
    env.globals |= {
        "url_for": lambda name, **params: url_for(_asked.get(), name, **params),
        "url_if_any": lambda name, **params: url_if_any(_asked.get(), name, **params),
        "static": files.url,
        "has_static": files.has,
        "charts": charts,
        "query": _query,
    }
    return env


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry of the main menu. count: how many things wait there for this person; none is shown of 0."""

    name: str
    url: str
    current: bool
    count: int = 0


MENULESS = re.compile(r"/_|^problems/")


def navigation(request: Request, role: str, waiting: Mapping[str, int] | None = None) -> list[NavItem]:
    """List what this role can open; a concept that is not part of the app is left out.

    waiting: how many things wait for this person behind an entry, by its route.
    """
    path, items = request.url.path, []
    lit = menu.longest(path)
    for name, route, roles, below in menu.NAV:
        try:
            url = url_for(request, route)
        except NoMatchFound:
            continue
        if role in roles:
            current = path == url or lit in below
            items.append(NavItem(name, url, current, (waiting or {}).get(route, 0)))
    return items


def url_for(request: Request, name: str, /, **params: object) -> str:
    """Say a route's path. Never a whole address: the Host header is the client's, and a path needs no host.

    Starlette looks through all routes for every address, 0.5 ms of a page for each link; so they are listed once.

    Raises:
        NoMatchFound: no route has this name with these parameters.
    """
    state, wanted = request.app.state, (name, frozenset(params))
    table: dict[tuple[str, frozenset[str]], str] = getattr(state, "addresses", {})
    if wanted not in table:
        table = state.addresses = _addresses(request.app)
    if wanted not in table:
        raise NoMatchFound(name, params)
    return table[wanted].format_map({key: quote(str(value), safe="") for key, value in params.items()})


def url_if_any(request: Request, name: str, /, **params: object) -> str:
    """The same for a route that an app may lack, or that is put together above the caller: empty without it."""
    try:
        return url_for(request, name, **params)
    except NoMatchFound:
        return ""


def _addresses(app: FastAPI) -> dict[tuple[str, frozenset[str]], str]:
    """Every route's path by its name and its parameters; the first of a name counts, as in routing."""
    table: dict[tuple[str, frozenset[str]], str] = {}
    for route in iter_route_contexts(app.routes):
        if route.name and route.path_format:
            table.setdefault((route.name, frozenset(re.findall(r"{(\w+)}", route.path_format))), route.path_format)
    return table


Values: TypeAlias = dict[str, Any]
"""What a template is given, where several pages share it: each template names at its head what it takes."""


def render(request: Request, template: str | Template, **values: object) -> str:
    context: AppContext = request.app.state.context

    def steps(assessment: "AssessmentRow") -> Sequence[Step]:
        opened = getattr(request.state, "db", None)
        if opened is not None:
            return context.steps(opened, assessment)
        with reading(context.engine) as session:  # the route needed none of its own
            return context.steps(session, assessment)

    def standing(assessment: "AssessmentRow") -> Standing:
        opened = getattr(request.state, "db", None)
        if opened is not None:
            return context.standing(opened, assessment)
        with reading(context.engine) as session:
            return context.standing(session, assessment)

    def waiting(me: "UserRow") -> dict[str, int]:
        opened = getattr(request.state, "db", None)
        if opened is not None and opened.in_transaction():
            return {"reviews": context.waiting_reviews(opened, me)}
        with reading(context.engine) as session:
            return {"reviews": context.waiting_reviews(session, me)}

    me = getattr(request.state, "me", None)
    # A piece of a page has no menu, and a page about a fault does not ask what may be at fault.
    counts = waiting(me) if me and not (isinstance(template, str) and MENULESS.search(template)) else {}
    names = {
        "request": request,
        "me": me,
        "nav": navigation(request, str(me.role), counts) if me else [],
        "theme": theme_of(request),
        "notice": NOTICES.get(request.cookies.get(notice_cookie(request), "")),
        "steps": steps,
        "standing": standing,
    }
    token = _asked.set(request)
    try:
        return context.templates.get_template(template).render(names | values)
    finally:
        _asked.reset(token)


def page(request: Request, template: str | Template, *, status: int = 200, **values: object) -> HTMLResponse:
    """Draw a page. A notice that waits for the next page is on it, and on no other."""
    response = HTMLResponse(render(request, template, **values), status)
    cookie = notice_cookie(request)
    if cookie in request.cookies and not wants_fragment(request):  # a piece of a page has no place for it
        response.delete_cookie(cookie, path="/", secure=_secure(request), httponly=True, samesite="lax")
    return response


def see(
    request: Request, name: str, /, *, notice: str = "", anchor: str = "", query: Mapping[str, object] | None = None,
    **params: object,
) -> RedirectResponse:  # fmt: skip
    """Send the reader to a page after an action; `notice` is a key of `NOTICES`, shown there once."""
    url = url_for(request, name, **params) + (_query(**query) if query else "")
    response = RedirectResponse(url + (f"#{anchor}" if anchor else ""), 303)
    if notice:
        response.set_cookie(
            notice_cookie(request),
            notice,
            max_age=NOTICE_SECONDS,
            path="/",
            secure=_secure(request),
            httponly=True,
            samesite="lax",
        )
    return response


def notice_cookie(request: Request) -> str:
    """`__Host-` over https: no other host of the same domain can leave one here."""
    return "__Host-notice" if _secure(request) else "notice"


def _secure(request: Request) -> bool:
    context: AppContext = request.app.state.context
    return context.settings.secure


def _query(**values: object) -> str:
    """The part of an address after its path; a lone question mark, which takes an earlier one away, without values.
    A list stands there once for each of its values."""
    return "?" + urlencode({key: value for key, value in values.items() if value not in (None, "")}, doseq=True)


def theme_of(request: Request) -> str:
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in {"light", "dark"} else ""


def wants_fragment(request: Request) -> bool:
    """Say whether htmx asks, which puts a part of a page in place of another."""
    return request.headers.get("hx-request") == "true"
