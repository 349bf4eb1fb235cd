"""Decisions about personal data, and how the rows are split"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("datasets", sa.Column("decisions", app.db.Json, nullable=False, server_default="{}"))
    op.add_column("datasets", sa.Column("split_plan", app.db.Json, nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("datasets", "split_plan")
    op.drop_column("datasets", "decisions")
