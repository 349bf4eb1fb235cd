"""The processes start quickly, without torch, and stop when told to, with live pages open."""

import json
import signal
import subprocess
import sys
import time

import httpx2
import pytest

from app.db import engine_for
from app.settings import Settings
from tests.support.factories import Make
from tests.support.places import ROOT
from tests.support.processes import environment, free_port, until

HEAVY = ("torch", "transformers", "peft", "sklearn", "scipy")


def test_neither_web_nor_worker_loads_torch() -> None:
    """Nor anything else that takes long: one interpreter imports them all, and says what came with each."""
    code = f"""
import importlib, json, sys
came = {{}}
for module in ("app.__main__", "app.supervisor", "app.worker", "app.main"):
    importlib.import_module(module)
    came[module] = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps(came))
"""

    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert set(map(tuple, json.loads(said.stdout).values())) == {()}, said.stdout


@pytest.fixture
def address(settings: Settings) -> tuple[Settings, str]:
    port = free_port()
    return settings.model_copy(update={"port": port}), f"http://127.0.0.1:{port}"


def start(settings: Settings, command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "app", command],
        env=environment(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def loading() -> float:
    """Seconds that the libraries alone take to load, which tells how busy the machine is."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "import fastapi, sqlalchemy, alembic, dbos, uvicorn, httpx2, numpy"], check=True
    )
    return time.monotonic() - began


def walk(settings: Settings, url: str) -> tuple[float, float]:
    """Start web and worker, make the first account, and stop them; seconds to the first answer and to the end."""
    began = time.monotonic()
    process = start(settings, "serve")
    try:
        until(lambda: answers(f"{url}/health/live"))
        ready = time.monotonic() - began
        with httpx2.Client(base_url=url) as client:
            code = process.stdout.readline().split("set-up code: ")[1].strip() if process.stdout else ""
            ada = {"code": code, "name": "Ada", "email": "ada@example.org", "password": "a long enough phrase"}
            done = client.post("/setup", data=ada, headers={"origin": url})
            assert done.status_code == 303, done.text
            until(lambda: "online" in client.get("/jobs").text)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        return ready, time.monotonic() - began
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.mark.long("the real web and its real worker, started from nothing as by `make run`")
@pytest.mark.worker
def test_the_web_starts_with_a_living_worker_and_stops_when_told_to(address: tuple[Settings, str]) -> None:
    walk(*address)


@pytest.mark.alone
@pytest.mark.worker
def test_the_web_is_ready_soon_and_stops_within_five_seconds(address: tuple[Settings, str]) -> None:
    """Two seconds is the promise on a quiet machine. Twice that is the limit here, where cores are shared; where even
    the libraries alone take long to load, it is three times what they take.
    """
    before = loading()
    ready, stopped = walk(*address)

    assert ready < max(4, 3 * max(before, loading()))
    assert stopped < 5


def test_a_command_that_is_none_says_which_there_are() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "app", "nonsense"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert said.returncode == 2
    assert "advise" in said.stderr


def test_a_password_that_the_server_gives_opens_the_account(address: tuple[Settings, str]) -> None:
    """In a process of its own: what the app prepares for its other commands is not there for this one by itself."""
    settings, _ = address
    engine = engine_for(settings)
    user = Make(engine, settings).author()
    engine.dispose()

    command = [sys.executable, "-m", "app", "reset-password", user.email]
    said = subprocess.run(command, cwd=ROOT, env=environment(settings), capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("One-time password: ")
