"""The training job, with its last act: the comparison is stored in the transaction that closes the run."""

from sqlalchemy.orm import Session

from app.jobs.claims import Claim
from app.release import job as release_job
from app.release import service as release
from app.results import service
from app.training import job as training
from app.training.launchers import AsApproved
from app.training.tables import TrainingRow


def train(claim: Claim) -> None:
    """Train, score the adapter on the same test rows, ask what the release checks need, compare, close."""
    training.work(claim, AsApproved(claim.settings), conclude, release_job.check)


def conclude(session: Session, row: TrainingRow) -> None:
    """Keep what the comparison said on the day; the page works it out again from the answers."""
    session.flush()
    outcome = service.outcome(session, row.id)
    summary = service.summary(outcome)
    if summary is not None and outcome.best is not None and outcome.adapter is not None:
        checked = release.work_out(session, row, outcome.baseline, outcome.best, outcome.adapter)
        summary["release"] = checked.to_json()
    row.result = summary
