"""The secret of this installation: signs launch tokens, seals approvals and the head of the record, and encrypts stored
model keys. Never in the database.

Made at the first use, readable by the owner only. Losing it means typing the model keys again and asking for the
approvals again that were not used yet, nothing worse.
"""

import os
import secrets
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings

OTHERS = 0o077  # the bits of a mode that let in anybody but the owner


def keep_closed(settings: Settings) -> None:
    """From here on everything that this process and its children make is for this account alone, data folder first.

    The folder holds rows, prompts, the database and running jobs' orders; the key beside them would not help much. A
    folder that belongs to somebody else stays as it is: `doctor` says so.
    """
    os.umask(OTHERS)
    settings.data.mkdir(parents=True, exist_ok=True)
    with suppress(PermissionError):
        settings.data.chmod(0o700)


def open_to_others(settings: Settings) -> str:
    """What of the data folder other accounts of this machine could read; empty when they can't."""
    for path, mode in ((settings.data, "700"), (settings.key_file, "600")):
        if path.exists() and path.stat().st_mode & OTHERS:
            return f"{path} is open to other accounts of this machine; run: chmod {mode} {path}"
    return ""


@dataclass(frozen=True, slots=True)
class Installation:
    """What belongs to this installation and is not in its database, so that whoever can write there cannot make it.

    The engine carries it (`db.engine_for`); a process without it can neither seal an approval nor believe one.
    """

    settings: Settings

    @property
    def key(self) -> bytes:
        return key(self.settings)

    @property
    def head(self) -> Path:
        """Where the seal of the record's newest entry is kept."""
        return self.settings.data / "audit.head"


def key(settings: Settings) -> bytes:
    """The key, 32 random bytes in URL-safe base64 (what Fernet takes), made if there is none yet."""
    path = settings.key_file
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    made = urlsafe_b64encode(secrets.token_bytes(32))
    staged = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    file = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, made)
        os.fsync(file)
    finally:
        os.close(file)
    try:
        os.link(staged, path)  # fails when another process was quicker, whose key then counts
    except FileExistsError:
        made = path.read_bytes()
    finally:
        staged.unlink()
    return made
