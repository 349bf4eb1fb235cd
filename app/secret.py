"""The secret of this installation: signs launch tokens, seals approvals and the head of the record, and encrypts stored
model keys. Never in the database.

Made at the first use, readable by the owner only. Losing it means typing the model keys again and asking for the
approvals again that were not used yet, nothing worse.
"""

import os
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings


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
