"""The sentences about how learnable the rows are, and what they say of the task: `learnability`, `task_signals`.

They are kept with the report, so what a report of an earlier version says stays as it was.
"""

from app.wording import percent, plural

KINDS = {
    "label": "labels: short names that repeat",
    "json": "JSON",
    "sql": "SQL",
    "code": "code or a comment block",
    "prose": "prose",
}
LANGUAGES = "Questions and answers share hardly a word: they are in two languages."


def too_small(least: int) -> str:
    return f"With fewer than {least} rows nothing can be said about how learnable they are."


def outcome(verdict: str, score: float, trivial: float, *, labels: bool) -> str:
    """What a learner reached beside a guess: shares of right labels, or likenesses of texts, 0 to 1."""
    if labels:
        scores = (
            f"A small classifier that only counts words and signs gives the right label to {percent(score, 0)} of the"
            f" rows it was not shown; always saying the commonest label would give it to {percent(trivial, 0)}."
        )
        if verdict == "unlearnable":
            return (
                f"{scores} Chance gives as much: the labels look random, or the text does not hold what decides them."
            )
        if verdict == "too_few":
            return f"{scores} With so few rows of each label that says nothing yet."
        return scores
    if verdict == "too_few":
        return (
            f"The answer of the most similar other question is {percent(score, 0)} like the right one; a random one is"
            f" {percent(trivial, 0)} like it. With so few rows that may be chance or the beginning of a link."
        )
    if verdict == "unlearnable":
        return (
            "Similar questions have answers no more alike than any two questions have. What the answers say does not"
            " follow from the other rows: pairs that slipped, or facts that each row alone holds."
        )
    return (
        f"The answer of the most similar other question is {percent(score, 0)} like the right one; a random answer is"
        f" {percent(trivial, 0)} like it. So the rows have something in common that can be learned."
    )


def kinds(shares: list[tuple[str, float]]) -> str:
    """Which kinds of answers there are, the commonest first, with the share of each."""
    return f"Answers are {', '.join(f'{percent(share, 0)} {KINDS[kind]}' for kind, share in shares)}."


def repeats(rows: int, answers: int, *, labels: bool, facts: bool) -> str:
    """That the same answers stand there again and again; facts: they hold what no question does."""
    text = f"{plural(rows, 'row has', 'rows have')} {plural(answers, 'different answer')}"
    if labels:
        return f"{text}: a small classifier may be enough."
    return f"{text}: the same few facts, asked in other words." if facts else f"{text}."


def shaped(share: float) -> str:
    return f"A schema check would hold {percent(share, 0)} of the answers to their shape."


def novel(share: float) -> str:
    return (
        f"{percent(share, 0)} of the answers hold names, numbers or dates that are neither in their input nor used by "
        "several other answers."
    )


def uncovered(share: float, *, facts: bool) -> str:
    text = f"In the middle, {percent(share, 0)} of what an answer says is not in its input."
    return f"{text} This looks like facts, and facts are better retrieved (RAG) than trained." if facts else text


def cited(share: float) -> str:
    return f"{percent(share, 0)} of the answers point to a source: a link, a number in brackets, a section."
