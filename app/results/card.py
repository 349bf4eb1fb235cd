"""The model card and the machine-readable facts that travel with an adapter. Pure: facts in, text out.

The layout is PEFT's, so that every loader reads it; beside it lie what was measured, who decided, and how it was made.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.evaluation.comparison import Comparison, Rival


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """One arm's result on the test rows; scores from 0 to 1."""

    name: str
    title: str
    score: float
    low: float
    high: float
    rows: int
    errors: int


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that the card says. `compared` is None when the pairs could not be judged.

    rivals: what else had to be beaten. late_targets: settings of metric and target after results were known, as the
    subject has them.
    """

    name: str
    base_model: str
    revision: str
    metric: str
    target: float | None
    instructions: str
    arms: Sequence[ArmFacts]
    adapter: ArmFacts | None
    compared_with: str
    compared: Comparison | None
    recipe: Mapping[str, Any]
    train_rows: int
    data_sha256: str
    digest: str
    training_id: int
    made_on: str
    rivals: Sequence[Rival] = ()
    late_targets: Sequence[Mapping[str, Any]] = ()
    reaches_target: bool | None = None


def card(facts: CardFacts) -> str:
    """README.md: front matter that model hubs read, then what was measured, in words."""
    rank = int(facts.recipe.get("rank", 16))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", facts.instructions)), default=0))
    lines = [
        "---",
        "library_name: peft",
        f"base_model: {_quoted(facts.base_model)}",
        "base_model_relation: adapter",
        "pipeline_tag: text-generation",
        "tags:",
        "- lora",
        "- tunegate",
        *_model_index(facts),
        "---",
        "",
        f"# {facts.name}",
        "",
        f"A LoRA adapter for `{facts.base_model}`" + (f" ({facts.revision})" if facts.revision else "") + ".",
        "It was trained after prompting had been measured and somebody other than its authors had approved exactly",
        f"this subject: `{facts.digest}`.",
        "",
        "## What was measured",
        "",
        f"Metric: {facts.metric.replace('_', ' ')}, on rows that no prompt and no training had seen."
        + (f" Target: {_percent(facts.target)}." if facts.target is not None else ""),
        "",
        "| Arm | Score | 95 % interval | Rows | Errors |",
        "| --- | ---: | --- | ---: | ---: |",
        *(_row(arm) for arm in facts.arms),
        *([_row(facts.adapter)] if facts.adapter else []),
        "",
        facts.compared.words if facts.compared else "The adapter could not be compared.",
        *([_compared_line(facts.compared_with, facts.compared)] if facts.compared else []),
        *_target_lines(facts),
        *_rival_lines(facts.rivals),
        "",
        "The intervals cover the test rows, not other training seeds. Nothing was measured outside this task.",
        "",
        "## Use",
        "",
        "The prompt is the base model's own chat template with these instructions as the system turn:",
        "",
        fence,
        facts.instructions.strip() or "(none)",
        fence,
        "",
        "```",
        f"vllm serve {facts.base_model} --enable-lora --max-lora-rank {rank} --lora-modules adapter=THIS_FOLDER",
        "```",
        "",
        "llama.cpp: `convert_lora_to_gguf.py THIS_FOLDER`; Ollama: `FROM` the base, `ADAPTER` this folder.",
        "",
        "## How it was made",
        "",
        f"{facts.train_rows:,} training rows (`{facts.data_sha256}`), loss on the answers only.",
        f"Training run {facts.training_id}, {facts.made_on}.",
        "",
        *(f"- {name.replace('_', ' ')}: {value}" for name, value in facts.recipe.items()),
        "",
        "`evaluation.json` has every arm, `decision.json` the approval, `training.json` the run.",
        "",
    ]
    return "\n".join(lines)


def _model_index(facts: CardFacts) -> list[str]:
    if facts.adapter is None:
        return []
    name = facts.metric.replace("_", " ")
    interval = f"{facts.adapter.low:.4f} to {facts.adapter.high:.4f}"
    return [
        "model-index:",
        f"- name: {_quoted(facts.name)}",
        "  results:",
        "  - task:",
        "      type: text-generation",
        "    dataset:",
        "      name: held-out rows of the team's own data",
        "      type: private",
        "    metrics:",
        f"    - type: {facts.metric}",
        f"      value: {facts.adapter.score:.4f}",
        f"      name: {name} (n={facts.adapter.rows}, 95 % interval {interval})",
    ]


def _quoted(text: str) -> str:
    """A text for YAML, whatever signs are in it; bare, `yes` would be true and `a: b` a mapping."""
    return json.dumps(text, ensure_ascii=False)


def _compared_line(other: str, compared: Comparison) -> str:
    return (
        f"Compared with: {other}. {compared.test}, p = {compared.p:.3g}; "
        f"{len(compared.fixed)} rows fixed, {len(compared.broken)} broken."
    )


def _target_lines(facts: CardFacts) -> list[str]:
    """Whether the target was reached, and when it was set."""
    found = []
    if facts.reaches_target is not None:
        found.append(f"The target was {'reached' if facts.reaches_target else 'not reached'}.")
    for one in facts.late_targets:
        change = f" ({one['from']} to {one['to']})" if one.get("to") else ""
        found.append(f"The target was changed after results were known{change}, {str(one['at'])[:10]}.")
    return found


def _rival_lines(rivals: Sequence[Rival]) -> list[str]:
    """What else had to be beaten on the same rows."""
    if not rivals:
        return []
    lines = ["", "| Also to beat | Score | Adapter ahead by | 90 % interval |", "| --- | ---: | ---: | --- |"]
    for one in rivals:
        title, score = one.title.replace("|", "/"), _percent(one.before) or "not asked"
        interval = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
        lines.append(f"| {title} | {score} | {100 * one.delta:+.1f} points | {interval} |")
    return lines


def _row(arm: ArmFacts) -> str:
    return (
        f"| {arm.title.replace('|', '/')} | {_percent(arm.score)} | {_percent(arm.low)} to {_percent(arm.high)} "
        f"| {arm.rows:,} | {arm.errors:,} |"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def evaluation(facts: CardFacts) -> dict[str, Any]:
    """evaluation.json: all arms and the pair, shaped after lm-evaluation-harness's results."""
    everyone = [*facts.arms, *([facts.adapter] if facts.adapter else [])]
    return {
        "results": {
            arm.name: {
                facts.metric: arm.score,
                "ci_low": arm.low,
                "ci_high": arm.high,
                "n-samples": arm.rows,
                "errors": arm.errors,
            }
            for arm in everyone
        },
        "pairwise": [*([_pair(facts)] if facts.compared else []), *(_rival(one) for one in facts.rivals)],
        "configs": {"metric": facts.metric, "target": facts.target, "instructions": facts.instructions},
        "model_source": facts.base_model,
        "date": facts.made_on,
    }


def _pair(facts: CardFacts) -> dict[str, Any]:
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
    }


def _rival(one: Rival) -> dict[str, Any]:
    return {
        "a": one.title,
        "b": "adapter",
        "kind": one.kind,
        "delta": one.delta,
        "ci": [one.low, one.high],
        "verdict": one.verdict,
    }


def sums(files: Mapping[str, str]) -> str:
    """SHA256SUMS, as `sha256sum -c` reads it. `files`: name -> digest."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
