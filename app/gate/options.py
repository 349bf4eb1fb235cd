"""The ways to do the job side by side: what the answers say for each, what was measured of it, what a month costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app import glossary
from app.advice.evidence import Evidence
from app.advice.facts import NO_MODEL
from app.advice.policy import Points
from app.economics.costs import PricedWay, Study
from app.gate.warnings import share

Key = Literal["prompt", "rag", "fine_tune", "no_model"]
RETRIEVAL = ("rag", "oracle")


@dataclass(frozen=True, slots=True)
class Option:
    """One way. points: what the answers add up to, None for what the policy does not score. measured: its best score as
    a share, with the rows it was measured on. dev: its score on the dev rows where `measured` is one on the test rows,
    None while nobody knows. month: money in the study's currency, None while it is not known."""

    key: Key
    name: str
    points: float | None
    measured: float | None = None
    split: str = ""
    variant: str = ""
    month: float | None = None
    dev: float | None = None


@dataclass(frozen=True, slots=True)
class _Scored:
    variant: str
    score: float
    split: str
    dev: float | None = None


def options(scores: Points, evidence: Evidence, study: Study | None, adapter: float | None = None) -> list[Option]:
    """Prompt, RAG, fine-tune, and what needs no language model.

    adapter: the score of a trained adapter on the test rows, a share.
    """
    prompt = _best(evidence, lambda name: name not in (*NO_MODEL, *RETRIEVAL, "stronger_model"))
    rag = _best(evidence, lambda name: name == "rag")
    free = _best(evidence, lambda name: name in NO_MODEL)
    tuned = _Scored("adapter", adapter, "test") if adapter is not None else None
    free_name = glossary.label(f"variant.{'trivial' if free is None else free.variant}")
    return [
        _option("prompt", glossary.label("approach.prompt"), scores.prompt, prompt, study),
        _option("rag", glossary.label("approach.rag"), scores.rag, rag, study),
        _option("fine_tune", glossary.label("approach.fine_tune"), scores.fine_tune, tuned, study),
        _option("no_model", free_name, None, free, study),
    ]


def _option(key: Key, name: str, points: float | None, best: _Scored | None, study: Study | None) -> Option:
    month = _month(key, study, best)
    if best is None:
        return Option(key, name, points, month=month)
    return Option(key, name, points, best.score, best.split, glossary.known("variant", best.variant), month, best.dev)


def _best(evidence: Evidence, counts: Callable[[str], bool]) -> _Scored | None:
    """The best of the kinds that count: its result on the test set where it has one, else on the dev set."""
    baseline = evidence.baseline
    on_test = share(baseline)
    if baseline is not None and baseline.best_arm and counts(baseline.best_arm) and on_test is not None:
        on_dev = (evidence.arms or {}).get(baseline.best_arm)
        return _Scored(baseline.best_arm, on_test, "test", share(on_dev) if on_dev and on_dev.split is None else None)
    known = [
        _Scored(name, score, result.split or "dev")
        for name, result in (evidence.arms or {}).items()
        if counts(name) and (score := share(result)) is not None
    ]
    return max(known, key=lambda one: (one.split == "test", one.score), default=None)


def _month(key: Key, study: Study | None, best: _Scored | None) -> float | None:
    """What a month costs: of the way that the comparison is with where that is a prompt, else of the cheapest alike."""
    if study is None:
        return None
    if key == "fine_tune":
        return study.trained.month if study.trained else None
    if key == "rag":
        return _cheapest([line for line in study.lines if line.key == "rag" or line.key.endswith("/rag")])
    if key == "no_model":
        return _cheapest([line for line in study.lines if line.tone == "soft"]) if best is not None else None
    rival = study.compared_with
    if rival is not None and rival.tokens is not None and rival.key != "rag":
        return rival.month
    return _cheapest([line for line in study.lines if line.tone == "prompt"])


def _cheapest(lines: Sequence[PricedWay]) -> float | None:
    return min((line.month for line in lines if line.month is not None), default=None)
