"""Whether an adapter is really served"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "served_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("training_id", sa.Integer(), nullable=False),
        sa.Column("base_model_id", sa.Integer(), nullable=False),
        sa.Column("adapter_model_id", sa.Integer(), nullable=False),
        sa.Column("base_as", app.db.Json, nullable=False),
        sa.Column("adapter_as", app.db.Json, nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("answers", app.db.Json, nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("done_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["training_id"], ["trainings.id"], name=op.f("fk_served_checks_training_id_trainings"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["base_model_id"], ["models.id"], name=op.f("fk_served_checks_base_model_id_models")),
        sa.ForeignKeyConstraint(
            ["adapter_model_id"], ["models.id"], name=op.f("fk_served_checks_adapter_model_id_models")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_served_checks_job_id_jobs")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_served_checks_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_served_checks")),
    )
    op.create_index("ix_served_checks_training_id", "served_checks", ["training_id", "id"])


def downgrade() -> None:
    op.drop_table("served_checks")
