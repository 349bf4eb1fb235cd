"""Models that other programs may ask, who asked them, and tokens that may do that and nothing else"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

BEFORE = "'read', 'write', 'launch', 'approve'"
AFTER = f"{BEFORE}, 'ask'"


def upgrade() -> None:
    _allow(AFTER)
    op.create_table(
        "served_models",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("arm_id", sa.Integer(), nullable=True),
        sa.Column("training_id", sa.Integer(), nullable=True),
        sa.Column("on_by", sa.Integer(), nullable=False),
        sa.Column("on_at", app.db.Moment(), nullable=False),
        sa.Column("off_at", app.db.Moment(), nullable=True),
        sa.CheckConstraint("kind in ('model', 'prompt', 'adapter')", name=op.f("ck_served_models_kind")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_served_models_model_id_models")),
        sa.ForeignKeyConstraint(["arm_id"], ["arms.id"], name=op.f("fk_served_models_arm_id_arms"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["training_id"], ["trainings.id"], name=op.f("fk_served_models_training_id_trainings"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["on_by"], ["users.id"], name=op.f("fk_served_models_on_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_served_models")),
        sa.UniqueConstraint("name", name=op.f("uq_served_models_name")),
    )
    op.create_table(
        "served_calls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("served_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("at", app.db.Moment(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "outcome in ('stop', 'length', 'refused', 'failed', 'hung_up')", name=op.f("ck_served_calls_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["served_id"],
            ["served_models.id"],
            name=op.f("fk_served_calls_served_id_served_models"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_served_calls_user_id_users")),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name=op.f("fk_served_calls_token_id_api_tokens"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_served_calls")),
    )
    op.create_index("ix_served_calls_served_id", "served_calls", ["served_id"])


def downgrade() -> None:
    op.drop_table("served_calls")
    op.drop_table("served_models")
    op.execute("delete from api_tokens where scope = 'ask'")
    _allow(BEFORE)


def _allow(scopes: str) -> None:
    # Nothing but the calls of a later version hangs on this table, so SQLite may build it anew.
    with op.batch_alter_table("api_tokens") as table:
        table.drop_constraint(op.f("ck_api_tokens_scope"), type_="check")
        table.create_check_constraint(op.f("ck_api_tokens_scope"), f"scope in ({scopes})")
