"""Where a measurement stands, from its rows alone: which arm leads, whose result stands, which measurement counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.baselines import arms
from app.baselines.arm_settings import ArmSettings
from app.baselines.arms import Arm, ArmResult
from app.baselines.tables import ArmRow, BaselineRow
from app.evaluation import metrics


def value(row: ArmRow) -> Arm:
    """An arm as the pure rules know it."""
    return Arm(row.family, row.name, row.settings)


def results(baseline: BaselineRow) -> list[tuple[Arm, ArmResult]]:
    """Dev results of every arm that has been measured, with the passages of today where it gives any."""
    return [(value(row), row.dev) for row in baseline.arms if row.dev is not None and not row.outdated]


def leading(baseline: BaselineRow) -> ArmRow | None:
    """The arm with the best dev result; see `arms.best`."""
    first = arms.best(results(baseline))
    return next((row for row in baseline.arms if first and row.name == first.name), None)


def best(baseline: BaselineRow) -> ArmRow | None:
    """The best arm whose test result stands and may be used: what an adapter has to beat.

    A revision that was begun, failed or got no usable answers takes no earlier result away; that it may be better is
    said by `finished`.
    """
    judged = {row.name for row in baseline.arms if row.test is not None and row.test.known}
    first = arms.best([(arm, result) for arm, result in results(baseline) if arm.name in judged])
    return next((row for row in baseline.arms if first and row.name == first.name), None)


def finished(baseline: BaselineRow) -> bool:
    """Whether everything that was begun is through, and the arm that leads on the dev rows is the one that stands."""
    first = leading(baseline)
    return baseline.concluded_at is not None and first is not None and best(baseline) is first


def counting(
    measurements: Sequence[BaselineRow], dataset_id: int | None, prefers: Callable[[BaselineRow], bool]
) -> "Counting":
    """Which measurement counts, of all of an assessment, the newest first.

    The newest one with a result on these rows, those that `prefers` names before others: one that was begun later and
    failed, was cancelled or is still running hides nothing, and neither does one that came to surely less than an
    earlier one like it (`_outdone`). While none has a result, the newest.
    """
    on_rows = [row for row in measurements if row.dataset_id == dataset_id]
    there = [row for row in on_rows if best(row) is not None]
    counts = next((row for row in there if prefers(row)), None) or next(iter(there or on_rows or measurements), None)
    if counts is None:
        return Counting(None, open=False)
    if counts in there:
        same = prefers(counts)
        alike = [row for row in there if (prefers(row) if same else row.model_id == counts.model_id)]
        counts = _outdone(counts, [row for row in alike if row.id < counts.id])
    later = [row for row in on_rows if row.id > counts.id and results(row) and prefers(row) == prefers(counts)]
    return Counting(counts, open=any(not finished(row) for row in (counts, *later)))


def _outdone(newest: BaselineRow, earlier: Sequence[BaselineRow]) -> BaselineRow:
    """An earlier measurement whose best arm reached surely more, or the newest one where there is none.

    Otherwise prompts that were tried with less care afterwards would be what an adapter has to beat. It is one with the
    same metric, of at least half as many test rows, whose score lies above the whole interval of the newest.
    """
    reached = _tested(newest)
    if reached is None:
        return newest
    alike = [
        (result.score, row)
        for row in earlier
        if (row.metric, row.metric_options) == (newest.metric, newest.metric_options)
        and (result := _tested(row)) is not None
        and 2 * result.n >= reached.n
        and result.score > reached.high
    ]
    return max(alike, key=lambda pair: pair[0], default=(0.0, newest))[1]


def _tested(baseline: BaselineRow) -> ArmResult | None:
    """The test result that stands, of a measurement that has one."""
    first = best(baseline)
    return first.test if first else None


@dataclass(frozen=True, slots=True)
class Counting:
    """The measurement that counts. open: it, or a later one like it, has begun to answer and is not through."""

    row: BaselineRow | None
    open: bool


def failed_rows(baseline: BaselineRow) -> int:
    """Rows that its arms were asked and that ended in errors, each once for an arm and a split; they can be asked
    again, but not those of arms that were dropped."""
    asked = [arm for arm in baseline.arms if arm.family != "adapter" and not arm.dropped]
    return sum(result.errors for arm in asked for result in (arm.dev, arm.test) if result)


def unanswered(baseline: BaselineRow) -> list[tuple[ArmRow, str, int]]:
    """Where the rows of `failed_rows` are: arm, split, and how many."""
    asked = [arm for arm in baseline.arms if arm.family != "adapter" and not arm.dropped]
    both = [(arm, split, result) for arm in asked for split, result in (("dev", arm.dev), ("test", arm.test))]
    return [(arm, split, result.errors) for arm, split, result in both if result and result.errors]


def closed(baseline: BaselineRow) -> bool:
    """Whether an adapter was evaluated against its answers: from then on they stay as they are."""
    return any(arm.family == "adapter" and arm.test for arm in baseline.arms)


def rules(baseline: BaselineRow) -> int:
    """Which rules it is judged by (`arms.RULES`); measurements of earlier versions have none with them."""
    return max((row.settings.get("rules", 1) for row in baseline.arms), default=1)


def margin(baseline: BaselineRow) -> float | None:
    """How much worse a cheaper arm may be (0 to 1), as it stood when the measurement began; None in older ones."""
    return next((row.settings[arms.MARGIN] for row in baseline.arms if arms.MARGIN in row.settings), None)


def first_result(baseline: BaselineRow) -> datetime | None:
    """When its first result stood; None while there is none. Results of earlier versions have no time of their own."""
    known = [result for arm in baseline.arms for result in (arm.dev, arm.test) if result]
    times = [datetime.fromisoformat(result.at) for result in known if result.at]
    return min(times) if times else (baseline.concluded_at or baseline.created_at) if known else None


def passing(baseline: BaselineRow) -> float:
    """The score from which one answer counts as right: all of it for right and wrong, the target for graded ones."""
    if metrics.get(baseline.metric).binary or baseline.target is None:
        return 1.0
    return baseline.target


def instructions_of(baseline: BaselineRow, arm: ArmRow) -> str:
    """The instructions an arm is asked with: its own, or the run's."""
    return arm.settings.get("instructions", baseline.instructions)


def judged_adapters(baseline: BaselineRow) -> list[ArmRow]:
    """Adapters with a result on the test rows, oldest first; not those of other seeds, which show a spread only."""
    return [arm for arm in baseline.arms if arm.family == "adapter" and arm.test and "seed" not in arm.settings]


def dtype_of(baseline: BaselineRow) -> ArmSettings:
    """The precision of a local model, once it is known: every arm of a run uses the same."""
    own = (arm for arm in baseline.arms if "dtype" in arm.settings and "model_id" not in arm.settings)
    settings: ArmSettings = {}
    if (first := next(own, None)) is not None:
        settings["dtype"] = first.settings["dtype"]
    return settings


def winning_instructions(baseline: BaselineRow) -> str:
    """What training rows and the adapter are asked with: those of the winning arm, the run's own until there is one."""
    first = best(baseline)
    return instructions_of(baseline, first) if first else baseline.instructions


def revisions(baseline: BaselineRow) -> int:
    """How often its instructions were revised, by people or by an optimizer."""
    return sum(arm.family in arms.REVISIONS for arm in baseline.arms)


def zero_shot(baseline: BaselineRow) -> ArmRow | None:
    """The plainest prompt, with a result on the dev rows that may be used: what others are compared with."""
    plain = (arm for arm in baseline.arms if arm.family == "zero_shot")
    return next((arm for arm in plain if arm.dev is not None and arm.dev.known), None)


def compared_with(baseline: BaselineRow, arm: ArmRow) -> ArmRow | None:
    """What is read beside an arm to see what it fixed and broke: for a revision the arm that it revised, which is the
    best of those before it with all else the same, else zero-shot."""
    if arm.family not in arms.REVISIONS:
        first = zero_shot(baseline)
        return first if first is not None and first.id != arm.id else None
    earlier = [
        row
        for row in baseline.arms
        if row.id < arm.id
        and row.outdated == arm.outdated
        and "model_id" not in row.settings
        and all(row.settings.get(key) == arm.settings.get(key) for key in arms.MADE_OF)
    ]
    best_name = arms.best([(value(row), row.dev) for row in earlier if row.dev is not None])
    return next((row for row in earlier if best_name and row.name == best_name.name), None)
