"""The policy as values: `policy.toml`, read once, checked from end to end, and looked up by name.

The file is what people argue about; nothing in here is a number or a reason. `POLICY` is the built-in policy. A team's
own one is the built-in with other numbers (`Policy.with_numbers`): texts, reasons and sources stay, thresholds move
between their bounds, and a weight may change its size but not its direction, because the direction is what its sources
speak for.

What can be wrong with the file is said all at once, a sentence for each fault, when the module is imported: a policy
that can't be trusted must not get as far as the first page.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from app.advice.questions import ASKED, FACTORS

T = TypeVar("T")

FILE = Path(__file__).with_name("policy.toml")
LARGEST_POINTS = 3
MARKS = {
    "V": "read in the source itself",
    "S": "read in a text that reports it",
    "M": "from memory, not checked",
    "J": "our own judgement",
}
UNITS = ("rows", "calls", "months", "tokens", "failures", "times", "share", "points", "kappa")
KNOWN = ("declared", "measured", "declared, then measured")
APPROACHES = ("prompt", "rag", "fine_tune")

# The rows of factors whose answers are computed from a number or a measurement, so that no question lists them.
COMPUTED = {
    "F05": ("none", "fits", "large", "huge"),
    "F07": ("few", "some", "pilot", "enough", "plenty"),
    "F11": ("few", "some", "many", "huge"),
    "F13": ("facts", "behaviour", "instructions", "reference"),
    "F14": ("set", "metric only"),
    "F17": ("pass", "fail", "not_goal"),
    "F19": ("named", "nobody"),
    "F21": ("heavy", "fine"),
}
UNKNOWN = "unknown"
RULES = ("1", "2", "3", "4", "5", "6")  # of verdict.py, in its order

# What gates.py says by name, and the numbers it fills in beside the thresholds. `needed` is a name as well.
SAYINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "G1": {"needed": (), "short": ("missing",), "unfinished": ("missing",), "declared": ("missing",), "nothing": ()},
    "G2": dict.fromkeys(
        ("needed", "daily", "main_goal", "no_goal", "no_main_goal", "gap", "causes", "unsaid", "not_measured"), ()
    ),
    "G3": {
        "needed": ("calls",),
        "contradiction": (),
        "once": (),
        "no_calls": (),
        "few_calls": ("calls",),
        "unsaid": (),
    },
    "G4": {
        "needed": (),
        "not_kept": (),
        "not_frozen": (),
        "few": ("missing",),
        "asked": ("asked",),
        "overlap": ("rows",),
        "unchecked": (),
        "overlap_unknown": (),
        "checked_unknown": (),
        "asked_unknown": (),
    },
    "G5": {
        "needed": ("arms",),
        "nothing": ("arms",),
        "missing": ("arms",),
        "revise": (),
        "other_base": (),
        "unfinished": (),
        "no_schema": (),
        "no_passages": (),
        "uncounted": (),
        "errors": (),
    },
    "G6": {
        "needed": (),
        "needed_cheaper": (),
        "not_measured": (),
        "met": (),
        "without_model": (),
        "unclear": (),
        "unclear_by": ("rows",),
        "no_teacher": (),
        "teacher_short": (),
        "few": ("missing",),
        "rows_unknown": (),
    },
    "G7": dict.fromkeys(("needed", "unset", "unset_after", "late", "order_unknown"), ()),
    "G8": dict.fromkeys(("needed", "contradictions", "kappa", "declared_low", "nothing"), ()),
    "G9": dict.fromkeys(
        (
            "needed",
            "facts",
            "instructions",
            "reference",
            "behaviour",
            "no_goal",
            "no_goal_untagged",
            "met",
            "copying",
            "few",
            "untrainable",
        ),
        (),
    )
    | {"few_failed": ("failed",)},
    "G10": dict.fromkeys(("needed", "forbidden", "undecided", "unsaid"), ()),
    "G11": dict.fromkeys(("needed", "unsaid", "nobody"), ()),
    "G12": dict.fromkeys(("needed", "not_the_goal", "fail", "nothing"), ()),
}


IN_GENERAL = {
    "missing": "N",
    "rows": "N",
    "asked": "N",
    "calls": "N",
    "failed": "N",
    "arms": "the arms that fit the case",
}


class FaultyPolicy(Exception):
    """The policy can't be used; `faults` holds a sentence for each thing that is wrong with it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = tuple(faults)


# ------------------------------------------------------------------ values


@dataclass(frozen=True, slots=True)
class Points:
    """What one answer speaks for; -3 to +3 for each approach."""

    prompt: int = 0
    rag: int = 0
    fine_tune: int = 0

    def __add__(self, other: "Points") -> "Points":
        return Points(self.prompt + other.prompt, self.rag + other.rag, self.fine_tune + other.fine_tune)

    def __iter__(self) -> Iterator[int]:
        return iter((self.prompt, self.rag, self.fine_tune))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from. `mark` is a key of `MARKS`; an empty `link` means that no address is sure."""

    key: str
    title: str
    year: int
    mark: str
    link: str = ""
    nickname: str = ""

    @property
    def text(self) -> str:
        return f"{self.title} [J]" if self.mark == "J" else f"{self.title} ({self.year}) [{self.mark}]"

    @property
    def short(self) -> str:
        """For a place with little room: the authors and the year, since titles begin with them."""
        name = self.nickname or self.title.split(",")[0]
        return name if self.mark == "J" else f"{name} {self.year}"

    @property
    def how_read(self) -> str:
        return MARKS[self.mark]


@dataclass(frozen=True, slots=True)
class Weight:
    """The points of one answer to one factor. Where several answers hold (F01), their points add up.

    label: the answer in words. wording: the same with thresholds in braces, for answers that are bands of a number.
    """

    factor: str
    answer: str
    points: Points
    because: str
    source: str
    sources: tuple[Source, ...] = ()
    label: str = ""
    wording: str = ""

    @property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """The least and the most for each approach: the direction stays, and where there is none, one point is room."""
        return tuple(
            (0, LARGEST_POINTS) if points > 0 else (-LARGEST_POINTS, 0) if points < 0 else (-1, 1)
            for points in self.points
        )


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a gate or a band is held against, `low` and `high` included. `unit` is one of `UNITS`."""

    name: str
    value: float
    because: str
    source: str
    sources: tuple[Source, ...] = ()
    title: str = ""
    unit: str = "times"
    low: float = 0
    high: float = 0

    @property
    def text(self) -> str:
        """The value as a sentence has it: 1,000; 5 %; 10 (points); 0.6."""
        return shown(self.value, self.unit)

    @property
    def whole(self) -> bool:
        return self.unit not in ("share", "points", "kappa")

    @property
    def bounds_text(self) -> str:
        """What may be published: `500 to 20,000`, `3 to 30 points`."""
        return f"{shown(self.low, self.unit)} to {shown(self.high, self.unit)}"

    def tidy(self, value: float) -> float:
        """The same number, written in one way only, since a hash is taken of it: a count has no fraction."""
        return int(value) if self.whole else float(value)


def shown(value: float, unit: str) -> str:
    if unit == "kappa":
        return f"{value:g}"
    if unit in ("share", "points"):
        return f"{value * 100:g}" + (" %" if unit == "share" else "")
    return f"{value:,.0f}"


@dataclass(frozen=True, slots=True)
class GateRule:
    """A gate in words: its condition (`needed` among the sayings), its reason, and what to do while it is shut."""

    id: str
    title: str
    founding: bool
    why: str
    meanwhile: str
    sayings: Mapping[str, str]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Factor:
    """What is asked or measured. `known` says which of the two."""

    id: str
    title: str
    known: str
    why: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """One of the ordered rules of the verdict, in words; `id` is its place."""

    id: str
    when: str
    then: str
    because: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, eq=False)
class Policy:
    """One version of the rule set. Two are the same if their `sha256` is."""

    version: str
    weights: tuple[Weight, ...]
    thresholds: tuple[Threshold, ...]
    gates: Mapping[str, GateRule]
    verdict: Mapping[str, Ordered]
    factors: Mapping[str, Factor]
    sources: Mapping[str, Source]

    @cached_property
    def sha256(self) -> str:
        """Over the canonical JSON of everything that can move a verdict or its explanation."""
        text = json.dumps(
            {
                "version": self.version,
                "weights": [
                    [one.factor, one.answer, list(one.points), one.wording, one.because, _keys(one.sources)]
                    for one in self.weights
                ],
                "thresholds": [
                    [one.name, one.value, one.unit, one.title, one.because, _keys(one.sources)]
                    for one in self.thresholds
                ],
                "gates": [
                    [one.id, one.title, one.founding, one.why, one.meanwhile, dict(one.sayings), _keys(one.sources)]
                    for one in self.gates.values()
                ],
                "verdict": [
                    [one.id, one.when, one.then, one.because, _keys(one.sources)] for one in self.verdict.values()
                ],
                "factors": [[one.id, one.title, one.known, one.why] for one in self.factors.values()],
                "sources": [
                    [one.key, one.title, one.year, one.mark, one.link, one.nickname] for one in self.sources.values()
                ],
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()

    # ---------------------------------------------------- numbers

    @cached_property
    def _limits(self) -> dict[str, float]:
        return {threshold.name: threshold.value for threshold in self.thresholds}

    @cached_property
    def _weights(self) -> dict[tuple[str, str], Weight]:
        return {(weight.factor, weight.answer): weight for weight in self.weights}

    def limit(self, name: str) -> float:
        return self._limits[name]

    def count(self, name: str) -> int:
        return int(self._limits[name])

    def weight(self, factor: str, answer: str) -> Weight:
        """The row for this answer; `unknown` is worth nothing unless the table has a row for it (F08 has)."""
        return self._weights.get((factor, answer)) or Weight(factor, answer, Points(), UNKNOWN_BECAUSE, JUDGED)

    def answers(self, factor: str) -> tuple[Weight, ...]:
        """Every row of one factor, in the order of the file."""
        return tuple(weight for weight in self.weights if weight.factor == factor)

    def numbers(self) -> dict[str, Any]:
        """Every number by name, as JSON: what a published policy keeps."""
        return {
            "thresholds": {threshold.name: threshold.value for threshold in self.thresholds},
            "weights": {f"{weight.factor}.{weight.answer}": list(weight.points) for weight in self.weights},
        }

    def with_numbers(self, version: str, numbers: Mapping[str, Any]) -> "Policy":
        """The same rules with other numbers; a name that isn't given keeps its number here.

        Raises:
            FaultyPolicy: a number is out of bounds, numbers contradict each other, or a name isn't known.
        """
        if faults := list(self.faults_of(numbers)):
            raise FaultyPolicy([sentence for _, sentence in faults])
        return self.restored(version, numbers)

    def restored(self, version: str, numbers: Mapping[str, Any]) -> "Policy":
        """The same, of numbers that were checked when they were kept.

        Bounds may have moved since, and what was allowed then holds; a name that is no longer there is left out.
        """
        limits, points = numbers.get("thresholds", {}), numbers.get("weights", {})
        thresholds = tuple(replace(one, value=one.tidy(limits.get(one.name, one.value))) for one in self.thresholds)
        weights = (
            replace(one, points=Points(*points[name])) if (name := f"{one.factor}.{one.answer}") in points else one
            for one in self.weights
        )
        return replace(self, version=version, thresholds=thresholds, weights=_labelled(weights, thresholds))

    def faults_of(self, numbers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What is wrong with other numbers for this policy: the name (`kappa`, `F01.facts`) and a sentence."""
        limits, points = numbers.get("thresholds", {}), numbers.get("weights", {})
        known = {threshold.name: threshold for threshold in self.thresholds}
        rows = {f"{weight.factor}.{weight.answer}": weight for weight in self.weights}
        for name in numbers.keys() - {"thresholds", "weights"}:
            yield name, f'A policy has thresholds and weights, and no "{name}".'
        for name, value in limits.items():
            if name not in known:
                yield name, f'There is no threshold "{name}".'
            elif sentence := _out_of_bounds(known[name], value):
                yield name, sentence
        for name, given in points.items():
            if name not in rows:
                yield name, f'There is no answer "{name}" to weigh.'
            elif sentence := _misweighed(rows[name], given):
                yield name, sentence
        now = {
            name: one.value if _out_of_bounds(one, value := limits.get(name, one.value)) else value
            for name, one in known.items()
        }
        yield from _contradictions(now)

    # ---------------------------------------------------- words

    @cached_property
    def _said(self) -> dict[tuple[str, str], str]:
        """Every saying with this policy's thresholds filled in; what the gate fills in stays in braces."""
        texts = _Kept({threshold.name: threshold.text for threshold in self.thresholds})
        return {
            (gate.id, name): saying.format_map(texts)
            for gate in self.gates.values()
            for name, saying in gate.sayings.items()
        }

    def say(self, gate: str, name: str, **numbers: object) -> str:
        """One of a gate's sentences, with the gate's own numbers filled in."""
        saying = self._said[gate, name]
        return saying.format_map(numbers) if numbers else saying

    def filled(self, sentence: str) -> str:
        """A sentence that is not the policy's, with its thresholds filled in."""
        return sentence.format_map({threshold.name: threshold.text for threshold in self.thresholds})

    def in_general(self, gate: str, name: str) -> str:
        """The same sentence without a case: N stands for what depends on one."""
        return self._said[gate, name].format_map(IN_GENERAL)


class _Kept(dict[str, str]):
    """Leaves a name that it doesn't know in its braces."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def _keys(sources: Sequence[Source]) -> list[str]:
    return [source.key for source in sources]


JUDGED = "Our judgement [J]"
UNKNOWN_BECAUSE = "Not known yet, so it counts for nothing; an answer would make the advice surer."


# ------------------------------------------------------------------ bounds


def _out_of_bounds(threshold: Threshold, value: object) -> str:
    """Why this value can't be the threshold's; empty if it can."""
    name, unit = threshold.title, threshold.unit
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN alone
        return f"{name} has to be a number."
    if not threshold.low <= value <= threshold.high:
        return f"{name} has to be between {shown(threshold.low, unit)} and {shown(threshold.high, unit)}."
    if threshold.whole and value != int(value):
        return f"{name} has to be a whole number."
    return ""


def _misweighed(weight: Weight, given: object) -> str:
    """Why these points can't be the answer's; empty if they can."""
    name = f"{weight.factor} {weight.label or weight.answer}"
    if (
        not isinstance(given, list | tuple)
        or len(given) != len(APPROACHES)
        or any(isinstance(points, bool) or not isinstance(points, int) for points in given)
    ):
        return f"{name} needs three whole numbers: prompt, RAG, fine-tune."
    for approach, points, (low, high) in zip(APPROACHES, given, weight.bounds, strict=True):
        if not low <= points <= high:
            said = {"prompt": "prompt", "rag": "RAG", "fine_tune": "fine-tune"}[approach]
            return f"{name}: the points for {said} have to be between {low:+} and {high:+}."
    return ""


def _contradictions(limits: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Numbers that are fine one by one and make no sense together."""
    if limits["kappa"] > limits["kappa_high"]:
        yield "kappa", "Agreement that counts as high can't be lower than the least asked for."
    if limits["context_window"] > limits["corpus_large"]:
        yield "corpus_large", "'A few million' tokens can't end below what a model reads at once."
    if not limits["examples_few"] < limits["examples_pilot"] < limits["usable_examples"] < limits["examples_plenty"]:
        yield "examples_pilot", "Few, a pilot's worth, enough and plenty of examples have to come in this order."
    if not limits["calls_few"] < limits["calls_many"] < limits["calls_huge"]:
        yield "calls_many", "Few, many and very many calls a month have to come in this order."


# ------------------------------------------------------------------ the file


class _Reader:
    """Reads tables strictly and notes every fault; what can't be read gets a harmless value in the meantime."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.sources: dict[str, Source] = {}

    def table(self, given: object, where: str, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
        if not isinstance(given, dict):
            self.faults.append(f"{where} has to be a table.")
            return {}
        self.faults += [f'{where} has no "{key}".' for key in keys if key not in given]
        self.faults += [f'{where}: "{key}" is not known there.' for key in given if key not in (*keys, *optional)]
        return given

    def text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        value = table.get(key, "-")
        if not isinstance(value, str) or not value.strip():
            self.faults.append(f'{where}: "{key}" has to be a text.')
            return "-"
        return value

    def number(self, table: Mapping[str, Any], key: str, where: str) -> float:
        value = table.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.faults.append(f'{where}: "{key}" has to be a number.')
            return 0
        return value

    def one_of(self, table: Mapping[str, Any], key: str, allowed: Sequence[str], where: str) -> str:
        value = table.get(key, allowed[0])
        if value not in allowed:
            self.faults.append(f'{where}: "{key}" has to be one of {", ".join(allowed)}.')
            return allowed[0]
        return str(value)

    def cited(self, table: Mapping[str, Any], where: str) -> tuple[Source, ...]:
        keys = table.get("sources")
        if not isinstance(keys, list) or not keys:
            self.faults.append(f"{where} names no source.")
            return ()
        self.faults += [
            f'{where} names a source "{key}" that is not listed.' for key in keys if key not in self.sources
        ]
        return tuple(self.sources[key] for key in keys if key in self.sources)


def load(text: str) -> Policy:
    """Read a policy file.

    Raises:
        FaultyPolicy: with a sentence for each fault.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaultyPolicy([f"The policy is not TOML: {error}."]) from error
    reader = _Reader()
    root = reader.table(data, "The policy", ("version", "sources", "thresholds", "gates", "verdict", "factors"))
    reader.sources = _named(reader, root, "sources", _source)
    thresholds = _named(reader, root, "thresholds", _threshold)
    gates = _named(reader, root, "gates", _gate)
    verdict = _named(reader, root, "verdict", _ordered)
    factors = _named(reader, root, "factors", _factor)
    weights = _labelled(_weights(reader, root.get("factors", {})), tuple(thresholds.values()))
    version = reader.text(root, "version", "The policy")
    made = Policy(version, weights, tuple(thresholds.values()), gates, verdict, factors, reader.sources)
    if not reader.faults:
        reader.faults += _incomplete(made)
    if reader.faults:
        raise FaultyPolicy(reader.faults)
    return made


def _named(reader: _Reader, root: Mapping[str, Any], name: str, read: Callable[[_Reader, str, Any], T]) -> dict[str, T]:
    tables = root.get(name, {})
    if not isinstance(tables, dict):
        reader.faults.append(f'"{name}" has to hold tables.')
        return {}
    return {key: read(reader, key, table) for key, table in tables.items()}


def _source(reader: _Reader, key: str, given: object) -> Source:
    where = f"The source {key}"
    table = reader.table(given, where, ("title", "year", "mark"), ("link", "short"))
    link = reader.text(table, "link", where) if "link" in table else ""
    if link and not re.fullmatch(r"https://[^\s\"<>]+", link):
        reader.faults.append(f'{where}: "link" has to begin with https://.')
    year = int(reader.number(table, "year", where))
    if not 1900 <= year <= 2100:
        reader.faults.append(f'{where}: "year" has to be a year.')
    nickname = reader.text(table, "short", where) if "short" in table else ""
    mark = reader.one_of(table, "mark", tuple(MARKS), where)
    return Source(key, reader.text(table, "title", where), year, mark, link, nickname)


def _threshold(reader: _Reader, name: str, given: object) -> Threshold:
    where = f"The threshold {name}"
    table = reader.table(given, where, ("title", "value", "low", "high", "unit", "because", "sources"))
    sources = reader.cited(table, where)
    made = Threshold(
        name,
        reader.number(table, "value", where),
        reader.text(table, "because", where),
        "; ".join(source.text for source in sources),
        sources,
        reader.text(table, "title", where),
        reader.one_of(table, "unit", UNITS, where),
        reader.number(table, "low", where),
        reader.number(table, "high", where),
    )
    if made.low >= made.high:
        reader.faults.append(f"{where} has bounds that leave no room.")
    elif sentence := _out_of_bounds(made, made.value):
        reader.faults.append(f"{where}: {sentence}")
        return made
    return replace(made, value=made.tidy(made.value))


def _gate(reader: _Reader, name: str, given: object) -> GateRule:
    where = f"The gate {name}"
    keys = ("title", "founding", "why", "needed", "meanwhile", "sources", "change")
    table = reader.table(given, where, keys, ("needed_cheaper",))
    changes = table.get("change", {})
    if not isinstance(changes, dict):
        reader.faults.append(f'{where}: "change" has to be a table.')
        changes = {}
    needed = {key: reader.text(table, key, where) for key in ("needed", "needed_cheaper") if key in table}
    if not isinstance(table.get("founding"), bool):
        reader.faults.append(f'{where}: "founding" has to be true or false.')
    return GateRule(
        name,
        reader.text(table, "title", where),
        table.get("founding") is True,
        reader.text(table, "why", where),
        reader.text(table, "meanwhile", where),
        needed | {key: reader.text(changes, key, f"{where}, change") for key in changes},
        reader.cited(table, where),
    )


def _ordered(reader: _Reader, name: str, given: object) -> Ordered:
    where = f"The verdict's rule {name}"
    table = reader.table(given, where, ("when", "then", "because", "sources"))
    when, then, because = (reader.text(table, key, where) for key in ("when", "then", "because"))
    return Ordered(name, when, then, because, reader.cited(table, where))


def _factor(reader: _Reader, name: str, given: object) -> Factor:
    where = f"The factor {name}"
    table = reader.table(given, where, ("title", "known", "why", "answers"))
    return Factor(
        name,
        reader.text(table, "title", where),
        reader.one_of(table, "known", KNOWN, where),
        reader.text(table, "why", where),
    )


def _weights(reader: _Reader, factors: object) -> Iterator[Weight]:
    for factor, table in factors.items() if isinstance(factors, dict) else ():
        answers = table.get("answers", {}) if isinstance(table, dict) else {}
        for answer, given in answers.items() if isinstance(answers, dict) else ():
            yield _weight(reader, factor, answer, given)


def _weight(reader: _Reader, factor: str, answer: str, given: object) -> Weight:
    where = f"{factor} {answer}"
    table = reader.table(given, where, ("points", "because", "sources"), ("label",))
    points = reader.table(table.get("points"), f"{where}: points", APPROACHES)
    worth = [points.get(approach, 0) for approach in APPROACHES]
    if any(isinstance(one, bool) or not isinstance(one, int) or abs(one) > LARGEST_POINTS for one in worth):
        reader.faults.append(f"{where}: points have to be whole numbers from -{LARGEST_POINTS} to +{LARGEST_POINTS}.")
        worth = [0, 0, 0]
    sources = reader.cited(table, where)
    label = reader.text(table, "label", where) if "label" in table else _choice_label(factor, answer)
    return Weight(
        factor,
        answer,
        Points(*worth),
        reader.text(table, "because", where),
        "; ".join(source.text for source in sources),
        sources,
        label,
        label,
    )


def _labelled(weights: Iterable[Weight], thresholds: Sequence[Threshold]) -> tuple[Weight, ...]:
    """The weights with the thresholds filled into the names of bands."""
    texts = _Kept({threshold.name: threshold.text for threshold in thresholds})
    return tuple(
        replace(weight, label=weight.wording.format_map(texts)) if "{" in weight.wording else weight
        for weight in weights
    )


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


def _incomplete(policy: Policy) -> Iterator[str]:
    """What the file lacks or has too much of, beside what the questionnaire and the gates ask for."""
    for factor in sorted(_asked() - policy.factors.keys()):
        yield f"The factor {factor} is asked for and has no table."
    for factor in sorted(policy.factors.keys() - _asked()):
        yield f"The factor {factor} has a table and no question."
    rows = {(weight.factor, weight.answer) for weight in policy.weights}
    for factor, answer in sorted(_answerable() - rows):
        yield f'{factor} has no row for the answer "{answer}".'
    for factor, answer in sorted(rows - _answerable()):
        if factor in _asked() and answer != UNKNOWN:
            yield f'{factor} has a row for "{answer}", which nobody can answer.'
    for one in policy.weights:
        if not one.label:
            yield f"{one.factor} {one.answer} has no label."
        elif "{" in one.label:
            yield f"{one.factor} {one.answer} has a label with a name in braces that is no threshold."
    if tuple(policy.verdict) != RULES:
        yield f"The verdict has the rules {', '.join(RULES)}, in this order, and no others."
    yield from _misspoken(policy)
    yield from (said for _, said in _contradictions({one.name: one.value for one in policy.thresholds}))


def _asked() -> set[str]:
    """The factors of the questionnaire; G10 is asked there too, for its gate alone."""
    return set(FACTORS) - {"G10"}


def _answerable() -> set[tuple[str, str]]:
    """Every answer that the questionnaire offers or that is computed."""
    found = {(factor, answer) for factor, answers in COMPUTED.items() for answer in answers}
    for question in ASKED.values():
        if question.factor in _asked() - COMPUTED.keys():
            found |= {(question.factor, choice.value) for choice in question.choices}
    return found


def _misspoken(policy: Policy) -> Iterator[str]:
    """Gates and sentences that are missing or superfluous, and names in braces that nothing fills in."""
    limits = {threshold.name for threshold in policy.thresholds}
    for gate in SAYINGS.keys() - policy.gates.keys():
        yield f"The gate {gate} has no table."
    for gate in policy.gates.keys() - SAYINGS.keys():
        yield f"There is no gate {gate}."
    for name in SAYINGS.keys() & policy.gates.keys():
        sayings = policy.gates[name].sayings
        for saying in SAYINGS[name].keys() - sayings.keys():
            yield f'The gate {name} has no sentence for "{saying}".'
        for saying in sayings.keys() - SAYINGS[name].keys():
            yield f'The gate {name} has a sentence for "{saying}", which it never says.'
        for saying in SAYINGS[name].keys() & sayings.keys():
            unknown = set(re.findall(r"{(.*?)}", sayings[saying])) - limits - set(SAYINGS[name][saying])
            yield from (f"The gate {name}, {saying}: nothing fills in {{{one}}}." for one in sorted(unknown))


POLICY = load(FILE.read_text(encoding="utf-8"))
