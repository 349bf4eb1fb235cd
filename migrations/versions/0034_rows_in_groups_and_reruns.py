"""Which rows belong together, as the uploader's column says; dev rows asked a second time"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added in place: rebuilding a table would drop its guards. Versions that are there already get it from their file
    # of canonical rows, when they are measured next.
    op.add_column("examples", sa.Column("group_key", sa.String(16), nullable=True))
    op.create_table(
        "reruns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=False),
        sa.Column("arm_id", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("done_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["baseline_id"], ["baselines.id"], name=op.f("fk_reruns_baseline_id_baselines"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["arm_id"], ["arms.id"], name=op.f("fk_reruns_arm_id_arms"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_reruns_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reruns")),
    )
    op.create_index("ix_reruns_baseline_id", "reruns", ["baseline_id"])
    op.create_table(
        "rerun_answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rerun_id", sa.Integer(), nullable=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rerun_id"], ["reruns.id"], name=op.f("fk_rerun_answers_rerun_id_reruns"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["example_id"], ["examples.id"], name=op.f("fk_rerun_answers_example_id_examples"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rerun_answers")),
        sa.UniqueConstraint("rerun_id", "example_id", name=op.f("uq_rerun_answers_rerun_id")),
    )


def downgrade() -> None:
    op.drop_table("rerun_answers")
    op.drop_table("reruns")
    op.drop_column("examples", "group_key")
