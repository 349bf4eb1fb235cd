"""The policy as values, looked up by name: its thresholds, weights, gates, rules and sources.

`policy.toml` is what people argue about; nothing in here is a number or a reason. `policy_file` reads it. A team's own
policy is the built-in one with other numbers (`Policy.with_numbers`): texts, reasons and sources stay, thresholds move
between their bounds, and a weight may change its size but not its direction, because the direction is what its sources
speak for.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypedDict

from app.glossary import named

LARGEST_POINTS = 3
MARKS = {
    "V": "primary",
    "S": "secondary",
    "M": "unverified",
    "J": "our judgement",
}
Mark = Literal["V", "S", "M", "J"]
Unit = Literal["rows", "calls", "months", "tokens", "failures", "times", "share", "points", "kappa"]
Known = Literal["declared", "measured", "declared, then measured"]
APPROACHES = ("prompt", "rag", "fine_tune")
APPROACH_NAMES = {"prompt": "prompt", "rag": "RAG", "fine_tune": "fine-tune"}

IN_GENERAL = {
    "missing": "N",
    "rows": "N",
    "asked": "N",
    "calls": "N",
    "failed": "N",
    "arms": "the variants that fit the case",
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

    label: the answer in words. wording: as the policy was published, which its hash is taken over, with thresholds in
    braces for answers that are bands of a number.
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
    def name(self) -> str:
        return f"{self.factor}.{self.answer}"

    @property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """The least and the most for each approach: the direction stays, and where there is none, one point is room."""
        return tuple(
            (0, LARGEST_POINTS) if points > 0 else (-LARGEST_POINTS, 0) if points < 0 else (-1, 1)
            for points in self.points
        )


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a gate or a band is held against, `low` and `high` included. `unit` is one of `Unit`. before: of
    one that was added to the rules later, the value that every policy counts as having had."""

    name: str
    value: float
    because: str
    source: str
    sources: tuple[Source, ...] = ()
    title: str = ""
    unit: str = "times"
    low: float = 0
    high: float = 0
    before: float | None = None

    @property
    def hashed(self) -> bool:
        """Whether it is part of the policy's hash: approvals rest on policies of before it was there, which say the
        same as long as it has the value that they count as having."""
        return self.before is None or self.value != self.before

    @property
    def label(self) -> str:
        """What pages call it; the title is part of the policy's hash."""
        return named(f"threshold.{self.name}", self.title)

    @property
    def text(self) -> str:
        """The value as a sentence has it: 1,000; 5 %; 10 (points); 0.6."""
        return number_text(self.value, self.unit)

    @property
    def whole(self) -> bool:
        return self.unit not in ("share", "points", "kappa")

    @property
    def bounds_text(self) -> str:
        """What may be published: `500 to 20,000`, `3 to 30 points`."""
        return f"{number_text(self.low, self.unit)} to {number_text(self.high, self.unit)}"

    def tidy(self, value: float) -> float:
        """The same number, written in one way only, since a hash is taken of it: a count has no fraction."""
        return int(value) if self.whole else float(value)


def number_text(value: float, unit: str) -> str:
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

    @property
    def label(self) -> str:
        """What pages call it; the title is part of the policy's hash."""
        return named(f"gate.{self.id}", self.title)


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


class Numbers(TypedDict, total=False):
    """Every number of a policy by its name (`kappa`, `F01.facts`), as JSON; what is left out stays as it is.

    Whoever sends some may send others: `Policy.faults_of` says what can't be used.
    """

    thresholds: Mapping[str, float]
    weights: Mapping[str, Sequence[int]]


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
                    [rule.factor, rule.answer, list(rule.points), rule.wording, rule.because, _keys(rule.sources)]
                    for rule in self.weights
                ],
                "thresholds": [
                    [rule.name, rule.value, rule.unit, rule.title, rule.because, _keys(rule.sources)]
                    for rule in self.thresholds
                    if rule.hashed
                ],
                "gates": [
                    [
                        rule.id,
                        rule.title,
                        rule.founding,
                        rule.why,
                        rule.meanwhile,
                        dict(rule.sayings),
                        _keys(rule.sources),
                    ]
                    for rule in self.gates.values()
                ],
                "verdict": [
                    [rule.id, rule.when, rule.then, rule.because, _keys(rule.sources)] for rule in self.verdict.values()
                ],
                "factors": [[factor.id, factor.title, factor.known, factor.why] for factor in self.factors.values()],
                "sources": [
                    [source.key, source.title, source.year, source.mark, source.link, source.nickname]
                    for source in self.sources.values()
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

    def numbers(self) -> Numbers:
        """Every number by name, as JSON: what a published policy keeps."""
        return {
            "thresholds": {threshold.name: threshold.value for threshold in self.thresholds},
            "weights": {weight.name: list(weight.points) for weight in self.weights},
        }

    def with_numbers(self, version: str, numbers: Numbers) -> "Policy":
        """The same rules with other numbers; a name that isn't given keeps its number here.

        Raises:
            FaultyPolicy: a number is out of bounds, numbers contradict each other, or a name isn't known.
        """
        if faults := list(self.faults_of(numbers)):
            raise FaultyPolicy([sentence for _, sentence in faults])
        return self.restored(version, numbers)

    def restored(self, version: str, numbers: Numbers) -> "Policy":
        """The same, of numbers that were checked when they were kept.

        Bounds may have moved since, and what was allowed then holds; a name that is no longer there is left out.
        """
        limits, points = numbers.get("thresholds", {}), numbers.get("weights", {})
        thresholds = tuple(
            replace(threshold, value=threshold.tidy(limits.get(threshold.name, threshold.value)))
            for threshold in self.thresholds
        )
        weights = (
            replace(weight, points=Points(*points[weight.name])) if weight.name in points else weight
            for weight in self.weights
        )
        return replace(self, version=version, thresholds=thresholds, weights=labelled(weights, thresholds))

    def faults_of(self, numbers: Numbers) -> Iterator[tuple[str, str]]:
        """What is wrong with other numbers for this policy: the name (`kappa`, `F01.facts`) and a sentence."""
        limits, points = numbers.get("thresholds", {}), numbers.get("weights", {})
        known = {threshold.name: threshold for threshold in self.thresholds}
        rows = {weight.name: weight for weight in self.weights}
        for name in numbers.keys() - {"thresholds", "weights"}:
            yield name, f'A policy has thresholds and weights, and no "{name}".'
        for name, value in limits.items():
            if name not in known:
                yield name, f'There is no threshold "{name}".'
            elif sentence := out_of_bounds(known[name], value):
                yield name, sentence
        for name, changed in points.items():
            if name not in rows:
                yield name, f'There is no answer "{name}" to weigh.'
            elif sentence := _misweighed(rows[name], changed):
                yield name, sentence
        now = {
            name: threshold.value if out_of_bounds(threshold, value := limits.get(name, threshold.value)) else value
            for name, threshold in known.items()
        }
        yield from clashing_numbers(now)

    # ---------------------------------------------------- words

    @cached_property
    def _sayings(self) -> dict[tuple[str, str], str]:
        """Every saying with this policy's thresholds filled in; what the gate fills in stays in braces."""
        texts = Kept({threshold.name: threshold.text for threshold in self.thresholds})
        return {
            (gate.id, name): saying.format_map(texts)
            for gate in self.gates.values()
            for name, saying in gate.sayings.items()
        }

    def say(self, gate: str, name: str, **numbers: object) -> str:
        """One of a gate's sentences, with the gate's own numbers filled in."""
        saying = self._sayings[gate, name]
        return saying.format_map(numbers) if numbers else saying

    def filled(self, sentence: str) -> str:
        """A sentence that is not the policy's, with its thresholds filled in."""
        return sentence.format_map({threshold.name: threshold.text for threshold in self.thresholds})

    def in_general(self, gate: str, name: str) -> str:
        """The same sentence without a case: N stands for what depends on one."""
        return self._sayings[gate, name].format_map(IN_GENERAL)


class Kept(dict[str, str]):
    """Leaves a name that it doesn't know in its braces."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def _keys(sources: Sequence[Source]) -> list[str]:
    return [source.key for source in sources]


JUDGED = "Our judgement [J]"
UNKNOWN_BECAUSE = "Not known yet, so it counts for nothing; an answer would make the advice surer."


# ------------------------------------------------------------------ bounds


def out_of_bounds(threshold: Threshold, value: object) -> str:
    """Why this value can't be the threshold's; empty if it can."""
    name, unit = threshold.label, threshold.unit
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN alone
        return f"{name} has to be a number."
    if not threshold.low <= value <= threshold.high:
        return f"{name} has to be between {number_text(threshold.low, unit)} and {number_text(threshold.high, unit)}."
    if threshold.whole and value != int(value):
        return f"{name} has to be a whole number."
    return ""


def _misweighed(weight: Weight, changed: object) -> str:
    """Why these points can't be the answer's; empty if they can."""
    name = f"{weight.factor} {weight.label or weight.answer}"
    if (
        not isinstance(changed, list | tuple)
        or len(changed) != len(APPROACHES)
        or any(isinstance(points, bool) or not isinstance(points, int) for points in changed)
    ):
        return f"{name} needs three whole numbers: prompt, RAG, fine-tune."
    for approach, points, (low, high) in zip(APPROACHES, changed, weight.bounds, strict=True):
        if not low <= points <= high:
            return f"{name}: the points for {APPROACH_NAMES[approach]} have to be between {low:+} and {high:+}."
    return ""


def clashing_numbers(limits: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Numbers that are fine one by one and make no sense together."""
    if limits["kappa"] > limits["kappa_high"]:
        yield "kappa", "Agreement that counts as high can't be lower than the least asked for."
    if limits["context_window"] > limits["corpus_large"]:
        yield "corpus_large", "'A few million' tokens can't end below what a model reads at once."
    if not limits["examples_few"] < limits["examples_pilot"] < limits["usable_examples"] < limits["examples_plenty"]:
        yield "examples_pilot", "Few, a pilot's worth, enough and plenty of examples have to come in this order."
    if not limits["calls_few"] < limits["calls_many"] < limits["calls_huge"]:
        yield "calls_many", "Few, many and very many calls a month have to come in this order."


def labelled(weights: Iterable[Weight], thresholds: Sequence[Threshold]) -> tuple[Weight, ...]:
    """The weights with the thresholds filled into the names of bands."""
    texts = Kept({threshold.name: threshold.text for threshold in thresholds})
    return tuple(
        replace(weight, label=weight.wording.format_map(texts)) if "{" in weight.wording else weight
        for weight in weights
    )
