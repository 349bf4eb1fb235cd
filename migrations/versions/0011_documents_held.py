"""What personal data documents hold, and what is decided about it"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # None: read before anybody looked for it.
    op.add_column("documents", sa.Column("private", app.db.Json, nullable=True))
    op.add_column("document_files", sa.Column("private", app.db.Json, nullable=True))
    op.add_column("document_files", sa.Column("decisions", app.db.Json, nullable=False, server_default="{}"))
    op.add_column("document_files", sa.Column("undecided", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("document_files", "undecided")
    op.drop_column("document_files", "decisions")
    op.drop_column("document_files", "private")
    op.drop_column("documents", "private")
