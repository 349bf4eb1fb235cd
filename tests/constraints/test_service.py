"""The output constraint on its page and by API: proposed, previewed, refused where it forbids right answers, kept."""

import json
import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.audit.tables import EntryRow
from app.constraints import store
from app.constraints.fit import Fit
from app.constraints.tables import ConstraintRow
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, writing
from app.users.tables import UserRow
from tests.support.factories import Make

INTENTS = ("play", "book", "weather")


def answer_of(number: int) -> str:
    return json.dumps({"intent": INTENTS[number % 3], "city": f"city {number}"})


@pytest.fixture
def dataset(make: Make, engine: Engine) -> DatasetRow:
    author = make.author()
    made = make.dataset(make.assessment(author), author, train=60, dev=20, test=20)
    answer_with(engine, made, answer_of)
    return made


def answer_with(engine: Engine, dataset: DatasetRow, answer: Callable[[int], str]) -> None:
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            example.target = answer(example.line)


@pytest.fixture
def me(engine: Engine, dataset: DatasetRow) -> UserRow:
    with reading(engine) as session:
        return session.get_one(UserRow, dataset.uploaded_by)


def kept_versions(engine: Engine, dataset: DatasetRow) -> list[ConstraintRow]:
    with reading(engine) as session:
        return list(store.versions(session, dataset.assessment_id))


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def text(answer: object) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())  # type: ignore[attr-defined]


def test_it_is_proposed_looked_at_and_kept_in_versions(
    client: TestClient, dataset: DatasetRow, engine: Engine, me: UserRow
) -> None:
    page = f"/assessments/{dataset.assessment_id}/constraint"
    first = text(client.get(page))
    assert "Inferred from 60 JSON answers of 60 training answers" in first
    assert "60 of 60 train (100.0 %), 20 of 20 dev (100.0 %)" in first
    open_list = {"fields": "chosen", "required-intent": "on"}
    again = client.post(f"{page}/infer", data=open_list)
    assert "&#34;enum&#34;" not in again.text
    assert "&#34;required&#34;: [\n    &#34;intent&#34;\n  ]" in again.text

    kept = client.post(page, data={"kind": "json_schema", "text": schema(["intent", "city"])})
    assert kept.status_code == 303
    assert client.post(page, data={"kind": "json_schema", "text": schema(["intent", "city"])}).status_code == 303
    assert client.post(page, data={"kind": "json_schema", "text": schema(["intent"])}).status_code == 303

    rows = kept_versions(engine, dataset)
    assert [(row.version, row.created_by) for row in rows] == [(2, me.id), (1, me.id)], "the same again is no version"
    assert rows[0].fit == Fit({"train": (60, 60), "dev": (20, 20)})
    shown = text(client.get(page))
    assert "Output constraint, v2" in shown
    assert "2 versions" in shown
    assert "JSON schema, 2 keys, v2. Open" in text(client.get(f"/assessments/{dataset.assessment_id}/measure"))

    assert client.post(f"{page}/remove").status_code == 303
    assert [row.removed_at is None for row in kept_versions(engine, dataset)] == [False, True]
    with reading(engine) as session:
        assert store.current(session, dataset.assessment_id) is None
        acts = [entry.act for entry in session.query(EntryRow) if entry.act.startswith("constraint")]
    assert acts == ["constraint.save", "constraint.save", "constraint.remove"]


def schema(required: list[str]) -> str:
    known = {"intent": {"enum": list(INTENTS)}, "city": {"type": "string"}}
    return json.dumps({"type": "object", "properties": known, "required": required, "additionalProperties": False})


def test_a_constraint_that_forbids_right_answers_is_refused_and_says_which(
    client: TestClient, dataset: DatasetRow, engine: Engine
) -> None:
    answer_with(engine, dataset, lambda line: answer_of(line) if line % 10 else json.dumps({"intent": "other"}))
    page = f"/assessments/{dataset.assessment_id}/constraint"

    refused = client.post(page, data={"kind": "json_schema", "text": schema(["intent"])})

    assert refused.status_code == 422
    words = text(refused)
    assert "It forbids 10.0 % of the expected train answers" in words
    assert "At least 95 % have to be allowed" in words
    assert "8 expected answers that it forbids" in words
    assert "intent: &#34;other&#34; is not one of" in words
    assert 'value="json_schema" checked' in " ".join(refused.text.split())
    assert kept_versions(engine, dataset) == []
    test_rows = {80 + at for at in range(1, 21)}
    lines = {int(line) for line in re.findall(r'data-label="Line">\s*(\d+)', refused.text)}
    assert lines
    assert not lines & test_rows, "test rows choose nothing"


def test_the_same_by_api(client: TestClient, dataset: DatasetRow) -> None:
    base = f"/api/v1/assessments/{dataset.assessment_id}/constraint"
    proposal = client.post(f"{base}/infer", json={"required": ["intent"]}).json()
    assert proposal["kind"] == "json_schema"
    assert [(field["path"], field["required"]) for field in proposal["fields"]] == [("intent", True), ("city", False)]

    sent = {"kind": proposal["kind"], "text": proposal["text"]}
    checked = client.post(f"{base}/check", json=sent).json()
    assert checked["fit"]["dev"] == {"allowed": 20, "of": 20}
    assert checked["against"] == ""
    made = client.put(base, json=sent)
    assert made.status_code == 201
    assert made.json()["sha256"] == checked["sha256"]
    listed = client.get(base).json()
    assert (listed["current"], len(listed["data"])) == (1, 1)

    bad = client.put(base, json={"kind": "regex", "text": "(?=x)"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["pointer"] == "#/text"
    forbidding = client.post(f"{base}/check", json={"kind": "labels", "text": "yes\nno"}).json()
    assert "forbids 100.0 %" in forbidding["against"]
    assert forbidding["forbidden"][0]["why"] == "not one of the labels"
    assert client.delete(base).status_code == 204
    assert client.get(base).json()["current"] is None
    assert client.delete(base).status_code == 404


def test_nothing_to_infer_and_no_data_are_said(
    client: TestClient, make: Make, dataset: DatasetRow, engine: Engine
) -> None:
    answer_with(engine, dataset, lambda line: f"A sentence of its own, number {line}.")
    page = f"/assessments/{dataset.assessment_id}/constraint"
    assert "neither JSON nor labels that come again and again" in text(client.get(page))

    empty = make.assessment(make.author())
    assert "Upload examples first" in text(client.get(f"/assessments/{empty.id}/constraint"))
    assert client.post(f"/api/v1/assessments/{empty.id}/constraint/infer", json={}).status_code == 409


def test_a_form_with_nothing_chosen_comes_back(client: TestClient, dataset: DatasetRow) -> None:
    page = f"/assessments/{dataset.assessment_id}/constraint"

    for path in (page, f"{page}/preview"):
        answer = client.post(path, data={})
        assert answer.status_code == 422
        assert "Use one of the kinds" in text(answer)


def test_a_copy_brings_it_along_to_be_checked_against_its_own_rows(
    client: TestClient, dataset: DatasetRow, engine: Engine
) -> None:
    page = f"/assessments/{dataset.assessment_id}/constraint"
    client.post(page, data={"kind": "json_schema", "text": schema(["intent", "city"])})

    made = client.post(f"/api/v1/assessments/{dataset.assessment_id}/copy").json()["id"]

    (kept,) = client.get(f"/api/v1/assessments/{made}/constraint").json()["data"]
    assert kept["sha256"] == kept_versions(engine, dataset)[0].sha256
    shown = text(client.get(f"/assessments/{made}/constraint"))
    assert "It came with the copy, and was not checked against this assessment" in shown
    assert "measured" not in shown.partition("It came with the copy")[2].partition("Open baselines")[0]
