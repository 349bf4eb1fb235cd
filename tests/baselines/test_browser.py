"""Baselines in real Chromium: the form, a run that fills its table, and failures tagged by keyboard."""

import re
import threading
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import Engine, select

from app.assessments import store as assessment_store
from app.baselines import answer_store, job, standing, store
from app.baselines.tables import AnswerRow
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.settings import Settings
from tests.support.browser import Visits, address, app, engine, good, make, settings, visit
from tests.support.depth import DEEP
from tests.support.factories import Make
from tests.support.measured import Case, a_case, claim_of, clever, finish_job, started
from tests.support.model_server import ModelServer, serving

__all__ = ["address", "app", "engine", "make", "settings", "visit"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def queue(settings: Settings) -> Iterator[job_engine.Client]:
    made = job_engine.Client(settings.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving(clever) as made:
        yield made


class Failures:
    """A measurement of somebody's own, whose best variant has that many untagged failures on the dev rows."""

    def __init__(self, make: Make, engine: Engine) -> None:
        self.engine, self.author = engine, make.author()
        assessment = make.ready(self.author)
        self.assessment = assessment.id
        self.page = f"/assessments/{assessment.id}/measure"
        with writing(engine) as session:
            baseline = store.current(session, assessment.id)
            assert baseline is not None
            leading = standing.leading(baseline)
            assert leading is not None
            self.arm, self.address = leading.id, f"/baselines/{baseline.id}/arms/{leading.id}?split=dev&show=untagged"
            for answer in answer_store.answers(session, leading.id, "dev"):
                answer.cause = None
            wrong = [answer for answer in answer_store.answers(session, leading.id, "dev") if answer.score == 0]
            self.wrong = [answer.id for answer in wrong]
            side = f"/baselines/{baseline.id}/side-by-side"
            self.side = {"side": f"{side}?which=fixed", "row": f"{side}/{wrong[0].example_id}?which=both_wrong"}

    def causes(self) -> list[str | None]:
        """The stored causes of the failures, in the order of the rows."""
        with reading(self.engine) as session:
            query = select(AnswerRow.cause).where(AnswerRow.id.in_(self.wrong)).order_by(AnswerRow.example_id)
            return list(session.scalars(query))


@pytest.fixture
def failures(make: Make, engine: Engine) -> Failures:
    return Failures(make, engine)


def tagged(page: Page, number: int) -> None:
    expect(page.locator('[data-causes] [aria-pressed="true"]')).to_have_count(number)


def test_failures_are_read_and_tagged_by_keyboard_alone(visit: Visits, failures: Failures) -> None:
    with visit(failures.author) as page:
        page.goto(failures.address)
        expect(page.locator("#tagged")).to_contain_text("0 of 30")
        page.keyboard.press("1")
        page.keyboard.press("4")
        page.keyboard.press("j")  # the third stays untagged
        page.keyboard.press("2")
        page.keyboard.press("k")
        page.keyboard.press("k")
        page.keyboard.press("3")  # the third after all
        tagged(page, 4)
        expect(page.locator("#tagged")).to_contain_text("4 of 30")
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_have_attribute("open", "")
        page.keyboard.press("k")
        page.keyboard.press("0")
        tagged(page, 3)

    assert failures.causes()[:5] == ["behaviour", "reference", None, "facts", None]


def test_a_suggestion_is_accepted_by_one_click_or_by_enter(visit: Visits, failures: Failures) -> None:
    with writing(failures.engine) as session:
        for answer_id in failures.wrong[:2]:
            session.get_one(AnswerRow, answer_id).output = ""  # an empty answer is a matter of format
    with visit(failures.author) as page:
        page.goto(failures.address)
        page.keyboard.press("Enter")
        tagged(page, 1)
        page.locator("[data-suggested]").first.click()
        tagged(page, 2)

    assert failures.causes()[:3] == ["behaviour", "behaviour", None]


def test_nothing_is_lost_by_going_on_at_once(visit: Visits, failures: Failures) -> None:
    with visit(failures.author) as page:
        page.goto(failures.address)
        page.route("**/cause*", slowly)
        page.keyboard.press("1")
        page.get_by_role("link", name="Next").click()
        page.wait_for_url("**after=**")
        expect(page.locator("#tagged")).to_contain_text("1 of 30")
        page.unroute("**/cause*")

    assert failures.causes()[0] == "behaviour"


def test_u_takes_back_what_was_tagged_last_even_while_it_is_saved(visit: Visits, failures: Failures) -> None:
    with visit(failures.author) as page:
        page.goto(failures.address)
        expect(page.locator(".key-line")).to_be_visible()
        page.keyboard.press("1")
        page.keyboard.press("2")
        tagged(page, 2)
        page.route("**/cause*", slowly)
        page.keyboard.press("3")
        page.keyboard.press("u")  # the third is still on its way
        page.keyboard.press("u")
        tagged(page, 1)
        page.unroute("**/cause*")

    assert failures.causes()[:3] == ["behaviour", None, None]


def slowly(route: Route) -> None:
    """A server that takes its time."""
    time.sleep(0.4)
    route.continue_()


def test_a_tag_that_is_not_saved_says_so(visit: Visits, failures: Failures) -> None:
    with visit(failures.author) as page:
        page.goto(failures.address)
        with writing(failures.engine) as session:  # somebody puts it away meanwhile
            assessment_store.get(session, failures.assessment).archived_at = utcnow()
        page.keyboard.press("1")
        expect(page.locator("[data-answer]").first).to_contain_text("Not saved.")
        expect(page.locator("[data-answer]").first.get_by_role("button", name="Missing fact")).to_be_visible()

    assert failures.causes()[0] is None


def test_without_scripts_every_button_saves(visit: Visits, failures: Failures) -> None:
    with visit(failures.author, script=False) as page:
        page.goto(failures.address)
        for _ in range(2):
            page.get_by_role("button", name="Unclear instruction").first.click()
        expect(page.locator("#tagged")).to_contain_text("2 of 30")

    assert failures.causes()[:3] == ["instructions", "instructions", None]


@pytest.mark.deep
def test_two_people_who_tag_at_once_see_whose_tag_counts(visit: Visits, make: Make, failures: Failures) -> None:
    other = make.author("Cora")
    with visit(failures.author) as mine, visit(other) as hers:
        for page in (mine, hers):
            page.goto(failures.address)
        hers.keyboard.press("2")
        tagged(hers, 1)
        mine.keyboard.press("1")
        expect(mine.locator("[data-answer]").first).to_contain_text("Cora had tagged this “Missing fact” meanwhile")

    assert failures.causes()[0] == "behaviour"


@pytest.mark.parametrize("shown", ["results", "failures", "answer", "side", "row"])
def test_results_and_answers_read_well(visit: Visits, failures: Failures, shown: str) -> None:
    answer, side = f"/answers/{failures.wrong[0]}?split=dev", failures.side
    with visit(failures.author) as page:
        page.goto({"results": failures.page, "failures": failures.address, "answer": answer, **side}[shown])
        good(page, dark=DEEP or shown in ("results", "side"))


def test_the_form_reads_well_and_asks_for_consent_by_the_servers_name(
    visit: Visits, make: Make, engine: Engine, server: ModelServer
) -> None:
    case = a_case(make, engine, server)
    with visit(case.author) as page:
        page.goto(f"/assessments/{case.assessment.id}/measure")
        expect(page.get_by_label("I may send these rows to 127.0.0.1")).not_to_be_visible()
        page.get_by_role("radio", name="Loopback").check()
        page.get_by_label("I may send these rows to 127.0.0.1").locator("visible=true").check()
        good(page)


def test_the_estimate_follows_the_form_and_labels_are_put_into_the_prompt(
    visit: Visits, make: Make, engine: Engine, server: ModelServer
) -> None:
    case = labelled(a_case(make, engine, server, "Labels"), engine)
    with visit(case.author) as page:
        page.goto(f"/assessments/{case.assessment.id}/measure")
        expect(page.locator("#estimate")).to_contain_text("220 calls")
        page.get_by_label("Few-shot, random (3 samples)").uncheck()
        expect(page.locator("#estimate")).to_contain_text("130 calls")
        page.locator("#dev_rows-choice").get_by_label("A sample of").check()
        page.get_by_label("Rows of the dev sample").fill("20")
        page.get_by_label("Rows of the dev sample").blur()
        expect(page.locator("#estimate")).to_contain_text("100 calls")
        expect(page.get_by_label("System prompt")).to_have_value(
            re.compile("one of these 3 labels, .*- blue\n- green", re.DOTALL)
        )
        page.get_by_label("System prompt").fill("Be brief.")
        page.get_by_role("button", name="Insert 3 labels").click()
        expect(page.get_by_label("System prompt")).to_have_value("Be brief.\n\nLabels:\n- blue\n- green\n- red")


def labelled(case: Case, engine: Engine) -> Case:
    """The same case with three labels as its answers."""
    with writing(engine) as session:
        for row in session.query(ExampleRow).filter_by(dataset_id=case.dataset.id):
            row.target = ("red", "green", "blue")[row.line % 3]
    return case


def test_improve_prompt_opens_the_box(visit: Visits, failures: Failures) -> None:
    with visit(failures.author) as page:
        page.goto(failures.page)
        expect(page.get_by_label("New system prompt")).not_to_be_visible()
        page.get_by_role("link", name="Improve prompt").click()
        expect(page.get_by_label("New system prompt")).to_be_visible()


def test_a_run_fills_its_table_without_a_reload_and_ends_on_its_result(
    visit: Visits, make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, server: ModelServer
) -> None:
    case: Case = a_case(make, engine, server, "Slow", train=20, dev=20, test=20)
    held, go_on = threading.Event(), threading.Event()

    def held_back(body: dict[str, object]) -> str:
        if len(server.calls) > 50 and not go_on.is_set():  # in the middle of the random examples
            held.set()
            go_on.wait(20)
        return clever(body)

    server.reply = held_back
    baseline = started(engine, queue, case, variants=("zero_shot", "few_shot_random"))
    claim = claim_of(engine, settings, queue, baseline.id)

    def to_the_end() -> None:
        job.measure(claim)
        finished(engine, claim)

    run = threading.Thread(target=to_the_end)
    with visit(case.author) as page:
        page.goto(f"/assessments/{case.assessment.id}/measure")
        page.evaluate("window.loadedOnce = true")
        run.start()
        table = page.locator(f"#variants-{baseline.id}")
        expect(table.locator("tbody tr").filter(has_text="Zero-shot")).to_contain_text("%")
        expect(page.locator(".stages .now")).to_contain_text("Few-shot, 3 random")
        expect(page.locator(".outputs li")).to_have_count(3)
        assert page.evaluate("window.loadedOnce"), "the table filled without a reload"
        share = float(page.locator("#running progress").get_attribute("value") or 1)
        assert 0 < share < 0.99
        go_on.set()
        expect(page.locator("#answer")).to_contain_text("target of 90 %")
        run.join(20)
    server.reply = clever


def finished(engine: Engine, claim: Claim) -> None:
    """The end of a job, with the event that tells open pages of it, as the worker writes it."""
    finish_job(engine, claim)
    with writing(engine) as session:
        jobs.say(session, job_store.get(session, claim.job_id), "status", {"status": "done", "attempt": claim.attempt})
