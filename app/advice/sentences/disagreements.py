"""Disagreements in words: what people said, what was measured, and a sentence with both, by the same codes."""

from collections.abc import Sequence

from app.advice.facts import Score
from app.wording import Wording, interval_text, joined, percent, plural, signed_points, target_text

AGREEMENT = {"high": "nearly always", "medium": "mostly", "low": "often not"}
TRIED = {
    "met": "met the target",
    "unclear": "could not tell",
    "short_small": "short by less than 10 points",
    "short_large": "short by 10 points or more",
}
PROMPTING = {
    "met": "met the target",
    "unclear": "gave no clear result",
    "short_small": "fell short by less than 10 points",
    "short_large": "fell short by 10 points or more",
}
GOALS = {
    "facts": "knowing facts",
    "format": "a fixed shape",
    "style": "style",
    "terms": "terms",
    "classify": "sorting into categories",
    "extract": "pulling out fields",
    "tools": "tools or a query language",
    "reasoning": "reasoning",
    "efficiency": "cost or speed",
    "safety": "safety",
    "general": "general help",
}
COVERAGE = {"broad": "broad", "gaps": "with gaps", "skewed": "skewed or synthetic"}
CAUGHT = {"most": "most wrong answers", "partly": "some wrong answers", "no": "no wrong answers"}
LANGUAGE = {"weak": "weak here", "fine": "fine here"}


def _goals(goals: Sequence[str]) -> str:
    return joined([GOALS[goal] for goal in goals])


def _points(gain: float) -> str:
    return f"{signed_points(gain)} points with the gold passage"


DECLARED = Wording({
    "examples": "{declared:,}",
    "corpus": "{declared:#token}",
    "labels_clash": lambda declared, **_: AGREEMENT[declared],
    "labels_kappa": lambda declared, **_: AGREEMENT[declared],
    "failures_miss_facts": "no facts missing",
    "passage_helps": "no facts missing",
    "passage_does_not_help": "facts missing",
    "facts_needed": "no outside facts",
    "facts_likely": "no facts missing",
    "prompting": lambda declared, **_: TRIED[declared],
    "test_rows": "none held out",
    "other_goals": lambda declared, **_: _goals(declared),
    "sources": "no sources",
    "free_text": "word for word",
    "unstructured": "structure",
    "coverage": lambda declared, **_: COVERAGE[declared],
    "checker_helps": lambda declared, **_: CAUGHT[declared],
    "language_fit": lambda declared, **_: LANGUAGE[declared],
})  # fmt: skip

MEASURED = Wording({
    "examples": "{usable:,}",
    "corpus": "{counted:#token}",
    "labels_clash": "{rate:%1} contradict",
    "labels_kappa": "kappa {kappa:.2f}",
    "failures_miss_facts": "{share:%0} missing facts",
    "passage_helps": _points,
    "passage_does_not_help": _points,
    "facts_needed": "facts likely",
    "facts_likely": "facts likely",
    "prompting": lambda score, **_: percent(score.score),
    "test_rows": "{rows:#test row}",
    "other_goals": lambda seen, **_: _goals(seen),
    "sources": "{share:%0} name one",
    "free_text": "free text",
    "unstructured": "{share:%0} structured",
    "coverage": lambda seen, **_: COVERAGE[seen],
    "checker_helps": "{share:%0} prevented",
    "language_fit": lambda seen, **_: LANGUAGE[seen],
})  # fmt: skip


def _examples(declared: int, usable: int, uploaded: int | None) -> str:
    of = f" of the {plural(uploaded, 'row')} uploaded" if uploaded is not None else ""
    are = "is" if usable == 1 else "are"
    return (
        f"Self-reported: {plural(declared, 'example')}. Measured: {usable:,}{of} {are} usable, test rows not counted."
    )


def _labels_kappa(declared: str, kappa: float, agreement: str) -> str:
    return (
        f"Self-reported: experts agree {AGREEMENT[declared]}. Measured: two people who labelled the same rows "
        f"agree with kappa {kappa:.2f}, which is {AGREEMENT[agreement]}."
    )


def _facts_seen(new: float | None) -> str:
    if new is None:
        return "your answers look as if they rest on facts that the input does not hold"
    return f"in {percent(new, 0)} of your rows the answer holds names, numbers or dates that the input does not"


def _prompting(declared: str, score: Score, target: float) -> str:
    return (
        f"Self-reported: good prompting {PROMPTING[declared]}. Measured: the best prompt reaches "
        f"{percent(score.score)} ({interval_text(score.low, score.high)}), the target is {target_text(target)}."
    )


TEXTS = Wording({
    "examples": _examples,
    "corpus": "Self-reported: {declared:#token} of reference text. Measured: the documents here have {counted:,}.",
    "labels_clash": lambda declared, rate: (
        f"Self-reported: experts agree {AGREEMENT[declared]}. Measured: {percent(rate)} of similar rows contradict "
        "each other."
    ),
    "labels_kappa": _labels_kappa,
    "failures_miss_facts": "Facts are not among your goals; {share:%0} of the tagged failures are missing facts.",
    "passage_helps": lambda gain: (
        f"Facts are not among your goals; the gold passage lifts the score by {gain * 100:.1f} points."
    ),
    "passage_does_not_help": lambda gain: (
        f"Facts are among your goals; the gold passage changes the score by {gain * 100:.1f} points only."
    ),
    "facts_needed": lambda new: f"Self-reported: no outside facts are needed. Measured: {_facts_seen(new)}.",
    "facts_likely": lambda new: f"Facts are not among your goals; {_facts_seen(new)}.",
    "prompting": _prompting,
    "test_rows": lambda rows: (
        "Self-reported: no test set may be held out. Measured: "
        f"{rows:,} {'is' if rows == 1 else 'are'} frozen as test rows."
    ),
    "other_goals": lambda declared, seen: (
        f"Your goals are {_goals(declared)}; the rows look more like a task of {_goals(seen)}."
    ),
    "sources": "Self-reported: no citations needed. Measured: {share:%0} of the examples name a source.",
    "free_text": "You count an answer as right only word for word; your answers are free text, {share:%0} of them "
    "different. Two good ones will hardly ever be the same.",
    "unstructured": "You measure the structure of the answer; a schema would hold {share:%0} of your examples.",
    "coverage": lambda declared, seen: (
        f"Self-reported: coverage is {COVERAGE[declared]}. Measured: "
        + {
            "skewed": "the best variant reaches surely less on your own test file than on the dev set.",
            "gaps": "your own test file has labels that no example has.",
        }[seen]
    ),
    "checker_helps": lambda declared, seen, share: (
        f"Self-reported: a checker would catch {CAUGHT[declared]}. Measured: a schema prevents {percent(share, 0)} of "
        f"the failures, which is {CAUGHT[seen]}."
    ),
    "language_fit": lambda declared, seen: (
        f"Self-reported: the model is {LANGUAGE[declared]}. Measured: a stronger model is "
        f"{'surely better by far' if seen == 'weak' else 'not better by much'} on the same rows."
    ),
})  # fmt: skip
