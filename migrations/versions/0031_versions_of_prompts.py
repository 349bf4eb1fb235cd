"""Versions of system prompts, and runs of the optimizer"""

import hashlib

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "instruction_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("from_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.CheckConstraint(
            "why in ('drafted', 'hand', 'failures', 'optimised')", name=op.f("ck_instruction_versions_why")
        ),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_instruction_versions_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["from_id"],
            ["instruction_versions.id"],
            name=op.f("fk_instruction_versions_from_id_instruction_versions"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_instruction_versions_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruction_versions")),
        sa.UniqueConstraint("assessment_id", "number", name=op.f("uq_instruction_versions_assessment_id")),
    )
    op.create_index(
        "uq_instruction_versions_text", "instruction_versions", ["assessment_id", "text_sha256"], unique=True
    )
    op.create_table(
        "optimisations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=False),
        sa.Column("arm_id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("critic_id", sa.Integer(), nullable=False),
        sa.Column("critic_as", app.db.Json, nullable=False),
        sa.Column("budget", app.db.Json, nullable=False),
        sa.Column("train_rows", sa.Integer(), nullable=False),
        sa.Column("dev_rows", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("spent", app.db.Json, nullable=False),
        sa.Column("ending", sa.String(length=16), nullable=False),
        sa.Column("result", app.db.Json, nullable=True),
        sa.Column("winner_arm_id", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.Column("ended_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessments.id"],
            name=op.f("fk_optimisations_assessment_id_assessments"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["baseline_id"], ["baselines.id"], name=op.f("fk_optimisations_baseline_id_baselines"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["arm_id"], ["arms.id"], name=op.f("fk_optimisations_arm_id_arms"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["instruction_versions.id"],
            name=op.f("fk_optimisations_version_id_instruction_versions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["critic_id"], ["models.id"], name=op.f("fk_optimisations_critic_id_models")),
        sa.ForeignKeyConstraint(
            ["winner_arm_id"], ["arms.id"], name=op.f("fk_optimisations_winner_arm_id_arms"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_optimisations_created_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_optimisations")),
    )
    op.create_index("ix_optimisations_assessment_id", "optimisations", ["assessment_id"], unique=False)
    op.create_index("ix_optimisations_baseline_id", "optimisations", ["baseline_id"], unique=False)
    op.create_table(
        "prompt_candidates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("optimisation_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("batch_rows", sa.Integer(), nullable=True),
        sa.Column("batch_before", sa.Double(), nullable=True),
        sa.Column("batch_after", sa.Double(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("scores", app.db.Json, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", app.db.Moment(), nullable=False),
        sa.CheckConstraint(
            "state in ('first', 'drafted', 'scoring', 'scored', 'behind', 'refused', 'interrupted')",
            name=op.f("ck_prompt_candidates_state"),
        ),
        sa.ForeignKeyConstraint(
            ["optimisation_id"],
            ["optimisations.id"],
            name=op.f("fk_prompt_candidates_optimisation_id_optimisations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt_candidates")),
        sa.UniqueConstraint("optimisation_id", "number", name=op.f("uq_prompt_candidates_optimisation_id")),
    )
    _write_down_what_there_was()


def downgrade() -> None:
    op.drop_table("prompt_candidates")
    op.drop_index("ix_optimisations_baseline_id", table_name="optimisations")
    op.drop_index("ix_optimisations_assessment_id", table_name="optimisations")
    op.drop_table("optimisations")
    op.drop_index("uq_instruction_versions_text", table_name="instruction_versions")
    op.drop_table("instruction_versions")


def _write_down_what_there_was() -> None:
    """A version for every prompt that was measured so far, in the order of the measurements. Who wrote a first one is
    known; of revisions it was not kept."""
    connection = op.get_bind()
    baselines = sa.table(
        "baselines",
        *(sa.column(name) for name in ("id", "assessment_id", "instructions", "created_by")),
        sa.column("created_at", app.db.Moment()),
    )
    arms = sa.table(
        "arms", *(sa.column(name) for name in ("id", "baseline_id", "family")), sa.column("settings", app.db.Json)
    )
    versions = sa.table(
        "instruction_versions",
        *(sa.column(name) for name in ("id", "assessment_id", "number", "text", "text_sha256")),
        *(sa.column(name) for name in ("why", "note", "from_id", "created_by")),
        sa.column("created_at", app.db.Moment()),
    )
    revised: dict[int, list[str]] = {}
    query = sa.select(arms.c.baseline_id, arms.c.settings).where(arms.c.family == "revised_prompt").order_by(arms.c.id)
    for baseline_id, settings in connection.execute(query):
        revised.setdefault(baseline_id, []).append(str(settings.get("instructions", "")))
    written: dict[int, dict[str, int]] = {}
    for row in connection.execute(sa.select(baselines).order_by(baselines.c.id)).all():
        texts = [(row.instructions, "hand", row.created_by)]
        texts += [(text, "failures", None) for text in revised.get(row.id, ())]
        there = written.setdefault(row.assessment_id, {})
        before = None
        for text, why, by in texts:
            sha256 = hashlib.sha256(text.strip().encode()).hexdigest()
            if not text.strip():
                continue
            if sha256 not in there:
                connection.execute(
                    versions.insert().values(
                        assessment_id=row.assessment_id,
                        number=len(there) + 1,
                        text=text.strip(),
                        text_sha256=sha256,
                        why=why,
                        note="",
                        from_id=before,
                        created_by=by,
                        created_at=row.created_at,
                    )
                )
                same = (versions.c.assessment_id == row.assessment_id) & (versions.c.text_sha256 == sha256)
                there[sha256] = connection.scalar(sa.select(versions.c.id).where(same))
            before = there[sha256]
