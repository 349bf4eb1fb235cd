"""What the page of a running measurement is drawn from, read about once a second while anybody looks."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session

from app.baselines import answer_store, answers_view, live_store, live_view
from app.baselines.spending import Budget
from app.baselines.tables import BaselineRow
from app.datasets import store as dataset_store
from app.db import utcnow
from app.evaluation import metrics
from app.jobs import store as job_store
from app.jobs.progress import Progress
from app.jobs.tables import JobRow, Status
from app.web.protocols import CallPrice

LAST_ANSWERS = 3  # that are shown
LAST_ERRORS = 3  # the same, those alike together


def values(
    session: Session, baseline: BaselineRow, job: JobRow, prices: Mapping[int, CallPrice], *, lost_after: float
) -> dict[str, object]:
    """For `templates/baselines/_live.html`. prices: of calls of the models, by their id; lost_after: seconds of silence
    after which a worker counts as gone."""
    progress: Progress = job.progress or {}
    asked, every = live_view.asked(baseline), [arm.id for arm in baseline.arms]
    answers = answer_store.newest(session, asked, LAST_ANSWERS)
    examples = answers_view.examples_by_id(session, {answer.example_id for answer in answers})
    masker = answers_view.masking(session, baseline)
    so_far, dataset = live_store.so_far(session, every), dataset_store.get(session, baseline.dataset_id)
    errors = live_store.failing(session, every, LAST_ERRORS)
    budget, spent = Budget.from_json(baseline.budget), progress.get("spent") or {}
    bounded = bool(budget.limits) or bool(spent.get("taken"))  # else the figures have said it all
    return {
        "ahead": job_store.ahead(session, job),
        "working": job.status != Status.QUEUED or job_store.working(session, utcnow() - timedelta(seconds=lost_after)),
        "progress": progress,
        "money": live_view.money_so_far(progress, budget) if bounded else "",
        "estimated": bool(spent.get("estimated")),
        "done_share": live_view.share_done(progress),
        "stages": live_view.stages(baseline, progress, running=job.started_at is not None, so_far=so_far),
        "figures": live_view.figures(baseline, progress, answer_store.used(session, asked), prices),
        "arm_lines": live_view.arm_lines(
            baseline,
            progress,
            so_far,
            dev_rows=min(baseline.dev_limit or dataset.dev_rows, dataset.dev_rows),
            test_rows=min(baseline.test_limit or dataset.test_rows, dataset.test_rows),
        ),
        "failing": [replace(one, error=masker.text(one.error)) for one in errors],
        "outputs": [answers_view.view(baseline, examples, answer, masker) for answer in answers],
        "arm_labels": {arm.id: arm.label for arm in baseline.arms},
        "binary": metrics.get(baseline.metric).binary,
    }
