"""What people see of their data and do with it: report, rows, freeze, word on the test rows, versions."""

import io
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments.tables import AssessmentRow, ContributionRow
from app.audit.tables import EntryRow
from app.datasets import store
from app.datasets.pages import preview
from app.datasets.reading.read_as import GUESS
from app.db import reading, utcnow, writing
from app.jobs.tables import WorkerRow
from app.privacy.masking import Masker
from app.users.tables import UserRow
from tests.support.depth import sampled
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


def test_before_the_first_upload_the_page_says_what_is_wanted(client: TestClient, assessment: AssessmentRow) -> None:
    page = text(client, f"/assessments/{assessment.id}/data")

    assert "Upload examples" in page
    assert 'enctype="multipart/form-data"' in page


def test_the_report_says_how_many_are_missing(client: TestClient, checked: Upload, assessment: AssessmentRow) -> None:
    checked(pairs(100) + b"broken\n")

    page = text(client, f"/assessments/{assessment.id}/data")

    assert "Ready to freeze for baselines: 70 usable examples (1,000 needed), 30 test rows." in page
    assert "Training needs about 930 more: with fewer" in page
    assert "The line is not JSON" in page


def test_uploaded_text_is_shown_as_text(client: TestClient, checked: Upload, assessment: AssessmentRow) -> None:
    nasty = [
        {
            "prompt": f"<script>alert({n})</script> {{{{7*7}}}} {n * 7919}",
            "completion": f"<img src=x onerror=alert({n})>",
        }
        for n in range(20)
    ]
    row = checked(b"\n".join(json.dumps(one).encode() for one in nasty))

    for address in (f"/assessments/{assessment.id}/data", f"/datasets/{row.id}/rows"):
        page = text(client, address)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "{{7*7}}" in page


def test_rows_are_paged_and_narrowed(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(80) + pairs(3))

    everything = text(client, f"/datasets/{row.id}/rows")
    repeats = text(client, f"/datasets/{row.id}/rows?status=duplicate")
    last = text(client, f"/datasets/{row.id}/rows?split=train&page=2")

    assert "83 rows" in everything
    assert "1 of 4" in everything
    assert "3 rows" in repeats
    assert "Asks the same as line 1." in repeats
    assert "44 rows" in last
    assert "2 of 2" in last


def test_freezing_is_one_way_and_recorded(
    client: TestClient, checked: Upload, assessment: AssessmentRow, engine: Engine, me: UserRow
) -> None:
    row = checked(pairs(60))

    first, second = (client.post(f"/datasets/{row.id}/freeze", data={"human_checked": "later"}) for _ in range(2))

    assert (first.status_code, second.status_code) == (303, 409)
    page = text(client, f"/assessments/{assessment.id}/data")
    assert "Frozen: 42 usable examples (1,000 needed), 18 test rows." in page
    assert "Freeze split" not in page
    assert f"by {me.name}" in page
    with reading(engine) as session:
        assert store.get(session, row.id).frozen_by == me.id
        acts = session.scalars(select(EntryRow.act)).all()
    assert acts.count("dataset.freeze") == 1


def test_the_word_on_test_rows_is_recorded_and_can_be_taken_back(
    client: TestClient, checked: Upload, engine: Engine, assessment: AssessmentRow
) -> None:
    row = checked(pairs(60))

    client.post(f"/datasets/{row.id}/vouch", data={"human_checked": "true"})
    with reading(engine) as session:
        assert store.get(session, row.id).human_checked is True
    client.post(f"/datasets/{row.id}/vouch", data={})

    with reading(engine) as session:
        assert store.get(session, row.id).human_checked is False
        acts = session.scalars(select(EntryRow.act)).all()
        revision = session.get_one(AssessmentRow, assessment.id).revision
    assert acts.count("dataset.vouch") == 2
    assert revision == assessment.revision + 3


def test_who_touches_the_data_is_a_contributor(
    people: Callable[[UserRow], TestClient], make: Make, checked: Upload, engine: Engine, assessment: AssessmentRow
) -> None:
    other = make.reviewer()
    row = checked(pairs(60))

    people(other).post(f"/datasets/{row.id}/freeze", data={"human_checked": "no"})

    with reading(engine) as session:
        assert session.get(ContributionRow, (assessment.id, other.id)) is not None


@pytest.mark.parametrize("address", ["", "/rows", "/export"])
def test_a_stranger_sees_no_data(web: TestClient, checked: Upload, address: str) -> None:
    row = checked(pairs(20))

    assert web.get(f"/datasets/{row.id}{address}").status_code in (302, 303, 401)
    assert web.get(f"/api/v1/datasets/{row.id}{address}").status_code == 401
    assert web.post(f"/datasets/{row.id}/freeze").status_code in (302, 303, 401, 403)


def test_an_older_version_stays_readable(client: TestClient, checked: Upload) -> None:
    old = checked(pairs(60))
    new = checked(pairs(90))

    page = text(client, f"/datasets/{old.id}")

    assert "This is an older version, to be read only." in page
    assert f'href="/datasets/{new.id}"' in page
    assert "42 usable" in page


def test_a_newer_version_counts_only_once_it_is_checked(
    client: TestClient, checked: Upload, assessment: AssessmentRow
) -> None:
    old = checked(pairs(60))
    client.put(f"/api/v1/assessments/{assessment.id}/dataset", content=pairs(90))

    page = text(client, f"/datasets/{old.id}")
    refused = client.post(f"/api/v1/datasets/{old.id}/freeze")

    assert "The check of version 2 has not ended; if it can be used, it is the one that counts from then on." in page
    assert "Version 2 is the one that counts" not in page
    assert "Wait for it; if it can't be used, it replaces nothing." in refused.json()["detail"]


def test_a_rejected_upload_says_why_and_what_counts_instead(client: TestClient, checked: Upload) -> None:
    good = checked(pairs(60))
    bad = checked(b"nonsense\n")

    page = text(client, f"/assessments/{good.assessment_id}/data")

    assert "The upload replaces nothing: version 1 is still the one that counts." in page
    assert "The file is neither JSON nor a table" in page
    assert f'href="/datasets/{bad.id}?tab=versions"' in page
    assert f"/datasets/{good.id}/export" in text(client, f"/datasets/{bad.id}?tab=versions")
    assert f"/datasets/{bad.id}/export" not in text(client, f"/datasets/{bad.id}?tab=versions")  # it has no usable row
    assert "prompting can be measured" not in page
    assert f'<a class="btn quiet" href="/datasets/{good.id}">Open version 1</a>' in page


def test_a_refused_upload_that_was_read_shows_no_way_to_a_split(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(2) + b'{"prompt": "Which is the longest of all?", "completion": "' + b"word " * 40 + b'"}\n')
    nothing = checked(b"kunde,frage\n1,2\n")

    page, empty = (text(client, f"/datasets/{one.id}") for one in (row, nothing))

    assert row.state == nothing.state == "rejected"
    for shown in (page, empty):
        assert "This upload can&#39;t be used" in shown
        assert "Issues" in shown
        assert 'id="upload-form"' in shown
        for part in ("way-tiles", "Row length", "Detected format", "Learnability", "Freeze split", "tab=split"):
            assert part not in shown
    assert f'href="/datasets/{row.id}/rows"' in page


def test_the_api_gives_report_rows_and_export(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(60) + pairs(2))

    found = client.get(f"/api/v1/datasets/{row.id}").json()
    first = client.get(f"/api/v1/datasets/{row.id}/rows?limit=40").json()
    rest = client.get(f"/api/v1/datasets/{row.id}/rows?limit=40&after={first['data'][-1]['id']}").json()
    export = client.get(f"/api/v1/datasets/{row.id}/export")

    assert found["rows"] == {"train": 33, "dev": 9, "test": 18, "usable": 42}
    assert found["report"]["verdict"] == "warn"
    assert (len(first["data"]), first["has_more"], len(rest["data"]), rest["has_more"]) == (40, True, 22, False)
    assert {one["status"] for one in rest["data"]} == {"usable", "duplicate"}
    assert export.headers["content-disposition"].startswith("attachment")
    assert len(export.text.splitlines()) == 60


def test_the_api_freezes_vouches_and_says_what_stands_against_it(client: TestClient, checked: Upload) -> None:
    row = checked(pairs(60))

    frozen = client.post(f"/api/v1/datasets/{row.id}/freeze").json()
    assert frozen["human_checked"] is None
    again = client.post(f"/api/v1/datasets/{row.id}/freeze")
    word = client.patch(f"/api/v1/datasets/{row.id}", json={"human_checked": True}).json()

    assert frozen["frozen_at"]
    assert (again.status_code, again.json()["detail"]) == (409, "The split is frozen already.")
    assert word["human_checked"] is True
    assert client.post(f"/api/v1/datasets/{row.id}/check").status_code == 409
    assert client.get("/api/v1/datasets/999999").status_code == 404


@pytest.mark.parametrize("part", sampled(range(8), every=8))
def test_no_bad_file_breaks_a_page(
    client: TestClient, checked: Upload, assessment: AssessmentRow, bad_files: Path, part: int
) -> None:
    files = sorted(bad_files.iterdir())[part::8]
    for file in files:
        data = file.read_bytes()
        answer = client.post(f"/assessments/{assessment.id}/data", files={"file": (file.name, data)})
        assert answer.status_code == (303 if data else 422)
        row = checked(data or b" ")

        for address in (f"/assessments/{assessment.id}/data", f"/datasets/{row.id}/rows", f"/api/v1/datasets/{row.id}"):
            assert client.get(address).status_code == 200
    assert len(files) in (10, 11)


def test_a_version_with_a_report_of_long_ago_can_still_be_opened(client: TestClient, make: Make, me: UserRow) -> None:
    assessment = make.ready(me)

    page = text(client, f"/assessments/{assessment.id}/data")

    assert "1,150 usable examples" in page


def test_changes_of_a_report_from_before_unused_rows_were_counted_still_show(
    client: TestClient, checked: Upload, engine: Engine
) -> None:
    checked(pairs(60))
    row = checked(pairs(90))
    with writing(engine) as session:
        kept = store.get(session, row.id)
        known = {
            key: loose(kept.report_json["changes"])[key]
            for key in ("since", "added", "removed", "changed", "same", "moved")
        }
        kept.report_json = {**kept.report_json, "changes": known}

    assert "Since version 1: 30 rows added" in text(client, f"/datasets/{row.id}?tab=versions")


def one_of_everything() -> tuple[bytes, bytes]:
    """An upload and its test file with every kind of finding that the report counts."""
    labels = ("refund", "card lost")
    rows = [
        {"prompt": f"{one['prompt']} about {labels[n % 2]}", "completion": labels[n % 2]}
        for n, one in enumerate(map(json.loads, pairs(120).splitlines()))
    ]
    test = [dict(rows[50]), *({**row, "prompt": f"Tell me: {row['prompt'][::-1]}"} for row in rows[:30])]
    test.append(test[-1])  # so that what is counted in the upload differs from what stands in both files
    twins = [{**rows[n], "prompt": f"{rows[n]['prompt']}, please"} for n in (20, 21, 22)]
    clash = {**rows[30], "completion": labels[1]}
    odd = [
        {"prompt": "Write to amy.miller@acme-corp.com about the river trip", "completion": "refund"},
        {"prompt": "What is [insert the name here] asking us about", "completion": "refund"},
        {"prompt": "", "completion": "refund"},
        {"prompt": "long " * 6000, "completion": "refund"},
    ]
    upload = [*rows, rows[3], rows[3], rows[4], *twins, clash, *odd]
    lines = [json.dumps(row).encode() for row in upload] + [b"no JSON", b'{"prompt": "half']
    return b"\n".join(lines), b"\n".join(json.dumps(row).encode() for row in test)


BAR = (
    r'<th scope="row"><a href="(?P<url>[^"]+)">[^<]*</a>\s*(?:<small>[^<]*</small>)?\s*</th>\s*<td aria-hidden="true">'
    r'.*?</td>\s*<td class="num">\W?(?P<number>[\d,]+)</td>'
)
LINK = r'<a [^>]*?href="(?P<url>/datasets/\d+/rows\?[^"]*)"[^>]*>(?:All )?(?P<number>[\d,]+)(?: rows?)?</a>'
PART = r'<th scope="row"><a href="(?P<url>[^"]+)">(?:train|dev|test)</a></th>\s*<td class="num">(?P<number>[\d,]+)</td>'


def test_every_number_of_a_full_report_leads_to_as_many_rows(client: TestClient, checked: Upload) -> None:
    row = checked(*one_of_everything())
    pages = ("", "?tab=split", "?tab=personal", "/labels", "/clusters")
    report = re.sub(r">\s+<", "><", "".join(client.get(f"/datasets/{row.id}{page}").text for page in pages))
    told = {
        (unescape(found["url"]), found["number"])
        for kind in (BAR, LINK, PART)
        for found in re.finditer(kind, report, re.DOTALL)
        if found["number"] != "0"
    }

    for url, number in sorted(told):
        page = client.get(url).text
        if "/clusters" in url:
            assert page.count('id="group-') == int(number), url
        else:
            total = re.search(r'id="total">([\d,]+) rows?[<:]', " ".join(page.split()))
            assert total, url
            assert total[1] == number, url

    wanted = (
        "status=fault&file=upload", "status=empty", "status=too_long", "status=duplicate", "status=near_duplicate",
        "status=contradiction", "status=leak", "file=upload", "split=train-dev", "split=test", "split=dev", "label=",
        "remark=placeholder", "remark=e-mail", "size_from=", "clusters?size=",
    )  # fmt: skip
    missing = [kind for kind in wanted if not any(kind in url for url, _ in told)]
    assert missing == []


def test_the_small_files_to_start_from_are_what_they_are_called(client: TestClient, assessment: AssessmentRow) -> None:
    form = client.get(f"/assessments/{assessment.id}/data").text
    found = re.findall(r'href="([^"]+)" download="sample-([^"]+)"', form)

    shapes = {}
    for url, name in found:
        seen = preview.preview(io.BytesIO(client.get(url).content), name, GUESS, Masker(frozenset()))
        assert (seen.faults, len(seen.records)) == ([], 3)
        shapes[name] = seen.reading.shape and seen.reading.shape.name

    assert shapes == {
        "prompt-completion.jsonl": "prompt_completion",
        "chat.jsonl": "chat",
        "table.csv": "prompt_completion",
        "alpaca.jsonl": "alpaca",
        "sharegpt.jsonl": "sharegpt",
        "promptfoo.yaml": "promptfoo",
        "evals.jsonl": "prompt_completion",
    }


def test_a_check_that_nobody_does_says_so(client: TestClient, upload: Upload, engine: Engine) -> None:
    row = upload(pairs(20))

    assert "No worker is running" in text(client, f"/datasets/{row.id}")

    with writing(engine) as session:
        now = utcnow()
        session.add(WorkerRow(id="w", queues="cpu", pid=1, version="1", started_at=now, seen_at=now))
    assert "No worker is running" not in text(client, f"/datasets/{row.id}")
