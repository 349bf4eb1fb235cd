"""Freezing the split: the word on the test answers is part of it, on the page and by API."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.datasets import store
from app.db import reading
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def acts(engine: Engine) -> list[str]:
    with reading(engine) as session:
        return list(session.scalars(select(EntryRow.act).where(EntryRow.act.like("dataset.%")).order_by(EntryRow.id)))


@pytest.mark.parametrize(
    ("word", "before", "after", "said"),
    [("yes", None, True, 1), ("no", None, False, 1), ("later", None, None, 0), ("later", True, True, 0)],
)
def test_freezing_keeps_the_word_on_the_test_answers(
    client: TestClient, checked: Upload, engine: Engine, word: str, before: bool | None, after: bool | None, said: int
) -> None:
    row = checked(pairs(60), checked=before)

    answer = client.post(f"/datasets/{row.id}/freeze", data={"human_checked": word})

    assert (answer.status_code, answer.headers["location"]) == (303, f"/datasets/{row.id}")
    with reading(engine) as session:
        frozen = store.get(session, row.id)
        assert (frozen.frozen_at is not None, frozen.human_checked) == (True, after)
    assert (acts(engine).count("dataset.freeze"), acts(engine).count("dataset.vouch")) == (1, said)


@pytest.mark.parametrize("data", [{}, {"human_checked": ""}, {"human_checked": "perhaps"}])
def test_without_that_word_nothing_is_frozen_and_the_form_comes_back(
    client: TestClient, checked: Upload, engine: Engine, data: dict[str, str]
) -> None:
    row = checked(pairs(60))

    answer = client.post(f"/datasets/{row.id}/freeze", data=data)

    assert answer.status_code == 422
    assert "Choose Yes, No or Later." in answer.text
    assert "<title>Error: " in answer.text
    assert 'name="human_checked" value="yes" required' in answer.text
    with reading(engine) as session:
        assert store.get(session, row.id).frozen_at is None
    assert "dataset.vouch" not in acts(engine)


def test_a_freeze_that_is_refused_keeps_no_word_either(client: TestClient, checked: Upload, engine: Engine) -> None:
    old = checked(pairs(60))
    checked(pairs(90))

    assert client.post(f"/datasets/{old.id}/freeze", data={"human_checked": "yes"}).status_code == 409

    with reading(engine) as session:
        assert store.get(session, old.id).human_checked is None


def test_a_program_freezes_and_vouches_in_one_request(
    client: TestClient, checked: Upload, engine: Engine, assessment: AssessmentRow
) -> None:
    row = checked(pairs(60))

    frozen = client.post(f"/api/v1/datasets/{row.id}/freeze", json={"human_checked": True})

    assert (frozen.status_code, frozen.json()["human_checked"]) == (200, True)
    assert frozen.json()["frozen_at"]
    assert acts(engine)[-2:] == ["dataset.vouch", "dataset.freeze"]
    assert client.post(f"/api/v1/datasets/{row.id}/freeze", json={"human_checked": "perhaps"}).status_code == 422


def test_the_first_card_asks_what_is_open_and_then_says_what_is_frozen(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(60))
    address = f"/datasets/{row.id}"

    before = client.get(address).text.split("</section>")[0]
    client.post(f"{address}/freeze", data={"human_checked": "no"})
    after = client.get(address).text.split("</section>")[0]

    assert 'action="/datasets/' in before
    assert before.count('class="btn"') == 1
    assert (">Freeze split<" in before, ">Freeze split<" in after) == (True, False)
    assert "Frozen: 42 usable examples" in after
    assert after.count('class="btn"') == 1
    assert f'href="/assessments/{row.assessment_id}/' in after.split('class="btn"')[1]


def test_the_parts_of_a_report_are_addresses_of_their_own(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(120) + pairs(3))
    page = client.get(f"/datasets/{row.id}").text
    listed = page.split('aria-label="Parts of the report"')[1].split("</nav>")[0]

    assert 'aria-current="page">Overview' in listed
    parts = {
        "?tab=split": "Split manifest",
        "?tab=learnability": "Learnability: baseline without an LLM",
        "?tab=export": "Tunegate JSONL",
        "?tab=versions": "No version is ever changed",
        "/rows": "Go to line",
        "/clusters": "Duplicates and near-duplicates",
    }
    for part, words in parts.items():
        assert f'href="/datasets/{row.id}{part}"' in listed
        shown = client.get(f"/datasets/{row.id}{part}")
        assert words in shown.text
        assert 'aria-label="Parts of the report"' in shown.text
        assert words not in page
    assert client.get(f"/datasets/{row.id}?tab=unheard-of").text.count("head-line") == 1
