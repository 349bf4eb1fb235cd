"""The last test of a model server, and how busy a worker's machine is"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("tested", app.db.Json, nullable=True))
    op.add_column("workers", sa.Column("load", sa.Double(), nullable=True))
    op.add_column("workers", sa.Column("cores", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "cores")
    op.drop_column("workers", "load")
    op.drop_column("models", "tested")
