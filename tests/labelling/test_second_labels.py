"""A second person labels a sample blind; their kappa with the file's labels is what gate G8 reads."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, writing
from app.gate import evidence
from app.labelling import service
from app.users.tables import UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]
LABELS = ("billing", "delivery", "returns")


class Labelled:
    """A version whose answers are three labels in turn, or text where `labels` is off; Ada uploaded it."""

    def __init__(self, make: Make, people: People, engine: Engine, *, labels: bool = True) -> None:
        self.make, self.people, self.engine = make, people, engine
        self.ada, self.cora = make.author("Ada"), make.author("Cora")
        self.assessment = make.ready(self.ada)
        self.id = self.assessment.id
        with writing(engine) as session:
            row = session.scalars(select(DatasetRow)).one()
            self.dataset = row.id
            if labels:
                row.report_json = {**row.report_json, "labels": [{"label": name, "rows": 400} for name in LABELS]}
                for place, example in enumerate(session.scalars(select(ExampleRow).order_by(ExampleRow.id))):
                    example.target = LABELS[place % 3]

    def begin(self, by: UserRow, status: int = 201) -> Any:
        begun = self.people(by).post(f"/api/v1/datasets/{self.dataset}/label-rounds")
        assert begun.status_code == status, begun.text
        return begun.json()

    def targets(self, rows: list[Any]) -> dict[int, str]:
        with reading(self.engine) as session:
            return {one["example_id"]: session.get_one(ExampleRow, one["example_id"]).target for one in rows}

    def say(self, by: UserRow, number: int, said: dict[int, str]) -> None:
        body = {"labels": [{"example_id": row, "label": label} for row, label in said.items()]}
        answered = self.people(by).put(f"/api/v1/label-rounds/{number}/labels", json=body)
        assert answered.status_code == 200, answered.text

    def end(self, by: UserRow, number: int) -> Any:
        return self.people(by).post(f"/api/v1/label-rounds/{number}/end").json()

    def g8(self) -> Any:
        with reading(self.engine) as session:
            row = session.get_one(AssessmentRow, self.id)
            advised = evidence.judge(evidence.gather(session, row))
        return next(gate for gate in advised.gates if gate.id == "G8")


@pytest.fixture
def labelled(make: Make, people: People, engine: Engine) -> Labelled:
    return Labelled(make, people, engine)


def test_kappa_of_fifty_blind_labels_reaches_the_gate(labelled: Labelled) -> None:
    begun = labelled.begin(labelled.cora)
    rows = begun["rows"]
    assert (len(rows), begun["kind"], begun["labels"]) == (50, "label", [*LABELS, service.NO_LABEL])
    assert {(one["target"], one["label"]) for one in rows} == {(None, None)}
    with reading(labelled.engine) as session:
        splits = {session.get_one(ExampleRow, one["example_id"]).split for one in rows}
    assert "test" not in splits
    page = labelled.people(labelled.cora).get(f"/datasets/{labelled.dataset}/second-labels").text
    assert page.count('data-key="1"') == 10
    truth = labelled.targets(rows)
    said = {row: LABELS[0] if place < 20 else target for place, (row, target) in enumerate(truth.items())}

    labelled.say(labelled.cora, begun["id"], said)
    assert "kappa" not in labelled.g8().measured  # not before it is over
    agreed = labelled.end(labelled.cora, begun["id"])

    differing = [row for row, label in said.items() if label != truth[row]]
    assert (agreed["rows"], agreed["agreed"], agreed["counts"]) == (50, 50 - len(differing), True)
    assert [one["example_id"] for one in agreed["differences"]] == sorted(differing)
    gate = labelled.g8()
    assert f"kappa {agreed['kappa']:.2f}" in gate.measured
    assert gate.state == ("pass" if agreed["kappa"] >= 0.6 else "fail")
    with reading(labelled.engine) as session:
        assert labelled.cora.id in assessment_store.contributor_ids(session, labelled.id)

    one = agreed["differences"][0]
    settled = (
        labelled.people(labelled.ada)
        .put(f"/api/v1/second-labels/{one['id']}/settled", json={"settled": "second"})
        .json()
    )
    assert settled["kappa"] == agreed["kappa"]  # settling repairs rows, not numbers
    shown = labelled.people(labelled.ada).get(f"/datasets/{labelled.dataset}/second-labels").text
    assert "The second person is right" in shown


def test_labels_at_random_lock_it(labelled: Labelled) -> None:
    begun = labelled.begin(labelled.cora)
    truth = labelled.targets(begun["rows"])

    labelled.say(labelled.cora, begun["id"], dict.fromkeys(truth, LABELS[0]))
    labelled.end(labelled.cora, begun["id"])

    assert (labelled.g8().state, labelled.g8().how) == ("fail", "measured")


def test_leaving_out_the_hard_rows_counts_for_nothing(labelled: Labelled) -> None:
    begun = labelled.begin(labelled.cora)
    truth = labelled.targets(begun["rows"])
    labelled.say(labelled.cora, begun["id"], dict(list(truth.items())[:49]))

    agreed = labelled.end(labelled.cora, begun["id"])

    assert agreed["rows"] == 0
    again = labelled.begin(labelled.make.author("Dan"))
    assert not {one["example_id"] for one in again["rows"]} & set(truth)  # and nobody gets the same rows anew


def test_who_uploaded_it_or_made_the_account_is_no_second_person(labelled: Labelled) -> None:
    assert "You uploaded this file" in labelled.begin(labelled.ada, 403)["detail"]
    puppet = labelled.make.author("Puppet")
    with writing(labelled.engine) as session:
        audit.record(session, labelled.ada, "user.add", "user", puppet.id, {})
    assert "no second person" in labelled.begin(puppet, 403)["detail"]


def test_a_round_is_its_owners_its_rows_its_own_and_its_end_the_end(labelled: Labelled) -> None:
    begun = labelled.begin(labelled.cora)
    row, path = begun["rows"][0]["example_id"], f"/api/v1/label-rounds/{begun['id']}"
    cora, ada = labelled.people(labelled.cora), labelled.people(labelled.ada)

    def put(client: TestClient, example_id: int, label: str) -> int:
        return client.put(f"{path}/labels", json={"labels": [{"example_id": example_id, "label": label}]}).status_code

    assert put(ada, row, "billing") == 403
    assert put(cora, 999_999, "billing") == 409
    assert put(cora, row, "nonsense") == 422
    assert put(cora, row, "billing") == 200
    assert put(cora, row, "") == 200
    labelled.end(labelled.cora, begun["id"])
    assert put(cora, row, "billing") == 409


def test_without_scripts_a_button_saves_and_leads_back(labelled: Labelled) -> None:
    client = labelled.people(labelled.cora)
    began = client.post(f"/datasets/{labelled.dataset}/second-labels", follow_redirects=True)
    assert "0 of 50" in began.text
    with reading(labelled.engine) as session:
        row = service.open_round(session, labelled.dataset, labelled.cora.id)
        assert row is not None
    address = f"/label-rounds/{row.id}/rows/{row.rows[0]}"

    saved = client.post(address, data={"label": "returns"}, follow_redirects=False)
    assert saved.headers["location"] == f"/datasets/{labelled.dataset}/second-labels#row-{row.rows[0]}"
    piece = client.post(address, data={"label": "billing"}, headers={"hx-request": "true"}).text
    assert "Saved." in piece
    assert "<b>1 of 50</b>" in piece
    over = client.post(f"/label-rounds/{row.id}/end", follow_redirects=True).text
    assert "as second person" in over


def test_where_answers_are_no_labels_references_are_checked(make: Make, people: People, engine: Engine) -> None:
    free = Labelled(make, people, engine, labels=False)
    begun = free.begin(free.cora)
    assert begun["kind"] == "reference"
    assert all(one["target"] for one in begun["rows"])
    rows = [one["example_id"] for one in begun["rows"]]

    free.say(free.cora, begun["id"], {row: "wrong" if place < 12 else "right" for place, row in enumerate(rows)})
    agreed = free.end(free.cora, begun["id"])

    assert (agreed["judged"], agreed["wrong"], agreed["kappa"]) == (50, 12, None)
    gate = free.g8()
    assert gate.state == "fail"
    assert "12 of 50" in gate.measured


def test_a_round_is_shown_ten_rows_at_a_time(labelled: Labelled) -> None:
    """Where the first row without a label is; without scripts a button leads back to the page it was on."""
    begun = labelled.begin(labelled.cora)
    rows = sorted(one["example_id"] for one in begun["rows"])
    page, client = f"/datasets/{labelled.dataset}/second-labels", labelled.people(labelled.cora)
    first = client.get(page).text
    assert first.count('data-key="1"') == 10
    assert "Finish and compare" not in first
    assert "Next 10 rows" in first

    labelled.say(labelled.cora, begun["id"], dict.fromkeys(rows[:12], "billing"))

    assert "2 of 5" in client.get(page).text
    saved = client.post(f"/label-rounds/{begun['id']}/rows/{rows[0]}?page=1", data={"label": "returns"})
    assert saved.headers["location"] == f"{page}?page=1#row-{rows[0]}"
    last = client.get(f"{page}?page=99").text
    assert "5 of 5" in last
    assert "Finish and compare" in last
