"""The content store: names are promises about bytes."""

import fcntl
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.blobs import Blobs, Damaged, NoSpace
from app.errors import Invalid


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def test_the_same_bytes_are_stored_once(blobs: Blobs) -> None:
    one, two = blobs.put([b"ab", b"c"]), blobs.put_bytes(b"abc")

    assert one == two
    with blobs.open(one.sha256) as stored:
        assert stored.read() == b"abc"
    assert not list((blobs.root / "staging").iterdir())


def test_nothing_is_left_of_an_upload_that_is_too_large(blobs: Blobs) -> None:
    with pytest.raises(Invalid, match="larger than"):
        blobs.put([b"x" * 600_000, b"x" * 600_000], limit=1 << 20)

    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


def test_nothing_is_left_of_an_upload_that_breaks_off(blobs: Blobs) -> None:
    def broken() -> "list[bytes]":
        raise ConnectionError

    with pytest.raises(ConnectionError):
        blobs.put(chunk for chunk in [b"a"] if broken())

    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


def test_a_file_longer_than_the_system_takes_is_told_as_a_disk_that_takes_no_more(blobs: Blobs) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(NoSpace, match="File too large"):
            blobs.put([b"x" * 90_000] * 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert [path for path in blobs.root.rglob("*") if path.is_file()] == []


def test_what_a_killed_process_left_is_removed_by_the_next(blobs: Blobs) -> None:
    staging = blobs.root / "staging"
    staging.mkdir(parents=True)
    dead, held, young = (staging / name for name in ("dead", "held", "young"))
    for path in (dead, held, young):
        path.write_bytes(b"half")
    for path in (dead, held):
        os.utime(path, (1, 1))

    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        blobs.put_bytes(b"new")

    assert sorted(staging.iterdir()) == [held, young]


@given(st.text(max_size=80))
def test_no_text_is_a_path(name: str) -> None:
    if len(name) == 64 and set(name) <= set("0123456789abcdef"):
        return
    with pytest.raises(ValueError, match="not a content name"):
        Blobs(Path("/nowhere")).path(name)


def test_changed_bytes_are_found_out_before_they_are_used(blobs: Blobs) -> None:
    blob = blobs.put_bytes(b"the rows")
    path = blobs.path(blob.sha256)
    path.chmod(0o640)
    path.write_bytes(b"the rowz")

    assert not blobs.intact(blob.sha256)


def test_a_link_in_the_store_is_not_followed(blobs: Blobs, tmp_path: Path) -> None:
    blob = blobs.put_bytes(b"the rows")
    path = blobs.path(blob.sha256)
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(b"the rows")
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Damaged):
        blobs.open(blob.sha256)
