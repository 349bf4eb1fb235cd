"""The draft of a first system prompt, from the training rows of a frozen version."""

from sqlalchemy.orm import Session

from app.baselines import drafts
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow


def draft_of(session: Session, dataset: DatasetRow | None) -> drafts.Draft | None:
    """A first system prompt from the training rows; personal data that nobody decided on stays hidden. None before the
    split is frozen, and where there are no answers."""
    if dataset is None or dataset.frozen_at is None:
        return None
    hide = masked_rows.masker_for_measurements(dataset)
    counted = [
        (target, number)
        for target, split, number in dataset_store.label_counts(session, dataset.id)
        if split == "train"
    ]
    return drafts.draft([(hide.text(target), number) for target, number in drafts.enough(counted)])
