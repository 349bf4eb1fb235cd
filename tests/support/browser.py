"""Real servers and real Chromium for tests.

`serving` runs an app under uvicorn on a free loopback port; `quiet_page` fails its test on anything in the console (a
slip against the content policy shows there); `axe` fails on what people with assistive technology would meet.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.base import AXE_SCRIPT
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

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
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


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


@contextmanager
def quiet_page(chromium: Browser, base: str, **options: Any) -> Iterator[Page]:
    """A page of its own context; at the end, whatever the console said besides refused requests fails the test."""
    context = chromium.new_context(base_url=base, **({"viewport": {"width": 1280, "height": 900}} | options))
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    noise: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # That a page was answered with 404 or 422 is for the test to say.
        if message.type in {"error", "warning"} and "status of 4" not in message.text:
            noise.append(message.text)

    opened.on("console", heard)
    opened.on("pageerror", lambda error: noise.append(str(error)))
    yield opened
    context.close()
    assert noise == []


# Only what is wrong comes back: what axe says about all that is right takes Playwright a second to bring over.
LOOK = "options => axe.run(options).then(found => found.violations.map(one => [one.id, one.nodes[0].target]))"


def axe(page: Page) -> None:
    """Fail on everything axe finds."""
    page.evaluate(AXE_SCRIPT)
    assert page.evaluate(LOOK, {"runOnly": RULES, "resultTypes": ["violations"]}) == []


def fits(page: Page) -> None:
    """Fail when the page has to be pushed sideways to be read."""
    page.wait_for_load_state()  # a page that a click has just left for has no element yet
    wide = page.locator("html").evaluate("(page) => page.scrollWidth")
    assert wide <= page.evaluate("innerWidth"), f"{page.url} is {wide} px wide"
