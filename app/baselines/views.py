"""What a reader has to know beside the numbers of a measurement, in words; `results_view` has the table of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.baselines import arms
from app.baselines.arms import ArmResult
from app.baselines.tables import ArmRow, BaselineRow
from app.evaluation import metrics
from app.inference import findings
from app.inference import service as models
from app.inference.findings import PLAIN, Manner
from app.inference.server_constraints import KEEPS
from app.wording import percent, plural

NAMED = 3  # variants that are named in one sentence


def reported(arm_rows: Sequence[ArmRow]) -> list[str]:
    """Names that the server gave for the model that answered; more than one means that it changed under the run. Other
    models of the run have names of their own."""
    own = [arm for arm in arm_rows if "model_id" not in arm.settings]
    return sorted({name for arm in own for result in (arm.dev, arm.test) if result for name in result.reported or ()})


def notes(
    arm_rows: Sequence[ArmRow],
    leading: ArmRow | None,
    *,
    asked_for: str,
    metric: str,
    max_tokens: int,
    manner: Manner = PLAIN,
) -> list[str]:
    """What a reader has to know before believing the numbers, one sentence each, the weightiest first.

    asked_for: the model's name on its server, empty for one on this machine. manner: what was known of that server.
    """
    names = reported(arm_rows)
    sentences = models.named_otherwise(asked_for, names) if asked_for else []
    sentences += findings.notes(manner, max((r.tokens_in for a in arm_rows for r in (a.dev, a.test) if r), default=0.0))
    if leading is not None and leading.dev is not None and leading.dev.score <= 0:
        sentences.append(
            f"No prompt got a single row right. “{leading.label}” leads only because its answers come nearest to the "
            "expected ones."
        )
    results = _by_model(arm_rows)
    sentences += _cut(results, max_tokens)
    sentences += [remark for remark in _remarks(results) if not remark.startswith(KEEPS)]
    return [*sentences, *_made_right(results, metric)]


def facts(arm_rows: Sequence[ArmRow]) -> list[str]:
    """What a reader should know of how the answers came about and need not worry about, one sentence each."""
    results = _by_model(arm_rows)
    return [*(remark for remark in _remarks(results) if remark.startswith(KEEPS)), *_taken(results)]


def _by_model(arm_rows: Sequence[ArmRow]) -> list[tuple[ArmRow, ArmResult]]:
    """The results of what a language model answered."""
    asked = (arm for arm in arm_rows if arm.family not in arms.FREE)
    return [(arm, result) for arm in asked for result in (arm.dev, arm.test) if result]


def _remarks(results: Sequence[tuple[ArmRow, ArmResult]]) -> list[str]:
    """What was noted of the server while it answered, each once."""
    return list(dict.fromkeys(remark for _, result in results for remark in result.remarks or ()))


def _cut(results: Sequence[tuple[ArmRow, ArmResult]], max_tokens: int) -> list[str]:
    """Which arms had most of their answers cut: in one sentence, for one limit cuts them all."""
    cut = [(arm.label, result) for arm, result in results if not result.fair]
    if not cut:
        return []
    mend = "raise max output tokens, or tell the model to be brief."
    most = f"{sum(result.cut or 0 for _, result in cut):,} of {sum(result.n for _, result in cut):,} answers"
    labels = list(dict.fromkeys(label for label, _ in cut))
    if len(labels) == 1:
        were = f"{most} were cut at {max_tokens:,} tokens"
        return [f"“{labels[0]}”: {were}. That is no fair try of this prompt: {mend}"]
    named = "; ".join(f"“{label}”" for label in labels[:NAMED])
    named += f" and {len(labels) - NAMED:,} more" if len(labels) > NAMED else ""
    head = f"{most} of {plural(len(labels), 'variant')} were cut at {max_tokens:,} tokens ({named})."
    return [f"{head} That is no fair try of these prompts: {mend}"]


def _taken(results: Sequence[tuple[ArmRow, ArmResult]]) -> list[str]:
    """How many answers are from earlier runs."""
    taken = sum(result.taken or 0 for _, result in results)
    if not taken:
        return []
    of = sum(result.asked for _, result in results)
    counted = f"{taken:,} of {plural(of, 'answer')} taken from earlier runs"
    why = "the same prompt, model and settings. They cost nothing, and no time is measured by them"
    return [f"{counted}: {why}. To ask them again, tick “Ask again” in the plan."]


def _made_right(results: Sequence[tuple[ArmRow, ArmResult]], metric: str) -> list[str]:
    """How many answers were read in a kind way, and how many another setting would save; said of the arm with most."""
    sentences = []
    thought = max(((arm, result, result.thought or 0) for arm, result in results), key=_third, default=None)
    if thought and thought[2]:
        sentences.append(
            f"Thinking was taken off before the answer was scored, most often in “{thought[0].label}”: "
            f"{thought[2]:,} of {thought[1].n:,} rows. Each row shows the text as it came."
        )
    dressed = max(((arm, result, result.dressed or 0) for arm, result in results), key=_third, default=None)
    if dressed and dressed[2]:
        sentences.append(
            f"{dressed[2]:,} of {dressed[1].n:,} rows of “{dressed[0].label}” are right only because marks around "
            "the answer, such as ** or quotation marks, were taken off. An adapter is read in the same way."
        )
    titles = {option.name: option.title for option in metrics.get(metric).options}
    for name, title in titles.items() if results else ():
        most = max(((arm, result, (result.saved or {}).get(name, 0)) for arm, result in results), key=_third)
        if most[2]:
            sentences.append(
                f"{most[2]:,} more of {most[1].n:,} rows of “{most[0].label}” would be right with: {title}."
            )
    return sentences


def _third(counted: tuple[ArmRow, ArmResult, int]) -> int:
    return counted[2]


@dataclass(frozen=True, slots=True)
class FreeLead:
    """What does better without a language model than the best prompt.

    score, prompt_score: shares on the same rows of `split`. sure: by more than both intervals can explain.
    """

    arm: ArmRow
    split: str
    rows: int
    score: float
    prompt_score: float
    sure: bool

    @property
    def title(self) -> str:
        return self.arm.label

    @property
    def head(self) -> str:
        """The headline."""
        numbers = f"{percent(self.score)} against {percent(self.prompt_score)}"
        verb = "beats" if self.sure else "is ahead of"
        return f"{self.title} {verb} the best prompt: {numbers}."

    @property
    def text(self) -> str:
        """What follows from it."""
        advice = (
            "You may not need a language model for this."
            if self.sure
            else "These rows can't tell which of the two is better."
        )
        return f"Both on {plural(self.rows, self.split + ' row')}. {advice} An adapter has to beat it too."


def free_lead(baseline: BaselineRow, leading: ArmRow | None) -> FreeLead | None:
    """The best arm without a language model, if it does better than the best prompt: on the test rows once both have
    answered them, else on the dev rows."""
    if leading is None:
        return None
    split = "test" if leading.test else "dev"
    theirs = leading.test or leading.dev
    results = [(arm, arm.test if split == "test" else arm.dev) for arm in baseline.arms if arm.family in arms.FREE]
    free = [(arm, result) for arm, result in results if result]
    if not free or not theirs:
        return None
    first, result = max(free, key=lambda pair: pair[1].score)
    ahead = result.score - theirs.score
    if ahead <= 0:
        return None
    sure = ahead > math.hypot(result.score - result.low, theirs.high - theirs.score)
    return FreeLead(first, split, result.n, result.score, theirs.score, sure)
