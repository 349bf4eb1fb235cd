"""From a number to the rows behind it: filters, one row, labels, groups; on both databases where SQL does the work."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert

from app.assessments.tables import AssessmentRow
from app.datasets import group_store, store
from app.datasets.store import RowFilter
from app.datasets.tables import ExampleRow
from app.db import make_engine, reading, writing
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs
from tests.support.factories import Make
from tests.support.loose import loose


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def text(client: TestClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


def labelled(number: int) -> bytes:
    names = ["Refund", "refund", "lost card", "rate"]
    rows = [{"prompt": f"question {n * 7919} of kind {n}", "completion": names[n % 4]} for n in range(number)]
    return "\n".join(json.dumps(row) for row in rows).encode()


def test_a_line_number_leads_to_its_row(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(30) + b"broken\n", pairs(8, 500))

    jump = client.get(f"/datasets/{row.id}/rows?line=1,234")
    in_test = client.get(f"/datasets/{row.id}/rows?line=3&file=test")

    assert (jump.status_code, jump.headers["location"]) == (303, f"/datasets/{row.id}/rows/1234")
    assert in_test.headers["location"] == f"/datasets/{row.id}/rows/3?file=test"
    assert "test set: for evaluation only" in text(client, f"/datasets/{row.id}/rows/3?file=test")
    assert "The line is not JSON" in text(client, f"/datasets/{row.id}/rows/31")
    assert client.get(f"/datasets/{row.id}/rows/1234").status_code == 404
    assert "Next row" not in text(client, f"/datasets/{row.id}/rows/31")


def test_what_the_report_counts_is_counted_to_the_end(client: TestClient, checked: Upload, engine: Engine) -> None:
    row = checked(pairs(40))
    with writing(engine) as session:
        found = store.get(session, row.id)
        steps = [
            one | ({"dropped": 23_456} if one["status"] == "duplicate" else {})
            for one in loose(found.report_json["waterfall"])
        ]
        found.report_json = found.report_json | {
            "uploaded": 123_456,
            "waterfall": steps,
            "labels": [{"label": "lost card", "rows": 34_567}],
        }

    uploaded = text(client, f"/datasets/{row.id}/rows?file=upload")
    repeats = text(client, f"/datasets/{row.id}/rows?file=upload&status=duplicate")
    labelled = text(client, f"/datasets/{row.id}/rows?label=lost+card")

    assert "34,567 rows" in labelled
    assert "123,456 rows" in uploaded
    assert "23,456 rows" in repeats
    assert "More than" not in uploaded + repeats


def test_rows_of_two_files_name_both_and_say_what_is_odd(client: TestClient, checked: Upload) -> None:
    refusal = {"prompt": "Draw me a bridge over the river.", "completion": "I'm sorry, but as an AI I can't draw."}
    row = checked(pairs(40) + json.dumps(refusal).encode() + b"\n", pairs(8, 500))

    rows, one = text(client, f"/datasets/{row.id}/rows"), text(client, f"/datasets/{row.id}/rows/41")

    assert f"Rows of {row.filename} and {row.test_filename}" in rows
    assert "The answer declines to answer." in one


def test_two_alike_stand_beside_each_other_with_what_differs(client: TestClient, checked: Upload) -> None:
    rows = pairs(29).splitlines()
    asked = "Please say in a few words how the old stone bridge over the river below the castle was {} by hand."
    built, made = (
        json.dumps({"prompt": asked.format(word), "completion": "Stone by stone, over forty years."}).encode()
        for word in ("built", "made")
    )
    row = checked(b"\n".join([*rows, built, made, rows[7]]))

    page = text(client, f"/datasets/{row.id}/rows/32")

    assert "Asks the same as line 8." in page
    assert "1 other row" in page
    assert f'href="/datasets/{row.id}/rows/8"' in page
    assert "<del>" not in page
    page = text(client, f"/datasets/{row.id}/rows/31")
    assert "<del>made</del>" in page
    assert "<ins>built</ins>" in page


def test_labels_are_found_narrowed_and_ordered(client: TestClient, checked: Upload) -> None:
    row = checked(labelled(203))

    page = text(client, f"/datasets/{row.id}/labels")
    found = text(client, f"/datasets/{row.id}/labels?q=CARD")
    names = text(client, f"/datasets/{row.id}/labels?order=name")
    rows = text(client, f"/datasets/{row.id}/rows?label=lost+card")

    assert "also written refund" in page
    assert ("1 label<" in found, "rate" in found.split("<table")[1]) == (True, False)
    assert names.index(">lost card<") < names.index(">rate<") < names.index(">Refund<")
    assert ("51 rows" in rows, "lost card" in rows) == (True, True)
    assert "are not labels" in text(client, f"/datasets/{checked(pairs(40)).id}/labels")


def test_labels_of_a_large_set_are_not_counted_for_the_page(
    client: TestClient, checked: Upload, engine: Engine
) -> None:
    row = checked(labelled(203))
    with writing(engine) as session:
        found = store.get(session, row.id)
        found.report_json = found.report_json | {"uploaded": 1_000_000}

    page = text(client, f"/datasets/{row.id}/labels")

    assert "This set is large" in page
    assert f'href="/datasets/{row.id}/rows?label=lost+card&amp;split=train">rows</a>' in page


def test_the_api_narrows_rows_as_the_pages_do(client: TestClient, checked: Upload) -> None:
    row = checked(labelled(203), pairs(6))
    address = f"/api/v1/datasets/{row.id}/rows"

    def lines(query: str) -> list[int]:
        return [one["line"] for one in client.get(f"{address}?limit=500&{query}").json()["data"]]

    assert len(lines("label=lost%20card")) == 51
    assert lines("file=test") == [1, 2, 3, 4, 5, 6]
    assert len(lines("split=train-dev&file=upload")) == row.usable_rows
    assert lines("cluster=2147483647") == []
    assert client.get(f"{address}?label=%00").status_code == 422
    assert client.get(f"{address}?file=other").status_code == 422


def test_a_remark_leads_to_all_its_rows(client: TestClient, checked: Upload) -> None:
    rows = [*pairs(60).splitlines()]
    for n in range(55):
        said = {
            "prompt": f"Explain the matter of {n * 7919} to me",
            "completion": "I'm sorry, but I can't help with that.",
        }
        rows.append(json.dumps(said).encode())
    rows += pairs(200, 1000).splitlines()
    row = checked(b"\n".join(rows))

    report = text(client, f"/datasets/{row.id}")
    found = text(client, f"/datasets/{row.id}/rows?remark=refusal")

    assert "55 rows look suspicious: the answer is a refusal." in report
    assert f'href="/datasets/{row.id}/rows?remark=refusal">55</a>' in report
    assert '<p class="soft" id="total">55 rows</p>' in found
    assert "rows with this remark: <b>the answer is a refusal</b>" in found
    assert "Line 61" in found
    assert "0 rows" in text(client, f"/datasets/{row.id}/rows?remark=unheard+of")
    listed = f"/api/v1/datasets/{row.id}/rows?limit=500"
    assert len(client.get(f"{listed}&remark=refusal").json()["data"]) == 55
    assert client.get(f"{listed}&remark=unheard+of").status_code == 422


def test_each_bar_of_the_lengths_leads_to_as_many_rows(client: TestClient, checked: Upload) -> None:
    rows = [{"prompt": f"{n} " + "word " * (n % 9 * n), "completion": "yes, it is"} for n in range(40)]
    row = checked("\n".join(json.dumps(one) for one in rows).encode() + b"\n{")
    bars = [bar for bar in row.report.lengths.histogram if bar.rows]
    report = text(client, f"/datasets/{row.id}")

    for bar in bars:
        address = f"/datasets/{row.id}/rows?status=usable&amp;size_from={bar.least}&amp;size_to={bar.most}"
        assert report.count(f'<a href="{address}"') == 2  # the column, and the number in the table
        page = text(client, address.replace("&amp;", "&"))
        assert f'id="total">{bar.rows} row' in page
        assert f"rows of {bar.least:,} to {bar.most:,} characters, the shortest first" in page
    assert len(bars) > 3
    api = client.get(f"/api/v1/datasets/{row.id}/rows?size_from={bars[-1].least}").json()["data"]
    assert [len(one["messages"][0]["content"]) + 10 for one in api] == [one["size"] for one in api]
    assert len(api) == bars[-1].rows


ODD = (
    "?page=1000000",
    "?status=%00",
    "?label=" + "x" * 1000,
    "?cluster=9007199254740992",
    "?line=abc",
    "?line=99999999999999999999",
    "?split=no-such",
    "?file=no-such",
    "?size_from=99999999999999999999&size_to=-1",
    "?size_from=10&size_to=x&label=y",
    "?q=%25_%5C%22%27&page=3",
    "?q=%F0%9F%98%80&cluster=1",
    "?label=%F0%9F%98%80&cluster=1&status=usable&split=train&file=upload&remark=error",
)


def test_odd_filters_find_nothing_and_break_nothing(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(30))

    for query in ODD:
        assert client.get(f"/datasets/{row.id}/rows{query}").status_code in (200, 303, 422), query
    assert client.get(f"/datasets/{row.id}/labels?q=%00&order=x&page=9").status_code == 422
    assert client.get(f"/datasets/{row.id}/clusters?size=2&least=99&page=999").status_code == 200


def test_a_stranger_sees_none_of_it(web: TestClient, checked: Upload) -> None:
    row = checked(pairs(30))

    for page in ("rows", "rows/1", "labels", "clusters"):
        assert web.get(f"/datasets/{row.id}/{page}").status_code in (302, 303, 401), page


def test_pasted_rows_are_an_upload_like_any_other(
    client: TestClient, assessment: AssessmentRow, engine: Engine
) -> None:
    address = f"/assessments/{assessment.id}/data"
    both = client.post(address, files={"file": ("a.jsonl", b"{}"), "pasted": (None, "<b>mine</b>")})
    far_too_much = client.post(address, files={"file": ("a.jsonl", b"{}"), "pasted": (None, "z" * 300_000)})
    good = client.post(address, files={"file": ("", b""), "pasted": (None, pairs(3).decode())})

    assert (both.status_code, far_too_much.status_code, good.status_code) == (422, 422, 303)
    assert "&lt;b&gt;mine&lt;/b&gt;" in both.text
    assert len(far_too_much.text) < 100_000
    with reading(engine) as session:
        row = store.newest(session, assessment.id)
    assert row is not None
    assert (row.version, row.filename, row.bytes) == (1, "pasted rows", len(pairs(3)))


# ---------------------------------------------------------------- the queries, on both databases
def filled(settings: Settings) -> tuple[Engine, int]:
    """20 rows: two clusters, of 3 and of 2; two faults; two test rows of the own file."""
    engine = make_engine(settings.url)
    make = Make(engine, settings)
    me = make.author()
    dataset = make.dataset(make.assessment(me), me, train=0, dev=0, test=0)
    values = [
        {
            "dataset_id": dataset.id,
            "file": 1 if n >= 18 else 0,
            "line": n + 1 if n < 18 else n - 17,
            "status": "fault" if n in (4, 5) else "near_duplicate" if n in (7, 8, 11) else "usable",
            "split": "" if n in (4, 5, 7, 8, 11) else "test" if n >= 18 else "dev" if n % 5 == 0 else "train",
            "cluster": 6 if n in (6, 7, 8) else 10 if n in (10, 11) else None,
            "messages": [{"role": "user", "content": f"question {n}"}],
            "target": f"label {n % 3}" if n != 17 else "long " * 20,
            "size": 30 - n if n else None,
            "marks": n % 4,
        }
        for n in range(20)
    ]
    with writing(engine) as session:
        session.execute(insert(ExampleRow), values)
    return engine, dataset.id


@pytest.mark.parametrize(
    ("only", "lines"),
    [
        (RowFilter(), [*range(1, 19), 1, 2]),
        (RowFilter(status="fault"), [5, 6]),
        (RowFilter(split="test"), [1, 2]),
        (RowFilter(split="train-dev", file="upload", label="label 0"), [1, 4, 7, 10, 13, 16]),
        (RowFilter(status="usable", file="test"), [1, 2]),
        (RowFilter(cluster=6), [7, 8, 9]),
        (RowFilter(lines=[3, 99, 1]), [1, 3]),
        (RowFilter(lines=[]), []),
        (RowFilter(status="usable", size_from=14, size_to=18), [17, 16, 15, 14, 13]),
        (RowFilter(size_from=25, split="train-dev"), [4, 3, 2]),
        (RowFilter(size_to=12), [2, 1]),
        (RowFilter(label="long " * 20), [18]),
        (RowFilter(label="label 0", status="near_duplicate", mark=2), []),
        (RowFilter(label="label 2", status="near_duplicate", mark=2), [12]),
        (RowFilter(mark=1, status="usable"), [2, 4, 10, 14, 16, 18, 2]),
    ],
)
def test_rows_are_narrowed(either: Settings, only: RowFilter, lines: list[int]) -> None:
    engine, dataset_id = filled(either)
    with reading(engine) as session:
        found = store.page_of(session, dataset_id, only, skip=0, limit=50)
        part = store.page_of(session, dataset_id, only, skip=1, limit=1)
        number = store.number_of(session, dataset_id, only, most=50)
        capped = store.number_of(session, dataset_id, only, most=2)
    engine.dispose()

    assert [row.line for row in found] == lines
    assert [row.line for row in part] == lines[1:2]
    assert (number, capped) == (len(lines), min(len(lines), 2))


def test_groups_come_largest_first_with_their_first_rows(either: Settings) -> None:
    engine, dataset_id = filled(either)
    with reading(engine) as session:

        def of(size: int | None = None, least: int = 2, skip: int = 0) -> list[tuple[int, int, list[int]]]:
            found = group_store.groups(session, dataset_id, size=size, least=least, skip=skip, limit=9, rows_each=2)
            return [(one.number, one.size, [row.line for row in one.rows]) for one in found]

        assert of() == [(6, 3, [7, 8]), (10, 2, [11, 12])]
        assert of(size=2) == [(10, 2, [11, 12])]
        assert of(least=3) == [(6, 3, [7, 8])]
        assert of(skip=1) == [(10, 2, [11, 12])]
        row = store.at_line(session, dataset_id, 0, 8)
        assert [one.line for one in store.alike(session, row, 9)] == [7, 9]
        assert store.beside(session, row) == (7, 9)
        assert store.beside(session, store.at_line(session, dataset_id, 1, 1)) == (None, 2)
        assert store.by_status(session, dataset_id, ["fault", "empty"]) == {"fault": 2}
        assert ("label 0", "dev", 2) in store.label_counts(session, dataset_id)
    engine.dispose()
