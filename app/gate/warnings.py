"""What would stop a careful team although every criterion may be met: from what was measured, as codes and numbers.

Verdict, review, training plan, launch, result, shared links and the API all ask here, so that none of them is silent
about what another one says. A warning locks nothing; what locks is a criterion (`advice/gates`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

from app import glossary
from app.advice.evidence import Evidence, Score
from app.advice.facts import BEYOND, NO_MODEL
from app.advice.what_if.robustness import STABLE, Robustness
from app.economics.costs import Study
from app.economics.sentences import calls, months, paid_back
from app.wording import MINUS, Statement, Wording, percent, plural, state

WHERE: Mapping[str, str] = {
    "free_ahead": "measure",
    "other_model": "measure",
    "untrainable_model": "measure",
    "costs_more": "costs",
    "never_pays": "costs",
    "pays_late": "costs",
    "robustness_low": "verdict",
    "target_changed": "describe",
    "judge_decides": "judge",
    "judge_kin": "judge",
}
"""The page on which each is looked into, by its code."""


def places(assessment_id: int) -> dict[str, str]:
    """Where each is looked into, by the names of `WHERE`."""
    base = f"/assessments/{assessment_id}"
    return {
        "measure": f"{base}/measure",
        "costs": f"{base}/costs",
        "verdict": f"{base}/verdict#why",
        "describe": f"{base}/describe/success#target",
        "judge": f"{base}/judging",
    }


def run_on(assessment_id: int, base: int | None) -> str:
    """Where baselines are run on that model: the form, with it chosen; empty where there is none to choose."""
    return f"/assessments/{assessment_id}/measure?model_id={base}#model_id" if base is not None else ""


@dataclass(frozen=True, slots=True)
class Caution:
    """One warning. statement: its code and numbers, shares from 0 to 1."""

    statement: Statement

    @property
    def code(self) -> str:
        return self.statement.code

    @property
    def values(self) -> Mapping[str, object]:
        return self.statement.values

    @property
    def text(self) -> str:
        return SENTENCES(self.statement)

    @property
    def where(self) -> str:
        """The name of the page on which it is looked into."""
        return WHERE[self.code]


def cautions(
    evidence: Evidence,
    *,
    study: Study | None = None,
    robustness: Robustness | None = None,
    technique: str | None = None,
) -> tuple[Caution, ...]:
    """Every warning, what weighs most first.

    evidence: as it stands or as it was frozen. study: the costs at the prices of today, where they are known.
    robustness: of the verdict, where it was worked out. technique: what the advice beside them names; where that is an
    arm without a model, the same is no warning.
    """
    statements = [
        *(_free_ahead(evidence) if technique not in NO_MODEL else ()),
        *_other_model(evidence),
        *(_costs(study) if study is not None else ()),
        *_target(evidence),
        *_judge(evidence),
        *(_robustness(robustness) if robustness is not None else ()),
    ]
    return tuple(Caution(statement) for statement in statements)


def without_names(listed: Sequence[Caution]) -> tuple[Caution, ...]:
    """The same for a reader who may not see what the team's models are called."""
    kept = []
    for one in listed:
        hidden = {name: UNNAMED[name] for name in one.values if name in UNNAMED}
        kept.append(Caution(Statement(one.code, {**one.values, **hidden})))
    return tuple(kept)


UNNAMED: Mapping[str, str] = {
    "ran": "one model",
    "trains": "another",
    "rival": "the cheapest option so far",
    "judge": "a language model",
}


class _Hidden(TypedDict, total=False):
    """Of the evidence, what such a reader gets something else for."""

    cost_basis: None
    baseline_ran_on: str
    trains_on: str
    judge_name: str


def evidence_without_names(evidence: Evidence, *, costs: bool) -> Evidence:
    """What the criteria are judged by for such a reader: they say the same, and name no model. costs: whether sums of
    money may be shown."""
    hidden: _Hidden = {} if costs else {"cost_basis": None}
    if evidence.baseline_ran_on is not None:
        hidden["baseline_ran_on"] = UNNAMED["ran"]
    if evidence.trains_on is not None:
        hidden["trains_on"] = UNNAMED["trains"]
    if evidence.judge_name is not None:
        hidden["judge_name"] = UNNAMED["judge"]
    return replace(evidence, **hidden)


def _free_ahead(evidence: Evidence) -> Iterator[Statement]:
    """What needs no language model and scores more than the best prompt, on like rows where both answered them: of
    several the one that is furthest ahead, the test rows before others."""
    arms = evidence.arms or {}
    on_test = share(evidence.baseline)
    prompts = [share(result) for name, result in arms.items() if name not in (*NO_MODEL, *BEYOND)]
    on_dev = max((score for score in prompts if score is not None), default=None)
    ahead: list[tuple[bool, float, Statement]] = []
    for name in NO_MODEL:
        result = arms.get(name)
        score, best = share(result), on_dev if result is not None and result.split is None else on_test
        if result is not None and score is not None and best is not None and score > best:
            split = result.split or "dev"
            found = state("free_ahead", variant=name, score=score, best=best, split=split)
            ahead.append((split == "test", score - best, found))
    if ahead:
        yield max(ahead, key=lambda one: one[:2])[2]


def share(result: Score | None) -> float | None:
    """A result as a share from 0 to 1; None where there is none."""
    if result is None:
        return None
    if result.passed is not None and result.total:
        return result.passed / result.total
    return result.score


def _other_model(evidence: Evidence) -> Iterator[Statement]:
    if evidence.baseline_on_base is not False:
        return
    if evidence.trains_on is None:
        yield state("untrainable_model", ran=evidence.baseline_ran_on or "another model")
    else:
        yield state("other_model", ran=evidence.baseline_ran_on or "another model", trains=evidence.trains_on)


def _costs(study: Study) -> Iterator[Statement]:
    comparison, rival = study.comparison, study.compared_with
    if comparison is None or rival is None:
        return
    beside = {"rival": rival.name, "sound": study.sound}
    if comparison.break_even is None:
        yield state("never_pays", **beside)
    elif comparison.calls is not None and (comparison.saved is None or comparison.saved <= 0):
        yield state("costs_more", break_even=comparison.break_even, expected=comparison.calls, **beside)
    elif comparison.calls is not None and not comparison.pays:
        yield state("pays_late", months=comparison.months, limit=study.limit, **beside)


def _target(evidence: Evidence) -> Iterator[Statement]:
    if evidence.target_changes:
        yield state("target_changed", times=evidence.target_changes)


def _judge(evidence: Evidence) -> Iterator[Statement]:
    if evidence.judge_holds is None:
        return
    yield state(
        "judge_decides",
        judge=evidence.judge_name or UNNAMED["judge"],
        labels=evidence.judge_labels,
        kappa=evidence.judge_kappa,
    )
    if evidence.judge_kin:
        yield state("judge_kin", kin=evidence.judge_kin)


def _robustness(robustness: Robustness) -> Iterator[Statement]:
    if robustness.share < STABLE:
        yield state("robustness_low", share=robustness.share, draws=robustness.draws)


# ------------------------------------------------------------------------------------------------------ in words

SPLITS = {
    "test": "on the test set",
    "dev": "on the dev set",
    "train": "estimated on training rows that were held out in turn",
}


def _free(variant: str, score: float, best: float, split: str) -> str:
    name = glossary.label(f"variant.{variant}")
    return f"{name} scores {percent(score)} {SPLITS[split]}, the best prompt {percent(best)}. Use it, or beat it."


def free_name(caution: Caution) -> str:
    """What beats the best prompt without a language model, by name."""
    return glossary.label(f"variant.{caution.values['variant']}")


def _beside(rival: str, *, sound: bool) -> str:
    """With what the costs are compared."""
    return f"Compared with \u201c{rival}\u201d{'' if sound else ', which misses the target'}."


def _costs_more(break_even: float, expected: float, rival: str, sound: bool) -> str:
    return (
        f"Costs more than it saves below {calls(break_even)} calls a month; you expect {calls(expected)}. "
        f"{_beside(rival, sound=sound)}"
    )


def _pays_late(months_needed: float | None, limit: float, rival: str, *, sound: bool) -> str:
    return f"Paid back {paid_back(months_needed)}; at most {months(limit)} are accepted. {_beside(rival, sound=sound)}"


def _judge_decides(judge: str, labels: int | None, kappa: float | None) -> str:
    agreed = "" if kappa is None else f", kappa {kappa:.2f}".replace("-", MINUS)
    return (
        f"An LLM judge decides ({judge}): compared with {plural(labels or 0, 'label')} by people{agreed}. None of them "
        "is of an adapter's answer, and an adapter that learns its taste would win by that. It is sent the "
        "adapter's answers to the test rows."
    )


KIN = {
    "same_model": "The LLM judge that decides wrote some of these answers itself. LLM judges prefer their own answers.",
    "same_family": "The LLM judge that decides is of the family of a model whose answers it scores. LLM judges "
    "prefer answers of their own family: take one of another.",
    "teacher": "The LLM judge that decides is of the family of the stronger model. What learns from that model would "
    "win by its taste.",
    "unknown": "Nobody can tell whether the LLM judge that decides is of the family of the models that it scores.",
}


SENTENCES = Wording({
    "judge_decides": _judge_decides,
    "judge_kin": lambda kin: KIN[kin],
    "free_ahead": _free,
    "other_model": "Baselines ran on {ran}, training would be on {trains}: the two are not comparable.",
    "untrainable_model": "Baselines ran on {ran}, which cannot be trained here: the base model has no baseline yet.",
    "costs_more": _costs_more,
    "never_pays": lambda rival, sound: (
        f"Costs more than it saves at every volume, at these prices. {_beside(rival, sound=sound)}"
    ),
    "pays_late": lambda months, limit, rival, sound: _pays_late(months, limit, rival, sound=sound),
    "target_changed": "The metric or the target was changed {times:#time} after results on the test set were known.",
    "robustness_low": lambda share, draws: (
        f"Robustness is low: {percent(share, 0)} of {draws} runs with varied weights and thresholds agree."
    ),
})  # fmt: skip
"""By the codes of `WHERE`."""


def counted(listed: Sequence[Caution]) -> str:
    """`1 warning`, `2 warnings`; empty without one."""
    number = len(listed)
    return "" if not number else f"{number} {'warning' if number == 1 else 'warnings'}"
