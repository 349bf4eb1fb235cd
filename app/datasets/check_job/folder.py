"""The folder in which an attempt of a check works, and what happens when the disk is full."""

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import OperationalError

from app.blobs import NoSpace
from app.datasets import store
from app.jobs.claims import Claim, Fenced

ROWS_A_TRANSACTION = 10_000  # rows that are changed or removed in one transaction
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_ROOM = "The disk is full, so the check stopped; the upload is kept. Make room on the server, then check again."
_FULL_WORDS = ("disk is full", "disk I/O error", "No space left")  # of SQLite (two) and PostgreSQL


@contextmanager
def disk_room(claim: Claim, folder: Path) -> Iterator[None]:
    """Say in words that the disk is full, and give back what the check took of it; the upload stays.

    Raises:
        NoSpace: instead of what the system or the database said.
    """
    try:
        yield
    except (OSError, OperationalError, NoSpace) as error:
        number = error.errno if isinstance(error, OSError) else None
        if isinstance(error, NoSpace) or number in FULL or any(words in str(error) for words in _FULL_WORDS):
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OperationalError):  # with no room at all for that either, the next check does it
                forget_rows(claim)
            raise NoSpace(NO_ROOM) from error
        raise
    except Fenced:  # another attempt has a folder of its own, or none left to go on with
        shutil.rmtree(folder, ignore_errors=True)
        raise


def forget_rows(claim: Claim) -> None:
    """Remove what an interrupted check wrote, in short transactions: others want to write too."""
    left = True
    while left:
        with claim.write() as session:
            left = store.forget_rows(session, claim.subject_id, most=ROWS_A_TRANSACTION)


@contextmanager
def attempt_folder(claim: Claim, within: str = "checks") -> Iterator[Path]:
    """The folder of this dataset's check (or of other work, under a name of its own), for this attempt alone.

    An attempt that was taken over may still be asleep and hold the folder (its lock ends with its process);
    then this one works in a folder of its own, from the start.
    """
    place = claim.settings.data / within
    place.mkdir(parents=True, exist_ok=True)
    lock = place / f"{claim.subject_id}.lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield place / f"{claim.subject_id}-{claim.attempt}"
            return
        try:
            yield place / str(claim.subject_id)
        finally:
            lock.unlink(missing_ok=True)


def sweep(claim: Claim) -> None:
    """Remove what was left by checks that nobody will go on with."""
    place = claim.settings.data / "checks"
    if not place.is_dir():
        return
    with claim.read() as session:
        open_ids = {str(dataset_id) for dataset_id in store.being_checked(session)}
    for path in place.iterdir():
        if path.is_dir() and path.name.split("-")[0] not in open_ids:
            shutil.rmtree(path, ignore_errors=True)
