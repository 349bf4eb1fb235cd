"""The page of the record: sentences with today's names, filters that travel, and the same as a file."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.audit import routes, service
from app.db import utcnow, writing
from app.users.tables import UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]


@pytest.fixture
def reviewer(people: People, make: Make) -> TestClient:
    return people(make.reviewer("Rita"))


def sentences(page: str) -> list[str]:
    """The entries of a page as texts, without the details."""
    entries = re.findall(r'<li id="entry-\d+">(.*?)<details>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", "", entry).split()).partition("UTC ")[2] for entry in entries]


@pytest.fixture
def acts(make: Make, engine: Engine) -> dict[str, int]:
    """Two people, two assessments, data of the first; ids by name."""
    ben, cora = make.author("Ben"), make.author("Cora")
    first, second = make.assessment(ben, title="Route messages"), make.assessment(cora, title="Write <comments>")
    data = make.dataset(first, ben, train=3, dev=1, test=1)
    with writing(engine) as session:
        for by, act, subject, number, detail in (
            (ben, "assessment.create", "assessment", first.id, {"title": "Route messages"}),
            (ben, "dataset.freeze", "dataset", data.id, {"assessment": first.id, "version": 1}),
            (cora, "assessment.create", "assessment", second.id, {"title": "Write <comments>"}),
            (cora, "token.add", "token", 1, {"name": "=HYPERLINK(1)", "scope": "read"}),
            (None, "share.open", "assessment", first.id, {"label": "@team"}),
        ):
            service.record(session, by, act, subject, number, detail)
    return {"Ben": ben.id, "Cora": cora.id, "first": first.id, "second": second.id, "data": data.id}


def test_entries_read_as_sentences_with_the_names_of_today(reviewer: TestClient, acts: dict[str, int]) -> None:
    page = reviewer.get("/audit").text

    assert sentences(page)[:5] == [
        "The share link “@team” to Route messages was opened for the first time",
        "Cora created the API token =HYPERLINK(1) with the scope read",
        "Cora created Write &lt;comments&gt;",
        "Ben froze the split of pairs.jsonl v1 in Route messages",
        "Ben created Route messages",
    ]
    assert f'href="/datasets/{acts["data"]}"' in page
    assert "Hash chain verified just now." in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("who={Ben}", ["Ben froze the split", "Ben created"]),
        ("who=0", ["The share link"]),
        ("act=assessment.create", ["Cora created Write", "Ben created Route"]),
        ("act=assessment", ["Cora created Write", "Ben created Route"]),
        ("assessment=route+mess", ["The share link", "Ben froze", "Ben created Route"]),
        ("assessment={second}", ["Cora created Write"]),
        ("assessment=nothing+like+it", []),
        ("subject=dataset&subject_id={data}", ["Ben froze"]),
        ("who={Ben}&act=dataset", ["Ben froze"]),
        ("until=2020-01-01", []),
    ],
)
def test_filters(reviewer: TestClient, acts: dict[str, int], query: str, expected: list[str]) -> None:
    page = reviewer.get(f"/audit?{query.format(**acts)}").text
    listed = sentences(page)

    assert len(listed) == len(expected)
    assert all(one.startswith(start) for one, start in zip(listed, expected, strict=True))
    if not expected:
        assert "No entry fits these filters" in page


def test_days_are_days_in_utc_and_both_are_included(reviewer: TestClient, acts: dict[str, int]) -> None:
    today = utcnow().date()
    yesterday = today - timedelta(days=1)

    assert len(sentences(reviewer.get(f"/audit?since={yesterday}&until={utcnow().date()}").text)) >= 5
    assert sentences(reviewer.get(f"/audit?until={yesterday}").text) == []


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("since=tomorrow", "Enter a day as YYYY-MM-DD."),
        ("until=9999-12-31", "Enter a day as YYYY-MM-DD."),
        ("since=2026-02-02&until=2026-02-01", "The last day is before the first."),
    ],
)
def test_a_day_that_is_none_is_said_beside_its_field(reviewer: TestClient, query: str, fault: str) -> None:
    answered = reviewer.get(f"/audit?{query}")

    assert answered.status_code == 200
    assert fault in answered.text
    assert reviewer.get(f"/audit.csv?{query}").status_code == 422


def test_the_pager_and_the_download_keep_the_filters(
    reviewer: TestClient, acts: dict[str, int], engine: Engine, make: Make
) -> None:
    with writing(engine) as session:
        for number in range(routes.PAGE + 2):
            service.record(session, None, "user.sign_in_failed", "user", acts["Ben"], {"from": str(number)})

    page = reviewer.get("/audit?act=user.sign_in_failed").text
    older = re.search(r'rel="next" href="([^"]+)"', page)
    download = re.search(r'href="(/audit\.csv[^"]+)"', page)
    assert older is not None
    assert download is not None

    last = sentences(reviewer.get(f"/audit{older.group(1).replace('&amp;', '&')}").text)
    rows = list(csv.reader(io.StringIO(reviewer.get(download.group(1).replace("&amp;", "&")).text)))
    assert last == ["A sign-in as Ben failed"] * 2
    assert len(rows) == 1 + routes.PAGE + 2


def test_no_cell_of_the_download_is_a_formula(reviewer: TestClient, acts: dict[str, int]) -> None:
    answered = reviewer.get("/audit.csv")
    rows = list(csv.DictReader(io.StringIO(answered.text.removeprefix("\ufeff"))))

    assert "attachment" in answered.headers["content-disposition"]
    assert [row["sentence"] for row in rows][:2] == [
        "The share link “@team” to Route messages was opened for the first time",
        "Cora created the API token =HYPERLINK(1) with the scope read",
    ]
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert rows[3]["object"] == "pairs.jsonl v1"
    assert rows[3]["assessment"] == "Route messages"


def test_who_may_not_read_it_may_not_download_it(people: People, make: Make) -> None:
    author = people(make.author())

    assert author.get("/audit.csv").status_code == 403
    assert author.get("/audit").status_code == 403


def test_programs_filter_too_and_get_the_sentence(reviewer: TestClient, acts: dict[str, int]) -> None:
    answered = reviewer.get("/api/v1/audit", params={"assessment_id": acts["first"], "act": "dataset"}).json()

    assert [entry["sentence"] for entry in answered["data"]] == ["Ben froze the split of pairs.jsonl v1"]
    assert reviewer.get("/api/v1/audit", params={"until": "9999-12-31"}).status_code == 422


def test_an_object_that_is_gone_keeps_its_number(reviewer: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        service.record(session, None, "dataset.freeze", "dataset", 4711, {})

    assert sentences(reviewer.get("/audit").text)[0] == "Tunegate froze the split of data 4711"
