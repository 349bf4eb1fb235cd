"""Why an answer fails: the words for it, and a first guess to start from.

The guess looks at texts only and asks no model; a person decides. It is shown as a suggestion and counts for nothing
until somebody has pressed it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app import chosen
from app.baselines import passage_use
from app.baselines.answer_details import AnswerDetails
from app.evaluation import metrics
from app.evaluation.metrics import Options
from app.wording import plural

HELP: Mapping[str, str] = {
    "behaviour": "Form, tone, label, order; it knew enough and did it wrong.",
    "facts": "It could not know: something is missing from the question and the instructions.",
    "instructions": "Our instructions leave this open; a person could have done the same.",
    "reference": "The expected answer is itself wrong or only one of several right ones.",
}
CAUSES: dict[str, tuple[str, str]] = {cause: (chosen.WORDS["cause"][cause], told) for cause, told in HELP.items()}

FACT = re.compile(r"\d[\d.,:/-]*\d|\d|\b[A-Z][\w-]*[A-Z\d][\w-]*\b")  # numbers, dates, codes such as AB-12 or HTTPError
JSON = ("json_valid", "json_match", "json_schema", "json_fields")
EMPTY = "The answer is empty."
ENOUGH = 30  # tagged failures that gate G9 asks for


@dataclass(frozen=True, slots=True)
class Guess:
    """A cause and the sentence that says why it looks like that."""

    cause: str
    because: str


def guess(
    question: str,
    target: str,
    output: str,
    *,
    finish: str,
    metric: str,
    options: Options | None = None,
    passages: AnswerDetails | None = None,
) -> Guess | None:
    """What the texts suggest; None when they suggest nothing. passages: what was kept with the answer of those that it
    was given (`passage_use.details`). An answer that was cut suggests nothing: what it would have said nobody knows.

    Only what the metric compares counts: a name that a pattern passes over is no fact that was missing.
    """
    if finish == "length":
        return None
    first = next(_signs(question, target, output, metric, options or {}), None)
    retrieved = _of_passages(passages)
    plainer = first is not None and first.because == EMPTY
    return first if retrieved is None or plainer else retrieved


def _of_passages(passages: AnswerDetails | None) -> Guess | None:
    """Whether the right passage was there says more than any likeness of texts."""
    match passage_use.failure(passages):
        case "missed":
            number = plural(len((passages or {}).get("passages", ())), "passage")
            return Guess("facts", f"No gold passage was among the {number} retrieved.")
        case "unused":
            return Guess("behaviour", "A gold passage was there, and the output does not use it.")
        case "misused":
            return Guess("behaviour", "It uses a gold passage and is wrong all the same.")
    return None


def _signs(question: str, target: str, output: str, metric: str, options: Options) -> Iterator[Guess]:
    """Everything that speaks for a cause, the plainest sign first."""
    wanted, answered = (metrics.get(metric).view(text, options) for text in (target, output))
    if not target.strip():
        yield Guess("reference", "The expected answer is empty.")
    if not output.strip():
        yield Guess("behaviour", EMPTY)
    if metric in JSON and not metrics.score("json_valid", output, target, {}):
        yield Guess("behaviour", "The answer is not JSON.")
    if metric != "normalised_match" and wanted and metrics.score("normalised_match", answered, wanted, {}):
        yield Guess("behaviour", "Only capitals, blanks or punctuation differ.")
    known = set(FACT.findall(question)) | set(FACT.findall(output))
    compared = _signs_only(wanted)
    facts = [fact for fact in dict.fromkeys(FACT.findall(target)) if _signs_only(fact) in compared]
    if missing := [fact for fact in facts if fact not in known]:
        named = ", ".join(missing[:3])
        yield Guess("facts", f"The expected answer has {named}, which the question does not.")
    if metrics.score("rouge_l", answered, wanted, {}) >= 0.5:
        yield Guess("behaviour", "It says much of what was expected, in another form.")


def _signs_only(text: str) -> str:
    """Letters and digits alone, in small letters: a metric may have folded the text before it compares."""
    return "".join(sign for sign in text.casefold() if sign.isalnum())
