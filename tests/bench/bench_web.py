"""How fast pages are: home, overview and questionnaire beside an empty FastAPI and Jinja page, in the same run.

    python tests/bench/bench_web.py [--seconds 8] [--many 100000]

Starts the real web process on a database with a finished assessment, a second one with very many of them, and the
empty page in a process of its own. Prints one line for each page and number of clients: answers a second, median and
99th percentile in milliseconds. The client runs on the same machine; `times` compares medians with the empty page at as
many clients.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app import schema
from app.advice.questions import SECTIONS
from app.db import make_engine, utcnow, writing
from app.settings import Settings
from app.users import sessions
from tests.support.factories import Make
from tests.support.many import put_in
from tests.support.processes import Process, cheap, free_port

CLIENTS = (1, 20)
WARM_UP = 1.0  # seconds that are not counted


@dataclass(frozen=True)
class Page:
    name: str
    port: int
    path: str
    cookie: str = ""

    @property
    def request(self) -> bytes:
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        return f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{cookie}\r\n".encode()


class NotAPage(Exception):
    """Something else than the page came back."""


async def one_client(page: Page, until: float, taken: list[tuple[float, float]]) -> None:
    """Ask for a page again and again on one connection; notes when each answer came and how long it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    try:
        while (begun := time.perf_counter()) < until:
            writer.write(page.request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise NotAPage(f"{page.path} answered {head[:40]!r}")
            await reader.readexactly(length_of(head))
            now = time.perf_counter()
            taken.append((now, now - begun))
    finally:
        writer.close()


def length_of(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise NotAPage("a page came without its length")


def measure(page: Page, clients: int, seconds: float) -> list[float]:
    """Seconds that each answer took, without the warm-up."""

    async def run() -> list[tuple[float, float]]:
        taken: list[tuple[float, float]] = []
        until = time.perf_counter() + WARM_UP + seconds
        await asyncio.gather(*(one_client(page, until, taken) for _ in range(clients)))
        return taken

    begun = time.perf_counter()
    return [took for at, took in asyncio.run(run()) if at - begun >= WARM_UP]


@contextmanager
def an_app(folder: Path, many: int = 0) -> Iterator[list[Page]]:
    """The web process with one finished assessment, and an address for each page."""
    port = free_port()
    settings = cheap(folder, port=port, public_url=f"http://127.0.0.1:{port}")
    schema.migrate(settings.url)
    assessment_id, cookie = _fill(settings, many)
    process = Process(settings, "web")
    try:
        _wait(port)
        dossier = f"/assessments/{assessment_id}"
        yield [
            Page("home", port, "/", cookie),
            Page("overview", port, dossier, cookie),
            Page("questionnaire", port, f"{dossier}/describe/{SECTIONS[0].slug}", cookie),
        ]
    finally:
        process.stop()


@contextmanager
def a_full_app(folder: Path, many: int) -> Iterator[list[Page]]:
    """The same with very many assessments: the list, and two of its filters."""
    with an_app(folder, many) as pages:
        home = pages[0]
        yield [
            replace(home, name=f"home, {many:,}"),
            replace(home, name="  mine", path="/?state=mine"),
            replace(home, name="  ready", path="/?state=ready"),
        ]


def _fill(settings: Settings, many: int) -> tuple[int, str]:
    engine = make_engine(settings.url)
    make = Make(engine, settings)
    author = make.author()
    assessment = make.ready(author)
    for number in range(20):  # a home page with something on it
        make.assessment(author, title=f"Use case {number}")
    put_in(engine, author, many)
    with writing(engine) as session:
        secret = sessions.open_session(session, author, "bench", utcnow())
    engine.dispose()
    return assessment.id, f"tunegate={secret}"


@contextmanager
def an_empty_page() -> Iterator[Page]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("empty_page.py")), str(port)])
    try:
        _wait(port)
        yield Page("empty page", port, "/")
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    async def ready() -> None:
        for _ in range(300):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
        raise NotAPage("a server did not come up")

    asyncio.run(ready())


def row(name: str, clients: int, taken: list[float], seconds: float, beside: float) -> str:
    ordered = sorted(taken)
    median = statistics.median(ordered)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return (
        f"{name:<15}{clients:>8}{len(taken):>9}{len(taken) / seconds:>11.0f}{median * 1000:>9.1f}{p99 * 1000:>9.1f}"
        f"{median / beside:>8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each line")
    parser.add_argument("--many", type=int, default=100_000, help="assessments of the second app")
    given = parser.parse_args()
    seconds = given.seconds
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start, {seconds:.0f} s a line")
    print(f"{'page':<15}{'clients':>8}{'answers':>9}{'a second':>11}{'p50 ms':>9}{'p99 ms':>9}{'times':>8}")
    with (
        tempfile.TemporaryDirectory() as folder,
        an_app(Path(folder) / "data") as pages,
        a_full_app(Path(folder) / "full", given.many) as full,
        an_empty_page() as empty,
    ):
        for clients in CLIENTS:
            beside = measure(empty, clients, seconds)
            median = statistics.median(beside)
            print(row(empty.name, clients, beside, seconds, median), flush=True)
            for page in (*pages, *full):
                print(row(page.name, clients, measure(page, clients, seconds), seconds, median), flush=True)


if __name__ == "__main__":
    main()
