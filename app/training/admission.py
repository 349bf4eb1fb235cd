"""What has to hold before anything is trained: the token, the digest, the lock, and every byte of rows and model.

What is trained are the very bytes that were hashed here: rows are never opened again, and the model is hashed once more
as it is loaded (`learner`). No torch.
"""

import fcntl
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import Invalid
from app.gate import permission
from app.gate import subject as subjects
from app.inference import folders
from app.training import spec as specs
from app.training.protocol import SEALED, SPEC, Exit, Start, of_rank, plain
from app.training.ranks import Place
from app.training.spec import SourceRow, TrainingSpec
from app.wording import plural

PATIENCE = 30.0  # seconds to wait for an attempt before us that is still writing its last checkpoint


class Refuse(Exception):
    """What we found is not what was approved."""


class Ended(Exception):
    """The run ends here with this code; the text is for the job's log."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code


def admit(run: Path, key: bytes, now: float, where: Place | None = None) -> tuple[Start, TrainingSpec]:
    """Check the token, then the digest; what follows uses the approved subject only. Each rank does so for itself.

    Raises:
        Ended: no valid token. Refuse: the subject is not the one that the token is for, or for fewer or more processes.
    """
    where = where or Place()
    try:
        order = run / of_rank(SPEC, where.rank)
        text = order.read_text(encoding="utf-8")
        order.unlink()  # it is ours now; nobody starts with it again
        start = Start(**json.loads(text))
        permission.verify_token(
            key, start.token, job_id=start.job_id, attempt=start.attempt, digest=start.digest, now=now
        )
    except (OSError, ValueError, TypeError) as error:
        raise Ended(Exit.NO_TOKEN, f"No valid launch token: {error}.") from error
    if subjects.digest_of_text(start.subject.encode()) != start.digest:
        raise Refuse("The subject is not the one that was approved.")
    try:
        spec = specs.from_subject(json.loads(start.subject))
    except (ValueError, Invalid) as error:
        raise Refuse(f"The approved subject cannot be trained: {error}.") from error
    if where.size != spec.recipe.processes:
        raise Refuse(f"Approved for {plural(spec.recipe.processes, 'process', 'processes')}, started as {where.size}.")
    return start, spec


def read_rows(source: Path, sha256: str) -> Iterator[SourceRow]:
    """The approved rows, read once: what is handed on are the bytes that were hashed, whatever becomes of the file.

    Raises: Refuse: it is not the approved content, or not a plain file.
    """
    digest, lines = hashlib.sha256(), deque[bytes]()
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise Refuse(f"The rows cannot be read: {os.strerror(error.errno or 0)}.") from error
    with os.fdopen(handle, "rb") as file:
        for line in file:
            digest.update(line)
            lines.append(line)
    if digest.hexdigest() != sha256:
        raise Refuse("The rows changed after they were approved.")
    return specs.rows(_taken(lines))


def _taken(lines: deque[bytes]) -> Iterator[bytes]:
    """Each line once, and gone: a large set is not held twice while it is cut into tokens."""
    while lines:
        yield lines.popleft()


def check_model(folder: Path, spec: TrainingSpec) -> None:
    """Raises: Refuse: the base model's files are not the approved ones."""
    try:
        folders.verify(folder, spec.files)
    except (folders.Damaged, folders.NotAModel) as error:
        raise Refuse(f"The base model is not the approved one: {error}") from error


@contextmanager
def lock(run: Path, number: int, rank: int = 0) -> Iterator[None]:
    """Be the only trainer (the only one of this rank) in this folder; waits for the one before us to finish its last
    checkpoint.

    The lock's file keeps the number of the last start. The worker counts them up, so a token that is used a second time
    is for a start that was made already.

    Raises:
        Ended: the one before us does not finish, or this start was made already.
    """
    with os.fdopen(plain(run / of_rank(SEALED, rank), os.O_RDWR), "r+", encoding="ascii") as handle:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Ended(Exit.BUSY, "Another attempt still holds this run.") from None
                time.sleep(0.2)
        used = handle.read().strip()
        if used.isdigit() and number <= int(used):
            raise Ended(Exit.NO_TOKEN, "No valid launch token: it was used already.")
        handle.seek(0)
        handle.write(f"{number}\n")
        handle.truncate()
        handle.flush()
        os.fsync(handle.fileno())
        yield
