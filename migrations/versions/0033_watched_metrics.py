"""Databases and scorers that answers are scored with, and metrics that are watched beside the deciding one"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "score_databases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("tables", app.db.Json, nullable=False),
        sa.Column("uploaded_by", sa.Integer(), nullable=False),
        sa.Column("uploaded_at", app.db.Moment(), nullable=False),
        sa.Column("removed_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_score_databases_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["uploaded_by"], ["users.id"], name=op.f("fk_score_databases_uploaded_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_databases")),
    )
    op.create_index("ix_score_databases_assessment_id", "score_databases", ["assessment_id"])
    op.create_table(
        "team_scorers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("trial", app.db.Json, nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("retired_by", sa.Integer(), nullable=True),
        sa.Column("retired_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_team_scorers_created_by_users")),
        sa.ForeignKeyConstraint(["retired_by"], ["users.id"], name=op.f("fk_team_scorers_retired_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_scorers")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_team_scorers_name")),
        sa.UniqueConstraint("sha256", name=op.f("uq_team_scorers_sha256")),
    )
    op.create_table(
        "watched_metrics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(length=40), nullable=False),
        sa.Column("options", app.db.Json, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_watched_metrics_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_watched_metrics_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watched_metrics")),
        sa.UniqueConstraint("assessment_id", "key", name=op.f("uq_watched_metrics_assessment_id")),
    )
    op.create_table(
        "watched_scores",
        sa.Column("watched_id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["watched_id"],
            ["watched_metrics.id"],
            name=op.f("fk_watched_scores_watched_id_watched_metrics"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answers.id"], name=op.f("fk_watched_scores_answer_id_answers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("watched_id", "answer_id", name=op.f("pk_watched_scores")),
    )
    op.create_index("ix_watched_scores_answer_id", "watched_scores", ["answer_id"])
    op.create_table(
        "watched_results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("watched_id", sa.Integer(), nullable=False),
        sa.Column("arm_id", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(length=8), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("unscored", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.CheckConstraint("split in ('dev', 'test')", name=op.f("ck_watched_results_split")),
        sa.ForeignKeyConstraint(
            ["watched_id"],
            ["watched_metrics.id"],
            name=op.f("fk_watched_results_watched_id_watched_metrics"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["arm_id"], ["arms.id"], name=op.f("fk_watched_results_arm_id_arms"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watched_results")),
        sa.UniqueConstraint("watched_id", "arm_id", "split", name=op.f("uq_watched_results_watched_id")),
    )
    op.create_index("ix_watched_results_arm_id", "watched_results", ["arm_id"])


def downgrade() -> None:
    for table in ("watched_results", "watched_scores", "watched_metrics", "team_scorers", "score_databases"):
        op.drop_table(table)
