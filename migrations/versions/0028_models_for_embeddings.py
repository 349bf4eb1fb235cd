"""What a model is connected for: answers, or embeddings"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("models", sa.Column("purpose", sa.String(16), nullable=False, server_default="answers"))


def downgrade() -> None:
    op.drop_column("models", "purpose")
