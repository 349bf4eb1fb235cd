"""What a check of many rows costs: rows a second and peak memory of each stage, beside reading alone.

    nice python tests/bench/bench_data.py [--rows 10000 100000] [--kind prose template] [--beside] [--kill]

Makes files of about 200 bytes a row, with 10 % exact and 10 % near copies, and checks each as the worker does, in a
process of its own, on a fresh SQLite database: bytes in the store to rows in the table. `template` is the hard case,
where every row comes from one of five sentences. `--beside` also reads the file with orjson alone and finds
near-duplicates with rensa and with datasketch. `--kill` kills the process (SIGKILL) in the middle of each longer stage
and lets another go on.
"""

import argparse
import itertools
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

WORDS = 20_000
RECENT = 5_000  # rows that copies are made of
FIRST = [a + b for a in ("Al", "Be", "Ca", "Do", "El", "Fa", "Gre", "Ha") for b in ("ma", "nor", "vin", "ra", "ton")]
TOWNS = [a + b for a in ("North", "South", "East", "West", "New ", "Old ") for b in ("ham", "port", "field", "ville")]
TEMPLATES = (
    (
        "How many orders did {name} place in {town} in {year}?",
        "SELECT COUNT(*) FROM orders WHERE customer = '{name}' AND city = '{town}' AND year = {year}",
    ),
    (
        "List all invoices of {name} from {town} that are older than {days} days.",
        "SELECT * FROM invoices WHERE customer = '{name}' AND city = '{town}' AND age > {days}",
    ),
    (
        "What is the average price paid by customers from {town} after {year}?",
        "SELECT AVG(price) FROM sales WHERE city = '{town}' AND year > {year}",
    ),
    (
        "Show the names of employees in {town} hired before {year} whose manager is {name}.",
        "SELECT name FROM employees WHERE city = '{town}' AND hired < {year} AND manager = '{name}'",
    ),
    (
        "Which products did {name} return in {town} during the last {days} days?",
        "SELECT product FROM returns WHERE customer = '{name}' AND city = '{town}' AND days <= {days}",
    ),
)


def prose(rows: int) -> Iterator[tuple[str, str]]:
    """Sentences of words as frequent as in a language (Zipf), 10 % exact and 10 % near copies of earlier ones."""
    rng = random.Random(1)
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 10))) for _ in range(WORDS)]
    shares = list(itertools.accumulate(1 / (place + 5) for place in range(WORDS)))
    recent: list[tuple[str, str]] = []
    for _ in range(rows):
        kind = rng.random()
        if kind < 0.1 and recent:
            yield rng.choice(recent)
            continue
        if kind < 0.2 and recent:
            asked, answer = rng.choice(recent)
            words = answer.split()
            words[rng.randrange(len(words))] = rng.choice(vocabulary)
            yield asked.rstrip("?"), " ".join(words)
            continue
        asked = "Answer the customer: " + " ".join(rng.choices(vocabulary, cum_weights=shares, k=rng.randrange(6, 18)))
        answer = " ".join(rng.choices(vocabulary, cum_weights=shares, k=rng.randrange(8, 24)))
        pair = f"{asked}?", f"{answer}."
        if len(recent) < RECENT:
            recent.append(pair)
        else:
            recent[rng.randrange(RECENT)] = pair
        yield pair


def template(rows: int) -> Iterator[tuple[str, str]]:
    """Questions from five sentences that only differ by names, towns and numbers: neighbours, and hardly any twins."""
    rng = random.Random(5)
    for _ in range(rows):
        asked, answer = rng.choice(TEMPLATES)
        values = {
            "name": f"{rng.choice(FIRST)} {rng.choice(FIRST)}",
            "town": rng.choice(TOWNS),
            "year": rng.randrange(1990, 2026),
            "days": rng.randrange(1, 400),
        }
        yield asked.format(**values), answer.format(**values)


KINDS = {"prose": prose, "template": template}


def write(path: Path, kind: str, rows: int) -> None:
    with path.open("w") as file:
        for asked, answer in KINDS[kind](rows):
            file.write(json.dumps({"prompt": asked, "completion": answer}) + "\n")


def peak() -> int:
    """MiB that the process needed at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


# ---------------------------------------------------------------------- in a process of its own
def worker(folder: Path, stop_at: str) -> None:
    """Check the dataset that waits in `folder`, printing each stage as it ends; `stop_at` kills the process there."""
    from app import schema
    from app.blobs import Blobs
    from app.datasets import job
    from app.db import make_engine, utcnow, writing
    from app.jobs import engine as job_engine
    from app.jobs import store as job_store
    from app.jobs.claims import Claim
    from app.settings import Settings

    class Watched(Claim):
        """Notes when stages begin, and dies where it is told to."""

        begun = ("Starting", time.perf_counter(), 0)
        stages: list[tuple[str, float, int]] = []

        def report(self, progress: dict[str, Any], *, now: bool = False) -> None:
            stage = str(progress["stage"]).split(":")[0]
            if stage != self.begun[0]:
                self.end()
                Watched.begun = (stage, time.perf_counter(), 0)
            half = progress["total"] / 2 or (1000 if stage.startswith("Reading") else 0)
            if stage == stop_at and progress["done"] >= half:
                os.kill(os.getpid(), signal.SIGKILL)
            super().report(progress, now=now)

        def end(self) -> None:
            name, since, _ = self.begun
            Watched.stages.append((name, time.perf_counter() - since, peak()))

    schema.load_tables()
    settings = Settings(data=folder)
    engine = make_engine(settings.url)
    with writing(engine) as session:
        found = job_store.latest(session, "check", 1)
        assert found is not None
        attempt = job_store.claim(session, found.id, "bench", utcnow())
        assert attempt is not None
        claim = Watched(
            found.id, 1, attempt, engine, settings, Blobs(settings.blobs_dir), job_engine.Client(settings.url),
            threading.Event(),
        )  # fmt: skip
    begun = time.perf_counter()
    job.check(claim)
    claim.end()
    print(json.dumps({"stages": Watched.stages, "seconds": time.perf_counter() - begun, "peak": peak()}))


def set_up(folder: Path, file: Path) -> None:
    """A fresh database with the file uploaded and its check in line."""
    from app import schema
    from app.blobs import Blobs
    from app.datasets import service
    from app.db import make_engine, writing
    from app.jobs import engine as job_engine
    from app.jobs import service as jobs
    from app.settings import Settings
    from tests.factories import Make

    settings = Settings(data=folder, hash_time=1, hash_memory=8)
    schema.migrate(settings.url)
    engine = make_engine(settings.url)
    make = Make(engine, settings)
    me = make.author()
    assessment = make.assessment(me)
    blobs = Blobs(settings.blobs_dir)
    line = job_engine.Client(settings.url)
    with file.open("rb") as stream, writing(engine) as session:
        jobs.bind(session, line)
        service.upload(session, assessment.id, me, blobs.put(iter(lambda: stream.read(1 << 20), b"")), file.name)
    line.close()
    engine.dispose()


BESIDE = {
    "orjson alone": """
import orjson
with open(sys.argv[1], "rb") as file:
    print(sum(1 for line in file if orjson.loads(line)))
""",
    "rensa, MinHash and LSH": """
import orjson
from rensa import RMinHash, RMinHashLSH
lsh, kept = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=32), 0
with open(sys.argv[1], "rb") as file:
    for number, line in enumerate(file):
        row = orjson.loads(line)
        text = f"{row['prompt']} {row['completion']}".lower()
        one = RMinHash(num_perm=128, seed=7)
        one.update([text[at:at + 5] for at in range(max(1, len(text) - 4))])
        if not lsh.query(one):
            kept += 1
            lsh.insert(number, one)
print(kept)
""",
    "datasketch, MinHash and LSH": """
import orjson
from datasketch import MinHash, MinHashLSH
lsh, kept = MinHashLSH(threshold=0.8, num_perm=128), 0
with open(sys.argv[1], "rb") as file:
    for number, line in enumerate(file):
        row = orjson.loads(line)
        text = f"{row['prompt']} {row['completion']}".lower()
        one = MinHash(num_perm=128, seed=7)
        one.update_batch([text[at:at + 5].encode() for at in range(max(1, len(text) - 4))])
        if not lsh.query(one):
            kept += 1
            lsh.insert(number, one)
print(kept)
""",
}


def measured(program: list[str]) -> tuple[float, int, str]:
    """Seconds, MiB at the peak, and the output of a program."""
    begun = time.perf_counter()
    after = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    done = subprocess.run(
        [program[0], "-c", "import sys\n" + program[1] + after, *program[2:]],
        check=True,
        capture_output=True,
        text=True,
    )
    *said, mib = done.stdout.split()
    return time.perf_counter() - begun, int(mib), " ".join(said)


def run(folder: Path, stop_at: str = "") -> dict[str, Any] | None:
    """Let a process do the check, or None where it was killed on the way."""
    done = subprocess.run(
        [sys.executable, __file__, "--worker", str(folder), "--stop-at", stop_at],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode == -signal.SIGKILL:
        return None
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--kind", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--worker", type=Path)
    parser.add_argument("--stop-at", default="")
    wanted = parser.parse_args()
    if wanted.worker:
        worker(wanted.worker, wanted.stop_at)
        return
    for kind, rows in itertools.product(wanted.kind, wanted.rows):
        with tempfile.TemporaryDirectory() as place:
            measure(Path(place), kind, rows, beside=wanted.beside, kill=wanted.kill)


def measure(place: Path, kind: str, rows: int, *, beside: bool, kill: bool) -> None:
    file = place / "rows.jsonl"
    write(file, kind, rows)
    print(f"\n{kind}, {rows:,} rows, {file.stat().st_size / 1e6:.0f} MB")
    print(f"  {'stage':28} {'seconds':>9} {'rows/s':>10} {'peak MiB':>9}")
    set_up(place / "data", file)
    found = run(place / "data")
    assert found is not None
    for stage, seconds, mib in found["stages"]:
        print(f"  {stage:28} {seconds:9.2f} {rows / max(seconds, 1e-9):10,.0f} {mib:9}")
    print(f"  {'all':28} {found['seconds']:9.2f} {rows / found['seconds']:10,.0f} {found['peak']:9}")
    if kill:
        whole = found["seconds"]
        for stage in [name for name, seconds, _ in found["stages"][1:] if seconds > 0.05 * whole]:
            set_up(place / stage, file)
            begun = time.perf_counter()
            assert run(place / stage, stage) is None, stage
            killed = time.perf_counter() - begun
            again = run(place / stage)
            assert again is not None
            print(
                f"  killed in: {stage:17} {killed:9.2f} s before, {again['seconds']:.2f} s after; without {whole:.2f} s"
            )
    if beside:
        for name, program in BESIDE.items():
            seconds, mib, said = measured([sys.executable, program, str(file)])
            print(f"  {name:28} {seconds:9.2f} {rows / seconds:10,.0f} {mib:9}  ({said})")


if __name__ == "__main__":
    main()
