"""What the page about measuring shows, as plain values: results as bars with intervals, and words beside them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app import glossary
from app.baselines import arms
from app.baselines.arms import ArmResult
from app.baselines.tables import ArmRow, BaselineRow
from app.evaluation import metrics
from app.inference import service as models
from app.web import charts
from app.wording import percent

TONES = {"trivial": "soft", "small_classifier": "soft", "adapter": "tune"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of arms."""

    arm: ArmRow
    term: str
    dev: ArmResult | None
    test: ArmResult | None
    unknown: bool
    leading: bool
    mostly_cut: bool


def rows(arm_rows: Sequence[ArmRow], leading: ArmRow | None) -> list[Row]:
    """Arms for the table, the best dev score first; those without a result keep their place below."""
    ordered = sorted(arm_rows, key=lambda arm: -(arm.dev.score if arm.dev else arm.test.score if arm.test else -1))
    return [
        Row(
            arm=arm,
            term=glossary.term(f"variant.{arm.family}").help,
            dev=arm.dev,
            test=arm.test,
            unknown=any(result is not None and not result.known for result in (arm.dev, arm.test)),
            leading=leading is not None and arm.id == leading.id,
            mostly_cut=any(result is not None and not result.fair for result in (arm.dev, arm.test)),
        )
        for arm in ordered
    ]


def reported(arm_rows: Sequence[ArmRow]) -> list[str]:
    """Names that the server gave for the model that answered; more than one means that it changed under the run."""
    return sorted(
        {name for arm in arm_rows for result in (arm.dev, arm.test) if result for name in result.reported or ()}
    )


def notes(
    arm_rows: Sequence[ArmRow], leading: ArmRow | None, *, asked_for: str, metric: str, max_tokens: int
) -> list[str]:
    """What a reader has to know before believing the numbers, one sentence each, the weightiest first.

    asked_for: the model's name on its server, empty for one on this machine.
    """
    names = reported(arm_rows)
    sentences = models.named_otherwise(asked_for, names) if asked_for else []
    if leading is not None and leading.dev is not None and leading.dev.score <= 0:
        sentences.append(
            f"No prompt got a single row right. “{leading.label}” leads only because its answers come nearest to the "
            "wanted ones."
        )
    results = [
        (arm, result) for arm in arm_rows for result in (arm.dev, arm.test) if result and arm.family not in arms.FREE
    ]
    for arm, result in results:
        if not result.fair:
            sentences.append(
                f"“{arm.label}”: {result.cut or 0:,} of {result.n:,} answers were cut at {max_tokens:,} tokens. That "
                "is no fair try of this prompt: raise the longest answer, or tell the model to be brief."
            )
    sentences += dict.fromkeys(remark for _, result in results for remark in result.remarks or ())
    return [*sentences, *_made_right(results, metric)]


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
    """What does better without a language model than the best prompt, and how sure that is, in a sentence."""

    title: str
    text: str


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
    score, other = 100 * result.score, 100 * theirs.score
    seen = f"{score:.1f} % on the {result.n:,} {split} rows, the best prompt {other:.1f} %"
    advice = (
        "You may not need a language model for this." if sure else "These rows can't tell which of the two is better."
    )
    return FreeLead(first.label, f"It gets {seen}. {advice} An adapter has to beat it too.")


def chart(
    title: str, arm_rows: Sequence[ArmRow], split: str, target: float | None, url: Mapping[int, str]
) -> charts.IntervalChart | None:
    """A strip for every arm with a result on this split, the best first; None when there is no result at all."""
    results = [(arm, arm.dev if split == "dev" else arm.test) for arm in arm_rows]
    known = [(arm, result) for arm, result in results if result is not None]
    if not known:
        return None
    known.sort(key=lambda pair: -pair[1].score)
    return charts.intervals(title, [_strip(arm, result, url) for arm, result in known], target=target)


def _strip(arm: ArmRow, result: ArmResult, url: Mapping[int, str]) -> charts.Arm:
    tone = TONES.get(arm.family, "prompt")
    link = url.get(arm.id, "")
    if not result.known:
        return charts.Arm(
            arm.label,
            None,
            tone="open",
            note=f"unknown: {percent(result.error_rate, 0)} of its rows had errors",
            url=link,
        )
    return charts.Arm(arm.label, result.score, result.low, result.high, tone=tone, url=link)
