"""Splitting in another way, through page and API: always a new version, and what may have judged goes on judging."""

import json
from collections.abc import Callable
from hashlib import sha256

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.datasets import decisions_service, job, store, uploads_service
from app.datasets.checks.report_parts import SharedGroups
from app.datasets.split_plan import SplitPlan
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.errors import Conflict, Invalid
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs

SplitBy = Callable[[DatasetRow, str], DatasetRow]


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


@pytest.fixture
def split_by(engine: Engine, queue: job_engine.Client, me: UserRow, claimed: Callable[[DatasetRow], Claim]) -> SplitBy:
    def run(row: DatasetRow, plan: str) -> DatasetRow:
        with writing(engine) as session:
            jobs.bind(session, queue)
            after = decisions_service.split_by(session, row.id, me, plan)
        job.check(claimed(after))
        with reading(engine) as session:
            return store.get(session, after.id)

    return run


def marked(number: int, mark: Callable[[int], dict[str, object]], start: int = 0) -> bytes:
    lines = pairs(number, start).splitlines()
    return b"".join(json.dumps({**json.loads(line), **mark(n)}).encode() + b"\n" for n, line in enumerate(lines, start))


def places(blobs: Blobs, row: DatasetRow) -> dict[str, str]:
    """Question -> train, dev or test."""
    assert row.rows_sha256
    lines = [json.loads(line) for line in blobs.path(row.rows_sha256).read_text().splitlines()]
    return {line["messages"][0]["content"]: line["split"] for line in lines}


def test_by_time_the_newest_rows_judge(checked: Upload, split_by: SplitBy, blobs: Blobs) -> None:
    row = checked(marked(100, lambda n: {"date": f"2024-0{1 + (n * 7) % 9}-{10 + n % 18}"}))

    after = split_by(row, "time")

    assert (after.version, after.report.split.by, after.report.split.times) == (2, "time", 100)
    assert after.rows_sha256 != row.rows_sha256


def test_appended_rows_move_nothing_whatever_the_way(checked: Upload, split_by: SplitBy, blobs: Blobs) -> None:
    first = split_by(checked(pairs(60)), "time")
    before = places(blobs, first)

    second = checked(pairs(100))

    after = places(blobs, second)
    assert second.report.split.by == "time"
    assert {asked: after[asked] for asked in before} == before
    assert sum(1 for asked, split in after.items() if split == "test" and asked not in before) == 12


def test_test_rows_of_a_frozen_split_stay_test_rows(
    checked: Upload, split_by: SplitBy, blobs: Blobs, engine: Engine, me: UserRow
) -> None:
    row = checked(pairs(60))
    with writing(engine) as session:
        uploads_service.freeze(session, row.id, me)
    judged = {asked for asked, split in places(blobs, row).items() if split == "test"}

    after = split_by(row, "time")

    assert judged <= {asked for asked, split in places(blobs, after).items() if split == "test"}
    assert after.frozen_at is None


def test_groups_in_the_file_are_kept_whole(checked: Upload, blobs: Blobs) -> None:
    row = checked(marked(120, lambda n: {"group": f"customer {n % 15}"}))

    sides: dict[int, set[str]] = {}
    for asked, split in places(blobs, row).items():
        number = next(n for n in range(120) if json.loads(pairs(1, n))["prompt"] == asked)
        sides.setdefault(number % 15, set()).add(split)

    assert (row.report.split.by, row.report.split.groups) == ("group", 15)
    assert all(len(one) == 1 for one in sides.values())
    assert set.union(*sides.values()) == {"train", "dev", "test"}


def test_the_files_own_column_is_followed(checked: Upload, split_by: SplitBy, blobs: Blobs) -> None:
    row = checked(marked(100, lambda n: {"split": "test" if n < 25 else "validation" if n < 40 else "train"}))

    assert row.report.split.by == "column"
    assert (row.train_rows, row.dev_rows, row.test_rows) == (60, 15, 25)
    assert split_by(row, "random").report.split.by == "random"


def test_what_cannot_be_done_is_said(
    checked: Upload, split_by: SplitBy, engine: Engine, me: UserRow, assessment: AssessmentRow
) -> None:
    row = checked(pairs(60))
    with pytest.raises(Invalid):
        split_by(row, "column")
    with pytest.raises(Invalid):
        split_by(row, "moon")
    with pytest.raises(Conflict, match="already"):
        split_by(row, "random")
    own = checked(pairs(60), test=pairs(20, start=60))
    with pytest.raises(Conflict, match="Version 2 counts now"):
        split_by(row, "time")
    with pytest.raises(Conflict, match="file of your own"):
        split_by(own, "time")


def test_page_and_api(client: TestClient, checked: Upload, engine: Engine) -> None:
    row = checked(pairs(60))
    page = client.get(f"/datasets/{row.id}?tab=split").text
    assert "Split strategy" in page
    assert "How many test rows other gaps need" in page
    assert "points</b>" in page

    assert client.post(f"/api/v1/datasets/{row.id}/split", json={"by": "moon"}).status_code == 422
    answer = client.post(f"/datasets/{row.id}/split", data={"by": "time"})

    assert answer.status_code == 303
    with reading(engine) as session:
        newest = store.newest(session, row.assessment_id)
        assert newest is not None
        assert (newest.version, newest.split_plan) == (2, SplitPlan(by="time", fresh=True))


def test_a_stranger_splits_nothing(web: TestClient, checked: Upload) -> None:
    row = checked(pairs(20))

    assert web.post(f"/datasets/{row.id}/split", data={"by": "time"}).status_code in (302, 303, 401, 403)
    assert web.post(f"/api/v1/datasets/{row.id}/split", json={"by": "time"}).status_code == 401


def test_the_manifest_says_what_the_rows_are_and_never_changes(
    client: TestClient, checked: Upload, split_by: SplitBy, blobs: Blobs, engine: Engine, me: UserRow
) -> None:
    row = checked(pairs(60))
    with writing(engine) as session:
        uploads_service.freeze(session, row.id, me)
    sent = client.get(f"/datasets/{row.id}/manifest").content

    split_by(row, "time")
    checked(pairs(80))

    taken = client.get(f"/api/v1/datasets/{row.id}/manifest")
    assert taken.content == sent
    assert taken.headers["content-disposition"] == f'attachment; filename="dataset-{row.id}-split.jsonl"'
    assert taken.headers["content-security-policy"].startswith("sandbox;")
    with reading(engine) as session:
        kept = store.get(session, row.id)
    assert (kept.split_sha256, kept.rows_sha256) == (sha256(sent).hexdigest(), row.rows_sha256)
    # The same from the uploaded lines, by a few lines of another hand.
    first, *entries = [json.loads(line) for line in sent.splitlines()]
    assert first == {"seed": row.seed, "version": 1}
    uploaded = [json.loads(line) for line in pairs(60).splitlines()]
    for entry in entries:
        pair = uploaded[entry["line"] - 1]
        text = json.dumps(
            {"messages": [{"content": pair["prompt"], "role": "user"}], "target": pair["completion"]},
            separators=(",", ":"),
            ensure_ascii=False,
        )
        assert entry["content"] == sha256(text.encode()).hexdigest()
    assert sorted(entry["line"] for entry in entries) == list(range(1, 61))


def test_a_row_that_judged_long_ago_judges_again(checked: Upload, blobs: Blobs, engine: Engine, me: UserRow) -> None:
    first = checked(pairs(60))
    with writing(engine) as session:
        uploads_service.freeze(session, first.id, me)
    judged = {asked for asked, split in places(blobs, first).items() if split == "test"}
    checked(pairs(60, start=60))  # all of them are gone

    again = checked(pairs(90))

    assert judged <= {asked for asked, split in places(blobs, again).items() if split == "test"}


def test_rows_whose_group_judges_are_left_out_until_a_person_says_otherwise(
    client: TestClient,
    checked: Upload,
    engine: Engine,
    queue: job_engine.Client,
    claimed: Callable[[DatasetRow], Claim],
) -> None:
    data = marked(100, lambda n: {"group": f"customer {n % 20}"})
    row = checked(data, test=marked(10, lambda n: {"group": f"customer {n % 2}"}, start=200))

    assert row.report.split.shared == SharedGroups(10, left_out=True, default=True)
    step = row.report.waterfall[-2]
    assert (step.step, step.count, step.dropped, step.status) == ("of_other_groups", 90, 10, "test_group")
    page = client.get(f"/datasets/{row.id}?tab=split").text
    assert "Use these 10 rows all the same" in page
    assert "Its group stands in the test file too." in client.get(f"/datasets/{row.id}/rows?status=test_group").text
    assert client.post(f"/api/v1/datasets/{row.id}/shared-groups", json={"leave_out": True}).status_code == 409
    assert client.post(f"/datasets/{row.id}/shared-groups", data={}).status_code == 303
    with reading(engine) as session:
        waiting = store.newest(session, row.assessment_id)
    assert waiting is not None
    job.check(claimed(waiting))
    with reading(engine) as session:
        used = store.get(session, waiting.id)
    assert used.report.split.shared == SharedGroups(10, left_out=False, default=False)
    assert (used.usable_rows, used.report.split.group_overlap) == (100, 10)
    assert "Leave out the 10 rows whose group is in the test file" in client.get(f"/datasets/{used.id}?tab=split").text


def test_a_group_that_takes_most_rows_is_asked_about_first(checked: Upload) -> None:
    data = marked(100, lambda n: {"group": f"department {n % 3}"})

    row = checked(data, test=marked(10, lambda n: {"group": f"department {n % 2}"}, start=200))

    assert row.report.split.shared == SharedGroups(67, left_out=False, default=True)


def test_why_rows_cannot_be_split_is_said(client: TestClient, checked: Upload) -> None:
    one = checked(marked(60, lambda n: {"group": f"all of {n % 1}"}))
    few = checked(pairs(3))

    assert (one.state, few.state) == ("rejected", "rejected")
    assert "60 usable rows into 1 group" in client.get(f"/datasets/{one.id}").text
    assert "upload at least 4 different ones" in client.get(f"/datasets/{few.id}").text


def test_a_group_that_is_the_label_is_told(client: TestClient, checked: Upload) -> None:
    colours = [f"colour {n}" for n in range(5)]
    data = marked(100, lambda n: {"completion": colours[n % 5], "group": colours[n % 5]})

    row = checked(data)

    assert row.report.task == "labels"
    assert row.report.split.untaught
    assert row.report.split.untaught.labels > 0
    page = client.get(f"/datasets/{row.id}?tab=split").text
    assert "a label that no training row has" in page
    assert "If the group column goes with the label" in page


def test_an_older_version_is_only_read(client: TestClient, checked: Upload, engine: Engine, me: UserRow) -> None:
    old = checked(pairs(60))
    with writing(engine) as session:
        uploads_service.freeze(session, old.id, me)
    before = [client.get(f"/datasets/{old.id}/{one}").content for one in ("manifest", "export")]
    new = checked(pairs(90))

    assert [client.get(f"/datasets/{old.id}/{one}").content for one in ("manifest", "export")] == before
    page = client.get(f"/datasets/{old.id}").text
    assert "to be read only" in page
    assert f"/datasets/{new.id}/changes?since=1" in page
    assert "Confirm" not in page
    assert client.patch(f"/api/v1/datasets/{old.id}", json={"human_checked": True}).status_code == 409
    assert client.get(f"/datasets/{old.id}/rows").status_code == 200
