"""A local model that is kept for the next question, and let go of."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from app.inference.embedding import Kind, Vectors
from app.retrieval.warm import Warm
from app.worker import body


class Counted:
    """An embedder that says when it is closed."""

    name, digest, dimensions, cut = "counted", "", 1, 0

    def __init__(self) -> None:
        self.closed = threading.Event()

    def embed(self, texts: Sequence[str], *, kind: Kind, stop: Callable[[], bool]) -> Vectors:
        return np.ones((len(texts), 1), np.float32)

    def close(self) -> None:
        self.closed.set()


def test_one_model_is_kept_for_the_next_question_and_closed_when_nobody_asks() -> None:
    made: list[Counted] = []

    def make() -> Counted:
        made.append(Counted())
        return made[-1]

    warm = Warm(idle=60)
    for key in ("a", "a", "b"):
        with warm.embedder(key, make):
            pass
    assert [one.closed.is_set() for one in made] == [True, False]
    with pytest.raises(RuntimeError), warm.embedder("b", make):
        raise RuntimeError
    assert made[-1].closed.is_set()
    assert len(made) == 2

    quick = Warm(idle=0.01)
    with quick.embedder("c", make):
        pass
    assert made[-1].closed.wait(5)


def test_the_worker_knows_the_job() -> None:
    assert body("index").__module__ == "app.retrieval.job"
