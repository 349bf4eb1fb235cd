"""Counting the tokens of a version with the tokenizer of another model."""

from sqlalchemy.orm import Session

from app.audit import service as audit
from app.datasets.current_version import locked_current
from app.errors import Conflict, FieldError, Invalid
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs.tables import JobRow
from app.users.tables import UserRow


def count_with(session: Session, dataset_id: int, model_id: int, by: UserRow) -> JobRow:
    """Count the tokens of a version with the tokenizer of another model.

    Raises:
        Invalid: a model whose tokenizer is not on this machine.
        Conflict: another version counts, it has not been checked, or a count is under way.
    """
    row = locked_current(session, dataset_id)
    if row.state != "ready":
        raise Conflict("The check of this version has not ended with usable rows.")
    model = next((model for model in countable(session) if model.id == model_id), None)
    if model is None:
        text = "Choose a model on this machine; of a model server nobody knows the tokenizer."
        raise Invalid("This model can't be counted with.", [FieldError("#/model_id", text)])
    row.lengths_model_id = model.id
    audit.record(session, by, "dataset.count_tokens", "dataset", row.id, {"model": model.name, "version": row.version})
    title = f"Count tokens of {row.filename}"[:200]
    return jobs.add(session, "lengths", row.id, by.id, assessment_id=row.assessment_id, title=title)


def countable(session: Session) -> list[ModelRow]:
    """Models whose tokenizer is on this machine."""
    return [model for model in model_store.usable(session) if model.trainable and model.files]
