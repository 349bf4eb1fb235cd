"""The engine alone, without the worker around it: takes jobs out of the line `cpu` and writes down which.

python taking.py URL NAME POLL BY_ITSELF FILE [hold]: writes "NAME JOB" into FILE for each job; with `hold` none ends.
A line on its standard input is the name of a dead one to take over, and the end of it means stop. FILE.NAME, which is
there as soon as it takes jobs, tells which threads it has.
"""

import os
import sys
import threading
import time
from pathlib import Path

from app import schema
from app.db import make_engine, writing
from app.jobs import engine, service
from app.standing import keeping

url, name, poll, by_itself, file = sys.argv[1:6]
hold = len(sys.argv) > 6


def take(job_id: int) -> None:
    with Path(file).open("a", encoding="utf-8") as out:
        out.write(f"{name} {job_id}\n")
    if hold:
        threading.Event().wait()


def tell() -> None:
    while True:
        beside = Path(f"{file}.{name}.new")
        beside.write_text("\n".join(thread.name for thread in threading.enumerate()), encoding="utf-8")
        beside.replace(f"{file}.{name}")
        time.sleep(0.1)


rows = make_engine(url)
keeping.install()


def turn(queue: str) -> bool:
    with writing(rows) as session:
        return service.call_next(session, queue, engine.hand_over) is not None


schema.load_tables()
engine.work(url, name, ["cpu"], float(poll), take, turn, float(by_itself))
threading.Thread(target=tell, name="tell", daemon=True).start()
for line in sys.stdin:
    engine.take_over(line.strip())
engine.stop()
os._exit(0)  # a job that is held would never let go
