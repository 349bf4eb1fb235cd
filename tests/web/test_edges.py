"""Nothing comes in without a bound: no id that a database has no room for, no text that cannot be stored or has no end.

One test looks at what every route declares, so that a new one cannot forget it; the others send it to the real app, on
both databases.
"""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi.dependencies.models import Dependant
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from app.db import make_engine
from app.main import create_app
from app.settings import Settings
from app.web.params import LARGEST, LONGEST_FIELD
from app.web.security import Web
from tests.support.databases import on_both
from tests.support.depth import DEEP, depth
from tests.support.factories import Make, sign_in
from tests.support.loose import loose
from tests.support.ready import ready
from tests.support.route_table import routes

KINDS = ("path_params", "query_params", "header_params", "cookie_params", "body_params")
STORED_AS_JSON = 10**15  # of a count that stands inside a JSON document, where both databases take it
# They last for ever, or end the session of the one who asks.
LEFT_OUT = re.compile(r"/events$|/sign-out|/sessions/end|/users/{user_id}/(disable|role|reset-password)")
ANSWERED = (".answers.", ".measured{}")  # what an assessment's JSON may hold is judged by `advice.case`

Schema = dict[str, Any]


@pytest.fixture
def app(either: Settings) -> Iterator[Web]:
    made = ready(create_app, either)
    yield made
    made.state.context.jobs.close()
    made.state.context.engine.dispose()


@pytest.fixture
def admin(app: Web, either: Settings) -> Iterator[TestClient]:
    """A browser of an administrator, with one assessment there."""
    engine = make_engine(either.url)
    make = Make(engine, either)
    person = make.admin()
    make.assessment(person)
    with TestClient(app, base_url="http://127.0.0.1:1", follow_redirects=False, raise_server_exceptions=False) as one:
        sign_in(one, engine, person)
        yield one
    engine.dispose()


# ---------------------------------------------------------------- what is declared


def unbounded(schema: Schema, known: Schema, place: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every text and number in a JSON schema without a bound, with the place where it stands."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in seen:
            yield from unbounded(known[name], known, place, seen | {name})
        return
    if "enum" in schema or "const" in schema:
        return
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from unbounded(part, known, place, seen)
    if not BOUNDED.get(schema.get("type", ""), always)(schema, place):
        yield place
    for key, inner in INSIDE.get(schema.get("type", ""), nothing)(schema):
        yield from unbounded(inner, known, f"{place}{key}", seen)


def bounded_text(schema: Schema, place: str) -> bool:
    if place == "filename":  # what cannot be stored is taken out of it
        return "maxLength" in schema
    pattern = schema.get("pattern", "")
    closed = re.fullmatch(r"\^\([a-z|_-]+\)\??\$", pattern)
    return "format" in schema or (pattern.startswith("^") and (closed is not None or "maxLength" in schema))


def bounded_number(schema: Schema, place: str) -> bool:
    most = STORED_AS_JSON if any(part in f"{place}." for part in ANSWERED) else LARGEST
    return bool(schema.get("maximum", most + 1) <= (2**53 if place.endswith("settings{}") else most))


def bounded_object(schema: Schema, _place: str) -> bool:
    return not schema.get("additionalProperties") or {"propertyNames", "maxProperties"} <= schema.keys()


def always(_schema: Schema, _place: str) -> bool:
    return True


def nothing(_schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield from ()


def properties(schema: Schema) -> Iterator[tuple[str, Schema]]:
    yield from ((f".{key}", inner) for key, inner in schema.get("properties", {}).items())
    if isinstance(further := schema.get("additionalProperties"), dict):
        yield "{}", further


BOUNDED = {
    "string": bounded_text,
    "integer": bounded_number,
    "array": lambda schema, _place: "maxItems" in schema,
    "object": bounded_object,
}
INSIDE: dict[str, Any] = {"array": lambda schema: [("[]", schema.get("items", {}))], "object": properties}


def declared(info: Any) -> Any:
    return Annotated[info.annotation, info]


def dependants(one: Dependant | None) -> Iterator[Dependant]:
    if one is not None:
        yield one
        for inner in one.dependencies:
            yield from dependants(inner)


def test_every_text_and_number_that_a_route_takes_has_a_bound(web: TestClient) -> None:
    found = []
    for method, route in routes(web.app):  # type: ignore[arg-type]  # it is our app
        for dependant in dependants(getattr(route, "dependant", None)):
            for field in (field for kind in KINDS for field in getattr(dependant, kind)):
                schema = TypeAdapter(declared(field.field_info)).json_schema()
                places = unbounded(schema, schema.get("$defs", {}), field.name)
                found += [f"{method} {route.path}: {place}" for place in places]

    assert found == []


# ---------------------------------------------------------------- what is sent

IDS = (LARGEST, LARGEST + 1, 2**53, 2**63, "9" * 40, "%00", "a%00b")
TEXTS = ("a\0b", "\ud800", "x" * (LONGEST_FIELD + 1))
FORMS = (
    {"email": "a\0@example.org", "password": "x" * 20, "name": "\0", "title": "\0", "comment": "\0", "text": "\0"},
    {"email": "x" * 200_000, "password": "x" * 200_000, "name": "x" * 200_000, "title": "x" * 200_000},
    {"a\0b": "1", "rates_1": "\0", "instructions": "\0", "revised_instructions": "\0", "question": "\0"},
)
QUERY = ("%00", LARGEST + 1, 2**53, "x" * 3000, "%ED%A0%80")
JSON = {"Content-Type": "application/json"}


def fields(app: Web, method: str, path: str) -> Iterator[tuple[str, Schema]]:
    """The fields of the JSON that an address takes."""
    described = app.openapi()
    content = loose(described)["paths"].get(path, {}).get(method.lower(), {}).get("requestBody", {}).get("content", {})
    name = json.dumps(content).partition("#/components/schemas/")[2].partition('"')[0]
    yield from loose(described)["components"]["schemas"].get(name, {}).get("properties", {}).items()


def bodies(app: Web, method: str, path: str) -> Iterator[dict[str, Any]]:
    if not path.startswith("/api/"):
        yield from ({"data": form} for form in FORMS)
        return
    known = [*fields(app, method, path)]
    yield {"content": json.dumps({TEXTS[1]: TEXTS[0]}), "headers": JSON}
    for text in TEXTS[:2]:
        for value in (text, {text: text}, {"1": text}, [text], [{"name": text}]):
            yield {"content": json.dumps(dict.fromkeys([name for name, _ in known], value)), "headers": JSON}
            yield from ({"content": json.dumps({name: value}), "headers": JSON} for name, _ in known if DEEP)
    for number in (LARGEST + 1, 2**53):
        whole = {name: number for name, schema in known if "integer" in json.dumps(schema)}
        yield {"content": json.dumps(whole), "headers": JSON}


def requests(app: Web, method: str, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What stands in the gaps of the address with the query behind it, and the body."""
    yield from ((str(one), {}) for one in (IDS if "{" in path else ()))
    if method != "GET":
        yield from (("1", body) for body in bodies(app, method, path))
        return
    described = loose(app.openapi())["paths"].get(path, {}).get("get", {}).get("parameters", [])
    names = [one["name"] for one in described if one["in"] == "query"] or ["q", "before", "after", "label"]
    for value in QUERY:
        yield f"1?{'&'.join(f'{name}={value}' for name in names)}", {}
        yield from ((f"1?{name}={value}", {}) for name in (names if DEEP else ()))


async def what_breaks(app: Web, person: TestClient) -> tuple[set[tuple[str, str, int, str]], int]:
    broken, asked = set(), 0
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    found = [(method, route.path or "") for method, route in routes(app) if not LEFT_OUT.search(route.path or "")]
    async with httpx2.AsyncClient(
        transport=transport, base_url=person.base_url, headers=person.headers, cookies=person.cookies
    ) as client:
        # In the quick suite every fifteenth route, others on each database.
        for method, path in found if DEEP else found[app.state.context.engine.dialect.name == "sqlite" :: 15]:
            for gap, request in requests(app, method, path):
                number, _, query = gap.partition("?")
                address = re.sub(r"{[^}]*}", number, path) + (f"?{query}" if query else "")
                status = (await client.request(method, address, **request)).status_code
                asked += 1
                if status >= 500:
                    broken.add((method, address[:80], status, str(request)[:80]))
    return broken, asked


def test_nothing_at_the_edge_of_what_a_database_takes_breaks_anything(app: Web, admin: TestClient) -> None:
    with start_blocking_portal() as elsewhere:
        broken, asked = elsewhere.call(what_breaks, app, admin)

    assert broken == set()
    assert asked > depth(50, 2000)


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("POST", "/sign-in", {"data": {"email": "a\0@example.org", "password": "x" * 20}}),
        ("GET", "/?q=%00", {}),
        ("GET", "/sign-in?next=%00", {}),
        ("POST", "/setup", {"data": {"code": "\0", "name": "\0", "email": "\0", "password": "\0"}}),
        ("PUT", "/api/v1/assessments/1/costs", {"json": {"rates": {"a\0": "x"}}}),
        ("PUT", "/api/v1/assessments/1/costs", {"content": b'{"rates": {"a\\ud800": "x"}}'}),
        ("PUT", "/api/v1/assessments/1/costs", {"json": {"rates": {"x" * 101: "x"}}}),
    ],
)
def test_what_cannot_be_stored_is_refused_and_named(
    admin: TestClient, method: str, address: str, body: dict[str, Any]
) -> None:
    headers = {"Content-Type": "application/json"} if "content" in body else {}

    answer = admin.request(method, address, headers=headers, **body)

    assert answer.status_code == 422, answer.text


@on_both
def test_an_id_that_no_table_can_hold_is_nothing_that_exists(admin: TestClient) -> None:
    for number in (LARGEST, LARGEST + 1, 2**53):
        assert admin.get(f"/assessments/{number}").status_code == 404
        assert admin.get(f"/jobs/{number}").status_code == 404
        assert admin.get(f"/api/v1/assessments/{number}").status_code == 404


def test_thousands_of_wrong_fields_are_answered_with_a_few(admin: TestClient) -> None:
    answer = admin.post("/api/v1/assessments", json={"title": "x", **{f"no{n}": 1 for n in range(5000)}})

    assert answer.status_code == 422
    assert len(answer.json()["errors"]) <= 20


@pytest.mark.parametrize("charset", ["punycode", "unicode_escape", "utf-7", "utf-16", "idna"])
def test_a_form_cannot_choose_how_it_is_decoded(admin: TestClient, charset: str) -> None:
    """Python has decoders that make halves of characters, and one whose time grows with the square."""
    body = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\na-bbbb\r\n--x--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}

    assert admin.post("/sign-in", content=body, headers=headers).status_code == 415
