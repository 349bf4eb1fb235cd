"""The list and the questionnaire as a browser without JavaScript has them, and what htmx is sent."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, select

from app.advice.questions import ASKED, SECTIONS
from app.advice.starting_points import STARTING_POINTS
from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.datasets import store as dataset_store
from app.db import reading
from app.gate import evidence
from app.users.tables import UserRow
from tests.support import as_it_stands
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author("Dana")


@pytest.fixture
def browser(people: People, me: UserRow) -> TestClient:
    return people(me)


def stored(make: Make, row: AssessmentRow) -> AssessmentRow:
    with reading(make.engine) as session:
        found = session.get(AssessmentRow, row.id)
        assert found is not None
        return found


def use_form(row: AssessmentRow, **fields: Any) -> dict[str, Any]:
    """The form of the section `use`, as its page has it."""
    usual = {
        "recurrence": "ongoing",
        "calls_per_month": "300000",
        "latency": "normal",
        "data_location": "own_servers",
        "version": str(row.version),
        "tab": "page-1",
        "touched": "",
    }
    return {key: value for key, value in (usual | fields).items() if value is not None}


# ------------------------------------------------------------------ the list


def test_an_empty_list_says_what_this_is_for(browser: TestClient) -> None:
    page = browser.get("/")

    assert page.status_code == 200
    assert "Should you fine-tune?" in page.text
    assert "New assessment" in page.text


def test_an_admin_can_start_the_worked_example(people: People, browser: TestClient, make: Make) -> None:
    assert 'action="/demo"' in people(make.admin()).get("/").text
    assert 'action="/demo"' not in browser.get("/").text


def test_the_list_shows_the_status_of_each(browser: TestClient, make: Make) -> None:
    make.assessment(title="Ticket routing", team="Support")
    make.ready()

    page = browser.get("/").text

    assert "Ticket routing" in page
    assert ">Needs data</span>" in page
    assert ">Needs a preflight</span>" in page


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("", {"Ticket routing", "Comments", "Mine"}),
        ("?q=ticket", {"Ticket routing"}),
        ("?q=support", {"Ticket routing"}),
        ("?q=ticket+comments", set()),
        ("?state=mine", {"Mine"}),
        ("?state=ready", {"Comments"}),
        ("?state=in_review", set()),
        ("?state=trained", set()),
        ("?state=archived", {"Old"}),
        ("?page=2", set()),
    ],
)
def test_the_list_is_searched_and_filtered(
    browser: TestClient, make: Make, me: UserRow, query: str, listed: set[str]
) -> None:
    make.assessment(title="Ticket routing", team="Support")
    make.ready(title="Comments")
    make.assessment(me, title="Mine")
    old = make.assessment(title="Old")
    browser.post(f"/assessments/{old.id}/archive")

    page = browser.get(f"/{query}")

    assert page.status_code == 200
    titles = {"Ticket routing", "Comments", "Mine", "Old"}
    assert {title for title in titles if f">{title}</a>" in page.text} == listed


def test_a_long_list_has_pages(browser: TestClient, make: Make, me: UserRow) -> None:
    for number in range(21):
        make.assessment(me, title=f"Case {number}")

    assert ">Case 0</a>" not in browser.get("/").text
    assert ">Case 0</a>" in browser.get("/?page=2").text


# ------------------------------------------------------------------ beginning, naming, putting away


def test_beginning_leads_to_the_first_question(browser: TestClient) -> None:
    answer = browser.post("/assessments", data={"title": "Comments", "team": "Docs"})

    assert answer.status_code == 303
    assert re.fullmatch(r"/assessments/\d+/describe/goal", answer.headers["location"])


def test_a_name_is_asked_for_with_what_was_typed_still_there(browser: TestClient) -> None:
    page = browser.post("/assessments", data={"title": " ", "team": "Docs", "about": "Kept"})

    assert page.status_code == 422
    assert "<title>Error: " in page.text
    assert "Give it a name" in page.text
    assert 'value="Docs"' in page.text
    assert "Kept" in page.text


def test_what_is_too_long_is_said_beside_its_field(browser: TestClient) -> None:
    page = browser.post("/assessments", data={"title": "Fine", "about": "x" * 4001})

    assert page.status_code == 422
    assert re.search(r'id="about-error"[^>]*>At most 4,000 characters', page.text)


def test_an_assessment_is_renamed(browser: TestClient, make: Make) -> None:
    row = make.assessment()

    assert browser.post(f"/assessments/{row.id}/details", data={"title": "New name"}).status_code == 303
    assert stored(make, row).title == "New name"
    refused = browser.post(f"/assessments/{row.id}/details", data={"title": ""})
    assert refused.status_code == 422
    assert "Give it a name" in refused.text


def test_an_assessment_is_copied_archived_and_restored(browser: TestClient, make: Make) -> None:
    row = make.assessment()

    copied = browser.post(f"/assessments/{row.id}/copy")
    assert "Copy of Code comments" in browser.get(copied.headers["location"]).text
    assert browser.post(f"/assessments/{row.id}/archive").status_code == 303
    assert stored(make, row).archived_at is not None
    assert browser.post(f"/assessments/{row.id}/restore").status_code == 303
    assert stored(make, row).archived_at is None


def test_all_answers_stand_on_one_page_with_the_way_to_the_first_open_question(browser: TestClient, make: Make) -> None:
    row = make.assessment(answers={"owner": "unknown", "target": "most"})

    page = browser.get(f"/assessments/{row.id}/describe").text

    assert "23 of 24 questions are answered." in page
    assert f'class="btn" href="/assessments/{row.id}/describe/success#target">Continue' in page
    assert "most: Write a percentage from 0 to 100" in page
    for question in ASKED.values():
        assert f"#{question.key}" in page
    assert "Exact match" in page
    assert "I don&#39;t know" in page


def test_what_a_template_assumed_is_marked_until_somebody_looks_at_it(browser: TestClient, make: Make) -> None:
    assumed = '<span class="tag unknown">assumed</span>'
    browser.post("/assessments", data={"title": "", "starting_point": "policy-questions"})
    base = "/assessments/1/describe"
    before, section = browser.get(base).text, browser.get(f"{base}/use").text
    with reading(make.engine) as session:
        row = session.get_one(AssessmentRow, 1)
        marked = set(row.assumed)
    assert marked == set(row.answers)
    assert before.count(assumed) == len(marked)
    assert section.count(assumed) == len(marked & {"recurrence", "latency", "data_location", "calls_per_month"})

    draft = use_form(row, recurrence="months", latency=row.answers["latency"])
    browser.post(f"{base}/use", data=draft, headers={"hx-request": "true"})
    assert set(stored(make, row).assumed) == marked - {"recurrence"}, "an autosave looks at what was changed alone"

    browser.post(f"{base}/use", data=draft | {"version": "2", "go": "next"})
    assert set(stored(make, row).assumed) == marked - {"recurrence", "latency"}

    copied = browser.post("/assessments/1/copy")
    assert assumed in browser.get(copied.headers["location"]).text


def test_the_menu_of_an_assessment_needs_no_script(browser: TestClient, make: Make) -> None:
    row = make.assessment(team="Docs")
    base = f"/assessments/{row.id}"

    page = browser.get(base).text
    menu = page.split('<details class="menu more-menu">')[1].split("</details>")[0]

    wanted = {f'href="{base}/details"', f'href="{base}/share"', f'action="{base}/copy"', f'action="{base}/archive"'}
    assert wanted <= set(re.findall(r'(?:href|action)="[^"]*"', menu))
    assert 'value="Docs"' in browser.get(f"{base}/details").text
    browser.post(f"{base}/archive")
    menu = browser.get(base).text.split('<details class="menu more-menu">')[1].split("</details>")[0]
    assert f'action="{base}/restore"' in menu
    assert "Rename" not in menu


# ------------------------------------------------------------------ the questionnaire without JavaScript


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: str(section.slug))
def test_every_section_shows_its_questions_and_the_advice(browser: TestClient, make: Make, section: Any) -> None:
    row = make.assessment()

    page = browser.get(f"/assessments/{row.id}/describe/{section.slug}")

    assert page.status_code == 200
    for question in section.questions:
        assert question.label.replace("'", "&#39;") in page.text
        assert question.term.replace("'", "&#39;") in page.text or question.key == "main_goal"
    assert page.text.count("I don&#39;t know") + page.text.count("I don't know") >= len(section.asked) - 1
    assert "Recommendation so far" in page.text


def test_a_section_saves_and_goes_on(browser: TestClient, make: Make, me: UserRow) -> None:
    row = make.assessment()

    answer = browser.post(
        f"/assessments/{row.id}/describe/use", data=use_form(row, calls_per_month="2M", recurrence="months", go="next")
    )

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/assessments/{row.id}/describe/upkeep"
    after = stored(make, row)
    assert (after.answers["calls_per_month"], after.answers["recurrence"]) == (2_000_000, "months")


@pytest.mark.parametrize(
    ("slug", "go", "leads_to"),
    [("use", "back", "describe/examples"), ("use", "stay", "describe/use"), ("goal", "back", "describe"),
     ("goal", "next", "describe/success"), ("upkeep", "next", "describe"), ("use", "", "describe/upkeep")],
)  # fmt: skip
def test_buttons_lead_where_they_say(browser: TestClient, make: Make, slug: str, go: str, leads_to: str) -> None:
    row = make.assessment()

    answer = browser.post(f"/assessments/{row.id}/describe/{slug}", data={"version": "1", "tab": "x", "go": go})

    assert answer.headers["location"] == f"/assessments/{row.id}/{leads_to}"


def test_what_can_not_be_read_comes_back_as_typed_with_a_sentence_beside_it(browser: TestClient, make: Make) -> None:
    row = make.assessment()

    page = browser.post(
        f"/assessments/{row.id}/describe/use", data=use_form(row, calls_per_month="a <b>lot</b>", go="next")
    )

    assert page.status_code == 422
    assert "<title>Error: " in page.text
    assert 'href="#calls_per_month"' in page.text
    assert "Write a whole number, for example 1500 or 300k." in page.text
    assert 'value="a &lt;b&gt;lot&lt;/b&gt;"' in page.text
    assert stored(make, row).answers["calls_per_month"] == "a <b>lot</b>"


def test_going_back_is_never_held_up(browser: TestClient, make: Make) -> None:
    row = make.assessment()

    answer = browser.post(f"/assessments/{row.id}/describe/use", data=use_form(row, calls_per_month="a lot", go="back"))

    assert answer.status_code == 303


def test_i_do_not_know_is_an_answer_to_everything(browser: TestClient, make: Make) -> None:
    row = make.assessment()
    for section in SECTIONS:
        version = stored(make, row).version
        fields = {
            question.key if question.kind in ("multi", "single") else f"{question.key}-option": "unknown"
            for question in section.asked
        }
        sent = browser.post(
            f"/assessments/{row.id}/describe/{section.slug}", data={**fields, "version": str(version), "tab": "t"}
        )
        assert sent.status_code == 303

    after = stored(make, row)
    assert set(after.answers.values()) == {"unknown"}
    assert "All 24 questions are answered." in browser.get(f"/assessments/{row.id}/describe").text


def test_two_people_see_both_texts(people: People, make: Make, browser: TestClient) -> None:
    row = make.assessment()
    other = people(make.author())
    other.post(f"/assessments/{row.id}/describe/use", data=use_form(row, recurrence="months", tab="theirs"))

    page = browser.post(
        f"/assessments/{row.id}/describe/use", data=use_form(row, recurrence="once", tab="mine", go="next")
    )

    assert page.status_code == 409
    assert "For some months" in page.text
    assert "Once, then it is done" in page.text
    assert re.search(r'value="once"\s+checked', page.text)
    assert stored(make, row).answers["recurrence"] == "months"

    version = re.search(r'name="version" value="(\d+)"', page.text)
    tab = re.search(r'name="tab" value="([^"]+)"', page.text)
    assert version is not None
    assert tab is not None
    again = use_form(row, recurrence="once", version=version[1], tab=tab[1], go="next")
    assert browser.post(f"/assessments/{row.id}/describe/use", data=again).status_code == 303
    assert stored(make, row).answers["recurrence"] == "once"


def test_an_archived_assessment_refuses_answers(browser: TestClient, make: Make) -> None:
    row = make.assessment()
    browser.post(f"/assessments/{row.id}/archive")

    assert browser.post(f"/assessments/{row.id}/describe/use", data=use_form(row)).status_code == 409
    assert "hx-post" not in browser.get(f"/assessments/{row.id}/describe/use").text


@pytest.mark.parametrize(
    "path", ["/assessments/99", "/assessments/99/describe", "/assessments/99/describe/use", "/assessments/0/describe"]
)
def test_what_is_not_there_is_not_found(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code in (404, 422)


def test_there_is_no_such_section(browser: TestClient, make: Make) -> None:
    row = make.assessment()

    assert browser.get(f"/assessments/{row.id}/describe/money").status_code == 404


def test_strangers_are_asked_to_sign_in(web: TestClient, make: Make) -> None:
    row = make.assessment()
    web.headers["origin"] = str(web.base_url).rstrip("/")

    for method, path in (
        ("GET", "/"), ("GET", "/assessments/new"), ("POST", "/assessments"),
        ("GET", f"/assessments/{row.id}/describe"), ("GET", f"/assessments/{row.id}/describe/use"),
        ("POST", f"/assessments/{row.id}/describe/use"), ("POST", f"/assessments/{row.id}/details"),
        ("POST", f"/assessments/{row.id}/copy"), ("POST", f"/assessments/{row.id}/archive"),
        ("POST", f"/assessments/{row.id}/restore"),
    ):  # fmt: skip
        answer = web.request(method, path, headers={"accept": "text/html"})
        assert answer.status_code in (303, 401), path
        assert "/s" in answer.headers.get("location", "/sign-in"), path


# ------------------------------------------------------------------ what htmx is sent


def test_an_autosave_answers_with_pieces_for_places_beside_the_fields(browser: TestClient, make: Make) -> None:
    row = make.assessment()

    answer = browser.post(
        f"/assessments/{row.id}/describe/use",
        data=use_form(row, recurrence="once", touched="recurrence"),
        headers=HTMX,
    )

    assert answer.status_code == 200
    ids = re.findall(r'id="([a-z_-]+)"[^>]*hx-swap-oob="true"', answer.text)
    assert set(ids) == {"version", "saved", "advice-line", "advice", "sections", "recurrence-error"}
    assert 'name="version" value="2"' in answer.text
    assert "Draft saved" in answer.text
    assert "<html" not in answer.text
    assert stored(make, row).answers["recurrence"] == "once"


def test_only_the_field_touched_last_is_judged(browser: TestClient, make: Make) -> None:
    row = make.assessment()
    form = use_form(row, calls_per_month="many", touched="recurrence")

    elsewhere = browser.post(f"/assessments/{row.id}/describe/use", data=form, headers=HTMX).text
    here = browser.post(
        f"/assessments/{row.id}/describe/use", data=form | {"touched": "calls_per_month"}, headers=HTMX
    ).text

    assert "Write a whole number" not in elsewhere
    assert "Write a whole number" in here


def test_ticking_not_knowing_empties_the_text_and_writing_unticks(browser: TestClient, make: Make) -> None:
    row = make.assessment()
    form = use_form(row) | {"calls_per_month-option": "unknown"}

    ticked = browser.post(
        f"/assessments/{row.id}/describe/use", data=form | {"touched": "calls_per_month-option"}, headers=HTMX
    ).text
    assert stored(make, row).answers["calls_per_month"] == "unknown"
    assert re.search(r'<input id="calls_per_month"[^>]*value=""', ticked)

    written = browser.post(
        f"/assessments/{row.id}/describe/use",
        data=form | {"calls_per_month": "70", "touched": "calls_per_month"},
        headers=HTMX,
    ).text
    assert stored(make, row).answers["calls_per_month"] == 70
    assert 'id="calls_per_month-options"' in written
    assert "checked" not in written.split('id="calls_per_month-options"')[1]


def test_an_autosave_that_comes_second_says_so(people: People, make: Make, browser: TestClient) -> None:
    row = make.assessment()
    people(make.author()).post(f"/assessments/{row.id}/describe/use", data=use_form(row, recurrence="months", tab="b"))

    answer = browser.post(
        f"/assessments/{row.id}/describe/use", data=use_form(row, recurrence="once", tab="a"), headers=HTMX
    )

    assert answer.status_code == 409
    assert 'id="saved"' in answer.text
    assert "Not saved" in answer.text


def test_a_target_is_not_changed_by_an_autosave_once_results_are_there(browser: TestClient, make: Make) -> None:
    row = make.ready()
    form = {"version": str(row.version), "tab": "t", "metric": "exact_match", "target": "8", "touched": "target",
            "prompting_tried": "no"}  # fmt: skip

    draft = browser.post(f"/assessments/{row.id}/describe/success", data=form, headers=HTMX)
    assert "Press Continue to keep this change" in draft.text
    assert stored(make, row).answers["target"] == 0.9

    saved = browser.post(f"/assessments/{row.id}/describe/success", data=form | {"target": "80", "go": "next"})
    assert saved.status_code == 303
    after = stored(make, row)
    assert (after.answers["target"], after.target_changes) == (0.8, 1)


def test_measured_values_stand_beside_the_questions(browser: TestClient, make: Make) -> None:
    row = make.ready()

    page = browser.get(f"/assessments/{row.id}/describe/examples").text

    assert "usable examples. This counts, whatever is answered here." in page


@pytest.mark.parametrize(
    "path", ["/", "/assessments/new", "/assessments/{id}/describe", "/assessments/{id}/describe/goal"]
)
def test_no_two_things_on_a_page_have_the_same_id(browser: TestClient, make: Make, path: str) -> None:
    row = make.assessment()

    ids = re.findall(r'\sid="([^"]+)"', browser.get(path.format(id=row.id)).text)

    assert sorted(ids) == sorted(set(ids))


# ------------------------------------------------------------------ starting points


def test_every_starting_point_says_what_it_assumes(browser: TestClient) -> None:
    page = browser.get("/assessments/new?start=route-tickets").text

    assert page.count("Assumes: ") == len(STARTING_POINTS)
    assert re.search(r'value="route-tickets"\s+checked', page)


def test_a_situation_to_start_from_fills_in_its_answers_and_its_name(browser: TestClient, make: Make) -> None:
    answer = browser.post("/assessments", data={"title": "", "starting_point": "policy-questions"})

    assert answer.headers["location"] == "/assessments/1/describe/success#target"
    with reading(make.engine) as session:
        row = session.get_one(AssessmentRow, 1)
        assert row.title == "Answer questions about rules that change"
        assert row.answers["fact_change"] == "daily"
        assert "target" not in row.answers
        entry = session.scalars(select(EntryRow).where(EntryRow.act == "assessment.create")).one()
        assert entry.detail["starting_point"] == "policy-questions"
    assert "filled in" in browser.get(answer.headers["location"]).text


def test_an_unknown_starting_point_is_refused_beside_the_list(browser: TestClient) -> None:
    answer = browser.post("/assessments", data={"title": "Mine", "starting_point": "anything"})

    assert answer.status_code == 422
    assert 'href="#starting_point"' in answer.text
    assert 'value="Mine"' in answer.text


# ------------------------------------------------------------------ reading ahead


def test_a_longer_list_takes_no_more_queries(web: TestClient, browser: TestClient, make: Make, me: UserRow) -> None:
    app: Any = web.app
    asked: list[str] = []
    event.listen(app.state.context.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    def queries() -> int:
        asked.clear()
        assert browser.get("/").status_code == 200
        return len(asked)

    make.ready(me)
    make.assessment(me, title="Nothing measured")
    few = queries()
    for number in range(6):
        make.assessment(me, title=f"Nothing measured {number}")
        make.ready(me, title=f"Measured {number}")

    assert queries() == few


def test_read_ahead_finds_what_one_by_one_finds(make: Make, me: UserRow) -> None:
    rows = [make.ready(me), make.assessment(me), make.ready(me)]
    again = make.dataset(rows[2], me, version=2, state="rejected")
    with reading(make.engine) as session:
        alone = [as_it_stands.evidence(session, row) for row in rows]
        assert dataset_store.current(session, rows[2].id) != again

    with reading(make.engine) as session:
        evidence.read_ahead(session, rows)
        assert [as_it_stands.evidence(session, row) for row in rows] == alone
    assert alone[0]["failure_causes"]["behaviour"] == 30
