"""Test cases that other evaluators keep, read as examples: promptfoo's and MLflow's. They are read, never written.

Only a case that names the one answer it wants can be used; one that describes the answer (a rubric, a substring, a
program) is refused by name.
"""

from collections.abc import Mapping
from typing import Any

from app.datasets.reading.faults import Unfit, kind_of, short

EXPECTED = "__expected"  # the column of promptfoo's tables
_EXACT = ("equals", "is-exactly")


def inputs(value: object, at: str) -> Any:
    """What is asked: the one value of the variables, or each on a line with its name."""
    if isinstance(value, list | str):
        return value
    if not isinstance(value, dict):
        raise Unfit(at, f"{at} has to be an object with the question, not {kind_of(value)}.")
    if not value:
        raise Unfit(at, f"{at} is empty.", "empty")
    if len(value) == 1:
        return next(iter(value.values()))
    if not all(isinstance(value, str) for value in value.values()):
        raise Unfit(at, f"{at} holds several values that are not all text; choose the one that is the question.")
    return "\n".join(f"{name}: {value}" for name, value in value.items())


def asserted(assertions: object) -> Any:
    """The answer of promptfoo's `assert`: that of its first exact comparison."""
    if not isinstance(assertions, list):
        raise Unfit("assert", f"assert has to be a list, not {kind_of(assertions)}.")
    for assertion in assertions:
        if isinstance(assertion, dict) and assertion.get("type") == "equals":
            return assertion.get("value")
    kinds = (
        ", ".join(sorted({str(assertion.get("type"))[:40] for assertion in assertions if isinstance(assertion, dict)}))
        or "nothing"
    )
    raise Unfit("assert", f"The case asks for {kinds}; only equals names the expected answer.")


def expected(cell: object) -> Any:
    """The answer of promptfoo's column: a bare text, or `equals:` and a text."""
    if not isinstance(cell, str):
        return cell
    if cell.strip() in _BARE:
        raise Unfit(EXPECTED, f"The case asks for {cell.strip()!r}; only a text or equals names the expected answer.")
    kind, colon, value = cell.partition(":")
    if not colon or " " in kind.strip():
        return cell
    if kind.strip() in _EXACT:
        return value.strip()
    if kind.strip() in _OTHERS or kind.strip().startswith(("not-", "llm-", "is-", "model-")):
        raise Unfit(
            EXPECTED, f"The case asks for {short(kind.strip())}; only a text or equals names the expected answer."
        )
    return cell


_BARE = {"is-json", "contains-json", "is-valid-openai-tools-call", "is-valid-openai-function-call"}
_OTHERS = {
    *("contains", "icontains", "contains-all", "contains-any", "contains-json", "regex", "starts-with", "similar"),
    *(
        "javascript",
        "python",
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


def expectations(value: object) -> Any:
    """The answer of MLflow's expectations: `expected_response`, or the only one there is."""
    if not isinstance(value, dict):
        raise Unfit("expectations", f"expectations has to be an object, not {kind_of(value)}.")
    if not value:
        raise Unfit("expectations", "expectations is empty.", "empty")
    if "expected_response" in value:
        return value["expected_response"]
    if len(value) == 1:
        return next(iter(value.values()))
    raise Unfit("expectations", "expectations has no expected_response, so the expected answer is not clear.")


def variables(record: Mapping[str, Any]) -> dict[str, Any]:
    """promptfoo's variables in a table: every column that is not for promptfoo itself."""
    return {name: value for name, value in record.items() if not name.startswith("__") and name not in _MARKS}


_MARKS = ("split", "group", "id", "description")
