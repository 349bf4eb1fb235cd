"""Situations to start from: a questionnaire that begins with what is usual in a named situation.

Each follows one of the golden cases that the rules are tested with, so a person who recognises their situation sees
advice that was argued about. A starting point answers what comes with the situation: the goal, how facts change, what
a checker could do. It leaves open what only the team can know: how many examples and calls there are, the target, who
owns it, whether the rows may be used. So no starting point ever unlocks training, and every answer can be changed.
"""

from dataclasses import dataclass
from types import MappingProxyType

from app.advice.schema import Answer, AnswersByKey

NO_FACTS: AnswersByKey = {
    "fact_change": "none",
    "sources": "no",
    "access_rights": "no",
    "corpus_tokens": 0,
    "rarity": "common",
}
SERVICE: AnswersByKey = {
    "recurrence": "ongoing",
    "latency": "normal",
    "definition_changes": "stable",
    "stakes": "normal",
    "language_fit": "fine",
}


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """A situation by name.

    assumes: one sentence with the assumptions that matter most. answers: as the case file has them. golden: the number
    of the golden case that it follows (`tests/support/golden.py`).
    """

    slug: str
    title: str
    assumes: str
    golden: int
    answers: AnswersByKey


def _point(slug: str, title: str, assumes: str, golden: int, goals: list[str], **answers: Answer) -> StartingPoint:
    usual = {**NO_FACTS, **SERVICE, "checker_helps": "no", "main_goal": goals[0], "goals": goals, **answers}
    return StartingPoint(slug, title, assumes, golden, MappingProxyType(usual))


STARTING_POINTS = (
    _point(
        "route-tickets",
        "Route tickets to many queues",
        "There are dozens of labels and they are stable; everything needed to decide is in the ticket.",
        12,
        goals=["classify"],
        metric="exact_match",
    ),
    _point(
        "sort-messages",
        "Sort messages into a few categories",
        "A handful of labels that a newcomer could learn from one page of examples.",
        9,
        goals=["classify"],
        metric="exact_match",
    ),
    _point(
        "house-style",
        "Write comments in our house style",
        "The code in front of the model says all there is to know; only tone and format are missing. Schema "
        "validation would catch some errors.",
        2,
        goals=["format", "style"],
        main_goal="style",
        checker_helps="partly",
        metric="chrf",
    ),
    _point(
        "policy-questions",
        "Answer questions about rules that change",
        "The rules change daily, citations are required, and access differs by user.",
        3,
        goals=["facts"],
        fact_change="daily",
        sources="must",
        access_rights="some",
        rarity="mixed",
        corpus_tokens=None,
        metric="exact_match",
    ),
    _point(
        "brand-and-facts",
        "Know our products and sound like our brand",
        "Facts change about monthly and have to be cited; the voice has to be ours as well.",
        6,
        goals=["facts", "style"],
        main_goal="style",
        fact_change="monthly",
        sources="must",
        rarity="mixed",
        corpus_tokens=None,
        metric="chrf",
    ),
    _point(
        "summaries",
        "Summarize public documents",
        "The text to summarize is in the input, and any clear summary will do.",
        1,
        goals=["general"],
        checker_helps="partly",
        metric="rouge_l",
    ),
    _point(
        "fill-a-form",
        "Structured output",
        "A program reads the answer. The format is usually right already; its content is sometimes wrong.",
        21,
        goals=["format"],
        metric="json_match",
    ),
    _point(
        "query-language",
        "Turn questions into our query language",
        "The syntax has to be explained in every prompt, and a parser tells whether a query is valid.",
        15,
        goals=["format", "tools"],
        main_goal="tools",
        checker_helps="most",
        metric="normalised_match",
    ),
    _point(
        "cheaper-at-volume",
        "Distil a large model to cut cost",
        "A large model does it well today, but it costs too much or is too slow for the volume.",
        11,
        goals=["classify", "efficiency"],
        main_goal="efficiency",
        latency="tight",
        metric="exact_match",
    ),
    _point(
        "weak-language",
        "Low-resource language",
        "Readers notice that the model is weak in this language; the text to correct is in the input.",
        5,
        goals=["style", "terms"],
        language_fit="weak",
        metric="exact_match",
    ),
    _point(
        "one-voice",
        "Write in one author's voice",
        "A few hundred passages of that author, a small volume, and no number yet for how close is close enough.",
        18,
        goals=["style"],
        metric="chrf",
    ),
    _point(
        "made-up-examples",
        "Style from synthetic data",
        "A model wrote all the examples, so they are skewed, and nobody has reviewed them yet.",
        22,
        goals=["style"],
        coverage="skewed",
        metric="chrf",
    ),
)
BY_SLUG = {point.slug: point for point in STARTING_POINTS}


def usual_answers(point: StartingPoint) -> dict[str, Answer]:
    """The answers to begin with; what the situation leaves open is not among them."""
    return {key: list(value) if isinstance(value, list) else value for key, value in point.answers.items()
            if value is not None}  # fmt: skip
