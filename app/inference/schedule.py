"""Who asks which question when: threads that take the next one as soon as they have an answer.

Nobody stands in their way: results wait in a line of their own for whoever wants them, so that writing some of them
down does not keep the server waiting. A question that has to be asked again later waits without a thread.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from app.inference.traffic import LOOK, Traffic

Question = TypeVar("Question")
Result = TypeVar("Result")
BATCH = 64  # results that are handed over at once
# Seconds at most in which results gather: whoever takes each by itself is in the way of the next questions.
GATHER = 0.03


def always(_: int) -> bool:
    """Whether a further question may be begun, where nobody says otherwise."""
    return True


class Later(Exception):
    """This question is to be asked again, after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(eq=False)
class Turn(Generic[Question]):
    """A question on its way. begun: when it was first asked, by the clock of who asks. tries: that failed by trouble of
    its own; slow: that ended at the deadline; turned_away: for load, while others were answered."""

    question: Question
    begun: float
    tries: int = 0
    slow: int = 0
    turned_away: int = 0


class Schedule(Generic[Question, Result]):
    """Has `work` done for each question, as many at once as the traffic allows.

    work: gives what comes of a question; raises `Later`, or what ends the whole run. may_begin: asked before every
    question with the number of those that were asked and whose results nobody has taken yet. False: it waits until
    these are taken, since a result is counted a moment before it is; false with none of them winds the run up.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        work: Callable[[Turn[Question]], Result],
        traffic: Traffic,
        *,
        may_begin: Callable[[int], bool],
        clock: Callable[[], float],
    ) -> None:
        self._questions = questions
        self._work = work
        self._traffic = traffic
        self._may_begin = may_begin
        self._clock = clock
        self._at = 0
        self._numbers = itertools.count()
        self._again: list[tuple[float, int, Turn[Question]]] = []
        self._under_way = self._not_taken = self._threads = 0
        self._come: SimpleQueue[Result | BaseException | None] = SimpleQueue()
        self._change = threading.Condition()
        self._nobody = threading.Event()  # set while nothing is under way: nothing more gathers then
        self._nobody.set()
        self._closed = self._winding_up = self._refused = False
        self._took = 0.0  # seconds of the question that was done last

    # ------------------------------------------------------------ for who wants the results

    def staff(self) -> None:
        """Start threads that are lacking: no more than may ask at once, or than there is to ask."""
        with self._change:
            wanted = 0 if self._closed or self._nothing_left else min(self._traffic.most, len(self._questions))
            lacking = wanted - self._threads
            self._threads += max(0, lacking)
        for _ in range(lacking):
            threading.Thread(target=self._serve, name="endpoint", daemon=True).start()

    def came(self, timeout: float = LOOK) -> list[Result | BaseException]:
        """What has come since the last time: waits for the first of it, at most so many seconds."""
        batch: list[Result | BaseException] = []
        try:
            first = self._come.get(timeout=timeout)
            if self._under_way > 1:
                self._nobody.wait(min(GATHER, self._took / 2))
            while True:
                if first is not None:
                    batch.append(first)
                if len(batch) >= BATCH:
                    break
                first = self._come.get_nowait()
        except Empty:
            pass
        return batch

    def came_by_now(self) -> list[Result | BaseException]:
        """All that has come and nobody has taken; waits for nothing."""
        batch: list[Result | BaseException] = []
        with suppress(Empty):
            while True:
                if (one := self._come.get_nowait()) is not None:
                    batch.append(one)
        return batch

    def taken(self) -> None:
        """One of the results that came was dealt with: what it cost is counted by now."""
        with self._change:
            self._not_taken -= 1
            if self._refused:
                self._change.notify()

    @property
    def over(self) -> bool:
        """Whether nothing is to come any more."""
        with self._change:
            return not self._not_taken and (self._closed or self._nothing_left)

    @property
    def under_way(self) -> int:
        return self._under_way

    def close(self) -> None:
        """Begin nothing any more."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    # ------------------------------------------------------------ in the threads

    def _serve(self) -> None:
        while (turn := self._take()) is not None:
            came: Result | BaseException
            try:
                came = self._work(turn)
            except Later as later:
                self._put_back(turn, later.seconds)
                continue
            except BaseException as error:  # noqa: BLE001 - raised where the results are taken
                came = error
                self.close()
            self._done(came, self._clock() - turn.begun)

    def _take(self) -> Turn[Question] | None:
        with self._change:
            while not self._closed:
                if self._refused:
                    self._settle()
                if self._under_way < self._traffic.allowed and not self._traffic.opens_in():
                    if (turn := self._next()) is not None:
                        self._under_way += 1
                        self._nobody.clear()
                        return turn
                    if self._nothing_left and not self._under_way:
                        break
                self._change.wait(self._nap())
            self._threads -= 1
            self._change.notify_all()
            self._come.put(None)  # whoever waits for results looks whether it is over
            return None

    def _next(self) -> Turn[Question] | None:
        now = time.monotonic()
        due = bool(self._again) and self._again[0][0] <= now
        if self._winding_up or not (due or self._at < len(self._questions)):
            return None
        self._refused = not self._may_begin(self._asked)
        if self._refused:
            self._settle()
            return None
        if due:
            return heapq.heappop(self._again)[2]
        self._at += 1
        self._not_taken += 1
        return Turn(self._questions[self._at - 1], self._clock())

    @property
    def _asked(self) -> int:
        """Questions that were asked and whose results nobody has taken."""
        return self._not_taken - len(self._again)

    def _settle(self) -> None:
        """Once refused and with no result to come, ask again: that is the last word, and a server that is waited for
        is waited for no longer."""
        if self._asked:
            return
        self._refused = not self._may_begin(0)
        if self._refused:
            self._winding_up = True
            self._not_taken = 0
            self._again.clear()

    def _put_back(self, turn: Turn[Question], seconds: float) -> None:
        with self._change:
            self._ended()
            if self._winding_up:
                self._not_taken -= 1
            else:
                heapq.heappush(self._again, (time.monotonic() + seconds, next(self._numbers), turn))

    def _done(self, came: Result | BaseException, took: float) -> None:
        self._come.put(came)
        with self._change:
            self._took = took
            self._ended()
            if self._traffic.allowed > self._under_way + 1:
                self._change.notify()  # there is room for more than the one that this thread takes next

    def _ended(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._nobody.set()

    @property
    def _nothing_left(self) -> bool:
        return self._winding_up or (self._at >= len(self._questions) and not self._again and not self._under_way)

    def _nap(self) -> float:
        """Seconds until there may be something to do, if nobody says so before."""
        if self._refused or self._under_way >= self._traffic.allowed:
            return LOOK  # who ends takes the next one; whose result is taken may make room
        due = self._again[0][0] - time.monotonic() if self._again else LOOK
        return max(0.001, min(LOOK, max(due, self._traffic.opens_in())))
