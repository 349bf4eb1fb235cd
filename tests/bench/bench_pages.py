"""How much each page says at once, and what it looks like in every state.

    python tests/bench/bench_pages.py [--pictures FOLDER] [--only NAME ...] [--views light-1280 dark-390]

Lays out an installation with an assessment in each state (`tests/support/gallery.py`), serves it and opens its pages in
Chromium. Prints for each page and view its height, the words in sight in the first 800 px (menu and notices with them)
and those of the page itself, and says so where it has to be pushed sideways. With `--pictures` each is kept as a PNG.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import Page, ViewportSize, sync_playwright

from app import schema
from app.db import engine_for
from app.jobs import engine as job_engine
from app.main import create_app
from tests.support import gallery
from tests.support.browser import FLAGS, Visits, serving
from tests.support.factories import Make
from tests.support.fold import seen
from tests.support.gallery import Gallery, Shown, eight
from tests.support.processes import cheap
from tests.support.ready import ready

HEIGHT = 800
SECTIONS = ("goal", "success", "knowledge", "examples", "use", "upkeep")
TABS = ("criteria", "thresholds", "weights", "sources", "versions")


STEPS = {
    "": (),  # the overview, in every state
    "describe": ("draft", "ready"),
    "describe/goal": ("draft", "archived"),
    **{f"describe/{section}": ("draft",) for section in SECTIONS[1:]},
    "details": ("ready",),
    "data": ("no data", "near copies", "personal", "rejected", "checking", "frozen", "archived"),
    "documents": ("no data",),
    "costs": ("ready", "example"),
    "target": ("ready",),
    "verdict": ("draft", "no target", "no data", "measuring", "approved", "short", "archived"),
    "plan": ("no data", "unchecked", "blocked", "ready", "approved", "archived", "example"),
    "review": ("no data", "ready", "in review", "changes requested", "approved", "archived", "example"),
    "run": ("no data", "ready", "approved", "queued", "training", "failed", "improved", "short", "archived"),
    "result": ("improved", "short", "not better", "regressed", "inconclusive", "example", "training", "no data"),
    "result?run=one": ("ready",),
    "share": ("ready",),
}
OF_DATA = {
    "data": ("/rows", "/rows?q=card", "/rows?q=zzzz", "/rows/3", "/labels", "/reading", "?tab=learnability",
             "?tab=split", "?tab=export", "?tab=versions"),
    "near copies": ("/clusters", "/contradictions", "/changes"),
    "personal": ("?tab=personal", "/rows"),
}  # fmt: skip
OF_THE_PLACE = (
    "/jobs", "/adapters", "/models", "/users", "/account", "/account/password", "/prices", "/serving", "/scorers",
    "/policy/edit", "/docs", "/problems/invalid", "/audit?act=review.request", "/audit?assessment=zzzz",
    *(f"/policy?tab={tab}" for tab in TABS),
)  # fmt: skip


def everything(made: Gallery) -> Iterator[Shown]:
    """The other pages, each in the states in which it says something else."""
    ada, amy, rob = made.author, made.admin, made.reviewer
    for step, states in STEPS.items():
        for state in states or made.ids:
            yield Shown(f"{step or 'overview'}, {state}", f"/assessments/{made.ids[state]}/{step}".rstrip("/"), ada)
    for state, pages in OF_DATA.items():
        for page in pages:
            yield Shown(f"data, {state} {page}", f"/datasets/{made.datasets[state]}{page}", ada)
    for kind, numbers in (("reviews", made.reviews), ("trainings", made.runs), ("jobs", made.jobs)):
        for state, number in numbers.items():
            yield Shown(f"{kind}, {state}", f"/{kind}/{number}", ada)
            if kind == "reviews":
                yield Shown(f"reviews, {state}, reviewer", f"/reviews/{number}", rob)
    yield Shown("reviews, rows", f"/reviews/{made.reviews['in review']}/rows", rob)
    yield from (Shown(path.strip("/"), path, amy) for path in OF_THE_PLACE)
    yield from (Shown(f"{path}, {who.role}", path, who) for path in ("/", "/reviews") for who in (ada, rob, amy))
    yield from (Shown(f"refused, {path}", path, ada) for path in ("/users", "/assessments/99999", "/?q=zzzz"))
    yield from (Shown(f"stranger, {path}", path, None) for path in ("/sign-in", "/nothing-here"))


@contextmanager
def laid_out() -> Iterator[tuple[Gallery, Visits]]:
    """An installation with everything in it, served, and its visitors."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = cheap(Path(folder))
        schema.migrate(settings.url)
        engine, queue = engine_for(settings), job_engine.Client(settings.url)
        made = gallery.fill(Make(engine, settings), queue)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with serving(ready(create_app, settings)) as address:
            visits = Visits(browser, address, engine)
            yield made, visits
            visits.close()
        browser.close()
        queue.close()
        engine.dispose()


def look(page: Page, shown: Shown, views: list[str], pictures: Path | None) -> None:
    """Open a page in each view, say how long and how wordy it is, and keep a picture of it."""
    for view in views:
        scheme, width = view.split("-")
        page.set_viewport_size(ViewportSize(width=int(width), height=HEIGHT))
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        answer = page.goto(shown.path)
        found = seen(page, HEIGHT)
        wide = page.evaluate("document.documentElement.scrollWidth")
        status = answer.status if answer else 0
        sideways = f"  {wide} px wide" if wide > int(width) else ""
        said = f"{found.words:4} words, {found.content:4} of the page"
        print(f"{shown.name:36} {view:11} {status} {found.height:6,} px {said}{sideways}", flush=True)
        if pictures:
            name = "".join(letter if letter.isalnum() else "-" for letter in shown.name)
            page.screenshot(path=pictures / f"{name}-{view}.png", full_page=True)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--pictures", type=Path, help="where to keep pictures, of every page in every state")
    ask.add_argument("--only", nargs="*", default=[], help="beginnings of names of pages")
    ask.add_argument("--views", nargs="*", default=["light-1280", "light-390"], help="light or dark, and a width")
    asked = ask.parse_args()
    if asked.pictures:
        asked.pictures.mkdir(parents=True, exist_ok=True)
    with laid_out() as (made, visits):
        pages = [*eight(made), *(everything(made) if asked.pictures or asked.only else ())]
        for shown in pages:
            if not asked.only or shown.name.startswith(tuple(asked.only)):
                with visits(shown.who) as page:
                    look(page, shown, asked.views, asked.pictures)


if __name__ == "__main__":
    main()
