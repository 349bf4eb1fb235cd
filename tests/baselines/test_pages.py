"""Measuring through the page: what the form asks, what it starts, what it shows, and to whom."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.baselines import answer_store, facts, job, runs, standing, store
from app.baselines.tables import AnswerRow
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow, writing
from app.inference import trials
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import store as job_store
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.installed import copied, laid_out
from tests.support.loose import loose
from tests.support.measured import Case, a_case, baseline_of, claim_of, clever, finish_job, question, started
from tests.support.model_server import ModelServer, Raw, last_user, serving

People = Callable[[UserRow], TestClient]
FORM = {"instructions": "Give the label.", "k_random": "3", "k_nearest": "5", "max_tokens": "64"}
HOSTILE = "<script>alert(1)</script>=1+1"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(clever) as made:
        yield made


@pytest.fixture(scope="session")
def measured_once(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    """An installation whose measurement 1 has come to its end; one of its answers is hostile."""
    hostile = question(45)

    def furnish(make: Make) -> None:
        queue = job_engine.Client(make.settings.url)
        with serving(lambda body: HOSTILE if last_user(body) == hostile else clever(body)) as server:
            case = a_case(make, make.engine, server)
            claim = claim_of(make.engine, make.settings, queue, started(make.engine, queue, case).id)
            job.measure(claim)
            finish_job(make.engine, claim)
        queue.close()

    return laid_out(tmp_path_factory.mktemp("measured"), template, furnish)


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Settings:
    """A copy of that installation for tests that ask for `measured`, and an empty one for the others."""
    if "measured" not in request.fixturenames:
        return settings
    return copied(request.getfixturevalue("measured_once"), tmp_path / "measured")


@pytest.fixture
def case(request: pytest.FixtureRequest, make: Make, engine: Engine, server: ModelServer) -> Case:
    if "measured" not in request.fixturenames:
        return a_case(make, engine, server)
    with reading(engine) as session:
        found = (session.get_one(AssessmentRow, 1), session.get_one(DatasetRow, 1))
        model = session.scalars(select(ModelRow).where(ModelRow.kind == "endpoint")).one()
        return Case(*found, model, session.get_one(UserRow, found[0].created_by))


@pytest.fixture
def page(people: People, case: Case) -> TestClient:
    return people(case.author)


@pytest.fixture
def measured(case: Case) -> int:
    """The id of a measurement that has come to its end."""
    return 1


def url(case: Case) -> str:
    return f"/assessments/{case.assessment.id}/measure"


def filled(case: Case, **different: str) -> dict[str, str]:
    """The form, for the server of the case, with consent."""
    return {**FORM, "model_id": str(case.model.id), f"consent-{case.model.id}": "on", **different}


def test_the_form_says_what_it_will_cost_before_it_starts(page: TestClient, case: Case) -> None:
    shown = page.get(url(case))

    assert shown.status_code == 200
    assert "190 calls" in shown.text
    assert "estimated" in shown.text
    assert f"I may send these rows to 127.0.0.1:{case.model.base_url.split(':')[2].split('/')[0]}" in shown.text
    assert "90 %" in shown.text


def test_a_start_is_a_job_in_line_a_contribution_and_a_record(page: TestClient, case: Case, engine: Engine) -> None:
    answered = page.post(url(case), data=filled(case))

    assert answered.status_code == 303
    with reading(engine) as session:
        baseline = store.current(session, case.assessment.id)
        assert baseline is not None
        assert runs.running(session, baseline) is not None
        assert baseline.metric_set_at is not None
        assert baseline.metric_set_at <= baseline.created_at
        assert baseline.max_tokens == 64
        assert session.get_one(AssessmentRow, case.assessment.id).revision > case.assessment.revision
        entry = session.query(EntryRow).filter_by(act="baseline.start").one()
        assert entry.detail["sent_to"] == case.model.base_url
    shown = page.get(url(case)).text
    assert "queued" in shown
    assert "No worker is running" in shown
    assert "Run baselines" not in shown


def test_a_second_start_waits_for_the_first(page: TestClient, case: Case) -> None:
    form = filled(case)
    page.post(url(case), data=form)

    assert page.post(url(case), data=form).status_code == 409


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"instructions": " "}, "Write what the model should do"),
        ({"k_nearest": "0"}, "Nearest examples: use a number from 1 to 20"),
        ({"k_random": "many"}, "whole number"),
        ({"dev_rows": "5"}, "at least 20 dev rows"),
        ({"max_tokens": "99999"}, "from 1 to 4,096"),
        ({"model_id": "999"}, "Choose one of the models"),
        ({"consent": ""}, "Confirm that rows may be sent to 127.0.0.1:"),
        ({"plan": "chosen"}, "Choose at least one prompt of the model itself"),
        ({"plan": "chosen"}, "No language model is asked by this plan: choose at least one prompt."),
        ({"option_pattern": "x"}, "no option"),
        ({"price_in": "cheap"}, "Use a number"),
    ],
)
def test_a_form_that_cannot_be_used_comes_back_as_it_was(
    page: TestClient, case: Case, engine: Engine, different: dict[str, str], reason: str
) -> None:
    if "consent" in different:
        different = {f"consent-{case.model.id}": ""}
    form = filled(case, instructions="Kept words") | different

    answered = page.post(url(case), data=form)

    assert answered.status_code == 422
    assert reason in answered.text
    assert "instructions" in different or "Kept words" in answered.text
    with reading(engine) as session:
        assert store.current(session, case.assessment.id) is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "Fill in"),
        ("(", "not a regular expression"),
        ("label-[1-4]$", "any answer without a finding would count as right"),
        (r"label-\d+", ""),
    ],
)
def test_a_pattern_has_to_find_something_in_what_is_wanted(
    page: TestClient, case: Case, engine: Engine, pattern: str, reason: str
) -> None:
    with writing(engine) as session:
        assessment = session.get_one(AssessmentRow, case.assessment.id)
        assessment.answers = {**assessment.answers, "metric": "pattern"}

    form = filled(case, option_pattern=pattern)
    answered = page.post(url(case), data=form)

    assert answered.status_code == (422 if reason else 303)
    assert reason in answered.text


def test_nothing_starts_before_the_target_is_set_and_the_split_is_frozen(
    page: TestClient, case: Case, engine: Engine
) -> None:
    with writing(engine) as session:
        assessment = session.get_one(AssessmentRow, case.assessment.id)
        assessment.answers = {key: value for key, value in assessment.answers.items() if key != "target"}
        session.get_one(DatasetRow, case.dataset.id).frozen_at = None

    shown = page.get(url(case)).text
    refused = page.post(url(case), data=filled(case))

    for text in (shown, refused.text):
        assert "Choose the metric and the target" in text
        assert "Freeze the split first" in text
    assert refused.status_code == 409


def test_the_estimate_alone_comes_as_a_fragment(page: TestClient, case: Case) -> None:
    form = filled(case, dev_rows="20", price_in="1", price_out="2")

    answered = page.post(f"{url(case)}/estimate", data=form, headers={"hx-request": "true"})

    assert "140 calls" in answered.text
    assert "at the prices you gave" in answered.text
    assert "<html" not in answered.text


def test_labels_go_into_the_prompt_without_scripts_and_nothing_else_is_lost(
    page: TestClient, case: Case, engine: Engine
) -> None:
    with writing(engine) as session:
        for row in session.query(ExampleRow).filter_by(dataset_id=case.dataset.id):
            row.target = ("red", "green")[row.line % 2]

    begun = page.get(url(case)).text
    answered = page.post(f"{url(case)}/labels", data=filled(case, instructions="Be brief.", max_tokens="77"))

    assert "Answer with one of these 2 labels, exactly as written." in begun
    assert "Drafted from your data: edit it before you run." in begun
    assert 'title="2 labels in 40 training answers' in begun
    assert answered.status_code == 200
    assert "Be brief.\n\nLabels:\n- green\n- red</textarea>" in answered.text
    assert 'value="77"' in answered.text
    with reading(engine) as session:
        assert store.current(session, case.assessment.id) is None


def test_a_server_whose_last_test_failed_is_not_offered(page: TestClient, case: Case, engine: Engine) -> None:
    trial = trials.Trial(utcnow(), error="Nobody answers at this address.")
    with writing(engine) as session:
        session.get_one(ModelRow, case.model.id).tested = trial.to_json()

    shown = " ".join(page.get(url(case)).text.split())

    assert re.search(rf'name="model_id" value="{case.model.id}" disabled', shown)
    assert "Nobody answers at this address." in shown
    assert f'name="consent-{case.model.id}"' not in shown


def test_consent_counts_for_the_model_it_names(page: TestClient, case: Case, make: Make) -> None:
    other = make.model(kind="endpoint", base_url="http://127.0.0.1:9/v1", reference="other", files={})

    answered = page.post(url(case), data=filled(case, model_id=str(other.id)))

    assert answered.status_code == 422
    assert "Confirm that rows may be sent to 127.0.0.1:9." in answered.text


def test_a_failed_run_leaves_the_good_measurement_on_the_page(
    page: TestClient, case: Case, measured: int, engine: Engine, queue: job_engine.Client
) -> None:
    again = started(engine, queue, case, instructions="Another prompt.")
    with writing(engine) as session:
        failed = job_store.latest(session, "measure", again.id)
        assert failed is not None
        failed.status, failed.failure = Status.FAILED, "The server is gone."

    shown = " ".join(page.get(url(case)).text.split())

    assert shown.index("short by") < shown.index("The server is gone.") < shown.index("Error analysis")
    assert f'id="variants-{measured}"' in shown
    assert "has no result, so this one stands" in shown
    assert "Resume run" in shown


def test_the_page_shows_arms_intervals_target_and_what_rows_can_tell(
    page: TestClient, case: Case, measured: int
) -> None:
    shown = " ".join(page.get(url(case)).text.split())  # where a line of the template ends says nothing

    for words in ("Few-shot, 5 nearest", "target 90 %: short by", "Δ vs zero-shot", "95 % intervals", "★"):
        assert words in shown
    assert "differences of" in shown
    assert "Test set used 4 times" in shown
    assert "Evaluate this prompt" in shown
    assert "30 read failures tell whether training could help at all: measure on more dev rows" in shown


def test_every_example_can_be_read_and_hostile_text_stays_text(page: TestClient, measured: int, engine: Engine) -> None:
    baseline = baseline_of(engine, measured)
    arm = next(arm for arm in baseline.arms if arm.name == "zero_shot")
    counted = {"right": 0, "wrong": 0}

    for show in counted:
        address: str | None = f"/baselines/{measured}/arms/{arm.id}?show={show}"
        while address:
            shown = page.get(address).text
            counted[show] += shown.count("<article")
            assert "<script>alert" not in shown
            following = re.search(r'rel="next" href="([^"]+)"', shown)
            query = following.group(1).replace("&amp;", "&") if following else ""
            address = f"/baselines/{measured}/arms/{arm.id}{query}" if query else None
    everything = page.get(f"/baselines/{measured}/arms/{arm.id}").text
    assert sum(counted.values()) == 30
    assert "&lt;script&gt;" in everything
    assert "View full prompt" in everything


def test_the_whole_prompt_is_shown_as_it_was_asked(page: TestClient, measured: int, engine: Engine) -> None:
    with reading(engine) as session:
        baseline = store.get(session, measured)
        nearest = next(arm for arm in baseline.arms if arm.name == "few_shot_nearest")
        answer = answer_store.answers(session, nearest.id, "dev")[0]

    shown = page.get(f"/answers/{answer.id}").text

    assert "prompt verified" in shown
    assert shown.count("label-") >= 5
    assert "differs from the one sent" not in shown


def test_failures_can_be_given_causes_and_the_gates_see_them(
    page: TestClient, case: Case, measured: int, engine: Engine
) -> None:
    with reading(engine) as session:
        leading = standing.leading(store.get(session, measured))
        assert leading is not None
        wrong = [answer.id for answer in answer_store.answers(session, leading.id, "dev") if answer.score == 0]
        right = [answer.id for answer in answer_store.answers(session, leading.id, "dev") if answer.score == 1]

    saved = [
        page.post(f"/answers/{answer}/cause", data={"cause": cause})
        for answer, cause in zip(wrong, ("behaviour", "facts", ""), strict=False)
    ]
    refused = page.post(f"/answers/{right[0]}/cause", data={"cause": "facts"})
    nonsense = page.post(f"/answers/{wrong[0]}/cause", data={"cause": "magic"})

    assert [answered.status_code for answered in saved] == [303] * 3
    assert refused.status_code == 409
    assert nonsense.status_code == 422
    with reading(engine) as session:
        said = loose(facts.measured(session, case.assessment.id).to_json())
        assert said["failure_causes"] == {"behaviour": 1, "facts": 1, "instructions": 0, "reference": 0}
        assert session.get_one(AnswerRow, wrong[0]).tagged_by == case.author.id


def test_a_revision_has_to_change_something(page: TestClient, case: Case, measured: int) -> None:
    same = page.post(f"/baselines/{measured}/revise", data={"revised_instructions": "Give the label."})
    new = page.post(f"/baselines/{measured}/revise", data={"revised_instructions": "Give only the label."})

    assert same.status_code == 422
    assert "was evaluated already" in same.text
    assert new.status_code == 303
    assert "queued" in page.get(url(case)).text


def test_exports_hold_every_answer_and_no_formula(page: TestClient, measured: int) -> None:
    lines = page.get(f"/baselines/{measured}/answers.jsonl").text.splitlines()
    table = page.get(f"/baselines/{measured}/answers.csv")

    assert len(lines) == 6 * 30 + 5 * 40
    assert '"correct":true' in "".join(lines)
    assert table.headers["content-disposition"].startswith("attachment")
    assert table.content.startswith("\ufeffbaseline,arm".encode())
    assert ",=" not in table.text


def test_a_later_upload_makes_the_measurement_say_nothing(
    case: Case, measured: int, engine: Engine, make: Make
) -> None:
    with reading(engine) as session:
        assert loose(facts.measured(session, case.assessment.id).to_json())["baseline"]["total"] == 40

    make.dataset(case.assessment, case.author, train=1, dev=1, test=1, version=2)

    with reading(engine) as session:
        assert loose(facts.measured(session, case.assessment.id).to_json()) == {}


def test_a_changed_metric_was_not_set_before(case: Case, measured: int, engine: Engine) -> None:
    with writing(engine) as session:
        assessment = session.get_one(AssessmentRow, case.assessment.id)
        assert loose(facts.measured(session, case.assessment.id).to_json())["metric_set_before_baseline"] is True
        assessment.answers = {**assessment.answers, "metric": "chrf"}
        session.flush()

        assert loose(facts.measured(session, case.assessment.id).to_json())["metric_set_before_baseline"] is False


def test_arms_with_errors_are_unknown_and_can_be_asked_again(
    page: TestClient, case: Case, engine: Engine, settings: Settings, queue: job_engine.Client, server: ModelServer
) -> None:
    server.reply = lambda body: Raw(b"") if len(body["messages"]) > 9 and last_user(body) < "case 45" else clever(body)
    claim = claim_of(engine, settings, queue, started(engine, queue, case).id)
    job.measure(claim)
    finish_job(engine, claim)

    shown = page.get(url(case)).text
    again = page.post(f"/baselines/{claim.subject_id}/go-on")

    assert "unknown: " in shown
    assert "Ask the failed rows again" in shown
    assert again.status_code == 303


def test_strangers_are_led_to_the_sign_in(web: TestClient, case: Case, measured: int, engine: Engine) -> None:
    arm = baseline_of(engine, measured).arms[0]
    for path in (url(case), f"/baselines/{measured}/arms/{arm.id}", f"/baselines/{measured}/answers.csv"):
        answered = web.get(path)
        assert answered.status_code in (303, 401)
        assert "label-" not in answered.text
    for path in (url(case), f"/baselines/{measured}/revise", f"/baselines/{measured}/go-on"):
        assert web.post(path, data={}, headers={"origin": "http://127.0.0.1:1"}).status_code in (303, 401)


def test_what_is_not_there_is_not_found(page: TestClient, measured: int, engine: Engine) -> None:
    arm = baseline_of(engine, measured).arms[0]
    for path in (
        "/assessments/999/measure",
        "/baselines/999/arms/1",
        f"/baselines/999/arms/{arm.id}",
        f"/baselines/{measured}/arms/999",
        "/answers/999999",
        f"/baselines/{measured}/answers.exe",
    ):
        assert page.get(path).status_code == 404
