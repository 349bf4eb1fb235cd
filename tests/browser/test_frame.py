"""The frame in real Chromium: nothing in the console, nothing for axe, nothing pushed off a small screen."""

from collections.abc import AsyncIterable
from typing import Annotated

import pytest
from fastapi import Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from playwright.sync_api import Route, expect

from app.db import reading, utcnow, writing
from app.jobs import store as jobs
from app.jobs.tables import JobEventRow
from app.users import service
from app.users.deps import Listening, Me
from app.users.tables import UserRow
from app.web import charts, events, line_charts
from app.web.charts import Arm, Part
from app.web.context import AppContext
from app.web.deps import App
from app.web.events import Sent
from app.web.line_charts import Series
from app.web.pages import page as answer
from app.web.security import Web
from tests.support.browser import WIDE, Visits, fits, good
from tests.support.depth import DEEP, depth
from tests.support.factories import Make
from tests.support.processes import until
from tests.support.small_app import PASSWORD, People, running

pytestmark = pytest.mark.browser

# A page for the helper itself: nothing is wrong with it but what `{}` brings.
BARE = """<!doctype html><html lang="en"><title>A page</title><style>{}</style>
<main><h1>A page</h1><p>Some words</p><button>Go</button></main></html>"""


WRONG = {
    "p { color: #ccc }": "color-contrast",
    "p { width: 2000px }": "20.. px wide",
    "@media (prefers-color-scheme: dark) { body { background: #000 } p { color: #333 } }": "color-contrast",
    "@media (max-width: 500px) { p { width: 500px } }": "5.. px wide",
    "@media (max-width: 500px) { h1 { display: none } }": "page-has-heading-one",
}


def test_what_only_one_view_shows_is_found(visit: Visits) -> None:
    with visit(own=True) as page:
        page.set_content(BARE.format(""))
        good(page, dark=True, narrow=True)
        for wrong, what in WRONG.items():
            page.set_content(BARE.format(wrong))
            with pytest.raises(AssertionError, match=what):
                good(page, dark=True, narrow=True)
            page.emulate_media(color_scheme="light")
            page.set_viewport_size(WIDE)


def test_from_the_code_to_a_second_person(untouched: tuple[Make, Visits]) -> None:
    make, visit = untouched
    with writing(make.engine) as session:
        code = service.new_setup_code(session, utcnow())

    with visit() as page:
        page.goto("/account")
        expect(page).to_have_url(f"{visit.address}/setup")
        page.get_by_role("button", name="Create account").click()
        expect(page.get_by_role("alert")).to_be_focused()
        good(page)
        page.get_by_label("Set-up code").fill(code or "")
        page.get_by_label("Your name").fill("Dana")
        page.get_by_label("E-mail address").fill("dana@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create account").click()

        page.goto("/users")
        page.get_by_label("Name", exact=True).fill("Rob")
        page.get_by_label("E-mail address").fill("rob@example.org")
        page.get_by_role("button", name="Add user", exact=True).click()
        given = page.locator(".secret").inner_text()
        good(page)

        page.get_by_text("Dana admin").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("status")).to_have_text("You are signed out.")
        page.goto("/sign-in")
        page.get_by_label("E-mail address").fill("rob@example.org")
        page.get_by_label("Password").fill(given)
        page.get_by_role("button", name="Sign in").click()
        page.goto("/account")
        expect(page.get_by_role("heading", level=1)).to_have_text("Change password")


PAGES = ("/account", "/account/password", "/users", "/audit", "/nowhere", "/problems/conflict")


@pytest.fixture
def admin(people: People) -> UserRow:
    """Somebody who sees every page, with something on each."""
    people.add("author", active=False)
    people.add("reviewer", must_change_password=True, name="A rather long name that goes on " * 3)
    admin = people.add("admin")
    people.program(admin)
    return admin


def test_every_page_reads_well(visit: Visits, admin: UserRow) -> None:
    with visit() as page:
        page.goto("/sign-in")
        good(page)
    with visit(admin) as page:
        for path in PAGES:
            page.goto(path)
            good(page, dark=DEEP or path == "/users", narrow=DEEP or path == "/users")


@pytest.mark.deep
def test_every_page_fits_without_a_script(visit: Visits, admin: UserRow) -> None:
    with visit(admin, script=False) as page:
        for path in ("/sign-in", *PAGES):
            page.goto(path)
            fits(page)


def test_the_keyboard_reaches_everything(visit: Visits, people: People) -> None:
    me = people.add("admin")
    with visit(me) as page:
        page.goto("/account")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.get_by_text(f"{me.name} admin").press("Enter")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_a_theme_is_chosen_and_kept(visit: Visits, people: People, address: str) -> None:
    with visit(people.add()) as page:
        page.goto("/account")
        before = page.locator("body").evaluate("node => getComputedStyle(node).backgroundColor")
        page.locator(".menu.me summary").click()
        page.get_by_role("button", name="Dark").click()

        expect(page).to_have_url(f"{address}/account")
        assert page.locator("body").evaluate("node => getComputedStyle(node).backgroundColor") != before
        good(page)


HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "\"><svg onload=document.title='owned'>",
    "'-alert(1)-'",
    "javascript:alert(1)",
    "{{7*7}}",
    "{% raw %}",
    "</title><script>document.title='owned'</script>",
    "</textarea><img src=//canary.example/x>",
    "<a href=javascript:alert(1)>x</a>",
    "<style>body{display:none}</style>",
    "<base href=//canary.example/>",
    "<meta http-equiv=refresh content=0;//canary.example>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'>",
    "![x](https://canary.example/?q=data)",
    "--><script>1</script>",
    "<form action=//canary.example><button>Sign out",
    "&lt;b&gt;",
    "\\u003cscript\\u003e",
    "<details open ontoggle=alert(1)>",
]


def test_nothing_that_people_call_themselves_is_run(visit: Visits, people: People, address: str) -> None:
    admin = people.add("admin", name=HOSTILE[0])
    for name in HOSTILE:
        people.add("author", name=name[:100])
    client = people.browser(admin)
    for name in HOSTILE:
        assert client.post("/account/tokens", data={"name": name, "scope": "read", "days": "7"}).status_code == 201
    asked: list[str] = []
    dialogs: list[str] = []

    with visit(admin, own=True) as page:

        def watch(route: Route) -> None:
            asked.append(route.request.url)
            route.continue_()

        page.route("**/*", watch)
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        for path in ("/users", "/account", "/audit"):
            page.goto(path)
            assert "owned" not in page.title()
            for name in HOSTILE[1:]:
                if path == "/users":
                    expect(page.locator("main").get_by_role("rowheader", name=name, exact=True)).to_be_visible()

    assert dialogs == []
    assert [url for url in asked if not url.startswith(address)] == []


@pytest.fixture(scope="module")
def drawn(app: Web) -> None:
    """A page `/charts` with a chart of every kind."""
    template = app.state.context.templates.from_string(
        '{% extends "base.html" %}{% block title %}Charts{% endblock %}{% block content %}<h1>Charts</h1>'
        '{% for kind, chart in shown %}{% include "_charts/" ~ kind ~ ".html" %}{% endfor %}{% endblock %}'
    )
    arms = [
        Arm("Adapter", None, note="later"),
        Arm("Few-shot, the nearest five", 0.74, 0.69, 0.78),
        Arm("RAG", 1.0, 0.9, 1.0),
    ]
    shown = [
        ("lines", line_charts.lines("Loss", [Series("train", [(n, 3 / (n + 1)) for n in range(50)])], log=True)),
        ("lines", line_charts.lines("Loss", [Series("train", [])])),
        ("intervals", charts.intervals("Arms", arms, target=0.9)),
        ("intervals", charts.intervals("Difference", [Arm("Adapter", 0.05, -0.01, 0.11)], difference=True)),
        (
            "bars",
            charts.waterfall("Rows", [Part("Read", 1500), Part("Twins", 500, removed=True), Part("Usable", 1000)]),
        ),
        ("bars", charts.bars("Scores", [Part("Tune", 17), Part("RAG", -6)])),
    ]

    @app.get("/charts")
    def draw(request: Request, me: Me) -> Response:
        return answer(request, template, shown=shown)


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("script", [True, pytest.param(False, marks=pytest.mark.deep)], ids=["script", "no-script"])
def test_charts_read_well(visit: Visits, people: People, script: bool) -> None:
    judged = good if script else fits
    with visit(people.add(), script=script) as page:
        page.goto("/charts")
        judged(page)
        assert page.locator("[role=img]").count() == 3
        page.get_by_text("Numbers", exact=True).first.click()
        expect(page.get_by_role("table").first).to_be_visible()
        judged(page)


def test_a_live_part_follows_and_ends(app: Web, visit: Visits, people: People) -> None:
    """With htmx and its extension for streams as they are installed: three messages, then the connection closes."""
    context: AppContext = app.state.context
    assert context.files.has("htmx-sse.js"), "htmx is not installed: make assets"
    opened: list[int] = []
    template = context.templates.from_string(
        '{% extends "base.html" %}{% block title %}Live{% endblock %}{% block content %}<h1>Live</h1>'
        '<p id="live" hx-sse:connect="/stream" hx-sse:close="done" hx-swap="innerHTML" hx-target="this">waiting</p>'
        "{% endblock %}"
    )

    @app.get("/live")
    def live(request: Request, me: Me) -> Response:
        return answer(request, template)

    @app.get("/stream", response_class=EventSourceResponse)
    async def stream(
        context: App, listener: Listening, last_event_id: Annotated[int, Header(ge=0)] = 0
    ) -> AsyncIterable[ServerSentEvent]:
        opened.append(last_event_id)

        def read(after: int) -> list[Sent]:
            with reading(context.engine) as session:
                rows = jobs.events_after(session, 1, after)
                return [Sent(row.id, f"<b>{row.body['n']}</b>", last=row.kind == "done") for row in rows]

        async for event in events.stream(context.hub, listener, after=last_event_id, read=read):
            yield event

    def say(number: int, kind: str = "progress") -> None:
        with writing(context.engine) as session:
            session.add(JobEventRow(job_id=1, attempt=1, at=utcnow(), kind=kind, body={"n": number}))

    with writing(context.engine) as session:
        session.add(running())

    with visit(people.add()) as page:
        page.goto("/live")
        page.evaluate("addEventListener('htmx:sse:close', (event) => { document.title = event.detail.reason })")
        for number in (1, 2):
            say(number)
            expect(page.locator("#live")).to_have_text(str(number))
        say(3, "done")
        expect(page.locator("#live")).to_have_text("3")
        expect(page).to_have_title("message")  # closed by what was said, and not by the end of the stream
        until(lambda: context.hub.listeners == 0)
        page.wait_for_timeout(depth(0, 1500))  # after half a second htmx would connect again

    assert opened == [0]
