"""Local models that are held in 4 bits"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("bits", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("models", "bits")
