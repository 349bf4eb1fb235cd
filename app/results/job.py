"""The training job, with its last act: the comparison is stored in the transaction that closes the run."""

from sqlalchemy.orm import Session

from app.jobs.claims import Claim
from app.results import service
from app.training import job as training
from app.training.launchers import Local
from app.training.tables import TrainingRow


def train(claim: Claim) -> None:
    """Train, score the adapter on the same test rows, compare, close."""
    training.work(claim, Local(claim.settings.data), conclude)


def conclude(session: Session, row: TrainingRow) -> None:
    """Keep what the comparison said on the day; the page works it out again from the answers."""
    session.flush()
    row.result = service.summary(service.outcome(session, row.id))
