"""Several trainings from one approval, and the deciding metric at dev checks"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

NAMES = {"training_metrics": ("training_id", "kind", "step"), "checkpoints": ("training_id", "step")}


def upgrade() -> None:
    # Nothing hangs on these tables, and no trigger guards them, so SQLite may build them anew.
    for table, columns in NAMES.items():
        first, *others = columns
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("leg", sa.String(24), nullable=False, server_default=""))
            batch.drop_constraint(op.f(f"uq_{table}_training_id"), type_="unique")
            batch.create_unique_constraint(op.f(f"uq_{table}_training_id"), [first, "leg", *others])
        with op.batch_alter_table(table) as batch:
            batch.alter_column("leg", server_default=None, existing_type=sa.String(24), existing_nullable=False)
    op.add_column("training_metrics", sa.Column("score", sa.Double(), nullable=True))


def downgrade() -> None:
    for table, columns in NAMES.items():
        op.execute(f"delete from {table} where leg <> ''")
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"uq_{table}_training_id"), type_="unique")
            batch.create_unique_constraint(op.f(f"uq_{table}_training_id"), list(columns))
            batch.drop_column("leg")
    with op.batch_alter_table("training_metrics") as batch:
        batch.drop_column("score")
