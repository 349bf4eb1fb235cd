"""What servers and gateways do wrong, and that none of it becomes a wrong answer: the real client against loopback."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from app.chat import Message
from app.errors import Invalid
from app.inference import addresses, answer_text, completion, service
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Request, Unusable
from app.inference.server_client import Limits
from app.inference.tables import ModelRow
from app.settings import Settings
from tests.support.factories import Make
from tests.support.model_server import Body, ModelServer, Raw, last_user, serving
from tests.support.model_server import completion as completed

LOOPBACK = addresses.Policy.read(["127.0.0.0/8"])
LIMIT = 256
KEY = "sk-proj-9fK2mQ7xWv4LtR8sBn3JhYdA6eZcUg1P"


def endpoint(server: ModelServer, **settings: Any) -> Endpoint:
    """A client in a hurry: it waits hundredths of a second where it would wait seconds."""
    quick: dict[str, Any] = {"first_wait": 0.002, "total_seconds": 5.0, "patience": 5.0, "key": None, "model": "m"}
    chosen = quick | settings
    model, key, clock = chosen.pop("model"), chosen.pop("key"), chosen.pop("clock", time.monotonic)
    return Endpoint(server.url, model, key, LOOPBACK, Limits(**chosen), clock=clock)


def answers_of(model: Endpoint, *texts: str, instructions: str = "Give the label.") -> dict[str, Answer]:
    """What comes to be scored, by the text of the question."""
    system = (Message("system", instructions),) if instructions else ()
    requests = [Request(text, (*system, Message("user", text)), LIMIT) for text in texts]
    return {one.id: answer_text.settled(one, LIMIT) for one in model.answer(requests, lambda: False)}


def answers(
    server: ModelServer, *texts: str, instructions: str = "Give the label.", **settings: Any
) -> dict[str, Answer]:
    model = endpoint(server, **settings)
    try:
        return answers_of(model, *texts, instructions=instructions)
    finally:
        model.close()


def only_answer(reply: Callable[[Body], str | Raw], **settings: Any) -> Answer:
    with serving(reply) as server:
        return answers(server, "q", **settings)["q"]


def message(choice: dict[str, Any], **more: Any) -> Raw:
    """A completion with this choice, beside the usual parts."""
    body = {"model": "m", "choices": [choice], "usage": {"prompt_tokens": 11, "completion_tokens": 3}, **more}
    return Raw(json.dumps(body).encode())


def refusal(status: int, text: str = "", headers: dict[str, str] | None = None, **more: Any) -> Raw:
    body = json.dumps({"error": {"message": text, **more}}).encode() if text or more else b""
    return Raw(body, status=status, headers=headers or {})


def rows(count: int) -> list[str]:
    return [f"q{number}" for number in range(count)]


# ---------------------------------------------------------------- thinking


@pytest.mark.parametrize("content", ["", None, " "])
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking", "nothing beside it"])
def test_an_answer_limit_that_thinking_used_up_is_an_error_with_the_way_out(content: str | None, name: str) -> None:
    """B1: empty answers, scored as wrong: 66.7 % and no error where 100 % was true."""

    said = {"role": "assistant", "content": content, name: "The customer wants ..."}

    answer = only_answer(lambda _: message({"message": said, "finish_reason": "length"}))

    assert answer.text == ""
    assert answer.error is not None
    assert "answer limit of 256 tokens was used up by thinking" in answer.error
    assert "raise it, for example to 2,048" in answer.error


def test_thinking_without_an_answer_is_no_empty_answer() -> None:
    said = {"role": "assistant", "content": "", "reasoning_content": "hm"}

    assert only_answer(lambda _: message({"message": said, "finish_reason": "stop"})).error is not None


THOUGHTS = {
    "an empty block": "<think>\n\n</think>\n\nrefund",
    "a block": "<think>It says money back.</think>refund",
    "two blocks": "<think>a</think>\n<think>b</think>\nrefund",
    "another name": "<thinking>x</thinking> refund",
    "capitals": "<THINK>x</THINK>refund",
    "square": "[THINK]x[/THINK]refund",
    "opened in the prompt": "so it is a refund</think>refund",
    "opened in the prompt, with blanks": "  \nso\n</think>\n\nrefund",
}


@pytest.mark.parametrize("text", THOUGHTS.values(), ids=THOUGHTS.keys())
def test_thinking_before_the_answer_is_taken_off_and_kept_beside_it(text: str) -> None:
    """B2 a, b: the thinking was scored as the answer: 0 % of 60 rows, no error."""

    answer = only_answer(lambda _: text)

    assert (answer.text.strip(), answer.raw, answer.error) == ("refund", text, None)


@pytest.mark.parametrize("text", ["<think>well, perhaps", "\n<thinking>a</think> b", "<think>", "<think>a</think>"])
def test_thinking_that_never_ends_in_an_answer_is_an_error(text: str) -> None:
    """B2 c: scored as a wrong answer."""

    answer = only_answer(lambda _: text)

    assert answer.text == ""
    assert answer.error is not None
    assert answer.raw == text


@pytest.mark.parametrize(
    "text",
    [
        '{"note":"use <think> here","label":"refund"}',
        '{"note":"</think> ends it","label":"refund"}',
        '["<think>","</think>"]',
        "Use <think> and </think> around it.",
        "refund",
        "",
    ],
)
def test_a_tag_inside_an_answer_is_part_of_it(text: str) -> None:
    """B2 d: right before, and has to stay so."""

    answer = only_answer(lambda _: text)

    assert (answer.text, answer.raw, answer.error) == (text, None, None)


def test_where_the_wanted_answer_has_such_tags_nothing_is_taken_off() -> None:
    given = Answer("1", "<think>a</think>b", "stop", 1, 1, 0.1)

    assert answer_text.settled(given, 9, "<think>a</think>b") == given


# ---------------------------------------------------------------- forms of an answer


def test_content_in_parts_is_read() -> None:
    """B3: "holds no text", and the run failed after 20 rows."""

    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "refund"}]

    answer = only_answer(lambda _: Raw(completed(parts)))

    assert (answer.text, answer.thinking, answer.error) == ("refund", "hm", None)
    assert (
        only_answer(lambda _: Raw(completed([{"type": "text", "text": "ref"}, {"type": "text", "text": "und"}]))).text
        == "refund"
    )
    assert only_answer(lambda _: Raw(completed([{"text": "refund"}]))).text == "refund"


def test_a_part_that_is_not_text_is_named() -> None:
    """B3, the third form: said nothing of what it was."""

    answer = only_answer(lambda _: Raw(completed([{"type": "image_url", "image_url": {"url": "x"}}])))

    assert answer.error == "The answer holds a part of type “image_url”, which is not text."


def test_a_tool_call_is_written_as_data_sets_write_it() -> None:
    """Kind 12: "holds no text"."""

    call = {"id": "1", "type": "function", "function": {"name": "move", "arguments": '{"x": 1}'}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}

    answer = only_answer(lambda _: message({"message": said, "finish_reason": "tool_calls"}))

    assert json.loads(answer.text) == {"name": "move", "arguments": {"x": 1}}


def test_a_refusal_of_the_model_is_what_it_says() -> None:
    said = {"role": "assistant", "content": None, "refusal": "I can't help with that."}

    assert only_answer(lambda _: message({"message": said, "finish_reason": "stop"})).text == "I can't help with that."


def test_a_stream_that_nobody_asked_for_is_put_together() -> None:
    def event(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": reason}]}).encode() + b"\n\n"

    whole = event({"content": "ref"}) + event({"content": "und"}, "stop") + b"data: [DONE]\n\n"

    assert only_answer(lambda _: Raw(whole)).text == "refund"
    assert only_answer(lambda _: Raw(event({"content": "ref"}))).error is not None, "it broke off"


@pytest.mark.parametrize("reason", ["stop", "eos", "end_turn", "STOP", None])
def test_an_ending_that_is_one_is_taken(reason: str | None) -> None:
    assert only_answer(lambda _: Raw(completed("refund", finish=reason))).text == "refund"


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS"])
def test_a_cut_is_a_cut_in_every_spelling(reason: str) -> None:
    assert only_answer(lambda _: Raw(completed("refu", finish=reason))).finish == "length"


def test_an_answer_as_long_as_the_limit_is_cut_where_nobody_says_why_it_ended() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": LIMIT}

    assert only_answer(lambda _: Raw(completed("refu", finish=None, usage=usage))).finish == "length"


# ---------------------------------------------------------------- failure inside a 200


BROKEN = {
    "finish error": message(
        {
            "message": {"content": "ref"},
            "finish_reason": "error",
            "error": {"code": 502, "message": "upstream reset"},
        }
    ),
    "resources": message({"message": {"content": ""}, "finish_reason": "insufficient_system_resource"}),
    "network": message({"message": {"content": "ref"}, "finish_reason": "network_error"}),
    "abort": message({"message": {"content": "ref"}, "finish_reason": "abort"}),
    "unknown": message({"message": {"content": "refund"}, "finish_reason": "some_new_word"}),
    "error beside stop": message({"message": {"content": "ref"}, "finish_reason": "stop", "error": {"code": 502}}),
    "error object": Raw(b'{"error": {"message": "no capacity", "code": 503}}'),
    "a gateway's page": Raw(
        completed("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", usage=None)
    ),
    "a page and no tokens": Raw(
        completed(
            "<!DOCTYPE html><html><body>Sign in</body></html>", usage={"prompt_tokens": 0, "completion_tokens": 0}
        )
    ),
    "error text": Raw(
        completed(
            "Error 429: rate limit exceeded", usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        )
    ),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_failure_inside_a_200_is_tried_again_and_never_an_answer(broken: Raw) -> None:
    """B5, kind 2 d: read as "stop": 43.3 %, no error, never tried again."""

    first = [broken]

    assert only_answer(lambda _: first.pop() if first else "refund").text == "refund"

    answer = only_answer(lambda body: broken if last_user(body) == "q" else "ready", attempts=2)
    assert answer.text == ""
    assert answer.error


def test_an_answer_about_an_error_is_an_answer() -> None:
    assert only_answer(lambda _: "Error 429: rate limit exceeded").error is None
    assert (
        only_answer(lambda _: Raw(completed("error", usage={"prompt_tokens": 0, "completion_tokens": 0}))).text
        == "error"
    )


def test_a_page_that_somebody_asked_for_is_an_answer() -> None:
    page = "<html><head><title>Error 404</title></head><body>Our page for what is gone</body></html>"

    assert only_answer(lambda _: page).text == page, "it has tokens"
    assert only_answer(lambda _: Raw(completed("<html><body>Hello</body></html>", usage=None))).error is None


@pytest.mark.parametrize(("finish", "wrong"), [(None, True), ("stop", False)])
def test_an_empty_answer_counts_only_where_the_server_says_that_it_is_finished(finish: Any, wrong: bool) -> None:
    """B1, B5: what ended for no reason that was given was an empty answer, and wrong."""
    assert bool(only_answer(lambda _: Raw(completed("", finish=finish))).error) is wrong


@pytest.mark.parametrize("reason", ["content_filter", "sensitive", "SAFETY"])
def test_what_a_filter_withheld_costs_that_row_only(reason: str) -> None:
    def reply(body: Body) -> str | Raw:
        return Raw(completed("", finish=reason)) if last_user(body) == "q1" else "refund"

    with serving(reply) as server:
        came = answers(server, "q0", "q1", "q2")

    assert [bool(came[name].error) for name in ("q0", "q1", "q2")] == [False, True, False]
    assert len(server.calls) == 3


# ---------------------------------------------------------------- settings a server does not take


def picky(name: str, sentence: str, *, param: str | None, wrap: bool = False) -> Callable[[Body], str | Raw]:
    def reply(body: Body) -> str | Raw:
        if name not in body:
            return "refund"
        time.sleep(0.01)  # so that several are under way when the first is refused
        error: Any = {"error": {"message": sentence, "param": param, "code": "400"}}
        return Raw(json.dumps([error] if wrap else error).encode(), status=400)

    return reply


MAX = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
COLD = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."


@pytest.mark.parametrize("wrap", [False, True], ids=["object", "list"])
@pytest.mark.parametrize("with_param", [False, True], ids=["the sentence alone", "param"])
@pytest.mark.parametrize(("name", "sentence"), [("max_tokens", MAX), ("temperature", COLD)])
def test_a_setting_that_is_not_taken_is_learnt_once_and_costs_no_row(
    name: str, sentence: str, with_param: bool, wrap: bool
) -> None:
    """B4, kind 4: every row refused without `param`; with it 14 of 60 rows, which were in flight."""

    with serving(picky(name, sentence, param=name if with_param else None, wrap=wrap)) as server:
        model = endpoint(server)
        came = answers_of(model, *rows(30))
        model.close()

    assert {answer.text for answer in came.values()} == {"refund"}
    assert len(server.calls) <= 30 + 8
    assert bool(model.remarks) is (name == "temperature")
    if model.remarks:
        assert "without temperature 0" in model.remarks[0]
        assert "answers may differ" in model.remarks[0]


@pytest.mark.parametrize("param", ["max_tokens", None])
def test_a_limit_that_is_too_high_changes_no_name_and_is_told(param: str | None) -> None:
    """B4, the last form: the name was changed for nothing, 21 calls for 20 rows."""

    with serving(picky("max_tokens", "max_tokens is too large: 4096; at most 2048", param=param)) as server:
        came = answers(server, "a", "b")

    assert len(server.calls) == 2
    assert "at most 2048" in (came["a"].error or "")


def test_a_validator_that_names_the_setting_in_a_list_is_understood() -> None:
    content = json.dumps(
        {"detail": [{"loc": ["body", "max_tokens"], "msg": "Extra inputs are not permitted"}]}
    ).encode()

    assert completion.unsupported(content) == {"max_tokens"}


def test_a_prompt_that_is_too_long_teaches_nothing() -> None:
    said = (
        "'max_tokens' or 'max_completion_tokens' is too large: 256. This model's maximum context length is 300 tokens "
        "and your request has 200 input tokens."
    )

    assert completion.unsupported(json.dumps({"error": {"message": said, "param": "max_tokens"}}).encode()) == set()


# ---------------------------------------------------------------- no system turn


SYSTEMLESS = {
    "500 without a word": Raw(status=500),
    "400 with one": refusal(400, "System role not supported"),
    "400 about turns": refusal(400, "Conversation roles must alternate user/assistant/user/assistant/..."),
}


@pytest.mark.parametrize("complaint", SYSTEMLESS.values(), ids=SYSTEMLESS.keys())
def test_instructions_go_in_front_of_the_first_question_where_no_system_turn_is_taken(complaint: Raw) -> None:
    """B16: 77 calls and "could not be had ... status 500", or every row refused."""

    def reply(body: Body) -> str | Raw:
        return complaint if body["messages"][0]["role"] == "system" else "refund"

    with serving(reply) as server:
        model = endpoint(server)
        came = answers_of(model, *rows(30))
        model.close()

    assert {answer.text for answer in came.values()} == {"refund"}
    assert server.calls[-1].body["messages"][0]["content"].startswith("Give the label.\n\nq")
    assert len(server.calls) <= 30 + 3 * 8
    assert "instructions stand in front of the first question" in model.remarks[0]


def test_two_turns_of_one_speaker_are_sent_as_one_where_the_speakers_have_to_take_turns() -> None:
    """B16: 400 when the last turn before the question is also a user's; every such row was refused."""

    def reply(body: Body) -> str | Raw:
        roles = [turn["role"] for turn in body["messages"]]
        if any(first == second for first, second in pairwise(roles)):
            return refusal(400, "Conversation roles must alternate user/assistant/user/assistant/...")
        return "refund"

    with serving(reply) as server:
        model = endpoint(server)
        turns = (Message("system", "Label."), Message("user", "It is late."), Message("user", "q"))
        requests = [Request(text, turns, LIMIT) for text in rows(20)]
        came = [answer_text.settled(one, LIMIT) for one in model.answer(requests, lambda: False)]
        model.close()

    assert {answer.text for answer in came} == {"refund"}
    assert [turn["role"] for turn in server.calls[-1].body["messages"]] == ["system", "user"]
    assert server.calls[-1].body["messages"][1]["content"] == "It is late.\n\nq"
    assert len(server.calls) <= 20 + 3 * 8
    assert "turns of one speaker are sent as one" in model.remarks[0]


def test_a_500_for_one_row_does_not_take_the_system_turn_from_the_others() -> None:
    def reply(body: Body) -> str | Raw:
        bad = "q7" in last_user(body)
        return Raw(status=500) if bad and body["messages"][0]["role"] == "system" else "refund"

    with serving(reply) as server:
        came = answers(server, *rows(12), concurrency=1, attempts=2)

    assert came["q7"].error
    assert sum(answer.error is None for answer in came.values()) == 11
    assert all(call.body["messages"][0]["role"] == "system" for call in server.calls)


# ---------------------------------------------------------------- money, keys, other ends


USED_UP = {
    "quota": refusal(429, "You exceeded your current quota", code="insufficient_quota", type="insufficient_quota"),
    "402": refusal(402),
    "balance": refusal(403, "Insufficient balance"),
    "come back tomorrow": refusal(429, "slow down", headers={"Retry-After": "86400"}),
    "inside a 200": Raw(b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'),
}


@pytest.mark.parametrize("ended", USED_UP.values(), ids=USED_UP.keys())
def test_quota_and_credit_end_the_run_at_once_and_what_came_is_kept(ended: Raw) -> None:
    """B7: 54 and 36 calls more; 580 s of waiting for a Retry-After of a day."""

    def reply(body: Body) -> str | Raw:
        return "refund" if int(last_user(body)[1:]) < 20 else ended

    kept: list[Answer] = []
    with serving(reply) as server:
        model = endpoint(server)
        requests = [Request(text, (Message("user", text),), LIMIT) for text in rows(60)]
        with pytest.raises(Unusable, match=r"quota or credit|come back in 24 hours") as end:
            kept.extend(model.answer(requests, lambda: False))
        model.close()

    assert len(kept) == 20
    assert len(server.calls) <= 20 + 8
    assert "Resume" in str(end.value)


def test_a_minute_that_is_used_up_is_waited_for() -> None:
    left = [refusal(429, "You exceeded your current quota per minute", headers={"Retry-After": "0.01"})]

    assert only_answer(lambda _: left.pop() if left else "refund").text == "refund"


def test_answers_under_way_when_the_run_ends_are_kept() -> None:
    """Kind 6: 18 calls made, 0 answers stored."""

    def reply(body: Body) -> str | Raw:
        if last_user(body) == "q0":
            return refusal(402)
        time.sleep(0.1)
        return "refund"

    kept: list[Answer] = []
    with serving(reply) as server:
        model = endpoint(server, concurrency=4)
        requests = [Request(text, (Message("user", text),), LIMIT) for text in rows(30)]
        with pytest.raises(Unusable):
            kept.extend(model.answer(requests, lambda: False))
        model.close()

    assert len(kept) == len(server.calls) - 1


@pytest.mark.parametrize("bad", ["q0", "q5"])
def test_one_flagged_row_is_no_wrong_key(bad: str) -> None:
    """Kind 6: one 403 ended everything."""

    with serving(lambda body: refusal(403, "flagged") if last_user(body) == bad else "refund") as server:
        came = answers(server, *rows(10), concurrency=1)

    assert [name for name, answer in came.items() if answer.error] == [bad]
    assert "refused this row (status 403). flagged" in (came[bad].error or "")


def test_a_key_that_is_refused_with_403_ends_the_run_after_one_harmless_question() -> None:
    with serving(lambda _: refusal(403, "no")) as server, pytest.raises(Unusable, match="does not accept the key"):
        answers(server, *rows(10), concurrency=1)

    assert len(server.calls) == 2


# ---------------------------------------------------------------- loading, slow, away


def test_a_server_that_loads_is_waited_for_by_one_call_at_a_time() -> None:
    """B8: given up after 16.9 s and 76 calls, 0 of 60 rows."""

    ready_at = time.monotonic() + 0.4

    def reply(_: Body) -> str | Raw:
        if time.monotonic() < ready_at:
            return Raw(b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', status=503)
        return "refund"

    with serving(reply) as server:
        came = answers(server, *rows(60), first_wait=0.02)

    assert {answer.text for answer in came.values()} == {"refund"}
    assert len(server.calls) <= 60 + 8 + 8, "the first eight, and then one after the other with growing pauses"


def test_waiting_is_told_with_its_reason_and_its_time() -> None:
    waits: list[str] = []

    def clock() -> float:
        """A clock that runs a hundred times as fast as ours."""
        return time.monotonic() * 100

    def reply(_: Body) -> str | Raw:
        """It is loaded once somebody was told how long it has been loading, however slow this machine is."""
        return "refund" if waits else refusal(503, "Loading model")

    with serving(reply) as server:
        # Of the quick clock, too. A row that gave up at the very moment the server came back would be an error.
        model = endpoint(server, clock=clock, patience=1e6, total_seconds=1e6, attempts=10_000)
        model.on_wait = waits.append
        came = answers_of(model, *rows(5))
        model.close()

    assert {answer.text for answer in came.values()} == {"refund"}
    assert waits[0].startswith("Waiting for the model to load (")
    assert model.waiting() == ""


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_patience_has_an_end_that_says_what_to_do(status: int) -> None:
    with serving(lambda _: refusal(status, "not now")) as server, pytest.raises(Unusable) as end:
        answers(server, *rows(40), patience=0.1)

    assert f"status {status}" in str(end.value)
    assert "Resume" in str(end.value)
    assert len(server.calls) < 40


def test_one_row_that_a_server_cannot_answer_is_that_rows_error_even_at_the_end() -> None:
    with serving(lambda body: refusal(503, "boom") if last_user(body) == "q9" else "refund") as server:
        came = answers(server, *rows(10), attempts=3, patience=60.0)

    assert [name for name, answer in came.items() if answer.error] == ["q9"]


class OneAtATime:
    """A server that works on one question after the other and does not notice that somebody hung up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.computed = 0
        self._working = threading.Lock()

    def __call__(self, _: Body) -> str:
        with self._working:
            time.sleep(self.seconds)
            self.computed += 1
            return "refund"


def test_a_slow_server_is_not_asked_again_and_again() -> None:
    """B9: 2 answers in 137 s, 83 calls."""

    slow = OneAtATime(0.15)
    with serving(slow) as server:
        came = answers(server, *rows(12), total_seconds=0.75)

    assert {answer.text for answer in came.values()} == {"refund"}
    # A call waits its turn: eight of them take longer than one may. On a busy machine one may be late all the same.
    assert 12 <= len(server.calls) <= 14


def test_a_call_that_hangs_ends_at_its_deadline_though_others_are_answered() -> None:
    over = threading.Event()

    def reply(body: Body) -> str:
        if last_user(body) == "q0":
            over.wait(5)
        return "refund"

    with serving(reply) as server:
        came = answers(server, *rows(30), total_seconds=0.15)
        over.set()

    assert "in time" in (came["q0"].error or "")
    assert sum(answer.error is None for answer in came.values()) == 29
    assert sum(text == "q0" for text in server.questions) == 2


@pytest.mark.deep
def test_calls_at_once_fall_when_answers_do_not_come() -> None:
    def reply(_: Body) -> str:
        with lock:
            inside[0] += 1
            crowd = inside[0] > 2
        time.sleep(0.4 if crowd else 0.01)
        with lock:
            inside[0] -= 1
        return "refund"

    lock, inside = threading.Lock(), [0]
    with serving(reply) as server:
        came = answers(server, *rows(40), total_seconds=0.2)

    assert sum(answer.error is not None for answer in came.values()) <= 8
    assert len(server.calls) < 80


# ---------------------------------------------------------------- names, tokens, our key


@pytest.mark.parametrize(
    ("asked_for", "reported", "sentences"),
    [
        ("big-70b", "tiny-1b", ["You asked for big-70b, and tiny-1b answered."]),
        ("big-70b", "/models/x.gguf", ["You asked for big-70b, and x.gguf answered."]),
        ("x", "/models/x.gguf", []),
        ("gpt-x", "gpt-x-2026-08-06", []),
        ("gpt-x-0613", "gpt-x-0314", ["You asked for gpt-x-0613, and gpt-x-0314 answered."]),
        ("smol", "smol@main", []),
        ("team/Smol", "smol", []),
        ("llama3:latest", "llama3", []),
        ("", "x", ["You asked for , and x answered."]),
    ],
)
def test_another_model_that_answers_is_named_and_no_path_is(
    asked_for: str, reported: str, sentences: list[str]
) -> None:
    """B11: nothing was said; the path stood in the API."""

    with serving(lambda _: Raw(completed("x", model=reported))) as server:
        model = endpoint(server, model=asked_for)
        answers_of(model, "q")
        model.close()

    assert service.named_otherwise(asked_for, model.reported) == sentences
    assert "/models" not in str(model.reported)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_tokens_that_nobody_counted_are_not_counted(usage: Any) -> None:
    """B12: 0 tokens, called measured."""

    answer = only_answer(lambda _: Raw(completed("refund", usage=usage)))

    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("refund", 0, 0)


ECHOES: dict[str, Callable[[str], Raw]] = {
    "401": lambda key: refusal(401, f"auth was Bearer {key}"),
    "400": lambda key: refusal(400, f"bad header {key[:-6]}, go away"),
    "answer": lambda key: Raw(completed(f"you sent {key}")),
    "escaped": lambda key: Raw(completed(key).replace(key[:1].encode(), b"\\u0073", 1)),
    "thinking": lambda key: message(
        {"message": {"content": "x", "reasoning_content": key}, "finish_reason": "stop"}, model=f"m-{key}"
    ),
    "not JSON": lambda key: Raw(b"x" * 290 + key.encode()),
    "finish reason": lambda key: Raw(completed("x", finish=key)),
    "503": lambda key: refusal(503, f"busy for {key[3:]}"),
    "part": lambda key: Raw(completed([{"type": key}])),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_our_key_is_in_nothing_that_comes_back(echo: Callable[[str], Raw]) -> None:
    with serving(lambda _: echo(KEY)) as server:
        model = endpoint(server, key=KEY, attempts=2, patience=0.05)
        try:
            said = str(answers_of(model, "q", "r"))
        except Unusable as end:
            said = str(end)
        said += str(model.reported) + str(model.remarks) + model.waiting()
        model.close()

    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    for start in range(len(KEY) - 12):
        assert KEY[start : start + 12] not in said


def test_an_answer_that_only_looks_a_little_like_the_key_stays() -> None:
    with serving(lambda _: "sk-proj- is how keys begin") as server:
        assert answers(server, "q", key=KEY)["q"].text == "sk-proj- is how keys begin"


# ---------------------------------------------------------------- addresses and certificates


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("http://127.0.0.1:9/v1/chat/completions", "http://127.0.0.1:9/v1"),
        ("http://127.0.0.1:9/v1/chat/completions/", "http://127.0.0.1:9/v1"),
        ("http://127.0.0.1:9/v1/models", "http://127.0.0.1:9/v1"),
        ("http://127.0.0.1:9/v1/", "http://127.0.0.1:9/v1"),
        ("http://127.0.0.1:9/v1\t", "http://127.0.0.1:9/v1"),
        ("\r\n http://127.0.0.1:9/v1 \n", "http://127.0.0.1:9/v1"),
    ],
)
def test_an_address_as_people_copy_it_is_taken(typed: str, kept: str) -> None:
    """B13: kept as typed, or refused for a tab."""

    assert str(addresses.read(typed)) == kept


def test_the_older_form_of_azure_keeps_its_version() -> None:
    """B14: was 422 "no question mark"."""

    address = "https://name.example.net/openai/deployments/d/chat/completions"

    assert str(addresses.read(f"{address}?api-version=2024-10-21")) == (
        "https://name.example.net/openai/deployments/d?api-version=2024-10-21"
    )
    assert str(addresses.read(address)) == "https://name.example.net/openai/deployments/d"
    with pytest.raises(Invalid) as refused:
        addresses.read(f"{address}?api_version=2024")
    assert "/openai/v1" in refused.value.errors[0].detail


def test_a_404_of_the_older_form_of_azure_names_the_newer_one() -> None:
    with serving(lambda _: refusal(404, "Resource not found", code="404")) as server:
        model = Endpoint(server.url.replace("/v1", "/openai/deployments/d"), "d", KEY, LOOPBACK)
        with pytest.raises(Unusable, match="/openai/v1") as end:
            answers_of(model, "q")
        model.close()

    assert KEY not in str(end.value)


@pytest.mark.parametrize("address", ["168.63.129.16", "3fff::1", "5f00::1", "64:ff9b:1::1", "::ffff:168.63.129.16"])
def test_a_clouds_own_addresses_and_reserved_ones_are_not_public(address: str) -> None:
    assert not addresses.Policy.read([]).permits("models.example.org", 443, address)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",)})


def row(make: Make, url: str, name: str = "loopback-1") -> ModelRow:
    return make.model(kind="endpoint", base_url=url, reference=name, files={})


def test_a_web_page_is_named_and_the_address_that_answers_is_offered(make: Make, settings: Settings) -> None:
    with serving(lambda _: "ready") as server:
        tidy = server.take

        def take(call: Any) -> str | Raw:
            return tidy(call) if call.path.startswith("/v1/") else Raw(b"<!doctype html><title>hi</title>")

        server.take = take  # type: ignore[method-assign]
        tried = service.try_out(settings, row(make, server.url.removesuffix("/v1")))

    assert tried.answer.error is not None
    assert "web page, not a model server" in tried.answer.error
    assert f"But {server.url} answers" in tried.answer.error


GREEN: dict[str, Callable[[Body], str | Raw]] = {
    "all thinking": lambda _: Raw(completed("", finish="length")),
    "never ends": lambda _: "<think>well",
    "nothing": lambda _: "",
    "too large": picky("max_tokens", "max_tokens is too large: 256; at most 64", param="max_tokens"),
    "loading": lambda _: refusal(503, "Loading model"),
    "too long": lambda body: refusal(400, "context length exceeded") if len(body["messages"]) > 2 else "ready",
    "broken off": lambda _: Raw(completed("rea", finish="error")),
}


@pytest.mark.parametrize("reply", GREEN.values(), ids=GREEN.keys())
def test_the_test_button_is_not_green_where_a_run_would_fail(
    reply: Callable[[Body], str | Raw], make: Make, settings: Settings
) -> None:
    """Kind 11: green, because it asked without a system turn, for 8 tokens."""

    with serving(reply) as server:
        tried = service.try_out(settings, row(make, server.url))

    assert not tried.fine
    assert server.calls[0].body["messages"][0]["role"] == "system"
    assert server.calls[0].body["max_tokens"] == 256


def test_the_test_button_says_what_will_be_different(make: Make, settings: Settings) -> None:
    def reply(body: Body) -> str | Raw:
        if body["messages"][0]["role"] == "system":
            return Raw(status=500)
        if "temperature" in body:
            return refusal(400, COLD)
        return Raw(completed("<think>a</think>ready", model="tiny-1b", usage=None))

    with serving(reply) as server:
        tried = service.try_out(settings, row(make, server.url, "big-70b"))

    assert tried.fine
    assert tried.answer.text == "ready"
    said = " ".join(tried.remarks)
    for words in ("no system turn", "temperature 0", "big-70b, and tiny-1b", "thinks before", "how many tokens"):
        assert words in said


# ---------------------------------------------------------------- HTTPS


@pytest.fixture(scope="module")
def authority() -> dict[str, bytes]:
    return certificates()


def certificates() -> dict[str, bytes]:
    """A throw-away authority with a good and an expired certificate for 127.0.0.1, all as PEM; keys before them."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = dt.datetime.now(dt.UTC)
    made: dict[str, bytes] = {}
    root_key = ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Works CA")])

    def sign(name: x509.Name, key: Any, until: dt.datetime, *, ca: bool) -> x509.Certificate:
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(root_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=9))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        )
        if not ca:
            alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            built = built.add_extension(alternative, critical=False)
        return built.sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    made["ca"] = sign(root_name, root_key, now + dt.timedelta(days=9), ca=True).public_bytes(pem)
    for kind, until in (("good", now + dt.timedelta(days=9)), ("expired", now - dt.timedelta(days=1))):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        made[kind] = secret + sign(name, key, until, ca=False).public_bytes(pem)
    return made


@pytest.mark.parametrize(
    ("kind", "known", "sentence"),
    [
        ("good", True, ""),
        ("good", False, "signed by nobody we trust"),
        ("expired", True, "has expired"),
    ],
)
def test_a_companys_own_authority_can_be_named_and_nothing_else_is_trusted(
    kind: str, known: bool, sentence: str, authority: dict[str, bytes], tmp_path: Any
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority["ca"])
    (tmp_path / "server.pem").write_bytes(authority[kind])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    long = "refund " * 20_000  # more than one record of TLS
    server = ModelServer(lambda _: long)
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    server.start()
    try:
        url = server.url.replace("http:", "https:")
        model = Endpoint(
            url, "m", None, LOOPBACK, Limits(patience=30.0), ca_file=str(tmp_path / "ca.pem") if known else ""
        )
        if sentence:
            with pytest.raises(Unusable, match=sentence) as end:
                answers_of(model, *rows(20))
            assert known or "TUNEGATE_CA_FILE" in str(end.value)
            assert server.calls == []
        else:
            assert {answers_of(model, "q")["q"].text for _ in range(3)} == {long}
        model.close()
    finally:
        server.close()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_said(content: bytes | None, tmp_path: Any) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)

    with pytest.raises(Unusable, match="TUNEGATE_CA_FILE"):
        Endpoint("https://127.0.0.1/v1", "m", None, LOOPBACK, ca_file=str(tmp_path / "ca.pem"))


def test_https_where_there_is_only_http_is_said_at_once() -> None:
    with serving(lambda _: "refund") as server:
        model = Endpoint(server.url.replace("http:", "https:"), "m", None, LOOPBACK, Limits(patience=30.0))
        with pytest.raises(Unusable, match="does not speak https"):
            answers_of(model, "q")
        model.close()
