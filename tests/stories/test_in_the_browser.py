"""The founding text's example, taken through the browser as `make run` serves it: every click is a person's.

Deep: two files that must stay locked, which need no model; `datasets/test_browser.py` has the same way in short. The
whole way on the bundled model takes a quarter of an hour, so it is marked slow. Pictures go to the ignored folder
`shots`.
"""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.settings import Settings
from tests.support.browser import PATIENCE
from tests.support.places import DATA, ROOT
from tests.support.processes import Process, free_port

pytestmark = [pytest.mark.browser, pytest.mark.worker, pytest.mark.deep]

PASSWORD = "a long enough phrase"
SHOTS = ROOT / "shots"

# What a person ticks, section by section, for "generate code comments in our internal style guide".
ANSWERS: tuple[tuple[str, str], ...] = (
    ("goals", "style"), ("goals", "format"), ("main_goal", "style"), ("checker_helps", "no"), ("language_fit", "fine"),
    ("fact_change", "none"), ("sources", "no"), ("access_rights", "no"), ("corpus_tokens", "0"), ("rarity", "common"),
    ("examples_declared", "3224"), ("label_agreement", "high"), ("coverage", "broad"), ("holdout", "split"),
    ("recurrence", "ongoing"), ("calls_per_month", "300000"), ("latency", "normal"), ("data_location", "own_servers"),
    ("metric", "rouge_l"), ("target", "80"), ("prompting_tried", "no"),
    ("definition_changes", "stable"), ("training_rights", "yes"), ("stakes", "normal"), ("owner", "Docs platform team"),
)  # fmt: skip


class Walk:
    """One installation and the person at its browser."""

    def __init__(self, page: Page, address: str, name: str) -> None:
        self.page, self.address, self.name = page, address, name
        self.began = time.monotonic()

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def shot(self, what: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{self.name}-{what}.png", full_page=True)
        print(f"{time.monotonic() - self.began:7.1f} s  {what}", file=sys.stderr)  # noqa: T201 - it is slow

    def wait(self, seconds: float) -> None:
        """Until no job of this page is waiting or running, by the page's own live updates."""
        expect(self.page.locator("section.job form")).to_have_count(0, timeout=seconds * 1000)

    def set_up(self, code: str) -> None:
        self.open("/setup")
        for field, text in (("Set-up code", code), ("Your name", "Amy"), ("E-mail address", "amy@example.org")):
            self.page.get_by_label(field).fill(text)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.press("Create account")

    def add_person(self, name: str, role: str) -> None:
        self.open("/users")
        form = self.page.locator("form", has=self.page.get_by_role("button", name="Add", exact=True))
        form.get_by_label("Name").fill(name)
        form.get_by_label("E-mail address").fill(f"{name.lower()}@example.org")
        form.get_by_label("Role").select_option(role)
        form.get_by_label("Temporary password").fill(PASSWORD)
        self.press("Add")

    def become(self, name: str, *, first: bool = False) -> None:
        self.page.context.clear_cookies()
        self.open("/sign-in")
        self.page.get_by_label("E-mail address").fill(f"{name.lower()}@example.org")
        self.page.get_by_label("Password").fill(PASSWORD if first else f"{PASSWORD} of {name}")
        self.press("Sign in")
        if first:
            self.page.get_by_label("Password you have now").fill(PASSWORD)
            self.page.get_by_label("New password", exact=True).fill(f"{PASSWORD} of {name}")
            self.page.get_by_label("New password, again").fill(f"{PASSWORD} of {name}")
            self.press("Change password")

    def describe(self, title: str) -> str:
        """Answer the questionnaire section by section; returns the assessment's path."""
        self.open("/assessments/new")
        self.page.get_by_label("Name", exact=True).fill(title)
        self.press("Create")
        found = re.search(r"/assessments/\d+", self.page.url)
        assert found
        onward = self.page.locator(".btn[name=go][value=next]")
        for _section in range(6):
            onward.wait_for()  # it ends the form, so all questions before it are there
            for key, value in ANSWERS:
                self._answer(key, value)
            onward.click()
        expect(self.page.get_by_text("24 of 24").first).to_be_visible()
        return found[0]

    def _answer(self, key: str, value: str) -> None:
        choice = self.page.locator(f'input[name="{key}"][value="{value}"]')
        line = self.page.locator(f'input[name="{key}"][type="text"]')
        if choice.count():
            choice.check()
        elif line.count():
            line.fill(value)

    def upload(self, base: str, file: Path) -> None:
        self.open(f"{base}/data")
        self.page.get_by_label("File with examples").set_input_files(file)
        self.page.get_by_label("A person wrote or checked").check()
        self.press("Upload")
        expect(self.page.get_by_text(file.name).first).to_be_visible()
        self.wait(120)


@pytest.fixture
def walk(settings: Settings, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Walk]:
    """A running installation, with Ada (author) and Rob (reviewer) added by Amy (administrator); Ada is signed in."""
    port = free_port()
    process = Process(settings.model_copy(update={"port": port, "threads": 2}), "serve")
    assert process.popen.stdout
    line = process.popen.stdout.readline().decode()
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    made = Walk(context.new_page(), f"http://127.0.0.1:{port}", re.sub(r"\W+", "-", request.node.name).strip("-"))
    made.page.set_default_timeout(PATIENCE)
    _wait_for(made)
    made.set_up(line.split("set-up code: ")[1].strip())
    for name, role in (("Ada", "author"), ("Rob", "reviewer")):
        made.add_person(name, role)
    made.become("Rob", first=True)
    made.become("Ada", first=True)
    yield made
    context.close()
    process.stop()


def _wait_for(walk: Walk) -> None:
    for _ in range(100):
        try:
            walk.open("/health/live")
        except Exception:  # noqa: BLE001 - the browser's own error for "nobody listens yet"
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the server did not come up")


def test_too_few_examples_stay_locked_and_the_page_says_how_many_are_missing(walk: Walk) -> None:
    _stays_locked(walk, DATA / "phpdoc" / "small_300.jsonl", 210, "790")


def test_too_few_examples_without_the_near_copies_stay_locked(walk: Walk, sets: Path) -> None:
    _stays_locked(walk, sets / "phpdoc" / "neardup_1500.jsonl", 707, "293")


def _stays_locked(walk: Walk, file: Path, usable: int, missing: str) -> None:
    base = walk.describe("Code comments in our house style")

    walk.upload(base, file)

    expect(walk.page.get_by_text(f"{usable} usable examples")).to_be_visible()
    walk.shot("data")
    walk.open(f"{base}/verdict")
    gate = walk.page.locator("#G1")
    expect(gate).to_contain_text("fail")
    expect(gate).to_contain_text(f"{usable}")
    expect(gate).to_contain_text(missing)
    walk.shot("verdict")
    walk.open(f"{base}/run")
    expect(walk.page.get_by_role("button", name="Launch training")).to_have_count(0)


@pytest.mark.slow
def test_the_founding_example_from_idea_to_adapter(walk: Walk, sets: Path) -> None:  # noqa: PLR0915 - one walk
    page = walk.page
    base = walk.describe("PHPDoc in our house style")
    walk.open(f"{base}/verdict")
    expect(page.get_by_text("leaning towards fine-tune")).to_be_visible()
    walk.shot("01-advice")

    walk.upload(base, sets / "phpdoc" / "phpdoc.jsonl")
    walk.shot("02-data")
    # One comment of the set names its author's address; nobody trains on it before somebody has decided.
    page.get_by_role("link", name="Decide on personal data", exact=True).click()
    page.get_by_label("What to do with each e-mail address").select_option("mask")
    walk.press("Save decisions")
    walk.wait(120)
    expect(page.locator("#personal")).to_contain_text("masked")
    page.get_by_role("link", name="Overview", exact=True).click()
    page.get_by_label("Yes", exact=True).check()
    walk.press("Freeze split")
    walk.shot("03-frozen")

    walk.open(f"{base}/measure")
    page.get_by_label("System prompt").fill(
        "Write the PHPDoc block for the signature, in our house style: a summary in the third person with a full stop, "
        "an empty line before tags, @param only where it adds something, @return and @throws where they apply. "
        "Answer with the block only, from /** to */."
    )
    for split in ("dev", "test"):
        page.locator(f"#{split}_rows-choice").get_by_label("A sample of").check()
        page.get_by_label(f"Rows of the {split} sample").fill("40")
    page.get_by_text("Sampling and prices").click()
    page.get_by_label("Max output tokens").fill("110")
    walk.press("Run baselines")
    walk.shot("04-measuring")
    walk.wait(900)
    walk.shot("05-measured")

    page.get_by_role("link", name="Tag failures").click()
    _tag_failures(walk)
    walk.open(f"{base}/measure")
    page.get_by_role("link", name="Improve prompt").click()
    page.get_by_label("New system prompt").fill(
        "Continue exactly in the style of the examples: a PHPDoc block from /** to */, one summary sentence in the "
        "third person that ends in a full stop, then an empty * line before any tag."
    )
    walk.press("Evaluate this prompt")
    walk.wait(600)
    walk.shot("07-revised")

    walk.open(f"{base}/plan")
    page.locator("#epochs").fill("1")
    page.locator("#learning_rate").fill("0.0005")
    page.locator("#batch_rows").fill("8")
    page.locator("#max_steps").fill("60")
    walk.press("Save config")
    walk.press("Run preflight")
    walk.wait(300)
    walk.shot("08-preflight")
    walk.open(f"{base}/verdict")
    walk.shot("09-verdict")
    expect(page.locator(".answer.verdict")).to_contain_text("is allowed")

    walk.open(f"{base}/review")
    page.get_by_label("What should the reviewer look at?").fill("The target, please.")
    walk.press("Request review")
    review = page.url
    expect(page.get_by_label("Approve", exact=True)).to_have_count(0)
    walk.become("Rob")
    page.goto(review)
    walk.shot("10-review")
    page.get_by_label("Approve", exact=True).check()
    walk.press("Submit decision")
    walk.become("Ada")
    walk.open(f"{base}/run")
    walk.shot("11-launch")
    walk.press("Launch training")
    page.wait_for_timeout(20_000)
    walk.shot("12-training")
    _until_judged(walk, base)
    walk.shot("13-result")
    expect(page.get_by_role("link", name="Download adapter")).to_be_visible()


def _tag_failures(walk: Walk) -> None:
    """Put down the failures to wrong form, which is what they are here, by keyboard; the list shows those to tag."""
    while count := walk.page.locator("[data-causes]").count():
        for _ in range(count):
            walk.page.keyboard.press("1")
        expect(walk.page.locator('[data-key="1"][aria-pressed="true"]')).to_have_count(count)
        walk.shot("06-failures")
        walk.page.reload()


def _until_judged(walk: Walk, base: str) -> None:
    for _ in range(180):
        walk.open(f"{base}/result")
        if walk.page.get_by_role("link", name="Download adapter").count():
            return
        walk.page.wait_for_timeout(5000)
    raise AssertionError("the run was not judged in time")
