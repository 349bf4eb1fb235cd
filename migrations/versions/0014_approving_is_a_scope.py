"""A token may approve only if it was made for it"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BEFORE, AFTER = "'read', 'write', 'launch'", "'read', 'write', 'launch', 'approve'"


def upgrade() -> None:
    _allow(AFTER)


def downgrade() -> None:
    op.execute("delete from api_tokens where scope = 'approve'")
    _allow(BEFORE)


def _allow(scopes: str) -> None:
    # Nothing hangs on this table, so SQLite may build it anew.
    with op.batch_alter_table("api_tokens") as table:
        table.drop_constraint(op.f("ck_api_tokens_scope"), type_="check")
        table.create_check_constraint(op.f("ck_api_tokens_scope"), f"scope in ({scopes})")
