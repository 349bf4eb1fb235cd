"""Where an assessment stands, gathered from all concepts below (`rules` decides)."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.advice import explanation
from app.advice.verdict import Advice
from app.assessments.tables import AssessmentRow
from app.baselines import standing as measurements
from app.baselines import store as baseline_store
from app.datasets.tables import DatasetRow
from app.errors import Conflict
from app.gate import reviews
from app.gate import store as review_store
from app.gate.evidence import Facts, gather, judge
from app.gate.tables import ReviewRow
from app.jobs import store as jobs
from app.standing import rules
from app.standing.rules import Outcome, Situation
from app.training import service as trainings
from app.training import store as training_store
from app.training.tables import TrainingRow
from app.web.protocols import Standing


def standing(session: Session, assessment: AssessmentRow) -> Standing:
    """The one status of an assessment."""
    return rules.decide(situation(session, assessment))


def situation(session: Session, assessment: AssessmentRow) -> Situation:
    """Everything that the status depends on, as it is now."""
    facts = gather(session, assessment)
    advice = judge(session, facts)
    answers = advice.case.answers
    head = explanation.sentence(advice)
    review = review_store.latest(session, assessment.id)
    run, judged = training_store.latest(session, assessment.id), training_store.judged(session, assessment.id)
    run_state: rules.Run = "none" if run is None else trainings.standing(session, run)[0]  # type: ignore[assignment]
    best = measurements.best(facts.baseline) if facts.baseline else None
    measured = facts.evidence
    return Situation(
        assessment.id,
        archived=assessment.archived_at is not None,
        answered=bool(answers.goals) or answers.recurrence == "once",
        headline=head.head,
        why=head.why,
        approach=advice.approach,
        leaning=advice.leaning,
        training=advice.training,
        technique=advice.technique,
        met=advice.rule == 2 and advice.facts.baseline == "met",
        blockers=tuple(gate.id for gate in advice.blockers),
        undecided=measured.identifiers_decided is False,
        measured_against=answers.metric is not None and answers.target is not None,
        best=best.test.score if best and best.test else None,
        target=answers.target,
        data=_data(facts.dataset),
        baselines=_baselines(session, facts),
        plan=_plan(facts),
        review=_review(session, review, facts, advice),
        review_id=review.id if review else None,
        run=run_state,
        outcome=_outcome(judged),
        newest=_newest(assessment, review, run),
        measured_on=(measured.baseline_ran_on or "") if measured.trains_on else "",
        trains_on=(measured.trains_on or "") if measured.baseline_ran_on else "",
    )


def _data(dataset: DatasetRow | None) -> rules.Data:
    if dataset is None:
        return "none"
    if dataset.state == "ready":
        return "frozen" if dataset.frozen_at else "ready"
    return "checking" if dataset.state == "checking" else "rejected"


def _baselines(session: Session, facts: Facts) -> rules.Baselines:
    newest = baseline_store.current(session, facts.assessment.id)
    job = jobs.latest(session, "measure", newest.id) if newest else None
    if job is not None and not job.final:
        return "running"
    if facts.evidence.baseline is not None and facts.evidence.baseline.best_arm:
        return "done"
    if newest is None or facts.dataset is None or newest.dataset_id != facts.dataset.id:
        return "none"
    return "failed"


def _plan(facts: Facts) -> rules.Plan:
    if facts.recipe is None:
        return "none"
    try:
        plan = trainings.plan_of(facts)
    except Conflict:
        return "unchecked"
    if not plan.checked:
        return "unchecked"
    return "blocked" if (plan.row.preflight or {}).get("blockers") else "checked"


def _review(session: Session, review: ReviewRow | None, facts: Facts, advice: Advice) -> rules.Review:
    if review is None or not review.living:
        return "none"
    if reviews.changed_since_asked(review, facts, advice):
        return "outdated"
    if reviews.fallen(session, review, facts):
        return "expired"
    state: rules.Review = review.state  # type: ignore[assignment]
    return state


def _outcome(run: TrainingRow | None) -> Outcome | None:
    result = run.result if run else None
    if not result or result.get("verdict", "").replace(" ", "_") not in rules.WORDS:
        return None
    return Outcome(str(result["verdict"]), result.get("before"), result.get("after"), result.get("reaches_target"))


def _newest(assessment: AssessmentRow, review: ReviewRow | None, run: TrainingRow | None) -> rules.Newest:
    """Which was touched last. A run counts from its end on; a review from its last word, until it is over."""
    times: list[tuple[datetime, rules.Newest]] = []
    if run is not None:
        times.append((run.finished_at or run.launched_at, "run"))
    if review is not None and review.living:
        said_at = [decision.at for decision in review.decisions if decision.kind != "comment"]
        times.append((max([review.requested_at, *said_at]), "review"))
    if run is None or assessment.updated_at > times[0][0]:
        times.append((assessment.updated_at, "work"))
    return max(times, key=lambda pair: pair[0])[1]
