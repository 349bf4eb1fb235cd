"""A model behind an OpenAI-compatible address.

Three outcomes for a row: an answer, an error, or an end of the whole run; a busy or broken server never turns into
a wrong answer. What is busy or away is waited for, by one call at a time (`traffic`); what no waiting mends, a wrong
key, money that is used up, a certificate, a model that is not there, ends the run at once, because every further call
would only cost time. What a server does not take (a setting, a system turn) is learnt once and said. What comes back is
a stranger's text: it is parsed strictly (`completion`), bounded in size, never shown as anything but text, and our own
key is taken out of it before anybody sees it.
"""

import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import httpx2

from app.chat import Message
from app.inference import addresses, completion
from app.inference.completion import Completion, Trouble
from app.inference.failures import Busy, RowFailed, Slow, all_words, duration, failure_of, retry_after, without_key
from app.inference.generator import Answer, Request, Unusable, folded
from app.inference.server_client import USUAL, WAIT_LIMIT, Limits, ServerClient
from app.inference.traffic import LOOK, Traffic

MAX_EXCUSE = 64 << 10  # bytes of what comes with a status that is no success; what is wrong is said in fewer
SLOW_ATTEMPTS = 2  # of a call that ended at its deadline; a server may go on computing what nobody waits for any more
NEVER_THERE = 60.0  # the same for one that refused every connection since the start
GIVE_UP = 10  # rows in a row that ended without an answer because the server could not be had
LIST_STRETCH = 0.25  # of the time of a call, for the list of models: nobody waits for a list as for an answer
DRAIN = 10.0  # seconds that calls under way get to bring their answers when another one has ended the run

PROBE = Request("probe", (Message("user", "Reply with the single word: ready"),), 64)


class Endpoint:
    """A `Generator` that asks a server, up to `concurrency` requests at once.

    reported: names the server gave for the model that answered; more than one means it changed under the run.
    heard: whether it answered at all, with whatever status. answered: whether a question of a run was answered.
    on_wait: told in the calling thread, about once a second, why and how long the server is waited for.
    """

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
        self._address = addresses.read(base_url)
        self._key = key or ""
        self._limits = limits
        self._clock = clock
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._traffic = self._door()
        self._unavailable = 0
        self._learnt: frozenset[str] = frozenset()  # what this server does not take; replaced, never changed
        self._system_works = False
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

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        self._stopped = stopped = threading.Event()
        coming = iter(requests)
        running: set[Future[Answer]] = set()
        pool = ThreadPoolExecutor(self._limits.concurrency, thread_name_prefix="endpoint")
        reported_at = self._clock()
        self._traffic.open()
        try:
            while not stop():
                while len(running) < self._limits.concurrency and (request := next(coming, None)) is not None:
                    running.add(pool.submit(self._one, request))
                if not running:
                    return
                done, running = wait(running, timeout=LOOK, return_when=FIRST_COMPLETED)
                ended = yield from _answered(done)
                if ended:
                    yield from self._last_ones(running, stop)
                    raise ended
                if self.on_wait and self._clock() - reported_at >= 1 and (text := self.waiting()):
                    reported_at = self._clock()
                    self.on_wait(text)
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _last_ones(self, running: set[Future[Answer]], stop: Callable[[], bool]) -> Iterator[Answer]:
        """What was under way when the run ended may have been paid for: wait a moment for its answers."""
        self._traffic.close()
        until = time.monotonic() + min(DRAIN, self._limits.total_seconds)
        while running and not stop() and (left := until - time.monotonic()) > 0:
            done, running = wait(running, timeout=min(LOOK, left), return_when=FIRST_COMPLETED)
            for future in done:
                if future.exception() is None and future.result().error is None:
                    yield future.result()

    def waiting(self) -> str:
        """Why and how long the server is waited for, as a sentence for the progress; empty while it is not."""
        seconds = int(self._traffic.away_for())
        if not seconds:
            return ""
        why = "the model to load" if "loading" in self._traffic.reason.lower() else "the model server"
        return f"Waiting for {why} ({seconds // 60}:{seconds % 60:02})"

    @property
    def remarks(self) -> list[str]:
        """What is different from how a question is usually asked, because this server does not take it."""
        sentences = {
            "temperature": "Asked without temperature 0, which the server does not take: answers may differ between "
            "runs.",
            "system": "The server takes no system turn, so the instructions stand in front of the first question.",
        }
        return [sentences[name] for name in sorted(self._learnt) if name in sentences]

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
        names = completion.listed_models(response.content) if response.status_code == 200 else []
        return [name for name in names if self._without_key(name) == name]

    def _listed(self) -> httpx2.Response:
        try:
            return self._client.listed()
        except Exception as error:  # as for a call: whatever it is, there is no status
            raise failure_of(error) from error

    def _halted(self) -> bool:
        return self._stopped.is_set()

    # -------------------------------------------------------------- one row

    def _one(self, request: Request) -> Answer:
        """One row's answer or error. Nothing of our key is in either."""
        if request.constraint or request.choices:
            return Answer(request.id, "", "", 0, 0, 0.0, error="This server can't be held to given answers yet.")
        try:
            try:
                reply, seconds = self._asked(request)
            except (RowFailed, Busy) as error:
                self._note(unavailable=isinstance(error, Busy), reason=str(error))
                return Answer(request.id, "", "", 0, 0, 0.0, error=self._without_key(str(error)))
        except Unusable as error:
            raise Unusable(self._without_key(str(error))) from None
        self._note(unavailable=False, reason="")
        self.answered = True
        finish = "length" if not reply.finish and reply.completion_tokens >= request.max_tokens else reply.finish
        return Answer(
            id=request.id,
            text=self._without_key(reply.text),
            finish=finish,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            seconds=seconds,
            thinking=self._without_key(reply.thinking),
        )

    def _note(self, *, unavailable: bool, reason: str) -> None:
        with self._lock:
            self._unavailable = self._unavailable + 1 if unavailable else 0
            if self._unavailable >= GIVE_UP:
                raise Unusable(
                    f"The model server could not be had for {GIVE_UP} rows in a row. Last: {reason} "
                    "Rows that were answered are kept; press Resume when the server is back."
                )

    def _asked(self, request: Request) -> tuple[Completion, float]:
        """Ask until there is an answer or no sense in asking again; the answer and the seconds that it took."""
        tries, slow, started = 0, 0, self._clock()
        while True:
            if (entered := self._traffic.enter()) is None:
                raise RowFailed("Cancelled before there was an answer.")
            try:
                self._client.transport.stretched(2.0**slow)
                reply = self._call(request)
            except Slow:
                self._traffic.slow()
                slow += 1
                if slow >= min(SLOW_ATTEMPTS, self._limits.attempts):
                    raise
            except Busy as busy:
                tries += 1
                self._met(request, busy, tries, entered, started)
            except RowFailed:
                self._traffic.answered()
                raise
            else:
                self._traffic.answered()
                return reply, self._clock() - entered
            finally:
                self._traffic.leave()

    def _met(self, request: Request, busy: Busy, tries: int, entered: float, started: float) -> None:
        """A try that met trouble: keep everybody back where it is everybody's, and return when to try again.

        Raises:
            Busy, Unusable: see `_give_up`.
            RowFailed: somebody stopped us meanwhile.
        """
        if busy.wide:
            self._traffic.away(str(busy), entered, busy.after)
            self._go_on_waiting(busy)
        if tries >= self._limits.attempts:
            self._give_up(request, busy, tries, started)
        if not busy.wide and self._stopped.wait(self._pause(tries, busy.after)):
            raise RowFailed("Cancelled before there was an answer.") from None

    def _pause(self, tries: int, after: float | None) -> float:
        """Seconds before this row is asked again."""
        with self._lock:
            growing = self._limits.first_wait * 2 ** (tries - 1) * self._jitter.uniform(1.0, 1.25)
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

    def _give_up(self, request: Request, busy: Busy, tries: int, started: float) -> None:
        """Give this row up after its attempts; return when it is the server that is away, not the row that is bad.

        Raises:
            Busy: it is this row that the server cannot answer.
            Unusable: there is no such server.
        """
        if busy.hopeless and not self._traffic.ever:
            raise Unusable(f"{busy} Check the address.") from busy
        if not busy.wide or not self._limits.patience or self._traffic.answered_since(started):
            raise busy
        if tries == self._limits.attempts and self._alive():  # nobody else is asking: a harmless question tells
            self._traffic.answered()
            raise busy

    def _alive(self) -> bool:
        """Whether the server answers a harmless question now."""
        try:
            self._call(PROBE)
        except RowFailed:
            return True
        except (Busy, Unusable):
            return False
        return True

    # -------------------------------------------------------------- one call

    def _call(self, request: Request) -> Completion:
        """One question, asked again only for what is learnt from being refused."""
        while True:
            learnt = self._learnt
            response = self._sent(request, learnt)
            if response.status_code < 300:
                return self._understood(response.content, request, learnt)
            more = self._lessons(response, request, learnt)
            if not more:
                raise self._refused(request, response)
            with self._lock:  # what one call learns holds for those in flight too: they ask again as well
                self._learnt |= more

    def _sent(self, request: Request, learnt: frozenset[str]) -> httpx2.Response:
        messages = folded(request.messages) if "system" in learnt else request.messages
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message.to_json() for message in messages],
            "temperature": 0,
            "max_tokens": request.max_tokens,
        }
        if "max_tokens" in learnt:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if "temperature" in learnt:
            del body["temperature"]
        try:
            received = self._client.post(body)
        except Exception as error:  # whatever it is, this call has no status
            raise failure_of(error) from error
        self.heard = True
        if received.status_code >= 300 and len(received.content) > MAX_EXCUSE:
            # All that is learnt from a refusal is searched for in it, several times over.
            kept = {name: received.headers[name] for name in ("retry-after",) if name in received.headers}
            received = httpx2.Response(received.status_code, headers=kept, content=received.content[:MAX_EXCUSE])
        return received

    def _lessons(self, response: httpx2.Response, request: Request, learnt: frozenset[str]) -> frozenset[str]:
        """What of this call the server does not take, so that it can be asked without."""
        status, content = response.status_code, response.content
        more: set[str] = set()
        if status in (400, 422):
            more = completion.unsupported(content) - learnt
        has_system = any(message.role == "system" for message in request.messages)
        if more or not has_system or "system" in learnt or self._system_works:
            return frozenset(more)
        refused = status in (400, 422) and completion.NO_SYSTEM.search(completion.message(content))
        if (refused or (status == 500 and not content.strip())) and self._answers_folded(request, learnt):
            more = {"system"}
        return frozenset(more)

    def _answers_folded(self, request: Request, learnt: frozenset[str]) -> bool:
        """One probe tells whether the system turn is what the server cannot take: the same question without it."""
        try:
            response = self._sent(request, learnt | {"system"})
            return response.status_code < 300 or bool(completion.unsupported(response.content))
        except (RowFailed, Busy, Unusable):
            return False

    def _refused(self, request: Request, response: httpx2.Response) -> Exception:
        """A status that is not success: ask again, give up on the row, or on the run."""
        status, after = response.status_code, retry_after(response)
        excerpt = self._words(response.content)
        if ended := self._hopeless(request, response, excerpt, after):
            return ended
        met = f"The model server answered with status {status}. {excerpt}".strip()
        if status in (429, 502, 503, 504, 529) or (status in (404, 405) and self._traffic.ever):
            return Busy(met, after, wide=True)  # 404: it was there, and is loaded anew, or is one of several
        if status in (408, 409, 425) or status >= 500:
            return Busy(met, after)
        return RowFailed(f"The model server refused this row (status {status}). {excerpt}".strip())

    def _hopeless(
        self, request: Request, response: httpx2.Response, excerpt: str, after: float | None
    ) -> Unusable | None:
        """What no waiting mends, for any row."""
        status, soon = response.status_code, after is not None and after <= WAIT_LIMIT
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
        if status == 401 or (status == 403 and not self._only_this(request)):
            return Unusable(f"The model server does not accept the key (status {status}). Check the key. {excerpt}")
        if status in (404, 405) and not self._traffic.ever:
            return self._not_there(status, response.content, excerpt)
        return None

    def _only_this(self, request: Request) -> bool:
        """403 is said of keys, and of single questions that somebody does not like: a harmless one tells which."""
        return self._traffic.ever or (request.id != PROBE.id and self._alive())

    def _not_there(self, status: int, content: bytes, excerpt: str) -> Unusable:
        if addresses.CLASSIC_AZURE in self._address.path + "/":
            return Unusable(f"Nothing answers at this address (status {status}). {addresses.AZURE}")
        if completion.is_page(content):
            return Unusable(
                f"There is a web page at this address, not a model server (status {status}). Check the address: it "
                "usually ends in /v1."
            )
        return Unusable(
            f"The model server knows no model “{self.model}” at this address (status {status}). "
            f"Check the model's name and that the address ends where /chat/completions begins. {excerpt}"
        )

    def _understood(self, content: bytes, request: Request, learnt: frozenset[str]) -> Completion:
        """Read a chat completion; whatever else it is, it is trouble of this row or of the server."""
        try:
            reply = completion.read(content)
        except Trouble as trouble:
            sentence = self._without_key(str(trouble))
            if trouble.sort == "quota":
                raise Unusable(
                    f"The provider says that quota or credit is used up. {sentence} "
                    "Rows that were answered are kept; press Resume when there is credit again."
                ) from None
            if trouble.sort == "row":
                raise RowFailed(sentence) from None
            raise Busy(sentence, wide=trouble.sort == "wide") from None
        with self._lock:
            if reply.model:
                self.reported.add(self._without_key(completion.shown_name(reply.model)))
            if "system" not in learnt and any(message.role == "system" for message in request.messages):
                self._system_works = True
        return reply

    # -------------------------------------------------------------- our key

    def _without_key(self, text: str) -> str:
        return without_key(text, self._key)

    def _words(self, content: bytes) -> str:
        """What a server says is wrong; our key is taken out before it is cut to the length of a sentence."""
        clean = self._without_key(content.decode("latin-1")).encode("latin-1")
        return completion.message(clean)


def _answered(done: set[Future[Answer]]) -> Generator[Answer, None, BaseException | None]:
    """The answers among what is done; gives back what ended the run, if one of them did."""
    ended: BaseException | None = None
    for future in done:
        if (error := future.exception()) is None:
            yield future.result()
        else:
            ended = error
    return ended
