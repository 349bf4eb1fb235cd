"""Which passages are right for a row, and how well an index finds them; passages that training rows carry"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retrieval_checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("index_id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("index_sha256", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("hits", app.db.Json, nullable=False),
        sa.Column("gold", app.db.Json, nullable=False),
        sa.Column("carried", sa.Double(), nullable=False),
        sa.Column("marks_up_to", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("done_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], op.f("fk_retrieval_checks_assessment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["index_id"], ["retrieval_indexes.id"], op.f("fk_retrieval_checks_index_id")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], op.f("fk_retrieval_checks_dataset_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], op.f("fk_retrieval_checks_job_id")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], op.f("fk_retrieval_checks_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrieval_checks")),
    )
    op.create_index("ix_retrieval_checks_assessment_id", "retrieval_checks", ["assessment_id", "id"])
    op.create_table(
        "passage_marks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("index_id", sa.Integer(), nullable=False),
        sa.Column("passage_id", sa.Integer(), nullable=True),
        sa.Column("text_sha256", sa.String(length=64), nullable=True),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("end", sa.Integer(), nullable=True),
        sa.Column("marked_by", sa.Integer(), nullable=False),
        sa.Column("marked_at", app.db.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], op.f("fk_passage_marks_assessment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["index_id"], ["retrieval_indexes.id"], op.f("fk_passage_marks_index_id")),
        sa.ForeignKeyConstraint(["marked_by"], ["users.id"], op.f("fk_passage_marks_marked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passage_marks")),
    )
    op.create_index("ix_passage_marks_assessment_id", "passage_marks", ["assessment_id", "key"])
    op.add_column("recipes", sa.Column("passages", app.db.Json, nullable=True))


def downgrade() -> None:
    op.drop_column("recipes", "passages")
    op.drop_index("ix_passage_marks_assessment_id", "passage_marks")
    op.drop_table("passage_marks")
    op.drop_index("ix_retrieval_checks_assessment_id", "retrieval_checks")
    op.drop_table("retrieval_checks")
