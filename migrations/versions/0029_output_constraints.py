"""What answers of a use case may look like, in versions"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "output_constraints",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("fit", app.db.Json, nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("removed_by", sa.Integer(), nullable=True),
        sa.Column("removed_at", app.db.Moment(), nullable=True),
        sa.CheckConstraint("kind in ('json_schema', 'regex', 'labels')", name=op.f("ck_output_constraints_kind")),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_output_constraints_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_output_constraints_dataset_id_datasets")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_output_constraints_created_by_users")),
        sa.ForeignKeyConstraint(["removed_by"], ["users.id"], name=op.f("fk_output_constraints_removed_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_output_constraints")),
        sa.UniqueConstraint("assessment_id", "version", name=op.f("uq_output_constraints_assessment_id")),
    )
    op.create_index("ix_output_constraints_assessment_id", "output_constraints", ["assessment_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_output_constraints_assessment_id", table_name="output_constraints")
    op.drop_table("output_constraints")
