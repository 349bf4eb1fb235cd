"""Queries on model connections."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.inference.tables import ModelRow


def get(session: Session, model_id: int) -> ModelRow:
    model = session.get(ModelRow, model_id)
    if model is None:
        raise NotFound("There is no such model.")
    return model


def of_ids(session: Session, ids: Iterable[int]) -> Sequence[ModelRow]:
    """Several at once, in no order."""
    return session.scalars(select(ModelRow).where(ModelRow.id.in_(sorted(ids)))).all()


def find_named(session: Session, name: str) -> ModelRow | None:
    return session.scalar(select(ModelRow).where(ModelRow.name == name))


def bundled(session: Session) -> ModelRow | None:
    """The model that comes with the app."""
    return session.scalar(select(ModelRow).where(ModelRow.kind == "bundled").order_by(ModelRow.id).limit(1))


def in_4_bits(session: Session, model: ModelRow) -> ModelRow | None:
    """The model that holds the same files in 4 bits; None while there is none."""
    same = select(ModelRow).where(ModelRow.bits == 4, ModelRow.reference == model.reference)
    rows = session.scalars(same.where(ModelRow.retired_at.is_(None)).order_by(ModelRow.id))
    return next((row for row in rows if row.files == model.files), None)


def everything(session: Session) -> Sequence[ModelRow]:
    """All connections, the bundled one first, retired ones last."""
    return session.scalars(
        select(ModelRow).order_by(ModelRow.retired_at.is_not(None), ModelRow.kind != "bundled", ModelRow.id)
    ).all()


def usable(session: Session) -> Sequence[ModelRow]:
    """Connections that a new measurement or training may name: those that answer."""
    return [model for model in everything(session) if model.retired_at is None and model.purpose == "answers"]


def for_embeddings(session: Session) -> Sequence[ModelRow]:
    """Servers that turn texts into vectors."""
    return [model for model in everything(session) if model.retired_at is None and model.purpose == "embeddings"]
