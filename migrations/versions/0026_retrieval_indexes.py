"""Indexes of documents: what they are over, how they were built, and where their files are"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retrieval_indexes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("settings", app.db.Json, nullable=False),
        sa.Column("corpus_sha256", sa.String(64), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("files", app.db.Json, nullable=False),
        sa.Column("embedder", app.db.Json, nullable=True),
        sa.Column("cut", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("ready_at", app.db.Moment(), nullable=True),
        sa.CheckConstraint("state in ('building', 'ready')", name=op.f("ck_retrieval_indexes_state")),
        sa.CheckConstraint("state = 'building' or sha256 is not null", name=op.f("ck_retrieval_indexes_whole")),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_retrieval_indexes_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_retrieval_indexes_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrieval_indexes")),
    )
    op.create_index("ix_retrieval_indexes_assessment_id", "retrieval_indexes", ["assessment_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_retrieval_indexes_assessment_id", table_name="retrieval_indexes")
    op.drop_table("retrieval_indexes")
