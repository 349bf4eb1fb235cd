"""How long each row is, and indexes of short answers and of doubtful rows"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SHORT = "length(target) <= 60"
MARKED = "marks <> 0"


def upgrade() -> None:
    op.add_column("examples", sa.Column("size", sa.Integer(), nullable=True))
    op.create_index("ix_examples_size", "examples", ["dataset_id", "size"])
    op.create_index(
        "ix_examples_label",
        "examples",
        ["dataset_id", "target"],
        sqlite_where=sa.text(SHORT),
        postgresql_where=sa.text(SHORT),
    )
    op.create_index(
        "ix_examples_marks",
        "examples",
        ["dataset_id"],
        sqlite_where=sa.text(MARKED),
        postgresql_where=sa.text(MARKED),
    )


def downgrade() -> None:
    op.drop_index("ix_examples_marks", "examples")
    op.drop_index("ix_examples_label", "examples")
    op.drop_index("ix_examples_size", "examples")
    op.drop_column("examples", "size")
