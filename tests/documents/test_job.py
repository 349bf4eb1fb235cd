"""The reading of documents: every kind, hostile archives, a killed attempt."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.db import reading, writing
from app.documents import job, service, store
from app.documents.tables import DocumentFileRow, DocumentRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Cancelled, Claim
from app.jobs.tables import JobRow, Status
from app.users.tables import UserRow
from tests.support.samples import Add, pdf, zipped


@pytest.fixture
def of(engine: Engine) -> Callable[[DocumentFileRow], list[DocumentRow]]:
    def documents(row: DocumentFileRow) -> list[DocumentRow]:
        with reading(engine) as session:
            return list(store.of_file(session, row.id))

    return documents


Of = Callable[[DocumentFileRow], list[DocumentRow]]


def test_every_kind_becomes_a_text(read: Add, of: Of, blobs: Blobs) -> None:
    rows = read(
        ("a.txt", b"plain words"),
        ("b.md", b"# Title\n\nmarked words"),
        ("c.html", b"<html><title>Page</title><p>seen words</p></html>"),
        ("d.pdf", pdf("printed words", "second page", title="Manual")),
        ("e.jsonl", b'{"text": "one"}\n{"text": "two"}'),
    )

    found = [[(d.kind, d.title, d.characters) for d in of(row)] for row in rows]
    assert [row.state for row in rows] == ["ready"] * 5
    assert found == [
        [("text", "a", 11)],
        [("markdown", "Title", 21)],
        [("html", "Page", 10)],
        [("pdf", "Manual", 26)],
        [("text", "e line 1", 3), ("text", "e line 2", 3)],
    ]
    printed = of(rows[3])[0].text_sha256
    assert printed is not None
    assert blobs.path(printed).read_bytes() == b"printed words\n\nsecond page"


def test_documents_with_one_heading_get_titles_that_tell_them_apart(read: Add, of: Of) -> None:
    page = b"# NAME\n\nwhat it does"
    rows = read(("ls.md", page + b" 1"), ("cat.md", page + b" 2"), ("other.md", b"# Other\n\ntext"))

    assert [of(row)[0].title for row in rows] == ["NAME (ls)", "NAME (cat)", "Other"]

    later = read(("man.zip", zipped(("a/ls.md", page), ("b/ls.md", page + b"!"))),
                 ("list.jsonl", b'{"title": "NAME", "text": "x"}\n{"title": "NAME", "text": "y"}'))  # fmt: skip

    titles = [d.title for row in (*rows, *later) for d in of(row)]
    assert len(titles) == len(set(titles)) == 7
    assert titles[:3] == ["NAME (ls)", "NAME (cat)", "Other"]
    assert all(title.startswith("NAME (") for title in titles[3:])


def test_a_zip_is_many_documents_and_says_what_it_left_out(read: Add, of: Of) -> None:
    data = zipped(
        ("manual/a.md", b"# A\n\ntext"),
        ("manual/b.pdf", pdf("inside")),
        ("manual/c.png", b"\x89PNG\r\n"),
        ("__MACOSX/manual/._a.md", b"x"),
        ("inner.zip", zipped(("d.txt", b"deep"))),
    )

    (row,) = read(("all.zip", data))

    assert [(d.name, d.kind, d.reason) for d in of(row)] == [
        ("manual/a.md", "markdown", ""),
        ("manual/b.pdf", "pdf", ""),
        ("manual/c.png", "", "It is a picture."),
        ("__MACOSX/manual/._a.md", "", "It belongs to the system the archive was made on, and is no document."),
        ("inner.zip", "", "It is an archive (or an Office document, which is one); save it as PDF, HTML or text."),
    ]


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x.txt", "/etc/passwd", "C:\\x.txt", "a\\..\\..\\b.txt", "a/../../b"]
)
def test_a_name_that_climbs_out_refuses_the_whole_archive(read: Add, of: Of, name: str) -> None:
    (row,) = read(("x.zip", zipped(("fine.txt", b"fine"), (name, b"evil"))))

    assert (row.state, of(row)) == ("refused", [])
    assert "leads out of its folder" in row.reason


def test_links_and_locked_members_are_left_out(read: Add, of: Of) -> None:
    locked = bytearray(zipped(("secret.txt", b"hidden")))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + at] |= 1

    link, secret = read(("l.zip", zipped(("l.txt", b"/etc/passwd"), mode=0o120777)), ("s.zip", bytes(locked)))

    assert of(link)[0].reason == "It is a link to somewhere else."
    assert of(secret)[0].reason == "It is locked with a password."


def test_a_bomb_is_not_unpacked(read: Add, of: Of) -> None:
    bomb = zipped(("fine.txt", b"fine"), *((f"{n}.txt", b"0" * (30 << 20)) for n in range(3)))
    assert len(bomb) < 200_000

    (row,) = read(("bomb.zip", bomb))

    fine, *others = of(row)
    assert fine.text_sha256 is not None
    assert all("over 100 times its size" in one.reason for one in others)


def test_an_archive_of_very_many_files_is_refused(read: Add) -> None:
    (row,) = read(("many.zip", zipped(*((f"{n}.txt", b"") for n in range(10_001)))))

    assert row.reason == "The archive holds 10,001 files; at most 10,000 are read."


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.pdf", b"%PDF-1.7\nnot really", "The PDF is damaged."),
        ("a.pdf", pdf(""), "make it searchable"),
        ("a.zip", b"PK\x03\x04 not really", "The zip archive is damaged."),
        ("a.txt", b"", "It is empty."),
        ("a.png", b"\x89PNG", "It is a picture."),
        ("a.txt", b"\xff\xff\xff", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(read: Add, name: str, data: bytes, words: str) -> None:
    (row,) = read((name, data))

    assert row.state == "refused"
    assert words in row.reason


def test_a_killed_reading_goes_on_with_what_is_left(
    engine: Engine,
    queue: job_engine.Client,
    blobs: Blobs,
    assessment: AssessmentRow,
    me: UserRow,
    claimed: Callable[[int], Claim],
    of: Of,
) -> None:
    with writing(engine) as session:
        jobs.bind(session, queue)
        rows = service.add(session, assessment.id, me, [(blobs.put_bytes(b"one"), "a"), (blobs.put_bytes(b"two"), "b")])
        ids = [row.id for row in rows]
    dead = claimed(ids[0])
    with dead.write() as session:  # the first file was settled, the second only half
        job._settle(
            session, ids[0], [job._value(dead, ids[0], 1, {"name": "a", "kind": "text", "text": "one"}, {})], ""
        )
        store.add_documents(session, [job._value(dead, ids[1], 1, {"name": "half", "text": "tw"}, {})])

    job.read(claimed(ids[0]))

    with reading(engine) as session:
        files = [store.file(session, one) for one in ids]
        assert [[d.name for d in of(row)] for row in files] == [["a"], ["b"]]
        assert service.measured(session, assessment.id).to_json() == {"corpus_tokens": 2}


def test_a_cancelled_reading_stops_and_can_go_on(
    engine: Engine,
    queue: job_engine.Client,
    blobs: Blobs,
    assessment: AssessmentRow,
    me: UserRow,
    claimed: Callable[[int], Claim],
) -> None:
    with writing(engine) as session:
        jobs.bind(session, queue)
        first = service.add(session, assessment.id, me, [(blobs.put_bytes(b"one"), "a")])[0].id
    claim = claimed(first)
    with writing(engine) as session:
        session.get_one(JobRow, claim.job_id).status = Status.CANCELLING
    with pytest.raises(Cancelled):
        job.read(claim)
    with writing(engine) as session:
        session.get_one(JobRow, claim.job_id).status = Status.CANCELLED
        assert service.measured(session, assessment.id).to_json() == {}
        jobs.bind(session, queue)
        service.read_again(session, first, me)

    job.read(claimed(first))

    with reading(engine) as session:
        assert store.file(session, first).state == "ready"


def test_a_document_keeps_its_id_when_its_file_is_read_again(
    engine: Engine, assessment: AssessmentRow, me: UserRow, read: Add, claimed: Callable[[int], Claim], of: Of,
    queue: job_engine.Client,
) -> None:  # fmt: skip
    """A decision on personal data reads the file again; passages of an older index still lead to its documents."""
    (file,) = read(("pages.zip", zipped(("a.md", b"# A\n\nWrite to jane.doe@example.com"), ("b.md", b"# B\n\ntwo"))))
    with reading(engine) as session:
        before = [(row.id, row.name, row.text_sha256) for row in of(store.file(session, file.id))]
    with writing(engine) as session:
        jobs.bind(session, queue)
        service.decide(session, file.id, me, {"e-mail address": "mask"}, "made up")

    job.read(claimed(file.batch))

    with reading(engine) as session:
        after = [(row.id, row.name, row.text_sha256) for row in of(store.file(session, file.id))]
    assert [one[:2] for one in after] == [one[:2] for one in before]
    assert after[0][2] != before[0][2]
    assert after[1] == before[1]
