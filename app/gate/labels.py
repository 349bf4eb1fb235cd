"""What the parts of a reviewed subject are called: the labels of the forms that they come from, never their keys."""

from collections.abc import Callable, Mapping
from functools import partial

from app import chosen, glossary
from app.advice.questions import ASKED
from app.evaluation import metrics

PARTS: Mapping[str, str] = {
    "answers": "Answers",
    "baseline": "Baselines",
    "dataset": "Data",
    "evidence": "Evidence",
    "policy": "Policy",
    "training": "Training config",
    "verdict": "Verdict",
}
UNSAID = ("", "unknown")
UNKNOWN = {"unknown": "I don't know"}
NAMES: Mapping[str, str] = {
    "baseline.id": "run",
    "baseline.dataset": "data version",
    "baseline.instructions": "system prompt",
    "baseline.max_tokens": "max output tokens",
    "baseline.metric": "metric",
    "baseline.judge": "LLM judge that decides",
    "baseline.metric_options": "options of the metric",
    "baseline.model": "model",
    "baseline.model.server": "how the model server was asked",
    "baseline.rows_asked": "rows asked",
    "baseline.target": "target score",
    "baseline.test_looks": "test-set uses",
    "baseline.arms": "variants",
    "dataset.file": "file",
    "dataset.frozen_at": "split frozen on",
    "dataset.human_checked": "test answers checked by people",
    "dataset.id": "version",
    "dataset.rows_sha256": "hash of the rows",
    "dataset.seed": "seed of the split",
    "dataset.split_sha256": "hash of the split",
    "dataset.test_upload_sha256": "hash of the test file",
    "dataset.upload_sha256": "hash of the file",
    "dataset.version": "version",
    "evidence.agreement_kappa": "kappa of two people's labels",
    "evidence.agreement_rows": "rows that two people labelled",
    "evidence.references_judged": "answers that a second person checked",
    "evidence.references_wrong": "wrong answers among them",
    "evidence.tagged_twice": "failures that two people tagged",
    "evidence.tags_kappa": "kappa of two people's tags",
    "evidence.judge_holds": "LLM judge agrees as asked",
    "evidence.judge_fault": "what is wrong with the LLM judge",
    "evidence.judge_labels": "labels beside the LLM judge",
    "evidence.judge_kappa": "kappa of LLM judge and people",
    "evidence.judge_name": "LLM judge",
    "evidence.judge_kin": "family of the LLM judge",
    "evidence.oracle_gain": "gain of the gold passage",
    "evidence.rows_carry_context": "training rows with passages",
    "evidence.checker_share": "failures that a schema prevents",
    "evidence.checker_failures": "failures looked at with a schema",
    "evidence.own_test_rows": "test rows from a file of their own",
    "evidence.untaught_rows": "test rows with a label that no example has",
    "evidence.baseline.best_arm": "best variant",
    "evidence.baseline.passed": "right answers of the best variant",
    "evidence.baseline.total": "test rows answered",
    "evidence.baseline.error_rate": "share of failed calls",
    "evidence.baseline_on_base": "baselines on the base model",
    "evidence.baseline_ran_on": "model of the baselines",
    "evidence.trains_on": "base model",
    "evidence.baseline_unfinished": "baselines not finished",
    "evidence.contradiction_rate": "contradiction rate",
    "evidence.corpus_tokens": "tokens of the documents",
    "evidence.cost_basis": "costs",
    "evidence.cost_case": "cost case",
    "evidence.failure_causes": "causes of failures",
    "evidence.failures": "failures to read",
    "evidence.identifiers_decided": "personal data decided on",
    "evidence.metric_set_before_baseline": "metric set before the baselines",
    "evidence.target_changes": "late changes of metric or target",
    "evidence.test_human_checked": "test answers checked by people",
    "evidence.test_overlap_rows": "test rows that leaked",
    "evidence.test_rows": "test rows",
    "evidence.uploaded_examples": "uploaded examples",
    "evidence.usable_examples": "usable examples",
    "evidence.winning_prompt_tokens": "tokens of the best prompt",
    "policy.sha256": "hash",
    "policy.version": "version",
    "training.instructions": "system prompt",
    "training.legs": "trainings of the run",
    "training.model": "base model",
    "training.replay": "general rows",
    "training.scored": "scored dev answers",
    "verdict.approach": "approach",
    "verdict.confidence": "confidence",
    "verdict.leaning": "leaning",
    "verdict.technique": "technique",
    "verdict.training": "training",
}
"""What a place in a subject is called where no form and no question has a label for it."""


def question(key: str) -> str:
    """The label of an answer; a question that is asked no more is named by its key."""
    asked = ASKED.get(key)
    return asked.label if asked else key.replace("_", " ")


def answered(key: str, given: object) -> object:
    """An answer in the words of its question: the labels of what was chosen, and every other value as it is."""
    asked = ASKED.get(key)
    labels = UNKNOWN | {choice.value: choice.label for choice in asked.choices} if asked else UNKNOWN
    if asked and asked.kind in ("percent", "count") and isinstance(given, int | float | str) and given not in UNSAID:
        return f"{100 * float(given):g} %" if asked.kind == "percent" else f"{int(given):,}"
    if isinstance(given, str):
        return asked.nobody if asked and asked.nobody and not given else labels.get(given, given)
    if isinstance(given, list | tuple):
        return [labels.get(one, one) if isinstance(one, str) else one for one in given]
    return given


def setting(name: str) -> str:
    """The label of a setting of the training config."""
    key = f"recipe.{name}"
    return glossary.with_unit(key) if key in glossary.BY_KEY else name.replace("_", " ")


def given(path: str, stored: object) -> object:
    """What stands at a place of a subject, in the words of the pages: the labels of what is chosen from a list."""
    part, _, rest = path.partition(".")
    if part == "answers":
        return answered(rest, stored)
    if rest.startswith("recipe."):
        return chosen.setting(rest.removeprefix("recipe."), stored)
    if path in _WORDS:
        return _WORDS[path](stored)
    return stored


def option(metric: str, name: str) -> str:
    """The label of an option of a metric; one that is not of today is named by its key."""
    known = metrics.METRICS[metric].options if metric in metrics.METRICS else ()
    return next((one.title for one in known if one.name == name), name.replace("_", " "))


def _variant(stored: object) -> object:
    return glossary.variant(stored) if isinstance(stored, str) else stored


def _approach(stored: object) -> object:
    return glossary.known("approach", stored) if isinstance(stored, str) else stored


_WORDS: Mapping[str, Callable[[object], object]] = {
    "baseline.metric": chosen.metric,
    "baseline.model.kind": partial(chosen.label, "model"),
    "evidence.baseline.best_arm": _variant,
    "evidence.best_arm": _variant,
    "evidence.cost_case": partial(chosen.label, "cost_case"),
    "training.scored.metric": chosen.metric,
    "verdict.approach": _approach,
    "verdict.leaning": partial(chosen.label, "leaning"),
    "verdict.technique": _variant,
    "verdict.training": partial(chosen.label, "training"),
}


def place(path: str) -> str:
    """Where two subjects differ, in the words of the pages: `Training config: Max steps`."""
    part, _, rest = path.partition(".")
    if part not in PARTS or not rest:
        return PARTS.get(path, path.replace("_", " "))
    if part == "answers":
        name = question(rest)
    elif rest.startswith("recipe."):
        name = setting(rest.removeprefix("recipe."))
    else:
        name = NAMES.get(path) or _cause(path) or _pieced(path)
    return f"{PARTS[part]}: {name}"


def _cause(path: str) -> str:
    """`causes of failures, Missing fact`; empty for other places."""
    above, _, cause = path.rpartition(".")
    return f"{NAMES[above]}, {chosen.label('cause', cause)}" if above == "evidence.failure_causes" else ""


def _pieced(path: str) -> str:
    """The nearest place above that has a name, with what is below it; else the words of the path."""
    above, _, last = path.rpartition(".")
    while above and above not in NAMES:
        above, _, more = above.rpartition(".")
        last = f"{more}, {last}"
    if not above:
        last = path.partition(".")[2].replace(".", ", ")
        return last.replace("_", " ")
    return f"{NAMES[above]}, {last.replace('_', ' ')}"
