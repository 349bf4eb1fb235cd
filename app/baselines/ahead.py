"""What a measurement still has ahead of it: the rows it asks, and which arms have rows left to answer."""

from sqlalchemy.orm import Session

from app.baselines import answer_store, arms, other_models, rivals, standing, with_passages
from app.baselines.arms import ArmResult
from app.baselines.outbox import Meter
from app.baselines.run_control import RunControl
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.jobs.claims import Claim


def sample(session: Session, baseline: BaselineRow, split: str) -> list[Example]:
    """The rows of a split that this measurement asks, the same ones every time."""
    rows = dataset_store.rows(session, baseline.dataset_id, split)
    limit = baseline.dev_limit if split == "dev" else baseline.test_limit
    chosen = set(arms.sample([row.id for row in rows], limit, baseline.seed))
    return [row for row in rows if row.id in chosen]


def waits(result: ArmResult | None) -> bool:
    """Whether an arm has no result on a split, or one with errors, which are asked again; a dropped one has its own."""
    return result is None or (bool(result.errors) and not result.dropped)


def asked_again(baseline: BaselineRow, model_id: int | None = None) -> list[ArmRow]:
    """Prompts that looked at the test rows before and whose errors were taken away to be asked again: they are, whether
    or not they still lead or are near the best. model_id: of another model than the run's own."""
    mine = [arm for arm in baseline.arms if other_models.own(arm) and arm.family not in ("adapter", *arms.FREE)]
    if model_id is not None:
        mine = other_models.arms_of(baseline, model_id)
    return [arm for arm in mine if arm.test is not None and waits(arm.test) and not arm.outdated]


def own_waits(session: Session, baseline: BaselineRow) -> bool:
    """Whether the run's own model, or what asks none, has rows left to answer."""
    of_run = [arm for arm in baseline.arms if other_models.own(arm) and arm.family != "adapter"]
    leading = standing.leading(baseline)
    tested = [leading, *(arm for arm in of_run if arm.family in arms.FREE)]
    return (
        any(waits(arm.dev) for arm in of_run)
        or any(arm is None or waits(arm.test) for arm in tested)
        or bool(asked_again(baseline))
        or bool(rivals.rivals_to_ask(session, baseline))
    )


def for_others(session: Session, baseline: BaselineRow) -> int:
    """Answers that other models are still asked for, once the run's own is through."""
    dev = len(sample(session, baseline, "dev"))
    waiting = [arm for arm in baseline.arms if not other_models.own(arm) and waits(arm.dev)]
    on_dev = sum(dev - len(answer_store.answered(session, arm.id, "dev")) for arm in waiting)
    return on_dev + _tests_of_others(session, baseline)


def _tests_of_others(session: Session, baseline: BaselineRow) -> int:
    """Test rows that are still asked of the better arm of each other model; before the dev rows named it, all."""
    test, left = len(sample(session, baseline, "test")), 0
    for model_id in other_models.asked(baseline):
        best = other_models.best(baseline, model_id)
        if best is None or any(waits(arm.dev) for arm in other_models.arms_of(baseline, model_id)):
            left += test
        elif waits(best.test):
            left += test - len(answer_store.answered(session, best.id, "test"))
    return left


def meter(claim: Claim, session: Session, baseline: BaselineRow) -> Meter:
    """Count what this run asks: the arms without a dev result, and on the test rows one prompt and what asks no model;
    others follow once they are known. What an attempt before this one got answers for is done already."""
    dev, test = (sample(session, baseline, split) for split in ("dev", "test"))
    waiting = [arm for arm in baseline.arms if arm.family != "adapter" and waits(arm.dev)]
    free = [arm for arm in baseline.arms if arm.family in arms.FREE and waits(arm.test)]
    done = sum(len(answer_store.answered(session, arm.id, "dev")) for arm in waiting)
    on_dev = sum(len(with_passages.rows_of(session, arm, dev)) for arm in waiting)
    own = own_waits(session, baseline)
    total = on_dev + (own + len(free)) * len(test) + _tests_of_others(session, baseline)
    most = total + arms.RIVALS_MOST * len(test) * own
    return Meter(claim, total, done, most=most, control=RunControl(claim, session, baseline))
