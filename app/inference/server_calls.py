"""Calls to a model server, whatever they ask for: the door they pass, what is tried again, and what ends everything.

Three outcomes for a question: an answer, an error, or an end of the whole run; a busy or broken server never turns into
a wrong answer. What is busy or away is waited for, by one call at a time (`traffic`); what no waiting mends, a wrong
key, money that is used up, a certificate, a model that is not there, ends the run at once, because every further call
would only cost time. Our own key is taken out of what comes back before anybody sees it.
"""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from app.inference import addresses, completion, rate_headers
from app.inference.failures import (
    Busy,
    RowFailed,
    Slow,
    all_words,
    clock_time,
    duration,
    failure_of,
    not_there,
    without_key,
)
from app.inference.generator import Unusable
from app.inference.outbound import Received
from app.inference.schedule import Later, Schedule, Turn, always
from app.inference.server_client import USUAL, WAIT_LIMIT, Limits, ServerClient
from app.inference.traffic import LOOK, MOST, PAUSE_MOST, Traffic

MAX_EXCUSE = 64 << 10  # bytes of what comes with a status that is no success; what is wrong is said in fewer
LOAD_ATTEMPTS = 20  # of a row that is turned away for load while others are answered
SLOW_ATTEMPTS = 2  # of a call that ended at its deadline; a server may go on computing what nobody waits for any more
NEVER_THERE = 60.0  # the same for one that refused every connection since the start
GIVE_UP = 10  # rows in a row that ended without an answer because the server could not be had
LIST_STRETCH = 0.25  # of the time of a call, for the list of models: nobody waits for a list as for an answer
STOPPED = "Cancelled before there was an answer."
DRAIN = 10.0  # seconds that calls under way get to bring their answers when another one has ended the run


class WithError(Protocol):
    """What came of a question: without `error` it is an answer."""

    @property
    def error(self) -> str | None: ...


Question = TypeVar("Question")
Reply = TypeVar("Reply")
Result = TypeVar("Result", bound=WithError)


class ServerCalls(ABC, Generic[Question, Reply, Result]):
    """Asks a server, up to `concurrency` questions at once. A kind of question fills in what is sent (`_sent`), how it
    is read (`_understood`), what is learnt from being refused (`_lessons`) and what comes of it (`_one`).

    door: the path behind the address that questions go to. probe: a harmless question.
    reported: names the server gave for the model that answered; more than one means it changed under the run.
    heard: whether it answered at all, with whatever status. answered: whether a question of a run was answered.
    on_wait: told in the calling thread, about once a second, why and how long the server is waited for. may_begin:
    asked before each question with the number of those that are under way; once it is false no further one is begun.
    """

    door: str
    probe: Question

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str | None,
        policy: addresses.Policy,
        limits: Limits = USUAL,
        *,
        ca_file: str = "",
        resolver: addresses.Resolver = addresses.resolve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.reported: set[str] = set()
        self.heard = self.answered = False
        self.on_wait: Callable[[str], None] | None = None
        self.may_begin: Callable[[int], bool] = always
        self._tokens_a_call = 0.0  # as the server counted them, on average
        self._address = addresses.read(base_url)
        self._key = key or ""
        self._limits = limits
        self._clock = clock
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._traffic = self._door()
        self._unavailable = 0
        self._learnt: frozenset[str] = frozenset()  # what this server does not take; replaced, never changed
        self._jitter = random.Random(7)
        self._client = ServerClient(
            self._address, self._key, policy, limits, self._halted, ca_file=ca_file, resolver=resolver
        )

    def _door(self) -> Traffic:
        return Traffic(
            self._limits.concurrency,
            first_wait=self._limits.first_wait,
            wait_most=self._limits.wait_limit,
            stopped=self._halted,
            clock=self._clock,
        )

    def results(self, questions: Sequence[Question], stop: Callable[[], bool]) -> Iterator[Result]:
        """Yield what comes of each question as it is done, in any order; fewer once `stop()` is true, which drops what
        is under way but nothing that has come, or `may_begin` is false, which waits for it.

        Raises:
            Unusable: no further question can succeed.
        """
        self._stopped = stopped = threading.Event()
        self._traffic.open()
        schedule: Schedule[Question, Result] = Schedule(
            questions, self._one, self._traffic, may_begin=self.may_begin, clock=self._clock
        )
        reported_at = self._clock()
        try:
            while not stop() and not schedule.over:
                schedule.staff()
                ended: BaseException | None = None
                for came in schedule.came():
                    if isinstance(came, BaseException):
                        ended = ended or came
                    else:
                        yield came
                    schedule.taken()
                if ended:
                    yield from self._last_ones(schedule, stop)
                    raise ended
                if self.on_wait and self._clock() - reported_at >= 1 and (text := self.waiting()):
                    reported_at = self._clock()
                    self.on_wait(text)
            schedule.close()
            yield from self._answers(schedule.came_by_now())
        finally:
            stopped.set()
            schedule.close()

    @staticmethod
    def _answers(came: Sequence[Result | BaseException]) -> Iterator[Result]:
        return (each for each in came if not isinstance(each, BaseException) and each.error is None)

    def _last_ones(self, schedule: Schedule[Question, Result], stop: Callable[[], bool]) -> Iterator[Result]:
        """What was under way when the run ended may have been paid for: wait a moment for its answers."""
        schedule.close()
        self._traffic.close()
        until = time.monotonic() + min(DRAIN, self._limits.total_seconds)
        while not stop() and (left := until - time.monotonic()) > 0:
            last = not schedule.under_way  # then all that came is there to be taken
            yield from self._answers(schedule.came_by_now() if last else schedule.came(min(LOOK, left)))
            if last:
                return

    def at_once(self, most: int, *, named: bool = False) -> None:
        """Let at most so many calls be under way at once, from now on. named: somebody chose the number for this
        server, so that it need not be found."""
        self._traffic.most = max(1, min(most, max(MOST, self._limits.concurrency)))
        if named:
            self._traffic.wide()

    def waiting(self) -> str:
        """Why and how long the server is waited for, as a sentence for the progress; empty while it is not."""
        if self._traffic.held:
            return f"Waiting for the rate limit of the model server ({clock_time(self._traffic.opens_in())} left)"
        seconds = int(self._traffic.away_for())
        if not seconds:
            return ""
        why = "the model to load" if "loading" in self._traffic.reason.lower() else "the model server"
        return f"Waiting for {why} ({clock_time(seconds)} so far)"

    def close(self) -> None:
        self._stopped.set()
        self._client.close()

    def offers(self) -> list[str]:
        """Names of the models that the server lists; none where it does not, or not to us. Takes a quarter of the time
        of a call at most."""
        try:
            return self.listed()
        except Unusable:
            return []

    def listed(self) -> list[str]:
        """The same, for whoever wants to know why there are none.

        Raises:
            Unusable: the server could not be asked; the reason holds nothing of our key.
        """
        self._stopped = threading.Event()
        self._client.transport.stretched(LIST_STRETCH)
        try:
            response = self._listed()
        except (RowFailed, Busy, Unusable) as error:
            raise Unusable(self._without_key(str(error))) from error
        names = completion.listed_models(response.content) if response.status == 200 else []
        return [name for name in names if self._without_key(name) == name]

    def _listed(self) -> Received:
        try:
            return self._client.listed()
        except Exception as error:  # as for a call: whatever it is, there is no status
            raise failure_of(error) from error

    def _halted(self) -> bool:
        return self._stopped.is_set()

    # -------------------------------------------------------------- for a kind of question

    @abstractmethod
    def _one(self, turn: Turn[Question]) -> Result:
        """What comes of one question (`_asked`), without our key.

        Raises: Later, Unusable: see there.
        """

    @abstractmethod
    def _sent(self, question: Question, learnt: frozenset[str]) -> Received:
        """Ask once, without what was learnt that the server does not take (`_posted`)."""

    @abstractmethod
    def _understood(self, content: bytes, question: Question, learnt: frozenset[str]) -> Reply:
        """Read an answer that says it succeeded.

        Raises:
            RowFailed, Busy, Unusable: it is none.
        """

    def _lessons(self, response: Received, question: Question, learnt: frozenset[str]) -> frozenset[str]:
        """What of this call the server does not take, so that it can be asked without."""
        return frozenset()

    # -------------------------------------------------------------- one question

    def _note(self, *, unavailable: bool, reason: str) -> None:
        with self._lock:
            self._unavailable = self._unavailable + 1 if unavailable else 0
            if self._unavailable >= GIVE_UP:
                raise Unusable(
                    f"The model server could not be had for {GIVE_UP} rows in a row. Last: {reason} "
                    "Rows that were answered are kept; press Resume when the server is back."
                )

    def _asked(self, question: Question, turn: Turn[Question] | None = None) -> tuple[Reply, float]:
        """Ask until there is an answer or no sense in asking again; the answer and the seconds that it took. turn: the
        question's own, where it need not be waited for here.

        Raises: Later: the turn's question is to be asked again then.
        """
        mine = turn or Turn(question, self._clock())
        while True:
            try:
                return self._tried(question, mine)
            except Later as later:
                if turn is not None:
                    raise
                if self._stopped.wait(later.seconds):
                    raise RowFailed(STOPPED) from None

    def _tried(self, question: Question, turn: Turn[Question]) -> tuple[Reply, float]:
        if (entered := self._traffic.enter()) is None:
            raise RowFailed(STOPPED)
        try:
            self._client.transport.stretched(2.0**turn.slow)
            reply = self._call(question)
        except Slow:
            self._traffic.slow()
            turn.slow += 1
            if turn.slow >= min(SLOW_ATTEMPTS, self._limits.attempts):
                raise
            raise Later(0.0) from None
        except Busy as busy:
            raise Later(self._met(question, busy, turn, entered)) from busy
        except RowFailed:
            self._traffic.answered()
            raise
        else:
            self._traffic.answered()
            return reply, self._clock() - entered
        finally:
            self._traffic.leave()

    def _met(self, question: Question, busy: Busy, turn: Turn[Question], entered: float) -> float:
        """A try that met trouble: keep everybody back where it is everybody's; the seconds until this row is asked
        again.

        Raises:
            Busy, Unusable: see `_give_up`.
        """
        everybody = busy.wide and self._traffic.away(str(busy), entered, busy.after, load=busy.load)
        if everybody:
            self._go_on_waiting(busy)
        if busy.load and not everybody and self._limits.patience:
            turn.turned_away += 1
            if turn.turned_away >= LOAD_ATTEMPTS:
                raise busy
            return self._pause(turn.turned_away, busy.after)
        turn.tries += 1
        if turn.tries >= self._limits.attempts:
            self._give_up(question, busy, turn)
        return 0.0 if everybody else self._pause(turn.tries, busy.after)

    def _pause(self, tries: int, after: float | None) -> float:
        """Seconds before this row is asked again."""
        with self._lock:
            growing = min(self._limits.first_wait * 2 ** (tries - 1), PAUSE_MOST) * self._jitter.uniform(1.0, 1.25)
        return min(growing if after is None else after, self._limits.wait_limit)

    def _go_on_waiting(self, busy: Busy) -> None:
        """Return while the server may still come back for everybody.

        Raises:
            Unusable: it has been away for longer than anybody waits.
        """
        patience = self._limits.patience
        if busy.unheard and not self._traffic.ever:
            patience = min(patience, NEVER_THERE)
        away = self._traffic.away_for()
        if patience and away >= patience:
            raise Unusable(
                f"The model server could not be had for {duration(away)}. Last: {busy} "
                "Rows that were answered are kept; press Resume when the server is back."
            ) from busy

    def _give_up(self, question: Question, busy: Busy, turn: Turn[Question]) -> None:
        """Give this row up after its attempts; return when it is the server that is away, not the row that is bad.

        Raises:
            Busy: it is this row that the server cannot answer.
            Unusable: there is no such server.
        """
        if busy.hopeless and not self._traffic.ever:
            raise Unusable(f"{busy} Check the address.") from busy
        if not busy.wide or not self._limits.patience or self._traffic.answered_since(turn.begun):
            raise busy
        if turn.tries == self._limits.attempts and self._alive():  # nobody else is asking: a harmless question tells
            self._traffic.answered()
            raise busy

    def _alive(self) -> bool:
        """Whether the server answers a harmless question now."""
        try:
            self._call(self.probe)
        except RowFailed:
            return True
        except (Busy, Unusable):
            return False
        return True

    # -------------------------------------------------------------- one call

    def _call(self, question: Question) -> Reply:
        """One question, asked again only for what is learnt from being refused."""
        while True:
            learnt = self._learnt
            response = self._sent(question, learnt)
            if wait := rate_headers.used_up(response.headers, self._tokens_a_call):
                self._traffic.hold(wait)
            if response.status < 300:
                return self._understood(response.content, question, learnt)
            more = self._lessons(response, question, learnt)
            if not more:
                raise self._refused(question, response)
            with self._lock:  # what one call learns holds for those in flight too: they ask again as well
                self._learnt |= more

    def _posted(self, body: dict[str, object]) -> Received:
        """Send one question; what comes back, whatever its status.

        Raises:
            RowFailed, Busy, Unusable: there is no status at all.
        """
        try:
            received = self._client.post(self.door, body)
        except Exception as error:  # whatever it is, this call has no status
            raise failure_of(error) from error
        self.heard = True
        if received.status >= 300 and len(received.content) > MAX_EXCUSE:
            # All that is learnt from a refusal is searched for in it, several times over.
            kept = {name: received.headers[name] for name in rate_headers.KEPT if name in received.headers}
            received = Received(received.status, kept, received.content[:MAX_EXCUSE])
        return received

    def _refused(self, question: Question, response: Received) -> Exception:
        """A status that is not success: ask again, give up on the row, or on the run."""
        status, after = response.status, rate_headers.retry_after(response.headers)
        excerpt = self._words(response.content)
        if ended := self._hopeless(question, response, excerpt, after):
            return ended
        met = f"The model server answered with status {status}. {excerpt}".strip()
        if status in (429, 502, 503, 504, 529) or (status in (404, 405) and self._traffic.ever):
            return Busy(
                met, after, wide=True, load=status == 429
            )  # 404: it was there, and is loaded anew, or is one of several
        if status in (408, 409, 425) or status >= 500:
            return Busy(met, after)
        return RowFailed(f"The model server refused this row (status {status}). {excerpt}".strip())

    def _hopeless(self, question: Question, response: Received, excerpt: str, after: float | None) -> Unusable | None:
        """What no waiting mends, for any row."""
        status, soon = response.status, after is not None and after <= WAIT_LIMIT
        later = "Rows that were answered are kept; press Resume"
        if 300 <= status < 400:
            return Unusable(
                "The model server sent us on to another address, which is never followed. "
                "Enter the address it really has, usually one that ends in /v1."
            )
        if status == 402 or (completion.PAID.search(all_words(response.content)) and status < 500 and not soon):
            sentence = f"The provider says that quota or credit is used up (status {status}). {excerpt}"
            return Unusable(f"{sentence} {later} when there is credit again.")
        if after is not None and after > max(WAIT_LIMIT, self._limits.wait_limit) and status in (429, 503):
            sentence = f"The model server asks to come back in {duration(after)} (status {status}). {excerpt}"
            return Unusable(f"{sentence} {later} then.")
        if status == 401 or (status == 403 and not self._only_this(question)):
            return Unusable(f"The model server does not accept the key (status {status}). Check the key. {excerpt}")
        if status in (404, 405) and not self._traffic.ever:
            return not_there(self._address, self.model, self.door, status, response.content, excerpt)
        return None

    def _only_this(self, question: Question) -> bool:
        """403 is said of keys, and of single questions that somebody does not like: a harmless one tells which."""
        return self._traffic.ever or (question is not self.probe and self._alive())

    def _troubled(self, trouble: completion.Trouble) -> Exception:
        """What an answer that is none means: for this question, for all of them, or for later."""
        sentence = self._without_key(str(trouble))
        if trouble.sort == "quota":
            return Unusable(
                f"The provider says that quota or credit is used up. {sentence} "
                "Rows that were answered are kept; press Resume when there is credit again."
            )
        if trouble.sort == "row":
            return RowFailed(sentence)
        return Busy(sentence, wide=trouble.sort == "wide")

    # -------------------------------------------------------------- our key

    def _without_key(self, text: str) -> str:
        return without_key(text, self._key)

    def _words(self, content: bytes) -> str:
        """What a server says is wrong; our key is taken out before it is cut to the length of a sentence."""
        clean = self._without_key(content.decode("latin-1")).encode("latin-1")
        return completion.message(clean)
