"""Saying how a file is to be read, and taking the rows along in other tools' forms."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.datasets import job, store
from app.datasets.reading.read_as import GUESS, ReadAs
from app.datasets.tables import DatasetRow
from app.db import reading
from app.jobs.claims import Claim
from app.training import spec
from app.users.tables import UserRow
from tests.support.depth import sampled
from tests.support.examples import Upload, pairs
from tests.support.places import DATA

GERMAN = b"\n".join(
    json.dumps({"frage": line["prompt"], "antwort": line["completion"], "kunde": f"k{number % 9}"}).encode()
    for number, line in enumerate(json.loads(raw) for raw in pairs(60).splitlines())
)


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def text(client: TestClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return " ".join(answer.text.split())


def test_an_unknown_file_shows_what_its_keys_hold(client: TestClient, checked: Upload) -> None:
    row = checked(GERMAN)
    assert row.state == "rejected"

    page = text(client, f"/datasets/{row.id}/reading")

    assert "No known format was found" in page
    assert "Describe the river" in page
    assert '<option value="antwort">antwort</option>' in page
    assert f"/datasets/{row.id}/reading" in text(client, f"/datasets/{row.id}")


def test_a_choice_is_shown_on_three_rows_before_it_is_made(client: TestClient, checked: Upload) -> None:
    row = checked(GERMAN)

    page = text(client, f"/datasets/{row.id}/reading?shape=columns&question=frage&answer=antwort&group=kunde")

    assert page.count("<h4>Expected answer</h4>") == 3
    assert "<small>group k0</small>" in page
    assert '<option value="antwort" selected>' in page


def test_naming_the_columns_is_choosing_columns(client: TestClient, checked: Upload) -> None:
    row = checked(GERMAN)
    named = {"shape": "", "question": "frage", "answer": "antwort"}

    page = text(client, f"/datasets/{row.id}/reading?shape=&question=frage&answer=antwort")
    half = client.post(f"/datasets/{row.id}/reading", data=named | {"answer": ""})
    made = client.post(f"/datasets/{row.id}/reading", data=named)

    assert page.count("<h4>Expected answer</h4>") == 3
    assert "Choose the column that holds the answer." in half.text
    assert made.status_code == 303


def test_a_file_with_keys_of_its_own_is_to_be_explained_first(client: TestClient, checked: Upload) -> None:
    row = checked(GERMAN)

    page = text(client, f"/datasets/{row.id}")

    assert f'<a class="btn" href="/datasets/{row.id}/reading">Choose the keys</a>' in page
    assert '<a class="btn quiet" href="#upload">Upload a corrected file</a>' in page
    assert "Correct the file and upload it again" not in page


def test_a_choice_makes_a_new_version_that_is_checked_that_way(
    client: TestClient,
    checked: Upload,
    claimed: Callable[[DatasetRow], Claim],
    engine: Engine,
    assessment: AssessmentRow,
) -> None:
    first = checked(GERMAN)

    answer = client.post(
        f"/datasets/{first.id}/reading", data={"shape": "columns", "question": "frage", "answer": "antwort"}
    )

    assert answer.status_code == 303
    with reading(engine) as session:
        second = store.newest(session, assessment.id)
        assert second is not None
        assert (second.version, second.blob_sha256) == (2, first.blob_sha256)
        assert second.read_as == ReadAs("columns", "frage", "antwort")
        assert store.get(session, first.id).read_as == GUESS
        detail = session.scalars(select(EntryRow.detail).order_by(EntryRow.id.desc())).first()
        assert detail is not None
        assert detail["read_as"] == {"shape": "columns", "question": "frage", "answer": "antwort"}
    job.check(claimed(second))
    with reading(engine) as session:
        done = store.get(session, second.id)
        assert (done.state, done.format, done.usable_rows) == ("ready", "columns", 42)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"shape": "columns", "question": "frage"}, "Choose the column that holds the answer."),
        ({"shape": "columns", "question": "frage", "answer": "frage"}, "be the same column"),
        ({"shape": "nonsense"}, "Choose one of the formats in the list."),
    ],
)
def test_a_choice_that_lacks_something_comes_back(
    client: TestClient, checked: Upload, choice: dict[str, str], words: str
) -> None:
    row = checked(GERMAN)

    answer = client.post(f"/datasets/{row.id}/reading", data=choice)

    assert answer.status_code == 422
    assert words in answer.text


def test_a_choice_by_api(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(20))

    made = client.post(f"/api/v1/datasets/{row.id}/reading", json={"group": "customer"})
    refused = client.post(f"/api/v1/datasets/{row.id}/reading", json={"shape": "columns"})

    assert (made.status_code, made.json()["read_as"]) == (201, {"group": "customer"})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["#/question", "#/answer"]


# ---------------------------------------------------------------------- exports


def exported(client: TestClient, row: DatasetRow, query: str) -> list[dict[str, object]]:
    """The lines of a download. The sets hold made-up addresses and keys, about which somebody decides first."""
    kept = {f"kind-{kind}": "attest" for kind in row.report.kinds_found}
    if kept:
        client.post(f"/datasets/{row.id}/decide", data=kept | {"reason": "made up"})
    answer = client.get(f"/datasets/{row.id}/export?{query}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize(
    ("name", "least"), sampled([("openai_tools_40.jsonl", 25), ("alpaca_with_input_120.jsonl", 80)], every=2)
)
@pytest.mark.parametrize("form", ["chat", "pairs"])
def test_what_is_exported_gives_the_same_rows_again(
    client: TestClient, checked: Upload, name: str, least: int, form: str
) -> None:
    again(client, checked, DATA / "chat" / name, form, least)


@pytest.mark.deep
@pytest.mark.parametrize("name", ["openai_tools.jsonl", "openai_multiturn.jsonl", "alpaca_with_input.jsonl"])
@pytest.mark.parametrize("form", ["chat", "pairs"])
def test_what_is_exported_of_a_large_set_gives_the_same_rows_again(
    client: TestClient, checked: Upload, sets: Path, name: str, form: str
) -> None:
    again(client, checked, sets / "chat" / name, form, 81)


def again(client: TestClient, checked: Upload, path: Path, form: str, least: int) -> None:
    """Take a set along, and upload what was taken."""
    row = checked(path.read_bytes())
    rows = exported(client, row, "form=rows")

    other = checked(client.get(f"/datasets/{row.id}/export?form={form}").content)

    assert len(rows) >= least
    assert [one["sha256"] for one in exported(client, other, "form=rows")] == [one["sha256"] for one in rows]


def test_conversations_with_tools_leave_as_they_came(client: TestClient, checked: Upload) -> None:
    data = (DATA / "chat" / "openai_tools_40.jsonl").read_bytes()
    row = checked(data)
    came = [json.loads(line) for line in data.splitlines()]

    assert all(line in came for line in exported(client, row, "form=chat"))


def test_one_part_can_be_taken_alone(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(100))

    parts = {part: exported(client, row, f"form=pairs&split={part}") for part in ("train", "dev", "test")}

    assert {part: len(lines) for part, lines in parts.items()} == {
        "train": row.train_rows,
        "dev": row.dev_rows,
        "test": row.test_rows,
    }
    assert set(parts["test"][0]) == {"prompt", "completion"}
    assert client.get(f"/api/v1/datasets/{row.id}/export?form=csv").status_code == 422


def thoughtful(count: int = 40) -> bytes:
    """Chat rows whose answers have reasoning beside them, one of them with an address in it."""
    return b"\n".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": line["prompt"]},
                    {
                        "role": "assistant",
                        "content": line["completion"],
                        "reasoning_content": f"Step {number}: see what is asked; ask ada{number}@example.org.",
                    },
                ]
            }
        ).encode()
        for number, line in enumerate(json.loads(raw) for raw in pairs(count).splitlines())
    )


def test_reasoning_is_trained_where_somebody_chooses_so_and_is_looked_through_for_personal_data(
    client: TestClient, checked: Upload, engine: Engine, claimed: Callable[[DatasetRow], Claim], blobs: Blobs
) -> None:
    row = checked(thoughtful())
    assert not row.trains_reasoning

    shown = text(client, f"/datasets/{row.id}/reading?shape=&reasoning=train")
    answer = client.post(f"/datasets/{row.id}/reading", data={"reasoning": "train"})
    with reading(engine) as session:
        again = session.scalars(select(DatasetRow).order_by(DatasetRow.id.desc())).first()
        assert again is not None
    job.check(claimed(again))

    assert "Reasoning, trained before the answer" in shown
    assert "@example.org" not in shown
    assert answer.status_code == 303
    with reading(engine) as session:
        again = store.get(session, again.id)
    assert again.trains_reasoning
    assert again.undecided == 1  # the addresses stand in the reasoning alone
    assert again.rows_sha256 is not None
    with blobs.open(again.rows_sha256) as rows:
        kept = [next(spec.rows([line])) for line in rows]
    assert all(one.reasoning.startswith("Step ") and "Step" not in one.target for one in kept)


def test_a_file_that_is_gone_from_the_store_is_said_and_its_report_stays(
    client: TestClient, checked: Upload, blobs: Blobs
) -> None:
    row = checked(pairs(40))
    blobs.path(row.blob_sha256).unlink()

    page = text(client, f"/datasets/{row.id}/reading")

    assert "can't be read again" in page
    assert row.blob_sha256 in page
    assert "usable" in text(client, f"/datasets/{row.id}")
