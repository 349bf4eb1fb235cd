"""Test cases that other evaluators keep, read as examples: promptfoo's and MLflow's. They are read, never written.

Only a case that names the one answer it wants can be used; one that describes the answer (a rubric, a substring, a
program) is refused by name.
"""

import re
from collections.abc import Iterator

from app.datasets.reading.faults import Unfit, short, wrong_kind
from app.datasets.reading.json_text import written
from app.json_types import JsonDict, JsonObject
from app.text import json_value
from app.wording import state

EXPECTED = "__expected"  # the column of promptfoo's tables
_EXACT = ("equals", "is-exactly")


def inputs(value: object, at: str) -> object:
    """What is asked: the one value of the variables, or each on a line with its name."""
    if isinstance(value, list | str):
        return value
    if not isinstance(value, dict):
        raise wrong_kind(at, "question", value)
    if not value:
        raise Unfit(at, state("empty", at=at), "empty")
    if len(value) == 1:
        return next(iter(value.values()))
    if not all(isinstance(value, str) for value in value.values()):
        raise Unfit(at, state("several_values", at=at))
    return "\n".join(f"{name}: {value}" for name, value in value.items())


def question_and_answer(variables: object, assertions: object) -> tuple[object, object]:
    """What a case of promptfoo's asks, and the one answer that it wants.

    A template that is a variable's name alone stands for that variable, which then is the answer and is not asked.

    Raises:
        Unfit: there is no such answer, or finding it would take opening a file or running a program.
    """
    if isinstance(variables, str):
        raise Unfit("vars", state("vars_file"))
    if isinstance(variables, dict):
        for name, value in variables.items():
            if isinstance(value, str) and value.startswith("file://"):
                raise Unfit("vars", state("variable_file", name=name[:80], seen=short(value)))
            if isinstance(value, list) and not all(isinstance(part, dict) for part in value):
                raise Unfit("vars", state("variable_list", name=name[:80]))
        variables = {
            name: value if isinstance(value, str | list | dict) else written(value) for name, value in variables.items()
        }
    answer, taken = _asserted(assertions, variables if isinstance(variables, dict) else {})
    if taken and isinstance(variables, dict):
        variables = {name: value for name, value in variables.items() if name != taken}
    return inputs(variables, "vars"), answer


def other_assertions(assertions: object) -> Iterator[str]:
    """The kinds of assertions that name no answer, for what is said of a file."""
    for assertion in assertions if isinstance(assertions, list) else ():
        if isinstance(assertion, dict) and assertion.get("type") not in (*_EXACT, *_SCHEMAS):
            yield str(assertion.get("type"))[:40]


def _asserted(assertions: object, variables: JsonObject) -> tuple[object, str]:
    """The answer of promptfoo's `assert`, and the variable that it is, if it is one."""
    if not isinstance(assertions, list):
        raise wrong_kind("assert", "assertions", assertions)
    named = [
        answer for assertion in assertions if isinstance(assertion, dict) for answer in _named(assertion, variables)
    ]
    if len({written(answer) for answer, _ in named}) > 1:
        raise Unfit("assert", state("several_answers"))
    if named:
        return named[0]
    kinds = {str(assertion.get("type"))[:40] for assertion in assertions if isinstance(assertion, dict)}
    raise Unfit("assert", state("asks_for_kinds", kinds=sorted(kinds)))


def _named(assertion: JsonObject, variables: JsonObject) -> Iterator[tuple[object, str]]:
    """The answer that one assertion names, if it does."""
    kind, value = assertion.get("type"), assertion.get("value")
    if kind in _EXACT:
        if assertion.get("transform"):
            raise Unfit("assert", state("transform"))
        yield _exactly(value, variables, "assert")
    elif kind in _SCHEMAS:
        schema = value
        if isinstance(value, str) and not value.startswith("file://"):
            schema = json_value(value)
        if (only := _only_value(schema)) is not None:
            yield only, ""


def _exactly(value: object, variables: JsonObject, at: str) -> tuple[object, str]:
    if isinstance(value, str):
        if value.startswith(("file://", "javascript:", "python:")):
            raise Unfit(at, state("answer_elsewhere", seen=short(value)))
        if (template := _VARIABLE.fullmatch(value.strip())) and template[1] in variables:
            return variables[template[1]], template[1]
        if "{{" in value or "{%" in value:
            raise Unfit(at, state("answer_template", seen=short(value)))
    return (value if isinstance(value, str) else written(value)), ""


def _only_value(schema: object) -> str | None:
    """The one JSON text that a schema allows, where it allows no other."""
    if not isinstance(schema, dict):
        return None
    if "const" in schema:
        return written(schema["const"])
    if isinstance(one := schema.get("enum"), list) and len(one) == 1:
        return written(one[0])
    fields, required = schema.get("properties"), schema.get("required")
    if (
        not isinstance(fields, dict)
        or not fields
        or not isinstance(required, list)
        or {*fields} - {*map(str, required)}
    ):
        return None
    inside = {name: _only_value(field) for name, field in fields.items()}
    if schema.get("additionalProperties") is not False or None in inside.values():
        return None
    return "{" + ",".join(f"{written(name)}:{text}" for name, text in inside.items()) + "}"


def expected(record: JsonObject) -> tuple[object, str]:
    """The answer of promptfoo's column, a bare text or `equals:` and a text, and the variable that it is, if any."""
    cells = [value for name, value in record.items() if _COLUMN.fullmatch(name) and value not in (None, "")]
    faults = []
    for cell in cells:
        try:
            return _in_cell(cell, variables(record))
        except Unfit as unfit:
            faults.append(unfit)
    raise faults[0] if faults else Unfit(EXPECTED, state("empty", at=EXPECTED), "empty")


def _in_cell(cell: object, known: JsonObject) -> tuple[object, str]:
    if not isinstance(cell, str):
        return cell, ""
    if cell.strip() in _BARE:
        raise Unfit(EXPECTED, state("asks_for", seen=repr(cell.strip())))
    kind, colon, value = cell.partition(":")
    kind = kind.strip()
    if not colon or " " in kind:
        return _exactly(cell, known, EXPECTED)
    if kind in _EXACT:
        return _exactly(value.strip(), known, EXPECTED)
    if kind in _SCHEMAS and (only := _only_value(json_value(value))) is not None:
        return only, ""
    if kind in _OTHERS or kind.startswith(("not-", "llm-", "is-", "model-", "contains-", "icontains", "context-")):
        raise Unfit(EXPECTED, state("asks_for", seen=short(kind)))
    return _exactly(cell, known, EXPECTED)


def is_expected(column: str) -> bool:
    """Whether a column holds what promptfoo expects."""
    return _COLUMN.fullmatch(column) is not None


_COLUMN = re.compile(r"__expected[1-9]?")
_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_SCHEMAS = ("is-json", "contains-json")
_BARE = {"is-json", "contains-json", "is-valid-openai-tools-call", "is-valid-openai-function-call"}
_OTHERS = {
    *("contains", "icontains", "contains-all", "contains-any", "contains-json", "regex", "starts-with", "similar"),
    *(
        "javascript",
        "python",
        "ruby",
        "file",
        "exec",
        "fn",
        "eval",
        "grade",
        "webhook",
        "cost",
        "latency",
        "levenshtein",
        "rouge-n",
        "factuality",
    ),
}


def expectations(value: object) -> object:
    """The answer of MLflow's expectations: `expected_response`, or the only one there is."""
    if not isinstance(value, dict):
        raise wrong_kind("expectations", "expectations", value)
    if not value:
        raise Unfit("expectations", state("empty", at="expectations"), "empty")
    if "expected_response" in value:
        return value["expected_response"]
    if len(value) == 1:
        return next(iter(value.values()))
    raise Unfit("expectations", state("no_expected"))


def variables(record: JsonObject) -> JsonDict:
    """promptfoo's variables in a table: every column that is not for promptfoo itself."""
    return {name: value for name, value in record.items() if not name.startswith("__") and name not in _MARKS}


_MARKS = ("split", "group", "id", "description")
