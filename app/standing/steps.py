"""An assessment's seven steps in the order of work, with one fact for each."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app import glossary
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.baselines import standing as measurements
from app.baselines.tables import BaselineRow
from app.datasets.tables import DatasetRow
from app.gate import reviews
from app.gate.evidence import Facts
from app.gate.tables import ReviewRow
from app.jobs import store as job_store
from app.recipes.tables import RecipeRow
from app.training.tables import TrainingRow
from app.web.protocols import Step
from app.wording import percent, plural

RUN_OVER = frozenset({"cancelled", "failed", "refused"})


def steps(
    session: Session, facts: Facts, advice: Advice, review: ReviewRow | None, runs: Sequence[TrainingRow]
) -> Sequence[Step]:
    """The way through, each step with its address, its one fact, that fact's tone, and why it cannot be done yet.

    What was done once stays open, whatever changed since: its page is where the reader finds out.
    review: the newest one; runs: the newest first.
    """
    assessment = facts.assessment
    base = f"/assessments/{assessment.id}"
    answered, asked = assessments.progress(assessment)
    answers = assessments.answers(assessment)
    begun = "goals" in answers or answers.get("recurrence") == "once"  # until then the advice is about nothing
    words = (
        (
            "describe",
            "Use case",
            _Word(f"{answered} of {asked}", "pass" if answered == asked else "", answered == asked),
        ),
        ("data", "Data", _data(facts.dataset)),
        ("measure", "Baselines", _baselines(facts.dataset, facts.baseline)),
        ("verdict", "Verdict", _verdict(advice) if begun else _Word()),
        ("plan", "Training plan", _plan(session, facts, advice, begun=begun)),
        ("review", "Review", _review(session, facts, advice, review) if begun else _Word(locked="needs a verdict")),
        ("run", "Run and result", _run(runs, review, assessment)),
    )
    places = {"run": f"{base}/result"} if any(run.result for run in runs) else {}
    return tuple(
        Step(slug, name, places.get(slug, f"{base}/{slug}"), word.state, word.tone, word.done, word.locked)
        for slug, name, word in words
    )


@dataclass(frozen=True, slots=True)
class _Word:
    """What a step says: see `Step`."""

    state: str = ""
    tone: str = ""
    done: bool = False
    locked: str = ""


def _data(dataset: DatasetRow | None) -> _Word:
    if dataset is None:
        return _Word()
    if dataset.state == "checking":
        return _Word("checking", "info")
    if dataset.state == "rejected":
        return _Word("rejected", "fail")
    frozen = dataset.frozen_at is not None
    return _Word(f"{dataset.usable_rows:,} usable{', frozen' if frozen else ''}", "pass" if frozen else "", frozen)


def _baselines(dataset: DatasetRow | None, baseline: BaselineRow | None) -> _Word:
    measured = [arm for arm in baseline.arms if arm.dev or arm.test] if baseline else []
    if baseline is not None and measured:
        best = measurements.best(baseline)
        if best is not None and best.test is not None:
            return _Word(f"best prompt {percent(best.test.score)}", "", done=True)
        return _Word(plural(len(measured), "variant"))
    if baseline is None and (dataset is None or dataset.frozen_at is None):
        return _Word(locked="needs a frozen split")
    return _Word()


def _verdict(advice: Advice) -> _Word:
    if advice.training == "ready":
        return _Word(f"{glossary.label('approach.fine_tune')}: allowed", "pass", done=True)
    if advice.leaning:
        return _Word("not yet", "unknown")
    return _Word(glossary.known("approach", advice.approach), "", done=True)


def _plan(session: Session, facts: Facts, advice: Advice, *, begun: bool) -> _Word:
    if facts.recipe is None:
        if advice.training == "ready":
            return _Word("not saved")
        if begun and advice.leaning is None and advice.approach in {"prompt", "rag"}:
            return _Word(locked="not needed for this verdict")
        return _Word() if facts.baseline is not None else _Word(locked="needs baselines")
    return _preflight(session, facts.recipe)


def _preflight(session: Session, recipe: RecipeRow) -> _Word:
    job = job_store.get(session, recipe.preflight_job_id) if recipe.preflight_job_id else None
    if job is not None and not job.final:
        return _Word("preflight running", "info")
    if recipe.preflight is None:
        return _Word("preflight failed", "fail") if job is not None and job.failure else _Word("config saved")
    if recipe.preflight.get("blockers"):
        return _Word("preflight failed", "fail")
    return _Word("preflight done", "pass", done=True)


def _review(session: Session, facts: Facts, advice: Advice, review: ReviewRow | None) -> _Word:
    if review is None:
        return _Word(locked=_before_review(facts, advice))
    if review.state in {"withdrawn", "superseded"}:
        return _Word()
    if review.state == "consumed":
        return _Word("launched", "pass", done=True)
    if review.revision != facts.assessment.revision:
        return _Word("outdated", "unknown")
    if reviews.outdated(session, review, facts, advice):
        return _Word("invalidated", "fail")
    words = {"open": _Word("waiting", "info"), "approved": _Word("approved", "pass", done=True)}
    return words.get(review.state, _Word("changes requested", "fail"))


def _before_review(facts: Facts, advice: Advice) -> str:
    """What is missing for a review that could come to something; empty where one can be asked for. A verdict against
    training can be reviewed, too."""
    if advice.training == "ready":
        return "" if facts.recipe is not None else "needs a training plan"
    return "needs a verdict" if advice.leaning is not None else ""


def _run(runs: Sequence[TrainingRow], review: ReviewRow | None, assessment: AssessmentRow) -> _Word:
    """The newest run speaks; there is a tick once one was judged, whatever became of later ones."""
    if not runs:
        approved = review is not None and review.state == "approved" and review.revision == assessment.revision
        return _Word() if approved else _Word(locked="needs an approval")
    newest, judged = runs[0], next((run for run in runs if run.result), None)
    if newest.state in RUN_OVER:
        return _Word(newest.state, "fail", done=judged is not None)
    if newest.state != "done":
        return _Word(newest.state, "info", done=judged is not None)
    if not newest.result:
        return _Word("trained", "pass", done=True)
    verdict = str(newest.result.get("verdict", ""))
    tones = {"improved": "pass", "regressed": "fail", "inconclusive": "unknown", "not better": "unknown"}
    return _Word(verdict, tones.get(verdict, ""), done=True)
