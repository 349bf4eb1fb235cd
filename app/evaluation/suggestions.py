"""Which metric fits the expected answers, with the reason: the one that could decide first, then some to watch. Pure.

Only training rows are looked at. A person chooses; nothing is set by this.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from app.evaluation import numbers, structure
from app.evaluation.kinds import docstrings, limits
from app.evaluation.kinds.metric import Options, Value
from app.evaluation.kinds.overlap import tokens
from app.wording import percent, plural

SAMPLE = 2_000  # answers that are looked at
MOSTLY = 0.95  # share of the answers from which on they are of one kind
SOME = 0.5  # share from which on a form is part of the task
REPEATS = 4  # times that an answer has to stand there, on average, to be a label
LONGEST_LABEL = 60  # characters
SHORT, LONG = 12, 30  # words: up to the first an answer is short, from the second on it is long
LONGEST_UNIT = 6  # characters
SKEWED = 0.6  # share of one label from which on accuracy alone flatters
_SQL = re.compile(r"\s*(?:```\w*\s*)?(?:select|with)\b.*\bfrom\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A metric with options that could be filled in, and why. decides: it could be the deciding one; else to watch."""

    metric: str
    why: str
    options: Options = field(default_factory=dict)
    decides: bool = False


def suggest(answers: Sequence[str]) -> tuple[Suggestion, ...]:
    """What fits these expected answers, the best one first; nothing where there are none."""
    step = max(1, len(answers) // SAMPLE)
    looked_at = [answer.strip() for answer in answers[::step] if answer.strip()]
    if not looked_at:
        return ()
    first, *others = [*_deciding(looked_at)] or [_of_texts(looked_at)]
    seen = {first.metric}
    kept = [first]
    for suggestion in [*others, *_watched(looked_at, first.metric)]:
        if suggestion.metric not in seen:
            seen.add(suggestion.metric)
            kept.append(suggestion)
    return tuple(kept)


def _share(answers: Sequence[str], holds: Callable[[str], object]) -> float:
    return sum(bool(holds(answer)) for answer in answers) / len(answers)


def _deciding(answers: Sequence[str]) -> Iterator[Suggestion]:
    """From the most particular kind of answer to the least."""
    if (share := _share(answers, _is_object)) >= MOSTLY:
        names = Counter(name for answer in answers for name in structure.fields(structure.parsed(answer)))
        why = f"{percent(share, 0)} of the expected answers are JSON objects, with {plural(len(names), 'field')}."
        yield Suggestion("json_fields", f"{why} It shows which fields fail.", decides=True)
        yield Suggestion("json_match", f"{why} Choose it where one wrong field spoils the whole.", decides=True)
    if (share := _share(answers, _SQL.match)) >= MOSTLY:
        why = (
            f"{percent(share, 0)} of the expected answers are SQL queries; the same rows can be asked for in many ways."
        )
        yield Suggestion("sql_result", f"{why} Upload a database to compare results.", decides=True)
    if number := _numbers(answers):
        yield number
    if label := _labels(answers):
        yield label
    if (share := _share(answers, lambda answer: docstrings.described(answer).arguments)) >= SOME:
        why = f"{percent(share, 0)} of the expected answers are docstrings that describe arguments."
        yield Suggestion("docstring", f"{why} Wording may differ, names may not.", decides=True)


def _is_object(answer: str) -> bool:
    return isinstance(structure.parsed(answer), dict)


def _numbers(answers: Sequence[str]) -> Suggestion | None:
    """One number an answer; the decimal sign is the one by which more of them can be read, a point in doubt."""
    read = {point: _share(answers, partial(_is_number, point=point)) for point in (".", ",")}
    point = "," if read[","] > read["."] else "."
    if read[point] < MOSTLY or len(set(answers)) <= len(answers) / REPEATS:
        return None
    sign = "comma" if point == "," else "point"
    why = f"{percent(read[point], 0)} of the expected answers are one number; read with a decimal {sign}."
    return Suggestion("number_match", why, {"decimal": point}, decides=True)


def _is_number(answer: str, point: str) -> bool:
    """One with a unit of a few letters; “3 green lamps” is a text about a number."""
    number = numbers.read(answer, point)
    return number is not None and len(number[1]) <= LONGEST_UNIT


def _labels(answers: Sequence[str]) -> Suggestion | None:
    """Few short answers that come again and again."""
    counted = Counter(answers)
    short = sum(len(answer) <= LONGEST_LABEL and "\n" not in answer for answer in answers)
    if not 2 <= len(counted) <= len(answers) / REPEATS or short < MOSTLY * len(answers):
        return None
    name, most = counted.most_common(1)[0]
    why = f"Expected answers are {plural(len(counted), 'label')}: label accuracy, whatever dresses them."
    if most >= SKEWED * len(answers):
        why += f" {percent(most / len(answers), 0)} are “{name}”, so look at macro-F1, too."
    return Suggestion("normalised_match", why, decides=True)


def _of_texts(answers: Sequence[str]) -> Suggestion:
    words = round(median(len(tokens(answer)) for answer in answers))
    length = f"Half of the expected answers have {plural(words, 'word')} or fewer"
    if words <= SHORT:
        return Suggestion("token_f1", f"{length}, and few are alike: the words count, not their order.", decides=True)
    if _share(answers, lambda answer: len(tokens(answer)) > 2 * len(answer.split())) >= SOME:
        return Suggestion("chrf", f"{length}, in a script without blanks: characters are compared.", decides=True)
    if words >= LONG:
        why = f"{length}. Overlap says nothing about truth: read answers before you believe it."
        return Suggestion("rouge_l", why, decides=True)
    return Suggestion("chrf", f"{length}: close wording counts, other endings are forgiven.", decides=True)


def _watched(answers: Sequence[str], first: str) -> Iterator[Suggestion]:
    if first in ("json_fields", "json_match"):
        yield Suggestion("json_valid", "It tells answers of the wrong form from answers of the wrong content.")
    if first == "sql_result":
        yield Suggestion(
            "normalised_match", "It needs no database: how many queries are the expected ones word for word."
        )
    if first == "token_f1":
        yield Suggestion("normalised_match", "It counts answers that are the whole expected text.")
    words = [len(answer.split()) for answer in answers]
    if first in ("rouge_l", "chrf", "token_f1") and max(words) >= SHORT:
        yield Suggestion(
            "length_limits",
            f"No expected answer has more than {plural(max(words), 'word')}.",
            {"max_words": str(max(words))},
        )
        yield Suggestion("refusal", "Free text is where models refuse: a refusal is no wrong wording.")
    shape: dict[str, Value] = {}
    reasons = []
    if _share(answers, lambda answer: limits.checks(answer, {"bullets": True})["every line is a bullet"]) >= MOSTLY:
        shape["bullets"] = True
        reasons.append("are bullet lists")
    elif first not in ("json_fields", "sql_result", "docstring", "normalised_match", "number_match"):
        if _share(answers, lambda answer: limits.sentences(answer) == 1) >= MOSTLY and max(words) >= SHORT // 2:
            shape["one_sentence"] = True
            reasons.append("are one sentence")
        if max(words) >= SHORT and _share(answers, _has_markdown) <= 1 - MOSTLY:
            shape["no_markdown"] = True
            reasons.append("have no Markdown")
    if shape:
        yield Suggestion("format_check", f"Nearly all expected answers {' and '.join(reasons)}.", shape)


def _has_markdown(answer: str) -> bool:
    return any(pattern.search(answer) for pattern in limits.MARKDOWN.values())
