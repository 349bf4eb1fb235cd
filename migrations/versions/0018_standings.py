"""The status of each assessment, kept beside it; and when an assessment was edited last

What is there already is stale: it is worked out on the first look, and by the workers.
"""

import sqlalchemy as sa
from alembic import op

from app.db import Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assessments", sa.Column("revised_at", Moment(), nullable=True))
    op.execute("update assessments set revised_at = updated_at")
    op.create_table(
        "standings",
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("label", sa.String(60), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("tone", sa.String(8), nullable=False),
        sa.Column("action_label", sa.String(60), nullable=False),
        sa.Column("action_url", sa.String(100), nullable=False),
        sa.Column("best", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("target", sa.Double(), nullable=True),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("list_filter", sa.String(12), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("situation", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("evidence_sha256", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("valid_until", Moment(), nullable=True),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("worked_out_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], ondelete="CASCADE", name="fk_standings_assessment_id"
        ),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_standings_owner_id"),
        sa.PrimaryKeyConstraint("assessment_id", name="pk_standings"),
    )
    op.create_index("ix_standings_open", "standings", ["archived", "updated_at", "assessment_id"])
    op.create_index("ix_standings_filter", "standings", ["list_filter", "updated_at", "assessment_id"])
    op.create_index("ix_standings_state", "standings", ["state", "assessment_id"])
    stale = sa.text("stale")
    op.create_index("ix_standings_stale", "standings", ["assessment_id"], sqlite_where=stale, postgresql_where=stale)
    op.create_index("ix_standings_valid_until", "standings", ["valid_until"])
    op.execute(
        "insert into standings (assessment_id, state, label, sentence, why, tone, action_label, action_url, answered,"
        " asked, list_filter, archived, owner_id, updated_at, steps, situation, evidence, evidence_sha256, revision,"
        " code, stale, worked_out_at)"
        " select id, 'draft', '', '', '', 'soft', '', '', 0, 0, '', archived_at is not null,"
        " created_by, updated_at, '[]', '{}', '{}', '', revision, '', true, updated_at from assessments"
    )


def downgrade() -> None:
    op.drop_table("standings")
    op.drop_column("assessments", "revised_at")
