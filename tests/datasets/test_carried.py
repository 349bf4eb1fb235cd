"""What a new version takes over from the one before: own test file, words on its rows and values; and what it says."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.datasets import clusters_service, decisions_service, group_store, job, store, uploads_service
from app.datasets.checks.report_parts import Carried, FileOfVersion
from app.datasets.reading.read_as import GUESS, ReadAs
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.privacy import decisions
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs

MAIL = "ada.mayr@firma.example"
HELD = json.dumps({"prompt": f"Who is {MAIL}?", "completion": "Ada, from purchasing."}).encode() + b"\n"
TESTS = pairs(20, start=200)


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


@pytest.fixture
def check(engine: Engine, claimed: Callable[[DatasetRow], Claim]) -> Callable[[int], DatasetRow]:
    """`check(id)` runs the check of a version that came over the API or the page."""

    def run(dataset_id: int) -> DatasetRow:
        with reading(engine) as session:
            row = store.get(session, dataset_id)
        job.check(claimed(row))
        with reading(engine) as session:
            return store.get(session, dataset_id)

    return run


def carried(row: DatasetRow) -> Carried:
    """What the version took over."""
    assert row.report.carried is not None
    return row.report.carried


def messages_on_values(row: DatasetRow) -> list[str]:
    return [one.text for one in row.report.messages if "test file" in one.text or "values" in one.text]


def test_corrected_examples_keep_the_own_test_file_over_the_api(
    client: TestClient, assessment: AssessmentRow, check: Callable[[int], DatasetRow]
) -> None:
    address = f"/api/v1/assessments/{assessment.id}/dataset"
    check(client.put(f"{address}?filename=mine.jsonl", content=pairs(60)).json()["id"])
    second = check(client.put(f"{address}/test?filename=judge.jsonl", content=TESTS).json()["id"])
    client.patch(f"/api/v1/datasets/{second.id}", json={"human_checked": True})

    answer = client.put(f"{address}?filename=better.jsonl", content=pairs(70)).json()
    third = check(answer["id"])

    assert (answer["filename"], answer["test_filename"], answer["human_checked"]) == (
        "better.jsonl",
        "judge.jsonl",
        True,
    )
    assert (third.test_rows, third.report.split.own_test) == (20, True)
    assert carried(third).test == FileOfVersion("judge.jsonl", 2)
    assert messages_on_values(third) == [
        "The test file 'judge.jsonl' was kept from version 2: its rows are the test set of this version, too."
    ]

    fourth = check(client.put(f"{address}?drop_test=true", content=pairs(70)).json()["id"])

    assert (fourth.test_filename, fourth.report.split.own_test, fourth.human_checked) == ("", False, None)
    assert carried(fourth).test_dropped == FileOfVersion("judge.jsonl", 3)
    assert "was given up; the upload says so" in messages_on_values(fourth)[0]


def test_corrected_examples_keep_the_own_test_file_on_the_page(
    client: TestClient, assessment: AssessmentRow, checked: Upload, check: Callable[[int], DatasetRow], engine: Engine
) -> None:
    checked(pairs(60), test=TESTS)
    page = client.get(f"/assessments/{assessment.id}/data").text
    assert 'name="drop_test"' in page

    client.post(f"/assessments/{assessment.id}/data", files={"file": ("b.jsonl", pairs(70))})
    with reading(engine) as session:
        newest = store.newest(session, assessment.id)
        assert newest is not None
    row = check(newest.id)

    assert (row.version, row.test_rows) == (2, 20)
    assert "was kept from version 1" in client.get(f"/datasets/{row.id}").text

    client.post(
        f"/assessments/{assessment.id}/data", files={"file": ("c.jsonl", pairs(70))}, data={"drop_test": "true"}
    )
    with reading(engine) as session:
        newest = store.newest(session, assessment.id)
        assert newest is not None
    assert check(newest.id).report.split.own_test is False


def test_a_test_file_is_read_as_it_was_read_before(
    checked: Upload, engine: Engine, queue: job_engine.Client, me: UserRow, check: Callable[[int], DatasetRow]
) -> None:
    """Its columns were chosen once; the new examples have names that need no choice."""
    columns = ReadAs("columns", "q", "a")
    renamed = [data.replace(b'"prompt"', b'"q"').replace(b'"completion"', b'"a"') for data in (pairs(60), TESTS)]
    row = checked(*renamed)
    assert row.state == "rejected"
    with writing(engine) as session:
        jobs.bind(session, queue)
        again = uploads_service.reread(session, row.id, me, columns)
    assert check(again.id).test_rows == 20

    after = checked(pairs(70))

    assert (after.state, after.test_rows, after.read_as) == ("ready", 20, GUESS)


def test_a_split_made_anew_keeps_both(
    checked: Upload, engine: Engine, queue: job_engine.Client, me: UserRow, check: Callable[[int], DatasetRow]
) -> None:
    near = json.dumps({"prompt": "Describe the river, please, if you can", "completion": "It is 7."}).encode() + b"\n"
    also = near.replace(b"river,", b"river")
    row = checked(pairs(60) + near + also, test=TESTS)
    assert row.report.clusters is not None
    cluster = row.report.clusters.count
    assert cluster == 1
    with writing(engine) as session:
        jobs.bind(session, queue)
        found = group_store.groups(session, row.id, skip=0, limit=5, rows_each=5)[0].number
        clusters_service.keep_cluster(session, row.id, found, me)
        again = clusters_service.recount(session, row.id, me)

    after = check(again.id)

    assert (after.test_filename, after.test_rows) == (row.test_filename, 20)
    assert after.report.carried == Carried()


# ---------------------------------------------------------------------- words on personal data
@pytest.fixture
def attested(checked: Upload, engine: Engine, queue: job_engine.Client, me: UserRow) -> DatasetRow:
    """A version with an address that may stay as it is."""
    row = checked(pairs(60) + HELD)
    with writing(engine) as session:
        jobs.bind(session, queue)
        return decisions_service.decide(session, row.id, me, {"e-mail address": "attest"}, "Made up")


def actions(row: DatasetRow) -> dict[str, str]:
    return decisions.actions(row.decisions)


def test_a_test_file_added_to_the_same_examples_loses_no_word_on_them(
    attested: DatasetRow, client: TestClient, assessment: AssessmentRow, check: Callable[[int], DatasetRow]
) -> None:
    answer = client.put(f"/api/v1/assessments/{assessment.id}/dataset/test", content=TESTS).json()

    row = check(answer["id"])

    assert actions(row) == {"e-mail address": "attest"}
    assert carried(row).decisions == ("e-mail address",)
    assert [one for one in messages_on_values(row) if "no other values were found: e-mail address" in one]


def test_the_same_values_in_other_rows_are_still_those_that_may_stay(attested: DatasetRow, checked: Upload) -> None:
    row = checked(pairs(65) + HELD)

    assert (actions(row), row.version) == ({"e-mail address": "attest"}, attested.version + 1)


@pytest.mark.parametrize("test", [None, HELD.replace(b"ada", b"bob")])
def test_another_value_needs_another_word_and_that_is_said(
    attested: DatasetRow, checked: Upload, test: bytes | None
) -> None:
    more = b"" if test else HELD.replace(b"ada.mayr", b"bob.mayr")

    row = checked(pairs(60) + HELD + more, test=test and TESTS + test)

    assert (actions(row), carried(row).dropped) == ({}, ("e-mail address",))
    assert [one for one in messages_on_values(row) if "decide again: e-mail address" in one]


def test_the_same_file_again_keeps_the_word_and_warns_of_nothing(attested: DatasetRow, checked: Upload) -> None:
    row = checked(pairs(60) + HELD)

    assert actions(row) == {"e-mail address": "attest"}
    assert not [one for one in row.report.messages if "personal data" in one.text]
