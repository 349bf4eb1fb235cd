"""What changed from one version to the next, by number and row by row."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.datasets import versions
from app.datasets.tables import DatasetRow
from app.users.tables import UserRow
from tests.datasets.examples import pairs

Upload = Callable[..., DatasetRow]
ROWS = st.dictionaries(st.integers(0, 60), st.integers(0, 3), max_size=40)


def used(rows: dict[int, int], split: str = "train") -> list[bytes]:
    return [
        json.dumps(
            {
                "id": 1000 + number,
                "line": number + 1,
                "split": split,
                "messages": [{"role": "user", "content": f"question {number}"}],
                "target": f"answer {answer}",
            }
        ).encode()
        for number, answer in rows.items()
    ]


@given(ROWS, ROWS)
def test_every_row_is_counted_once(old: dict[int, int], new: dict[int, int]) -> None:
    found = versions.compare(used(old), used(new), 3)

    shared = old.keys() & new.keys()
    changed = sorted(number for number in shared if old[number] != new[number])
    assert found["since"] == 3
    assert (found["added"], found["removed"]) == (len(new.keys() - old.keys()), len(old.keys() - new.keys()))
    assert (found["changed"], found["same"]) == (len(changed), len(shared) - len(changed))
    assert found["moved"] == 0
    assert found["rows"]["added"] == sorted(1000 + number for number in new.keys() - old.keys())
    assert found["rows"]["changed"] == [[1000 + number, 1000 + number] for number in changed]


def test_rows_in_another_part_are_counted() -> None:
    rows = dict.fromkeys(range(10), 0)

    assert versions.compare(used(rows), used(rows, "test"), 1)["moved"] == 10


def test_only_the_first_rows_are_kept_and_all_are_counted() -> None:
    found = versions.compare([], used(dict.fromkeys(range(500), 0)), 1)

    assert (found["added"], len(found["rows"]["added"])) == (500, versions.KEPT)


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

    assert first.report["changes"] is None
    assert {
        name: second.report["changes"][name] for name in ("since", "added", "removed", "changed", "same", "moved")
    } == {
        "since": 1,
        "added": 10,
        "removed": 5,
        "changed": 1,
        "same": 54,
        "moved": 0,
    }
    page = client.get(f"/datasets/{second.id}/changes").text
    assert "It is something else." in page
    assert "It is 14." in page
    assert "Since version 1: 10 rows added" in client.get(f"/datasets/{second.id}").text
    told = client.get(f"/api/v1/datasets/{second.id}/changes").json()
    assert told["changed"] == [{"line": 10, "of_line": 15, "target": "It is something else.", "of_target": "It is 14."}]
    assert told["removed"] == [1, 2, 3, 4, 5]
    assert client.get(f"/api/v1/datasets/{first.id}/changes").status_code == 404
    assert "no earlier version" in client.get(f"/datasets/{first.id}/changes").text


def test_a_stranger_sees_no_changes(web: TestClient, checked: Upload) -> None:
    row = checked(pairs(20))

    assert web.get(f"/datasets/{row.id}/changes").status_code in (302, 303, 401)
    assert web.get(f"/api/v1/datasets/{row.id}/changes").status_code == 401
