"""The content store: files are named by the SHA-256 of what they hold, so a name is a promise about the bytes."""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from app.errors import Invalid, Refusal

CHUNK = 1 << 20
DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


class Damaged(Refusal):
    """A stored file no longer holds what its name says."""


class NoSpace(Refusal):
    """The disk has no room for this."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored file: `size` in bytes."""

    sha256: str
    size: int


class Blobs:
    """A local folder; `ab/abcdef...` so that no folder grows too long.

    A file appears under its name only when it is complete and on the disk: written to `staging/`, synced, renamed.
    What a killed process leaves there is removed by whoever stores something later.
    """

    RESERVE = 256 * 1024 * 1024  # bytes kept free, so that the database can still write when uploads may not

    STALE = 600  # seconds without a write, after which a staged file that nobody holds is a dead process's

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, chunks: Iterable[bytes], limit: int | None = None) -> Blob:
        """Store what comes, never holding more than one chunk.

        Raises:
            Invalid: more than `limit` bytes came.
            NoSpace: the disk is nearly full.
        """
        staging = self.root / "staging"
        staging.mkdir(parents=True, exist_ok=True)
        self._sweep(staging)
        target = staging / secrets.token_hex(16)
        digest = hashlib.sha256()
        size = 0
        try:
            with target.open("xb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # tells others that somebody is at work on it; ends with the process
                for chunk in chunks:
                    if size // (64 * CHUNK) != (size + len(chunk)) // (64 * CHUNK) or size == 0:
                        self.need_space(len(chunk))
                    size += len(chunk)
                    if limit is not None:
                        self.within(size, limit)
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                blob = Blob(digest.hexdigest(), size)
                self._settle(target, blob)
        except OSError as error:
            if error.errno not in DISK_TROUBLE:  # whoever sends the bytes may have gone away; that is not ours to name
                raise
            raise NoSpace(f"The file could not be stored: {error.strerror}. Tell the operator.") from error
        finally:
            target.unlink(missing_ok=True)
        return blob

    def _sweep(self, staging: Path) -> None:
        for path in staging.iterdir():
            with suppress(OSError):  # gone already, or held by whoever writes it
                if time.time() - path.stat().st_mtime > self.STALE:
                    with path.open("rb") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()

    def put_bytes(self, data: bytes) -> Blob:
        return self.put([data])

    @staticmethod
    def within(size: int, limit: int) -> None:
        """
        Raises:
            Invalid: `size` bytes are more than `limit`.
        """
        if size > limit:
            raise Invalid(f"The file is larger than the {limit // CHUNK:,} MiB that are accepted here.")

    def need_space(self, more: int = 0) -> None:
        """
        Raises:
            NoSpace: the disk is nearly full.
        """
        if shutil.disk_usage(self.root).free < more + self.RESERVE:
            raise NoSpace("The disk is nearly full; nothing was stored. Free some space and upload again.")

    def _settle(self, staged: Path, blob: Blob) -> None:
        final = self.path(blob.sha256)
        final.parent.mkdir(parents=True, exist_ok=True)
        staged.chmod(0o400)
        staged.replace(final)
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def path(self, sha256: str) -> Path:
        """Where the content lies. Only a full lower-case digest is a name, so no path can be smuggled in."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"not a content name: {sha256[:80]!r}")
        return self.root / sha256[:2] / sha256

    def open(self, sha256: str) -> BinaryIO:
        """Open for reading, never following a link out of the store.

        Raises:
            Damaged: the file is missing or is not a plain file.
        """
        path = self.path(sha256)
        try:
            return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except OSError as error:
            raise Damaged(f"A stored file is missing or replaced ({sha256[:12]}...).") from error

    def intact(self, sha256: str) -> bool:
        """Whether the bytes still match their name. Reads the whole file."""
        digest = hashlib.sha256()
        try:
            with self.open(sha256) as source:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
        except Damaged:
            return False
        return digest.hexdigest() == sha256

    def damaged(self, sha256: str) -> NoReturn:
        raise Damaged(f"A stored file was changed on the disk ({sha256[:12]}...). Tell the operator; nothing was sent.")
