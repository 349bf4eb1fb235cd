"""A child's side: what it says to its parent, what it is told, and how it ends when the parent is gone."""

import json
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NICENESS = 10  # of 19
LIFELINE = {"TUNEGATE_LIFELINE": "stdin"}  # tells a program that people start too that its input is its lifeline


def give_way() -> None:
    """Make this process, a child of ours, a quiet neighbour: the web and the worker come first."""
    os.nice(NICENESS)


def say(event: str, **body: object) -> None:
    """Tell the parent one event; see `lines.Event`.

    Raises:
        BrokenPipeError: nobody listens any more.
    """
    sys.stdout.write(json.dumps({"event": event, **body}) + "\n")
    sys.stdout.flush()


def messages() -> Iterator[dict[str, Any]]:
    """What the parent sends, until it closes our input or dies."""
    for line in sys.stdin:
        yield json.loads(line)


def orders(stop: threading.Event, drop: Callable[[str], None] | None = None) -> "queue.Queue[dict[str, Any]]":
    """What the parent asks for, in the order it came, while this process computes.

    `stop` is heard at once: it sets the event, which the next order clears. So is `drop`, with the id of something that
    nobody waits for any more. When the parent is gone this process ends,
    whatever it is at: nobody waits for an answer any more.
    """
    inbox: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        for message in messages():
            if message["do"] == "stop":
                stop.set()
                continue
            if message["do"] == "drop":
                if drop is not None:
                    drop(str(message["id"]))
                continue
            stop.clear()
            inbox.put(message)
        os._exit(0)

    threading.Thread(target=listen, name="orders", daemon=True).start()
    return inbox


def follow_lifeline() -> None:
    """End with the parent, if that is what started us."""
    if all(os.environ.get(name) == value for name, value in LIFELINE.items()):
        end_with_parent()


def end_with_parent(code: int = 0) -> None:
    """From here on, have this process end with this exit code once the parent is gone, whatever it is at."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(code)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def memory() -> tuple[int, int]:
    """Bytes that this process holds now (Linux: its resident pages; elsewhere the most is given twice) and at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return most, most
    return int(pages) * resource.getpagesize(), most
