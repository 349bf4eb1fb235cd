"""The newest entry of the record, sealed with the installation's key and kept outside of the database.

Whoever can write to the database can cut the newest entries off, or seal all of them anew: each entry only vouches for
the one before it. They cannot make this file. It may lag behind by what a crash cut off, never be ahead.
"""

import fcntl
import hmac
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


class Forged(Exception):
    """The file was not written by this installation."""


@dataclass(frozen=True, slots=True)
class Head:
    """The id and the seal of an entry."""

    id: int
    sha256: str


def read(path: Path, key: bytes) -> Head | None:
    """The stored head; None where none was kept yet.

    Raises:
        Forged: the file is damaged, or somebody else's.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        stored = json.loads(text)
        head = Head(int(stored["id"]), str(stored["sha256"]))
        if hmac.compare_digest(str(stored["seal"]), _seal(key, head)):
            return head
    except (ValueError, KeyError, TypeError) as error:
        raise Forged from error
    raise Forged


def keep(path: Path, key: bytes, head: Head) -> None:
    """Put a newer head in the place of the one that is there. One that is not ours stays, for people to look at."""
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            before = read(path, key)
        except Forged:
            return
        if before is not None and before.id >= head.id:
            return
        staged = path.with_name(f"{path.name}.new")
        staged.unlink(missing_ok=True)
        file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            json.dump({"id": head.id, "sha256": head.sha256, "seal": _seal(key, head)}, out)
        staged.replace(path)


def _seal(key: bytes, head: Head) -> str:
    return hmac.new(key, f"audit-head-v1\n{head.id}\n{head.sha256}".encode(), sha256).hexdigest()
