"""The result page and the adapter's download."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.assessments import store as assessment_store
from app.baselines import differences
from app.baselines.results_view import TONES
from app.errors import NotFound
from app.evaluation import metrics
from app.evaluation.comparison import MORE
from app.gate import warnings
from app.gate.checks import Steps, batch_rows, seen
from app.results import history, service
from app.results.deps import send
from app.results.legs import Together
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.users.deps import Me
from app.web import charts, line_charts
from app.web.deps import App, Db
from app.web.pages import page
from app.web.params import LARGEST, Id, Wanted

router = APIRouter(include_in_schema=False)

PAGE = 10


@router.get("/assessments/{assessment_id}/result", name="result")
def show_result(
    request: Request,
    assessment_id: Id,
    db: Db,
    me: Me,
    asked: Annotated[Literal["fixed", "broken"] | None, Query(alias="which")] = None,
    first: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    run: Wanted = None,
) -> Response:
    """run: one of this assessment; the newest that was judged unless it says so."""
    assessment = assessment_store.get(db, assessment_id)
    newest = trainings.latest(db, assessment_id)
    asked_for = _asked(db, assessment_id, run)
    training = asked_for or trainings.judged(db, assessment_id) or newest
    listed = history.runs(db, assessment_id)
    outcome = service.outcome(db, training.id) if training else None
    which = asked or _larger(outcome)
    compared = outcome.compared if outcome else None
    together = service.together(outcome) if outcome and compared else None
    return page(
        request,
        "results/result.html",
        assessment=assessment,
        step="run",
        training=training,
        newer=newest if newest is not None and training is not None and newest.id != training.id else None,
        runs=listed,
        shown_run=asked_for.id if asked_for else None,
        legs=together,
        seed_chart=_seeds(together) if together else None,
        curve_charts=_curve(together) if together else (),
        seeds=history.seeds(listed, training) if training else None,
        variants=_variants(db, outcome) if outcome else (),
        models=service.models_of(db, outcome) if outcome else None,
        run_on=warnings.run_on(assessment_id, training.model_id) if training else "",
        trained=_trained(db, training) if training else None,
        found=outcome,
        metric=metrics.get(outcome.baseline.metric) if outcome else None,
        chart=_chart(outcome) if outcome else None,
        difference=_difference(outcome) if outcome else None,
        examples=service.changed(db, outcome, which, first, PAGE) if outcome else (),
        same=_same(outcome) if outcome else 0,
        release=service.release_of(db, outcome) if outcome else None,
        which=which,
        stretch=_stretch(outcome, which, first) if outcome else None,
        luck=differences.chosen_from(db, outcome.baseline) if outcome and compared else None,
        not_worse=service.not_worse(db, outcome) if outcome and compared else None,
        cheaper=differences.cheaper_counts(db, outcome.baseline) if outcome and compared else False,
        more=MORE,
    )


def _asked(session: Db, assessment_id: int, run: int | None) -> TrainingRow | None:
    """The run that is asked for by its number.

    Raises:
        NotFound: this assessment has no such run.
    """
    if run is None:
        return None
    row = trainings.get(session, run)
    if row.assessment_id != assessment_id:
        raise NotFound("There is no such training run.")
    return row


def _variants(session: Db, outcome: service.Outcome) -> Sequence[differences.Between]:
    """The adapter against everything else that answered the test rows, the closest first."""
    if outcome.compared is None or outcome.adapter is None:
        return ()
    return differences.against_others(session, outcome.baseline, outcome.adapter.id, "test")


def _larger(outcome: service.Outcome | None) -> Literal["fixed", "broken"]:
    """The side that has more rows is the one to be read first."""
    compared = outcome.compared if outcome else None
    return "broken" if compared and len(compared.broken) > len(compared.fixed) else "fixed"


def _trained(session: Db, run: TrainingRow) -> Steps | None:
    """How much of the training set a run saw; None for one whose steps or rows nobody noted."""
    leg = str(run.training_facts.get("chosen_leg", ""))
    taken, rows = trainings.metrics(session, run.id, "step", leg), int(run.training_facts.get("train_rows") or 0)
    return seen(taken[-1].step, batch_rows(run.recipe), rows) if taken and rows else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of a list that a page shows, counted from 1. earlier, later: where its neighbours begin, if any."""

    begin: int
    end: int
    total: int
    earlier: int | None
    later: int | None


def _stretch(outcome: service.Outcome, which: str, first: int) -> Stretch | None:
    """Which of the changed rows are shown; None where all are."""
    if outcome.compared is None:
        return None
    total = len(outcome.compared.fixed if which == "fixed" else outcome.compared.broken)
    if total <= PAGE:
        return None
    end = first + PAGE
    earlier = max(first - PAGE, 0) if first else None
    return Stretch(first + 1, min(end, total), total, earlier, end if end < total else None)


def _same(outcome: service.Outcome) -> int:
    """Rows that the adapter neither fixed nor broke."""
    compared = outcome.compared
    return compared.rows - len(compared.fixed) - len(compared.broken) if compared else 0


def _seeds(together: Together) -> charts.IntervalChart | None:
    """The adapter of each seed on the test rows, and the best prompt as the line to beat."""
    if together.spread is None:
        return None
    drawn = [
        charts.Arm(f"Seed {one.seed}{' (decides)' if one.deciding else ''}", one.score, one.low, one.high, "tune")
        for one in together.spread.seeds
    ]
    return charts.intervals("Score by seed", [*drawn, charts.Arm("Best prompt", together.spread.before)])


def _curve(together: Together) -> list[line_charts.LineChart]:
    """Dev loss against the rows that were trained on, and the dev score where answers were scored."""
    loss = [(float(point.rows), point.loss) for point in together.points]
    score = [(float(point.rows), 100 * point.score) for point in together.points if point.score is not None]
    drawn = [("Dev loss", loss, "nats/token"), ("Dev score", score, "%")]
    return [
        line_charts.lines(
            f"{name} by training rows",
            [line_charts.Series(name, points, "good")],
            x_title="rows",
            y_title=unit,
            numbers=False,
        )
        for name, points, unit in drawn
        if points
    ]


def _chart(outcome: service.Outcome) -> charts.IntervalChart:
    """Every arm that answered the test rows; adapters of further seeds have a chart of their own."""
    tested = [(arm, arm.test) for arm in outcome.baseline.arms if arm.test and "seed" not in arm.settings]
    drawn = [
        charts.Arm(
            arm.label,
            result.score,
            result.low,
            result.high,
            tone=TONES.get(arm.family, "prompt"),
        )
        for arm, result in tested
    ]
    return charts.intervals("Score on the test rows", drawn, target=outcome.baseline.target)


def _difference(outcome: service.Outcome) -> charts.IntervalChart | None:
    if outcome.compared is None:
        return None
    arm = charts.Arm(
        "Adapter minus best prompt", outcome.compared.delta, outcome.compared.low, outcome.compared.high, "tune"
    )
    return charts.intervals("Difference on the same rows", [arm], difference=True)


@router.get("/trainings/{training_id}/adapter.zip", name="adapter_zip")
def download_adapter(training_id: Id, app: App, db: Db, me: Me) -> Response:
    return send(service.bundle(db, app.blobs, training_id), training_id)
