"""The policy's file: `policy.toml`, read once and checked from end to end.

`POLICY` is the built-in policy. What can be wrong with the file is said all at once, a sentence for each fault, when
the module is imported: a policy that can't be trusted must not get as far as the first page.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from app.advice.policy import (
    LARGEST_POINTS,
    Factor,
    FaultyPolicy,
    GateRule,
    Known,
    Mark,
    Ordered,
    Points,
    Policy,
    Source,
    Threshold,
    Unit,
    Weight,
    labelled,
    out_of_bounds,
)
from app.advice.policy_check import incomplete
from app.advice.questions import ASKED
from app.json_types import JsonObject
from app.strict import Expected, Fault, Place, faults

FILE = Path(__file__).with_name("policy.toml")

# ------------------------------------------------------------------ the tables of the file

STRICT = ConfigDict(extra="forbid")

Text = Annotated[str, Field(strict=True, pattern=r"\S"), Expected("a text")]
Number = Annotated[float, Field(strict=True), Expected("a number")]
Year = Annotated[int, Field(strict=True, ge=1900, le=2100), Expected("a year")]
Link = Annotated[str, Field(strict=True, pattern=r'^https://[^\s"<>]+$'), Expected("an address")]
Yes = Annotated[bool, Field(strict=True), Expected("true or false")]
Worth = Annotated[int, Field(strict=True, ge=-LARGEST_POINTS, le=LARGEST_POINTS)]
Cited = Annotated[list[Annotated[str, Field(strict=True)]], Field(strict=True, min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: Text
    year: Year
    mark: Mark
    link: Link = ""
    short: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdTable:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: Text
    value: Number
    low: Number
    high: Number
    unit: Unit
    because: Text
    sources: Cited
    before: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTable:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: Text
    founding: Yes
    why: Text
    needed: Text
    meanwhile: Text
    sources: Cited
    change: dict[str, Text]
    needed_cheaper: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedTable:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    when: Text
    then: Text
    because: Text
    sources: Cited


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsTable:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    prompt: Worth
    rag: Worth
    fine_tune: Worth


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTable:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    points: PointsTable
    because: Text
    sources: Cited
    label: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorTable:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    title: Text
    known: Known
    why: Text
    answers: dict[str, AnswerTable]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTables:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    version: Text
    sources: dict[str, SourceTable]
    thresholds: dict[str, ThresholdTable]
    gates: dict[str, GateTable]
    verdict: dict[str, OrderedTable]
    factors: dict[str, FactorTable]


_TABLES, _THRESHOLD = TypeAdapter(PolicyTables), TypeAdapter(ThresholdTable)


# ------------------------------------------------------------------ reading


def load(text: str) -> Policy:
    """Read a policy file.

    Raises:
        FaultyPolicy: with a sentence for each fault.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaultyPolicy([f"The policy is not TOML: {error}."]) from error
    wrong: list[Fault] = []
    try:
        tables = _TABLES.validate_python(data)
    except ValidationError as error:
        wrong = list(faults(error, PolicyTables))
    sentences = list(dict.fromkeys(map(_sentence, wrong)))
    sentences += _unlisted(data)
    sentences += _without_room(data, {fault.place[:2] for fault in wrong})
    if sentences:
        raise FaultyPolicy(sentences)
    policy = _policy(tables)
    if lacking := list(incomplete(policy)):
        raise FaultyPolicy(lacking)
    return policy


def _policy(tables: PolicyTables) -> Policy:
    sources = {key: _source(key, table) for key, table in tables.sources.items()}

    def cited(keys: list[str]) -> tuple[Source, ...]:
        return tuple(sources[key] for key in keys)

    thresholds = tuple(_threshold(name, table, cited(table.sources)) for name, table in tables.thresholds.items())
    weights = (
        _weight(factor, answer, table, cited(table.sources))
        for factor, factor_table in tables.factors.items()
        for answer, table in factor_table.answers.items()
    )
    return Policy(
        tables.version,
        labelled(weights, thresholds),
        thresholds,
        {name: _gate(name, table, cited(table.sources)) for name, table in tables.gates.items()},
        {
            name: Ordered(name, table.when, table.then, table.because, cited(table.sources))
            for name, table in tables.verdict.items()
        },
        {name: Factor(name, table.title, table.known, table.why) for name, table in tables.factors.items()},
        sources,
    )


def _source(key: str, table: SourceTable) -> Source:
    return Source(key, table.title, table.year, table.mark, table.link, table.short)


def _line(sources: tuple[Source, ...]) -> str:
    return "; ".join(source.text for source in sources)


def _threshold(name: str, table: ThresholdTable, sources: tuple[Source, ...] = ()) -> Threshold:
    threshold = Threshold(
        name,
        table.value,
        table.because,
        _line(sources),
        sources,
        table.title,
        table.unit,
        table.low,
        table.high,
        table.before,
    )
    return replace(threshold, value=threshold.tidy(threshold.value))


def _gate(name: str, table: GateTable, sources: tuple[Source, ...]) -> GateRule:
    cheaper = {} if table.needed_cheaper is None else {"needed_cheaper": table.needed_cheaper}
    sayings = {"needed": table.needed, **cheaper, **table.change}
    return GateRule(name, table.title, table.founding, table.why, table.meanwhile, sayings, sources)


def _weight(factor: str, answer: str, table: AnswerTable, sources: tuple[Source, ...]) -> Weight:
    points = Points(table.points.prompt, table.points.rag, table.points.fine_tune)
    label = _choice_label(factor, answer) if table.label is None else table.label
    wording = AS_PUBLISHED.get((factor, answer), label)
    return Weight(factor, answer, points, table.because, _line(sources), sources, label, wording)


# ------------------------------------------------------------------ what is wrong with it


def _sentence(fault: Fault) -> str:
    """One fault of the file in words."""
    *parents, key = fault.place
    at = _where(tuple(parents))
    if fault.kind == "missing":
        return f'{at} has no "{key}".'
    if fault.kind == "unknown":
        return f'{at}: "{key}" is not known there.'
    owner = _where(tuple(parents[:-1]))
    match fault.place:
        case (section,) if section != "version":
            sentence = f'"{section}" has to hold tables.'
        case (_, _) | (_, _, "answers", _) | (*_, "points"):
            sentence = f"{_where(fault.place)} has to be a table."
        case (*_, "points", _):
            sentence = f"{owner}: points have to be whole numbers from -{LARGEST_POINTS} to +{LARGEST_POINTS}."
        case (*_, "sources"):
            sentence = f"{at} names no source."
        case (*_, "sources", int()):
            sentence = f"{owner} names a source that is no text."
        case (*_, "link"):
            sentence = f'{at}: "link" has to begin with https://.'
        case _:
            sentence = f'{at}: "{key}" has to be {_expected(fault)}.'
    return sentence


def _expected(fault: Fault) -> str:
    if fault.choices:
        return f"one of {', '.join(fault.choices)}"
    return "a table" if fault.expected == "an object" else fault.expected


def _where(place: Place) -> str:
    """What stands at a place of the file, for the beginning of a sentence."""
    match place:
        case ("factors", factor, "answers", answer):
            return f"{factor} {answer}"
        case ("factors", factor, "answers", answer, "points"):
            return f"{factor} {answer}: points"
        case ("verdict", name):
            return f"The verdict's rule {name}"
        case (str() as section, name, *rest):
            return f"The {section.removesuffix('s')} {name}{', change' if rest else ''}"
    return "The policy"


def _unlisted(data: JsonObject) -> Iterator[str]:
    """Sources that are named and not listed."""
    listed = data.get("sources")
    if not isinstance(listed, dict):
        return
    for place, table in _citing(data):
        named = table.get("sources")
        for key in named if isinstance(named, list) else ():
            if isinstance(key, str) and key not in listed:
                yield f'{_where(place)} names a source "{key}" that is not listed.'


def _citing(data: JsonObject) -> Iterator[tuple[Place, JsonObject]]:
    """Every table that names sources, with its place."""
    for section in ("thresholds", "gates", "verdict"):
        yield from (((section, name), table) for name, table in _tables(data.get(section)))
    for factor, table in _tables(data.get("factors")):
        yield from ((("factors", factor, "answers", answer), row) for answer, row in _tables(table.get("answers")))


def _tables(value: object) -> Iterator[tuple[str, JsonObject]]:
    for name, table in value.items() if isinstance(value, dict) else ():
        if isinstance(table, dict):
            yield name, table


def _without_room(data: JsonObject, wrong: set[Place]) -> Iterator[str]:
    """Thresholds whose bounds leave no room or leave their own value out. wrong: what can't be read anyway."""
    for name, table in _tables(data.get("thresholds")):
        if ("thresholds", name) in wrong:
            continue
        threshold = _threshold(name, _THRESHOLD.validate_python(table))
        if threshold.low >= threshold.high:
            yield f"The threshold {name} has bounds that leave no room."
        elif sentence := out_of_bounds(threshold, table["value"]):
            yield f"The threshold {name}: {sentence}"


# Answers that the questionnaire has put into other words since. The hash of a policy is taken over the words that it
# was published with, and every approval under it names that hash; pages show today's.
AS_PUBLISHED: Mapping[tuple[str, str], str] = {
    ("F01", "facts"): "Know facts it does not know",
    ("F01", "format"): "Always give the same shape",
    ("F01", "style"): "Sound like us",
    ("F01", "terms"): "Use our words right",
    ("F01", "classify"): "Put things in categories",
    ("F01", "extract"): "Pull fields out of text",
    ("F01", "tools"): "Call our tools or write our query language",
    ("F01", "safety"): "Refuse or guard better",
    ("F03", "must"): "It must",
    ("F09", "skewed"): "No: one-sided, or all made up",
    ("F24", "weak"): "Yes, one notices",
}


def _choice_label(factor: str, answer: str) -> str:
    """The words that the questionnaire has for an answer; a row that no question offers needs a label of its own."""
    labels = (
        choice.label
        for question in ASKED.values()
        if question.factor == factor
        for choice in question.choices
        if choice.value == answer
    )
    return next(labels, "")


POLICY = load(FILE.read_text(encoding="utf-8"))
