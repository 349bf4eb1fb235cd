"""The last test of a model server"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("tested", app.db.Json, nullable=True))


def downgrade() -> None:
    op.drop_column("models", "tested")
