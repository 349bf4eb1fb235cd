"""Which JSON schemas and expressions can be kept while an answer is written, in words where they can't. Pure."""

from collections.abc import Iterator
from math import inf

import re2

from app.json_types import JsonObject

DEEPEST = 16  # levels of a schema: hosted servers take 5 to 10, and people read fewer
LONGEST_EXPRESSION = 2_000
MOST_AT_ONCE = 10_000  # schemas that are tried on one value, with all that they refer to
LONGEST_CHAIN = 100  # references that lead to references
LONGEST_NUMBER = 10  # digits of a place in a list
REASON = 200  # characters of a reason that somebody else's code gives

# What the grammar engine knows (llguidance, docs/json_schema.md); it ignores what it has never heard of, so that a
# keyword that is typed wrong would allow everything without a word.
ANNOTATIONS = frozenset(
    {"$schema", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
)
OF_SCHEMAS = frozenset({"$defs", "definitions", "properties", "patternProperties"})  # names with a schema each
OF_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
OF_LISTS_AT_ONCE = ("anyOf", "oneOf", "allOf")  # each of these schemas is tried on the same value
OF_ONE = frozenset({"items", "additionalProperties"})
PLAIN = frozenset(
    {
        *("type", "enum", "const", "$ref", "required", "minItems", "maxItems", "minProperties", "maxProperties"),
        *("minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "multipleOf"),
    }
)
KEYWORDS = ANNOTATIONS | OF_SCHEMAS | OF_LISTS | OF_ONE | PLAIN
NEVER = frozenset(
    {
        *("not", "if", "then", "else", "uniqueItems", "contains", "minContains", "maxContains", "propertyNames"),
        *("dependentRequired", "dependentSchemas", "dependencies", "unevaluatedItems", "unevaluatedProperties"),
        *("additionalItems", "$id", "id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary"),
        *("contentEncoding", "contentMediaType", "contentSchema", "x-guidance"),
    }
)
# What a schema may say that it is written in. Any other address would be asked for, by whoever validates the schema.
DRAFTS = frozenset(
    {
        *(f"json-schema.org/draft-0{number}/schema" for number in (4, 6, 7)),
        *(f"json-schema.org/draft/{year}/schema" for year in ("2019-09", "2020-12")),
    }
)
FORMATS = ("date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid")


def expression_fault(text: str) -> str:
    """Why this expression cannot be used, or nothing. RE2 is what matches without ever going back, as decoding has to:
    no look-around, no references to groups."""
    if len(text) > LONGEST_EXPRESSION:
        return f"An expression has at most {LONGEST_EXPRESSION:,} characters."
    try:
        options = re2.Options()
        options.log_errors = False
        re2.compile(text, options)
    except re2.error as error:
        words = error.args[0] if error.args else ""
        said_why = (words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words))[:REASON]
        return f"The expression cannot be read ({said_why}). Look-around and references to groups are not possible."
    if _edge_of_a_word(text):
        return "The edge of a word (\\b) is not possible here; write out what may stand at that place."
    return ""


def _edge_of_a_word(text: str) -> bool:
    escaped = False
    for character in text:
        if escaped and character in "bB":
            return True
        escaped = character == "\\" and not escaped
    return False


def faults(schema: object) -> Iterator[str]:
    """What of a whole schema cannot be kept while an answer is written, one sentence each."""
    for place, part, depth in walk(schema):
        if depth > DEEPEST:
            yield f"It is nested deeper than {DEEPEST} levels."
            return
        if isinstance(part, dict):
            yield from _keyword_faults(part, schema, place or "the schema")
        elif not isinstance(part, bool):
            yield f"At {place or 'the schema'}: this is no schema; a schema is an object, true or false."
    if isinstance(schema, dict):
        yield from _too_many(schema)


def _too_many(schema: JsonObject) -> Iterator[str]:
    """A schema that leads back to itself on the same value, or multiplies: neither can be checked in time."""
    known: dict[int, float] = {}
    for place, part, _ in walk(schema):
        if isinstance(part, dict) and _at_once(part, schema, known, []) > MOST_AT_ONCE:
            yield (
                f"At {place or 'the schema'}: alternatives and references lead to more than {MOST_AT_ONCE:,} schemas "
                "for one value, or back to this one. Name fewer, and refer to a schema from inside its properties."
            )
            return


def _at_once(schema: object, root: object, known: dict[int, float], way: list[int]) -> float:
    """How many schemas are tried on a value that this one is tried on. way: those that led here."""
    if not isinstance(schema, dict):
        return 1
    if id(schema) in way or len(way) > LONGEST_CHAIN:
        return inf
    if id(schema) not in known:
        inner = [part for name in OF_LISTS_AT_ONCE if isinstance(parts := schema.get(name), list) for part in parts]
        if isinstance(reference := schema.get("$ref"), str):
            inner.append(resolved(reference, root))
        way.append(id(schema))
        known[id(schema)] = 1 + sum(_at_once(part, root, known, way) for part in inner)
        way.pop()
    return known[id(schema)]


def walk(schema: object, place: str = "", depth: int = 0) -> Iterator[tuple[str, object, int]]:
    """Every schema inside a schema, itself first: where it stands, it, and how deep that is; at most one level below
    what is allowed."""
    yield place, schema, depth
    if isinstance(schema, dict) and depth <= DEEPEST:
        for name, part in parts(schema):
            yield from walk(part, f"{place}/{name}".lstrip("/"), depth + 1)


def parts(schema: JsonObject) -> Iterator[tuple[str, object]]:
    """The schemas right inside one, each with a name for where it stands."""
    for name, value in schema.items():
        if name in OF_SCHEMAS and isinstance(value, dict):
            yield from value.items()
        elif name in OF_LISTS and isinstance(value, list):
            yield from ((f"{name} {number}", part) for number, part in enumerate(value, start=1))
        elif name in OF_ONE:
            yield name, value


def _keyword_faults(schema: JsonObject, root: object, place: str) -> Iterator[str]:
    for name in schema:
        if name in NEVER:
            yield f"At {place}: “{name}” cannot be kept while an answer is written. Take it out."
        elif name not in KEYWORDS and not name.startswith("x-"):
            yield f"At {place}: “{name}” is no keyword of JSON Schema. Correct it, or take it out."
    if (draft := schema.get("$schema")) is not None and not _is_draft(draft):
        yield f"At {place}: “$schema” names no version of JSON Schema that is known. Take it out."
    if (reference := schema.get("$ref")) is not None and (fault := _reference_fault(reference, root)):
        yield f"At {place}: {fault}"
    if (shape := schema.get("format")) is not None and shape not in FORMATS:
        yield f"At {place}: the format “{shape}” is not known. Use one of {', '.join(FORMATS)}, or a “pattern”."
    yield from (f"At {place}: {fault}" for pattern in _patterns(schema) if (fault := expression_fault(pattern)))
    yield from (f"At {place}: “{name}” is required, and not among the properties." for name in _impossible(schema))


def _is_draft(named: object) -> bool:
    if not isinstance(named, str):
        return False
    scheme, _, place = named.removesuffix("#").partition("://")
    return scheme in ("http", "https") and place in DRAFTS


def _patterns(schema: JsonObject) -> list[str]:
    named = schema.get("patternProperties")
    return [
        text for text in (schema.get("pattern"), *(named if isinstance(named, dict) else ())) if isinstance(text, str)
    ]


def _impossible(schema: JsonObject) -> Iterator[str]:
    """Names that an object needs and may not have."""
    known, needed = schema.get("properties", {}), schema.get("required")
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    if closed and isinstance(known, dict) and isinstance(needed, list):
        yield from (name for name in needed if isinstance(name, str) and name not in known)


def _reference_fault(reference: object, root: object) -> str:
    if not isinstance(reference, str) or not reference.startswith("#"):
        named = str(reference)[:REASON]
        return f"the reference “{named}” leads out of the schema. Only references like “#/$defs/name” are followed."
    if reference != "#" and resolved(reference, root) is None:
        return f"the reference “{reference[:REASON]}” leads nowhere."
    return ""


def resolved(reference: str, root: object) -> object:
    """What a local reference names; None where it leads nowhere."""
    value: object = root
    for part in reference.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and len(name) < LONGEST_NUMBER and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value if isinstance(value, dict | bool) else None


def says_a_kind(schema: object, root: object = None, followed: set[str] | None = None) -> bool:
    """Whether a schema says anything of what a value is; one that does not allows every JSON. followed: references
    that were, each once: a few that name each other many times would take for ever."""
    if not isinstance(schema, dict):
        return False
    if {"type", "enum", "const", "properties"} & schema.keys():
        return True
    root = schema if root is None else root
    followed = set() if followed is None else followed
    inner = []
    if (reference := schema.get("$ref", "#")) not in ("#", *followed):
        followed.add(reference)
        inner.append(resolved(reference, root))
    for name in OF_LISTS_AT_ONCE:
        inner += schema.get(name) or []
    return any(says_a_kind(part, root, followed) for part in inner)
