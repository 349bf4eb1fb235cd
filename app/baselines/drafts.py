"""A first system prompt, drafted from the training rows' answers: labels, JSON keys, or what texts have in common.

It is a place to begin, never sent before somebody has read it. Pure; texts come in as they may be shown.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil
from statistics import median

from app.baselines import classifier
from app.documents.tokens import estimate
from app.evaluation import structure
from app.wording import inflect, percent, plural

MOST_LABELS = 300  # more make a prompt that no model reads to its end
SAMPLE = 2_000  # answers that are looked at for keys and lengths
THINKING_ROOM = 1024  # tokens, where models are asked to think before they answer
LEAST_ROOM, MOST_ROOM = 256, 4096  # tokens of an answer; a small model's may be longer than those wanted
OFTEN = 0.9  # share of answers that have a trait before the draft asks for it


@dataclass(frozen=True, slots=True)
class Draft:
    """text: the draft. labels: one a line, as they may be inserted; empty where answers are no labels. basis: what it
    was drafted from, in a sentence. max_tokens: what 95 % of the answers have room in, by an estimate."""

    text: str
    labels: tuple[str, ...]
    basis: str
    max_tokens: int = LEAST_ROOM


def enough(counted: Sequence[tuple[str, int]]) -> Sequence[tuple[str, int]]:
    """Of the training rows' answers, each with its number of rows, those that a draft looks at: all of what may be
    labels, a sample of others."""
    few = len(counted) * classifier.REPEATS <= sum(number for _, number in counted)
    return counted if few else counted[:SAMPLE]


def draft(counted: Sequence[tuple[str, int]]) -> Draft | None:
    """A system prompt for answers like these; None where there are none. counted: the training rows' answers, each with
    its number of rows."""
    answers = [target.strip() for target, number in counted for _ in range(number) if target.strip()]
    if not answers:
        return None
    if classifier.labelled(answers):
        return _of_labels(answers)
    drafted = _of_objects(answers[:SAMPLE]) or _of_texts(answers[:SAMPLE])
    return replace(drafted, max_tokens=_room(answers[:SAMPLE]))


def _room(answers: Sequence[str]) -> int:
    """Tokens in which 95 % of the answers have room, and an eighth more: tokenizers differ by 10 to 20 %."""
    tokens = sorted(estimate(answer) for answer in answers)
    most = tokens[min(len(tokens) - 1, int(0.95 * len(tokens)))]
    return min(MOST_ROOM, max(LEAST_ROOM, ceil(most * 1.125 / 64) * 64))


def room(drafted: Draft, *, thinks: bool) -> int:
    """Tokens that answers get by default: more where models are asked to think first."""
    return max(drafted.max_tokens, THINKING_ROOM if thinks else 0)


def with_labels(text: str, labels: Sequence[str]) -> str:
    """The same prompt with the labels that it does not name yet, one a line, at its end."""
    lines = {line.strip().removeprefix("- ") for line in text.splitlines()}
    missing = [label for label in labels if label not in lines]
    if not missing:
        return text
    head = f"{text.rstrip()}\n\n" if text.strip() else ""
    return f"{head}Labels:\n{_listed(missing)}"


def _listed(labels: Sequence[str]) -> str:
    return "\n".join(f"- {label}" for label in labels)


def _of_labels(answers: Sequence[str]) -> Draft:
    spelled = Counter(answers)
    labels = sorted(spelled)[:MOST_LABELS]
    number = plural(len(labels), "label")
    text = f"Answer with one of these {number}, exactly as written. No sentence, no other label.\n\n{_listed(labels)}"
    left_out = len(spelled) - len(labels)
    rest = f"; {left_out:,} rarer ones are left out" if left_out else ""
    return Draft(text, tuple(labels), f"{number} in {plural(len(answers), 'training answer')}{rest}")


def _of_objects(answers: Sequence[str]) -> Draft | None:
    """For answers that are JSON objects: their keys, the kinds of their values, and which are always there."""
    objects = [structure.parsed(answer) for answer in answers]
    read = [value for value in objects if isinstance(value, dict)]
    if len(read) < OFTEN * len(answers):
        return None
    kinds: dict[str, Counter[str]] = {}
    for value in read:
        for key, content in value.items():
            kinds.setdefault(str(key), Counter())[_kind(content)] += 1
    lines = [
        f"- {key}: {counted.most_common(1)[0][0]}" + ("" if counted.total() == len(read) else ", only where it applies")
        for key, counted in kinds.items()
    ]
    keys = plural(len(kinds), "key")
    text = f"Answer with one JSON object and nothing else: no sentence, no code fence. It has {keys}:\n" + "\n".join(
        lines
    )
    return Draft(text, (), f"{keys} in {plural(len(read), 'training answer')}")


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds: Mapping[type, str] = {str: "text", Decimal: "number", list: "list", dict: "object"}
    return kinds.get(type(value), "null")


def _of_texts(answers: Sequence[str]) -> Draft:
    """For texts: how long they are, and what nearly all of them begin or end with."""
    words = sorted(len(answer.split()) for answer in answers)
    middle, most = round(median(words)), words[min(len(words) - 1, int(0.95 * len(words)))]
    one_line = _share(["\n" not in answer for answer in answers])
    rules = [
        f"Write about {plural(middle, 'word')}, at most {most:,}."
        if middle < most
        else f"Write {plural(most, 'word')}{' in one line' if one_line >= OFTEN else ''}."
    ]
    if one_line >= OFTEN and middle < most:
        rules.append("Write one line.")
    first, last = (
        _common([answer.split()[0] for answer in answers]),
        _common([answer.split()[-1] for answer in answers]),
    )
    last = last or _common([answer[-1] for answer in answers])
    rules += [f"{name} with {sign}" for name, sign in (("Begin", first), ("End", last)) if sign]
    fact = f"half of the training answers have at most {plural(middle, 'word')}, 95 % at most {most:,}"
    lines = f"; {percent(one_line, 0)} {inflect(len(answers), 'is', 'are')} one line"
    return Draft(
        "Give the answer and nothing else: no introduction, no explanation. " + " ".join(rules), (), fact + lines
    )


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)


def _common(pieces: Sequence[str]) -> str:
    """What nearly all of them are; empty for letters and digits alone, which say nothing of a form."""
    piece, times = Counter(pieces).most_common(1)[0]
    return piece if times >= OFTEN * len(pieces) and not piece.isalnum() else ""
