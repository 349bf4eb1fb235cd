"""Several people at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def at_once(*acts: Callable[[], T]) -> list[T]:
    """What each of them gives, in their order; all begin together, each in a thread of its own."""
    together = threading.Barrier(len(acts))

    def begin(act: Callable[[], T]) -> T:
        together.wait(60)
        return act()

    with ThreadPoolExecutor(len(acts)) as hands:
        return list(hands.map(begin, acts))
