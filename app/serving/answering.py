"""Questions of other programs on their way to a model: a line of limited length, and one model that is up at a time.

A thread of its own takes what waits for the same weights and has them answered together; a model that others ask for is
started in its place when its turn comes, and the last one is let go of when nobody has asked for a while. The web's own
threads and its event loop never wait for a model here: what happens to a question is handed to it, piece by piece.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.inference.followed import Followed, Piece
from app.inference.generator import Answer, Unusable
from app.inference.local_protocol import Dtype
from app.web.refusals import TooMany

log = logging.getLogger("tunegate.serving")

MINUTE = 60.0
STOPPING = "This server is being stopped."
UNUSABLE = "The model can't be used at the moment. The operator finds why in the log."


@dataclass(frozen=True, slots=True)
class Limits:
    """each: questions of one person that may wait or be answered at once; together: of everybody. a_minute: that one
    person may ask within any sixty seconds. at_once: questions that a model answers together. idle: seconds after the
    last one until the model is let go of.
    """

    each: int = 16
    together: int = 64
    a_minute: int = 600
    at_once: int = 16
    idle: float = 300.0


@dataclass(frozen=True, slots=True)
class Weights:
    """What a process has to hold to answer. digest: of the base model's files; adapter: hash of its zip, or empty."""

    model_id: int
    digest: str
    dtype: Dtype
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """That no answer comes, and why, in a sentence for whoever asked."""

    why: str


Event = Piece | Answer | Failure


@dataclass(eq=False)
class Call:
    """One question. deliver: is given every piece, and last an answer or a failure, by another thread; it never waits.

    noted: is told the same last event once, and whether somebody still waited for it: for the record.
    """

    person: int
    weights: Weights
    asked: Followed
    deliver: Callable[[Event], None]
    noted: Callable[[Answer | Failure, bool], None]
    dropped: bool = field(default=False, init=False)

    @property
    def id(self) -> str:
        return self.asked.request.id


class Model(Protocol):
    """What is asked: `FollowedModel` in the app. computes_on: the device, as people call it, once it answers."""

    @property
    def computes_on(self) -> str: ...

    def follow(
        self, asked: Sequence[Followed], drops: Callable[[], Sequence[str]], stop: Callable[[], bool]
    ) -> Iterator[Piece | Answer]: ...

    def close(self) -> None: ...


class ModelServer:
    """The line, and whoever serves it. Safe to use from several threads."""

    def __init__(self, start: Callable[[Weights], Model], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._start = start
        self._changed = threading.Condition()
        self._waiting: deque[Call] = deque()
        self._under_way: dict[str, Call] = {}
        self._drops: list[str] = []
        self._places: Counter[int] = Counter()
        self._recent: dict[int, deque[float]] = {}
        self._thread: threading.Thread | None = None
        self._up: tuple[Weights, Model] | None = None
        self._closing = False
        self._computed_on = ""

    @property
    def up(self) -> Weights | None:
        """What is in memory now."""
        kept = self._up
        return kept[0] if kept else None

    @property
    def computed_on(self) -> str:
        """The device that answered last, as people call it; empty before any answer of this process."""
        return self._computed_on

    @property
    def line(self) -> int:
        """Questions that wait or are being answered."""
        with self._changed:
            return self._places.total()

    def enter(self, person: int) -> None:
        """Take a place in the line, for a question that is put there next; `leave` gives it back where none is.

        Raises:
            TooMany: this person or everybody has as many there as there may be, or this person has asked too often.
            Unusable: this server is being stopped.
        """
        with self._changed:
            if self._closing:
                raise Unusable(STOPPING)
            self._within_limits(person)
            self._places[person] += 1

    def leave(self, person: int) -> None:
        """Give a place back."""
        with self._changed:
            self._leave(person)

    def put(self, call: Call) -> None:
        """Put a question at the place that was taken for it. Its place is given back once it is answered or dropped."""
        with self._changed:
            self._waiting.append(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="served models", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drop(self, call: Call) -> None:
        """Say that nobody waits for this question any more; again, or once it is answered, is harmless."""
        with self._changed:
            if call.dropped:
                return
            call.dropped = True
            if call.id in self._under_way:
                self._drops.append(call.id)
            elif call in self._waiting:
                self._leave(call.person)
                self._changed.notify_all()

    def close(self, patience: float = 5.0) -> None:
        """End everything; questions on their way fail."""
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(patience)

    # ------------------------------------------------------------------ limits
    def _within_limits(self, person: int) -> None:
        limits, now = self.limits, time.monotonic()
        if self._places[person] >= limits.each:
            raise TooMany(f"{limits.each} questions of yours are waiting. Send the next when one is answered.", 1)
        if self._places.total() >= limits.together:
            raise TooMany("The line is full. Try again in a moment.", 2)
        recent = self._recent.setdefault(person, deque(maxlen=limits.a_minute))
        if len(recent) == limits.a_minute and (left := MINUTE - (now - recent[0])) > 0:
            raise TooMany(f"You asked {limits.a_minute} times within a minute, which is the most.", max(1, round(left)))
        recent.append(now)

    def _leave(self, person: int) -> None:
        self._places[person] -= 1
        if not self._places[person]:
            del self._places[person]

    # ------------------------------------------------------------------ serving
    def _serve(self) -> None:
        """Answer until nobody has asked for a while."""
        while batch := self._next_batch():
            try:
                self._answer(batch)
            except Exception:
                log.exception("Questions could not be answered")
                self._let_go()
                self._fail(batch, "Something broke on our side. The operator finds it in the log.")

    def _next_batch(self) -> list[Call]:
        """What is to be answered together next; empty when this thread is over, with nothing left in memory."""
        idle_at = time.monotonic() + self.limits.idle
        while True:
            with self._changed:
                if not self._waiting and not self._closing and (left := idle_at - time.monotonic()) > 0:
                    self._changed.wait(left)
                gone = [call for call in self._waiting if call.dropped]
                self._waiting = deque(call for call in self._waiting if not call.dropped)
                batch = [] if self._closing else self._take()
                over = not batch and (self._closing or (not gone and time.monotonic() >= idle_at))
                if over:
                    left_over, up = list(self._waiting), self._up
                    self._under_way |= {call.id: call for call in left_over}
                    self._waiting.clear()
                    self._thread = self._up = None
            for call in gone:
                self._note(call, Failure("Nobody waited for it."))
            if over:
                if up is not None:
                    up[1].close()
                self._fail(left_over, STOPPING)
            if batch or over:
                return batch

    def _take(self) -> list[Call]:
        """Take the questions out of the line that are answered together with the first one."""
        if not self._waiting:
            return []
        weights = self._waiting[0].weights
        batch = [call for call in self._waiting if call.weights == weights][: self.limits.at_once]
        for call in batch:
            self._waiting.remove(call)
            self._under_way[call.id] = call
        return batch

    def _answer(self, batch: Sequence[Call]) -> None:
        weights, by_id = batch[0].weights, {call.id: call for call in batch}
        try:
            model = self._model(weights)
            for event in model.follow([call.asked for call in batch], self._take_drops, lambda: self._closing):
                self._computed_on = model.computes_on
                if isinstance(event, Piece):
                    by_id[event.id].deliver(event)
                else:
                    self._end(by_id.pop(event.id), event)
        except Unusable as error:
            log.warning("A served model can't be used: %s", error)
            self._let_go()
            self._fail(list(by_id.values()), UNUSABLE)
        else:
            self._fail(list(by_id.values()), STOPPING)

    def _model(self, weights: Weights) -> Model:
        if self._up is not None and self._up[0] != weights:
            self._let_go()
        if self._up is None:
            self._up = weights, self._start(weights)
        return self._up[1]

    def _take_drops(self) -> Sequence[str]:
        with self._changed:
            drops, self._drops = self._drops, []
        return drops

    def _fail(self, calls: Sequence[Call], why: str) -> None:
        for call in calls:
            if call.id in self._under_way:
                self._end(call, Failure(why))

    def _end(self, call: Call, event: Answer | Failure) -> None:
        with self._changed:
            del self._under_way[call.id]
            self._leave(call.person)
        self._note(call, event)
        call.deliver(event)

    @staticmethod
    def _note(call: Call, event: Answer | Failure) -> None:
        try:
            call.noted(event, not call.dropped)
        except Exception:
            log.exception("A call of a served model could not be written down")

    def _let_go(self) -> None:
        up, self._up = self._up, None
        if up is not None:
            up[1].close()
