"""Sentences made of codes and numbers: rules say what they found, and one place of each concept puts it into words.

A rule gives a `Statement`: a code and the values that belong to it. A `Wording` is the table of a concept's sentences
by code, each a template or a function of the values. A template takes what Python's own formatting takes, and besides:

- `{rows:#row}` is a number with its noun, `{more:#row was|rows were}` the same where the plural is another word;
- `{score:%1}` is a share in percent with so many decimals, and `{target:%g}` one with as many as it needs.

So no sentence has to say "1 rows", and tests can compare codes and values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from app.json_types import JsonObject

MINUS = "\N{MINUS SIGN}"

Template = str | Callable[..., str]


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a rule says: which sentence, and the values in it."""

    code: str
    values: JsonObject = field(default_factory=dict)


def state(code: str, /, **values: object) -> Statement:
    return Statement(code, values)


def plural(value: float, singular: str, plural_form: str = "") -> str:
    """1 row, 2 rows; 1,412 rows."""
    number = f"{value:,.0f}".replace("-", MINUS)
    return f"{number} {singular if value == 1 else plural_form or singular + 's'}"


def inflect(value: float, singular: str, plural_form: str) -> str:
    """The word that goes with a number that stands elsewhere in the sentence: is, are."""
    return singular if value == 1 else plural_form


def percent(share: float, digits: int = 1) -> str:
    """0.74 -> 74.0 %: the one form of a share, on pages and in sentences."""
    return f"{share * 100:.{digits}f} %".replace("-", MINUS)


def target_text(share: float) -> str:
    """A target as people set it, with no more digits than it has: 85 %, 92.5 %. What was measured is a `percent`."""
    return f"{round(share * 100, 2):g} %"


def interval_text(low: float, high: float) -> str:
    """The interval of a share, the one form of it: 61.8 to 74.0 %."""
    return f"{low * 100:.1f} to {percent(high)}"


def signed_points(difference: float) -> str:
    """The number alone of a difference of two shares, in points, with its sign: 0.052 -> +5.2."""
    return f"{difference * 100:+.1f}".replace("-", MINUS)


def joined(parts: Sequence[str]) -> str:
    """One; one and another; one, another and a third."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def upper_first(text: str) -> str:
    """The same words at the beginning of a sentence; the other capitals stay."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """The same words inside a sentence; the other capitals stay, and so does a word like RAG."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


class _Sentences(Formatter):
    """Python's own templates with the two forms that the docstring of this file names."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("#"):
            singular, _, plural_form = format_spec[1:].partition("|")
            return plural(value, singular, plural_form)
        if format_spec == "%g":
            return f"{value * 100:g} %"
        if format_spec.startswith("%"):
            return percent(value, int(format_spec[1:]))
        return str(super().format_field(value, format_spec))


_FORMATTER = _Sentences()


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of one kind of rule, by code."""

    sentences: Mapping[str, Template]

    def __call__(self, statement: Statement) -> str:
        """The statement in words.

        Raises:
            KeyError: there is no sentence for its code, or a value that the sentence has room for is missing.
        """
        sentence = self.sentences[statement.code]
        if callable(sentence):
            return sentence(**statement.values)
        return _FORMATTER.vformat(sentence, (), statement.values)
