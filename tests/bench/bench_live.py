"""How fast the live advice beside the questionnaire answers: one autosave after another, as a person types.

    python tests/bench/bench_live.py [--saves 300]

Starts the real web process on a database with a finished assessment (data, measurement and recipe are there, so the
advice weighs all of it) and sends the form of a section as htmx does, each time with another number in it. Prints
median and 99th percentile in milliseconds, as the client on the same machine sees them; the write to the database
included.
"""

import argparse
import http.client
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.bench_web import NotAPage, an_app

WARM_UP = 20  # saves that are not counted


def measure(port: int, path: str, cookie: str, saves: int) -> list[float]:
    """Seconds that each save took."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Cookie": cookie})
    form = connection.getresponse().read().decode()
    version = _value(form, "version")
    taken = []
    for number in range(WARM_UP + saves):
        fields = {
            "recurrence": "ongoing",
            "calls_per_month": str(300_000 + number),
            "latency": "normal",
            "data_location": "own_servers",
            "version": version,
            "tab": "bench",
            "touched": "calls_per_month",
        }
        headers = {
            "Cookie": cookie,
            "HX-Request": "true",
            "Origin": f"http://127.0.0.1:{port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        begun = time.perf_counter()
        connection.request("POST", path, urlencode(fields), headers)
        answer = connection.getresponse()
        pieces = answer.read().decode()
        taken.append(time.perf_counter() - begun)
        if answer.status != 200 or "Draft saved" not in pieces:
            raise NotAPage(f"the save was answered with {answer.status}")
        version = _value(pieces, "version")
    return taken[WARM_UP:]


def _value(form: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', form)
    if found is None:
        raise NotAPage(f"the form has no field {name}")
    return found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saves", type=int, default=300)
    saves = parser.parse_args().saves
    with tempfile.TemporaryDirectory() as folder, an_app(Path(folder) / "data") as pages:
        page = pages[-1]
        load = os.getloadavg()[0]
        taken = sorted(measure(page.port, page.path.rsplit("/", 1)[0] + "/use", page.cookie, saves))
    p99 = taken[min(len(taken) - 1, int(len(taken) * 0.99))]
    print(
        f"{os.cpu_count()} cores, load {load:.1f}; {saves} saves: median {statistics.median(taken) * 1000:.1f} ms, "
        f"p99 {p99 * 1000:.1f} ms, fastest {taken[0] * 1000:.1f} ms"
    )


if __name__ == "__main__":
    main()
