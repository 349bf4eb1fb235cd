"""The LLM judge that decides a measurement"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added in place: rebuilding a table would drop its guards.
    op.add_column("baselines", sa.Column("judge", app.db.Json, nullable=True))


def downgrade() -> None:
    op.drop_column("baselines", "judge")
