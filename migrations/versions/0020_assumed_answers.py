"""Which answers a template filled in, and nobody has looked at since; the evidence at a glance, kept with the status"""

import sqlalchemy as sa
from alembic import op

from app.db import Json

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("standings", sa.Column("glance", sa.Text(), server_default="", nullable=False))
    op.add_column("assessments", sa.Column("assumed", Json, server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("assessments", "assumed")
    op.drop_column("standings", "glance")
