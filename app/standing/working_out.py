"""Works out where an assessment stands, from everything that is stored of it now."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from app.advice import acts, explanation
from app.advice.evidence import Evidence
from app.advice.gates.judge import ORDER
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.baselines import standing as measurements
from app.baselines import store as baseline_store
from app.datasets.tables import DatasetRow
from app.economics import store as cost_store
from app.errors import Conflict
from app.gate import approvals, evidence_strip, reviews
from app.gate import store as review_store
from app.gate.evidence import Facts, gather, judge
from app.gate.evidence_strip import Glance
from app.gate.tables import ReviewRow
from app.jobs import store as jobs
from app.jobs.tables import Status
from app.recipes.tables import RecipeRow
from app.standing import rules
from app.standing.rules import Outcome, Situation
from app.standing.rules_version import rules_version
from app.standing.steps import steps
from app.standing.tables import StandingRow
from app.training import service as trainings
from app.training import store as training_store
from app.training.tables import TrainingRow
from app.web.protocols import Standing, Step


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """Where an assessment stands, and what it follows from.

    interval: of the best prompt's score. valid_until: see `StandingRow`.
    """

    assessment: AssessmentRow
    situation: Situation
    standing: Standing
    steps: Sequence[Step]
    evidence: Evidence
    advice: Advice
    glance: Glance
    interval: tuple[float, float] | None
    valid_until: datetime | None


def work_out(session: Session, assessment: AssessmentRow) -> WorkedOut:
    """Gather, judge, decide: some thirty queries."""
    facts = gather(session, assessment)
    advice = judge(facts)
    review = review_store.latest(session, assessment.id)
    runs = training_store.of_assessment(session, assessment.id)
    now = _by_answers(_situation(session, facts, advice, review, runs), assessment, advice)
    outcome = next((row.result for row in runs if row.result), None)
    best = measurements.best(facts.baseline) if facts.baseline else None
    approval = approvals.approving(review) if now.review == "approved" else None
    return WorkedOut(
        assessment,
        now,
        rules.decide(now),
        steps(now),
        facts.evidence,
        advice,
        Glance(evidence_strip.strip(session, facts, outcome), evidence_strip.criteria(advice)),
        (best.test.low, best.test.high) if best and best.test else None,
        approval.expires_at if approval else None,
    )


def work_out_answers(session: Session, assessment: AssessmentRow, row: StandingRow) -> WorkedOut | None:
    """The same after nothing but answers changed, none of them in `keeping.WEIGHED`: what was measured is as it was
    kept, and a pause in typing costs a few queries. None where more has to be looked at after all.
    """
    if row.stale or row.code != rules_version():
        return None
    before = Situation.from_json(json.loads(row.situation))
    goals = assessments.answers(assessment).get("goals")
    aimed_at_cost = before.costs or "efficiency" in (goals if isinstance(goals, list) else ())
    if before.review not in ("none", "outdated") or aimed_at_cost:
        return None
    evidence = Evidence.from_json(json.loads(row.evidence))
    advice = assessments.advise(assessment, evidence, assessments.policy_of(session, assessment))
    edited = before
    if row.revision != assessment.revision:
        edited = replace(before, newest="work", moved_on=before.moved_on or bool(before.last_review))
    now = _by_answers(edited, assessment, advice)
    interval = None if row.low is None or row.high is None else (row.low, row.high)
    strip = Glance.from_json(json.loads(row.glance)).lines
    glance = Glance(strip, evidence_strip.criteria(advice))
    return WorkedOut(
        assessment, now, rules.decide(now), steps(now), evidence, advice, glance, interval, row.valid_until
    )


def _by_answers(situation: Situation, assessment: AssessmentRow, advice: Advice) -> Situation:
    """The situation with what follows from the answers, given what was measured."""
    answers = advice.case.answers
    answered, asked = assessments.progress(assessment)
    head = explanation.sentence(advice)
    blockers = tuple(gate for gate in ORDER if advice.findings[gate].locks)
    return replace(
        situation,
        answered=bool(answers.goals) or answers.recurrence == "once",
        headline=head.head,
        why=head.why_beside_evidence,
        approach=advice.approach,
        leaning=advice.leaning,
        training=advice.training,
        technique=advice.technique,
        met=advice.rule == 2 and advice.facts.baseline == "met",
        blockers=blockers,
        act=_first_act(blockers, advice),
        measured_against=answers.metric is not None and answers.target is not None,
        target=answers.target,
        questions_answered=answered,
        questions=asked,
    )


def _first_act(blockers: Sequence[str], advice: Advice) -> tuple[str, str] | None:
    if not blockers:
        return None
    first = acts.act(blockers[0], advice.findings[blockers[0]])
    return first.words, first.path


def _situation(
    session: Session, facts: Facts, advice: Advice, review: ReviewRow | None, runs: Sequence[TrainingRow]
) -> Situation:
    assessment, measured = facts.assessment, facts.evidence
    run = runs[0] if runs else None
    judged = next((row for row in runs if row.result), None)
    run_state, failure = _run_state(session, run)
    best = measurements.best(facts.baseline) if facts.baseline else None
    return Situation(
        assessment.id,
        archived=assessment.archived_at is not None,
        undecided=measured.identifiers_decided is False,
        best=best.test.score if best and best.test else None,
        data=_data(facts.dataset),
        baselines=_baselines(session, facts),
        plan=_plan(facts),
        review=_review(session, review, facts, advice),
        review_id=review.id if review else None,
        run=run_state,
        failure=failure,
        outcome=_outcome(judged),
        newest=_newest(assessment, review, run),
        measured_on=(measured.baseline_ran_on or "") if measured.trains_on else "",
        trains_on=(measured.trains_on or "") if measured.baseline_ran_on else "",
        base=facts.recipe.model_id if facts.recipe else None,
        usable_rows=facts.dataset.usable_rows if facts.dataset else 0,
        variants=sum(bool(arm.dev or arm.test) for arm in facts.baseline.arms) if facts.baseline else 0,
        measured=facts.baseline is not None,
        preflight=_preflight(session, facts.recipe),
        last_review=review.state if review else "",
        moved_on=review is not None and review.revision != assessment.revision,
        judged=judged is not None,
        costs=cost_store.find_costs(session, assessment.id) is not None,
        result=str((run.result or {}).get("verdict", "")) if run else "",
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
        return "queued" if job.status == Status.QUEUED else "running"
    if facts.evidence.baseline is not None and facts.evidence.baseline.best_arm:
        return "done"
    if newest is None or facts.dataset is None or newest.dataset_id != facts.dataset.id:
        return "none"
    return "stopped" if job is not None and job.status == Status.CANCELLED and job.failure else "failed"


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


def _preflight(session: Session, recipe: RecipeRow | None) -> rules.Preflight:
    """What became of the last one; whether it was of exactly this plan is in `_plan`."""
    job = jobs.get(session, recipe.preflight_job_id) if recipe and recipe.preflight_job_id else None
    if recipe is None:
        return "none"
    if job is not None and not job.final:
        return "running"
    if recipe.preflight is None:
        return "failed" if job is not None and job.failure else "none"
    return "blocked" if recipe.preflight.get("blockers") else "done"


def _review(session: Session, review: ReviewRow | None, facts: Facts, advice: Advice) -> rules.Review:
    if review is None or not review.living:
        return "none"
    if reviews.changed_since_asked(review, facts, advice):
        return "outdated"
    if reviews.fallen(session, review, facts):
        return "expired"
    state: rules.Review = review.state  # type: ignore[assignment]
    return state


def _run_state(session: Session, run: TrainingRow | None) -> tuple[rules.Run, str]:
    """The state of a run, and why it failed."""
    if run is None:
        return "none", ""
    known, job = trainings.standing(session, run)
    state: rules.Run = known  # type: ignore[assignment]  # a state of runs or of jobs
    return "paused" if trainings.paused(run, state) else state, (job.failure or "") if job else ""


def _outcome(run: TrainingRow | None) -> Outcome | None:
    result = run.result if run else None
    if not result or str(result.get("verdict", "")).replace(" ", "_") not in rules.WORDS:
        return None
    scores = result.get("before"), result.get("after")
    adapter = run is not None and run.adapter_sha256 is not None
    checks = (result.get("release") or {}).get("checks", [])
    failing = sum(check["state"] == "fail" for check in checks)
    return Outcome(str(result["verdict"]), *scores, result.get("reaches_target"), adapter, failing)


def _newest(assessment: AssessmentRow, review: ReviewRow | None, run: TrainingRow | None) -> rules.Newest:
    """Which was touched last. A run counts from its end on; a review by its last decision, until it is over."""
    times: list[tuple[datetime, rules.Newest]] = [(assessment.revised_at or assessment.created_at, "work")]
    if review is not None and review.living:
        decided = [decision.at for decision in review.decisions if decision.kind != "comment"]
        times.append((max([review.requested_at, *decided]), "review"))
    if run is not None:
        times.append((run.finished_at or run.launched_at, "run"))
    return max(times, key=lambda pair: pair[0])[1]  # of two at one moment the first: work before what it makes void
