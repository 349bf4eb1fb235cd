"""What a child writes, as its parent reads it."""

import os
import time
from collections.abc import Iterator
from typing import IO

import pytest

from app.processes.lines import TAIL, Lines

Ends = tuple[IO[bytes], IO[bytes]]


@pytest.fixture
def pipe() -> Iterator[Ends]:
    """The reading and the writing end."""
    ends = tuple(os.fdopen(number, mode, 0) for number, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    yield ends[0], ends[1]
    for end in ends:
        end.close()


def test_events_come_one_by_one_and_a_library_that_talks_is_passed_over(pipe: Ends) -> None:
    out, child = pipe
    lines = Lines(out)
    child.write(b'Loading...\n{"event": "stage", "n": 1}\n{"no": "event"}\n{"event": 3}\n[1]\n{"event": "e')
    first = lines.event()
    cut = lines.event(time.monotonic() + 0.01)
    child.write(b'nd"}\n')
    second = lines.event()

    assert first == {"event": "stage", "n": 1}
    assert cut is None
    assert not lines.over
    assert second == {"event": "end"}


def test_a_number_that_is_none_is_read_as_python_writes_it(pipe: Ends) -> None:
    out, child = pipe
    child.write(b'{"event": "step", "loss": Infinity, "text": "\\ud83d"}\n')

    assert Lines(out).event() == {"event": "step", "loss": float("inf"), "text": "\ud83d"}


def test_a_line_that_a_kill_cut_off_is_none_and_the_end_is_seen(pipe: Ends) -> None:
    out, child = pipe
    lines = Lines(out)
    child.write(b'{"event": "a"}\n{"event": "b"')
    child.close()

    assert lines.event() == {"event": "a"}
    assert lines.event() is None
    assert lines.over


def test_a_deadline_is_kept_while_nothing_but_noise_comes(pipe: Ends) -> None:
    out, child = pipe
    child.write(b"noise\n" * 100)
    started = time.monotonic()

    assert Lines(out).event(started + 0.02) is None
    assert 0.02 <= time.monotonic() - started < 1


def test_of_standard_error_the_end_is_kept_and_it_never_blocks_the_child() -> None:
    ends = [os.pipe(), os.pipe()]
    (out, errors), (child, complaints) = (
        [os.fdopen(pipe[side], ("rb", "wb")[side], 0) for pipe in ends] for side in (0, 1)
    )
    lines = Lines(out, errors)
    complaints.write(b"x" * 60_000)
    child.write(b'{"event": "a"}\n')
    events = [lines.event(), lines.event(time.monotonic() + 0.01)]
    complaints.write(b"y" * 60_000 + b"MemoryError")  # would wait for ever if the first had not been taken
    child.close()
    complaints.close()
    events.append(lines.event())

    assert events == [{"event": "a"}, None, None]
    assert lines.over
    assert lines.tail.endswith(b"yyyMemoryError")
    assert len(lines.tail) == TAIL
    lines.close()
    out.close()
    errors.close()
