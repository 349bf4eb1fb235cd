"""What was found out about a model server before it is measured"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("met", app.db.Json, nullable=True))
    op.add_column("models", sa.Column("meeting_budget", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("models", "meeting_budget")
    op.drop_column("models", "met")
