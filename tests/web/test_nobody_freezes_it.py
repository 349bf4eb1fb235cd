"""No request, row or connection keeps everybody else waiting.

What is promised in seconds is measured alone, in the deep suite; in the quick one the same is compared with harmless
input of the same length in the same run.
"""

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.audit.watch import Chain, Denials
from app.chat import Record
from app.datasets.checks import pipeline
from app.datasets.checks.gathering import Tick, silent
from app.datasets.checks.pipeline import CheckInput
from app.datasets.checks.working_rows import WorkingRows
from app.datasets.reading.faults import Fault
from app.datasets.reading.reader import MOST_READ, read
from app.db import utcnow, writing
from app.evaluation import metrics
from app.jobs.claims import Cancelled
from app.jobs.tables import JobRow, Status
from app.main import create_app
from app.settings import Settings
from app.text import MARKS, normal_form
from app.users.tables import UserRow
from app.web.refusals import TooMany
from app.web.slow_requests import protocol
from app.web.thread_limits import Turns
from tests.support.depth import sampled
from tests.support.factories import Make, sign_in
from tests.support.model_server import serving
from tests.support.pace import slowness
from tests.support.ready import ready

HEAVY = "a" + "\u0301\u0323" * 40_000  # after one letter 80,000 marks: 2.5 s with the raw normal form, 160 kB
LIGHT = "a" + "\u0436" * 80_000  # as many bytes of letters


@contextmanager
def server(settings: Settings) -> Iterator[int]:
    """The app under uvicorn, as `main.run` puts it together; gives its port."""
    app = ready(create_app, settings)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="critical", http=protocol(settings.patience / 4), proxy_headers=False
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield running.servers[0].sockets[0].getsockname()[1]
    app.state.context.hub.closing = True  # live streams end first, as in the real server
    running.should_exit = True
    thread.join(10)


def post(port: int, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    usual = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    connection.request("POST", path, urlencode(fields), usual | (headers or {}))
    status = connection.getresponse().status
    connection.close()
    return status


def live(port: int, within: float = 60) -> float:
    """Seconds that the smallest answer takes."""
    started = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=within)
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    connection.close()
    return time.perf_counter() - started


def slowest_while(port: int, act: Callable[[], object]) -> float:
    """The slowest small answer while something is done."""
    thread = threading.Thread(target=act)
    thread.start()
    slowest = live(port)
    while thread.is_alive():
        slowest = max(slowest, live(port))
    return slowest


def requests(port: int, cookie: str) -> dict[str, Callable[[str], object]]:
    """Every form that once normalised, hashed or compared what it was sent, without looking how long it is."""
    mine = {"Cookie": cookie}
    return {
        "sign in": lambda text: post(port, "/sign-in", {"email": "a@example.org", "password": text}),
        "sign in as": lambda text: post(port, "/sign-in", {"email": text, "password": "x"}),
        "set up": lambda text: post(port, "/setup", dict.fromkeys(("code", "name", "email", "password"), text)),
        "current": lambda text: post(port, "/account/password", {"current": text}, mine),
        "new": lambda text: post(port, "/account/password", {"password": text, "again": text}, mine),
        "title": lambda text: post(port, "/assessments", {"title": text, "team": text, "about": text}, mine),
        "token": lambda text: post(port, "/account/tokens", {"name": text}, mine),
    }


@pytest.fixture
def cookie(engine: Engine, make: Make) -> str:
    from httpx2 import Client

    client = Client()
    sign_in(client, engine, make.author())  # type: ignore[arg-type]  # it has cookies, too
    return f"tunegate={client.cookies['tunegate']}"


def test_no_form_takes_longer_for_marks_than_for_letters(settings: Settings, cookie: str) -> None:
    with server(settings) as port:
        for name, send in requests(port, cookie).items():
            took = {}
            for text in (LIGHT, HEAVY):
                started = time.perf_counter()
                send(text)
                took[text] = time.perf_counter() - started
            assert took[HEAVY] < 8 * took[LIGHT] + 0.2, name


@pytest.mark.parametrize(
    "body",
    [
        {"title": "x", **{f"unknown {number}": 1 for number in range(40_000)}},
        {"title": "x", "answers": {"goals": ["nothing"] * 40_000}},
        {"measured": {"x": [{"y": 1}] * 40_000}},
    ],
)
def test_a_body_of_many_parts_is_refused_as_a_whole(web: TestClient, engine: Engine, make: Make, body: object) -> None:
    """170,000 unknown keys were 170,000 faults: 11 s in which nothing else was answered."""
    sign_in(web, engine, make.author())

    answer = web.post("/api/v1/assessments", json=body, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 422
    assert "keys and items" in answer.json()["detail"]
    assert "errors" not in answer.json()


@pytest.mark.deep
@pytest.mark.alone
def test_everybody_is_answered_within_a_second_whatever_one_sends(settings: Settings, cookie: str) -> None:
    with server(settings) as port:
        for name, send in requests(port, cookie).items():
            send("warm")  # templates and libraries are read at the first answer
            for text in ("a" + "\u0301\u0323" * 80_000, "x" * 900_000, "\u3042" * 100_000):
                assert slowest_while(port, lambda send=send, text=text: send(text)) < 1, name  # type: ignore[misc]


# ---------------------------------------------------------------- normal forms


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0344", "\uff9e", "\u0f73\u0f71", "\u3099\u0301"])
def test_a_normal_form_takes_no_longer_for_marks_than_for_letters(form: str, marks: str) -> None:
    def seconds(text: str) -> float:
        started = time.perf_counter()
        normal_form(form, text)  # type: ignore[arg-type]  # one of the four
        return time.perf_counter() - started

    count = 40_000 // len(marks)
    normal_form("NFC", "\u00e9" * 50)  # what is worked out once
    letters = min(seconds("\u00e9" * 40_000) for _ in range(3))

    assert min(seconds("a" + marks * count) for _ in range(3)) < 30 * letters + 0.02


def test_what_people_write_comes_out_as_unicode_says() -> None:
    import unicodedata

    known = (
        "Vie\u0323\u0302t",
        "e\u0301" * 500,
        "\u1112\u1161\u11ab",
        "\u05e9\u05bc\u05c1" * 40,
        "a" + "\u0301" * MARKS,
    )
    for text in known:
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            known_form = unicodedata.normalize(form, text)  # noqa: TID251 - what it has to be equal to
            assert normal_form(form, text) == known_form


def test_texts_that_differ_still_differ() -> None:
    assert normal_form("NFC", "a" + "\u0301" * 40) != normal_form("NFC", "a" + "\u0301" * 41)
    assert normal_form("NFC", normal_form("NFC", "a" + "\u0301" * 99)) == normal_form("NFC", "a" + "\u0301" * 99)


def test_an_answer_full_of_marks_is_compared_like_any_other() -> None:
    def seconds(text: str) -> float:
        started = time.process_time()
        for name in ("normalised_match", "exact_match"):
            metrics.score(name, text, "refund", {})
        return time.process_time() - started

    assert seconds(HEAVY) < 30 * seconds("\u00e9" * len(HEAVY)) + 0.05


# ---------------------------------------------------------------- rows


def upload(*texts: str, answer: str = "x") -> io.BytesIO:
    kinds = (("open", "door", "yes"), ("close", "lid", "no"), ("mend", "lamp", "maybe"))
    rows = [
        {"prompt": f"How do I {verb} the {thing} {number}?", "completion": label}
        for number in range(10)
        for verb, thing, label in kinds
    ]
    rows += [{"prompt": text, "completion": answer} for text in texts]
    return io.BytesIO("\n".join(map(json.dumps, rows)).encode())


def checked(folder: Path, *texts: str, answer: str = "x", tick: Tick = silent) -> float:
    started = time.process_time()
    with WorkingRows(folder / f"rows{time.monotonic_ns()}", None) as rows:
        pipeline.check(CheckInput(upload(*texts, answer=answer), seed=1), rows, tick=tick)
    return time.process_time() - started


def test_a_row_full_of_marks_takes_no_longer_to_check_than_one_full_of_letters(tmp_path: Path) -> None:
    checked(tmp_path)
    letters = checked(tmp_path, "\u3042" * 40_000)

    assert checked(tmp_path, "a" + "\u0301\u0323" * 20_000) < 4 * letters + 0.5 * slowness()


@pytest.mark.parametrize("piece", sampled(["\u00e9", "\u00e9(", "a1", "`", "```", "\u0391"], every=3))
def test_one_long_word_takes_no_longer_to_check_than_many_short_ones(tmp_path: Path, piece: str) -> None:
    """A word of 30,000 letters with accents was looked at anew from each of them: 95 s."""
    checked(tmp_path)
    usual = checked(tmp_path, "word " * 6_000, answer="word " * 6_000)
    text = piece * (30_000 // len(piece)) + "x"

    assert checked(tmp_path, text, f"{text}(", answer=f"{text}.") < 12 * usual + slowness()


@pytest.mark.parametrize("piece", ["\n", "\n ", " \n\t", "### ", "Human:\n", "[INST]", "<|im_start|>user\n", "\r\n"])
def test_empty_lines_and_marks_of_turns_take_no_longer_to_read_than_letters(piece: str) -> None:
    """Each empty line was looked at from all before it: 9 s for 10,000 of them, an hour for a row's 190,000."""
    rows = [
        json.dumps({"text": f"{before}{piece * (40_000 // len(piece))}x"}) for before in ("", "Human: a\nAssistant: b")
    ]

    def seconds(*lines: str) -> float:
        started = time.process_time()
        list(read(io.BytesIO("\n".join(lines).encode())))
        return time.process_time() - started

    letters = seconds(*(json.dumps({"text": "\u3042" * 40_000}) for _ in rows))
    assert seconds(*rows) < 20 * letters + 0.5 * slowness()


@pytest.mark.deep
def test_what_is_longer_than_any_document_is_named_and_not_looked_at() -> None:
    long = json.dumps({"prompt": "x" * MOST_READ, "completion": "yes"}).encode()
    turns = [{"role": role, "content": "a"} for role in ("user", "assistant") * (MOST_READ // 20)]
    found = list(read(io.BytesIO(b"\n".join([long, json.dumps({"messages": turns}).encode()]))))

    assert [one for one in found if isinstance(one, Record)] == []
    assert ["none is looked at" in one.text for one in found if isinstance(one, Fault) and one.line] == [True, True]


class Pressed:
    """Somebody presses cancel while rows are read."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def __call__(self, _stage: str, done: int, _total: int) -> None:
        self.told.append(done)
        if done > 5:
            raise Cancelled


def test_a_check_can_be_cancelled_between_rows_however_long_they_are(tmp_path: Path) -> None:
    """It was asked once in a thousand rows, which could be hours."""
    pressed = Pressed()
    rows = ["DE89 3704 0044 0532 0130 00 " * 6_000] * 40  # slow to read: each of them is looked at closely

    with pytest.raises(Cancelled):
        checked(tmp_path, *rows, tick=pressed)
    assert len(pressed.told) >= 1


@pytest.mark.deep
@pytest.mark.alone
@pytest.mark.parametrize(
    "text", ["a" + "\u0301\u0323" * 90_000, "\u3042" * 190_000, "DE89 3704 0044 0532 0130 00 " * 7_000]
)
def test_the_heart_beats_once_a_second_whatever_a_row_holds(tmp_path: Path, text: str) -> None:
    beats, over = [time.monotonic()], threading.Event()

    def beat() -> None:
        while not over.wait(0.05):
            beats.append(time.monotonic())

    heart = threading.Thread(target=beat)
    heart.start()
    checked(tmp_path, text, text + "!")
    over.set()
    heart.join()

    assert max(after - before for before, after in pairwise(beats)) < 1


# ---------------------------------------------------------------- waiting


def test_only_so_many_wait_for_a_model_server(settings: Settings, engine: Engine, make: Make) -> None:
    """Tests of a silent server took the threads of all pages: 45 of them kept the sign-in page waiting for 23 s."""
    go, asked = threading.Event(), threading.Semaphore(0)

    def slow(_body: object) -> str:
        asked.release()
        go.wait(30)
        return "ok"

    app = ready(create_app, settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",)}))
    with serving(slow) as silent, TestClient(app, base_url="http://127.0.0.1:1", follow_redirects=False) as client:

        def browser(person: UserRow) -> TestClient:
            made = TestClient(app, base_url="http://127.0.0.1:1", follow_redirects=False)
            made.portal = client.portal
            sign_in(made, engine, person)
            return made

        admin = browser(make.admin())
        number = make.model(kind="endpoint", base_url=silent.url, reference="loopback-1", files={}).id
        together = app.state.context.model_tests.together
        waiting = [browser(make.author()) for _ in range(together)]
        threads = [threading.Thread(target=one.post, args=(f"/models/{number}/test",)) for one in waiting]
        for thread in threads:
            thread.start()
            assert asked.acquire(timeout=30)
        again, other = waiting[0].post(f"/models/{number}/test"), browser(make.author()).post(f"/models/{number}/test")
        program = admin.post(f"/api/v1/models/{number}/test", headers={"Sec-Fetch-Site": "same-origin"})
        page = client.get("/sign-in")
        go.set()
        for thread in threads:
            thread.join()
        after = waiting[0].post(f"/models/{number}/test")

    assert [again.status_code, other.status_code, program.status_code] == [429] * 3
    assert "You are testing a model already" in again.text
    assert int(other.headers["retry-after"]) > 0
    assert (page.status_code, after.status_code) == (200, 303)


def test_the_process_says_that_it_lives_while_every_thread_waits(
    settings: Settings, engine: Engine, cookie: str
) -> None:
    """Whoever looks after it would take it for dead, and end it with all that it does."""
    request = f"PATCH /api/v1/assessments/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
    request += "Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    with server(settings) as port:
        live(port)
        with writing(engine) as session, ExitStack() as lines:
            session.connection()  # begins, and nobody else writes until it ends
            for _ in range(50):
                line = lines.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                line.sendall(request.encode())
            time.sleep(0.5)
            assert live(port, within=3) < 3


def test_no_more_streams_open_than_one_person_may_have(settings: Settings, engine: Engine, make: Make) -> None:
    """They were counted after the answer had begun: 32 of 120 asked for at once were opened where 12 are allowed."""
    from httpx2 import Client

    person = make.author()
    with writing(engine) as session:
        job = JobRow(kind="check", title="x", subject_id=1, queue="cpu", status=Status.RUNNING, created_at=utcnow())
        session.add(job)
    client = Client()
    sign_in(client, engine, person)  # type: ignore[arg-type]  # it has cookies, too
    with server(settings) as port:
        lines = [HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(30)]
        for line in lines:
            line.request("GET", f"/jobs/{job.id}/events", headers={"Cookie": f"tunegate={client.cookies['tunegate']}"})
        found = sorted(line.getresponse().status for line in lines)
        for line in lines:
            if line.sock:
                line.sock.close()
            line.close()

    assert found == [200] * 12 + [429] * 18


def test_turns_are_given_back_and_told_apart() -> None:
    turns = Turns(each=2, together=3, mine="mine", full="full", seconds=7)

    with turns.take(1), turns.take(1):
        with pytest.raises(TooMany, match="mine"), turns.take(1):
            pass
        with turns.take(2):
            with pytest.raises(TooMany, match="full") as refused, turns.take(3):
                pass
            assert refused.value.seconds == 7
    with turns.take(1), turns.take(1):
        assert turns.total() == 2
    assert turns.total() == 0


# ---------------------------------------------------------------- what arrives in halves


@pytest.fixture
def hasty(settings: Settings) -> Settings:
    return settings.model_copy(update={"patience": 0.8})


def half(port: int, *parts: bytes, pause: float = 0.05) -> bytes:
    """Send parts slowly and give what comes back until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        for part in parts:
            try:
                line.sendall(part)
            except OSError:
                break
            time.sleep(pause)
        came = b""
        try:
            while chunk := line.recv(4096):
                came += chunk
        except ConnectionResetError:
            return came
        return came


FORM = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


def test_half_a_head_is_hung_up_on(hasty: Settings) -> None:
    with server(hasty) as port:
        assert half(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-") == b""
        assert half(port) == b""
        assert half(port, *[b"X"] * 40) == b""  # a byte now and then is no patience won


@pytest.mark.deep
def test_half_a_body_is_answered_and_hung_up_on(hasty: Settings) -> None:
    with server(hasty) as port:
        came = half(port, FORM + b"Content-Length: 100\r\n\r\nemail=a")
        slow = half(port, FORM + b"Content-Length: 100\r\n\r\n", *[b"x"] * 40)

    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in came.lower()
    assert slow.startswith(b"HTTP/1.1 408 ")


def test_half_a_json_body_is_a_problem_document(hasty: Settings, engine: Engine, make: Make) -> None:
    with server(hasty) as port:
        head = b"POST /api/v1/assessments HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        came = half(port, head + b"Content-Length: 100\r\n\r\n{")

    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in came


def test_a_whole_request_and_its_next_are_answered(hasty: Settings) -> None:
    with server(hasty) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(3):
            connection.request("GET", "/health/live")
            answer = connection.getresponse()
            assert (answer.status, answer.read() != b"") == (200, True)
            time.sleep(0.3)
        connection.close()


def test_a_length_said_in_two_ways_is_refused(settings: Settings) -> None:
    with server(settings) as port:
        came = half(port, FORM + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    assert came.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in came.lower()


# ---------------------------------------------------------------- the record


def test_a_button_pressed_again_and_again_is_one_entry() -> None:
    now = [0.0]
    denials = Denials(lambda: now[0])

    assert denials.worth(1, "launch: locked") == ""
    assert [denials.worth(1, "launch: locked") for _ in range(50)] == [None] * 50
    assert denials.worth(2, "launch: locked") == ""
    now[0] = 601
    assert denials.worth(1, "launch: locked") == ""


def test_many_different_refusals_of_one_person_end_with_a_word() -> None:
    denials = Denials(lambda: 0.0)
    notes = [denials.worth(1, f"launch {number}") for number in range(50)]

    assert notes[:19] == [""] * 19
    assert notes[19] is not None
    assert "not written down" in notes[19]
    assert notes[20:] == [None] * 30


def test_a_long_chain_is_looked_at_once_a_minute_and_a_short_one_each_time() -> None:
    now, looks = [0.0], [0]

    def look() -> int | None:
        looks[0] += 1
        now[0] += cost
        return 7

    cost, chain = 0.01, Chain(lambda: now[0])
    assert [chain.broken_at(look) for _ in range(5)] == [7] * 5
    assert looks[0] == 5

    cost = 3.0
    chain.broken_at(look)
    assert [chain.broken_at(look) for _ in range(5)] == [7] * 5
    assert looks[0] == 6
    now[0] += 61
    chain.broken_at(look)
    assert looks[0] == 7


@pytest.mark.deep
def test_an_idle_connection_is_there_for_the_next_request(settings: Settings) -> None:
    """Longer than uvicorn would wait: a proxy that sends on it then would lose the request."""
    with server(settings) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(2):
            connection.request("GET", "/health/live")
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
            used = connection.sock
            time.sleep(5.5)
        assert connection.sock is used  # none other was opened in its place
        connection.close()
