"""The one sentence that stands for an advice: what to do, why, and what that means for training."""

from collections.abc import Sequence

from app.advice.facts import Score
from app.advice.sentences.scores import variant
from app.wording import MINUS, Wording, interval_text, percent, plural

TECHNIQUES = {
    "whole_corpus_in_context": "with the whole reference text in it",
    "schema": "with answers held to a schema",
    "batch_tier": "in batch mode",
    "prompt_caching": "with its fixed part cached",
    "small_classifier": "or rather a small classifier",
    "embedding_classifier": "or rather a classifier on embeddings",
    "label_scoring": "with each label scored",
    "many_shot": "with many examples in it",
}
FIRST = {
    "G1": "more examples first",
    "G2": "rule out missing facts first",
    "G3": "a job that keeps running first",
    "G4": "a sound test set first",
    "G5": "measure prompting first",
    "G6": "a clear result first",
    "G7": "choose a metric and a target first",
    "G8": "labels that agree first",
    "G9": "read the failures first",
    "G10": "settle the rights first",
    "G11": "name an owner first",
    "G12": "calculate the costs first",
}
ONCE = {
    "G4": "the test set is sound",
    "G8": "the labels agree",
    "G9": "the failures are read",
    "G10": "the rights are settled",
    "G11": "an owner is named",
    "G12": "the costs are calculated",
}
CONFIDENCE = {
    "high": "every input was measured",
    "medium": "one input is self-reported",
    "low": "several inputs are unknown or self-reported",
}
OFTEN = {"daily": "every day", "weekly": "every week", "monthly": "every month"}
LEANING = {"fine_tune": ", leaning towards fine-tune", "hybrid": ", leaning towards fine-tune with RAG"}
SINGULAR = {"tokens": "token", "pairs": "pair", "calls": "call"}


def amount(number: int, unit: str) -> str:
    """A number with the unit that its question has; some have none."""
    return plural(number, SINGULAR.get(unit, unit), unit) if unit else f"{number:,}"


def _prompt(technique: str | None) -> str:
    how = TECHNIQUES.get(technique or "")
    return f"Use a prompt {how}" if how else "Use a prompt"


def _do_not_train(technique: str | None) -> str:
    return f"{_prompt(technique)}{'' if technique else ' with well-chosen examples'}; do not train."


def _once_named(gates: Sequence[str]) -> str:
    return f"Fine-tune, once {' and '.join(ONCE[gate] for gate in gates)}."


HEADS = Wording({
    "once": lambda lookup, technique: f"{'RAG' if lookup else _prompt(technique)}: this runs once.",
    "met_unmeasured": "Keep the prompt, and measure that it meets the target.",
    "met_by_classifier": "Use the small classifier; it meets the target.",
    "met_by_embeddings": "Use the classifier on embeddings; it meets the target.",
    "met": lambda lookup: f"{'Keep RAG' if lookup else 'Keep the prompt'}: it meets the target.",
    "look_up": "RAG; do not train.",
    "whole_text": "Put the whole reference text into the prompt; do not train.",
    "hybrid_ready": "Fine-tune with RAG.",
    "hybrid_later": "RAG now; training may follow.",
    "use_or_beat": lambda arm: f"{variant(arm)} beats every prompt: use it, or beat it.",
    "copy_large": "Train a small model to copy the large one.",
    "fine_tune": "Fine-tune: the best prompt falls measurably short.",
    "do_not_train": _do_not_train,
    "other_base": "Not yet: run baselines on the model to be trained first.",
    "more_rows": "Not yet: more test rows first.",
    "first": lambda gate: f"Not yet: {FIRST[gate]}.",
    "once_settled": "Fine-tune, once {points:#point is|points are} settled.",
    "once_named": _once_named,
    "no_goal": "Say what should get better; until then, use a prompt.",
    "nothing_more": lambda technique: f"{_prompt(technique)}; nothing here calls for more.",
})  # fmt: skip


def _locked(leaning: str | None, open_criteria: int, criteria: int) -> str:
    are = "is" if open_criteria == 1 else "are"
    return f"Training is locked{LEANING.get(leaning or '', '')}: {open_criteria} of {criteria} criteria {are} open."


TRAINING = Wording({
    "ready": "Every criterion passes. Training needs the approval of a reviewer who did not contribute.",
    "locked": _locked,
})  # fmt: skip


def _reached(arm: str | None, score: Score, on_rows: int | None) -> str:
    """`the best prompt (RAG) reaches 74.0 % (69.5 to 78.1 % on 400 rows)`."""
    best = f" ({variant(arm)})" if arm else ""
    rows = f" on {plural(on_rows, 'row')}" if on_rows else ""
    reaches = f"{percent(score.score)} ({interval_text(score.low, score.high)}{rows})"
    return f"the best prompt{best} reaches {reaches}"


def _reached_target(arm: str | None, score: Score, on_rows: int | None, target: float) -> str:
    return f"{_reached(arm, score, on_rows)}, and you need {target * 100:g} %"


def _reached_around(arm: str | None, score: Score, on_rows: int | None, target: float) -> str:
    return f"{_reached(arm, score, on_rows)}, and the target of {target * 100:g} % lies inside that"


def _missing_facts(missing: int, tagged: int) -> str:
    return f"{missing} of {plural(tagged, 'failure')} read {'is' if missing == 1 else 'are'} missing facts"


def _behaviour(behaviour: int, tagged: int) -> str:
    are = "is" if behaviour == 1 else "are"
    return f"{behaviour} of {plural(tagged, 'failure')} read {are} form, tone or label, not facts"


def _few(have: str) -> str:
    return have + ", and training needs {floor:,}"


def _points(training: int, prompt: int) -> str:
    signed = [f"{points:+d}".replace("-", MINUS) for points in (training, prompt)]
    return f"the answers speak no more for training ({signed[0]}) than for a prompt ({signed[1]})"


GROUNDS = Wording({
    "one_run": "a model trained for one run is never used again",
    "missing_facts": _missing_facts,
    "passage_helps": lambda gain: f"the gold passage lifts the score by {gain * 100:.0f} points",
    "facts_change": lambda often: (
        f"the facts change {OFTEN[often]}, and what a model has learned cannot be edited"
    ),
    "sources": "answers need citations, which only RAG can give",
    "text_fits": "the {tokens:#token of reference text fits|tokens of reference text fit} in front of the model",
    "knowledge": "what is missing is knowledge, and training mostly makes a model sound surer of what it does not know",
    "met_you_said": "prompting meets the target by self-report, and nothing has measured it yet",
    "behaviour": "what should get better is behaviour, which instructions and examples can change",
    "nothing_measured": "nothing has been measured yet",
    "reached_without_target": lambda arm, score, on_rows: (
        f"{_reached(arm, score, on_rows)}, and there is no target to hold it against"
    ),
    "reached_around_target": _reached_around,
    "rows_to_settle": "about {rows:#more test row|more test rows} would settle it with a chance of {chance:%0}",
    "reached": _reached_target,
    "training_buys_nothing": "training would cost money and tie you to one model for no gain in quality",
    "teacher": "the large model reaches {score:%1}",
    "behaviour_failures": _behaviour,
    "few_usable": _few("{examples:#example is|examples are} usable"),
    "few_declared": _few("{examples:#example is|examples are} self-reported"),
    "enough_examples": "{examples:#usable example is|usable examples are} enough",
    "rules_change": "the rules change monthly; a prompt follows in minutes, a trained model has to be trained again",
    "no_goal_to_train": "no goal named here is something that RAG or training improves",
    "points": _points,
})  # fmt: skip
