"""Real servers and real Chromium for tests.

A module of browser tests imports `settings`, `engine`, `make`, `app`, `address` and `visit` from here: one database and
one server for all its tests, each of which makes its own people and things there. `with visit(user) as page:` is a page
on which that person is signed in; it fails its test on anything in the console (a slip against the content policy shows
there). `good(page)` fails on what people with assistive technology, a small screen or dark colours would meet.
"""

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.base import AXE_SCRIPT
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, ViewportSize, expect, sync_playwright
from sqlalchemy import Engine

from app.db import engine_for, utcnow, writing
from app.settings import Settings
from app.users import sessions
from app.users.tables import UserRow
from app.web.security import Web
from tests.support.depth import DEEP
from tests.support.factories import Make
from tests.support.processes import cheap, until
from tests.support.ready import ready

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Milliseconds until a page that never gets there fails its test; a busy machine takes a second for what takes 50.
PATIENCE = 20_000
WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=800)
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


# ---------------------------------------------------------------- one server for a module


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Settings:
    """As the fixture of that name for other tests, but one for the whole module."""
    return _migrated(tmp_path_factory.mktemp("browser"), template)


def _migrated(folder: Path, template: Path) -> Settings:
    shutil.copy(template, folder / "tunegate.db")
    return cheap(folder)


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[Engine]:
    made = engine_for(settings)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def make(engine: Engine, settings: Settings) -> Make:
    return Make(engine, settings)


@pytest.fixture(scope="module")
def app(settings: Settings) -> Web:
    from app.main import create_app

    return ready(create_app, settings)


@pytest.fixture(scope="module")
def address(app: Web) -> Iterator[str]:
    """Where the app of this module is served."""
    with serving(app) as started:
        yield started


@pytest.fixture(scope="module")
def visit(chromium: Browser, address: str, engine: Engine) -> Iterator["Visits"]:
    """`with visit(user) as page:` comes to the app of this module as that user."""
    with visits(chromium, address, engine) as made:
        yield made


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve on a free port of the loopback; gives the address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=3)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started, "the server did not start"
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        app.state.context.hub.closing = True  # live streams end first, as in the real server
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


class Visits:
    """Visits to one server: `with visit(user) as page:`, or without a user, or with `script=False`.

    Three processes start for a new page, which costs more than most tests do on it. So one page serves many visits,
    each with cookies of its own; a test that does lasting things to its page asks for its `own`.
    """

    def __init__(self, chromium: Browser, address: str, engine: Engine) -> None:
        self._chromium = chromium
        self.address = address
        self._engine = engine
        self._idle: dict[bool, list[Page]] = {True: [], False: []}

    @contextmanager
    def __call__(self, user: UserRow | None = None, *, script: bool = True, own: bool = False) -> Iterator[Page]:
        idle = self._idle[script]
        page = idle.pop() if idle and not own else self._open(script=script)
        if user:
            self._sign_in(page, user)
        noise: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            # That a page was answered with 404 or 422 is for the test to say.
            if message.type in {"error", "warning"} and "status of 4" not in message.text:
                noise.append(message.text)

        def failed(error: Error) -> None:
            noise.append(str(error))

        page.on("console", heard)
        page.on("pageerror", failed)
        left = False
        try:
            yield page
            if not own:
                page.goto("/health/live")  # nothing on the page lives on; another site would be another process
                left = True
        finally:
            page.remove_listener("console", heard)
            page.remove_listener("pageerror", failed)
            if left:
                page.context.clear_cookies()
                idle.append(page)
            else:
                page.context.close()
        assert not noise, noise

    def _open(self, *, script: bool) -> Page:
        context = self._chromium.new_context(base_url=self.address, viewport=WIDE, java_script_enabled=script)
        context.set_default_timeout(PATIENCE)
        return context.new_page()

    def _sign_in(self, page: Page, user: UserRow) -> None:
        """As the form does it, which a test of the frame fills in."""
        with writing(self._engine) as session:
            secret = sessions.open_session(session, user, "test", utcnow())
        page.context.add_cookies([{"name": "tunegate", "value": secret, "url": self.address}])

    def close(self) -> None:
        for page in self._idle[True] + self._idle[False]:
            page.context.close()


@contextmanager
def visits(chromium: Browser, address: str, engine: Engine) -> Iterator[Visits]:
    """Visits to a server that a test has for itself."""
    made = Visits(chromium, address, engine)
    yield made
    made.close()


@pytest.fixture
def untouched(chromium: Browser, tmp_path: Path, template: Path) -> Iterator[tuple[Make, Visits]]:
    """An installation of the test's own, in which nobody and nothing is yet."""
    from app.main import create_app

    settings = _migrated(tmp_path, template)
    engine = engine_for(settings)
    with serving(ready(create_app, settings)) as address, visits(chromium, address, engine) as made:
        yield Make(engine, settings), made
    engine.dispose()


# ---------------------------------------------------------------- how a page reads


EVERYTHING = {"runOnly": RULES}
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
COLOURS = {"runOnly": COLOUR_RULES}
ALL_BUT_COLOURS = {"runOnly": RULES, "rules": {rule: {"enabled": False} for rule in COLOUR_RULES}}
# Only what is wrong comes back: what axe says about all that is right takes Playwright a second to bring over. What it
# would load first is for sounds, and for rules that are not among ours.
LOOK = """options => axe.run({ ...options, resultTypes: ["violations"], preload: false })
  .then(found => found.violations.map(one => [one.id, one.nodes[0].target]))"""


def axe(page: Page, rules: dict[str, Any] = EVERYTHING) -> None:
    """Fail on everything axe finds in what is shown now."""
    if not page.evaluate("'axe' in window"):  # it stays until another page is shown
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate(LOOK, rules)
    assert not violations, f"{page.url}: {violations}"


def fits(page: Page) -> None:
    """Fail when the page has to be pushed sideways to be read."""
    page.wait_for_load_state()  # a page that a click has just left for has no element yet
    wide = page.locator("html").evaluate("(page) => page.scrollWidth")
    assert wide <= page.evaluate("innerWidth"), f"{page.url} is {wide} px wide"


def sheets(page: Page) -> int:
    """How many sheets of paper (A4) the page takes, as Chromium prints it."""
    return len(re.findall(rb"/Type\s*/Page[^s]", page.pdf(prefer_css_page_size=True)))


def good(page: Page, *, dark: bool = DEEP, narrow: bool = DEEP) -> None:
    """Fail on whatever keeps somebody from reading what is shown now: axe, a small screen, dark colours.

    Everything is looked at in the usual view, and the page has to fit on a small screen. Axe looks at what another view
    changes, too, in the deep suite always and in the quick one where a test asks for it: in the dark at the colours,
    which take it most of its time, and on a small screen at all but the colours.
    """
    fits(page)
    axe(page)
    if dark:
        page.emulate_media(color_scheme="dark")
        assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        axe(page, COLOURS)
        page.emulate_media(color_scheme="light")
    page.set_viewport_size(NARROW)
    until(lambda: page.evaluate("innerWidth") == NARROW["width"])
    fits(page)
    if narrow:
        axe(page, ALL_BUT_COLOURS)
    page.set_viewport_size(WIDE)
