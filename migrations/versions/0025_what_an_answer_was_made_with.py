"""What an answer was made with beside examples: passages, probabilities of labels"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("answers", sa.Column("details", app.db.Json, nullable=True))


def downgrade() -> None:
    op.drop_column("answers", "details")
