"""The description of the API holds what a person who generates a client from it relies on."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.evaluation.metrics import METRICS
from app.web.security import Web

# What needs no credential: each line is a decision, as in `test_routes.py`.
OPEN = {"live", "set_up", "join"}
# What starts a job, and where its id is in the answer. `id` where the answer is the job.
STARTS = {
    "put_dataset": "job_id", "put_test": "job_id", "reread_dataset": "job_id", "check_dataset": "job_id",
    "decide_dataset": "job_id", "recount_dataset": "job_id", "split_dataset": "job_id", "share_groups": "job_id",
    "count_lengths": "job_id", "put_documents": "job_id", "decide_file": "job_id", "read_file": "job_id",
    "add_folder": "job_id", "prepare_model": "id", "start_baseline": "job_id", "go_on": "job_id", "revise": "job_id",
    "start_preflight": "id", "launch": "job_id", "resume": "job_id", "start_demo": "id",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.body["operationId"])


@pytest.fixture
def described(web: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = web.get("/openapi.json").json()
    return found


@pytest.fixture
def operations(described: dict[str, Any]) -> list[Operation]:
    return [
        Operation(method, path, body)
        for path, methods in described["paths"].items()
        for method, body in methods.items()
    ]


def answer_of(described: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """The schema of what an operation answers when all is well; empty for files and for nothing."""
    good = next(answer for status, answer in operation.body["responses"].items() if status.startswith("2"))
    schema = good.get("content", {}).get("application/json", {}).get("schema", {})
    return resolved(described, schema)


def resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = described["components"]["schemas"].get(name, schema)
    return found


def fields_of(value: Any, name: str) -> Iterator[dict[str, Any]]:
    """Every field of that name in a document."""
    if isinstance(value, dict):
        properties = value.get("properties")
        if isinstance(properties, dict) and name in properties:
            yield properties[name]
        for one in value.values():
            yield from fields_of(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from fields_of(one, name)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(operations: list[Operation]) -> None:
    assert [name for name, times in Counter(one.name for one in operations).items() if times > 1] == []
    assert [one.name for one in operations if not re.fullmatch(r"[a-z]+(_[a-z]+)*", one.name)] == []
    assert [one.name for one in operations if len(one.body.get("description", "")) < 8] == []
    assert [one.name for one in operations if not one.body.get("tags")] == []
    assert len(operations) > 110


def test_every_operation_that_asks_for_a_credential_says_which(
    described: dict[str, Any], operations: list[Operation]
) -> None:
    schemes = described["components"]["securitySchemes"]

    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "tunegate")
    assert {one.name for one in operations if not one.body.get("security")} == OPEN
    for one in operations:
        assert one.body.get("security", [{"token": []}, {"session": []}]) == [{"token": []}, {"session": []}], one.name


def test_over_https_the_cookie_has_its_other_name(web: TestClient) -> None:
    app: Web = web.app  # type: ignore[assignment]  # it is our app
    secure = Web(app.state.context.settings.model_copy(update={"public_url": "https://gate.example.org"}))
    secure.router.routes[:] = app.router.routes

    told: Any = secure.openapi()
    assert told["components"]["securitySchemes"]["session"]["name"] == "__Host-tunegate"


def test_no_model_is_called_by_where_it_stands_or_shares_its_name(described: dict[str, Any]) -> None:
    """`app__gate__api__Standing` and `Answers-Input` are what two models of one name become."""
    assert [name for name in described["components"]["schemas"] if not re.fullmatch(r"[A-Z][A-Za-z]*", name)] == []


def test_lists_come_in_one_envelope(described: dict[str, Any], operations: list[Operation]) -> None:
    bare, without = [], []
    for one in operations:
        schema = answer_of(described, one)
        bare += [one.name] if schema.get("type") == "array" else []
        fields = schema.get("properties", {})
        if fields.get("data", {}).get("type") == "array" and fields.get("has_more", {}).get("type") != "boolean":
            without.append(one.name)

    assert (bare, without) == ([], [])


def test_a_page_can_be_followed_to_the_next(described: dict[str, Any], operations: list[Operation]) -> None:
    """Who takes a limit takes a place to go on from, too."""
    for one in operations:
        names = {parameter["name"] for parameter in one.body.get("parameters", ())}
        if "limit" in names:
            # A preview is of a document's beginning, and says whether there is more.
            assert names & {"after", "before", "skip"} or one.name == "preview_passages", one.name


def test_a_metric_is_one_of_those_there_are(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    free = {name for name in schemas if name != "CaseAnswers"}  # a case file may name any
    found = [field for name in free for field in fields_of(schemas[name], "metric")]
    choices = [field.get("enum") or field["anyOf"][0]["enum"] for field in found]

    assert len(choices) >= 2
    assert all(set(METRICS) <= set(values) <= {*METRICS, "unknown"} for values in choices)


def test_refusals_are_described_as_problems(described: dict[str, Any], operations: list[Operation]) -> None:
    for one in operations:
        refused = {status: body for status, body in one.body["responses"].items() if status >= "400"}
        wanted = {"400"} if one.name == "live" else {"400", "401", "403", "404", "409", "415", "422"}
        assert wanted <= refused.keys(), one.name
        for body in refused.values():
            assert len(body["description"]) > 8, one.name
            content = body["content"]["application/problem+json"]["schema"]
            assert content == {"$ref": "#/components/schemas/Problem"}, one.name
        if "429" in refused:
            assert "Retry-After" in refused["429"]["headers"], one.name
    problem = described["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "instance", "errors", "reasons"} == problem["properties"].keys()


def test_headers_have_the_names_by_which_people_know_them(operations: list[Operation]) -> None:
    headers = {
        parameter["name"]
        for one in operations
        for parameter in one.body.get("parameters", ())
        if parameter["in"] == "header"
    }

    assert headers == {"Idempotency-Key", "If-Match", "Prefer"}


def test_what_starts_a_job_says_its_id(described: dict[str, Any], operations: list[Operation]) -> None:
    by_name = {one.name: one for one in operations}
    for name, field in STARTS.items():
        schema = answer_of(described, by_name[name])
        assert field in schema["properties"], name
        assert (schema["properties"]["object"]["default"] == "job") is (field == "id"), name


def test_whoever_looks_after_the_process_finds_how_to_ask(operations: list[Operation]) -> None:
    (live,) = (one for one in operations if one.path == "/health/live")

    assert "load balancers" in live.body["description"]
