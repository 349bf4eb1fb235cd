"""What an installation costs while nobody uses it, and how soon a job starts then.

    python tests/bench/bench_idle.py [--seconds 60] [--jobs 30] [--repeat 3] [--database URL]

`python -m app serve` with the settings that a person gets, on a fresh database: SQLite, or the empty one that is named.
Prints how much of one core the web and the worker take, alone and with a page open that listens for events, and the
time from the commit that put a job in line to the moment at which the worker claimed it. The server's own processes
are not counted on PostgreSQL.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.idle import Installation, installed

SETTLE = 15.0  # seconds after the start that are not counted


def report(place: Installation, seconds: float, jobs: int) -> dict[str, float]:
    """Percent of a core by process, then milliseconds until a job started."""
    found = {f"{name}, nobody there": 100 * share for name, share in place.shares(seconds).items()}
    with place.listening():
        found |= {f"{name}, one page listens": 100 * share for name, share in place.shares(seconds).items()}
    waits = [1000 * wait for wait in place.waits(jobs)]
    return found | {"job starts after, median": statistics.median(waits), "job starts after, worst": max(waits)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the processes are watched")
    parser.add_argument("--jobs", type=int, default=30, help="how many jobs are put in line, one after the other")
    parser.add_argument("--repeat", type=int, default=3, help="fresh starts; the medians are printed")
    parser.add_argument("--database", default="", help="address of an empty PostgreSQL database; else SQLite")
    given = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as root:
        for number in range(given.repeat):
            with installed(Path(root) / str(number), given.database, settle=SETTLE) as place:
                rounds.append(report(place, given.seconds, given.jobs))
    for name in rounds[0]:
        unit = "ms" if "job" in name else "%"
        every = ", ".join(f"{one[name]:.2f}" for one in rounds)
        print(f"{name:36} {statistics.median(one[name] for one in rounds):8.2f} {unit}   ({every})")


if __name__ == "__main__":
    main()
