"""A group of like rows can be undone, and taken back: by whom, from when on, and what it changes."""

import json
import threading
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.blobs import Blobs
from app.datasets import clusters_service, job, lengths_service, store
from app.datasets.checks.report_parts import Clusters, ClusterSize
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow, writing
from app.errors import Conflict, Invalid
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim, Failed
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.examples import Upload, pairs
from tests.support.factories import Make

Claimed = Callable[[DatasetRow], Claim]


def line(question: str, answer: str) -> bytes:
    return json.dumps({"prompt": question, "completion": answer}).encode() + b"\n"


TWINS = (
    line(
        "Please describe the old lighthouse at the northern harbour in one line", "It is white and old, says the guide."
    )
    + line(
        "Please describe the old lighthouse at the northern harbour in one line!", "It is white and old, says the guide"
    )
    + line(
        "PLEASE describe the old lighthouse at the northern harbour in one line", "It is white and old, says the guide."
    )
)


@pytest.fixture
def twins(checked: Upload) -> DatasetRow:
    """60 different rows and a group of three."""
    return checked(pairs(60) + TWINS)


def group(engine: Engine, row: DatasetRow) -> list[ExampleRow]:
    with reading(engine) as session:
        query = select(ExampleRow).where(ExampleRow.dataset_id == row.id, ExampleRow.cluster.is_not(None))
        return list(session.scalars(query.order_by(ExampleRow.id)))


def test_a_program_lists_groups_and_what_was_said_of_them(
    people: Callable[[UserRow], TestClient], me: UserRow, twins: DatasetRow
) -> None:
    client = people(me)
    base = f"/api/v1/datasets/{twins.id}/clusters"

    (found,) = client.get(base).json()["data"]
    assert (found["size"], found["kept"], [row["line"] for row in found["rows"]]) == (3, False, [61, 62, 63])
    assert client.get(f"{base}?least=4").json() == {"data": [], "has_more": False, "waiting": 0}

    client.put(f"{base}/{found['cluster']}")

    after = client.get(base).json()
    assert (after["data"][0]["kept"], after["waiting"]) == (True, 1)


def test_only_rows_that_are_not_alone_have_a_group(twins: DatasetRow, engine: Engine) -> None:
    rows = group(engine, twins)

    assert [row.line for row in rows] == [61, 62, 63]
    assert len({row.cluster for row in rows}) == 1
    assert sorted(row.status for row in rows) == ["duplicate", "near_duplicate", "usable"]
    assert twins.report.clusters == Clusters(count=1, rows=3, sizes=(ClusterSize(3, 1, 3),), kept=0)


def test_a_group_that_was_undone_is_used_as_a_whole_on_one_side(
    twins: DatasetRow,
    engine: Engine,
    queue: job_engine.Client,
    me: UserRow,
    claimed: Claimed,
    make: Make,
) -> None:
    cluster, other = group(engine, twins)[0].cluster, make.author()
    assert cluster is not None
    with writing(engine) as session:
        clusters_service.keep_cluster(session, twins.id, cluster, other)
        assert assessment_store.contribution(session, twins.assessment_id, other.id)  # and so may not approve
        with pytest.raises(Conflict, match="already"):
            clusters_service.keep_cluster(session, twins.id, cluster, me)
    with writing(engine) as session:
        jobs.bind(session, queue)
        again = clusters_service.recount(session, twins.id, me)
    job.check(claimed(again))

    rows = group(engine, again)
    assert {row.status for row in rows} == {"usable"}
    assert len({row.split for row in rows}) == 1
    with reading(engine) as session:
        now = store.get(session, again.id)
        assert now.version == twins.version + 1
        assert now.report.clusters is not None
        assert (now.report.clusters.kept, now.report.test_overlap_rows) == (1, 0)
        assert now.train_rows + now.dev_rows + now.test_rows == 63
        before = store.get(session, twins.id).report.clusters
        assert before is not None
        assert before.kept == 0
        assert clusters_service.waiting_clusters(session, now) == 0
        written = session.scalars(select(EntryRow.act).where(EntryRow.act.like("dataset.%cluster"))).all()
    assert written == ["dataset.keep_cluster"]


def test_the_word_holds_for_the_next_upload_until_it_is_taken_back(
    twins: DatasetRow,
    engine: Engine,
    queue: job_engine.Client,
    me: UserRow,
    claimed: Claimed,
    checked: Upload,
) -> None:
    cluster = group(engine, twins)[0].cluster
    assert cluster is not None
    with writing(engine) as session:
        clusters_service.keep_cluster(session, twins.id, cluster, me)
    later = checked(pairs(5, start=70) + TWINS + pairs(60))

    rows = group(engine, later)
    assert {row.status for row in rows} == {"usable"}
    assert rows[0].cluster is not None
    with writing(engine) as session:
        clusters_service.join_cluster(session, later.id, rows[0].cluster, me)
        with pytest.raises(Conflict):
            clusters_service.join_cluster(session, later.id, rows[0].cluster, me)
        jobs.bind(session, queue)
        last = clusters_service.recount(session, later.id, me)
    job.check(claimed(last))
    assert sorted(row.status for row in group(engine, last)) == ["duplicate", "near_duplicate", "usable"]


def test_nothing_is_counted_again_without_need(twins: DatasetRow, engine: Engine, me: UserRow) -> None:
    with writing(engine) as session, pytest.raises(Conflict, match="Nothing about the groups"):
        clusters_service.recount(session, twins.id, me)


def test_contradictions_do_not_come_back(
    checked: Upload, engine: Engine, queue: job_engine.Client, me: UserRow, claimed: Claimed
) -> None:
    row = checked(
        pairs(60)
        + json_lines(("What is the answer to it all?", "It is 5."), ("What is the answer to it all?", "It is 6."))
    )
    cluster = group(engine, row)[0].cluster
    assert cluster is not None
    with writing(engine) as session:
        jobs.bind(session, queue)
        clusters_service.keep_cluster(session, row.id, cluster, me)
        again = clusters_service.recount(session, row.id, me)
    job.check(claimed(again))

    assert {one.status for one in group(engine, again)} == {"contradiction"}


def json_lines(*rows: tuple[str, str]) -> bytes:
    return b"".join(line(*row) for row in rows)


def test_a_group_is_undone_in_the_browser(
    twins: DatasetRow, engine: Engine, people: Callable[[UserRow], TestClient], me: UserRow
) -> None:
    client = people(me)
    cluster = group(engine, twins)[0].cluster
    page = client.get(f"/datasets/{twins.id}/clusters")
    assert "use all" in page.text
    assert "Count again" not in page.text

    assert client.post(f"/datasets/{twins.id}/clusters/{cluster}/keep").status_code == 303

    page = client.get(f"/datasets/{twins.id}/clusters")
    assert "Noted as different rows" in page.text
    assert "1 change to the groups not counted yet" in " ".join(page.text.split())
    answer = client.post(f"/datasets/{twins.id}/recount")
    assert answer.headers["location"].endswith(f"/datasets/{twins.id + 1}")


def test_the_api_does_the_same(
    twins: DatasetRow, engine: Engine, people: Callable[[UserRow], TestClient], me: UserRow
) -> None:
    client = people(me)
    found = client.get(f"/api/v1/datasets/{twins.id}/rows", params={"status": "near_duplicate"}).json()["data"][0]
    address = f"/api/v1/datasets/{twins.id}/clusters/{found['cluster']}"

    assert client.put(address).status_code == 204
    assert client.put(address).status_code == 409
    assert client.put(f"/api/v1/datasets/{twins.id}/clusters/99999").status_code == 404
    assert client.post(f"/api/v1/datasets/{twins.id}/recount").json()["version"] == 2


# ---------------------------------------------------------------------- whose tokens are counted
def tokenizer(path: object) -> None:
    """A tokenizer in which each word is a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(path))


def test_tokens_are_counted_with_the_model_that_was_chosen(
    twins: DatasetRow,
    engine: Engine,
    queue: job_engine.Client,
    me: UserRow,
    make: Make,
    settings: Settings,
    blobs: Blobs,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    assert twins.report.lengths.unit == "characters"
    folder = tmp_path_factory.mktemp("model")
    tokenizer(folder / "tokenizer.json")
    model = make.model(name="Words", reference=str(folder))
    server = make.model(name="A server", kind="endpoint")
    with writing(engine) as session:
        jobs.bind(session, queue)
        with pytest.raises(Invalid):
            lengths_service.count_with(session, twins.id, server.id, me)
        found = lengths_service.count_with(session, twins.id, model.id, me)
    claim = claim_of(engine, found.id, twins.id, settings, blobs, queue)

    job.count_lengths(claim)

    with reading(engine) as session:
        lengths = store.get(session, twins.id).report.lengths
        listed = store.listed(session, twins.id, store.RowFilter(size_from=0), limit=500)
        sizes = [row.size for row in listed if row.size is not None]
    # "Describe the river <24 hex digits>", "It is 5." and a template's tokens for two turns.
    assert (lengths.unit, lengths.tokenizer, lengths.median) == ("tokens", "Words", 4 + 3 + 10)
    assert (lengths.limit, lengths.over) == (1024, 0)
    assert sum(bar.rows for bar in lengths.histogram) == lengths.rows == 61
    assert (lengths.of, len(sizes), min(sizes), max(sizes)) == ("usable", 63, 17, lengths.longest)


def test_a_tokenizer_that_went_away_is_named(
    twins: DatasetRow,
    engine: Engine,
    queue: job_engine.Client,
    me: UserRow,
    make: Make,
    settings: Settings,
    blobs: Blobs,
) -> None:
    model = make.model(name="Gone", reference="/nowhere")
    with writing(engine) as session:
        jobs.bind(session, queue)
        found = lengths_service.count_with(session, twins.id, model.id, me)

    with pytest.raises(Failed, match="tokenizer is not on this machine"):
        job.count_lengths(claim_of(engine, found.id, twins.id, settings, blobs, queue))


def claim_of(
    engine: Engine, job_id: int, dataset_id: int, settings: Settings, blobs: Blobs, queue: job_engine.Client
) -> Claim:
    with writing(engine) as session:
        attempt = job_store.claim(session, job_id, "test", utcnow())
        assert attempt is not None
        assert job_store.get(session, job_id).status == Status.RUNNING
    return Claim(job_id, dataset_id, attempt, engine, settings, blobs, queue, threading.Event())


def test_another_persons_assessment_shows_its_groups_too(
    twins: DatasetRow, assessment: AssessmentRow, make: Make, people: Callable[[UserRow], TestClient]
) -> None:
    assert people(make.reviewer()).get(f"/datasets/{twins.id}/clusters").status_code == 200
