import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest

from app.chat import Message
from app.errors import Invalid
from app.inference import addresses
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Request, Unusable
from app.inference.server_calls import GIVE_UP
from app.inference.server_client import Limits
from tests.support.model_server import ModelServer, Raw, completion, last_user, serving
from tests.support.processes import until

LOOPBACK = addresses.Policy.read(["127.0.0.0/8"])


def ask(*texts: str) -> list[Request]:
    return [Request(str(at), (Message("user", text),), 16) for at, text in enumerate(texts)]


def endpoint(server: ModelServer, **settings: Any) -> Endpoint:
    quick: dict[str, Any] = {"concurrency": 2, "first_wait": 0.01, "wait_limit": 0.05, "total_seconds": 2.0}
    quick |= {"patience": 0.0}  # rows end by their attempts; tests/inference/test_server_trouble.py is about waiting
    key = settings.pop("key", None)
    return Endpoint(server.url, "loopback-1", key, LOOPBACK, Limits(**{**quick, **settings}))


def answers(server: ModelServer, *texts: str, **settings: Any) -> dict[str, Answer]:
    model = endpoint(server, **settings)
    try:
        return {answer.id: answer for answer in model.answer(ask(*texts), lambda: False)}
    finally:
        model.close()


def first(server: ModelServer, **settings: Any) -> Answer:
    return answers(server, "hello", **settings)["0"]


def ended(model: Endpoint) -> None:
    """Close it once its threads have noticed: they are not waited for when somebody stops."""
    until(lambda: not any(thread.name.startswith("endpoint") for thread in threading.enumerate()))
    model.close()


@pytest.fixture(autouse=True)
def _no_settings_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library reads these; ours must not send them anywhere."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, f"another-{name}")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")


def test_every_request_is_answered_once_with_what_it_cost() -> None:
    with serving(lambda body: last_user(body).upper(), delay=0.05) as server:
        answered = answers(server, "a", "b", "c", "d", "e", concurrency=3)

    assert {id: answer.text for id, answer in answered.items()} == dict(zip("01234", "ABCDE", strict=True))  # noqa: A001 - the field's name
    assert (answered["0"].prompt_tokens, answered["0"].completion_tokens) == (11, 3)
    assert answered["0"].seconds > 0.04
    assert server.most_at_once == 3
    assert sorted(server.questions) == ["a", "b", "c", "d", "e"]


def test_the_request_is_greedy_and_says_how_much_it_wants() -> None:
    with serving(lambda _: "x") as server:
        first(server)

    assert server.calls[0].path == "/v1/chat/completions"
    body = server.calls[0].body
    assert body == {
        "model": "loopback-1",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0,
        "max_tokens": 16,
    }


@pytest.mark.parametrize(("key", "sent"), [("sk-secret", "Bearer sk-secret"), (None, None)])
def test_only_the_key_of_this_connection_is_sent(key: str | None, sent: str | None) -> None:
    with serving(lambda _: "x") as server:
        first(server, key=key)

    headers = server.calls[0].headers
    assert headers.get("authorization") == sent
    assert "another-" not in " ".join(headers.values())
    assert os.environ["OPENAI_API_KEY"] not in str(headers)


def flaky(*faults: Raw) -> Callable[[dict[str, Any]], str | Raw]:
    left = list(faults)
    return lambda _: left.pop(0) if left else "at last"


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_busy_and_broken_is_tried_again(status: int) -> None:
    with serving(flaky(Raw(status=status), Raw(status=status))) as server:
        assert first(server).text == "at last"

    assert len(server.calls) == 3


def test_a_broken_connection_is_tried_again() -> None:
    with serving(flaky(Raw(hang_up=True), Raw(completion("x"), cut=True))) as server:
        assert first(server).text == "at last"


AFTER = ("0.2", "a date", "nan", "soon", "-5")  # what asks for more than a minute ends the run: test_server_trouble


@pytest.mark.parametrize("after", AFTER)
def test_retry_after_is_kept_to_a_limit(after: str) -> None:
    """At most the limit is waited, where fifty seconds and a word were asked for."""
    took = waited_for("50" if after == "0.2" else _date(50) if after == "a date" else after, wait_limit=0.2)

    assert took < 45
    if after in ("0.2", "a date"):
        assert took >= 0.2


def test_retry_after_is_kept_when_it_is_short() -> None:
    assert waited_for("0.2", wait_limit=60.0) >= 0.2


@pytest.mark.alone
@pytest.mark.parametrize("after", AFTER)
def test_retry_after_is_kept_to_a_limit_of_seconds(after: str) -> None:
    took = waited_for(_date(3) if after == "a date" else after, wait_limit=0.2)

    assert took < 1.5
    if after == "0.2":
        assert took >= 0.2


def _date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


def waited_for(after: str, *, wait_limit: float) -> float:
    """Seconds until there is an answer from a server that asks for a pause first."""
    with serving(flaky(Raw(status=429, headers={"Retry-After": after}))) as server:
        started = time.monotonic()
        assert first(server, wait_limit=wait_limit).text == "at last"
        return time.monotonic() - started


@pytest.mark.deep
def test_a_server_that_tells_everybody_to_slow_down_is_asked_by_nobody_before_the_time() -> None:
    """Both calls under way are told to wait, and nothing was answered between: from then on nobody asks."""
    moments: list[float] = []
    told: list[float] = []
    both = threading.Barrier(2)

    def reply(_: dict[str, Any]) -> str | Raw:
        moments.append(time.monotonic())
        if len(moments) > 2:
            return "x"
        both.wait(60)  # both threads are in a call when the server asks for a pause
        told.append(time.monotonic())
        return Raw(status=429, headers={"Retry-After": "2"})

    with serving(reply) as server:
        answers(server, *"abcdef", concurrency=2, wait_limit=2, total_seconds=60.0)

    assert min(moments[2:]) - told[0] >= 2
    assert len(moments) == 8


def test_what_never_works_is_an_error_and_never_a_wrong_answer() -> None:
    with serving(lambda _: Raw(b'{"error": {"message": "overloaded"}}', status=503)) as server:
        answer = first(server, attempts=3)

    assert answer.text == ""
    assert answer.error == "The model server answered with status 503. overloaded"
    assert len(server.calls) == 3


def test_a_server_that_is_gone_ends_the_run_before_every_row_has_waited() -> None:
    with serving(lambda _: Raw(status=503)) as server, pytest.raises(Unusable, match="rows in a row"):
        answers(server, *("x" * 40), attempts=1)

    assert GIVE_UP <= len(server.calls) <= GIVE_UP + 3


def test_no_server_at_all_is_an_error_with_its_cause() -> None:
    with serving(lambda _: "x") as server:
        pass

    answer = first(server, attempts=2)

    assert answer.error is not None
    assert "connection" in answer.error


@pytest.mark.parametrize(
    ("status", "cause"),
    [(401, "key"), (404, "no model “loopback-1”"), (405, "no model"), (302, "sent us on")],
)
def test_a_wrong_key_address_or_model_ends_the_run_at_once(status: int, cause: str) -> None:
    with (
        serving(lambda _: Raw(status=status, headers={"Location": "/v1/other"})) as server,
        pytest.raises(Unusable, match=cause),
    ):
        answers(server, *("x" * 30), concurrency=1)

    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    with serving(lambda _: "canary") as canary:
        headers = {"Location": f"{canary.url}/chat/completions"}
        with serving(lambda _: Raw(status=status, headers=headers)) as server, pytest.raises(Unusable):
            answers(server, "x")

        assert canary.calls == []


# About as deep as a JSON parser reads, and deeper than Python calls itself.
NESTED = b"[" * 1000 + b"]" * 1000


def wrapped(before: str, after: str) -> bytes:
    """An answer with the nested list in it."""
    return before.encode() + NESTED + after.encode()


MALFORMED: dict[str, bytes] = {
    "html": b"<html><script>alert(1)</script></html>",
    "truncated": completion("hello")[:-20],
    "empty": b"",
    "null": b"null",
    "number": b"3",
    "array": b"[]",
    "empty choices": b'{"choices": []}',
    "choices is a word": b'{"choices": "abc"}',
    "no message": b'{"choices": [{}]}',
    "null content": completion(None),
    "content is a number": completion(3),
    "content is a picture": completion([{"type": "image_url", "image_url": "a"}]),
    "not a number": b'{"choices": NaN}',
    "deep": b"[" * 100_000,
    "lone surrogate": b'{"choices": [{"message": {"content": "\\ud800"}}]}',
    "invalid utf-8": completion("abc").replace(b"abc", b"\xff\xfe"),
    "other charset": json.dumps({"choices": []}).encode("utf-16"),
    "error inside 200": b'{"error": {"message": "no such thing", "code": 400}}',
    "filtered": completion("", finish="content_filter"),
    "stream of a number": b'data: {"choices": 1}\n\n',
    "stream of words": b'data: {"choices": ["a"]}\n\n',
    "stream without an object": b'data: {"choices": [{"delta": 1, "finish_reason": "stop"}]}\n\n',
    "deep text": wrapped('{"choices": [{"message": {"content": [{"type": "text", "text": ', "}]}}]}"),
    "deep type": wrapped('{"choices": [{"message": {"content": [{"type": ', "}]}}]}"),
    "deep reason": wrapped('{"choices": [{"message": {"content": "x"}, "finish_reason": ', "}]}"),
    "deep arguments": wrapped(
        '{"choices": [{"message": {"tool_calls": [{"function": {"name": "n", "arguments": ', "}}]}}]}"
    ),
    "deep error": wrapped('{"error": {"code": 400, "message": "no", "param": ', "}}"),
    "longer than an answer": completion("x" * 200_001),
    "longer thinking": completion("<think>" + "x" * 200_000 + "</think>x"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_answer_is_an_error_of_that_row_only(body: bytes) -> None:
    def reply(call: dict[str, Any]) -> str | Raw:
        return Raw(body) if last_user(call) == "bad" else "fine"

    with serving(reply) as server:
        answered = answers(server, "bad", "good")

    assert answered["1"].text == "fine"
    assert answered["0"].text == ""
    assert answered["0"].error
    assert len(answered["0"].error) < 500
    assert answered["0"].error.isprintable()
    assert len(server.calls) == 2, "a malformed answer is not asked for again"


@pytest.mark.parametrize("status", [400, 404, 422, 500])
@pytest.mark.parametrize("body", [NESTED, wrapped('{"error": {"code": ', "}}"), wrapped('{"detail": ', "}")])
def test_a_refusal_that_is_nested_too_deep_is_a_refusal(status: int, body: bytes) -> None:
    with serving(lambda asked: Raw(body, status) if last_user(asked) == "bad" else "fine") as server:
        answered = answers(server, "good", "bad", concurrency=1, attempts=1)

    assert answered["0"].text == "fine"
    assert f"status {status}" in str(answered["1"].error)


def test_a_refusal_of_megabytes_takes_no_longer_to_read_than_to_send() -> None:
    """Each of its words was looked for in all of it, and each copy of our key made a copy of the rest: 50 s."""
    key = "sk-abcdefghijklmnopqrstuvwxyz0123456789"

    def seconds(text: str) -> float:
        body = json.dumps({"error": {"message": text * (3_000_000 // len(text))}}).encode()
        with serving(lambda asked: Raw(body, 400) if last_user(asked) == "bad" else "fine") as server:
            began = time.perf_counter()
            answered = answers(server, "good", "bad", key=key, concurrency=1)
            took = time.perf_counter() - began
        assert "status 400" in str(answered["1"].error)
        assert key[:12] not in str(answered["1"].error)
        return took

    usual = seconds("x")

    assert seconds(key[:16] + " ") < 3 * usual + 1
    assert seconds("system unsupported max_tokens ") < 3 * usual + 1


def test_the_name_that_a_server_gives_its_model_is_one_plain_line() -> None:
    with serving(lambda _: Raw(completion("x", model="a\x00b\x1b[31m\u202e\n<b>"))) as server:
        model = endpoint(server)
        list(model.answer(ask("x"), lambda: False))
        model.close()

    assert model.reported == {"a b [31m <b>"}


@pytest.mark.parametrize(
    ("usage", "tokens"), [({}, 0), ({"prompt_tokens": "many"}, 0), ({"prompt_tokens": -4}, 0), (7, 0)]
)
def test_odd_token_counts_do_not_spoil_an_answer(usage: Any, tokens: int) -> None:
    with serving(lambda _: Raw(completion("fine", usage=usage))) as server:
        answer = first(server)

    assert (answer.text, answer.prompt_tokens, answer.error) == ("fine", tokens, None)


def test_hostile_text_stays_text() -> None:
    hostile = '<script>alert(1)</script>\x1b[31m\x00\r\ndata: {"event":"done"}\n\n"; DROP TABLE arms; --'
    with serving(lambda _: hostile) as server:
        answer = first(server)

    assert answer.text == hostile.replace("\x00", "\ufffd")


def test_an_answer_that_was_cut_short_says_so() -> None:
    with serving(lambda _: Raw(completion("half a", finish="length"))) as server:
        assert first(server).finish == "length"


def test_an_empty_answer_is_an_answer() -> None:
    with serving(lambda _: "") as server:
        assert first(server).error is None


def test_a_drip_ends_at_the_deadline_of_the_whole_call() -> None:
    drip = Raw(completion("x" * 500), drip=0.05)
    answer, took = _dripped(drip)

    assert answer.error == "The model server did not finish its answer in time."
    assert took < len(drip.body) * drip.drip / 2, "long before the server would have been through"


@pytest.mark.alone
def test_a_drip_ends_within_a_second_of_the_deadline() -> None:
    assert _dripped(Raw(completion("x" * 500), drip=0.05))[1] < 1.5


def _dripped(drip: Raw) -> tuple[Answer, float]:
    with serving(lambda _: drip) as server:
        started = time.monotonic()
        return first(server, total_seconds=0.5, attempts=1), time.monotonic() - started


def test_an_answer_has_a_size_limit() -> None:
    with serving(lambda _: Raw(completion("x" * 100_000))) as server:
        answer = first(server, max_bytes=50_000)

    assert answer.error == "The answer is larger than an answer may be."


def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    with serving(lambda _: Raw(bomb, headers={"Content-Encoding": "gzip"})) as server:
        answer = first(server)

    assert server.calls[0].headers["accept-encoding"] == "identity"
    assert answer.error is not None
    assert "compressed" in answer.error


def test_stop_ends_in_the_middle_of_a_call() -> None:
    """The server does not answer before we have gone, so nobody can have waited for it."""
    asked_to_stop, gone = threading.Event(), threading.Event()

    def reply(_: dict[str, Any]) -> str:
        asked_to_stop.set()
        gone.wait(60)
        return "x"

    with serving(reply) as server:
        model = endpoint(server, total_seconds=60.0)
        answered = list(model.answer(ask(*("x" * 2000)), asked_to_stop.is_set))
        in_time = not gone.is_set() and server.most_at_once <= 2
        gone.set()
        ended(model)

    assert in_time
    assert answered == []


def test_stop_ends_between_calls() -> None:
    asked_to_stop = threading.Event()

    def reply(_: dict[str, Any]) -> str:
        if len(server.calls) >= 10:
            asked_to_stop.set()
        return "x"

    with serving(reply) as server:
        model = endpoint(server, total_seconds=60.0)
        answered = list(model.answer(ask(*("x" * 2000)), asked_to_stop.is_set))
        ended(model)

        assert 8 <= len(answered) <= len(server.calls) < 20, "two at once, and no further ones"
        assert all(answer.error is None for answer in answered)


@pytest.mark.alone
@pytest.mark.parametrize(("delay", "wait"), [(5.0, 0.3), (0.01, 0.3)], ids=["in the middle of a call", "between calls"])
def test_stop_ends_within_a_moment(delay: float, wait: float) -> None:
    asked_to_stop = threading.Event()
    threading.Timer(wait, asked_to_stop.set).start()
    with serving(lambda _: "x", delay=delay) as server:
        model = endpoint(server, total_seconds=30.0)
        started = time.monotonic()
        answered = list(model.answer(ask(*("x" * 2000)), asked_to_stop.is_set))
        took = time.monotonic() - started
        ended(model)

        assert took < wait + 1
        assert len(answered) < 2000
        assert all(answer.error is None for answer in answered)


def test_stop_while_the_server_asked_us_to_wait() -> None:
    assert _stopped_while_waiting(lambda stop: stop.set()) < 30, "not the minute that the server asked for"


@pytest.mark.alone
def test_stop_while_the_server_asked_us_to_wait_takes_no_second() -> None:
    assert _stopped_while_waiting(lambda stop: threading.Timer(0.2, stop.set).start()) < 1


def _stopped_while_waiting(soon: Callable[[threading.Event], None]) -> float:
    """Seconds until we have gone from a server that asks for a minute, and has us stopped at its first call."""
    asked_to_stop, called = threading.Event(), threading.Event()

    def reply(_: dict[str, Any]) -> Raw:
        if not called.is_set():
            called.set()
            soon(asked_to_stop)
        return Raw(status=429, headers={"Retry-After": "60"})

    with serving(reply) as server:
        model = endpoint(server, wait_limit=60.0)
        started = time.monotonic()
        assert list(model.answer(ask("a", "b", "c"), asked_to_stop.is_set)) == []
        took = time.monotonic() - started
        ended(model)
    return took


def test_a_server_that_takes_other_parameters_is_learnt_once() -> None:
    def reply(body: dict[str, Any]) -> str | Raw:
        for name in ("max_tokens", "temperature"):
            if name in body:
                return Raw(json.dumps({"error": {"message": "unsupported", "param": name}}).encode(), status=400)
        return "fine"

    with serving(reply) as server:
        answered = answers(server, "a", "b", concurrency=1)

    assert [answer.text for answer in answered.values()] == ["fine", "fine"]
    assert len(server.calls) == 4
    assert server.calls[-1].body["max_completion_tokens"] == 16


def test_a_refused_row_is_that_rows_error() -> None:
    with serving(lambda _: Raw(b'{"error": {"message": "context length exceeded"}}', status=400)) as server:
        answer = first(server)

    assert answer.error == "The model server refused this row (status 400). context length exceeded"
    assert len(server.calls) == 1


def test_a_server_that_changes_its_model_is_noticed() -> None:
    names: Iterator[str] = iter(["big-1", "small-2"])
    with serving(lambda _: Raw(completion("x", model=next(names)))) as server:
        model = endpoint(server, concurrency=1)
        list(model.answer(ask("a", "b"), lambda: False))
        model.close()

    assert model.reported == {"big-1", "small-2"}


def test_a_private_address_is_refused_before_anything_is_sent() -> None:
    with serving(lambda _: "x") as server:
        model = Endpoint(server.url, "m", "sk-secret", addresses.Policy.read([]))
        with pytest.raises(Unusable, match="TUNEGATE_ALLOWED_HOSTS"):
            list(model.answer(ask("x"), lambda: False))
        model.close()

    assert server.calls == []


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid):
        Endpoint("http://user@host/v1", "m", None, LOOPBACK)
