"""Training rows that stand in another frozen test set of the installation."""

from sqlalchemy import Engine, select, update

from app.datasets import store, test_set_store
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import writing
from tests.support.factories import Make


def test_training_rows_are_known_in_the_test_sets_of_others(make: Make, engine: Engine) -> None:
    author = make.author("Ada")
    mine, other = make.ready(author), make.ready(author)
    with writing(engine) as session:
        of = {row.assessment_id: row.id for row in session.scalars(select(DatasetRow))}
        train, test = (
            list(
                session.scalars(
                    select(ExampleRow.id).where(ExampleRow.dataset_id == of[mine.id], ExampleRow.split == split)
                )
            )
            for split in ("train", "test")
        )
        # Three of my test rows become training rows; the other assessment still tests with the same three.
        moved = test[:3]
        for dataset_id in of.values():
            store.keep_test_keys(session, dataset_id)
        session.execute(update(ExampleRow).where(ExampleRow.id.in_(moved)).values(split="train"))
        sets, met = test_set_store.met_in_test_sets(session, of[mine.id])

    assert train
    assert sets == 1
    assert [(each.assessment_id, each.rows) for each in met] == [(other.id, 3)]


def test_rows_that_nobody_tests_with_are_met_nowhere(make: Make, engine: Engine) -> None:
    assessment = make.ready(make.author("Ada"))
    with writing(engine) as session:
        dataset_id = session.scalars(select(DatasetRow.id).where(DatasetRow.assessment_id == assessment.id)).one()
        store.keep_test_keys(session, dataset_id)

        assert test_set_store.met_in_test_sets(session, dataset_id) == (0, [])
