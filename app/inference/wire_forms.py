"""How a constraint is said to a model server, and how its answer is read back. Pure.

There is one standard for JSON schemas and none for the rest, so each form is as one kind of server documents it:
`response_format` (OpenAI's Structured Outputs, taken over by vLLM, SGLang, llama.cpp and most hosted ones),
`structured_outputs` (vLLM from 0.12), `guided_*` (vLLM before that), `regex` (SGLang), `grammar` (llama.cpp). A server
that does not know a field may ignore it without a word: which form it keeps is found out by asking
(`server_constraints`).
"""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.inference import schemas
from app.inference.constraints import Constraint
from app.json_types import JsonObject

FIELD = "answer"  # what holds an answer where a server takes objects only
NAME = "answer_format"


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Form:
    """One way to say it. wire: what is added to a request. read: the answer out of the server's text. changes: what is
    asked for that differs from the constraint, a sentence each."""

    name: str
    wire: JsonObject
    read: Callable[[str], str] = _same
    changes: tuple[str, ...] = field(default_factory=tuple)


def forms(constraint: Constraint) -> Iterator[Form]:
    """Every form that could do, the one that changes least first."""
    match constraint.kind:
        case "json_schema":
            yield from _of_schema(constraint.schema)
        case "regex":
            yield Form("structured_outputs", {"structured_outputs": {"regex": constraint.text}})
            yield Form("guided_regex", {"guided_regex": constraint.text})
            yield Form("regex", {"regex": constraint.text})
        case _:
            labels = list(constraint.labels)
            yield Form("structured_outputs", {"structured_outputs": {"choice": labels}})
            yield Form("guided_choice", {"guided_choice": labels})
            yield Form("grammar", {"grammar": gbnf(labels)})
            yield Form("regex", {"regex": "|".join(_escaped(label) for label in labels)})
            yield _wrapped({"type": "string", "enum": labels}, text=True)


def gbnf(labels: list[str]) -> str:
    """The labels as a grammar of llama.cpp; strings there are escaped as in JSON."""
    return "root ::= " + " | ".join(json.dumps(label, ensure_ascii=False) for label in labels)


def _escaped(label: str) -> str:
    return "".join(f"\\{character}" if character in r"\.^$|?*+()[]{}" else character for character in label)


# ---------------------------------------------------------------- schemas


def _of_schema(schema: dict[str, object]) -> Iterator[Form]:
    yield Form("response_format", _response_format(schema))
    if schema.get("type") != "object":
        if all(part.get("$ref") != "#" for _, part, _ in schemas.walk(schema) if isinstance(part, dict)):
            yield _wrapped(schema, text=False)
        return
    strict = copy.deepcopy(schema)
    changes = list(_made_strict(strict))
    if strict != schema:
        yield Form(
            "response_format, strict",
            _response_format(strict),
            lambda text: _without_nulls(text, schema),
            tuple(dict.fromkeys(changes)),
        )


def _response_format(schema: JsonObject) -> dict[str, object]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": NAME, "strict": True, "schema": schema}}}


def _wrapped(schema: JsonObject, *, text: bool) -> Form:
    """For servers whose strict mode takes objects only: the answer is the one field of an object, taken out again.
    text: it is taken out as the text that it holds, not as JSON."""
    inner = {name: value for name, value in schema.items() if name not in ("$defs", "definitions", "$schema")}
    outer = {
        "type": "object",
        "properties": {FIELD: inner},
        "required": [FIELD],
        "additionalProperties": False,
        **{name: schema[name] for name in ("$defs", "definitions") if name in schema},
    }

    def read(answer: str) -> str:
        try:
            value = json.loads(answer)[FIELD]
        except (ValueError, LookupError, TypeError, RecursionError):
            return answer
        return value if text and isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    change = f"The server takes objects only, so the answer is the field “{FIELD}” of one; it is taken out again."
    return Form("response_format, in a field", _response_format(outer), read, (change,))


def _made_strict(schema: dict[str, object]) -> Iterator[str]:
    """Change a schema to what strict mode takes: every key required, none besides, no `oneOf`. Says what it changed."""
    for place, part, _ in list(schemas.walk(schema)):
        if not isinstance(part, dict):
            continue
        if "oneOf" in part and "anyOf" not in part:
            part["anyOf"] = part.pop("oneOf")
            yield "Alternatives of which exactly one should hold are asked for as alternatives."
        known = part.get("properties")
        if not isinstance(known, dict):
            continue
        at = f" of {place}" if place else ""
        optional = [name for name in known if name not in part.get("required", ())]
        for name in optional:
            known[name] = {"anyOf": [known[name], {"type": "null"}]}
        if optional:
            part["required"] = list(known)
            names = ", ".join(optional[:5]) + (", …" if len(optional) > 5 else "")
            yield f"Strict mode wants every key, so what may be missing{at} may be null, and is left out: {names}."
        if part.get("additionalProperties") is not False and "patternProperties" not in part:
            part["additionalProperties"] = False
            yield f"Strict mode allows no further keys{at}."


def _without_nulls(text: str, schema: JsonObject) -> str:
    """An answer without the keys that are null only because strict mode wants every key."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return json.dumps(value, ensure_ascii=False) if _drop(value, schema, schema, 0) else text


def _drop(value: object, schema: object, root: object, depth: int) -> bool:
    """Take such keys out of a value; whether there were any."""
    if not isinstance(schema, dict) or depth > schemas.DEEPEST:
        return False
    if isinstance(reference := schema.get("$ref"), str):
        return _drop(value, schemas.resolved(reference, root), root, depth + 1)
    dropped = [_drop(value, part, root, depth + 1) for part in schema.get("anyOf") or schema.get("oneOf") or ()]
    if isinstance(value, dict) and isinstance(known := schema.get("properties"), dict):
        for name, part in known.items():
            if name not in value:
                continue
            if value[name] is None and name not in schema.get("required", ()) and not _takes_null(part, root):
                del value[name]
                dropped.append(True)
            else:
                dropped.append(_drop(value[name], part, root, depth + 1))
    if isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        dropped += [_drop(one, items, root, depth + 1) for one in value]
    return any(dropped)


def _takes_null(schema: object, root: object, depth: int = 0) -> bool:
    if not isinstance(schema, dict) or depth > schemas.DEEPEST:
        return True
    if isinstance(reference := schema.get("$ref"), str):
        return _takes_null(schemas.resolved(reference, root), root, depth + 1)
    if "enum" in schema:
        return None in schema["enum"]
    if "const" in schema:
        return schema["const"] is None
    if inner := schema.get("anyOf", schema.get("oneOf")):
        return any(_takes_null(part, root, depth + 1) for part in inner)
    kind = schema.get("type")
    return kind is None or kind == "null" or (isinstance(kind, list) and "null" in kind)
