"""The adapter as it leaves: every file, its hash, who approved it, and nothing that was changed on the disk."""

import io
import json
import zipfile
from hashlib import sha256

import pytest
from sqlalchemy import Engine, select, update

from app.blobs import Blobs, Damaged
from app.db import reading, utcnow, writing
from app.errors import Conflict, NotFound
from app.gate import subject as subjects
from app.gate.tables import DecisionRow, ReviewRow
from app.results import service
from app.training.tables import TrainingRow
from tests.support.installed import unguard
from tests.support.trained import WEIGHTS, adapter_zip

OURS = {"README.md", "evaluation.json", "decision.json", "training.json", "subject.json", "prompts.jsonl", "SHA256SUMS"}


def bundle(engine: Engine, blobs: Blobs) -> bytes:
    with reading(engine) as session, service.bundle(session, blobs, 1) as made:
        return made.read()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        assert len(zipped.namelist()) == len(set(zipped.namelist())), "no name twice"
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_the_adapter_is_in_it_byte_for_byte_with_what_was_measured(engine: Engine, blobs: Blobs) -> None:
    files = unpacked(bundle(engine, blobs))

    assert files.keys() == OURS | {"adapter_config.json", "adapter_model.safetensors"}
    assert files["adapter_model.safetensors"] == WEIGHTS
    assert json.loads(files["evaluation.json"])["pairwise"][0]["gained"] == 50
    told = json.loads(files["training.json"])
    assert told["facts"] == {"attempts": 1, "steps": 60}
    assert told["recipe"]["rank"] == 16


def test_every_file_has_the_hash_that_is_written_beside_it(engine: Engine, blobs: Blobs) -> None:
    files = unpacked(bundle(engine, blobs))

    written = files.pop("SHA256SUMS").decode().splitlines()

    assert written == [f"{sha256(files[name]).hexdigest()}  {name}" for name in sorted(files)]


def test_it_says_exactly_what_was_approved_and_by_whom(engine: Engine, blobs: Blobs) -> None:
    with writing(engine) as session:
        [decision] = session.scalars(select(DecisionRow))
        unguard(session, "decisions")
        session.add(
            DecisionRow(review_id=1, reviewer_id=1, kind="approve", digest="0" * 64, at=utcnow(), voided_at=utcnow())
        )
        session.add(DecisionRow(review_id=1, reviewer_id=1, kind="comment", digest="0" * 64, at=utcnow()))

    files = unpacked(bundle(engine, blobs))

    said = json.loads(files["decision.json"])
    assert [one["reviewer"] for one in said["approvals"]] == [decision.reviewer_id]
    assert said["digest"] == said["approvals"][0]["digest"] == decision.digest
    assert subjects.digest_of_text(files["subject.json"]) == said["digest"]


def test_the_same_adapter_is_the_same_file(engine: Engine, blobs: Blobs) -> None:
    assert bundle(engine, blobs) == bundle(engine, blobs)


def test_a_file_of_ours_takes_the_place_of_one_that_the_trainer_left(engine: Engine, blobs: Blobs) -> None:
    blob = blobs.put_bytes(adapter_zip(**{"README.md": "by the trainer", "SHA256SUMS": "0" * 64, "more.txt": "kept"}))
    with writing(engine) as session:
        session.execute(update(TrainingRow).values(adapter_sha256=blob.sha256))

    files = unpacked(bundle(engine, blobs))

    assert files["README.md"].startswith(b"---\n")
    assert files["more.txt"] == b"kept"
    assert b"more.txt" in files["SHA256SUMS"]


def test_before_there_is_an_adapter_there_is_no_file(engine: Engine, blobs: Blobs) -> None:
    with writing(engine) as session:
        session.execute(update(TrainingRow).values(adapter_sha256=None))

    with pytest.raises(NotFound):
        bundle(engine, blobs)


def test_an_adapter_that_was_changed_on_the_disk_does_not_leave(engine: Engine, blobs: Blobs) -> None:
    with reading(engine) as session:
        path = blobs.path(str(session.scalars(select(TrainingRow.adapter_sha256)).one()))
    path.chmod(0o640)
    path.write_bytes(path.read_bytes().replace(WEIGHTS[:16], b"x" * 16, 1))

    with pytest.raises(Damaged):
        bundle(engine, blobs)


def test_a_subject_that_was_rewritten_does_not_leave(engine: Engine, blobs: Blobs) -> None:
    with writing(engine) as session:
        session.connection().exec_driver_sql("drop trigger reviews_frozen")
        review = session.get_one(ReviewRow, 1)
        review.subject = review.subject.replace("Docs platform team", "Somebody else")

    with pytest.raises(Conflict):
        bundle(engine, blobs)
