"""The line before served models: its limits, one model at a time, questions nobody waits for, a model that dies."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from app.chat import Message
from app.inference.followed import Followed, Piece
from app.inference.generator import Answer, Request, Unusable
from app.serving.answering import Call, Failure, Limits, ModelServer, Weights
from app.web.refusals import TooMany
from tests.support.processes import until

BASE, OTHER = Weights(1, "a", "float32"), Weights(2, "b", "float32")


class Model:
    """Answers once `go` is set; says whom it was told to drop."""

    computes_on = "CPU"

    def __init__(self, house: "House", weights: Weights) -> None:
        self.house, self.weights, self.closed = house, weights, False

    def follow(
        self, asked: Sequence[Followed], drops: Callable[[], Sequence[str]], stop: Callable[[], bool]
    ) -> Iterator[Piece | Answer]:
        self.house.batches.append([one.request.id for one in asked])
        dropped: list[str] = []
        while not self.house.go.wait(0.01) and not stop():
            dropped += drops()
        dropped += drops()
        self.house.dropped += dropped
        if self.house.dies:
            self.house.dies = False
            raise Unusable("gone, at /secret/path")
        for one in [] if stop() else asked:
            yield Piece(one.request.id, "be")
            error = "dropped" if one.request.id in dropped else None
            yield Answer(one.request.id, "" if error else "beta", "stop", 5, 1, 0.1, error=error)

    def close(self) -> None:
        self.closed = True


class House:
    """A server over scripted models, and everything that came of its calls."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.go, self.dies = threading.Event(), False
        self.started: list[Model] = []
        self.batches: list[list[str]] = []
        self.dropped: list[str] = []
        self.events: dict[str, list[Any]] = {}
        self.noted: dict[str, tuple[Any, bool]] = {}
        self.server = ModelServer(self._start, limits or Limits(each=3, together=5, at_once=2, idle=0.05))

    def _start(self, weights: Weights) -> Model:
        self.started.append(Model(self, weights))
        return self.started[-1]

    def ask(self, name: str, weights: Weights = BASE, person: int = 1) -> Call:
        self.server.enter(person)
        heard = self.events.setdefault(name, [])
        request = Request(name, (Message("user", "x"),), 4)
        call = Call(person, weights, Followed(request), heard.append, lambda *noted: self.noted.update({name: noted}))
        self.server.put(call)
        return call


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.go.set()
    made.server.close()


def test_what_waits_for_the_same_weights_is_answered_together_and_the_last_model_is_let_go_of(house: House) -> None:
    first = house.ask("1")
    until(lambda: house.batches == [["1"]])
    house.ask("2", OTHER)
    house.ask("3")
    house.ask("4", OTHER, person=2)
    house.go.set()

    until(lambda: len(house.noted) == 4)
    assert house.batches == [["1"], ["2", "4"], ["3"]]
    assert [model.weights for model in house.started] == [BASE, OTHER, BASE]
    assert [type(event) for event in house.events[first.id]] == [Piece, Answer]
    until(lambda: house.started[-1].closed and house.server.up is None)
    assert [model.closed for model in house.started] == [True] * 3
    assert house.server.line == 0

    house.ask("5")
    until(lambda: "5" in house.noted)
    assert len(house.started) == 4, "the next question starts it again"


def test_nobody_has_more_places_than_there_are(house: House) -> None:
    for name in "123":
        house.ask(name)
    with pytest.raises(TooMany, match="3 questions of yours"):
        house.ask("4")
    house.ask("5", person=2)
    house.ask("6", person=3)
    with pytest.raises(TooMany, match="line is full"):
        house.ask("7", person=4)

    house.go.set()
    until(lambda: house.server.line == 0)
    house.ask("8")


def test_a_person_asks_so_often_within_a_minute_and_no_more() -> None:
    server = ModelServer(lambda _: pytest.fail("nothing was asked"), Limits(a_minute=2))
    for _ in range(2):
        server.enter(1)
        server.leave(1)

    with pytest.raises(TooMany, match="2 times within a minute") as refusal:
        server.enter(1)
    server.enter(2)

    assert 55 <= refusal.value.seconds <= 60


def test_a_question_that_nobody_waits_for_is_given_up_in_the_line_and_under_way(house: House) -> None:
    under_way = house.ask("1")
    until(lambda: house.batches == [["1"]])
    waiting = house.ask("2")
    house.ask("3")
    house.server.drop(waiting)
    house.server.drop(under_way)
    house.server.drop(under_way)
    house.go.set()

    until(lambda: len(house.noted) == 3)
    assert house.dropped == ["1"]
    assert house.batches == [["1"], ["3"]]
    assert {name: waited for name, (_, waited) in house.noted.items()} == {"1": False, "2": False, "3": True}
    assert house.server.line == 0


def test_a_model_that_dies_fails_its_questions_without_its_last_words_and_is_started_again(house: House) -> None:
    house.dies = True
    house.ask("1")
    house.go.set()

    until(lambda: "1" in house.noted)
    failure, _ = house.noted["1"]
    assert isinstance(failure, Failure)
    assert "/secret" not in failure.why
    house.ask("2")
    until(lambda: "2" in house.noted)
    assert isinstance(house.noted["2"][0], Answer)
    assert len(house.started) == 2


def test_a_server_that_is_stopped_answers_everybody_and_takes_nobody(house: House) -> None:
    house.ask("1")
    until(lambda: house.batches == [["1"]])
    house.ask("2", OTHER)

    house.server.close()

    assert {name: type(event) for name, (event, _) in house.noted.items()} == {"1": Failure, "2": Failure}
    assert house.started[0].closed
    with pytest.raises(Unusable):
        house.server.enter(1)
