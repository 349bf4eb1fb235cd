"""Uploading: by form and by API, whole and broken, with honest and hostile names."""

import json
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.datasets import store
from app.db import reading
from app.jobs.tables import JobRow
from app.main import create_app
from app.settings import Settings
from app.uploads import multipart
from app.users.tables import UserRow
from tests.support.examples import pairs
from tests.support.factories import sign_in
from tests.support.forms import form
from tests.support.places import BAD_FILES
from tests.support.ready import ready

People = Callable[[UserRow], TestClient]

GOOD = b'{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d"}\n'


@pytest.fixture
def client(people: People, me: UserRow) -> TestClient:
    return people(me)


def test_an_upload_by_form_is_stored_recorded_and_put_in_line(
    client: TestClient, assessment: AssessmentRow, session: Session, blobs: Blobs, me: UserRow
) -> None:
    answer = client.post(
        f"/assessments/{assessment.id}/data",
        files={"file": ("pairs.jsonl", GOOD), "test": ("", b"")},
        data={"human_checked": "on"},
    )

    assert answer.status_code == 303
    row = store.newest(session, assessment.id)
    assert row is not None
    assert (row.filename, row.version, row.state, row.human_checked) == ("pairs.jsonl", 1, "checking", True)
    assert blobs.path(row.blob_sha256).read_bytes() == GOOD
    assert row.test_blob_sha256 is None
    assert [(job.kind, job.subject_id) for job in session.query(JobRow)] == [("check", row.id)]
    assert [entry.act for entry in session.query(EntryRow)] == ["dataset.upload"]
    assert session.get_one(AssessmentRow, assessment.id).revision == assessment.revision + 1


def test_the_page_after_an_upload_shows_the_check(client: TestClient, assessment: AssessmentRow) -> None:
    client.post(f"/assessments/{assessment.id}/data", files={"file": ("pairs.jsonl", GOOD)})

    page = client.get(f"/assessments/{assessment.id}/data")

    assert page.status_code == 200
    assert "Check pairs.jsonl" in page.text
    assert "hx-sse:connect" in page.text


def test_an_upload_by_api_says_where_it_is(client: TestClient, assessment: AssessmentRow) -> None:
    answer = client.put(f"/api/v1/assessments/{assessment.id}/dataset?filename=p.jsonl", content=GOOD)

    assert answer.status_code == 201
    where = client.get(answer.headers["location"]).json()
    assert (where["filename"], where["version"], where["state"], where["report"]) == ("p.jsonl", 1, "checking", None)
    assert where["job_id"] == answer.json()["job_id"] is not None


@pytest.mark.parametrize("kind", ["dataset", "dataset/test", "documents"])
def test_the_description_tells_how_an_upload_can_end(client: TestClient, kind: str) -> None:
    described = client.get("/openapi.json").json()["paths"][f"/api/v1/assessments/{{assessment_id}}/{kind}"]["put"]

    assert {"201", "422", "429", "503"} <= described["responses"].keys()
    assert "application/problem+json" in described["responses"]["429"]["content"]


def test_a_form_sent_where_a_file_belongs_is_told_so(client: TestClient, assessment: AssessmentRow) -> None:
    answer = client.put(f"/api/v1/assessments/{assessment.id}/dataset", files={"file": ("x.jsonl", pairs(3))})

    assert answer.status_code == 422
    assert "Send the file itself as the body" in answer.json()["detail"]


def test_each_upload_is_a_version_of_its_own(client: TestClient, assessment: AssessmentRow) -> None:
    address = f"/api/v1/assessments/{assessment.id}/dataset"
    client.put(address, content=GOOD)

    second = client.put(address, content=GOOD + GOOD).json()

    listed = client.get(f"{address}s").json()["data"]
    assert [row["version"] for row in listed] == [2, 1]
    assert second["version"] == 2
    assert listed[0]["sha256"] != listed[1]["sha256"]


def test_a_test_file_makes_a_version_with_the_same_examples(client: TestClient, assessment: AssessmentRow) -> None:
    address = f"/api/v1/assessments/{assessment.id}/dataset"
    assert client.put(f"{address}/test", content=GOOD).status_code == 409
    first = client.put(address, content=GOOD).json()

    second = client.put(f"{address}/test?filename=mine.jsonl", content=b'{"prompt": "x", "completion": "y"}').json()

    assert (second["version"], second["sha256"], second["test_filename"]) == (2, first["sha256"], "mine.jsonl")


@pytest.mark.parametrize("files", [{}, {"file": ("", b"")}, {"file": ("a.jsonl", b"")}, {"other": ("a.jsonl", GOOD)}])
def test_a_form_without_examples_comes_back_with_a_word(
    client: TestClient, assessment: AssessmentRow, files: dict[str, tuple[str, bytes]]
) -> None:
    answer = client.post(f"/assessments/{assessment.id}/data", files=files or {"x": ("", b"")})

    assert answer.status_code == 422
    assert "Choose a file with examples" in answer.text


def test_nobody_uploads_to_what_is_not_there(client: TestClient, session: Session) -> None:
    assert client.put("/api/v1/assessments/999/dataset", content=GOOD).status_code == 404
    assert client.post("/assessments/999/data", files={"file": ("a", GOOD)}).status_code == 404
    assert session.query(JobRow).count() == 0


def test_a_stranger_uploads_nothing(web: TestClient, assessment: AssessmentRow, session: Session) -> None:
    api = web.put(f"/api/v1/assessments/{assessment.id}/dataset", content=GOOD)
    form = web.post(f"/assessments/{assessment.id}/data", files={"file": ("a", GOOD)})

    assert api.status_code == 401
    assert form.status_code in (302, 303, 401)
    assert store.newest(session, assessment.id) is None


def test_a_file_over_the_limit_is_refused_and_not_kept(
    settings: Settings, engine: Engine, me: UserRow, assessment: AssessmentRow, blobs: Blobs
) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 65536

    small = ready(create_app, settings.model_copy(update={"upload_limit": 1 << 20}))
    with TestClient(small, base_url="http://127.0.0.1:1", follow_redirects=False) as client:
        sign_in(client, engine, me)
        answer = client.put(f"/api/v1/assessments/{assessment.id}/dataset", content=endless())

    assert answer.status_code in (413, 422)
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


def hostile() -> list[str]:
    names: list[str] = json.loads((BAD_FILES / "expected.json").read_text(encoding="utf-8"))["upload_names"]
    return [
        *names,
        "C:\\boot.ini",
        "\\\\host\\share\\x",
        "a\r\nX-Evil: 1",
        "",
        "..",
        "x" * 5000,
        "\N{RIGHT-TO-LEFT OVERRIDE}",
    ]


def test_a_name_is_only_ever_shown(client: TestClient, assessment: AssessmentRow, blobs: Blobs) -> None:
    for name in hostile():
        answer = client.put(f"/api/v1/assessments/{assessment.id}/dataset", params={"filename": name}, content=GOOD)

        if len(name) > 2000:
            assert answer.status_code == 422, name
            continue
        shown = answer.json()["filename"]
        assert 0 < len(shown) <= multipart.LONGEST_NAME, name
        assert shown.isprintable(), name
        stored = [path.name for path in blobs.root.rglob("*") if path.is_file()]
        assert stored == [answer.json()["sha256"]], name
        page = client.get(f"/assessments/{assessment.id}/data")
        assert "<img src=x" not in page.text, name


def test_a_name_in_a_form_harms_nobody(client: TestClient, assessment: AssessmentRow) -> None:
    for name in hostile():
        assert sent_by_form(client, assessment, name) in (303, 422), name


def sent_by_form(client: TestClient, assessment: AssessmentRow, name: str) -> int:
    """The status of the answer."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8", "surrogatepass")[:7000]
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="'
        + quoted
        + b'"\r\n\r\n'
        + GOOD
        + b"\r\n--x--\r\n"
    )

    answer = client.post(
        f"/assessments/{assessment.id}/data", content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    return answer.status_code


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 2000,
    ],
)
def test_a_form_without_a_boundary_is_refused(client: TestClient, assessment: AssessmentRow, kind: str) -> None:
    answer = client.post(f"/assessments/{assessment.id}/data", content=GOOD, headers={"content-type": kind})

    assert answer.status_code == 422


def test_of_two_files_in_one_field_neither_is_taken_in_silence(client: TestClient, assessment: AssessmentRow) -> None:
    answer = client.post(
        f"/assessments/{assessment.id}/data",
        content=form(("file", "a.jsonl", GOOD), ("file", "b.jsonl", GOOD)),
        headers={"content-type": "multipart/form-data; boundary=line"},
    )

    assert answer.status_code == 422
    assert "Two files came for this field." in answer.text


def test_a_length_over_the_limit_is_refused_before_it_comes(client: TestClient, assessment: AssessmentRow) -> None:
    headers = {"content-length": str(3 << 30)}

    answer = client.put(f"/api/v1/assessments/{assessment.id}/dataset", content=GOOD, headers=headers)

    assert answer.status_code == 422
    assert answer.json()["detail"] == "The file is larger than the 2,048 MiB that are accepted here."


def test_an_upload_that_breaks_off_leaves_nothing(
    client: TestClient, assessment: AssessmentRow, blobs: Blobs, web: TestClient
) -> None:
    body = form(("file", "x.jsonl", GOOD * 1000))[:-30]

    answer = client.post(
        f"/assessments/{assessment.id}/data",
        content=body,
        headers={"content-type": "multipart/form-data; boundary=line"},
    )

    assert answer.status_code == 422
    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []
    with reading(web.app.state.context.engine) as session:  # type: ignore[attr-defined]  # the app under the client
        assert store.newest(session, assessment.id) is None
