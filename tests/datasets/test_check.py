"""The check as a job, from stored bytes to a version that can be frozen; and what it leaves when it is stopped."""

import fcntl
import json
import resource
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs, NoSpace
from app.datasets import facts, job, store, uploads_service
from app.datasets.checks.checkpoint import ABOUT, Checkpoint
from app.datasets.tables import DatasetRow, ExampleRow
from app.datasets.uploads_service import Uploaded
from app.db import make_engine, reading, utcnow, writing
from app.errors import Conflict
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Cancelled, Claim, Fenced, Stopping
from app.jobs.progress import Progress
from app.jobs.tables import Status
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.depth import depth, sampled
from tests.support.examples import Upload, pairs
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.places import BAD_FILES, DATA
from tests.support.processes import Process, until


@dataclass(eq=False)
class Told(Claim):
    """A claim that remembers which stages it was told of."""

    stages: list[str] = field(default_factory=list)

    def report(self, progress: Progress, *, now: bool = False) -> None:
        self.stages.append(progress["stage"])
        super().report(progress, now=now)


@dataclass(eq=False)
class Stopped(Claim):
    """A claim whose worker is told to stop once the check has come to a stage."""

    stage: str = ""

    def report(self, progress: Progress, *, now: bool = False) -> None:
        if progress["stage"].startswith(self.stage) and progress["done"] >= 0:
            self.stopping.set()
        super().report(progress, now=now)


def by_status(session: Session, dataset_id: int) -> Counter[tuple[str, str]]:
    """How many rows there are by status and split."""
    rows = session.execute(select(ExampleRow.status, ExampleRow.split).where(ExampleRow.dataset_id == dataset_id))
    return Counter((status, split) for status, split in rows)


def test_a_check_makes_rows_report_and_hashes(checked: Upload, engine: Engine, blobs: Blobs) -> None:
    row = checked(pairs(100) + b"broken\n" + pairs(1))

    assert (row.state, row.format) == ("ready", "prompt_completion")
    assert (row.train_rows, row.dev_rows, row.test_rows, row.usable_rows) == (55, 15, 30, 70)
    with reading(engine) as session:
        counts = by_status(session, row.id)
        examples = {split: store.rows(session, row.id, split) for split in ("train", "dev", "test")}
        fault = store.listed(session, row.id, store.RowFilter(status="fault"))[0]
    assert counts == {
        ("usable", "train"): 55,
        ("usable", "dev"): 15,
        ("usable", "test"): 30,
        ("duplicate", ""): 1,
        ("fault", ""): 1,
    }
    assert (fault.line, fault.reason[:20]) == (101, "The line is not JSON")
    assert row.rows_sha256
    kept = [json.loads(line) for line in blobs.path(row.rows_sha256).read_text().splitlines()]
    assert [(line["id"], line["line"], line["split"]) for line in kept] == sorted(
        (one.id, one.line, split) for split, found in examples.items() for one in found
    )
    assert kept[0]["messages"] == [{"role": "user", "content": json.loads(pairs(1))["prompt"]}]
    assert kept[0]["target"] == "It is 0."
    assert row.split_sha256
    manifest = blobs.path(row.split_sha256).read_text().splitlines()
    assert len(manifest) == 101
    assert json.loads(manifest[0]) == {"seed": 7, "version": 1}


def test_the_same_bytes_get_the_same_split(checked: Upload) -> None:
    one, other = checked(pairs(60)), checked(pairs(60))

    assert one.split_sha256 == other.split_sha256


def test_appended_rows_move_no_test_row(checked: Upload, engine: Engine) -> None:
    first = checked(pairs(60))
    second = checked(pairs(40, start=60) + pairs(60))

    with reading(engine) as session:
        before = {one.target for one in store.rows(session, first.id, "test")}
        after = {one.target for one in store.rows(session, second.id, "test")}
    assert before <= after
    assert second.test_rows == 30


def test_an_upload_without_usable_rows_replaces_nothing(checked: Upload, engine: Engine) -> None:
    good = checked(pairs(60))
    bad = checked(b'{"prompt": nonsense}\n' * 5)

    assert bad.state == "rejected"
    with reading(engine) as session:
        current = store.current(session, good.assessment_id)
        assert current is not None
        assert current.id == good.id
        assert by_status(session, bad.id) == {("fault", ""): 5}


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What a full disk does to a program, done by the system to this process alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("where", ["writing", pytest.param("reading", marks=pytest.mark.deep)])
def test_a_full_disk_is_said_in_words_and_leaves_nothing(
    where: str, upload: Upload, claimed: Callable[[DatasetRow], Claim], engine: Engine, settings: Settings
) -> None:
    count = depth(60, 300)
    # Words that differ from row to row, and no digits: those are looked through for numbers of persons and cards.
    words = ["".join("klmnopqrst"[int(digit)] for digit in str(n)) for n in range(1000, 1000 + count)]
    lines = "\n".join(json.dumps({"prompt": f"{word} " * 3000, "completion": word}) for word in words)
    row = upload(lines.encode())
    database = (settings.data / "tunegate.db").stat().st_size
    working = len(lines) + 100_000  # room for the working files, and not for as many rows in the database
    claim = claimed(row)

    with (
        no_file_longer_than(database + 200_000 if where == "reading" else working),
        pytest.raises(NoSpace, match="Make room"),
    ):
        job.check(claim)

    assert list((settings.data / "checks").iterdir()) == []
    with reading(engine) as session:
        assert store.get(session, row.id).state == "checking"
    job.check(claimed(row))
    with reading(engine) as session:
        assert session.scalar(select(func.count()).where(ExampleRow.dataset_id == row.id)) == count
        assert store.get(session, row.id).state == "ready"


def test_an_attempt_that_was_taken_over_leaves_nothing(
    upload: Upload, claimed: Callable[[DatasetRow], Claim], settings: Settings
) -> None:
    row = upload(pairs(30))
    asleep = claimed(row)
    claimed(row)

    with pytest.raises(Fenced):
        job.check(asleep)

    assert list((settings.data / "checks").iterdir()) == []


def test_a_killed_check_is_done_again_without_a_trace(
    upload: Upload, claimed: Callable[[DatasetRow], Claim], engine: Engine, settings: Settings
) -> None:
    count = depth(1100, 2500)  # more than one batch
    row = upload(pairs(count))
    first = claimed(row)
    first.stopping.set()
    with pytest.raises(Stopping):
        job.check(first)
    with writing(engine) as session:  # what an attempt that died between two batches leaves
        values = [{"dataset_id": row.id, "line": n, "status": "usable"} for n in range(1, 500)]
        store.add_rows(session, row.id, values, after=0)
    (settings.data / "checks" / str(row.id)).mkdir(parents=True, exist_ok=True)
    (settings.data / "checks" / str(row.id) / "rows").write_bytes(b"half")

    job.check(claimed(row))

    with reading(engine) as session:
        assert session.scalar(select(func.count()).where(ExampleRow.dataset_id == row.id)) == count
        assert store.get(session, row.id).state == "ready"
    assert list((settings.data / "checks").iterdir()) == []


@pytest.mark.parametrize("stage", sampled(["Comparing rows", "Drawing the split", "Writing the rows"], every=3))
def test_a_check_goes_on_where_it_was_stopped(
    upload: Upload, claimed: Callable[[DatasetRow], Claim], engine: Engine, settings: Settings, stage: str
) -> None:
    data = pairs(depth(1100, 2500)) + pairs(30) + b"broken\n"
    count = len(data.splitlines())
    row = upload(data)
    plain = upload(data)
    job.check(claimed(plain))
    stopped = Stopped(**{name: value for name, value in vars(claimed(row)).items() if name[0] != "_"}, stage=stage)
    with pytest.raises(Stopping):
        job.check(stopped)
    checkpoint = Checkpoint(
        settings.data / "checks" / str(row.id), json.loads((settings.data / "checks" / str(row.id) / ABOUT).read_text())
    )
    assert checkpoint.begun
    told = Told(**{name: value for name, value in vars(claimed(row)).items() if name[0] != "_"})

    job.check(told)

    assert not any(stage.startswith("Reading the file") for stage in told.stages)
    with reading(engine) as session:
        one, other = store.get(session, row.id), store.get(session, plain.id)
        assert session.scalar(select(func.count()).where(ExampleRow.dataset_id == row.id)) == count
        mine, theirs = (
            {**row.report_json, "index_sha256": ""} for row in (one, other)
        )  # it names the rows by their ids
        assert (one.state, one.split_sha256, mine) == ("ready", other.split_sha256, theirs)
        rows = store.listed(session, row.id, store.RowFilter(), limit=3000)
        assert len({(example.file, example.line) for example in rows}) == count
        assert one.rows_sha256
    assert list((settings.data / "checks").iterdir()) == []


def test_what_lies_on_the_desk_of_another_order_is_not_taken_up(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "desk", ["a"]).save_json("reading", {"rows": 5})

    assert Checkpoint(tmp_path / "desk", ["a"]).load_json("reading") == {"rows": 5}
    assert Checkpoint(tmp_path / "desk", ["b"]).load_json("reading") is None


def test_a_sleeping_attempt_keeps_its_folder(
    upload: Upload, claimed: Callable[[DatasetRow], Claim], engine: Engine, settings: Settings
) -> None:
    row = upload(pairs(60))
    claim = claimed(row)
    place = settings.data / "checks"
    place.mkdir()
    (place / str(row.id)).mkdir()
    (place / str(row.id) / "rows").write_bytes(b"of the sleeper")
    with (place / f"{row.id}.lock").open("w") as asleep:
        fcntl.flock(asleep, fcntl.LOCK_EX)

        job.check(claim)

        assert (place / str(row.id) / "rows").read_bytes() == b"of the sleeper"
    with reading(engine) as session:
        assert store.get(session, row.id).state == "ready"


def test_folders_of_checks_that_nobody_goes_on_with_are_removed(
    upload: Upload, claimed: Callable[[DatasetRow], Claim], settings: Settings
) -> None:
    (settings.data / "checks" / "999").mkdir(parents=True)

    job.check(claimed(upload(pairs(60))))

    assert list((settings.data / "checks").iterdir()) == []


def test_a_check_that_is_done_does_nothing_more(
    checked: Upload, claimed: Callable[[DatasetRow], Claim], engine: Engine
) -> None:
    row = checked(pairs(60))
    with writing(engine) as session:
        found = job_store.latest(session, "check", row.id)
        assert found is not None
        found.status = Status.RUNNING

    job.check(claimed(row))

    with reading(engine) as session:
        assert store.get(session, row.id).rows_sha256 == row.rows_sha256


def test_a_cancelled_check_can_be_started_again(
    upload: Upload,
    claimed: Callable[[DatasetRow], Claim],
    engine: Engine,
    queue: job_engine.Client,
    me: UserRow,
) -> None:
    row = upload(pairs(60))
    claim = claimed(row)
    with writing(engine) as session:
        jobs.cancel(session, claim.job_id, me)
    with pytest.raises(Cancelled):
        job.check(claim)
    with writing(engine) as session:
        job_store.get(session, claim.job_id).status = Status.CANCELLED

    with writing(engine) as session:
        jobs.bind(session, queue)
        again = uploads_service.check_again(session, row.id, me)
        assert (again.kind, again.subject_id, again.status) == ("check", row.id, "queued")
        with pytest.raises(Conflict):
            uploads_service.check_again(session, row.id, me)


def test_own_test_rows_judge_and_are_not_counted_as_usable(checked: Upload, engine: Engine) -> None:
    row = checked(pairs(50), test=pairs(20, start=45))

    with reading(engine) as session:
        measured = facts.measured(session, row.assessment_id).to_json()
        tests = store.listed(session, row.id, store.RowFilter(split="test"))
    assert loose(measured.pop("signals"))["rows"] == 70
    assert measured == {
        "uploaded_examples": 50,
        "usable_examples": 45,
        "contradiction_rate": 0.0,
        "similar_questions": 0,
        "identifiers_decided": True,
    }
    assert {one.file for one in tests} == {1}
    assert row.test_rows == 20


def test_a_small_classifier_counts_where_labels_are_asked_for_word_for_word(
    checked: Upload, engine: Engine, assessment: AssessmentRow
) -> None:
    row = checked((DATA / "intent_banking77" / "train_700.jsonl").read_bytes())

    with writing(engine) as session:
        found = facts.measured(session, assessment.id).to_json()
        asked = session.get_one(AssessmentRow, assessment.id)
        assert asked.answers["metric"] == "exact_match"
        asked.answers = {**asked.answers, "metric": "chrf"}
        session.flush()
        without = facts.measured(session, assessment.id).to_json()

    tried = row.report.learnability
    assert tried is not None
    assert tried.baseline is not None
    assert tried.verdict == "learnable"
    assert "arms" not in without
    assert loose(found["arms"])["small_classifier"]["total"] == tried.baseline.rows
    assert loose(found["arms"])["small_classifier"]["passed"] == round(tried.baseline.score * tried.baseline.rows)


@pytest.mark.parametrize(("verdict", "arms"), [
    ("unlearnable", {"trivial": {"passed": 376, "total": 400}}), pytest.param("too_few", None, marks=pytest.mark.deep)
])  # fmt: skip
def test_a_classifier_that_only_says_the_commonest_label_is_none(
    checked: Upload, engine: Engine, assessment: AssessmentRow, verdict: str, arms: dict[str, Any] | None
) -> None:
    lines = [{"prompt": f"Where is {n} of {n * 31 % 101}?", "completion": "no" if n % 16 else "yes"} for n in range(40)]
    row = checked(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    tried = {"metric": "accuracy", "score": 0.93, "low": 0.9, "rows": 400}
    measured = {"verdict": verdict, "baseline": tried, "trivial": {"score": 0.94}}

    with writing(engine) as session:
        store.get(session, row.id).report_json = {**row.report_json, "learnability": measured}
        session.flush()

        assert facts.measured(session, assessment.id).to_json().get("arms") == arms


def test_a_split_is_frozen_once_and_counts_from_then(
    checked: Upload, engine: Engine, me: UserRow, assessment: AssessmentRow
) -> None:
    row = checked(pairs(60), checked=True)
    with writing(engine) as session:
        before = facts.measured(session, assessment.id).to_json()

        uploads_service.freeze(session, row.id, me)

        assert "test_rows" not in before
        assert facts.measured(session, assessment.id).to_json() == before | {"test_rows": 18, "test_overlap_rows": 0}
        assert before["test_human_checked"] is True
        with pytest.raises(Conflict, match="frozen already"):
            uploads_service.freeze(session, row.id, me)


def test_only_the_current_checked_version_is_frozen(
    checked: Upload, upload: Upload, engine: Engine, me: UserRow
) -> None:
    old = checked(pairs(60))
    waiting = upload(pairs(61))

    with writing(engine) as session:
        with pytest.raises(Conflict, match="Version 2 is newer and its check has not ended"):
            uploads_service.freeze(session, old.id, me)
        with pytest.raises(Conflict, match="The check of this version has not ended"):
            uploads_service.freeze(session, waiting.id, me)


def test_of_two_checked_versions_the_newer_is_frozen(checked: Upload, engine: Engine, me: UserRow) -> None:
    old = checked(pairs(60))
    checked(pairs(61))

    with writing(engine) as session, pytest.raises(Conflict, match="Version 2 counts now; this one is only to be read"):
        uploads_service.freeze(session, old.id, me)


def test_nothing_is_measured_before_the_check_has_ended(
    upload: Upload, engine: Engine, assessment: AssessmentRow
) -> None:
    with reading(engine) as session:
        assert facts.measured(session, assessment.id).to_json() == {}
    upload(pairs(60))
    with reading(engine) as session:
        assert facts.measured(session, assessment.id).to_json() == {}


@pytest.mark.worker
@pytest.mark.long("two real workers start, one after the other")
@pytest.mark.deep
def test_kill_minus_9_loses_nothing(
    upload: Upload, engine: Engine, settings: Settings, worker: Callable[..., Process]
) -> None:
    count = depth(2_000, 8_000)
    while not killed_amid_its_check(engine, row := upload(pairs(count)), worker(settings)):
        count *= 2  # it was through before this process had its turn
    with reading(engine) as session:
        one = job_store.latest(session, "check", row.id)
        assert one is not None
        found = one.id

    worker(settings)

    until(lambda: state(engine, row) == "ready", 90)
    with reading(engine) as session:
        done = job_store.get(session, found)
        assert session.scalar(select(func.count()).where(ExampleRow.dataset_id == row.id)) == count
        assert store.get(session, row.id).usable_rows == count * 0.8
    assert done.attempt == 2


def killed_amid_its_check(engine: Engine, row: DatasetRow, worker: Process) -> bool:
    """Kill a worker that compares or writes rows; whether that ended its check halfway."""
    found = until_running(engine, row)
    until(
        lambda: (
            progress(engine, found).get("stage", "").startswith(("Comparing", "Writing"))
            or state(engine, row) != "checking"
        ),
        60,
    )
    worker.kill()
    return state(engine, row) == "checking"


def until_running(engine: Engine, row: DatasetRow) -> int:
    found: list[int] = []

    def running() -> bool:
        with reading(engine) as session:
            one = job_store.latest(session, "check", row.id)
            assert one is not None
            found[:] = [one.id]
            return one.status in {Status.RUNNING, Status.DONE}

    until(running, 60)
    return found[0]


def progress(engine: Engine, job_id: int) -> Progress:
    with reading(engine) as session:
        return job_store.get(session, job_id).progress


def state(engine: Engine, row: DatasetRow) -> str:
    with reading(engine) as session:
        return store.get(session, row.id).state


def test_a_check_works_on_either_database(either: Settings, make: Make) -> None:
    engine = make_engine(either.url)
    queue = job_engine.Client(either.url)
    blobs = Blobs(either.blobs_dir)
    maker = Make(engine, either)
    me = maker.author()
    assessment = maker.assessment(me)
    with writing(engine) as session:
        jobs.bind(session, queue)
        row = uploads_service.upload(session, assessment.id, me, Uploaded(blobs.put_bytes(pairs(30)), "x.jsonl"))
    with writing(engine) as session:
        found = job_store.latest(session, "check", row.id)
        assert found is not None
        attempt = job_store.claim(session, found.id, "test", utcnow())
        assert attempt is not None
        claim = Claim(found.id, row.id, attempt, engine, either, blobs, queue, threading.Event())

    job.check(claim)

    with reading(engine) as session:
        assert store.get(session, row.id).usable_rows == 21
        assert len(store.rows(session, row.id, "test")) == 9
    queue.close()
    engine.dispose()


@pytest.mark.parametrize("name", ["cr_only.jsonl", "json_array.jsonl", "semicolons.csv", "phpdoc"])
def test_real_files_go_all_the_way(checked: Upload, name: str) -> None:
    path = DATA / "phpdoc" / "small_300.jsonl" if name == "phpdoc" else BAD_FILES / "files" / name

    row = checked(path.read_bytes())

    assert row.state == "ready"
    assert row.usable_rows + row.test_rows == (300 if name == "phpdoc" else 20)
