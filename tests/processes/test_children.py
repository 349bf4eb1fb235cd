"""Real child processes: started, fed, heard, ended, and how they ended."""

import os
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.processes import children, parent, sandbox
from app.processes.children import Child

# `timeit` runs a program that is given as an argument, and writes a line that is no event when it is done.
IDLE = "import sys, time; [time.sleep(60) for _ in iter(int, 1)]"
STUBBORN = (
    f'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(\'{{"event": "up"}}\', flush=True); {IDLE}'
)


def python(program: str, settings: Mapping[str, str] | None = None) -> Child:
    log = tempfile.TemporaryFile()  # noqa: SIM115 - the child's `close` closes it
    return children.start("timeit", "-n1", "-r1", "-s", program, "pass", threads=1, log=log, settings=settings)


def ended(child: Child) -> int | None:
    while child.code is None:
        child.next(5)
    return child.code


def test_a_child_is_told_and_heard_and_its_end_comes_after_its_last_word() -> None:
    program = "from app.processes import parent; m = next(parent.messages()); parent.say('echo', twice=2 * m['text'])"
    child = python(program)
    child.send(text="ä\ud800")
    event = child.next(30)
    code = ended(child)
    child.close()

    assert event == {"event": "echo", "twice": "ä\ud800ä\ud800"}
    assert code == 0
    assert not child.send(text="nobody hears it any more")


def test_how_a_child_ended_is_said_with_its_last_line_also_after_it_was_closed() -> None:
    child = python("import sys; print('one', file=sys.stderr); sys.exit('two')")
    code = ended(child)
    how = child.how_it_ended()
    child.close()

    assert code == 1
    assert how == "ended with code 1. SystemExit: two"
    assert child.how_it_ended() == how


def test_one_that_was_killed_says_so() -> None:
    child = python(IDLE)
    os.kill(child.pid, signal.SIGKILL)

    assert ended(child) == -signal.SIGKILL
    assert child.how_it_ended() == "was killed, most likely because the machine ran out of memory."
    child.close()


def test_it_ends_with_its_lifeline_even_while_nobody_hears_what_it_says() -> None:
    """It says more than a pipe holds: who only waited for its end would wait for ever."""
    child = python("import sys; sys.stdin.read(); [print('x' * 999) for _ in range(999)]")
    child.close(patience=30)

    assert child.code == 0


def test_one_that_does_not_want_to_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    other = tmp_path / "other"
    child = python(
        f"import os, pathlib; os.fork() or pathlib.Path({str(other)!r}).write_text(str(os.getpid())); {STUBBORN}"
    )
    child.next(30)
    child.next(30)
    started = time.monotonic()
    child.close(grace=0.05)
    child.close()

    assert time.monotonic() - started < 10
    assert child.code == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while Path(f"/proc/{other.read_text()}").exists() and "Z" not in _state(int(other.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_program_that_follows_its_lifeline_ends_with_its_parent() -> None:
    program = f"from app.processes import parent; parent.follow_lifeline(); {IDLE}"
    child = python(program, settings=parent.LIFELINE)
    child.close(patience=30)

    assert child.code == 0


def test_the_sandbox_gives_a_file_and_little_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEGATE_DATABASE_URL", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    (tmp_path / "file").write_text("what was uploaded")
    program = (
        "import os, sys; from app.processes import parent; parent.say('read', text=sys.stdin.read(), env=[*os.environ])"
    )
    with (
        (tmp_path / "file").open("rb") as file,
        sandbox.start("timeit", "-n1", "-r1", "-s", program, "pass", file=file) as child,
    ):
        (event,) = child.events()

    assert child.code == 0
    assert event["text"] == "what was uploaded"
    assert {"PATH", "PYTHONPATH"} <= set(event["env"])
    assert not {"TUNEGATE_DATABASE_URL", "CUDA_VISIBLE_DEVICES"} & set(event["env"])


def test_who_asks_for_more_memory_than_the_sandbox_has_is_found_out() -> None:
    program = "from app.processes import sandbox; sandbox.confine(memory=1 << 28); bytearray(1 << 29)"
    with (
        Path(os.devnull).open("rb") as file,
        sandbox.start("timeit", "-n1", "-r1", "-s", program, "pass", file=file) as child,
    ):
        said = [*child.events()]

    assert said == []
    assert child.code == 1
    assert sandbox.out_of_memory(child)


def test_a_sandbox_writes_no_file(tmp_path: Path) -> None:
    program = f"from app.processes import sandbox; sandbox.confine(); open({str(tmp_path / 'x')!r}, 'w').write('x')"
    with (
        Path(os.devnull).open("rb") as file,
        sandbox.start("timeit", "-n1", "-r1", "-s", program, "pass", file=file) as child,
    ):
        list(child.events())

    assert not (tmp_path / "x").read_text()
