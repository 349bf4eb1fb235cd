"""How fast the pages of a large set are: the report's drill-down with a million rows in the table.

    python tests/bench/bench_rows.py [--rows 1000000] [--repeat 5] [--keep FOLDER]

Fills a SQLite database with rows as a check would leave them (12 labels, a fifth of the rows in groups of two or three,
a few of each status, lengths of 50 to 2,000 tokens, a remark about one row in 10,000) and asks for each kind of page
through the whole app, in this process. Prints the median of the answers in milliseconds, and the median of the
processor time, which a busy machine lengthens less. `--keep` leaves the database for the next run.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from fastapi.testclient import TestClient
from sqlalchemy import insert, select, text

from app import schema
from app.datasets.checks import lengths
from app.datasets.checks.report_json import plain
from app.datasets.tables import DatasetRow
from app.db import Base, make_engine, reading, writing
from app.main import create_app
from app.settings import Settings
from tests.support.factories import Make, sign_in
from tests.support.processes import cheap

LABELS = [f"label {n:02}" for n in range(12)]
WORDS = ["river", "stone", "cloud", "engine", "paper", "violin", "market", "garden", "window", "castle"]


def examples(dataset_id: int, number: int) -> Iterator[dict[str, object]]:
    """Rows as a check leaves them; every tenth is nearly the first of its ten, in some tens the ninth too."""
    for n in range(number):
        repeat = n % 10 == 9 or n % 70 == 8
        status = "near_duplicate" if repeat else "fault" if n % 50_000 == 17 else "usable"
        words = " ".join(WORDS[(n * step) % 10] for step in (1, 3, 7, 9, 11, 13, 17, 19, 23, 29))
        yield {
            "dataset_id": dataset_id,
            "file": 0,
            "line": n + 1,
            "status": status,
            "reason": "Nearly the same as another." if repeat else "",
            "of_line": n if repeat else None,
            "similarity": 0.9 if repeat else None,
            "split": "" if status != "usable" else "test" if n % 5 == 0 else "dev" if n % 10 == 1 else "train",
            "cluster": n - n % 10 if repeat or n % 10 == 0 else None,
            "messages": [{"role": "user", "content": f"{words} {n}"}],
            "target": LABELS[n * n % 12] if n % 100_000 else f"rare {n}",
            "marks": 1 if n % 10_000 == 5 else 0,
            "size": 50 + n * n % 450 if n % 1000 else 50 + n // 1000 * 2,
        }


def fill(settings: Settings, rows: int) -> DatasetRow:
    engine = make_engine(settings.url)
    make = Make(engine, settings)
    me = make.admin()
    row = make.dataset(make.assessment(me), me, train=1, dev=1, test=1)
    with writing(engine) as session:
        session.execute(text("delete from examples"))
        batch: list[dict[str, object]] = []
        for one in examples(row.id, rows):
            batch.append(one)
            if len(batch) == 10_000:
                session.execute(insert(Base.metadata.tables["examples"]), batch)
                batch = []
        if batch:
            session.execute(insert(Base.metadata.tables["examples"]), batch)
        found = session.get_one(DatasetRow, row.id)
        counted = [{"label": label, "rows": rows // 12} for label in LABELS]
        repeats = sum(1 for n in range(rows) if n % 10 == 9 or n % 70 == 8)
        sizes = [int(str(one["size"])) for one in examples(row.id, rows)]
        usable = np.array([n for n, one in enumerate(examples(row.id, rows)) if one["status"] == "usable"])
        told = {
            "task": "labels",
            "labels": counted,
            "uploaded": rows,
            "counts": {"near_duplicate": repeats},
            "lengths": plain(lengths.of_rows(sizes, usable, unit="tokens", limit=1024, tokenizer="bench")),
        }
        found.report_json = found.report_json | told
    engine.dispose()
    return row


def filled(settings: Settings) -> DatasetRow | None:
    """The dataset that an earlier run left."""
    engine = make_engine(settings.url)
    with reading(engine) as session:
        row = session.scalar(select(DatasetRow).limit(1))
    engine.dispose()
    return row


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--keep", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = cheap(given.keep or Path(folder))
        schema.migrate(settings.url)
        began = time.perf_counter()
        row = filled(settings) or fill(settings, given.rows)
        size = (settings.data / "tunegate.db").stat().st_size
        print(f"{given.rows:,} rows, {size / 1e6:,.0f} MB, filled in {time.perf_counter() - began:.0f} s")
        engine = make_engine(settings.url)
        with TestClient(create_app(settings), base_url="http://127.0.0.1:1") as client:
            sign_in(client, engine, Make(engine, settings).user(name=f"Reader {time.time()}"))
            deep = given.rows // 25 // 2
            paths = {
                "the report": "",
                "all rows, first page": "/rows",
                f"all rows, page {deep:,}": f"/rows?page={deep}",
                "one status, first page": "/rows?status=near_duplicate",
                "one status, in the middle": f"/rows?status=near_duplicate&page={deep // 10}",
                "test rows, in the middle": f"/rows?split=test&page={deep // 5}",
                "train and dev, first page": "/rows?split=train-dev",
                "the upload's faults": "/rows?status=fault&file=upload",
                "a common label": "/rows?label=label+01",
                "a rare label": f"/rows?label=rare+{given.rows // 100_000 // 2 * 100_000}",
                "a label, test rows only": "/rows?label=label+01&split=test",
                "a common length": "/rows?status=usable&size_from=100&size_to=140",
                "a common length, page 300": "/rows?status=usable&size_from=100&size_to=140&page=300",
                "rows that would be cut": "/rows?status=usable&size_from=1025",
                "rows with a remark": "/rows?remark=refusal",
                "one group": "/rows?cluster=70",
                "one row": f"/rows/{given.rows // 2}",
                "all labels": "/labels",
                "all groups": "/clusters",
                "contradictions": "/contradictions",
                "a common word": "/rows?q=river",
                "a rare word": f"/rows?q=castle+{given.rows // 2 // 10 * 10}",
                "a word of no row": "/rows?q=nowhere+to+be+seen",
                "a word of the frame of every row": "/rows?q=content",
            }
            for name, path in paths.items():
                taken, worked = [], []
                for _ in range(given.repeat):
                    began, busy = time.perf_counter(), time.process_time()
                    answer = client.get(f"/datasets/{row.id}{path}")
                    taken.append(1000 * (time.perf_counter() - began))
                    worked.append(1000 * (time.process_time() - busy))
                    if answer.status_code != 200:
                        raise SystemExit(f"{path}: {answer.status_code}")
                middle, work = statistics.median(taken), statistics.median(worked)
                print(f"{name:28} {middle:9.1f} ms   slowest {max(taken):9.1f} ms   processor {work:9.1f} ms")


if __name__ == "__main__":
    main()
