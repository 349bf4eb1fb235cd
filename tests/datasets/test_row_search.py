"""Words are found in rows as people may read them, on both databases; contradicting rows stand side by side."""

import json
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert

from app.datasets import row_search
from app.datasets.pages import row_text
from app.datasets.store import RowFilter
from app.datasets.tables import ExampleRow
from app.db import make_engine, reading, writing
from app.privacy import masking
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs
from tests.support.factories import Make

MASKED = masking.masker({})


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def text(client: TestClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.text.split())


TEXTS = (
    ("Where is my parcel?", "delivery"),
    ("PARCEL lost in 100% of cases", "lost_parcel"),
    ("Wo ist die Straße nach Übersee?", "weg"),
    ('He said "no way"\nand left', "quote"),
    ("Write to amy.miller@acme-corp.com", "contact"),
    ("user role content", "words of the frame"),
)


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("parcel", [1, 2]),
        ("Lost_Parcel", [2]),
        ("100%", [2]),
        ("%", [2]),
        ("ÜBERSEE", [3]),
        ("straße nach ü", [3]),
        ('"no way"', [4]),
        ("contact", [5]),
        ("Write to", [5]),
        ("acme-corp", []),
        ("amy.miller@acme-corp.com", []),
        ("user", [6]),
        ("role", [6]),
        ("nothing like it", []),
    ],
)
def test_words_are_found_where_they_may_be_read(either: Settings, words: str, lines: list[int]) -> None:
    engine = make_engine(either.url)
    make = Make(engine, either)
    me = make.author()
    dataset = make.dataset(make.assessment(me), me, train=0, dev=0, test=0)
    values = [
        {
            "dataset_id": dataset.id, "file": 0, "line": line, "status": "usable", "split": "train", "target": target,
            "messages": [{"role": "user", "content": question}], "marks": 0,
        }
        for line, (question, target) in enumerate(TEXTS, start=1)
    ]  # fmt: skip
    with writing(engine) as session:
        session.execute(insert(ExampleRow), values)
    with reading(engine) as session:
        found = row_search.search(session, dataset.id, RowFilter(), words, MASKED)
        rows = row_search.page_of(session, found, skip=0, limit=50)
        none = row_search.search(session, dataset.id, RowFilter(split="test"), words, MASKED)
        first = row_search.search(session, dataset.id, RowFilter(), words, MASKED, most=1)
    engine.dispose()

    assert [row.line for row in rows] == lines
    assert (found.whole, list(none.ids)) == (True, [])
    assert list(first.ids) == list(found.ids)[:1]


def test_what_is_hidden_is_not_found_and_what_is_kept_is(client: TestClient, checked: Upload) -> None:
    mail = "amy.miller@acme-corp.com"
    row = checked(pairs(60) + json.dumps({"prompt": f"Who is {mail}?", "completion": "Our contact."}).encode())
    address, api = f"/datasets/{row.id}/rows?q=", f"/api/v1/datasets/{row.id}/rows?q="

    for words in (mail, "amy", "acme-corp", "iller@ac"):
        page = text(client, address + words)
        assert 'id="total">0 rows' in page
        assert "Values that are hidden can't be searched for." in page
        assert client.get(api + words).json() == {"data": [], "has_more": False, "next_after": None}
    found = text(client, address + "OUR+contact")
    assert 'id="total">1 row<' in found
    assert '<mark class="sought">Our contact</mark>' in found
    assert mail not in found
    assert [one["line"] for one in client.get(api + "our+contact").json()["data"]] == [61]
    client.post(f"/datasets/{row.id}/decide", data={"kind-e-mail address": "attest", "reason": "Made up"})
    assert 'id="total">1 row<' in text(client, address + "amy")


def test_a_search_is_bounded_and_says_so(client: TestClient, checked: Upload, engine: Engine) -> None:
    row = checked(pairs(60))
    api = f"/api/v1/datasets/{row.id}/rows?q=describe"
    many = [
        {
            "dataset_id": row.id, "file": 0, "line": line, "status": "usable", "split": "train", "target": "x",
            "messages": [{"role": "user", "content": f"Describe number {line}"}], "marks": 0,
        }
        for line in range(100, 1100)
    ]  # fmt: skip
    with writing(engine) as session:
        session.execute(insert(ExampleRow), many)
    with reading(engine) as session:
        some = row_search.search(session, row.id, RowFilter(), "describe", MASKED, look_at=30)

    page = text(client, f"/datasets/{row.id}/rows?q=describe&page=40")
    first = client.get(f"{api}&limit=10").json()
    rest = client.get(f"{api}&limit=50&after={first['next_after']}").json()

    assert (len(some.ids), some.looked, some.whole, some.last) == (30, 30, False, some.ids[-1])
    assert 'id="total">More than 1,000 rows' in page
    assert "The search stopped at 1,000 rows." in page
    assert "40 of 40" in page
    assert (len(first["data"]), first["has_more"], first["next_after"]) == (10, True, first["data"][-1]["id"])
    assert ([one["line"] for one in rest["data"]][:2], len(rest["data"])) == ([11, 12], 50)
    narrowed = text(client, f"/datasets/{row.id}/rows?q=describe&split=test&page=1")
    assert 'id="total">18 rows' in narrowed


def test_the_beginning_of_a_text_reaches_to_what_was_looked_for() -> None:
    long = "word " * 60 + "and the Needle in it" + " more" * 60

    def told(words: str, most: int = 80) -> list[tuple[str, bool]]:
        return [(piece.text, piece.marked) for piece in row_text.pieces(long, words, most)]

    assert told("")[0] == (long[:80], False)
    assert ("Needle", True) in told("needle")
    assert told("needle")[0] == ("\N{HORIZONTAL ELLIPSIS}", False)
    assert told("absent") == told("")
    assert row_text.pieces("aXbX", "x", 9) == [
        row_text.Piece("a"), row_text.Piece("X", marked=True), row_text.Piece("b"), row_text.Piece("X", marked=True),
    ]  # fmt: skip


def clashes(number: int) -> bytes:
    """Questions that stand there twice with other labels, the second ones far behind the first."""
    labels = ("refund", "card lost", "rate")
    lines = [json.loads(line) for line in pairs(150).splitlines()]
    rows = [{"prompt": one["prompt"], "completion": labels[n % 3]} for n, one in enumerate(lines)]
    again = [{**rows[n], "completion": labels[(n + 1) % 3]} for n in range(number)]
    return "\n".join(json.dumps(row) for row in [*rows, *again]).encode()


def test_contradictions_stand_side_by_side_and_no_page_tears_them_apart(client: TestClient, checked: Upload) -> None:
    row = checked(clashes(20))
    address = f"/datasets/{row.id}/contradictions"

    first, second = text(client, address), text(client, f"{address}?page=2")

    assert "40 rows ask the same as another and are answered differently" in first
    questions = [part for page in (first, second) for part in page.split('<section class="card contradiction"')[1:]]
    assert (first.count('"card contradiction"'), len(questions)) == (15, 20)
    for part in questions:
        card = part.split("</section>")[0]
        lines = [int(found.split('"')[0]) for found in card.split(f'href="/datasets/{row.id}/rows/')[1:]]
        assert len(lines) == 2
        assert lines[1] == lines[0] + 150
        assert card.count("<pre>") == 2
        assert "use all" not in card
        assert "only a corrected file helps" in card
    assert f'href="{address}"' in text(client, f"/datasets/{row.id}")
    assert "No two rows ask the same" in text(client, f"/datasets/{checked(pairs(30)).id}/contradictions")


def test_rows_that_contradict_each_other_are_listed_together(client: TestClient, checked: Upload) -> None:
    row = checked(clashes(5))

    page = text(client, f"/datasets/{row.id}/rows?status=contradiction")

    lines = [int(part.split("<")[0].split()[0]) for part in page.split("<small>Line ")[1:]]
    assert lines == [1, 151, 2, 152, 3, 153, 4, 154, 5, 155]
