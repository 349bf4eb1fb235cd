"""Answers that are JSON: that they can be read, keep to a schema, say the same, or get so many fields right."""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from app.evaluation import structure
from app.evaluation.kinds.metric import Fault, Kept, Metric, Option, Options, text_of

if TYPE_CHECKING:
    import jsonschema_rs

SCHEMA_LIMIT = 10_000  # characters


def _reach(options: Options) -> dict[str, bool]:
    """How far around the JSON we look."""
    return {name: bool(options.get(name)) for name in ("fence", "around")}


def _json(text: str, options: Options) -> object:
    return structure.parsed(text, **_reach(options))


def _json_valid(output: str, _target: str, options: Options) -> float:
    return float(_json(output, options) is not structure.NOTHING)


def _json_match(output: str, target: str, options: Options) -> float:
    answer, wanted = _json(output, options), _json(target, options)
    if answer is structure.NOTHING or wanted is structure.NOTHING:
        return 0.0
    try:
        return float(structure.same(answer, wanted))
    except RecursionError:  # nested about a thousand deep: no data anyone means
        return 0.0


def _json_view(text: str, options: Options) -> str:
    value = _json(text, options)
    if value is structure.NOTHING:
        return "not JSON"
    try:
        return structure.written(value)
    except RecursionError:  # nested too deep to be written again
        return structure.bare(text, **_reach(options))


# ------------------------------------------------------------------ by schema


def _compiled(schema: str) -> "jsonschema_rs.Validator":
    """A check of values: formats count, patterns are read in linear time, nothing is fetched."""
    import jsonschema_rs

    return jsonschema_rs.validator_for(
        json.loads(schema), validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


_check_of = lru_cache(maxsize=16)(_compiled)


def _json_schema(output: str, _target: str, options: Options) -> float:
    if _json(output, options) is structure.NOTHING:
        return 0.0
    try:
        return float(
            _check_of(text_of(options, "schema")).is_valid(json.loads(structure.bare(output, **_reach(options))))
        )
    except (ValueError, RecursionError):  # numbers or depths that no check takes
        return 0.0


def _schema_view(text: str, options: Options) -> str:
    """What is wrong with it by the schema, one fault a line; the JSON itself where nothing is."""
    if _json(text, options) is structure.NOTHING:
        return "not JSON"
    try:
        value = json.loads(structure.bare(text, **_reach(options)))
        faults = [
            f"{'/'.join(map(str, error.instance_path)) or 'the whole'}: {error.message}"
            for error in _check_of(text_of(options, "schema")).iter_errors(value)
        ]
    except (ValueError, RecursionError):
        return "cannot be checked"
    return "\n".join(faults[:20]) or _json_view(text, options)


def _schema_faults(kept: Kept) -> Iterator[Fault]:
    if "schema" in kept and (wrong := schema_fault(text_of(kept, "schema"))):
        yield "schema", wrong


def schema_fault(text: str) -> str:
    """Why a JSON schema cannot be used, as a sentence; empty where it can."""
    import jsonschema_rs

    if len(text) > SCHEMA_LIMIT:
        return f"The schema has {len(text):,} characters; at most {SCHEMA_LIMIT:,} can be used."
    try:
        schema = json.loads(text)
        if not isinstance(schema, dict) or not schema:
            return "A schema is a JSON object that says something, like {“type”: “object”}."
        if outside := next(_outside(schema), ""):
            return f"References may only point inside the schema (#/...); this one does not: {outside[:80]}"
        _compiled(text)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RecursionError) as error:
        return f"This is not a JSON schema that can be used: {str(error).splitlines()[0][:200]}"
    return ""


def _outside(value: object) -> Iterator[str]:
    """References that point out of the schema."""
    if isinstance(value, dict):
        for key, held in value.items():
            if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(held, str) and not held.startswith("#"):
                yield held
            yield from _outside(held)
    elif isinstance(value, list):
        for held in value:
            yield from _outside(held)


# ------------------------------------------------------------------ by field


def _json_fields(output: str, target: str, options: Options) -> float:
    """Right fields of the expected ones; with `extra`, of the expected ones and those that nobody expected."""
    wanted = _json(target, options)
    if wanted is structure.NOTHING:
        return 0.0
    try:
        judged = structure.judged_fields(wanted, _json(output, options))
    except RecursionError:
        return 0.0
    right = sum(judgement == "right" for judgement in judged.values())
    counted = sum(judgement != "extra" for judgement in judged.values())
    if options.get("extra"):
        counted = len(judged)
    return right / counted if counted else _json_match(output, target, options)


FENCE = Option(
    name="fence",
    kind="flag",
    title="Accept JSON inside a code fence",
    help="Reads the JSON between ``` or ~~~ too, when that is all there is. Leave it off when the program behind reads "
    "the answer as it is.",
)
AROUND = Option(
    name="around",
    kind="flag",
    title="Accept sentences around the JSON",
    help="Reads the one piece of JSON in a longer text. The program behind has to do the same. Two pieces stay wrong.",
)

METRICS = (
    Metric(name="json_match", binary=True, score=_json_match, view=_json_view, options=(FENCE, AROUND)),
    Metric(name="json_valid", binary=True, score=_json_valid, view=_json_view, options=(FENCE, AROUND)),
    Metric(
        name="json_schema",
        binary=True,
        score=_json_schema,
        view=_schema_view,
        faults=_schema_faults,
        options=(
            Option(
                name="schema",
                kind="long",
                title="JSON schema",
                help="Formats such as date or email are checked. References only inside the schema.",
                required=True,
            ),
            FENCE,
            AROUND,
        ),
    ),
    Metric(
        name="json_fields",
        binary=False,
        score=_json_fields,
        view=_json_view,
        options=(
            FENCE,
            AROUND,
            Option(
                name="extra",
                kind="flag",
                title="Count fields that nobody expected",
                help="A field that the expected answer does not have then counts like a wrong one.",
            ),
        ),
    ),
)
