"""Whether losing variants are dropped while a measurement runs"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("baselines", sa.Column("racing", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("baselines", "racing")
