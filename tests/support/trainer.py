"""A run that is ready to start, and the trainer as a process of its own."""

import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.gate import permission
from app.gate import subject as subjects
from app.inference import folders
from app.recipes.dev_answers import Scored
from app.training import spec as specs
from app.training.protocol import SPEC, of_rank
from app.training.recipe import Recipe
from tests.support import tiny, zygote

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
    scored: Scored | None = None
    thinks: bool = False

    def copy(self, root: Path) -> "Run":
        """The same run, with all that it has stored so far, in a folder of its own."""
        return replace(self, folder=Path(shutil.copytree(self.folder, root / "run")))

    def subject(self, **changes: Any) -> dict[str, Any]:
        files = folders.hashes(self.model)
        part = specs.training_part(
            self.recipe, "Say the first word twice.", "someone/tiny", "", files, scored=self.scored
        )
        rows = folders.sha256(self.rows)
        dataset = {"rows_sha256": rows, "split_sha256": rows} | ({"reasoning": True} if self.thinks else {})
        return {"dataset": dataset, "training": part} | changes

    def order(self, attempt: int = 1, tampered: dict[str, Any] | None = None) -> None:
        """Write the spec of an attempt; `tampered` goes into the spec after it was signed."""
        text = subjects.canonical(self.subject()).decode()
        digest = subjects.digest_of_text(text.encode())
        expires = int(time.time()) + self.life
        token = permission.launch_token(self.key, job_id=self.job_id, attempt=attempt, digest=digest, expires=expires)
        spec: dict[str, Any] = {
            "job_id": self.job_id,
            "attempt": attempt,
            "token": token,
            "digest": digest,
            "subject": text,
            "rows": str(self.rows),
            "model": str(self.model),
            "threads": 1,
        }
        if self.recipe.processes > 1:
            spec["meeting"] = str(self.folder / f"meeting-{attempt}")
        for rank in range(self.recipe.processes):
            text = json.dumps(spec | (tampered or {}))
            (self.folder / of_rank(SPEC, rank)).write_text(text, encoding="utf-8")

    def start(self, rank: int = 0) -> "Child":
        """A trainer: a real process with pipes of its own, forked so that torch's import is not paid for again."""
        env = os.environ | {"TUNEGATE_DATA": str(self.data)}
        if self.recipe.processes > 1:
            size = str(self.recipe.processes)
            env |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": size, "GLOO_SOCKET_IFNAME": "lo"}
        forked = zygote.Forked("app.training.child", str(self.folder), env=env, pipes=True)
        return Child(forked)

    def start_all(self) -> "list[Child]":
        """All ranks of the recipe."""
        return [self.start(rank) for rank in range(self.recipe.processes)]

    def train(self, attempt: int = 1) -> "Child":
        """One attempt from start to end."""
        self.order(attempt)
        child = self.start()
        child.wait()
        return child

    @property
    def adapter(self) -> str:
        return folders.sha256(self.folder / "adapter" / "adapter_model.safetensors")


@dataclass
class Child:
    """A trainer that was started."""

    process: zygote.Forked
    output: bytes = b""
    code: int | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self) -> int:
        """Read until it ends."""
        while self.hear():
            continue
        self.code = self.process.wait()
        self.process.close()
        return self.code

    def hear(self, most: int = 65536) -> bool:
        """Take what it says next; False when it has nothing more to say."""
        part = self.process.out.read(most)
        self.output += part
        return bool(part)

    def until(self, event: str) -> dict[str, Any]:
        """Read until it says this."""
        while True:
            for line in self.output.splitlines(keepends=True):
                if line.endswith(b"\n") and json.loads(line)["event"] == event:
                    return dict(json.loads(line))
            assert self.hear(), self.output

    def lines(self, count: int) -> None:
        """Read until it has said so many lines, or has ended."""
        while self.output.count(b"\n") < count and self.hear(256):
            continue

    def hang_up(self) -> None:
        """What the system does when the worker dies."""
        self.process.into.close()

    def tell(self, line: bytes) -> None:
        """What a worker would write to it."""
        self.process.into.write(line)

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.output.splitlines(keepends=True) if line.endswith(b"\n")]
        return [line for line in lines if line["event"] == kind]


def build(root: Path, model: Path) -> Run:
    folder, data = root / "run", root / "data"
    folder.mkdir()
    data.mkdir()
    (data / "secret.key").write_bytes(b"k" * 32)
    return Run(folder, data, tiny.write_rows(root / "source.jsonl", tiny.rows()), model)
