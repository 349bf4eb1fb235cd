"""Checkpoints that are there whole or not at all, and that nobody else can have written.

A checkpoint is written into a staging folder, every file synced, sealed with a manifest (size and SHA-256 of each file,
and an HMAC over the manifest with this installation's key), and renamed to its final name. A reader takes nothing that
the manifest does not vouch for, and walks back to the one before. Tensors are safetensors and the rest is JSON: reading
a checkpoint runs no code, whoever wrote it. No torch here.
"""

import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.gate.subject import canonical
from app.inference import folders
from app.inference.folders import MANIFEST
from app.json_types import JsonObject

KEEP = 2  # newest ones, besides the best


class Corrupt(Exception):
    """A checkpoint cannot be trusted; the text says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A committed checkpoint. facts: what the trainer wrote down beside the tensors."""

    folder: Path
    step: int
    attempt: int
    manifest_sha256: str
    facts: JsonObject


@dataclass(frozen=True, slots=True)
class CheckpointStore:
    """The checkpoints of one training run.

    key: the installation's secret. digest: of the approved subject; a checkpoint of another subject is not read.
    """

    root: Path
    key: bytes
    digest: str
    attempt: int

    @property
    def folder(self) -> Path:
        return self.root / "checkpoints"

    def commit(self, step: int, write: Callable[[Path], None], facts: JsonObject) -> Checkpoint:
        """Store what `write` puts into a folder as the checkpoint of `step`."""
        target = self.folder / f"step-{step:08d}-attempt-{self.attempt:04d}"
        return self._publish(target, step, write, facts)

    def publish(self, name: str, step: int, write: Callable[[Path], None], facts: JsonObject) -> Checkpoint:
        """Store a finished adapter under a fixed name; one that is there is replaced."""
        target = self.root / name
        folders.discard(target)
        return self._publish(target, step, write, facts)

    def _publish(self, target: Path, step: int, write: Callable[[Path], None], facts: JsonObject) -> Checkpoint:
        staging = self.root / "staging" / f"{self.attempt}-{secrets.token_hex(8)}"
        staging.mkdir(parents=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(staging)
            body = {
                "format": 1,
                "step": step,
                "attempt": self.attempt,
                "digest": self.digest,
                "facts": json.dumps(facts, sort_keys=True),
                "files": {name: {"sha256": h, "size": (staging / name).stat().st_size}
                          for name, h in folders.hashes(staging).items()},
            }  # fmt: skip
            text = json.dumps(body | {"hmac": self._seal(body)}, indent=1, sort_keys=True)
            (staging / MANIFEST).write_text(text, encoding="utf-8")
            folders.publish(staging, target)
        finally:
            folders.discard(staging)
        return Checkpoint(target, step, self.attempt, folders.sha256(target / MANIFEST), dict(facts))

    def newest(self, say: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that is whole, walking back over those that are not; `say` hears of each of these."""
        for folder in reversed(list(self._folders())):
            try:
                return self.read(folder)
            except Corrupt as error:
                say(f"Checkpoint {folder.name} is not used: {error}.")
        return None

    def of_step(self, step: int) -> Checkpoint | None:
        """A whole checkpoint of this step, if there is one."""
        for folder in reversed([path for path in self._folders() if path.name.startswith(f"step-{step:08d}-")]):
            try:
                return self.read(folder)
            except Corrupt:
                continue
        return None

    def read(self, folder: Path) -> Checkpoint:
        """Verify a folder, every byte of it.

        Raises:
            Corrupt: missing, cut off, changed, of another subject, or not written by us.
        """
        try:
            body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            seal = body.pop("hmac")
            if not hmac.compare_digest(seal, self._seal(body)):
                raise Corrupt("its manifest was not written by this installation")
            if body["digest"] != self.digest:
                raise Corrupt("it belongs to another subject")
            stored = folders.hashes(folder)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Corrupt("its manifest or a file cannot be read") from error
        wanted = {name: entry["sha256"] for name, entry in body["files"].items()}
        if wrong := sorted(name for name in {*wanted, *stored} if wanted.get(name) != stored.get(name)):
            raise Corrupt(f"{', '.join(wrong)} is missing or damaged")
        manifest = folders.sha256(folder / MANIFEST)
        return Checkpoint(folder, body["step"], body["attempt"], manifest, json.loads(body["facts"]))

    def prune(self, best: int | None) -> None:
        """Remove all but the best and the newest ones. By step and attempt, never by a file's time."""
        keep = list(self._folders())
        for folder in keep[:-KEEP]:
            if best is None or not folder.name.startswith(f"step-{best:08d}-"):
                self._remove(folder)

    def _remove(self, folder: Path) -> None:
        """Move it out of sight first, so that a kill in between leaves no half checkpoint on the shelf."""
        gone = self.root / "staging" / f"{self.attempt}-{secrets.token_hex(8)}"
        folder.rename(gone)
        folders.discard(gone)

    def sweep(self) -> None:
        """Remove what a killed attempt left half-written. Only for whoever holds the lock of the run."""
        folders.discard(self.root / "staging")

    def _folders(self) -> Iterator[Path]:
        if self.folder.is_dir():
            yield from sorted(path for path in self.folder.iterdir() if path.name.startswith("step-"))

    def _seal(self, body: JsonObject) -> str:
        return hmac.new(self.key, b"checkpoint-v1\n" + canonical(body), sha256).hexdigest()
