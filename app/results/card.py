"""The model card and the machine-readable facts that travel with an adapter. Pure: facts in, text out.

The layout is PEFT's, so that every loader reads it; beside it lie what was measured, who decided, and how it was made.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app import chosen, glossary
from app.baselines.deciding_judge import DecidingJudge
from app.baselines.history import LateTarget
from app.evaluation.comparison import Comparison, Rival
from app.json_types import JsonObject
from app.recipes.passages_carried import CarriedPassages
from app.recipes.settings import RecipeSettings
from app.release.service import Release
from app.results import serve_lines
from app.results.legs import Together
from app.training.recipe import served_rank
from app.wording import plural, signed_points, target_text


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

    base_model, revision: the weights that were trained, as we call them, and the digest over their files.
    published, made, licence: what a hub calls them or their source, what was done to that, and its licence; each may be
    empty.
    measured_on: what the prompts were asked of; empty where it was these weights. metric_options: what the metric was
    told, a pattern for example. dev: the same arms on the rows on which the best one was chosen. reaches_target: None
    without a target. libraries: versions by name, as the trainer noted them. rivals: what else had to be beaten.
    late_targets: settings of metric and target after results were known, as the subject has them. passages: what every
    training row carried, None where rows carried none. constraint: what its answers were held to (kind, text, sha256),
    None where they were free. release: what else was checked; None where nothing was. together: the trainings of the
    run where they were several. dev_score: of the kept checkpoint, 0 to 1, where the metric chose it. bits: 4 where the
    base model was held in 4 bits all along. thinks: whether reasoning was trained before the answers. judge: that
    decided, None where no judge did.
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
    recipe: RecipeSettings
    train_rows: int
    data_sha256: str
    digest: str
    training_id: int
    made_on: str
    published: str = ""
    made: str = ""
    licence: str = ""
    measured_on: str = ""
    metric_options: JsonObject = field(default_factory=dict)
    dev: Sequence[ArmFacts] = ()
    reaches_target: bool | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    rivals: Sequence[Rival] = ()
    late_targets: Sequence[LateTarget] = ()
    passages: CarriedPassages | None = None
    release: Release | None = None
    constraint: JsonObject | None = None
    together: Together | None = None
    dev_score: float | None = None
    bits: int | None = None
    thinks: bool = False
    judge: DecidingJudge | None = None


# Names of metrics that model hubs know, for what ours are (https://hf.co/metrics); the name beside it says ours.
HUB_METRICS = {"exact_match": "exact_match", "normalised_match": "exact_match", "chrf": "chrf", "rouge_l": "rouge"}
OTHER_METRIC = "accuracy"  # the share of right answers, which all others are


def card(facts: CardFacts) -> str:
    """README.md: front matter that model hubs read, then what was measured, in words."""
    rank = served_rank(int(facts.recipe.get("rank", 16)))
    lines = [
        *front_matter(facts, library="peft", relation="adapter", tags=("lora", "tunegate")),
        "",
        f"# {facts.name}",
        "",
        f"A LoRA adapter for `{facts.base_model}`" + (f" ({facts.revision})" if facts.revision else "") + ".",
        *made(facts),
        *held_in_bits(facts),
        "It was trained after prompting had been measured and somebody other than its authors had approved exactly",
        f"this subject: `{facts.digest}`.",
        "",
        *measured(facts),
        "",
        "## Use",
        "",
        *prompting(facts),
        *serve_lines.adapter(facts.published if facts.published and not facts.made else "", rank),
        *other_weights(facts),
        "",
        *origin(facts, "Adapter"),
    ]
    return "\n".join(lines)


def front_matter(facts: CardFacts, *, library: str, relation: str, tags: Sequence[str]) -> list[str]:
    """What model hubs read (https://huggingface.co/docs/hub/model-cards). The data set is on no hub, so `datasets`
    names none: its hash and number of rows stand under `tunegate`, with what else a program may want to know.
    """
    return [
        "---",
        f"library_name: {library}",
        "license: other",
        "license_name: not-chosen",
        "license_link: README.md",
        f"base_model: {_quoted(facts.published or facts.base_model)}",
        f"base_model_relation: {relation}",
        "pipeline_tag: text-generation",
        "tags:",
        *(f"- {tag}" for tag in tags),
        "metrics:",
        f"- {HUB_METRICS.get(facts.metric, OTHER_METRIC)}",
        "tunegate:",
        f"  base_weights: {_quoted(facts.base_model)}",
        f"  base_revision: {_quoted(facts.revision)}",
        f"  base_license: {_quoted(facts.licence or 'unknown')}",
        f"  base_made_from: {_quoted(facts.made)}",
        f"  training_data_sha256: {_quoted(facts.data_sha256)}",
        f"  training_rows: {facts.train_rows}",
        f"  approved_subject: {_quoted(facts.digest)}",
        *_model_index(facts),
        "---",
    ]


def measured(facts: CardFacts) -> list[str]:
    """The part of a card that says how the adapter did."""
    return [
        "## What was measured",
        "",
        f"Metric: {glossary.known('metric', facts.metric)}, on rows that no prompt and no training had seen."
        + (f" Target: {target_text(facts.target)}." if facts.target is not None else ""),
        *([] if facts.judge else (_option(name, value) for name, value in sorted(facts.metric_options.items()))),
        *_judge_lines(facts.judge),
        *([f"The prompts were asked of {_inline(facts.measured_on)}."] if facts.measured_on else []),
        "",
        "| Variant | Score | 95 % interval | Rows | Errors |",
        "| --- | ---: | --- | ---: | ---: |",
        *(_row(arm) for arm in facts.arms),
        *([_row(facts.adapter)] if facts.adapter else []),
        "",
        facts.compared.words if facts.compared else "The adapter could not be compared.",
        *_target(facts),
        *([_compared_line(facts.compared_with, facts.compared)] if facts.compared else []),
        *_late_target_lines(facts),
        *_rival_lines(facts.rivals),
        *_release_lines(facts.release),
        "",
        *_together_lines(facts.together),
        "The intervals cover the test rows, not other training seeds."
        + ("" if facts.release else " Nothing was measured outside this task."),
    ]


def prompting(facts: CardFacts) -> list[str]:
    """The part of a card that says how it has to be asked."""
    return [
        "The prompt is the base model's own chat template with these instructions as the system turn:",
        "",
        *_fenced(facts.instructions.strip() or "(none)"),
        "",
        *_passage_lines(facts.passages),
        *_constraint_lines(facts.constraint),
        *(serve_lines.thinking() if facts.thinks and not facts.constraint else []),
    ]


def origin(facts: CardFacts, what: str) -> list[str]:
    """The last parts of a card: licences, and how it was made. what: is licensed by whoever hands it on."""
    learnt = "reasoning and answers" if facts.thinks else "the answers"
    return [
        "## Licence",
        "",
        f"Base model: {facts.licence or 'its files name no licence; look at where it comes from'}.",
        f"{what}: none was chosen here. Whoever hands it on chooses one that the base model's licence allows.",
        "",
        "## How it was made",
        "",
        f"{facts.train_rows:,} training rows (`{facts.data_sha256}`), loss on {learnt} only.",
        f"Training run {facts.training_id}, {facts.made_on}.",
        *_checkpoint(facts),
        "",
        *(f"- {glossary.known('recipe', name)}: {chosen.setting(name, value)}" for name, value in facts.recipe.items()),
        *(f"- {name} {version}" for name, version in sorted(facts.libraries.items())),
        "",
        "`evaluation.json` has every variant that was approved, on the dev and on the test rows;",
        "`decision.json` the approval, `training.json` the run, `prompts.jsonl` (where it is there) dev rows as they",
        "are asked.",
        "",
    ]


def made(facts: CardFacts) -> list[str]:
    """What is known of the base model's weights, in words."""
    if facts.made:
        return [f"These weights are not those that a hub has as `{facts.published}`: they are {facts.made}."]
    return [f"A hub has this model as `{facts.published}`."] if facts.published else []


def held_in_bits(facts: CardFacts) -> list[str]:
    """That the base model was held in 4 bits, where it was."""
    if not facts.bits:
        return []
    return [
        f"The base model was held in {facts.bits} bits (NF4, scales in 8 bits, by bitsandbytes) in training and in",
        "every measurement (QLoRA). Scores are of that: in 16 bits it answers otherwise, which was not measured.",
    ]


def other_weights(facts: CardFacts) -> list[str]:
    """That nothing is known of the weights that a hub has, where those were not the ones."""
    if not facts.made:
        return []
    return [
        "",
        "BASE_FOLDER is the copy described above.",
        f"On the weights that a hub has as `{facts.published}` nothing was measured.",
    ]


def _judge_lines(judge: DecidingJudge | None) -> list[str]:
    """Who judged by which rule, and how far people agreed."""
    if judge is None:
        return []
    interval = (
        f" (95 % interval {judge.kappa_low:.2f} to {judge.kappa_high:.2f})"
        if judge.kappa_low is not None and judge.kappa_high is not None
        else ""
    )
    return [f"{judge.words} Kappa {judge.kappa:.2f}{interval}.", f"The rule: {_inline(judge.passes_if)}."]


def _option(name: str, value: object) -> str:
    if isinstance(value, bool):
        written = "yes" if value else "no"
    else:
        written = _inline(value) if isinstance(value, str) else str(value)
    return f"The metric's {name.replace('_', ' ')}: {written}."


def _inline(text: str) -> str:
    """A text as code in a line, whatever signs are in it."""
    marks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    edge = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{edge}{' '.join(text.splitlines())}{edge}{marks}"


def _passage_lines(passages: CarriedPassages | None) -> list[str]:
    """How passages have to stand before a question, where the adapter learnt with them."""
    if not passages:
        return []
    carried = f"{plural(passages['k'], 'passage')}, found by {passages['way']} search"
    return [
        f"Every training row carried {carried} in the index `{passages['sha256']}`.",
        "Ask it the same way, or what was measured does not hold: the user's turn begins with `Passages:`, then",
        "each passage as `[1] TITLE` and its text on the next line, a blank line between them, then `Question:` and",
        "the question on the next line.",
        "",
    ]


def _fenced(text: str) -> list[str]:
    """A text as a block of code, whatever signs are in it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [fence, text, fence]


def _constraint_lines(constraint: JsonObject | None) -> list[str]:
    """What the server has to hold answers to, where they were measured like that."""
    if not constraint:
        return []
    kind = glossary.known("constraint", str(constraint["kind"]))
    return [
        f"Every answer was held to this constraint ({kind}, `{constraint['sha256']}`). Have your server do the same",
        "(`response_format`, guided decoding), or what was measured does not hold:",
        "",
        *_fenced(str(constraint["text"]).strip()),
        "",
    ]


def _target(facts: CardFacts) -> list[str]:
    if facts.reaches_target is None or facts.target is None:
        return []
    verb = "reaches" if facts.reaches_target else "does not reach"
    return [f"It {verb} the target of {target_text(facts.target)}."]


def _model_index(facts: CardFacts) -> list[str]:
    if facts.adapter is None:
        return []
    name = glossary.known("metric", facts.metric)
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
        "      split: test",
        "    metrics:",
        f"    - type: {HUB_METRICS.get(facts.metric, OTHER_METRIC)}",
        f"      value: {facts.adapter.score:.4f}",
        f"      name: {name} (n={facts.adapter.rows}, 95 % interval {interval})",
    ]


def _quoted(text: str) -> str:
    """A text for YAML, whatever signs are in it; bare, `yes` would be true and `a: b` a mapping."""
    return json.dumps(text, ensure_ascii=False)


def _compared_line(other: str, compared: Comparison) -> str:
    return (
        f"Compared with: {other}. {compared.test}, p = {compared.p:.3g}; "
        f"{plural(len(compared.fixed), 'row')} fixed, {len(compared.broken):,} broken."
    )


def _late_target_lines(facts: CardFacts) -> list[str]:
    """When the target was set, where that was after results were known."""
    lines = []
    for late in facts.late_targets:
        change = f" ({late.from_} to {late.to})" if late.to else ""
        lines.append(f"The target was changed after results were known{change}, {late.at[:10]}.")
    return lines


def _rival_lines(rivals: Sequence[Rival]) -> list[str]:
    """What else had to be beaten on the same rows."""
    if not rivals:
        return []
    lines = ["", "| Also to beat | Score | Adapter ahead by | 90 % interval |", "| --- | ---: | ---: | --- |"]
    for rival in rivals:
        title, score = rival.title.replace("|", "/"), _percent(rival.before) or "not asked"
        interval = f"{signed_points(rival.low)} to {signed_points(rival.high)}"
        lines.append(f"| {title} | {score} | {signed_points(rival.delta)} points | {interval} |")
    return lines


def _release_lines(release: Release | None) -> list[str]:
    """What else was looked at before it may be used."""
    if release is None:
        return []
    head = ["", "| Release check | | What was seen |", "| --- | --- | --- |"]
    return head + [
        f"| {glossary.label(check.name)} | {check.state} | {check.words.replace('|', '/')} |"
        for check in release.checks
    ]


def _checkpoint(facts: CardFacts) -> list[str]:
    """By what the checkpoint was chosen, where that was not dev loss alone."""
    if facts.dev_score is None:
        return []
    return [f"The checkpoint was chosen by the metric above on answered dev rows: {_percent(facts.dev_score)} there."]


def _together_lines(together: Together | None) -> list[str]:
    """The other trainings of the same run: how the one that is handed out was chosen, and how far luck carries."""
    if together is None:
        return []
    lines = []
    if together.rates:
        tried = ", ".join(f"{one.learning_rate:.3g}" for one in together.rates)
        taken = next(one for one in together.outcomes if one.name == together.chosen)
        lines.append(f"Learning rates tried: {tried}; {taken.learning_rate:.3g} was best on the dev rows.")
    if together.spread:
        lines.append(together.spread.words)
    if together.more_rows:
        lines.append(together.more_rows)
    return [*lines, ""] if lines else []


def _row(arm: ArmFacts) -> str:
    return (
        f"| {arm.title.replace('|', '/')} | {_percent(arm.score)} | {_percent(arm.low)} to {_percent(arm.high)} "
        f"| {arm.rows:,} | {arm.errors:,} |"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def sums(files: Mapping[str, str]) -> str:
    """SHA256SUMS, as `sha256sum -c` reads it. `files`: name -> digest."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
