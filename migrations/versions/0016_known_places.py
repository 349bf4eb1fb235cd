"""Where each person signed in before, and the wider network of a failed sign-in"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_places",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("seen_at", app.db.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_places_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "place", name=op.f("pk_known_places")),
    )
    op.add_column("sign_in_failures", sa.Column("area", sa.String(length=64), nullable=False, server_default=""))
    op.create_index("ix_sign_in_failures_area_at", "sign_in_failures", ["area", "at"])


def downgrade() -> None:
    op.drop_index("ix_sign_in_failures_area_at", table_name="sign_in_failures")
    op.drop_column("sign_in_failures", "area")
    op.drop_table("known_places")
