"""A model behind an OpenAI-compatible address.

Three outcomes for a row: an answer, an error, or an end of the whole run; a busy or broken server never turns into
a wrong answer. Busy (429) and broken (5xx, no connection) is tried again with growing, jittered pauses; a wrong key,
a wrong address, a redirect or a model that is not there ends the run at once, because every further call would only
cost time. What comes back is a stranger's text: it is parsed strictly, bounded in size, and never shown as anything
but text.
"""

import email.utils
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

import httpx2
import orjson

from app.inference import outbound
from app.inference.generator import Answer, Finish, Request, Unusable

MAX_BYTES = 4 << 20  # of one answer, all of it
TOTAL_SECONDS = 120.0  # of one call
ATTEMPTS = 5
WAIT_LIMIT = 60.0  # seconds we wait at most, whatever Retry-After says
GIVE_UP = 10  # rows in a row that ended without an answer because the server could not be had
EXCERPT = 300  # characters of a stranger's text in one of our sentences
LOOK = 0.2  # seconds between looks at "stop"


class _Row(Exception):
    """This row has no answer; the others may have."""


class _Busy(Exception):
    """Worth another try; `after` is how many seconds the server asked us to wait, None if it did not say."""

    def __init__(self, said: str, after: float | None = None) -> None:
        super().__init__(said)
        self.after = after


class Endpoint:
    """A `Generator` that asks a server, up to `concurrency` requests at once.

    reported: names the server gave for the model that answered; more than one means it changed under the run.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str | None,
        policy: outbound.Policy,
        *,
        concurrency: int = 8,
        total_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_BYTES,
        attempts: int = ATTEMPTS,
        wait_limit: float = WAIT_LIMIT,
        first_wait: float = 0.5,
        resolver: outbound.Resolver = outbound.resolve,
    ) -> None:
        import openai

        self.model = model
        self.reported: set[str] = set()
        self._concurrency = concurrency
        self._attempts = attempts
        self._wait_limit = wait_limit
        self._first_wait = first_wait
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._not_before = 0.0  # on the monotonic clock: one "slow down" holds all threads
        self._unavailable = 0
        self._left_out: set[str] = set()  # parameters this server does not take
        self._jitter = random.Random(7)
        self._http = httpx2.Client(
            transport=outbound.Transport(
                policy,
                total_seconds=total_seconds,
                max_bytes=max_bytes,
                connections=concurrency,
                stopping=self._halted,
                resolver=resolver,
            ),
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # the transport has a deadline for the whole call, which no timeout here gives
        )
        leave_out = ("OpenAI-Organization", "OpenAI-Project", *(() if key else ("Authorization",)))
        self._options: Any = {"headers": {"User-Agent": "tunegate", **{name: openai.Omit() for name in leave_out}}}
        # Every argument that is not given would be read from this process's environment, another key included.
        self._client = openai.OpenAI(
            base_url=str(outbound.read(base_url)),
            api_key=key or "none",
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            http_client=self._http,
            max_retries=0,
        )

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        self._stopped = stopped = threading.Event()
        coming = iter(requests)
        running: set[Future[Answer]] = set()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="endpoint")
        try:
            while not stop():
                while len(running) < self._concurrency and (request := next(coming, None)) is not None:
                    running.add(pool.submit(self._one, request))
                if not running:
                    return
                done, running = wait(running, timeout=LOOK, return_when=FIRST_COMPLETED)
                yield from _told_apart(done)
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        self._stopped.set()
        self._http.close()

    def _halted(self) -> bool:
        return self._stopped.is_set()

    # -------------------------------------------------------------- one row

    def _one(self, request: Request) -> Answer:
        started = time.monotonic()
        try:
            text, finish, usage = self._asked(request)
        except (_Row, _Busy) as error:
            self._note(unavailable=isinstance(error, _Busy), said=str(error))
            return Answer(request.id, "", "stop", 0, 0, time.monotonic() - started, error=str(error))
        self._note(unavailable=False, said="")
        seconds = time.monotonic() - started
        prompt, completion = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
        return Answer(request.id, text, finish, prompt, completion, seconds)

    def _note(self, *, unavailable: bool, said: str) -> None:
        with self._lock:
            self._unavailable = self._unavailable + 1 if unavailable else 0
            if self._unavailable >= GIVE_UP:
                raise Unusable(
                    f"The model server could not be had for {GIVE_UP} rows in a row. Last: {said} "
                    "Rows that were answered are kept; start again when the server is back."
                )

    def _asked(self, request: Request) -> tuple[str, Finish, Mapping[str, Any]]:
        """Ask until there is an answer or no sense in asking again."""
        for attempt in range(1, self._attempts + 1):
            self._hold()
            try:
                return self._call(request)
            except _Busy as busy:
                if attempt == self._attempts:
                    raise
                pause = busy.after if busy.after is not None else self._first_wait * 2 ** (attempt - 1)
                with self._lock:
                    pause = min(pause, self._wait_limit) * self._jitter.uniform(1.0, 1.25)
                    if busy.after is not None:
                        self._not_before = max(self._not_before, time.monotonic() + pause)
                if self._stopped.wait(pause):
                    raise _Row("Cancelled before there was an answer.") from None
        raise AssertionError("the last attempt either answers or raises")

    def _hold(self) -> None:
        """Wait while the server has asked everybody to slow down."""
        while (left := self._not_before - time.monotonic()) > 0:
            if self._stopped.wait(min(left, LOOK)):
                raise _Row("Cancelled before there was an answer.")

    def _call(self, request: Request) -> tuple[str, Finish, Mapping[str, Any]]:
        import openai

        body = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "temperature": 0,
            "max_tokens": request.max_tokens,
        }
        if "max_tokens" in self._left_out:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if "temperature" in self._left_out:
            del body["temperature"]
        try:
            received = self._client.post("/chat/completions", body=body, cast_to=httpx2.Response, options=self._options)
        except openai.APIStatusError as error:
            return self._refused(request, error.response)
        except outbound.Ended as error:
            raise _failed(error) from error
        except openai.APIError as error:
            raise _failed(error.__cause__ or error) from error
        return self._understood(received.content)

    def _refused(self, request: Request, response: httpx2.Response) -> tuple[str, Finish, Mapping[str, Any]]:
        """A status that is not success: ask again, give up on the row, or on the run."""
        status, said = response.status_code, _message(response.content)
        if 300 <= status < 400:
            raise Unusable(
                "The model server sent us on to another address, which is never followed. "
                "Enter the address it really has, usually one that ends in /v1."
            )
        if status in (401, 403):
            raise Unusable(f"The model server does not accept the key (status {status}). Check the key. {said}")
        if status in (404, 405):
            raise Unusable(
                f"The model server knows no model “{self.model}” at this address (status {status}). "
                f"Check the model's name and that the address ends where /chat/completions begins. {said}"
            )
        if status in (408, 409, 429) or status >= 500:
            raise _Busy(f"The model server answered with status {status}. {said}".strip(), _retry_after(response))
        if status == 400 and (unknown := _unsupported(response.content) - self._left_out):
            # Newer models of some providers take no temperature, and name the limit differently. Learn it once.
            self._left_out |= unknown
            return self._call(request)
        raise _Row(f"The model server refused this row (status {status}). {said}".strip())

    def _understood(self, content: bytes) -> tuple[str, Finish, Mapping[str, Any]]:
        """Read a chat completion; whatever else it is, it is an error of this row."""
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise _Row(f"The answer is not JSON: {_excerpt(content)}") from None
        if isinstance(body, dict) and body.get("error"):
            raise _Row(f"The model server reported an error: {_message(content)}")
        try:
            choice = body["choices"][0]
            text, reason = choice["message"]["content"], choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise _Row(f"The answer is not a chat completion: {_excerpt(content)}") from None
        if reason == "content_filter":
            raise _Row("The model server's content filter withheld the answer.")
        if not isinstance(text, str):
            raise _Row(f"The answer holds no text: {_excerpt(content)}")
        if isinstance(name := body.get("model"), str):
            self.reported.add(name[:200])
        usage = body.get("usage")
        # A zero character cannot be kept by every database; it is shown as the usual stand-in.
        text = text.replace("\x00", "\ufffd")
        return text, "length" if reason == "length" else "stop", usage if isinstance(usage, dict) else {}


def _told_apart(done: set[Future[Answer]]) -> Iterator[Answer]:
    """The answers among what is done; then, if one of them ended the run, that."""
    ended: BaseException | None = None
    for future in done:
        if (error := future.exception()) is None:
            yield future.result()
        else:
            ended = error
    if ended:
        raise ended


def _failed(cause: BaseException) -> Exception:
    """What a call that got no status comes to."""
    if isinstance(cause, outbound.NotAllowed):
        return Unusable(str(cause))
    if isinstance(cause, outbound.TooLarge):
        return _Row("The answer is larger than an answer may be.")
    if isinstance(cause, outbound.Encoded):
        return _Row("The answer is compressed although that was not asked for.")
    if isinstance(cause, outbound.Stopped):
        return _Row("Cancelled before there was an answer.")
    if isinstance(cause, outbound.TooLong):
        return _Busy("The model server did not finish its answer in time.")
    return _Busy(f"The connection to the model server failed: {_excerpt(str(cause).encode())}")


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0


def _excerpt(content: bytes) -> str:
    """The beginning of a stranger's text, without control characters."""
    text = content[: 4 * EXCERPT].decode("utf-8", "replace")
    text = "".join(character if character.isprintable() else " " for character in text)
    text = " ".join(text.split())
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"


def _fault(content: bytes) -> Mapping[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    fault = body.get("error", body.get("detail")) if isinstance(body, dict) else None
    return fault if isinstance(fault, dict) else {"message": fault} if isinstance(fault, str) else {}


def _message(content: bytes) -> str:
    said = _fault(content).get("message")
    return _excerpt(said.encode("utf-8", "replace") if isinstance(said, str) else content)


def _unsupported(content: bytes) -> set[str]:
    fault = _fault(content)
    named = {str(fault.get("param"))}
    return named & {"max_tokens", "temperature"}


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds the server asked for (RFC 9110, 10.2.3: a number or a date); None if it did not say."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - not a number is not equal to itself
