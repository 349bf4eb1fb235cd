"""The sentences about what is odd about the content of rows, by kind; see `suspicious`."""

from app.wording import percent, plural

# About one row among the file's, about several, and what follows from it.
_OF_THE_FILE = {
    "refusal": ("answer declines to answer", "answers decline to answer", "a model learns to decline from such rows"),
    "placeholder": ("row holds something that was never filled in", "rows hold something that was never filled in", ""),
    "repeat": (
        "row has repetitive (degenerate) text",
        "rows run in a loop, the same words again and again",
        "",
    ),
    "echo": ("answer only repeats the question", "answers only repeat the question", ""),
    "cut": (
        "answer stops in the middle of a sentence",
        "answers stop in the middle of a sentence",
        "a model learns to stop there",
    ),
    "dated": (
        "answer speaks of the last update of the model that wrote it",
        "answers speak of the last update of the model that wrote it",
        "",
    ),
    "other_language": (
        "answer is in another language than the question",
        "answers are in another language than the question",
        "",
    ),
}
# Beside the row itself.
OF_A_ROW = {
    "refusal": "The answer declines to answer.",
    "placeholder": "Something was never filled in.",
    "repeat": "It has repetitive (degenerate) text.",
    "echo": "The answer only repeats the question.",
    "cut": "The answer stops in the middle of a sentence.",
    "dated": "The answer speaks of the last update of the model that wrote it.",
    "other_language": "The answer is in another language than the question.",
}


def of_file(kind: str, rows: int, share: float, *, the_task: bool) -> str:
    """The sentence of the report. share: of all rows, 0 to 1; the_task: so many that it may well be what is wanted."""
    single, several, consequence = _OF_THE_FILE[kind]
    parts = [f"{plural(rows, single, several)} ({percent(share)})", consequence]
    if the_task:
        parts.append("so many may well be the task")
    return f"{'; '.join(part for part in parts if part)}."
