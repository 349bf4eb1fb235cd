"""What changed from one version to the next, by number and row by row."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.blobs import Blobs
from app.datasets import version_changes, versions
from app.datasets.versions import Index
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs

# question -> (answer, place); the empty place is a row that is not used
ROWS = st.dictionaries(
    st.integers(0, 60), st.tuples(st.integers(0, 3), st.sampled_from(("train", "dev", "test", ""))), max_size=40
)
Rows = dict[int, tuple[int, str]]


def index(rows: Rows) -> Index:
    return Index.load(
        versions.pack(
            list(rows),
            [answer for answer, _ in rows.values()],
            [1000 + number for number in rows],
            [versions.PLACES[place] for _, place in rows.values()],
        )
    )


@given(ROWS, ROWS)
def test_every_used_row_is_of_exactly_one_kind(old: Rows, new: Rows) -> None:
    found = versions.compare(index(old), index(new))

    wanted: dict[str, set[int]] = {kind: set() for kind in (*versions.KINDS, "same")}
    for number in old.keys() | new.keys():
        (answer, now), (earlier, before) = new.get(number, (0, "")), old.get(number, (0, ""))
        if number not in old and now:
            wanted["added"].add(number)
        elif number not in new and before:
            wanted["removed"].add(number)
        elif now and before:
            wanted["same" if answer == earlier else "changed"].add(number)
            if answer == earlier and now != before:
                wanted["moved"].add(number)
        elif now or before:
            wanted["used_again" if now else "unused"].add(number)
    assert found.counts() == {kind: len(numbers) for kind, numbers in wanted.items()}
    for kind in versions.KINDS:
        pairs = found.listed(kind, 0, 100)
        assert [max(pair) - 1000 for pair in pairs] == sorted(wanted[kind])
        assert found.listed(kind, 2, 3) == pairs[2:5]


def test_the_used_row_speaks_for_all_that_ask_the_same() -> None:
    packed = versions.pack([5, 5, 5], [1, 2, 3], [10, 11, 12], [versions.UNUSED, 0, 1])

    found = Index.load(packed)

    assert (found.ids.tolist(), found.answers.tolist()) == ([11], [2])


def test_a_version_from_before_there_were_indexes_is_read_from_its_rows(checked: Upload, blobs: Blobs) -> None:
    row = checked(pairs(30) + pairs(5))
    assert row.rows_sha256

    kept = version_changes.index_of(blobs, row.report.index_sha256, row.rows_sha256)
    read = version_changes.index_of(blobs, None, row.rows_sha256)

    assert all(
        np.array_equal(getattr(kept, name), getattr(read, name)) for name in ("keys", "answers", "ids", "places")
    )


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def edited(data: bytes, line: int, answer: str) -> bytes:
    lines = [json.loads(one) for one in data.splitlines()]
    lines[line - 1]["completion"] = answer
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def test_the_difference_is_shown_on_the_page_and_by_the_api(client: TestClient, checked: Upload) -> None:
    first = checked(pairs(60))
    second = checked(edited(pairs(70)[len(pairs(5)) :], 10, "It is something else."))

    assert first.report.changes is None
    changes: Any = second.report_json["changes"]
    assert {name: changes[name] for name in ("since", "added", "removed", "changed", "same", "moved")} == {
        "since": 1,
        "added": 10,
        "removed": 5,
        "changed": 1,
        "same": 54,
        "moved": 0,
    }
    page = client.get(f"/datasets/{second.id}/changes").text
    assert "<del>14</del>" in page
    assert "<ins>something else</ins>" in page
    assert "Since version 1: 10 rows added" in client.get(f"/datasets/{second.id}?tab=versions").text
    told = client.get(f"/api/v1/datasets/{second.id}/changes").json()
    assert told["changed"] == [{"line": 10, "of_line": 15, "target": "It is something else.", "of_target": "It is 14."}]
    assert told["removed"] == [1, 2, 3, 4, 5]
    assert (told["has_more"], len(told["added"])) == (False, 10)
    some = client.get(f"/api/v1/datasets/{second.id}/changes", params={"skip": 8, "limit": 4}).json()
    assert (some["has_more"], some["added"]) == (False, told["added"][8:])
    backwards = client.get(f"/api/v1/datasets/{first.id}/changes", params={"since": 2}).json()
    assert (backwards["added"], backwards["counts"]["removed"]) == ([1, 2, 3, 4, 5], 10)
    assert client.get(f"/api/v1/datasets/{first.id}/changes", params={"since": 9}).status_code == 404
    assert client.get(f"/api/v1/datasets/{first.id}/changes").status_code == 404
    assert "no earlier version" in client.get(f"/datasets/{first.id}/changes").text


def test_a_stranger_sees_no_changes(web: TestClient, checked: Upload) -> None:
    row = checked(pairs(20))

    assert web.get(f"/datasets/{row.id}/changes").status_code in (302, 303, 401)
    assert web.get(f"/api/v1/datasets/{row.id}/changes").status_code == 401
