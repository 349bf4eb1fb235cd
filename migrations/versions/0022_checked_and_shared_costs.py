"""What a reviewer checked before deciding, as part of the decision; whether a shared link shows costs"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"
branch_labels = None
depends_on = None

CHANGED = "new.checked <> old.checked"
MESSAGE = "a decision does not change"


def upgrade() -> None:
    op.add_column("decisions", sa.Column("checked", sa.String(200), nullable=False, server_default=""))
    op.add_column("shares", sa.Column("costs", sa.Boolean(), nullable=False, server_default=sa.false()))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"create trigger decisions_checked before update on decisions when {CHANGED} "
            f"begin select raise(abort, '{MESSAGE}'); end"
        )
        return
    op.execute(
        "create function decisions_checked() returns trigger language plpgsql as $$ begin "
        f"if {CHANGED} then raise exception '{MESSAGE}'; end if; return new; end $$"
    )
    op.execute(
        "create trigger decisions_checked before update on decisions for each row execute function decisions_checked()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("drop trigger decisions_checked")
    else:
        op.execute("drop trigger decisions_checked on decisions")
        op.execute("drop function decisions_checked()")
    op.drop_column("decisions", "checked")
    op.drop_column("shares", "costs")
