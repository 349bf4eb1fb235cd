"""The REST side of the LLM judge: rubrics, runs with their scores, single judgements, people's labels."""

from collections.abc import Iterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.assessments import store as assessment_store
from app.baselines import store as baseline_store
from app.baselines.deps import shown_to
from app.baselines.tables import BaselineRow
from app.db import reading
from app.errors import Conflict, NotFound
from app.inference.deps import WithBundled
from app.judging import deciding, rounds, service, store, views
from app.judging.api_models import (
    JudgeEstimate,
    JudgeGoOn,
    Judgement,
    Judgements,
    JudgeRun,
    JudgeRuns,
    NewJudgeRun,
    NewRubric,
    Rubric,
    Rubrics,
)
from app.judging.deciding_models import DecidingJudge, Judge, Judges
from app.judging.label_models import JudgeLabels, JudgeRound
from app.judging.store import Show
from app.judging.tables import JudgeRunRow
from app.labelling import blind_rounds
from app.users.deps import Author, Launcher, Me
from app.users.tables import UserRow
from app.web.deps import App, Db
from app.web.params import LARGEST, Id
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["judge"], responses=REFUSALS, dependencies=[WithBundled])

Cursor = Annotated[int, Query(ge=0, le=LARGEST, description="id of the last judgement seen")]


@router.get("/assessments/{assessment_id}/rubrics", name="api_rubrics")
def list_rubrics(assessment_id: Id, db: Db, me: Me) -> Rubrics:
    """All versions of the judge's rubric, the newest first."""
    assessment_store.get(db, assessment_id)
    return Rubrics(data=[Rubric.of(db, row) for row in store.rubrics(db, assessment_id)])


@router.post("/assessments/{assessment_id}/rubrics", name="api_add_rubric", status_code=201)
def add_rubric(assessment_id: Id, body: NewRubric, db: Db, me: Author) -> Rubric:
    """Keep a rubric as the next version."""
    row = service.add_rubric(db, assessment_id, body.failure, body.passes_if, with_expected=body.with_expected, by=me)
    return Rubric.of(db, row)


@router.get("/assessments/{assessment_id}/judge-runs", name="api_judge_runs")
def list_judge_runs(
    assessment_id: Id,
    db: Db,
    me: Me,
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of the last run seen")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JudgeRuns:
    """Runs of a judge with their scores, from the newest back, below id `before`."""
    assessment_store.get(db, assessment_id)
    runs = store.of_assessment(db, assessment_id, before, limit + 1)
    return JudgeRuns(data=[JudgeRun.of(db, row) for row in runs[:limit]], has_more=len(runs) > limit)


@router.post("/assessments/{assessment_id}/judge-runs", name="api_start_judge", status_code=201)
def start_judge(assessment_id: Id, body: NewJudgeRun, db: Db, me: Launcher) -> JudgeRun:
    """Start a judge over the answers of the measurement that stands; its job is in the answer."""
    return JudgeRun.of(db, service.start(db, assessment_id, body.order(), by=me))


@router.post("/assessments/{assessment_id}/judge-runs/estimate", name="api_estimate_judge")
def estimate_judge(assessment_id: Id, body: NewJudgeRun, db: Db, me: Author) -> JudgeEstimate:
    """What a run would ask for; starts nothing."""
    expected = service.estimate(db, assessment_id, body.order())
    if expected is None:
        raise Conflict("Write the rubric, run baselines, and name a judge and variants that there are.")
    return JudgeEstimate.model_validate(expected)


@router.get("/assessments/{assessment_id}/judges", name="api_judges")
def list_judges(assessment_id: Id, db: Db, me: Me) -> Judges:
    """The judges that have judged answers: which of them may be the deciding metric, and why the others may not."""
    assessment = assessment_store.get(db, assessment_id)
    return Judges(data=[Judge.of(one) for one in deciding.choices(db, assessment)])


@router.get("/baselines/{baseline_id}/judge", name="api_deciding_judge")
def show_deciding_judge(baseline_id: Id, db: Db, me: Me) -> DecidingJudge:
    """The judge that decides a measurement, and whether it still holds."""
    return _deciding(db, baseline_store.get(db, baseline_id))


@router.post("/baselines/{baseline_id}/judge/correct", name="api_correct_judge")
def correct_judge(baseline_id: Id, db: Db, me: Author) -> DecidingJudge:
    """Correct the scores by all labels of today. Nothing is asked again."""
    return _deciding(db, deciding.correct(db, baseline_id, by=me))


def _deciding(db: Db, baseline: BaselineRow) -> DecidingJudge:
    now = deciding.held(db, baseline)
    if now is None:
        raise NotFound("No judge decides this measurement.")
    return DecidingJudge.of(db, baseline, now)


@router.get("/judge-runs/{run_id}", name="api_judge_run")
def show_judge_run(run_id: Id, db: Db, me: Me) -> JudgeRun:
    """One run with its scores, raw and corrected, and how far the judge agrees with people."""
    return JudgeRun.of(db, store.get(db, run_id))


@router.post("/judge-runs/{run_id}/go-on", name="api_go_on_judge", status_code=202)
def go_on_judge(run_id: Id, body: JudgeGoOn, db: Db, me: Launcher) -> JudgeRun:
    """Go on after a cancel, a failure or a used-up budget; asks again what could not be read."""
    return JudgeRun.of(db, service.go_on(db, run_id, by=me, calls=body.calls))


@router.get("/judge-runs/{run_id}/judgements", name="api_judgements")
def list_judgements(
    run_id: Id,
    app: App,
    db: Db,
    me: Me,
    show: Show = "all",
    after: Cursor = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Judgements:
    """Single judgements with the replies as they came; `differ`: those that a person labelled otherwise."""
    row = _readable(app, db, run_id, me)
    listed, _ = store.page_of(db, row, show, after=after, limit=limit + 1)
    there = [Judgement.of(one) for one in views.read(db, row, listed[:limit])]
    return Judgements(data=there, has_more=len(listed) > limit)


@router.get("/judge-runs/{run_id}/judgements.jsonl", name="api_export_judgements", response_class=StreamingResponse)
def export_judgements(run_id: Id, app: App, db: Db, me: Me, show: Show = "all") -> StreamingResponse:
    """The same as JSON lines, all of them."""
    row = _readable(app, db, run_id, me)

    def lines() -> Iterator[bytes]:
        with reading(app.engine) as own:
            for one in views.every(own, store.get(own, row.id), show):
                yield orjson.dumps(Judgement.of(one).model_dump(mode="json")) + b"\n"

    name = {"Content-Disposition": f'attachment; filename="judge-run-{run_id}.jsonl"'}
    return StreamingResponse(lines(), media_type="application/x-ndjson", headers=name)


@router.post("/assessments/{assessment_id}/judge-rounds", name="api_begin_judge_labels", status_code=201)
def begin_judge_labels(assessment_id: Id, db: Db, me: Author) -> JudgeRound:
    """Begin to label a random sample of the dev answers by the rubric, or go on with what one has begun."""
    return JudgeRound.of(db, rounds.begin(db, assessment_id, by=me))


@router.get("/judge-rounds/{round_id}", name="api_judge_labels")
def show_judge_labels(round_id: Id, db: Db, me: Me) -> JudgeRound:
    """A round of one's own, with the labels that were given so far."""
    return JudgeRound.of(db, blind_rounds.own(store.round_of(db, round_id), me))


@router.put("/judge-rounds/{round_id}/labels", name="api_say_judge_labels")
def say_judge_labels(round_id: Id, body: JudgeLabels, db: Db, me: Author) -> JudgeRound:
    """Say pass or fail of answers; may be done in parts."""
    for one in body.labels:
        rounds.say(db, round_id, one.place, one.label or "", by=me)
    return JudgeRound.of(db, store.round_of(db, round_id))


@router.post("/judge-rounds/{round_id}/end", name="api_end_judge_labels")
def end_judge_labels(round_id: Id, db: Db, me: Author) -> JudgeRound:
    """End a round whose answers are all labelled; from here on they calibrate every judge with this rubric."""
    return JudgeRound.of(db, rounds.end(db, round_id, by=me))


def _readable(app: App, db: Db, run_id: int, me: UserRow) -> JudgeRunRow:
    """A run whose judgements this person may read now; reading those of test answers is on record."""
    row = store.get(db, run_id)
    rounds.refuse_while_labelling(db, row.rubric_id, me)
    if row.split == "test":
        baseline = baseline_store.get(db, row.baseline_id)
        shown_to(app, db, me, baseline, [arm for arm in baseline.arms if arm.id in row.arms], "read")
    return row
