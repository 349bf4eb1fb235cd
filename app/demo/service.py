"""The worked example: beginning it (two accounts, an assessment with all answers, a job) and saying what came out."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.baselines import store as baseline_store
from app.baselines.arms import ArmResult
from app.datasets import store as dataset_store
from app.db import utcnow
from app.demo import example
from app.errors import Forbidden, NotFound
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow, Status
from app.results import service as results
from app.training import store as training_store
from app.users import service as users
from app.users import store as user_store
from app.users.passwords import Passwords
from app.users.tables import Role, UserRow
from app.wording import interval_text, percent, target_text

KIND = "demo"


def find(session: Session) -> AssessmentRow | None:
    """The worked example that is there; one that was archived does not count, nor does the finished one."""
    return session.scalar(
        select(AssessmentRow)
        .where(AssessmentRow.demo, AssessmentRow.archived_at.is_(None), AssessmentRow.recorded == "")
        .order_by(AssessmentRow.id.desc())
        .limit(1)
    )


def begin(session: Session, keeper: Passwords, by: UserRow) -> tuple[AssessmentRow, JobRow]:
    """Start the worked example, or open the one that is there and go on with it where it stopped.

    Raises:
        Forbidden: only an admin may, because it adds two accounts.
    """
    if by.id not in {admin.id for admin in user_store.active_admins(session)}:  # locked: two clicks at once are one
        raise Forbidden("Only an admin can start the worked example, because it adds two accounts.")
    assessment = find(session) or _assessment(session, _people(session, keeper, by))
    last = job_store.latest(session, KIND, assessment.id)
    if last is None or (last.final and last.status != Status.DONE):
        last = jobs.add(session, KIND, assessment.id, by.id, assessment_id=assessment.id, title="The worked example")
        audit.record(session, by, "demo.begin", "assessment", assessment.id, {"job": last.id})
    return assessment, last


def author(session: Session) -> UserRow:
    return _known(session, example.AUTHOR[1])


def reviewer(session: Session) -> UserRow:
    return _known(session, example.REVIEWER[1])


def _known(session: Session, email: str) -> UserRow:
    user = user_store.find(session, email)
    if user is None:
        raise NotFound("The accounts of the worked example are not there. Start it from the home page.")
    return user


def _assessment(session: Session, author: UserRow) -> AssessmentRow:
    details = assessments.Details(example.TITLE, example.TEAM, example.NOTE)
    row = assessments.create(session, details, author, first_answers=example.ANSWERS)
    row.demo = True
    return row


def _people(session: Session, keeper: Passwords, by: UserRow) -> UserRow:
    """Make the two accounts and return the author. Their passwords are thrown away: nobody signs in with them."""
    for (name, email), role in ((example.REVIEWER, Role.REVIEWER), (example.AUTHOR, Role.AUTHOR)):
        if user_store.find(session, email) is None:
            handed = users.hand_over(keeper, name=name, email=email, role=role, password="")
            users.add_user(session, handed, name=name, email=email, role=role, by=by, now=utcnow(), record=audit.record)
    return author(session)


# ---------------------------------------------------------------- what was measured


def summary(session: Session, assessment_id: int) -> Iterator[str]:
    """What was measured, in plain lines, whatever it is."""
    dataset = dataset_store.current(session, assessment_id)
    baseline = baseline_store.current(session, assessment_id)
    training = training_store.latest(session, assessment_id)
    if dataset is not None:
        yield (
            f"Data: {dataset.usable_rows:,} usable examples besides {dataset.test_rows:,} test rows "
            f"({dataset.train_rows:,} train, {dataset.dev_rows:,} dev)."
        )
    if baseline is not None:
        yield f"Share of answers with exactly the right form (target {target_text(baseline.target or 0)}):"
        for arm in baseline.arms:
            yield f"  {arm.label:<36} dev {_result(arm.dev):<26} test {_result(arm.test)}"
    compared = results.outcome(session, training.id).compared if training is not None else None
    if compared is not None:
        yield f"Result: {compared.verdict}. {compared.words}"
    for job in reversed(job_store.newest(session, None, 50, assessment_id=assessment_id)):
        if job.started_at and job.finished_at:
            yield f"  {(job.finished_at - job.started_at).total_seconds() / 60:5.1f} min  {job.title} ({job.status})"


def _result(result: ArmResult | None) -> str:
    if result is None:
        return "-"
    return f"{percent(result.score)} ({interval_text(result.low, result.high)}), n={result.n}"
