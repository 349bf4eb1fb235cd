"""What is doubtful about a row, clusters that a person keeps, and the model whose tokens are counted."""

import sqlalchemy as sa
from alembic import op

from app.db import Json, Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added column by column: rebuilding a table on SQLite would drop the guards that hang on it.
    op.add_column("examples", sa.Column("marks", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_examples_cluster", "examples", ["dataset_id", "cluster"])
    op.add_column("datasets", sa.Column("lengths_model_id", sa.Integer(), nullable=True))
    op.add_column("datasets", sa.Column("kept_keys", Json, server_default="[]", nullable=False))
    op.create_table(
        "kept_clusters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=16), nullable=False),
        sa.Column("cluster", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=False),
        sa.Column("decided_at", Moment(), nullable=False),
        sa.Column("withdrawn_by", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], ondelete="CASCADE", name=op.f("fk_kept_clusters_assessment_id")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], ondelete="CASCADE", name=op.f("fk_kept_clusters_dataset_id")
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_kept_clusters_decided_by")),
        sa.ForeignKeyConstraint(["withdrawn_by"], ["users.id"], name=op.f("fk_kept_clusters_withdrawn_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_clusters")),
    )
    op.create_index("ix_kept_clusters_assessment_id", "kept_clusters", ["assessment_id", "key"])


def downgrade() -> None:
    op.drop_table("kept_clusters")
    op.drop_column("datasets", "kept_keys")
    op.drop_column("datasets", "lengths_model_id")
    op.drop_index("ix_examples_cluster", table_name="examples")
    op.drop_column("examples", "marks")
