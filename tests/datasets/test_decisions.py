"""What people decide about personal data: nothing is changed in place, nothing is shown, and training waits for it."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.datasets import decisions_service, facts, job, store
from app.datasets.checks.report import TOO_FEW
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.errors import Conflict, Invalid
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.privacy.decisions import actions
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs
from tests.support.factories import Make

Decide = Callable[..., DatasetRow]

MAIL, KEY = "ada.mayr@firma.example", "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
HELD = [
    {"prompt": "Write to Ada", "completion": f"Dear Ada, we sent it to {MAIL}."},
    {"prompt": f"Who is {MAIL}?", "completion": "Ada, from purchasing."},
    {"prompt": "Show the configuration", "completion": f"token: {KEY}"},
]
DATA = pairs(60) + b"".join(json.dumps(one).encode() + b"\n" for one in HELD)


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


@pytest.fixture
def decide(engine: Engine, queue: job_engine.Client, me: UserRow, claimed: Callable[[DatasetRow], Claim]) -> Decide:
    """`decide(row, {kind: action})`, and the check of the version that follows from it."""

    def run(row: DatasetRow, choices: dict[str, str], reason: str = "") -> DatasetRow:
        with writing(engine) as session:
            jobs.bind(session, queue)
            after = decisions_service.decide(session, row.id, me, choices, reason)
        if after.id != row.id:
            job.check(claimed(after))
        with reading(engine) as session:
            return store.get(session, after.id)

    return run


def kinds(row: DatasetRow) -> dict[str, tuple[int, list[int]]]:
    assert row.report.identifiers is not None
    return {one.kind: (one.rows, list(one.lines)) for one in row.report.identifiers.kinds}


def used(blobs: Blobs, row: DatasetRow) -> list[dict[str, object]]:
    assert row.rows_sha256
    return [json.loads(line) for line in blobs.path(row.rows_sha256).read_text().splitlines()]


def test_lines_and_kinds_are_named_and_no_value_is(checked: Upload) -> None:
    row = checked(DATA)

    assert kinds(row) == {"e-mail address": (2, [61, 62]), "key or token": (1, [63])}
    assert row.report.identifiers is not None
    assert row.report.identifiers.decided is None
    assert MAIL not in json.dumps(row.report_json)
    assert KEY not in json.dumps(row.report_json)


def test_no_excerpt_of_the_report_shows_a_value(checked: Upload) -> None:
    asked = f"Please write a long and friendly letter to {MAIL}, who is waiting for the second delivery of this year"
    held = [{"prompt": asked, "completion": "Gladly."}, {"prompt": f"{asked}.", "completion": "Gladly."}]

    row = checked(b"".join(json.dumps(one).encode() + b"\n" for one in held) + pairs(60))

    assert row.report.near_duplicates[0].text.startswith("Please write")
    assert "[e-mail address]" in row.report.samples[0].messages[0].content
    assert MAIL not in json.dumps(row.report_json)


def test_a_rare_label_that_is_a_value_is_named_without_it(checked: Upload) -> None:
    def line(number: int, label: str) -> bytes:
        asked = json.loads(pairs(1, number))["prompt"]
        return json.dumps({"prompt": asked, "completion": label}).encode() + b"\n"

    row = checked(b"".join(line(n, "yes" if n % 2 else "no") for n in range(60)) + line(60, MAIL))

    assert row.report.split.untested is not None
    assert row.report.split.untested.names == ("[e-mail address]",)
    assert MAIL not in json.dumps(row.report_json)


def test_masking_keeps_the_row_and_the_value_goes(checked: Upload, decide: Decide, blobs: Blobs) -> None:
    row = checked(DATA)

    after = decide(row, {"e-mail address": "mask", "key or token": "mask"})

    assert (after.version, after.state) == (2, "ready")
    text = json.dumps(used(blobs, after))
    assert MAIL not in text
    assert KEY not in text
    assert "we sent it to [e-mail address]." in text
    assert "Who is [e-mail address]?" in text
    assert after.usable_rows + after.test_rows == row.usable_rows + row.test_rows
    assert [one.text for one in after.report.messages if one.level != "note"] == []
    assert [one.endswith(TOO_FEW) for one in after.report.why] == [True]


def test_masking_moves_no_row_to_another_side(checked: Upload, decide: Decide, blobs: Blobs) -> None:
    row = checked(DATA)
    before = {one["line"]: one["split"] for one in used(blobs, row)}

    after = decide(row, {"e-mail address": "mask"})

    assert {one["line"]: one["split"] for one in used(blobs, after)} == before


def test_rows_left_out_are_counted_and_nothing_of_them_is_kept(
    checked: Upload, decide: Decide, blobs: Blobs, engine: Engine
) -> None:
    row = checked(DATA)

    after = decide(row, {"key or token": "exclude"})

    assert KEY not in json.dumps(used(blobs, after))
    with reading(engine) as session:
        left_out = store.listed(session, after.id, store.RowFilter(status="private"))
    assert [(one.line, one.messages, one.target) for one in left_out] == [(63, [], "")]
    step = next(one for one in after.report.waterfall if one.step == "not_private")
    assert (step.dropped, step.count) == (1, 62)


def test_keeping_needs_a_reason_and_changes_no_row(checked: Upload, decide: Decide, engine: Engine) -> None:
    row = checked(DATA)

    with pytest.raises(Invalid, match="can't be decided") as refused:
        decide(row, {"e-mail address": "attest"}, "  ")
    assert [error.field for error in refused.value.errors] == ["reason"]
    after = decide(row, {"e-mail address": "attest"}, "Made-up addresses")

    assert after.id == row.id
    assert after.rows_sha256 == row.rows_sha256
    assert after.decisions["e-mail address"].action == "attest"
    assert after.decisions["e-mail address"].reason == "Made-up addresses"


def test_a_decision_can_be_taken_back(checked: Upload, decide: Decide, blobs: Blobs) -> None:
    masked = decide(checked(DATA), {"e-mail address": "mask"})

    back = decide(masked, {"e-mail address": "attest"}, "Our own addresses")

    assert back.version == 3
    assert MAIL in json.dumps(used(blobs, back))


def test_a_new_upload_takes_over_masks_but_no_word_on_other_values(checked: Upload, decide: Decide) -> None:
    row = decide(checked(DATA), {"e-mail address": "mask"})
    decide(row, {"key or token": "attest"}, "Expired")

    after = checked(pairs(70) + DATA.replace(KEY.encode(), KEY[:-1].encode() + b"x"))

    assert actions(after.decisions) == {"e-mail address": "mask"}


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"e-mail address": "burn"}, "mask, exclude or attest"),
        ({"card number": "mask"}, "No card number was found"),
        ({}, "Nothing was decided"),
    ],
)
def test_odd_decisions_are_refused(checked: Upload, decide: Decide, choices: dict[str, str], words: str) -> None:
    row = checked(DATA)

    with pytest.raises(Invalid) as refused:
        decide(row, choices)
    assert words in str(refused.value) + " ".join(error.detail for error in refused.value.errors)


def test_only_the_version_that_counts_is_decided_on(checked: Upload, decide: Decide) -> None:
    old = checked(DATA)
    checked(DATA + pairs(5, start=100))

    with pytest.raises(Conflict, match="Version 2 counts now"):
        decide(old, {"e-mail address": "mask"})


def test_the_gates_hear_whether_everything_is_decided(
    checked: Upload, decide: Decide, engine: Engine, assessment: AssessmentRow
) -> None:
    def decided() -> object:
        with reading(engine) as session:
            return facts.measured(session, assessment.id).to_json()["identifiers_decided"]

    row = checked(DATA)
    assert decided() is False
    row = decide(row, {"e-mail address": "mask"})
    assert decided() is False
    decide(row, {"key or token": "attest"}, "Expired long ago")
    assert decided() is True
    checked(pairs(60))
    assert decided() is True


def test_the_page_asks_and_shows_no_value(client: TestClient, checked: Upload, engine: Engine) -> None:
    row = checked(DATA)

    page = client.get(f"/datasets/{row.id}?tab=personal").text
    assert "Personal data and secrets" in page
    assert "Training stays locked" in page
    refused = client.post(f"/datasets/{row.id}/decide", data={"kind-key or token": "attest"})
    assert refused.status_code == 422
    assert "Say why these rows may be trained on" in refused.text
    assert "<title>Error: " in refused.text
    assert '<option value="attest" selected>' in refused.text
    assert 'aria-invalid="true" data-focus>' in refused.text
    answer = client.post(
        f"/datasets/{row.id}/decide", data={"kind-e-mail address": "", "kind-key or token": "attest", "reason": "Old"}
    )

    assert answer.status_code == 303
    assert "Old" in client.get(f"/datasets/{row.id}?tab=personal").text
    with reading(engine) as session:
        entries = session.scalars(select(EntryRow).where(EntryRow.act == "dataset.decide")).all()
        assert [entry.detail["decisions"] for entry in entries] == [{"key or token": "attest"}]
        assert set(store.get(session, row.id).decisions) == {"key or token"}


def test_the_api_decides_too(client: TestClient, checked: Upload) -> None:
    row = checked(DATA)
    address = f"/api/v1/datasets/{row.id}/decisions"

    wrong = client.post(address, json={"decisions": {"e-mail address": "burn"}})
    answer = client.post(address, json={"decisions": {"e-mail address": "mask"}})

    assert wrong.status_code == 422
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["state"]) == (2, "checking")
    assert answer.json()["decisions"]["e-mail address"]["action"] == "mask"


def test_a_stranger_decides_nothing(web: TestClient, checked: Upload, make: Make) -> None:
    row = checked(DATA)

    assert web.post(f"/datasets/{row.id}/decide", data={"kind-key or token": "mask"}).status_code in (
        302,
        303,
        401,
        403,
    )
    assert web.post(f"/api/v1/datasets/{row.id}/decisions", json={"decisions": {}}).status_code == 401
