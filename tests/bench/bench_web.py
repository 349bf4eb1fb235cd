"""How fast pages are: home, overview and questionnaire beside an empty FastAPI and Jinja page, in the same run.

    python tests/bench/bench_web.py [--seconds 4] [--rounds 3] [--many 100000] [--other TREE]

Starts the real web process on a database with a finished assessment, a second one with very many of them, and the
empty page in a process of its own; with `--other` the same two of another tree with a virtual environment, say that of
the version before. All are measured in turns, `--rounds` times; printed is the median of the rounds: answers a second,
median and 99th percentile in milliseconds, milliseconds of processor that the web process takes for an answer, and
`times`, how many empty pages at as many clients take as long as the median.

A page that nothing has changed since it was sent is kept (`app/web/kept_pages.py`). So each is measured twice: as it is
asked for again, and `, changed`, where before each question another process commits a change to the database.
`autosave` sends one answer of the questionnaire, with the advice that comes back. The client runs on the same machine.
"""

import argparse
import asyncio
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from app import schema
from app.advice.questions import SECTIONS
from app.db import make_engine, utcnow, writing
from app.settings import Settings
from app.users import sessions
from tests.support.factories import Make
from tests.support.many import put_in
from tests.support.processes import Process, cheap, free_port

CLIENTS = (1, 20)
WARM_UP = 0.5  # seconds that are not counted
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Page:
    """An address of a process. changes: a database that is changed before each question. form: what is sent to it,
    with `{n}` for another number each time; empty where it is only asked for."""

    name: str
    port: int
    path: str
    cookie: str = ""
    changes: str = ""
    form: str = ""

    def request(self, number: int) -> bytes:
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        head = f"{self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{cookie}"
        if not self.form:
            return f"GET {head}\r\n".encode()
        body = self.form.replace("%7Bn%7D", str(number)).encode()
        kind = "Content-Type: application/x-www-form-urlencoded\r\nHX-Request: true\r\nSec-Fetch-Site: same-origin\r\n"
        return f"POST {head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Taken:
    """What a page took. times: seconds of each answer; processor: seconds of the web process, of all together."""

    times: Sequence[float]
    seconds: float
    processor: float

    @property
    def row(self) -> tuple[float, float, float, float]:
        """Answers a second, median and 99th percentile in ms, ms of processor for an answer."""
        ordered = sorted(self.times)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        each = self.processor / len(ordered)
        return len(ordered) / self.seconds, statistics.median(ordered) * 1000, p99 * 1000, each * 1000


class NotAPage(Exception):
    """Something else than the page came back."""


async def one_client(page: Page, until: float, taken: list[tuple[float, float]]) -> None:
    """Ask for a page again and again on one connection; notes when each answer came and how long it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    with closing(_changing(page.changes)) as database:
        try:
            while time.perf_counter() < until:
                if page.changes:
                    database.execute("update sessions set user_agent = hex(randomblob(8))")
                request = page.request(len(taken) + 1)
                begun = time.perf_counter()
                writer.write(request)
                await writer.drain()
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise NotAPage(f"{page.path} answered {head[:40]!r}")
                await reader.readexactly(length_of(head))
                now = time.perf_counter()
                taken.append((now, now - begun))
        finally:
            writer.close()


def _changing(file: str) -> sqlite3.Connection:
    """A connection that commits each statement, and waits for no disk."""
    database = sqlite3.connect(file or ":memory:", isolation_level=None, timeout=30)
    database.execute("PRAGMA synchronous=OFF")
    return database


def length_of(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise NotAPage("a page came without its length")


def measure(page: Page, clients: int, seconds: float) -> Taken:
    """What each answer took, without the warm-up."""
    pid = listening(page.port)
    processor = [0.0, 0.0]

    async def run() -> list[tuple[float, float]]:
        taken: list[tuple[float, float]] = []
        until = time.perf_counter() + WARM_UP + seconds
        asking = asyncio.gather(*(one_client(page, until, taken) for _ in range(clients)))
        await asyncio.sleep(WARM_UP)
        processor[0] = used(pid)
        await asking
        processor[1] = used(pid)
        return taken

    begun = time.perf_counter()
    times = [took for at, took in asyncio.run(run()) if at - begun >= WARM_UP]
    return Taken(times, seconds, processor[1] - processor[0])


def used(pid: int) -> float:
    """Seconds of processor that a process has had so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def listening(port: int) -> int:
    """The process that listens at a port of this machine."""
    lines = Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]
    sockets = {
        f"socket:[{one[9]}]" for one in map(str.split, lines) if one[1].endswith(f":{port:04X}") and one[3] == "0A"
    }
    for place in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(str(file.readlink()) in sockets for file in place.iterdir()):
                return int(place.parent.name)
        except OSError:
            continue
    raise NotAPage(f"nobody listens at {port}")


# ---------------------------------------------------------------- what is asked


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


# Run with the Python of a tree: its own `an_app`, whatever its version, held until nobody reads any more.
HOLD = """
import dataclasses, json, sys
from pathlib import Path
tree, folder, many = sys.argv[1:]
sys.path.insert(0, tree)
from tests.bench.bench_web import an_app
with an_app(Path(folder), int(many)) as pages:
    print(json.dumps([[page.name, page.port, page.path, page.cookie] for page in pages]), flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(tree: Path, folder: Path, many: int) -> Iterator[list[Page]]:
    command = [str(tree / ".venv" / "bin" / "python"), "-c", HOLD, str(tree), str(folder), str(many)]
    with subprocess.Popen(command, cwd=tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        line = next((line for line in holder.stdout if line.startswith("[[")), "")
        if not line:
            raise NotAPage(f"no app came up in {tree}")
        try:
            yield [Page(*fields) for fields in json.loads(line)]
        finally:
            holder.stdin.close()
            holder.wait(30)


def asked(tree: Path, folder: Path, many: int, stack: ExitStack) -> list[Page]:
    """Every line of one tree."""
    pages = stack.enter_context(held(tree, folder / "few", 0))
    home = stack.enter_context(held(tree, folder / "many", many))[0]
    lists = [
        replace(home, name=f"home, {many:,}"),
        replace(home, name="  mine", path="/?state=mine"),
        replace(home, name="  ready", path="/?state=ready"),
    ]
    few, full = str(folder / "few" / "tunegate.db"), str(folder / "many" / "tunegate.db")
    changed = [replace(page, name=f"{page.name}, changed", changes=few) for page in pages]
    changed += [replace(page, name=f"{page.name}, changed", changes=full) for page in lists]
    return [*pages, *lists, *changed]


def autosave(pages: Sequence[Page]) -> Page:
    """One number of the questionnaire, typed again and again. The last line: it changes what the others show."""
    overview = next(page for page in pages if page.name == "overview")
    section, key = next((part.slug, one.key) for part in SECTIONS for one in part.asked if one.kind == "count")
    path = f"{overview.path}/describe/{section}"
    html = asyncio.run(_read(replace(overview, path=path)))
    version = re.search(r'name="version" value="(\d+)"', html)
    assert version is not None
    form = urlencode({"version": version[1], "tab": "bench", "touched": key, key: "{n}"})
    return replace(overview, name="autosave", path=path, form=form)


async def _read(page: Page) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    writer.write(page.request(0))
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(length_of(head))
    writer.close()
    return body.decode()


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


# ---------------------------------------------------------------- the table


def measured(pages: Sequence[tuple[str, Page]], empty: Page, clients: int, seconds: float, rounds: int) -> None:
    """All pages in turns; one line for each, the median of the rounds."""
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for _ in range(rounds):
        beside = measure(empty, clients, seconds).row
        rows.setdefault((empty.name, ""), []).append((*beside, 1.0))
        for tree, page in pages:
            row = measure(page, clients, seconds).row
            rows.setdefault((page.name, tree), []).append((*row, row[1] / beside[1]))
    for (name, tree), found in rows.items():
        each, p50, p99, processor, times = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"{name:<24}{tree:<8}{clients:>8}{each:>11.0f}{p50:>9.2f}{p99:>9.1f}{processor:>9.2f}{times:>8.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each page and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=100_000, help="assessments of the second app")
    parser.add_argument("--other", type=Path, help="a tree to compare with, measured in turns with this one")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start, {given.rounds} rounds of {given.seconds:.0f} s")
    print(f"{'page':<24}{'tree':<8}{'clients':>8}{'a second':>11}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>9}{'times':>8}")
    trees = {"before": given.other.resolve(), "after": ROOT} if given.other else {"": ROOT}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lines = {name: asked(tree, folder / (name or "here"), given.many, stack) for name, tree in trees.items()}
        empty = stack.enter_context(an_empty_page())
        # Side by side: each page of one tree next to the same page of the other.
        pages = [
            (name, page) for same in zip(*lines.values(), strict=True) for name, page in zip(lines, same, strict=True)
        ]
        for page in {page for _, page in pages if not page.changes}:
            asyncio.run(_read(page))  # the first answer of a process takes as long as hundreds of others
        for clients in CLIENTS:
            measured(pages, empty, clients, given.seconds, given.rounds)
        saving = [(name, autosave(pages)) for name, pages in lines.items()]
        measured(saving, empty, 1, given.seconds, given.rounds)


if __name__ == "__main__":
    main()
