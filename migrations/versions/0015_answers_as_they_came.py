"""The text of an answer as it came, where thinking was taken off it"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # None: what is scored is what came.
    op.add_column("answers", sa.Column("raw", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("answers", "raw")
