"""Servers that keep an output constraint, that ignore it, and that refuse it: never unconstrained without a word."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.chat import Message
from app.inference import addresses
from app.inference.constraints import Constraint, checked
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Request
from app.inference.server_client import Limits
from app.inference.server_constraints import PROBES
from tests.support.model_server import Body, Raw, completion, last_user, serving

LOOPBACK = addresses.Policy.read(["127.0.0.0/8"])
PERSON = checked(
    "json_schema",
    json.dumps(
        {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "nick": {"type": "string"},
                "born": {"type": ["integer", "null"]},
                "pets": {"type": "array", "items": {"$ref": "#/$defs/pet"}},
            },
            "required": ["name"],
            "$defs": {"pet": {"type": "object", "properties": {"kind": {"type": "string"}}}},
        }
    ),
)
LABELS = checked("labels", "refund\nbug report\nC++ (other)")
DATE = checked("regex", r"\d{4}-\d\d")
REFUSED = Raw(b'{"error": {"message": "Unknown parameter", "type": "invalid_request_error"}}', status=400)


def plain(body: Body) -> str:
    """What it says where nothing holds it: what a probe asks for, else a sentence."""
    return last_user(body).removeprefix("Reply with exactly this and nothing else: ")


def asked(
    reply: Callable[[Body], Any], constraint: Constraint, rows: int = 3
) -> tuple[list[Answer], list[str], list[Body]]:
    """Answers, what the model's remarks are afterwards, and everything that the server was sent."""
    with serving(reply) as server:
        quick = Limits(concurrency=2, first_wait=0.01, wait_limit=0.05, total_seconds=2.0, patience=0.0)
        model = Endpoint(server.url, "loopback-1", None, LOOPBACK, quick)
        requests = [Request(str(at), (Message("user", "Who is it?"),), 32, constraint) for at in range(rows)]
        answers = list(model.answer(requests, lambda: False))
        remarks = model.remarks
        model.close()
        return answers, remarks, [call.body for call in server.calls]


def keeps(field: str, answer: str, *, others: str | Raw | None = None) -> Callable[[Body], Any]:
    """A server that knows one field; `others`: what it does with requests that have another one or none."""

    def reply(body: Body) -> Any:
        if field in body:
            return answer
        return plain(body) if others is None else others

    return reply


@pytest.mark.parametrize(
    ("constraint", "field", "says", "text"),
    [
        (PERSON, "response_format", '{"name": "Ada"}', '{"name": "Ada"}'),
        (LABELS, "structured_outputs", "refund", "refund"),
        (LABELS, "guided_choice", "bug report", "bug report"),
        (LABELS, "grammar", "refund", "refund"),
        (LABELS, "regex", "C++ (other)", "C++ (other)"),
        (LABELS, "response_format", '{"answer": "C++ (other)"}', "C++ (other)"),
        (DATE, "structured_outputs", "2026-11", "2026-11"),
        (DATE, "guided_regex", "2026-11", "2026-11"),
        (DATE, "regex", "2026-11", "2026-11"),
    ],
)
@pytest.mark.parametrize("others", [None, REFUSED], ids=["ignores the rest", "refuses the rest"])
def test_the_form_that_a_server_keeps_is_found_and_checked(
    constraint: Constraint, field: str, says: str, text: str, others: Raw | None
) -> None:
    answers, remarks, sent = asked(keeps(field, says, others=others), constraint)

    assert [(answer.text, answer.error) for answer in answers] == [(text, None)] * 3
    assert all(answer.raw == (says if says != text else None) for answer in answers)
    held = [body for body in sent if field in body]
    assert len(held) == PROBES + 3
    assert not [body for body in sent if last_user(body) == "Who is it?" and field not in body]
    assert "3 probe calls asked for what it forbids" in remarks[0]


@pytest.mark.parametrize("constraint", [PERSON, LABELS, DATE])
def test_a_server_that_ignores_it_gets_no_row(constraint: Constraint) -> None:
    answers, remarks, sent = asked(plain, constraint)

    assert {answer.text for answer in answers} == {""}
    assert all("Asked for something that is forbidden, it gave it" in str(answer.error) for answer in answers)
    assert not [body for body in sent if last_user(body) == "Who is it?"]
    assert remarks == []


def test_a_server_that_refuses_it_is_quoted() -> None:
    answers, _, sent = asked(lambda body: REFUSED if "response_format" in body else plain(body), PERSON)

    assert all("This server does not keep the output constraint" in str(answer.error) for answer in answers)
    assert "Unknown parameter" in str(answers[0].error)
    assert not [body for body in sent if last_user(body) == "Who is it?"]


def test_strict_mode_gets_what_it_wants_and_the_page_hears_of_it() -> None:
    """As a hosted server: every key required, no others. What may be missing comes as null, and is left out again."""

    def reply(body: Body) -> Any:
        schema = body["response_format"]["json_schema"]["schema"]
        pet = schema["$defs"]["pet"]
        strict = all(
            part.get("additionalProperties") is False and part.get("required") == list(part["properties"])
            for part in (schema, pet)
        )
        if not strict:
            return Raw(b'{"error": {"message": "Invalid schema: additionalProperties is required"}}', status=400)
        return '{"name": "Ada", "nick": null, "born": null, "pets": [{"kind": null}, {"kind": "cat"}]}'

    answers, remarks, _ = asked(reply, PERSON)

    assert json.loads(answers[0].text) == {"name": "Ada", "born": None, "pets": [{}, {"kind": "cat"}]}
    assert PERSON.check.keeps(answers[0].text)
    assert "nick" in str(answers[0].raw)
    assert [remark for remark in remarks if "may be null, and is left out: nick, born, pets" in remark]
    assert [remark for remark in remarks if "no further keys" in remark]


def test_a_probe_that_thinks_or_is_cut_is_no_breach() -> None:
    def reply(body: Body) -> Any:
        if "response_format" not in body:
            return plain(body)
        if last_user(body).endswith("ready"):
            return Raw(completion('{"name": "Ada Ada Ada', finish="length"))
        return '<think>They want "ready".</think>\n{"name": "Ada"}'

    answers, _, _ = asked(reply, PERSON, rows=1)

    assert answers[0].text == '{"name": "Ada"}'
    assert str(answers[0].raw).startswith("<think>")


def test_a_server_that_is_away_is_not_taken_for_one_that_does_not_keep_it() -> None:
    answers, _, sent = asked(lambda _: Raw(b"", status=503), LABELS, rows=1)

    assert "503" in str(answers[0].error)
    assert "does not keep" not in str(answers[0].error)
    assert len(sent) >= 1
