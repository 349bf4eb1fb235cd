"""A measurement while it runs: its stages with what is done, now and to come, how far the whole and each variant is,
and what it has taken so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from app.baselines import arms
from app.baselines.answer_store import Used
from app.baselines.live_store import SoFar
from app.baselines.offers import key_of
from app.baselines.spending import UNITS, Budget, Spent, amount
from app.baselines.tables import ArmRow, BaselineRow
from app.jobs.progress import Progress, SpentSoFar
from app.web.protocols import CallPrice
from app.wording import percent, plural

When = Literal["done", "now", "to come"]

LAST_PART = (
    0.02  # of the bar, for writing the results down after the last answer: a full bar means that nothing is left
)


@dataclass(frozen=True, slots=True)
class Stage:
    """note: what is known of it so far, in a few words."""

    name: str
    when: When
    note: str = ""


def stages(
    baseline: BaselineRow,
    progress: Progress,
    *,
    running: bool,
    so_far: Mapping[tuple[int, str], SoFar] | None = None,
) -> list[Stage]:
    """The model, each variant on the dev rows (draws together), the test rows, other models, the end.

    progress: what the job reported last; running: a worker has it. so_far: what arms have answered, by their id
    and the split.
    """
    arm_id, split = progress.get("arm"), progress.get("split")
    groups: list[tuple[str, list[ArmRow]]] = []
    for arm in baseline.arms:
        if arm.family == "adapter":
            continue
        if groups and key_of(groups[-1][1][0].name) == key_of(arm.name):
            groups[-1][1].append(arm)
        else:
            groups.append((arm.label, [arm]))
    first: When = "to come" if not running else "now" if arm_id is None and not split else "done"
    others = {arm.id for arm in baseline.arms if "model_id" in arm.settings}
    beside = arm_id in others or split == "end"  # the run's own model is through
    on_test: When = "done" if beside else "now" if running and split == "test" else "to come"
    listed = [Stage("Start the model", first)]
    after: list[Stage] = []
    for label, group in groups:
        done = sum(arm.dev is not None and not arm.dev.errors for arm in group)
        name = label if len(group) == 1 else f"{label.partition(' (')[0]} ({done} of {len(group)})"
        now = running and (split == "dev" or arm_id in others) and any(arm.id == arm_id for arm in group)
        # An arm with errors that a later run does not ask again is through as well once the test rows are asked.
        of_other = group[0].id in others
        through = done == len(group) or split == "end" or (not of_other and (beside or split == "test"))
        stage = Stage(name, "now" if now else "done" if through else "to come", _note(group, so_far or {}))
        (after if of_other else listed).append(stage)
    listed += [Stage("Test set", on_test), *after]
    listed.append(Stage("Write results", "now" if running and split == "end" else "to come"))
    return listed


def _note(group: Sequence[ArmRow], so_far: Mapping[tuple[int, str], SoFar]) -> str:
    """Who is out of the race, and what the others have scored so far."""
    out = [arm.dropped.after for arm in group if arm.dropped]
    if len(out) == len(group):
        return f"dropped after {plural(max(out), 'row')}"
    asked = [so_far.get((arm.id, "dev")) for arm in group if arm.dev is None and not arm.dropped]
    known = [(one.score, one.scored) for one in asked if one is not None and one.score is not None]
    going = f"{percent(fmean(score for score, _ in known), 0)} of {known[0][1]:,} so far" if known else ""
    return ", ".join(part for part in (f"{len(out)} dropped" if out else "", going) if part)


def share_done(progress: Progress) -> float:
    """How much of the work is done, 0 to 1; never all of it while the job runs."""
    total = progress.get("most") or progress.get("total") or 0
    return (1 - LAST_PART) * min(1.0, (progress.get("done") or 0) / total) if total else 0.0


def money_so_far(progress: Progress, budget: Budget) -> str:
    """What the run has taken so far, with its limits, in a few words; empty while nobody knows."""
    kept = progress.get("spent")
    if not kept:
        return ""
    spent, parts = Spent(**kept), []
    for unit in UNITS:
        limit = budget.limits.get(unit)
        known = spent.money is not None and bool(spent.currency or spent.money) if unit == "money" else True
        if limit is not None or (unit == "money" and known and spent.calls):
            number = f"{spent.of(unit):,.2f}" if unit == "money" else f"{spent.of(unit):,.0f}"
            whole = amount(spent.of(unit), unit, spent.currency)
            if unit == "money" and 0 < spent.of(unit) < 0.01:
                whole = f"under 0.01 {spent.currency}".strip()
            parts.append(
                f"{number} of {amount(limit, unit, spent.currency)}" if limit is not None else f"{whole} spent"
            )
    if spent.judge_calls:
        parts.append(f"{plural(spent.judge_calls, 'call')} of the LLM judge")
    if spent.taken:
        parts.append(f"{plural(spent.taken, 'answer')} taken from earlier runs")
    return " · ".join(parts)


def signature(arm_rows: Sequence[ArmRow]) -> tuple[tuple[int, str, str], ...]:
    """Changes whenever the table has something new to show."""
    return tuple(
        (arm.id, arm.dev.at or "" if arm.dev else "", arm.test.at or "" if arm.test else "") for arm in arm_rows
    )


def asked(baseline: BaselineRow) -> list[int]:
    """Ids of the arms whose answers come from the model."""
    return [arm.id for arm in baseline.arms if arm.family not in (*arms.FREE, "adapter")]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run has taken, and how fast it is; None where nobody knows.

    rate: answers a second. tokens: of prompts and answers; uncounted: answers of which the model did not say how many.
    money: at today's prices, in `currency`; estimated: part of it rests on estimated tokens. waiting: why nothing comes
    for now. paused: somebody stopped it for a while.
    """

    rate: float | None
    seconds_left: float | None
    tokens: int
    uncounted: int
    money: float | None
    currency: str
    estimated: bool
    waiting: str
    paused: bool

    @property
    def rate_text(self) -> str:
        """Empty where it is not known."""
        if self.rate is None:
            return ""
        return f"{self.rate:,.0f}" if self.rate >= 10 else f"{self.rate:.1f}" if self.rate >= 1 else f"{self.rate:.2g}"


def figures(
    baseline: BaselineRow, progress: Progress, used: Sequence[Used], prices: Mapping[int, CallPrice]
) -> Figures:
    """used: by arms so far. A job that keeps account of what it spent is believed; else it is counted from `used`."""
    kept: SpentSoFar = progress.get("spent") or {}
    of_arm = {arm.id: int(arm.settings.get("model_id", baseline.model_id)) for arm in baseline.arms}
    asked = [(one, prices.get(of_arm[one.arm_id])) for one in used if one.prompt_tokens]
    sums = [(one.prompt_tokens * p.input + one.completion_tokens * p.output) / 1e6 if p else None for one, p in asked]
    known = [money for money in sums if money is not None]
    counted = sum(known) if known and len(known) == len(sums) else None
    return Figures(
        rate=progress.get("rate"),
        seconds_left=progress.get("seconds_left"),
        tokens=int(kept.get("tokens", sum(one.prompt_tokens + one.completion_tokens for one, _ in asked))),
        uncounted=sum(one.uncounted for one in used),
        money=kept.get("money", counted),
        currency=str(kept.get("currency") or next((price.currency for price in prices.values()), "")),
        estimated=bool(kept.get("estimated")),
        waiting=str(progress.get("waiting") or ""),
        paused=bool(baseline.paused_at),
    )


@dataclass(frozen=True, slots=True)
class ArmLine:
    """How far one variant is on the dev rows, and on the test rows where it is asked them (0 of them before)."""

    label: str
    answered: int
    rows: int
    score: float | None
    errors: int
    tested: int
    test_rows: int
    state: str

    @property
    def share(self) -> float:
        return min(1.0, self.answered / self.rows) if self.rows else 0.0


def arm_lines(
    baseline: BaselineRow,
    progress: Progress,
    so_far: Mapping[tuple[int, str], SoFar],
    *,
    dev_rows: int,
    test_rows: int,
) -> list[ArmLine]:
    """Each variant in the order in which it is asked. dev_rows, test_rows: that the measurement asks."""
    none = SoFar(0, 0, None)
    lines = []
    for arm in baseline.arms:
        if arm.family == "adapter":
            continue
        dev, test = so_far.get((arm.id, "dev"), none), so_far.get((arm.id, "test"), none)
        through = arm.dev is not None
        lines.append(
            ArmLine(
                label=arm.label,
                answered=dev.answers,
                rows=dev.answers if through else dev_rows,
                score=dev.score,
                errors=dev.errors + test.errors,
                tested=test.answers,
                test_rows=test_rows if test.answers else 0,
                state=_state(arm, progress, dev.answers),
            )
        )
    return lines


def _state(arm: ArmRow, progress: Progress, answered: int) -> str:
    if progress.get("arm") == arm.id:
        return "now"
    if arm.dropped or arm.dev is not None:
        return "dropped" if arm.dropped else "done"
    return "next round to come" if answered else "to come"
