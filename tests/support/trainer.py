"""A run that is ready to start, and the trainer as a process forked from the tests."""

import json
import os
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.gate import permission
from app.gate import subject as subjects
from app.inference import folders
from app.training import order as orders
from app.training.protocol import SPEC
from app.training.recipe import Recipe
from tests.support import tiny

QUICK = Recipe(
    rank=4, alpha=8, learning_rate=1e-2, batch_rows=4, epochs=2, dev_rows=6, patience=0, precision="float32", clip=10.0
)


@dataclass
class Run:
    """A run folder with everything that the trainer asks for, and ways to start it."""

    folder: Path
    data: Path
    rows: Path
    model: Path
    key: bytes = b"k" * 32
    job_id: int = 7
    life: int = 60
    recipe: Recipe = QUICK

    def subject(self, **changes: Any) -> dict[str, Any]:
        files = folders.hashes(self.model)
        part = orders.training_part(self.recipe, "Say the first word twice.", "someone/tiny", "", files)
        rows = folders.sha256(self.rows)
        return {"dataset": {"rows_sha256": rows, "split_sha256": rows}, "training": part} | changes

    def order(self, attempt: int = 1, tampered: dict[str, Any] | None = None) -> None:
        """Write the spec of an attempt; `tampered` goes into the spec after it was signed."""
        text = subjects.canonical(self.subject()).decode()
        digest = subjects.digest_of_text(text.encode())
        expires = int(time.time()) + self.life
        token = permission.launch_token(self.key, job_id=self.job_id, attempt=attempt, digest=digest, expires=expires)
        spec = {
            "job_id": self.job_id,
            "attempt": attempt,
            "token": token,
            "digest": digest,
            "subject": text,
            "rows": str(self.rows),
            "model": str(self.model),
            "threads": 1,
        }
        (self.folder / SPEC).write_text(json.dumps(spec | (tampered or {})), encoding="utf-8")

    def start(self) -> "Child":
        """Fork a trainer: a real process with pipes of its own, without paying for torch's import again."""
        sys.stdout.flush()
        sys.stderr.flush()
        given, lifeline = os.pipe()
        events, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(lifeline)
            os.close(events)
            _be_the_trainer(self, given, said)
        os.close(given)
        os.close(said)
        return Child(pid, lifeline, events)

    def train(self, attempt: int = 1) -> "Child":
        """One attempt from start to end."""
        self.order(attempt)
        child = self.start()
        child.wait()
        return child

    @property
    def adapter(self) -> str:
        return folders.sha256(self.folder / "adapter" / "adapter_model.safetensors")


def _be_the_trainer(run: Run, given: int, said: int) -> None:
    """Only in the fork: never returns."""
    code = 99
    try:
        from app.training import child

        os.dup2(given, 0)
        os.dup2(said, 1)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        os.environ["TUNEGATE_DATA"] = str(run.data)
        code = child.attempt(run.folder)
    except BaseException:
        os.write(2, traceback.format_exc().encode())
        raise
    finally:
        os._exit(code)


@dataclass
class Child:
    """A forked trainer."""

    pid: int
    lifeline: int
    pipe: int
    said: bytes = b""
    code: int | None = None

    def wait(self) -> int:
        """Read until it ends, and reap it."""
        while part := os.read(self.pipe, 65536):
            self.said += part
        os.close(self.pipe)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.hang_up()
        return self.code

    def until(self, event: str) -> dict[str, Any]:
        """Read until it says this."""
        while True:
            for line in self.said.splitlines(keepends=True):
                if line.endswith(b"\n") and json.loads(line)["event"] == event:
                    return dict(json.loads(line))
            part = os.read(self.pipe, 65536)
            assert part, self.said
            self.said += part

    def lines(self, count: int) -> None:
        """Read until it has said so many lines, or has ended."""
        while self.said.count(b"\n") < count and (part := os.read(self.pipe, 256)):
            self.said += part

    def hang_up(self) -> None:
        """What the system does when the worker dies."""
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.said.splitlines(keepends=True) if line.endswith(b"\n")]
        return [line for line in lines if line["event"] == kind]


def build(root: Path, model: Path) -> Run:
    folder, data = root / "run", root / "data"
    folder.mkdir()
    data.mkdir()
    (data / "secret.key").write_bytes(b"k" * 32)
    return Run(folder, data, tiny.write_rows(root / "source.jsonl", tiny.rows()), model)
