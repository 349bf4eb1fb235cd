"""Wrong fields are named where they are in what was sent, in plain words, whatever route they were sent to."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Annotated, Any, Literal

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.assessments.advice_models import Case
from app.assessments.api import AssessmentChange
from app.errors import FieldError, Invalid, pointer
from app.training.api import RecipeChange
from app.web.faults import field_errors
from app.web.security import Web
from tests.support.loose import loose
from tests.support.route_table import routes

INTERNALS = re.compile(r"Input should|constrained|\blist\[|literal\[|function-|instance of|pydantic|valid (list|dict)")


def faults(model: type[BaseModel], body: Any) -> dict[str, list[str]]:
    """What is said of a body, by pointer."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    errors: Any = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    found: dict[str, list[str]] = {}
    for one in field_errors(errors, body):
        found.setdefault(one.pointer, []).append(one.detail)
    return found


@pytest.mark.parametrize(
    ("answers", "place", "sentence"),
    [
        ({"goals": ["x"]}, "#/answers/goals/0", "Use one of: 'facts', "),
        ({"goals": ["style", "x", 1]}, "#/answers/goals/1", "Use one of: 'facts', "),
        ({"goals": "style"}, "#/answers/goals", "Use a list, or one of: 'unknown'."),
        ({"target": 1.5}, "#/answers/target", "Use 1 or less."),
        ({"target": -1}, "#/answers/target", "Use 0 or more."),
        ({"target": "high"}, "#/answers/target", "Use a number, or one of: 'unknown'."),
        ({"target": [0.9]}, "#/answers/target", "Use a number, or one of: 'unknown'."),
        ({"corpus_tokens": -1}, "#/answers/corpus_tokens", "Use 0 or more."),
        ({"corpus_tokens": 1.5}, "#/answers/corpus_tokens", "Use a whole number, or one of: 'unknown'."),
        ({"metric": "bleu"}, "#/answers/metric", "Use one of: 'exact_match', "),
        ({"owner": "a\nb"}, "#/answers/owner", "This does not have the expected form."),
        ({"luck": 1}, "#/answers/luck", "There is no such field here."),
        ({"a/b~c": 1}, "#/answers/a~1b~0c", "There is no such field here."),
        ("style", "#/answers", "Use an object."),
    ],
)
def test_an_answer_is_named_where_it_is_and_once(answers: Any, place: str, sentence: str) -> None:
    found = faults(AssessmentChange, {"answers": answers})

    assert place in found
    assert len(found[place]) == 1, found
    assert found[place][0].startswith(sentence)
    assert len(found) == (2 if answers == {"goals": ["style", "x", 1]} else 1), found


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"rank": [1]}, "#/settings/rank"),
        ({"rank": None}, "#/settings/rank"),
        ({"rank": {"float": 1}}, "#/settings/rank"),
        ({"rank": "x" * 300}, "#/settings/rank"),
        ({"x" * 150: 1}, "#/settings/" + "x" * 150),
        ([], "#/settings"),
    ],
)
def test_a_setting_is_named_inside_the_settings(settings: Any, place: str) -> None:
    found = faults(RecipeChange, {"model_id": 1, "settings": settings})

    assert [name.startswith(place) for name in found] == [True], found
    assert [len(said) for said in found.values()] == [1]


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    depth: int


class Outer(BaseModel):
    one: Inner | Annotated[list[Inner], Field(max_length=2)] | Literal["none"]
    more: dict[str, Inner | int] = {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"#/one": ["This is needed."]}),
        ({"one": {}}, {"#/one/depth": ["This is needed."]}),
        ({"one": {"depth": "x"}}, {"#/one/depth": ["Use a whole number."]}),
        ({"one": [{"depth": 1}, {"depth": "x"}]}, {"#/one/1/depth": ["Use a whole number."]}),
        ({"one": [{}, {}, {}]}, {"#/one": ["At most 2 are possible."]}),
        ({"one": 7}, {"#/one": ["Use an object, or a list, or one of: 'none'."]}),
        ({"one": "none", "more": {"a": "x"}}, {"#/more/a": ["Use an object, or a whole number."]}),
        ({"one": "none", "more": {"a": {"z": 1, "depth": 1}}}, {"#/more/a/z": ["There is no such field here."]}),
        (
            {"one": "none", "more": {"depth": {"function-wrap": 1}}},
            {"#/more/depth/depth": ["This is needed."], "#/more/depth/function-wrap": ["There is no such field here."]},
        ),
        ([], {"#": ["Send a JSON object, not another kind of value."]}),
        ("x", {"#": ["Send a JSON object, not another kind of value."]}),
    ],
)
def test_of_several_types_the_one_that_was_meant_speaks(body: Any, expected: dict[str, list[str]]) -> None:
    assert faults(Outer, body) == expected


def test_a_pointer_escapes_what_means_something_in_it() -> None:
    assert pointer() == "#"
    assert pointer("a/b", 0, "c~d") == "#/a~1b/0/c~0d"


def test_what_stood_in_a_form_gets_its_place_in_json() -> None:
    refusal = Invalid("No.", [FieldError("#/rank", "x"), FieldError("#/a/b", "y")])

    assert [one.pointer for one in refusal.moved(lambda name: pointer("settings", name)).errors] == [
        "#/settings/rank",
        "#/settings/a~1b",
    ]


# ------------------------------------------------------------------------------------- every route that takes JSON

WRONG: tuple[Any, ...] = (None, "x", -1, 1.5, True, [], {}, [{}], [[]], {"float": 1}, "\ud800", 10**400)


SIMPLE = {"boolean": True, "integer": 1, "number": 1, "string": "a" * 12}


def sample(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """A value that fits, with every field in it."""
    if inner := known.get(schema.get("$ref", "").rpartition("/")[2]) or [*schema.get("anyOf", ())][:1]:
        return sample(inner[0] if isinstance(inner, list) else inner, known)
    kind = schema.get("type", "integer")
    if kind == "object":
        fields = schema.get("properties") or {"some": schema.get("additionalProperties")}
        return {name: sample(one, known) for name, one in fields.items() if isinstance(one, dict)}
    if kind == "array":
        return [sample(schema.get("items", {}), known)]
    return schema.get("enum", ["2026-01-31" if schema.get("format") == "date" else SIMPLE[kind]])[0]


def places(value: Any, at: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from places(one, (*at, key))


def mutants(right: Any) -> Iterator[Any]:
    """The right body with something wrong in one place."""
    for place in places(right):
        for wrong in WRONG:
            yield changed(right, place, wrong)
        holder = looked_up(right, place)
        if isinstance(holder, dict):
            yield changed(right, place, {**holder, "a/b~c": 1})
            yield from (changed(right, place, {k: v for k, v in holder.items() if k != left}) for left in holder)


def changed(value: Any, place: tuple[int | str, ...], new: Any) -> Any:
    if not place:
        return new
    made = deepcopy(value)
    looked_up(made, place[:-1])[place[-1]] = new
    return made


def looked_up(value: Any, place: tuple[int | str, ...]) -> Any:
    for part in place:
        value = value[part]
    return value


def leads_nowhere(place: str, body: Any) -> bool:
    """Whether a pointer is to nothing that was sent, and to no field that could have been."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in place.split("/")[1:]]
    for number, part in enumerate(parts):
        if isinstance(body, list) and part.isdecimal() and int(part) < len(body):
            body = body[int(part)]
        elif isinstance(body, dict) and part in body:
            body = body[part]
        else:
            return not (isinstance(body, dict) and number == len(parts) - 1)
    return not place.startswith("#")


def test_no_route_names_a_place_that_was_not_sent_or_its_own_types(web: TestClient) -> None:
    app: Web = web.app  # type: ignore[assignment]  # it is our app
    described = app.openapi()
    known, tried, bad = loose(described)["components"]["schemas"], 0, []
    for method, route in routes(app):
        operation = loose(described)["paths"].get(route.path, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        (field,) = route.dependant.body_params  # what takes JSON has one
        for body in mutants(sample(content["schema"], known)):
            _, errors = field.validate(body, loc=("body",))
            found = field_errors(errors or [], body)
            tried += bool(found)
            bad += [(route.path, one) for one in found if leads_nowhere(one.pointer, body)]
            bad += [(route.path, one) for one in found if INTERNALS.search(one.detail + one.pointer)]
            twice = {one.pointer for one in found}
            bad += [(route.path, body)] if len(twice) < len(found) else []
    assert bad == []
    assert tried > 2_000


def test_a_case_file_may_name_a_metric_that_is_not_ours() -> None:
    assert Case.model_validate({"answers": {"metric": "by hand"}})
