"""Whether a measurement asks models to think before they answer"""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added in place: rebuilding a table would drop its guards.
    op.add_column("baselines", sa.Column("thinks", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("baselines", "thinks")
