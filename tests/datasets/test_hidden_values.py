"""Planted values, from upload to page, file and record: where they may be read, and where they may never be.

Every page and every answer of the API is asked for, and everything on the disk is searched; so a new place that shows
rows has to hide values too, or fails here.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.datasets import decisions_service, job, store
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.depth import depth
from tests.support.examples import Upload, pairs
from tests.support.route_table import routes

KINDS = ("e-mail address", "card number", "key or token", "bank account number", "phone number")
MAILS = [
    f"{name}@secretive-people.de" for name in ("ask", "answer", "sys", "turn", "tool", "team", "column", "own", "role")
]
CARD, KEY, ACCOUNT, PHONE = "5555555555554444", "ghp_" + "Zq8Xv1Nw7B" * 4, "DE89370400440532013000", "+4930901820"
NEVER = ("secretive", CARD, KEY, KEY[:12], ACCOUNT, ACCOUNT[:9], PHONE, "901820")  # parts of values count as well


def chat(*turns: tuple[str, str]) -> dict[str, object]:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": {
    "name": "send", "arguments": json.dumps({"to": f"x\n{MAILS[4]}", "card": int(CARD)})}}]}  # fmt: skip
LONG = (
    "Please have a look at the following order, which came in last week and has not been answered yet by anybody at all"
)
ROWS: list[dict[str, object]] = [
    chat(("user", f"Who is {MAILS[0]}?"), ("assistant", f"Write to {MAILS[1]}.")),
    chat(("system", f"Answer as {MAILS[2]}."), ("user", "Who are you?"), ("assistant", "A helper.")),
    chat(("user", "Hello there"), ("assistant", f"I am {MAILS[3]}"), ("user", "So?"), ("assistant", f"Call {PHONE}")),
    {"messages": [{"role": "user", "content": "Send it on"}, CALL]},
    {**chat(("user", "What about my team?"), ("assistant", "All is well.")), "group": MAILS[5], "contact": MAILS[6]},
    # A report cuts what it quotes at 200 signs: here in the middle of the number.
    chat(("user", f"{LONG}, with a payment from {'the bank ' * 4}account {ACCOUNT} at noon"), ("assistant", "Yes.")),
    chat(("user", f"{LONG}, with a payment from {'the bank ' * 4}account {ACCOUNT} at noon!"), ("assistant", "Yes.")),
    chat(("user", "Show the configuration"), ("assistant", f"TOKEN={KEY}")),
    chat((MAILS[8], "A role that is none"), ("assistant", "Never.")),
]  # fmt: skip
DATA = b"".join(
    json.dumps(chat(("user", one["prompt"]), ("assistant", one["completion"]))).encode() + b"\n"
    for one in map(json.loads, pairs(60).splitlines())
) + b"".join(json.dumps(one).encode() + b"\n" for one in ROWS)
# Lines of the upload with a value, and the one before; in the deep suite all of them.
PLANTED = range(depth(60, 1), 61 + len(ROWS))
OWN = (
    json.dumps(chat(("user", f"Is {MAILS[7]} known?"), ("assistant", "It is."))).encode()
    + b"\n"
    + DATA[:2000].rsplit(b"\n", 1)[0]
)


@pytest.fixture
def client(people: Callable[[UserRow], TestClient], me: UserRow) -> TestClient:
    return people(me)


def answers_of_app(client: TestClient, row: DatasetRow, lines: Iterable[int]) -> Iterator[tuple[str, str]]:
    """Every GET of the app that a person or a program can make, with what it answers."""
    ids = {"assessment_id": row.assessment_id, "dataset_id": row.id, "job_id": 1, "kind": "csv"}
    for method, route in routes(client.app):  # type: ignore[arg-type]  # the test client types it as any ASGI app
        path = route.path or ""
        if method != "GET" or "events" in path or "{path" in path:
            continue
        for line in lines if "{line}" in path else (1,):
            address = re.sub(r":\w+}", "}", path).format_map({**dict.fromkeys(_names(path), 1), **ids, "line": line})
            yield address, client.get(address).text
    for query in ("?page=2", "?page=3", "?remark=identifiers", "?status=near_duplicate", "?file=test", "?status=fault"):
        yield query, client.get(f"/datasets/{row.id}/rows{query}").text
    yield "own", client.get(f"/datasets/{row.id}/rows/1?file=test").text
    yield "api", client.get(f"/api/v1/datasets/{row.id}/rows?limit=500").text


def _names(path: str) -> list[str]:
    return [part.partition("}")[0].partition(":")[0] for part in path.split("{")[1:]]


def places_with_values(client: TestClient, row: DatasetRow, lines: Iterable[int]) -> list[tuple[str, str]]:
    """Where a value, or a part of one, can be read."""
    found = []
    for address, text in answers_of_app(client, row, lines):
        found += [(address, text[max(0, text.index(one) - 60) :][:120]) for one in NEVER if one in text]
    return found


def stored(settings: Settings, besides: tuple[str, ...], version: DatasetRow) -> list[str]:
    """Files and rows of the database that hold a value, but for those that may: originals and older versions' rows."""
    found = []
    for path in settings.data.rglob("*"):
        if path.is_file() and not path.name.startswith("tunegate.db") and path.name not in besides:
            text = path.read_bytes().decode("utf-8", "replace")
            found += [f"{path}: {one}" for one in NEVER if one in text]
    with sqlite3.connect(settings.data / "tunegate.db") as base:
        for line in base.iterdump():
            older = (
                line.startswith('INSERT INTO "examples"') and int(line.split("VALUES(")[1].split(",")[1]) < version.id
            )
            found += [line[:200] for one in NEVER if one in line and not older]
    return found


def decide(
    engine: Engine,
    queue: job_engine.Client,
    me: UserRow,
    claimed: Callable[[DatasetRow], Claim],
    row: DatasetRow,
    act: str,
) -> DatasetRow:
    with writing(engine) as session:
        jobs.bind(session, queue)
        after = decisions_service.decide(session, row.id, me, dict.fromkeys(KINDS, act))
    job.check(claimed(after))
    with reading(engine) as session:
        return store.get(session, after.id)


@pytest.mark.long("every page of the app is asked for, three times")
def test_no_value_reaches_a_page_a_file_or_the_record(
    client: TestClient,
    checked: Upload,
    engine: Engine,
    queue: job_engine.Client,
    blobs: Blobs,
    settings: Settings,
    me: UserRow,
    claimed: Callable[[DatasetRow], Claim],
) -> None:
    row = checked(DATA, OWN)
    assert set(row.report.kinds_found) == set(KINDS)
    uploaded = (row.blob_sha256, str(row.test_blob_sha256))

    assert places_with_values(client, row, PLANTED) == []
    for form in ("rows", "chat", "pairs"):
        refused = client.get(f"/datasets/{row.id}/export?form={form}")
        assert (refused.status_code, "Decide first" in refused.text) == (409, True)
    assert stored(settings, (*uploaded, str(row.rows_sha256)), DatasetRow(id=row.id + 1)) == []

    for act in depth(("mask",), ("mask", "exclude")):
        older = str(row.rows_sha256)
        row = decide(engine, queue, me, claimed, row, act)
        assert places_with_values(client, row, PLANTED) == []
        assert stored(settings, (*uploaded, older, *_rows_of(engine, row)), row) == []
        for form in ("rows", "chat", "pairs"):
            taken = client.get(f"/api/v1/datasets/{row.id}/export?form={form}").text
            assert [one for one in NEVER if one in taken] == []
            assert ("[e-mail address]" in taken) is (act == "mask")


@pytest.mark.parametrize("separator", [",", pytest.param(";", marks=pytest.mark.deep)])
def test_the_first_row_of_a_table_without_names_stays_hidden(
    client: TestClient, checked: Upload, settings: Settings, separator: str
) -> None:
    rows = [separator.join((MAILS[0], f"{CARD} is my card", f"No. {n}")) for n in range(9)]
    row = checked("\n".join(rows).encode())

    assert [one.name for one in row.report.columns] == ["[e-mail address]", "[card number] is my card", "no. 0"]
    assert places_with_values(client, row, range(1, 11)) == []
    assert stored(settings, (row.blob_sha256,), DatasetRow(id=row.id + 1)) == []


def _rows_of(engine: Engine, row: DatasetRow) -> list[str]:
    """The rows of the versions before: they stay as they were."""
    with reading(engine) as session:
        return [str(one.rows_sha256) for one in store.versions(session, row.assessment_id) if one.version < row.version]


def test_a_row_is_opened_with_a_click_that_is_on_record(client: TestClient, checked: Upload, engine: Engine) -> None:
    row = checked(DATA)
    closed = client.get(f"/datasets/{row.id}/rows/61").text
    assert "Who is [e-mail address]?" in closed
    assert "Values are hidden: e-mail address." in closed

    opened = client.post(f"/datasets/{row.id}/rows/61/open")

    assert f"Who is {MAILS[0]}?" in opened.text
    assert "no-store" in opened.headers["cache-control"]
    assert MAILS[0] not in client.get(f"/datasets/{row.id}/rows/61").text
    with reading(engine) as session:
        entry = session.scalars(select(EntryRow).where(EntryRow.act == "dataset.open_row")).one()
        assert (entry.detail["line"], entry.detail["version"]) == (61, 1)
        assert MAILS[0] not in json.dumps(entry.detail)


def test_a_program_opens_a_row_the_same_way(client: TestClient, checked: Upload, engine: Engine) -> None:
    row = checked(DATA)
    closed = client.get(f"/api/v1/datasets/{row.id}/rows?line=61").json()["data"]

    opened = client.post(f"/api/v1/datasets/{row.id}/rows/61/open")

    assert [one["messages"][-1]["content"] for one in closed] == ["Who is [e-mail address]?"]
    assert opened.json()["messages"][-1]["content"] == f"Who is {MAILS[0]}?"
    with reading(engine) as session:
        entry = session.scalars(select(EntryRow).where(EntryRow.act == "dataset.open_row")).one()
        assert (entry.detail["line"], entry.detail["file"]) == (61, 0)
    assert client.post(f"/api/v1/datasets/{row.id}/rows/61/open?file=test").status_code == 404


def test_what_is_kept_is_shown(client: TestClient, checked: Upload) -> None:
    row = checked(DATA)
    every = {f"kind-{kind}": "attest" for kind in KINDS}

    client.post(f"/datasets/{row.id}/decide", data={**every, "reason": "All made up"})

    assert f"Who is {MAILS[0]}?" in client.get(f"/datasets/{row.id}/rows/61").text
    assert client.get(f"/datasets/{row.id}/export?form=rows").status_code == 200
