"""Splitting in another way, through page and API: always a new version, and what may have judged goes on judging."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.datasets import job, service, store
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.errors import Conflict, Invalid
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.users.tables import UserRow
from tests.datasets.examples import pairs

Upload = Callable[..., DatasetRow]
SplitBy = Callable[[DatasetRow, str], DatasetRow]


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


@pytest.fixture
def split_by(engine: Engine, line: job_engine.Client, me: UserRow, claimed: Callable[[DatasetRow], Claim]) -> SplitBy:
    def run(row: DatasetRow, plan: str) -> DatasetRow:
        with writing(engine) as session:
            jobs.bind(session, line)
            after = service.split_by(session, row.id, me, plan)
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

    assert (after.version, after.report["split"]["by"], after.report["split"]["times"]) == (2, "time", 100)
    assert after.rows_sha256 != row.rows_sha256


def test_appended_rows_move_nothing_whatever_the_way(checked: Upload, split_by: SplitBy, blobs: Blobs) -> None:
    first = split_by(checked(pairs(60)), "time")
    before = places(blobs, first)

    second = checked(pairs(100))

    after = places(blobs, second)
    assert second.report["split"]["by"] == "time"
    assert {asked: after[asked] for asked in before} == before
    assert sum(1 for asked, split in after.items() if split == "test" and asked not in before) == 12


def test_test_rows_of_a_frozen_split_stay_test_rows(
    checked: Upload, split_by: SplitBy, blobs: Blobs, engine: Engine, me: UserRow
) -> None:
    row = checked(pairs(60))
    with writing(engine) as session:
        service.freeze(session, row.id, me)
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

    assert (row.report["split"]["by"], row.report["split"]["groups"]) == ("group", 15)
    assert all(len(one) == 1 for one in sides.values())
    assert set.union(*sides.values()) == {"train", "dev", "test"}


def test_the_files_own_column_is_followed(checked: Upload, split_by: SplitBy, blobs: Blobs) -> None:
    row = checked(marked(100, lambda n: {"split": "test" if n < 25 else "validation" if n < 40 else "train"}))

    assert row.report["split"]["by"] == "column"
    assert (row.train_rows, row.dev_rows, row.test_rows) == (60, 15, 25)
    assert split_by(row, "random").report["split"]["by"] == "random"


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
    with pytest.raises(Conflict, match="Another version"):
        split_by(row, "time")
    with pytest.raises(Conflict, match="file of your own"):
        split_by(own, "time")


def test_page_and_api(client: TestClient, checked: Upload, engine: Engine) -> None:
    row = checked(pairs(60))
    page = client.get(f"/datasets/{row.id}").text
    assert "Split in another way" in page
    assert "How many test rows other gaps need" in page
    assert "points</b> apart to be told apart" in page

    assert client.post(f"/api/v1/datasets/{row.id}/split", json={"by": "moon"}).status_code == 422
    answer = client.post(f"/datasets/{row.id}/split", data={"by": "time"})

    assert answer.status_code == 303
    with reading(engine) as session:
        newest = store.newest(session, row.assessment_id)
        assert newest is not None
        assert (newest.version, newest.split_plan) == (2, {"by": "time", "fresh": True})


def test_a_stranger_splits_nothing(web: TestClient, checked: Upload) -> None:
    row = checked(pairs(20))

    assert web.post(f"/datasets/{row.id}/split", data={"by": "time"}).status_code in (302, 303, 401, 403)
    assert web.post(f"/api/v1/datasets/{row.id}/split", json={"by": "time"}).status_code == 401
