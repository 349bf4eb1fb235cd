"""evaluation.json: what was measured of an adapter and of what it had to beat, for programs. Pure."""

from dataclasses import asdict

from app.evaluation.comparison import Rival
from app.json_types import JsonObject
from app.results.card import ArmFacts, CardFacts


def evaluation(facts: CardFacts) -> JsonObject:
    """evaluation.json: all arms and the pair, shaped after lm-evaluation-harness's results.

    `results` is on the test rows, which the best arm and the adapter were asked once; `dev_results` on the rows on
    which the best arm was chosen.
    """
    everyone = [*facts.arms, *([facts.adapter] if facts.adapter else [])]
    return {
        "results": {arm.name: _numbers(arm, facts.metric) for arm in everyone},
        "dev_results": {arm.name: _numbers(arm, facts.metric) for arm in facts.dev},
        **({"seeds": facts.together.spread.to_json()} if facts.together and facts.together.spread else {}),
        **({"legs": [one.to_json() for one in facts.together.outcomes]} if facts.together else {}),
        **({"release_checks": [asdict(check) for check in facts.release.checks]} if facts.release else {}),
        "pairwise": [*([_pair(facts)] if facts.compared else []), *(_rival(rival) for rival in facts.rivals)],
        "configs": {
            "metric": facts.metric,
            "metric_options": dict(facts.metric_options),
            **({"judge": facts.judge.to_json()} if facts.judge else {}),
            "target": facts.target,
            "reaches_target": facts.reaches_target,
            "instructions": facts.instructions,
            **({"passages": dict(facts.passages)} if facts.passages else {}),
            **({"constraint": dict(facts.constraint)} if facts.constraint else {}),
        },
        "model_source": facts.base_model,
        "model_revision": facts.revision,
        **({"base_bits": facts.bits} if facts.bits else {}),
        "model_published_as": facts.published,
        "model_made_from": facts.made,
        "prompts_asked_of": facts.measured_on or facts.base_model,
        "date": facts.made_on,
    }


def _numbers(arm: ArmFacts, metric: str) -> JsonObject:
    return {
        metric: arm.score, "ci_low": arm.low, "ci_high": arm.high, "n-samples": arm.rows, "errors": arm.errors,
    }  # fmt: skip


def _pair(facts: CardFacts) -> JsonObject:
    compared = facts.compared
    assert compared is not None  # noqa: S101 - the caller looked
    return {
        "a": facts.compared_with,
        "b": "adapter",
        "delta": compared.delta,
        "ci": [compared.low, compared.high],
        "p": compared.p,
        "test": compared.test,
        "gained": len(compared.fixed),
        "lost": len(compared.broken),
        "n": compared.rows,
        "verdict": compared.verdict,
        **({"groups": compared.design.groups, "design_effect": compared.design.effect} if compared.design else {}),
    }


def _rival(rival: Rival) -> JsonObject:
    return {
        "a": rival.title,
        "b": "adapter",
        "kind": rival.kind,
        "delta": rival.delta,
        "ci": [rival.low, rival.high],
        "verdict": rival.verdict,
    }
