"""Adapters written into their base models"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "merged_models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("training_id", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(length=16), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("facts", app.db.Json, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("done_at", app.db.Moment(), nullable=True),
        sa.Column("removed_by", sa.Integer(), nullable=True),
        sa.Column("removed_at", app.db.Moment(), nullable=True),
        sa.CheckConstraint("form in ('base', 'float32', 'gguf')", name=op.f("ck_merged_models_form")),
        sa.ForeignKeyConstraint(
            ["training_id"], ["trainings.id"], name=op.f("fk_merged_models_training_id_trainings"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_merged_models_job_id_jobs")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_merged_models_created_by_users")),
        sa.ForeignKeyConstraint(["removed_by"], ["users.id"], name=op.f("fk_merged_models_removed_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merged_models")),
    )
    op.create_index("ix_merged_models_training_id", "merged_models", ["training_id", "id"])


def downgrade() -> None:
    op.drop_table("merged_models")
