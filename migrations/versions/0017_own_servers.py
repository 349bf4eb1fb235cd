"""Whether an administrator declared a model server to be the team's own"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("own", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("models", "own")
