"""Meeting a server: what it is found to be like, that later calls go by it, and that a changed one is noticed."""

import json
import threading
import time
from collections.abc import Callable
from itertools import pairwise, product
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.chat import Message
from app.db import reading, writing
from app.inference import addresses, connecting, job, meeting, model_list, service, store, trials, windows
from app.inference.endpoint import Endpoint
from app.inference.findings import Findings
from app.inference.generator import Answer, Request
from app.inference.server_client import Limits
from app.inference.tables import ModelRow
from app.inference.windows import Long
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import claim_of, finish_job
from tests.support.model_server import Body, ModelServer, Raw, last_user, serving
from tests.support.model_server import completion as completed

People = Callable[[UserRow], TestClient]
LOOPBACK = addresses.Policy.read(["127.0.0.0/8"])
QUICK = Limits(concurrency=meeting.AT_ONCE, first_wait=0.002, total_seconds=5.0, patience=2.0, attempts=2)
BUDGET = 16_000


def refused(text: str, status: int = 400) -> Raw:
    return Raw(json.dumps({"error": {"message": text}}).encode(), status=status)


def texts(body: Body) -> str:
    return "\n".join(str(turn["content"]) for turn in body["messages"])


def polite(body: Body) -> str:
    """A server that does as it is told, as far as the probes go."""
    question = last_user(body)
    if "response_format" in body:
        return '{"label": "other"}'
    if "secret word" in texts(body):
        return meeting.WORD if f"is {meeting.WORD}" in texts(body) else "I do not know"
    return question.partition("Say: ")[2] or question[::-1][:40]


def counted(body: Body, text: str, most: int = 10**9) -> Raw:
    """The answer with a token count as servers give it, of what was read."""
    usage = {"prompt_tokens": min(len(texts(body)) // 5 + 8, most), "completion_tokens": 9}
    return Raw(completed(text, usage=usage))


def met(reply: Callable[[Body], str | Raw], lists: list[Any] | None = None, budget: int = BUDGET) -> Findings:
    with serving(reply) as server:
        server.lists = lists or []
        asked = Endpoint(server.url, "loopback-1", None, LOOPBACK, QUICK)
        try:
            one = meeting.Meeting(asked, server.url, budget, tell=lambda *_: None, stop=lambda: False)
            return one.findings(service.TRIAL)
        finally:
            asked.close()


def sentence(findings: Findings, name: str) -> str:
    return next(line.sentence for line in findings.lines if line.name == name)


# ---------------------------------------------------------------- what is found out


def test_a_server_that_takes_everything_is_asked_as_usual_and_a_handful_of_calls_shows_it() -> None:
    findings = met(lambda body: counted(body, polite(body)))

    manner = findings.manner
    assert findings.differences == 0
    assert (manner.without, manner.seed, manner.form) == ((), 7, "response_format")
    assert (manner.thinks, manner.counts, manner.cuts, manner.answers_as) == (None, "present", None, None)
    assert (manner.window_from, manner.alone and manner.alone.changed) == ("tried", 0)
    assert manner.together is not None
    assert (manner.together.changed, manner.together.of) == (0, 12)
    expected = meeting.estimate(BUDGET)
    assert expected.fewest <= findings.calls <= expected.most
    assert 0.5 * expected.tokens_in < findings.tokens_in < 1.5 * expected.tokens_in
    assert all(line.asked and line.came for line in findings.lines)


def strict(body: Body) -> str | Raw:
    """A server that refuses nearly everything, each in the words of some real one."""
    roles = [turn["role"] for turn in body["messages"]]
    if "max_tokens" in body:
        return refused("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.")
    if "temperature" in body:
        return refused("Unsupported value: 'temperature' does not support 0. Only the default (1) value is supported.")
    if "seed" in body or "response_format" in body:
        return refused("Extra inputs are not permitted")
    if roles[0] == "system" or any(first == second for first, second in pairwise(roles)):
        return refused("Conversation roles must alternate user/assistant/user/assistant/...")
    return Raw(completed(polite(body), usage=None, model="tiny-1b"))


def test_what_a_server_refuses_is_found_out_and_each_is_told_in_its_words() -> None:
    """B4, B11, B12, B16: refused settings lost rows; no system turn, another model and no usage went unseen."""
    findings = met(strict, [{"id": "loopback-1", "max_model_len": 4096, "shutdown_date": "2027-03-01"}])

    manner = findings.manner
    assert manner.without == ("max_tokens", "system", "temperature", "turns")
    assert (manner.seed, manner.form, manner.counts, manner.answers_as) == (None, None, "missing", "tiny-1b")
    assert (manner.window, manner.window_from, manner.ends) == (4096, "declared", "2027-03-01")
    came = {line.name: line.came for line in findings.lines}
    assert "Use 'max_completion_tokens' instead" in came["limit"]
    assert "must alternate" in came["system"]
    assert "must alternate" in came["turns"]
    assert "tiny-1b answered" in sentence(findings, "name")


def test_a_system_turn_that_is_taken_and_never_read_is_found_out() -> None:
    def reply(body: Body) -> str:
        heeded = [turn for turn in body["messages"] if turn["role"] != "system"]
        return polite({**body, "messages": heeded})

    findings = met(reply, budget=0)

    assert findings.manner.without == ("system",)
    assert findings.manner.window is None, "nothing was tried"


THINKING: dict[str, Callable[[str], Any]] = {
    "inside": lambda text: Raw(completed(f"<think>hm</think>{text}")),
    "part": lambda text: Raw(
        completed([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": text}])
    ),
    "apart": lambda text: Raw(
        json.dumps(
            {"choices": [{"message": {"content": text, "reasoning_content": "hm"}, "finish_reason": "stop"}]}
        ).encode()
    ),
}


@pytest.mark.parametrize("place", THINKING)
def test_where_thinking_goes_and_what_turns_it_off(place: str) -> None:
    """B2, B3: thinking was scored as the answer, or the answer could not be read."""

    def reply(body: Body) -> str | Raw:
        off = body.get("chat_template_kwargs") == {"enable_thinking": False}
        return polite(body) if off else THINKING[place](polite(body))

    findings = met(reply, budget=0)

    assert findings.manner.thinks == place
    assert findings.switch == {"chat_template_kwargs": {"enable_thinking": False}}
    assert findings.manner.wire is None, "somebody has to choose that"


def test_a_model_that_thinks_longer_than_the_limit_is_met_all_the_same() -> None:
    def reply(body: Body) -> str | Raw:
        if body["max_tokens"] <= meeting.LIMIT:
            return Raw(completed("<think>well", finish="length"))
        return f"<think>well</think>{polite(body)}"

    findings = met(reply, budget=0)

    assert findings.manner.thinks == "inside"
    assert findings.switch is None
    assert findings.manner.alone is not None


def test_answers_that_change_under_load_are_counted() -> None:
    """B17: an arm could win by load; nothing was asked twice."""
    lock, inside, order = threading.Lock(), [0], [0]

    def reply(body: Body) -> str:
        with lock:
            inside[0] += 1
        time.sleep(0.03)
        with lock:
            crowd, order[0] = inside[0] > 2, order[0] + 1
            inside[0] -= 1
            other = crowd and order[0] % 3 == 0
        return "another label" if other else polite(body)

    findings = met(reply, budget=0)

    alone, together = findings.manner.alone, findings.manner.together
    assert alone is not None
    assert together is not None
    assert (alone.changed, alone.of, together.of) == (0, 6, 12)
    assert together.changed >= 1
    assert f"{together.changed} of 12 answers changed" in sentence(findings, "together")


def test_a_prompt_that_is_cut_in_silence_is_found_out_by_its_count() -> None:
    findings = met(lambda body: counted(body, polite(body), most=3000))

    assert (findings.manner.cuts, findings.manner.window, findings.manner.window_from) == (True, 3000, "cut")
    assert "cuts longer prompts off" in sentence(findings, "window")


@pytest.mark.parametrize(
    ("tried", "declared", "expected"),
    [
        ([Long(2000, 9000, 0, True, ""), Long(4000, 18000, 0, False, "")], None, (2000, "cut", True)),
        ([Long(2000, 9000, 0, False, ""), Long(4000, 18000, 0, False, "")], None, (4000, "tried", False)),
        ([Long(2000, 9000, 500, True, "")], None, (500, "cut", True)),
        ([Long(2000, 9000, 1900, False, ""), Long(4000, 18000, 3800, False, "")], None, (3800, "tried", False)),
        (
            [Long(2000, 9000, 1900, True, ""), Long(4000, 18000, 0, False, "maximum context length is 3,072 tokens")],
            None,
            (3072, "refused", False),
        ),
        ([Long(4000, 18000, 0, False, "the prompt is too long")], 3600, (3600, "declared", False)),
        ([], 131_072, (131_072, "declared", False)),
        ([], None, (None, None, False)),
    ],
)
def test_what_long_prompts_say_of_the_window(
    tried: list[Long], declared: int | None, expected: tuple[int | None, str | None, bool]
) -> None:
    window = windows.in_words(tried, declared, "max_model_len")

    assert (window.tokens, window.source, window.cuts) == expected


def test_long_prompts_keep_to_their_budget() -> None:
    assert windows.sizes(16_000, None) == [2000, 4000, 8000]
    assert windows.sizes(0, None) == []
    assert windows.sizes(16_000, 8192) == [4505, 9011]
    for budget, known in product((1, 9000, 70_000), (None, 500, 9000)):
        assert sum(windows.sizes(budget, known)) <= budget


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"max_model_len": 8192, "shutdown_date": "2027-01-31"}, (8192, "2027-01-31")),
        ({"context_length": 131072, "deprecation": "2026-12-01T00:00:00Z"}, (131072, "2026-12-01")),
        ({"meta": {"n_ctx": 4096}, "expiration_date": 1800000000}, (4096, "2027-01-15")),
        ({"max_model_len": True, "context_window": "8k", "deprecation": None, "shutdown_date": "soon"}, (None, "")),
    ],
)
def test_the_list_of_models_is_read_for_window_and_end(entry: dict[str, Any], expected: tuple[int | None, str]) -> None:
    body = json.dumps({"data": [{"id": "other"}, {"id": "m", **entry}]}).encode()

    listed = model_list.read(body, "m")

    assert (listed.window, listed.ends) == expected
    assert model_list.read(body, "unknown").entry is False
    assert model_list.read(b"<html>", "m") == model_list.Listed()


# ---------------------------------------------------------------- every later call


def asked(settings: Settings, model: ModelRow, *rows: str) -> list[Answer]:
    client = service.endpoint(settings, model)
    try:
        requests = [Request(row, (Message("system", "Label."), Message("user", row)), 64) for row in rows]
        return list(client.answer(requests, lambda: False))
    finally:
        client.close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",), "endpoint_first_wait": 0.002})


def run_meeting(engine: Engine, settings: Settings, queue: job_engine.Client, model: ModelRow, by: UserRow) -> None:
    with writing(engine) as session:
        jobs.bind(session, queue)
        connecting.meet(session, model.id, by, budget=0)
    claim = claim_of(engine, settings, queue, model.id, kind="meet")
    job.meet(claim)
    finish_job(engine, claim)


def row_of(engine: Engine, model: ModelRow) -> ModelRow:
    with reading(engine) as session:
        return store.get(session, model.id)


def connected(make: Make, server: ModelServer) -> ModelRow:
    return make.model(name="Team server", kind="endpoint", base_url=server.url, reference="loopback-1", files={})


def test_what_was_found_out_is_asked_no_second_time_and_a_changed_server_is_learnt_anew(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    """B4: what one call had learnt was an error for those in flight, in every run again."""
    with serving(strict) as server:
        model = connected(make, server)
        run_meeting(engine, settings, queue, model, make.author())
        row = row_of(engine, model)
        before = len(server.calls)
        answers = asked(settings, row, *(f"Say: {number}" for number in range(20)))
        assert len(server.calls) - before == 20
        assert {answer.error for answer in answers} == {None}

        def turned(body: Body) -> str | Raw:
            if "max_completion_tokens" in body:
                return refused("Unknown parameter: 'max_completion_tokens'. Use 'max_tokens' instead.")
            return polite(body)

        server.reply = turned
        answers = asked(settings, row, *(f"Say: {number}" for number in range(20)))

    assert {answer.error for answer in answers} == {None}
    assert server.calls[-1].body["max_tokens"] == 64


def test_the_page_and_the_api_show_it_and_another_address_makes_it_outdated(
    make: Make, people: People, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    def reply(body: Body) -> str | Raw:
        return polite(body) if "reasoning_effort" in body else THINKING["inside"](polite(body))

    with serving(reply) as server:
        model = connected(make, server)
        admin = people(make.admin())
        at, api = f"/models/{model.id}/meeting", f"/api/v1/models/{model.id}/meeting"
        fresh = admin.get(at).text
        assert "Nobody has met this server yet." in fresh
        assert "calls" in fresh
        assert admin.get(api).json()["manner"] is None
        assert admin.post(at, data={"budget": "many"}).status_code == 422
        assert admin.post(at, data={"budget": "0"}).status_code == 303
        assert admin.post(api, json={}).status_code == 409, "it is waiting already"
        claim = claim_of(engine, settings, queue, model.id, kind="meet")
        job.meet(claim)
        finish_job(engine, claim)

        page, known = admin.get(at).text, admin.get(api).json()
        assert "inside the text of the answer" in page
        assert "Ask without thinking" in page
        assert known["manner"]["thinks"] == "inside"
        assert known["would_take"]["fewest"] > 20

        assert admin.put(f"/api/v1/models/{model.id}/thinking", json={"off": True}).json()["thinking_off"] is True
        (answer,) = asked(settings, row_of(engine, model), "Say: refund")
        assert (answer.text, answer.raw) == ("refund", None)
        assert server.calls[-1].body["reasoning_effort"] == "none"
        assert server.calls[-1].body["seed"] == 7

    assert people(make.author()).put(f"/api/v1/models/{model.id}/thinking", json={"off": False}).status_code == 403
    admin.patch(f"/api/v1/models/{model.id}", json={"model": "loopback-2"})
    row = row_of(engine, model)
    assert trials.outdated(row)
    assert trials.manner(row) is None
    assert admin.get(api).json()["outdated"] is True
    assert "used by no call" in admin.get(at).text


def test_a_run_that_had_to_learn_something_new_says_so_with_the_findings(
    make: Make, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    with serving(polite) as server:
        model = connected(make, server)
        run_meeting(engine, settings, queue, model, make.author())
    row = row_of(engine, model)

    with writing(engine) as session:
        service.note_changes(session, row, {"temperature"})
    with writing(engine) as session:
        service.note_changes(session, row, {"temperature"})

    later = trials.met(row_of(engine, model))
    assert later is not None
    assert later.later is not None
    (noted,) = later.later
    assert "no longer took: temperature" in noted
