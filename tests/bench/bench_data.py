"""What a check of many rows costs: rows a second and peak memory of each stage, beside reading alone.

    nice python tests/bench/bench_data.py [--rows 10000 100000] [--kind prose template] [--kill]
        [--beside PYTHON [--limit 1800] [--only datasets]]

Makes files of about 200 bytes a row, with 10 % exact and 10 % near copies, and checks each as the worker does, in a
process of its own, on a fresh SQLite database: bytes in the store to rows in the table. `template` is the hard case,
where every row comes from one of five sentences. `--kill` kills the process (SIGKILL) in the middle of each longer
stage and lets another go on.

`--beside` has others do parts of it, each in a process of the interpreter PYTHON, in which orjson, rensa, datasketch
and datasets are installed (datasets needs a newer pyarrow than the product takes): reading with orjson alone,
near-duplicates with rensa and with datasketch, and with `datasets` loading the file, exact duplicates in the way of its
own course (a hash by `map`, then `unique` and `filter`), and near-duplicates with datasketch in `map`. `--limit` ends
a peer that takes longer, in seconds; `--only` runs the peers whose name holds the word, and no check. Prints a Markdown
table for each file; what a peer counted stands in the last column (rows read, or rows left).
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

from app.jobs.progress import Progress

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
    from sqlalchemy import func, select

    from app import schema
    from app.blobs import Blobs
    from app.datasets import job
    from app.datasets.tables import ExampleRow
    from app.db import make_engine, utcnow, writing
    from app.jobs import engine as job_engine
    from app.jobs import store as job_store
    from app.jobs.claims import Claim
    from app.settings import Settings

    class Watched(Claim):
        """Notes when stages begin, and dies where it is told to."""

        begun = ("Starting", time.perf_counter(), 0)
        stages: list[tuple[str, float, int]] = []

        def report(self, progress: Progress, *, now: bool = False) -> None:
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
    took = time.perf_counter() - begun
    with engine.begin() as connection:
        kept = select(func.count()).where(ExampleRow.status.not_in(("duplicate", "near_duplicate")))
        left = connection.execute(kept).scalar_one()
    print(json.dumps({"stages": Watched.stages, "seconds": took, "peak": peak(), "left": left}))


def set_up(folder: Path, file: Path) -> None:
    """A fresh database with the file uploaded and its check in line."""
    from app import schema
    from app.blobs import Blobs
    from app.datasets import uploads_service
    from app.db import make_engine, writing
    from app.jobs import engine as job_engine
    from app.jobs import service as jobs
    from app.settings import Settings
    from tests.support.factories import Make

    settings = Settings(data=folder, hash_time=1, hash_memory=8)
    schema.migrate(settings.url)
    engine = make_engine(settings.url)
    make = Make(engine, settings)
    me = make.author()
    assessment = make.assessment(me)
    blobs = Blobs(settings.blobs_dir)
    queue = job_engine.Client(settings.url)
    with file.open("rb") as stream, writing(engine) as session:
        jobs.bind(session, queue)
        blob = blobs.put(iter(lambda: stream.read(1 << 20), b""))
        uploads_service.upload(session, assessment.id, me, uploads_service.Uploaded(blob, file.name))
    queue.close()
    engine.dispose()


_LOADED = """
import os, tempfile
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
import datasets
datasets.disable_progress_bars()
place = tempfile.TemporaryDirectory()
rows = datasets.load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=place.name)
"""
_SIGNED = """
from datasketch import MinHash, MinHashLSH
def signed(row):
    text = f"{row['prompt']} {row['completion']}".lower()
    one = MinHash(num_perm=128, seed=7)
    one.update_batch([text[at:at + 5].encode() for at in range(max(1, len(text) - 4))])
    return one
lsh, kept = MinHashLSH(threshold=0.8, num_perm=128), 0
"""
BESIDE = {
    "orjson alone: reading": """
import orjson
with open(sys.argv[1], "rb") as file:
    print(sum(1 for line in file if orjson.loads(line)))
""",
    "rensa: near-duplicates": """
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
    "datasketch: near-duplicates": _SIGNED
    + """
import orjson
with open(sys.argv[1], "rb") as file:
    for number, line in enumerate(file):
        one = signed(orjson.loads(line))
        if not lsh.query(one):
            kept += 1
            lsh.insert(number, one)
print(kept)
""",
    "datasets: loading": _LOADED + "print(len(rows))",
    "datasets: loading, exact duplicates": _LOADED
    + """
import hashlib
rows = rows.map(lambda row: {"hash": hashlib.md5((row["prompt"] + row["completion"]).encode()).hexdigest()})
left = set(rows.unique("hash"))
def first(row):
    if row["hash"] in left:
        left.remove(row["hash"])
        return True
    return False
print(len(rows.filter(first)))
""",
    "datasets, datasketch: loading, near-duplicates": _LOADED
    + _SIGNED
    + """
rows = rows.map(lambda row: {"signature": signed(row).hashvalues})
alone = []
for number, row in enumerate(rows.select_columns("signature").with_format("numpy")):
    one = MinHash(num_perm=128, seed=7, hashvalues=row["signature"].astype("uint32"), scheme="affine32")
    if not lsh.query(one):
        alone.append(number)
        lsh.insert(number, one)
print(len(rows.select(alone)))
""",
}


def measured(python: str, code: str, file: Path, limit: int) -> tuple[float, int, str] | str:
    """Seconds, MiB at the peak, and the output of a program; or why there are none."""
    begun = time.perf_counter()
    after = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    program = [python, "-c", "import sys\n" + code + after, str(file)]
    try:
        done = subprocess.run(program, check=False, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"not finished in {limit:,} s"
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or [str(done.returncode)])[-1][:100]}"
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
    parser.add_argument("--beside", metavar="PYTHON")
    parser.add_argument("--limit", type=int, default=1800)
    parser.add_argument("--only", default="")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--worker", type=Path)
    parser.add_argument("--stop-at", default="")
    wanted = parser.parse_args()
    if wanted.worker:
        worker(wanted.worker, wanted.stop_at)
        return
    for kind, rows in itertools.product(wanted.kind, wanted.rows):
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "rows.jsonl"
            write(file, kind, rows)
            print(f"\n{kind}, {rows:,} rows, {file.stat().st_size / 1e6:.0f} MB\n")
            print("| stage | seconds | rows/s | peak MiB | counted |\n|---|---:|---:|---:|---:|", flush=True)
            if not wanted.only:
                measure(Path(place), file, rows, kill=wanted.kill)
            if wanted.beside:
                beside(wanted.beside, file, rows, wanted.limit, wanted.only)


def line(stage: str, rows: int, seconds: float, mib: int, counted: int | str = "") -> None:
    print(f"| {stage} | {seconds:,.2f} | {rows / max(seconds, 1e-9):,.0f} | {mib:,} | {counted} |", flush=True)


def measure(place: Path, file: Path, rows: int, *, kill: bool) -> None:
    set_up(place / "data", file)
    found = run(place / "data")
    assert found is not None
    for stage, seconds, mib in found["stages"]:
        line(stage, rows, seconds, mib)
    line("**the whole check**", rows, found["seconds"], found["peak"], found["left"])
    if not kill:
        return
    whole = found["seconds"]
    for stage in [name for name, seconds, _ in found["stages"][1:] if seconds > 0.05 * whole]:
        set_up(place / stage, file)
        begun = time.perf_counter()
        assert run(place / stage, stage) is None, stage
        killed = time.perf_counter() - begun
        again = run(place / stage)
        assert again is not None
        said = f"{killed:.2f} s before the kill, {again['seconds']:.2f} s after"
        line(f"killed in: {stage}", rows, killed + again["seconds"], again["peak"], said)


def beside(python: str, file: Path, rows: int, limit: int, only: str) -> None:
    for name, code in BESIDE.items():
        if only in name:
            found = measured(python, code, file, limit)
            if isinstance(found, str):
                print(f"| {name} | {found} | | | |", flush=True)
            else:
                line(name, rows, *found)


if __name__ == "__main__":
    main()
