"""The crash drill: one fault in the middle of a training, then another start, beside transformers' Trainer.

    python tests/bench/bench_crash_drill.py --peer PYTHON [--kills 40] [--others 4] [--seed 1]

The tiny model with real torch, in 32 bits on one thread. Half of the kills (`kill -9`) come at a random moment between
steps, half within 30 ms of the beginning of a save. Of the other faults there are `--others` each: the clock set back
by a day before the second start (for the program, and as files that are of tomorrow), a disk that is full until the
program has ended, and one bit of the newest checkpoint turned round after a kill. PYTHON has transformers and peft and
no other tie to us; its trainer is started again with `resume_from_checkpoint=True`, as people do. A full disk needs the
right to mount a file system in memory. Each is judged by the weights of its own run that nothing disturbed.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.inference import folders
from tests.support import drill, tiny
from tests.support.drill import Ending, Fault
from tests.support.trainer import build

SAVE = 6  # steps between checkpoints, as ours has at its looks at dev
WORDS: dict[Fault, str] = {
    "step": "`kill -9` between saves",
    "save": "`kill -9` in a save",
    "clock": "killed, clock set back a day",
    "disk": "disk full until it ended",
    "bit": "killed, one bit of the newest checkpoint flipped",
}


# ---------------------------------------------------------------- theirs


class Peer:
    """The other trainer: a process that forks one for each order."""

    def __init__(self, python: str, model: Path, rows: Path) -> None:
        script = str(Path(__file__).with_name("crash_peer.py"))
        self._process = subprocess.Popen(
            [python, script, str(model), str(rows)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.versions: dict[str, str] = self._hear()["versions"]

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def start(self, out: Path, back: int = 0) -> int:
        assert self._process.stdin is not None
        order = {"out": str(out), "steps": drill.STEPS, "save": SAVE, "back": back}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._hear()["pid"])

    def ended(self) -> int:
        return int(self._hear()["code"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


def theirs(peer: Peer, out: Path, fault: Fault, chance: random.Random, undisturbed: str, disk: Path | None) -> Ending:
    """The same with the other trainer."""
    log = Path(f"{out}.log")
    pid = peer.start(out)
    if fault == "save":
        saves = chance.randrange(1, 9)
        _until(lambda: (out / f"checkpoint-{SAVE * (saves + 1)}").exists() or _over(log))
        time.sleep(chance.uniform(0, drill.SPAN))
    else:
        steps = chance.randrange(2 * SAVE, drill.STEPS - SAVE)
        _until(lambda: len(_said(log, "step")) >= steps or _over(log))
        time.sleep(chance.uniform(0, 0.02))
    if fault == "disk":
        assert disk is not None
        with drill.filled(disk):
            peer.ended()
    else:
        os.kill(pid, signal.SIGKILL)
        peer.ended()
    half = _half(out)
    if fault == "bit":
        drill.flip(_checkpoint(out), chance)
    if fault == "clock":
        drill.later(out)
    log.unlink(missing_ok=True)
    peer.start(out, drill.DAY if fault == "clock" else 0)
    peer.ended()
    started, ended = _said(log, "started"), _said(log, "ended")
    done = bool(_said(log, "done"))
    same = weights(out) == undisturbed if done else None
    why = re.sub(r"/\S*/|checkpoint-\d+", "", ended[0]["text"]) if ended else ""  # which one it was sets none apart
    return Ending(fault, half, started[0]["step"] if done else None, same, why)


def weights(out: Path) -> str:
    return folders.sha256(out / "final" / "adapter_model.safetensors")


def _checkpoint(out: Path) -> Path:
    return max(out.glob("checkpoint-*"), key=lambda folder: int(folder.name.partition("-")[2]))


def _half(out: Path) -> bool:
    """Whether the newest checkpoint lacks a file that an older one has: its state is written last."""
    return any(out.glob("checkpoint-*")) and not (_checkpoint(out) / "trainer_state.json").exists()


def _said(log: Path, event: str) -> list[dict[str, Any]]:
    if not log.exists():
        return []
    lines = [line for line in log.read_bytes().splitlines(keepends=True) if line.startswith(b'{"event"')]
    said = [json.loads(line) for line in lines if line.endswith(b"}\n")]
    return [line for line in said if line["event"] == event]


def _over(log: Path) -> bool:
    return bool(_said(log, "done") or _said(log, "ended"))


def _until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.001)


# ---------------------------------------------------------------- both


def faults(kills: int, others: int) -> Iterator[Fault]:
    numbers = {"step": kills - kills // 2, "save": kills // 2}
    for fault in WORDS:
        for _ in range(numbers.get(fault, others)):
            yield fault


@contextmanager
def place(root: Path, number: int, fault: Fault) -> Iterator[tuple[Path, Path | None]]:
    """A fresh folder, on a small disk where it has to get full."""
    folder = root / f"{number}"
    if fault != "disk":
        folder.mkdir()
        yield folder, None
        return
    with drill.small_disk(folder, 600) as disk:
        yield folder, disk


def table(name: str, endings: Sequence[Ending]) -> str:
    lines = [
        f"| {name} | runs | half written | went on by itself | from step | same weights | did not go on |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for fault, words in WORDS.items():
        of = [ending for ending in endings if ending.fault == fault]
        if not of:
            continue
        on = [ending for ending in of if ending.resumed is not None]
        lines.append(
            f"| {words} | {len(of)} | {sum(one.half for one in of)} | {len(on)} | {_from(on)} "
            f"| {sum(bool(one.same) for one in of)} | {len(of) - len(on)} |"
        )
    stuck = Counter(ending.why for ending in endings if ending.resumed is None)
    return "\n".join([*lines, *(f"\n- {number}: {words}" for words, number in stuck.most_common())])


def _from(on: Sequence[Ending]) -> str:
    """The steps from which runs went on, the lowest and the highest."""
    steps = [one.resumed for one in on if one.resumed is not None]
    return f"{min(steps)} to {max(steps)}" if steps else ""


def main() -> None:
    """Run the drill, print a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="a Python that has transformers and peft")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--others", type=int, default=4, help="runs of each of the other faults")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = tiny.made(root / "model")
        rows = tiny.write_rows(root / "rows.jsonl", tiny.rows())
        began = time.monotonic()
        (root / "ours").mkdir()
        print(table("ours", list(_ours(root / "ours", model, given))), flush=True)
        print(f"\n{time.monotonic() - began:.0f} s\n", flush=True)
        if given.peer:
            began = time.monotonic()
            peer = Peer(given.peer, model, rows)
            (root / "theirs").mkdir()
            try:
                print(f"{peer.versions}")
                print(table("transformers' Trainer", list(_theirs(root / "theirs", peer, given))), flush=True)
            finally:
                peer.close()
            print(f"\n{time.monotonic() - began:.0f} s")


def _ours(root: Path, model: Path, given: argparse.Namespace) -> Iterator[Ending]:
    (root / "quiet").mkdir()
    quiet = build(root / "quiet", model)
    quiet.recipe = drill.RECIPE
    child = quiet.train()
    assert child.code == 0, child.output
    chance = random.Random(given.seed)
    for number, fault in enumerate(faults(given.kills, given.others)):
        with place(root, number, fault) as (folder, disk):
            if fault == "disk" and disk is None:
                continue
            run = build(folder, model)
            run.recipe = drill.RECIPE
            ending = drill.endure(run, fault, chance, quiet.adapter, disk)
            print(ending, file=sys.stderr, flush=True)
            yield ending


def _theirs(root: Path, peer: Peer, given: argparse.Namespace) -> Iterator[Ending]:
    for name in ("quiet", "quiet too"):
        peer.start(root / name)
        assert peer.ended() == 0, (root / f"{name}.log").read_text(encoding="utf-8")
    assert weights(root / "quiet") == weights(root / "quiet too"), "it is not the same twice without any fault"
    chance = random.Random(given.seed)
    for number, fault in enumerate(faults(given.kills, given.others)):
        with place(root, number, fault) as (folder, disk):
            if fault == "disk" and disk is None:
                continue
            ending = theirs(peer, folder / "run", fault, chance, weights(root / "quiet"), disk)
            print(ending, file=sys.stderr, flush=True)
            yield ending


if __name__ == "__main__":
    main()
