"""Measurements keep what the model was; results, looks and changed targets belong to the test rows.

What is known of older measurements is carried over: the model as it is connected now, the keys of frozen test rows,
and when a result was seen first. A change of the target from before is a number without its words; it stays one.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.db import Json, Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEPT = ("kind", "name", "reference", "base_url", "files")


def upgrade() -> None:
    # Added column by column: rebuilding a table on SQLite would drop the guards that hang on it.
    op.add_column("models", sa.Column("set_by", sa.Integer(), nullable=True))
    op.add_column("baselines", sa.Column("model_as", Json, nullable=True))
    op.add_column("assessments", sa.Column("result_seen_at", Moment(), nullable=True))
    op.create_table(
        "test_keys",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], ondelete="CASCADE", name="fk_test_keys_dataset_id"),
        sa.PrimaryKeyConstraint("dataset_id", "key", name="pk_test_keys"),
    )
    op.create_index("ix_test_keys_key", "test_keys", ["key"])
    op.create_table(
        "late_targets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(100), nullable=False),
        sa.Column("target", sa.String(40), nullable=False),
        sa.Column("metric_before", sa.String(100), nullable=False),
        sa.Column("target_before", sa.String(40), nullable=False),
        sa.Column("changed_by", sa.Integer(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessments.id"], name="fk_late_targets_assessment_id"),
        sa.ForeignKeyConstraint(["changed_by"], ["users.id"], name="fk_late_targets_changed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_late_targets"),
    )
    op.create_index("ix_late_targets_assessment_id", "late_targets", ["assessment_id"])
    op.create_table(
        "test_openings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=False),
        sa.Column("arm_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(20), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["baseline_id"], ["baselines.id"], ondelete="CASCADE", name="fk_test_openings_baseline_id"
        ),
        sa.ForeignKeyConstraint(["arm_id"], ["arms.id"], ondelete="CASCADE", name="fk_test_openings_arm_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_test_openings_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_test_openings"),
        sa.UniqueConstraint("arm_id", "user_id", "round", name="uq_test_openings_arm_id"),
    )
    op.create_index("ix_test_openings_baseline_id", "test_openings", ["baseline_id"])
    _carry_over(op.get_bind())


def downgrade() -> None:
    op.drop_table("test_openings")
    op.drop_table("late_targets")
    op.drop_table("test_keys")
    op.drop_column("assessments", "result_seen_at")
    op.drop_column("baselines", "model_as")
    op.drop_column("models", "set_by")


def _carry_over(bind: sa.Connection) -> None:
    tables = _tables()
    models, baselines, arms = tables["models"], tables["baselines"], tables["arms"]
    bind.execute(models.update().values(set_by=models.c.created_by))
    known = {row.id: row for row in bind.execute(sa.select(models))}
    for row in bind.execute(sa.select(baselines.c.id, baselines.c.model_id)).all():
        model = known[row.model_id]
        copied = {name: getattr(model, name) for name in KEPT} | {"set_by": model.created_by}
        bind.execute(baselines.update().where(baselines.c.id == row.id).values(model_as=copied))
    assessments = tables["assessments"]
    measured = (
        sa.select(baselines.c.assessment_id, sa.func.min(baselines.c.created_at).label("at"))
        .join(arms, arms.c.baseline_id == baselines.c.id)
        .where(sa.cast(arms.c.dev, sa.Text) != "null")
        .group_by(baselines.c.assessment_id)
    )
    for row in bind.execute(measured).all():
        bind.execute(assessments.update().where(assessments.c.id == row.assessment_id).values(result_seen_at=row.at))
    _keys(bind, tables)


def _keys(bind: sa.Connection, tables: dict[str, Any]) -> None:
    datasets, examples = tables["datasets"], tables["examples"]
    frozen = bind.scalars(sa.select(datasets.c.id).where(datasets.c.frozen_at.is_not(None))).all()
    for dataset_id in frozen:
        from app.datasets.checks.same_rows import key_of  # only where there is something to carry over

        rows = bind.execute(
            sa.select(examples.c.messages).where(examples.c.dataset_id == dataset_id, examples.c.split == "test")
        )
        keys = {key_of(messages) for (messages,) in rows}
        if keys:
            bind.execute(tables["test_keys"].insert(), [{"dataset_id": dataset_id, "key": key} for key in sorted(keys)])


def _tables() -> dict[str, Any]:
    """As they are at this step, whatever the code says later."""
    made = sa.MetaData()
    whole = {
        "models": [
            sa.Column("id", sa.Integer), sa.Column("kind", sa.String), sa.Column("name", sa.String),
            sa.Column("reference", sa.String), sa.Column("base_url", sa.String), sa.Column("files", Json),
            sa.Column("created_by", sa.Integer), sa.Column("set_by", sa.Integer),
        ],
        "baselines": [
            sa.Column("id", sa.Integer), sa.Column("assessment_id", sa.Integer), sa.Column("model_id", sa.Integer),
            sa.Column("created_at", Moment()), sa.Column("model_as", Json),
        ],
        "arms": [sa.Column("baseline_id", sa.Integer), sa.Column("dev", Json)],
        "assessments": [sa.Column("id", sa.Integer), sa.Column("result_seen_at", Moment())],
        "datasets": [sa.Column("id", sa.Integer), sa.Column("frozen_at", Moment())],
        "examples": [
            sa.Column("dataset_id", sa.Integer), sa.Column("split", sa.String), sa.Column("messages", Json),

        ],
        "test_keys": [sa.Column("dataset_id", sa.Integer), sa.Column("key", sa.BigInteger)],
    }  # fmt: skip
    return {name: sa.Table(name, made, *columns) for name, columns in whole.items()}
