"""An LLM judge: rubrics in versions, runs, judgements, and people's labels of the same answers"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judge_rubrics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(length=80), nullable=False),
        sa.Column("passes_if", sa.Text(), nullable=False),
        sa.Column("with_expected", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_judge_rubrics_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_judge_rubrics_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judge_rubrics")),
        sa.UniqueConstraint("assessment_id", "number", name=op.f("uq_judge_rubrics_assessment_id")),
    )
    op.create_index("uq_judge_rubrics_text", "judge_rubrics", ["assessment_id", "sha256"], unique=True)
    op.create_table(
        "judge_rounds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rubric_id", sa.Integer(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=False),
        sa.Column("arms", app.db.Json, nullable=False),
        sa.Column("answers", app.db.Json, nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("drawn_at", app.db.Moment(), nullable=False),
        sa.Column("started_at", app.db.Moment(), nullable=True),
        sa.Column("done_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["rubric_id"],
            ["judge_rubrics.id"],
            name=op.f("fk_judge_rounds_rubric_id_judge_rubrics"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["baseline_id"], ["baselines.id"], name=op.f("fk_judge_rounds_baseline_id_baselines"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_judge_rounds_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judge_rounds")),
    )
    op.create_index("ix_judge_rounds_rubric_id", "judge_rounds", ["rubric_id"], unique=False)
    op.create_table(
        "judge_labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=8), nullable=False),
        sa.Column("at", app.db.Moment(), nullable=False),
        sa.CheckConstraint("label in ('pass', 'fail')", name=op.f("ck_judge_labels_label")),
        sa.ForeignKeyConstraint(
            ["round_id"], ["judge_rounds.id"], name=op.f("fk_judge_labels_round_id_judge_rounds"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answers.id"], name=op.f("fk_judge_labels_answer_id_answers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judge_labels")),
        sa.UniqueConstraint("round_id", "answer_id", name=op.f("uq_judge_labels_round_id")),
    )
    op.create_table(
        "judge_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=False),
        sa.Column("rubric_id", sa.Integer(), nullable=False),
        sa.Column("judge_id", sa.Integer(), nullable=False),
        sa.Column("judge_as", app.db.Json, nullable=False),
        sa.Column("use", sa.String(length=16), nullable=False),
        sa.Column("split", sa.String(length=8), nullable=False),
        sa.Column("arms", app.db.Json, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=True),
        sa.Column("price_in", sa.Double(), nullable=True),
        sa.Column("price_out", sa.Double(), nullable=True),
        sa.Column("spent", app.db.Json, nullable=False),
        sa.Column("warnings", app.db.Json, nullable=False),
        sa.Column("ending", sa.String(length=16), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("ended_at", app.db.Moment(), nullable=True),
        sa.CheckConstraint("use in ('pass_fail', 'pairwise')", name=op.f("ck_judge_runs_use")),
        sa.CheckConstraint("split in ('dev', 'test')", name=op.f("ck_judge_runs_split")),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_judge_runs_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["baseline_id"], ["baselines.id"], name=op.f("fk_judge_runs_baseline_id_baselines"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["rubric_id"], ["judge_rubrics.id"], name=op.f("fk_judge_runs_rubric_id_judge_rubrics"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["judge_id"], ["models.id"], name=op.f("fk_judge_runs_judge_id_models")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_judge_runs_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judge_runs")),
    )
    op.create_index("ix_judge_runs_assessment_id", "judge_runs", ["assessment_id"], unique=False)
    op.create_index("ix_judge_runs_baseline_id", "judge_runs", ["baseline_id"], unique=False)
    op.create_table(
        "judgements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=False),
        sa.Column("beside_id", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("word", sa.String(length=8), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("prompt_sha256", sa.String(length=64), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.CheckConstraint("status in ('ok', 'error')", name=op.f("ck_judgements_status")),
        sa.CheckConstraint(
            "word is null or word in ('pass', 'fail', 'first', 'second', 'tie')", name=op.f("ck_judgements_word")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["judge_runs.id"], name=op.f("fk_judgements_run_id_judge_runs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answers.id"], name=op.f("fk_judgements_answer_id_answers"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["beside_id"], ["answers.id"], name=op.f("fk_judgements_beside_id_answers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgements")),
        sa.UniqueConstraint("run_id", "answer_id", name=op.f("uq_judgements_run_id")),
    )
    op.create_index("ix_judgements_answer_id", "judgements", ["answer_id"], unique=False)
    op.create_index("ix_judgements_prompt", "judgements", ["prompt_sha256"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_judgements_prompt", table_name="judgements")
    op.drop_index("ix_judgements_answer_id", table_name="judgements")
    op.drop_table("judgements")
    op.drop_index("ix_judge_runs_baseline_id", table_name="judge_runs")
    op.drop_index("ix_judge_runs_assessment_id", table_name="judge_runs")
    op.drop_table("judge_runs")
    op.drop_table("judge_labels")
    op.drop_index("ix_judge_rounds_rubric_id", table_name="judge_rounds")
    op.drop_table("judge_rounds")
    op.drop_index("uq_judge_rubrics_text", table_name="judge_rubrics")
    op.drop_table("judge_rubrics")
