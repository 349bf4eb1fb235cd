"""The policy's pages: everybody reads, an administrator publishes in two steps, everything works as plain forms."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.advice.policy_file import POLICY
from app.assessments.tables import AssessmentRow
from app.db import reading, writing
from app.glossary import todays
from app.policies import service, store
from app.policies.routes import TABS
from app.users.tables import UserRow
from tests.support.factories import Make

Client = Callable[[UserRow], TestClient]


@pytest.fixture
def ada(make: Make, people: Client) -> TestClient:
    return people(make.admin("Ada"))


@pytest.fixture
def amy(make: Make, people: Client) -> TestClient:
    return people(make.author("Amy"))


def publish(engine: Engine, make: Make, value: int = 2000) -> None:
    admin = make.admin("Grace")
    with writing(engine) as session:
        newest = store.newest(session)
        number = newest.number if newest else 0
        service.publish(session, {"thresholds": {"usable_examples": value}}, "Learnt by heart", number, admin)


def test_everybody_signed_in_reads_every_rule_with_its_reason_and_source(amy: TestClient) -> None:
    tabs = {slug: amy.get(f"/policy?tab={slug}").text for slug, _ in TABS}

    for weight in POLICY.weights:
        assert todays(str(weight.because)).replace("'", "&#39;") in tabs["weights"]
    for gate in POLICY.gates.values():
        assert todays(gate.why).replace("'", "&#39;") in tabs["criteria"]
        assert gate.label in tabs["criteria"]
    for threshold in POLICY.thresholds:
        assert threshold.label.replace("'", "&#39;") in tabs["thresholds"]
    for rule in POLICY.verdict.values():
        assert todays(rule.because).replace("'", "&#39;") in tabs["decision"]
    for source in POLICY.sources.values():
        assert not source.link or f'href="{source.link}"' in tabs["sources"]
    for text in tabs.values():
        assert "{" not in text.split("<main")[1].split("</main>")[0]
        assert "Change numbers" not in text
    assert amy.get("/policy?tab=nonsense").text.count('aria-current="page">Decision') == 1


def test_search_finds_in_every_part_of_the_policy(amy: TestClient) -> None:
    text = amy.get("/policy?q=oracle").text
    nothing = amy.get("/policy?q=%3Cxyzzy%3E").text

    assert "Oracle-retrieval gain" in text
    assert 'id="thresholds"' in text
    assert 'id="sources"' not in text
    assert "Tolerance" not in text
    assert "Nothing in this policy holds “&lt;xyzzy&gt;”" in nothing
    assert 'id="F07"' in amy.get("/policy?q=f07").text


def test_every_factor_is_on_the_page_once(amy: TestClient) -> None:
    text = amy.get("/policy?tab=weights").text

    assert all(text.count(f'id="{factor}"') == 1 for factor in POLICY.factors)


def test_a_stranger_reads_nothing(web: TestClient, amy: TestClient) -> None:
    for path in ("/policy", "/policy/0", "/policy/edit"):
        assert web.get(path).status_code == 303
    assert web.get("/api/v1/policies").status_code == 401


@pytest.mark.parametrize("path", ["/policy/edit"])
def test_only_an_administrator_sees_the_form(amy: TestClient, path: str) -> None:
    assert amy.get(path).status_code == 403
    assert amy.post("/policy/preview", data={}).status_code == 403
    assert amy.post("/policy", data={}).status_code == 403


def test_numbers_are_changed_looked_at_and_published(ada: TestClient, engine: Engine) -> None:
    assert 'name="threshold.usable_examples"' in ada.get("/policy/edit").text

    looked = ada.post("/policy/preview", data={"threshold.usable_examples": "1,500", "weight.F01.style.fine_tune": "3"})
    assert looked.status_code == 200
    assert "1,000 rows" in looked.text
    assert "1,500 rows" in looked.text
    assert "The goal: Match our tone and style" in looked.text
    assert "There are none yet." in looked.text

    sent = {"threshold.usable_examples": "1500", "weight.F01.style.fine_tune": "3", "based_on": "0"}
    without = ada.post("/policy", data=sent)
    assert without.status_code == 422
    assert "Say why" in without.text
    assert 'name="threshold.usable_examples" value="1500"' in without.text

    done = ada.post("/policy", data={**sent, "reason": "Two pilots"})
    assert (done.status_code, done.headers["location"]) == (303, "/policy")
    page = ada.get("/policy").text
    assert "Policy 3.1" in page
    assert "“Two pilots”" in page
    assert "1,500 usable examples" in ada.get("/policy?tab=criteria").text
    with reading(engine) as session:
        assert service.today(session).count("usable_examples") == 1500


def test_a_number_out_of_bounds_comes_back_beside_its_field(ada: TestClient) -> None:
    back = ada.post("/policy/preview", data={"threshold.kappa": "3", "threshold.test_rows": "many"})
    assert back.status_code == 422
    assert "Test rows has to be a number." in back.text
    assert 'value="many"' in back.text

    back = ada.post("/policy/preview", data={"threshold.kappa": "3", "reason": "kept"})
    assert "Inter-annotator agreement (from) has to be between 0.4 and 0.9." in back.text
    assert 'name="reason" value="kept"' in back.text

    forged = ada.post("/policy", data={"threshold.kappa": "3", "reason": "x", "based_on": "0"})
    assert forged.status_code == 422
    assert "has to be between 0.4 and 0.9." in forged.text


def test_nothing_different_is_said(ada: TestClient) -> None:
    assert "These are the numbers of policy 3." in ada.post("/policy/preview", data={}).text
    assert ada.post("/policy", data={"reason": "x", "based_on": "0"}).status_code == 409


def test_one_can_go_back_and_change_again(ada: TestClient) -> None:
    again = ada.post("/policy/preview", data={"threshold.kappa": "0.7", "reason": "so far", "go": "back"})

    assert again.status_code == 200
    assert 'value="0.7"' in again.text
    assert 'name="reason" value="so far"' in again.text


@pytest.mark.parametrize("based_on", ["0", "", "x", "7", "9" * 40])
def test_who_looked_at_an_older_policy_is_told(ada: TestClient, engine: Engine, make: Make, based_on: str) -> None:
    publish(engine, make)

    late = ada.post("/policy", data={"threshold.kappa": "0.7", "reason": "x", "based_on": based_on})

    assert late.status_code == 412
    assert "was published in the meantime" in late.text
    assert 'value="0.7"' in late.text


def test_an_older_version_stays_readable(amy: TestClient, engine: Engine, make: Make) -> None:
    publish(engine, make)
    publish(engine, make, 3000)

    old = amy.get("/policy/1?tab=criteria").text
    assert "2,000 usable examples" in old
    assert "This is an earlier version." in old
    assert "1,000 usable examples" in amy.get("/policy/0?tab=criteria").text
    assert amy.get("/policy/3").status_code == 404
    assert amy.get("/policy/x").status_code in {404, 422}


# ------------------------------------------------------------------ on the verdict


@pytest.fixture
def ready(make: Make) -> AssessmentRow:
    return make.ready()


def test_the_verdict_says_what_todays_policy_would_be(
    people: Client, engine: Engine, make: Make, ready: AssessmentRow
) -> None:
    author = people(make.creator(ready))
    page = f"/assessments/{ready.id}/verdict"
    assert "Use the current policy" not in author.get(page).text

    publish(engine, make)
    text = author.get(page).text
    assert "Under the current policy this would be" in text
    assert "2,000 usable examples" in text

    moved = author.post(f"/assessments/{ready.id}/policy")
    assert moved.status_code == 303
    after = author.get(page).text
    assert "Under the current" not in after
    assert "policy 3.1" in after
    assert author.post(f"/assessments/{ready.id}/policy").status_code == 409


def test_where_nothing_changes_the_verdict_says_that(people: Client, engine: Engine, make: Make) -> None:
    row = make.assessment()
    publish(engine, make)

    text = people(make.author()).get(f"/assessments/{row.id}/verdict").text

    assert "The current policy gives the same advice." in text


def test_lists_and_questionnaire_judge_by_the_assessments_own_policy(
    people: Client, engine: Engine, make: Make, ready: AssessmentRow
) -> None:
    author = people(make.creator(ready))
    publish(engine, make)
    assert "Needs a preflight" in author.get("/").text  # all criteria are met

    author.post(f"/assessments/{ready.id}/policy")
    assert "Fine-tune: not yet" in author.get("/").text


def test_the_preview_names_the_assessments_that_would_be_told_something_else(
    ada: TestClient, make: Make, ready: AssessmentRow
) -> None:
    looked = ada.post("/policy/preview", data={"threshold.usable_examples": "2000"}).text

    assert "Other advice for 1 of" in looked
    assert "Fine-tune: ready" in looked
