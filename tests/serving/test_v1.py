"""`/v1` from outside: who may ask, what is not there, streams, stops, and people who hang up."""

import json
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.baselines import store as baseline_store
from app.blobs import Blobs
from app.chat import Message
from app.db import reading, utcnow, writing
from app.inference import store as models
from app.inference.followed import Followed, Piece
from app.inference.generator import Request
from app.inference.tables import ModelRow
from app.serving import service, store
from app.serving.answering import Call, Failure
from app.serving.deps import serving_for
from app.serving.tables import ServedCallRow
from app.settings import Settings
from app.users.tables import TokenRow, UserRow
from app.worker import Worker
from tests.support.browser import serving
from tests.support.factories import Make
from tests.support.processes import until
from tests.support.served import Measured

BEST = "assessment-1/best-prompt"
HELLO = [{"role": "user", "content": "x"}]
People = Callable[[UserRow], TestClient]


@pytest.fixture
def ready(make: Make, engine: Engine, web: TestClient) -> Measured:
    """A measurement that looks like one of a model of this machine; nothing could really answer."""
    author = make.author("Ada")
    assessment = make.ready(author)
    with reading(engine) as session:
        (baseline,) = baseline_store.of_assessment(session, assessment.id)
    return Measured(baseline, author, make.admin(), engine, web)


def error(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    return found


def test_only_a_token_with_the_scope_of_its_own_comes_in_and_it_reaches_nothing_else(ready: Measured) -> None:
    def bearer(secret: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {secret}"}

    asking = ready.token()
    without = ready.web.get("/v1/models")
    launching = ready.web.get("/v1/models", headers=bearer(ready.token("launch")))
    elsewhere = ready.web.get("/api/v1/models", headers=bearer(asking))
    more = ready.web.post("/api/v1/tokens", json={"name": "x", "scope": "read"}, headers=bearer(asking))
    inside = ready.web.get("/v1/models", headers=bearer(asking))
    with writing(ready.engine) as session:
        session.execute(update(TokenRow).values(revoked_at=utcnow()))
    revoked = ready.web.get("/v1/models", headers=bearer(asking))

    assert (without.status_code, error(without)["code"]) == (401, "invalid_api_key")
    assert without.headers["www-authenticate"].startswith("Bearer")
    assert (launching.status_code, error(launching)["code"]) == (403, "insufficient_permissions")
    assert (elsewhere.status_code, more.status_code) == (403, 403)
    assert inside.json() == {"object": "list", "data": []}
    assert (revoked.status_code, error(revoked)["code"]) == (401, "invalid_api_key")


def test_a_name_that_is_not_on_is_not_told_from_one_that_is_not_there(ready: Measured, people: People) -> None:
    token, admin = ready.token(), people(ready.admin)
    off = ready.chat(BEST, token=token)
    nothing = ready.chat("assessment-999/best-prompt", token=token)

    assert off.status_code == nothing.status_code == 404
    assert error(off) == error(nothing)
    assert (error(off)["code"], error(off)["param"]) == ("model_not_found", "model")
    files = {"config.json": "0" * 64}
    for put_away, back in (
        (update(AssessmentRow).values(archived_at=utcnow()), update(AssessmentRow).values(archived_at=None)),
        (update(ModelRow).values(retired_at=utcnow()), update(ModelRow).values(retired_at=None)),
        (update(ModelRow).values(files={}), update(ModelRow).values(files=files)),
    ):
        assert admin.post("/serving/on", data={"name": BEST}).status_code == 303
        listed = ready.web.get("/v1/models", headers={"Authorization": f"Bearer {token}"}).json()["data"]
        assert [one["id"] for one in listed] == [BEST]
        with writing(ready.engine) as session:
            session.execute(put_away)
        assert error(ready.chat(BEST, token=token)) == error(off)
        assert admin.post("/serving/on", data={"name": BEST}).status_code == 409
        with writing(ready.engine) as session:
            session.execute(back)


def test_an_administrator_switches_names_on_and_off_on_record(ready: Measured, people: People) -> None:
    admin, author = people(ready.admin), people(ready.author)
    page = author.get("/serving").text
    refused = author.post("/serving/on", data={"name": BEST})
    unknown = admin.post("/serving/on", data={"name": "assessment-1/adapter-9"})
    on = admin.put("/api/v1/serving", json={"name": BEST, "on": True})
    shown = author.get("/serving").text
    off = admin.post("/serving/off", data={"name": BEST})

    assert BEST in page
    assert "Switch on" not in page
    assert (refused.status_code, unknown.status_code, on.status_code, off.status_code) == (403, 409, 200, 303)
    assert (on.json()["kind"], on.json()["on"]) == ("prompt", True)
    assert "1 name on" in shown
    assert f'"model": "{BEST}"' in shown.replace("&#34;", '"')
    (listed,) = [one for one in author.get("/api/v1/serving").json()["data"] if one["name"] == BEST]
    assert not listed["on"]
    with reading(ready.engine) as session:
        acts = session.scalars(select(EntryRow.act).where(EntryRow.act.like("model.%serv%"))).all()
    assert acts == ["model.serve", "model.stop_serving"]


@pytest.mark.parametrize(
    ("sent", "status", "param"),
    [
        ({"json": {"model": BEST, "messages": []}}, 400, "messages"),
        (
            {"json": {"model": BEST, "messages": [{"role": "user", "content": "x"}], "temperature": 1}},
            400,
            "temperature",
        ),
        ({"json": {"model": BEST, "messages": [{"role": "user", "content": "x"}], "best_of": 3}}, 400, "best_of"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"content": b"x" * (3 << 20), "headers": {"Content-Type": "application/json"}}, 413, None),
    ],
)
def test_refusals_have_openais_shape(ready: Measured, sent: dict[str, Any], status: int, param: str | None) -> None:
    headers = {"Authorization": f"Bearer {ready.token()}", **sent.pop("headers", {})}
    answer = ready.web.post("/v1/chat/completions", headers=headers, **sent)

    assert answer.status_code == status
    assert (error(answer)["type"], error(answer)["param"]) == ("invalid_request_error", param)


def test_addresses_that_are_not_there_say_so_in_openais_shape(ready: Measured) -> None:
    headers = {"Authorization": f"Bearer {ready.token()}"}
    completions, method = ready.web.post("/v1/completions", json={}, headers=headers), ready.web.put("/v1/models")

    assert (completions.status_code, method.status_code) == (404, 405)
    assert {error(completions)["type"], error(method)["type"]} == {"invalid_request_error"}


# ---------------------------------------------------------------------- with a model


@pytest.mark.torch
def test_streams_stops_windows_and_strange_signs(tiny: Measured) -> None:
    tiny.serve("tiny", kind="model")
    token = tiny.token()
    whole = tiny.chat("tiny", token=token, max_tokens=24).json()
    text = whole["choices"][0]["message"]["content"]
    stop = text[len(text) // 2 :][:3]
    streamed = tiny.chat("tiny", token=token, max_tokens=24, stream=True, stream_options={"include_usage": True})
    stopped = tiny.chat("tiny", token=token, max_tokens=24, stop=[stop]).json()["choices"][0]
    both = tiny.chat("tiny", token=token, max_tokens=24, stop=stop, stream=True)
    over = tiny.chat("tiny", "alpha " * 600, token=token, stream=True)
    strange = tiny.chat("tiny", "\x1b[2J\u202e\ufeff\r\n\t\x07 {{7*7}} <|im_end|>", token=token, max_tokens=2)

    chunks = [json.loads(line[6:]) for line in streamed.text.split("\n\n") if line.startswith("data: {")]
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"]) == text
    assert len(chunks) > 5, "it came in pieces"
    assert chunks[-1]["usage"] == whole["usage"]
    assert (stopped["message"]["content"], stopped["finish_reason"]) == (text[: text.index(stop)], "stop")
    parts = [json.loads(line[6:])["choices"][0]["delta"] for line in both.text.split("\n\n") if line[6:7] == "{"]
    assert "".join(part.get("content", "") for part in parts) == text[: text.index(stop)]
    assert (over.status_code, error(over)["code"]) == (400, "context_length_exceeded")
    assert strange.status_code == 200
    with reading(tiny.engine) as session:
        outcomes = session.scalars(select(ServedCallRow.outcome).order_by(ServedCallRow.id)).all()
    assert outcomes == ["length", "length", "stop", "stop", "refused", "length"]


def test_the_record_of_calls_is_dropped_after_the_days_that_the_operator_set(ready: Measured, make: Make) -> None:
    served = ready.serve("tiny", kind="model").id
    now = utcnow()
    with writing(ready.engine) as session:
        for days in (0, 89, 91, 400):
            call = {"outcome": "stop", "prompt_tokens": 1, "completion_tokens": 1, "seconds": 0.1}
            session.add(ServedCallRow(served_id=served, user_id=1, at=now - timedelta(days=days), **call))

    Worker(make.settings.model_copy(update={"served_days": 0}), "a", ["cpu"]).clean()
    with reading(ready.engine) as session:
        assert len(store.calls(session, None, 9)) == 4
    Worker(make.settings, "a", ["cpu"]).clean()
    with reading(ready.engine) as session:
        assert sorted((now - call.at).days for call, _ in store.calls(session, None, 9)) == [0, 89]


@pytest.mark.torch
def test_who_hangs_up_ends_the_answer(tiny: Measured) -> None:
    tiny.serve("tiny", kind="model")
    body = json.dumps(
        {"model": "tiny", "messages": [{"role": "user", "content": "alpha"}], "stream": True, "max_tokens": 480}
    ).encode()
    app: Any = tiny.web.app
    with serving(app) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as line:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {tiny.token()}\r\n"
            line.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            received = b""
            while received.count(b"data: ") < 3:
                received += line.recv(4096)

        def noted() -> bool:
            with reading(tiny.engine) as session:
                return session.scalar(select(ServedCallRow.id)) is not None

        until(noted)
    with reading(tiny.engine) as session:
        call = session.scalars(select(ServedCallRow)).one()
    assert call.outcome == "hung_up"
    assert 0 < call.completion_tokens < 480
    assert app.state.serving.server.line == 0


def test_two_models_that_would_be_named_alike_are_told_apart(ready: Measured, make: Make, people: People) -> None:
    first, second = make.model(name="House Model"), make.model(name="house model!")
    admin = people(ready.admin)
    listed = {one["name"]: one["model_id"] for one in admin.get("/api/v1/serving").json()["data"]}

    assert listed["house-model"] == first.id
    assert listed[f"house-model-{second.id}"] == second.id
    on = [admin.put("/api/v1/serving", json={"name": name, "on": True}).json() for name in listed if "house" in name]
    assert [(one["model_id"], one["outdated"]) for one in on] == [(first.id, False), (second.id, False)]


@pytest.mark.torch
def test_what_is_served_computes_where_the_setting_says_or_not_at_all(
    tiny: Measured, settings: Settings, blobs: Blobs
) -> None:
    """As baselines and training do: nothing moves to the CPU because a device that was named is missing."""
    with reading(tiny.engine) as session:
        arm = baseline_store.arm(session, tiny.arm("zero_shot").id)
        model = models.get(session, tiny.baseline.model_id)
        weights = service.weights_of(model, arm, None)
    request = Request("a", (Message("user", "alpha beta"),), 4)

    def answered(device: str) -> tuple[list[Any], str]:
        heard: list[Any] = []
        server = serving_for(settings.model_copy(update={"device": device}), tiny.engine, blobs).server
        server.enter(1)
        server.put(Call(1, weights, Followed(request), heard.append, lambda *_: None))
        until(lambda: heard and not isinstance(heard[-1], Piece))
        server.close()
        return heard, server.computed_on

    assert answered("cpu")[1] == "CPU"
    (refused,), computed_on = answered("mps")  # nothing that runs Linux has it
    assert isinstance(refused, Failure)
    assert computed_on == ""
