"""Arms whose passages came from documents, or an index, that are no longer the current ones."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.baselines.tables import ArmRow, BaselineRow
from app.db import memo, prefill
from app.retrieval import service as retrieval
from app.retrieval.service import Hashes


def mark(session: Session, baselines: Iterable[BaselineRow]) -> None:
    """Set `ArmRow.outdated` of every arm. Nothing is asked of the database where no arm gives passages."""
    for baseline in baselines:
        retrieving = [arm for arm in baseline.arms if _gives_passages(arm)]
        if not retrieving:
            continue
        now = _hashes(session, baseline.assessment_id)
        for arm in retrieving:
            passages = arm.settings["passages"]
            arm.outdated = passages.get("sha256") != (now.corpus if passages["way"] == "all" else now.index)


def read_ahead(session: Session, baselines: Iterable[BaselineRow]) -> None:
    """Find what `mark` asks for many measurements at once (`db.prefill`)."""
    wanted = {baseline.assessment_id for baseline in baselines if any(map(_gives_passages, baseline.arms))}
    if wanted:
        found = retrieval.hashes(session, wanted)
        prefill(session, {("passages now", assessment_id): hashes for assessment_id, hashes in found.items()})


def _gives_passages(arm: ArmRow) -> bool:
    """An adapter is judged with what it was trained with."""
    return bool(arm.settings.get("passages")) and arm.family != "adapter"


def _hashes(session: Session, assessment_id: int) -> Hashes:
    key = ("passages now", assessment_id)
    return memo(session, key, lambda: retrieval.hashes(session, [assessment_id])[assessment_id])
