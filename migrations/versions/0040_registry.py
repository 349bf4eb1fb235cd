"""What became of adapters: candidate, promoted, retired"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adapter_states",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("training_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("at", app.db.Moment(), nullable=False),
        sa.CheckConstraint("state in ('promoted', 'retired')", name=op.f("ck_adapter_states_state")),
        sa.ForeignKeyConstraint(
            ["training_id"],
            ["trainings.id"],
            name=op.f("fk_adapter_states_training_id_trainings"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["by"], ["users.id"], name=op.f("fk_adapter_states_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adapter_states")),
    )
    op.create_index("ix_adapter_states_training_id", "adapter_states", ["training_id"])


def downgrade() -> None:
    op.drop_table("adapter_states")
