"""What people type into the questionnaire, turned into answers of the case file, and back.

An answer that can't be read yet is kept as it was typed: a draft may be wrong or half-done. Readable answers are stored
as the case file has them, so `answers` there and here are the same thing:

- not answered: no key; "I don't know": the word `unknown`; a name that is nobody's: null;
- a percentage is kept as a share, a count as a whole number, choices by their code.
"""

import json
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol

from app.advice.case import NotACase, parse
from app.advice.questions import ASKED, SECTIONS, Question, Section
from app.advice.schema import GOALS, UNKNOWN, Answer, AnswersByKey
from app.evaluation.metrics import METRICS

LONGEST_TYPED = 400
NOBODY = "nobody"
OPTIONAL = frozenset({"context_window"})
"""Asked, but not missed: the advice has a sensible value of its own."""


class Form(Protocol):
    """What a browser sends: every value by the name of its field."""

    def getlist(self, key: Any) -> Sequence[object]: ...


def read_section(section: Section, form: Form, before: AnswersByKey, touched: str = "") -> dict[str, Answer]:
    """The section's answers; a question that wasn't answered has no key.

    `before` are the stored answers and `touched` the field that was used last, if the page could tell: they decide
    where a text field and an option beside it say different things.
    """
    read_all = ((question.key, read(question, form, before, touched)) for question in section.asked)
    return {key: answer for key, answer in read_all if not isinstance(answer, NotAnswered)}


class NotAnswered(Enum):
    """What stands for no answer, since None is one."""

    NOTHING = "nothing"


NOT_ANSWERED = NotAnswered.NOTHING


def read(question: Question, form: Form, before: AnswersByKey, touched: str = "") -> Answer | NotAnswered:
    """One answer from its fields: `key`, and beside typed ones `key-option` for "I don't know" and "nobody".

    Where both are filled, the one touched last counts; where that isn't known, the one that is new: text that differs
    from what was stored, else the option.
    """
    texts = [value for value in (one_line(value) for value in form.getlist(question.key)) if value]
    if question.kind == "multi":
        picked = [value for value in dict.fromkeys(texts) if value != UNKNOWN]
        return picked or (UNKNOWN if texts else NOT_ANSWERED)
    if question.kind == "single":
        return texts[0] if texts else NOT_ANSWERED
    options = [OPTIONS[value] for value in form.getlist(f"{question.key}-option") if value in OPTIONS]
    if not texts:
        return options[0] if options else NOT_ANSWERED
    stale = touched == f"{question.key}-option" or (
        touched != question.key and texts[0] == field_text(question, before.get(question.key))
    )
    return options[0] if options and stale else _value(question, texts[0])


OPTIONS = {NOBODY: None, UNKNOWN: UNKNOWN}


def one_line(value: object) -> str:
    """Without control characters, which no answer needs and PostgreSQL refuses."""
    return "".join(letter for letter in str(value) if letter.isprintable()).strip()[:LONGEST_TYPED]


def lines(value: object) -> str:
    """The same for text of several lines, of any length."""
    return "\n".join(
        "".join(letter for letter in line if letter.isprintable()).rstrip() for line in str(value).splitlines()
    ).strip()


def _value(question: Question, text: str) -> Answer:
    if question.kind == "count":
        return _count(text)
    if question.kind == "percent":
        return _share(text)
    return text


def _count(text: str) -> int | str:
    """`1500`, `300,000`, `300 000`, `300k`, `1.5M`; anything else stays as typed."""
    digits = re.fullmatch(r"(\d[\d ,'_]*)|(\d+(?:\.\d+)?)\s*([kKmM])", text)
    if not digits:
        return text
    if digits[1]:
        return int(re.sub(r"\D", "", digits[1]))
    return round(float(digits[2]) * (1000 if digits[3] in "kK" else 1_000_000))


def _share(text: str) -> float | str:
    """`90`, `90 %`, `87.5`; a number up to 1 could be meant either way and stays as typed."""
    share = re.fullmatch(r"(\d{1,3}(?:[.,]\d+)?)\s*(%?)", text)
    if not share:
        return text
    number = float(share[1].replace(",", "."))
    if number > 100 or (0 < number <= 1 and not share[2]):
        return text
    return round(number / 100, 6)


def field_text(question: Question, answer: Answer) -> str:
    """An answer as it stands in its text field."""
    if answer is None or answer == UNKNOWN:
        return ""
    if question.kind == "percent" and isinstance(answer, float | int) and not isinstance(answer, bool):
        return f"{answer * 100:g}"
    if question.kind == "count" and isinstance(answer, int):
        return f"{answer:,}"
    return str(answer)


def option(answers: AnswersByKey, question: Question) -> str:
    """Which of the options beside a text field is chosen: `unknown`, `nobody`, or none."""
    if question.key not in answers:
        return ""
    answer = answers[question.key]
    return UNKNOWN if answer == UNKNOWN else NOBODY if answer is None else ""


def answer_text(question: Question, answers: AnswersByKey) -> str:
    """An answer as a person says it."""
    if question.key not in answers:
        return "not answered"
    answer = answers[question.key]
    if answer == UNKNOWN:
        return "I don't know"
    if answer is None:
        return question.nobody or "not answered"
    labels = {choice.value: choice.label for choice in question.choices}
    if isinstance(answer, list):
        return ", ".join(labels.get(str(code), str(code)) for code in answer)
    unit = f" {question.unit}" if question.unit and not isinstance(answer, str) else ""
    return labels.get(str(answer), field_text(question, answer)) + unit


# ------------------------------------------------------------------ what is wrong with an answer


def fault(question: Question, answers: AnswersByKey) -> str:
    """What is wrong with one answer, in a sentence for the person at the form; empty if nothing is."""
    if question.key not in answers:
        return ""
    answer = answers[question.key]
    if not _reads(question.key, json.dumps(answer)):
        return _SAYS[question.kind]
    goals = answers.get("goals")
    if question.key == "main_goal" and isinstance(goals, list) and answer in GOALS and answer not in goals:
        return "Pick one of those you ticked above."
    return ""


def metric_fault(answer: object) -> str:
    """Why a metric can't be set here; empty if it can. A case file may name any, for it only argues with the result; an
    assessment is measured, and would find out too late."""
    if answer in (None, UNKNOWN) or answer in METRICS:
        return ""
    return f"Nothing here can measure by that. Use one of: {', '.join(METRICS)}."


@lru_cache(maxsize=4096)
def _reads(key: str, written: str) -> bool:
    """Whether the case file takes this answer, given as JSON. Lists of assessments ask for the same few again and
    again, so it is kept; what is kept is short, since nothing longer than `LONGEST_TYPED` is stored."""
    try:
        parse({"answers": {key: json.loads(written)}})
    except NotACase:
        return False
    return True


_SAYS = {
    "multi": "Pick from the answers listed.",
    "single": "Pick one of the answers listed.",
    "count": "Write a whole number, for example 1500 or 300k.",
    "percent": "Write a percentage from 0 to 100, for example 90.",
    "text": "Write one line of at most 200 characters.",
}


def faults(answers: AnswersByKey, questions: Iterable[Question]) -> dict[str, str]:
    """Every faulty answer's sentence by its key, in the order of the questions."""
    sentences = {question.key: fault(question, answers) for question in questions}
    return {key: sentence for key, sentence in sentences.items() if sentence}


def readable(answers: AnswersByKey) -> dict[str, Answer]:
    """The answers that a case can be made of; faulty ones are left out, which is: unknown."""
    wrong = faults(answers, ASKED.values())
    return {key: value for key, value in answers.items() if key in ASKED and key not in wrong}


# ------------------------------------------------------------------ how far it is


def answered(answers: AnswersByKey, question: Question) -> bool:
    """A readable answer is there; "I don't know" is one. With a single goal the main one needs no answer."""
    goals = answers.get("goals")
    if question.key == "main_goal" and isinstance(goals, list) and len(goals) == 1:
        return True
    return question.key in answers and not fault(question, answers)


def progress(answers: AnswersByKey, questions: Iterable[Question]) -> tuple[int, int]:
    """How many of the questions are answered, and how many there are."""
    counted = [question for question in questions if question.key not in OPTIONAL]
    return sum(answered(answers, question) for question in counted), len(counted)


def missing(answers: AnswersByKey) -> list[tuple[Section, Question]]:
    """Every question without a readable answer, with its section."""
    return [
        (section, question)
        for section in SECTIONS
        for question in section.asked
        if question.key not in OPTIONAL and not answered(answers, question)
    ]
