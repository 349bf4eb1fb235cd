"""Policies that a team publishes, kept as they were, and the one that an assessment is judged by."""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

GUARDS = {"policies_no_update": "before update", "policies_no_delete": "before delete"}
MESSAGE = "a published policy is kept as it was"


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("base", sa.String(length=20), nullable=False),
        sa.Column("numbers", app.db.Json, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("published_by", sa.Integer(), nullable=False),
        sa.Column("published_at", app.db.Moment(), nullable=False),
        sa.ForeignKeyConstraint(["published_by"], ["users.id"], name=op.f("fk_policies_published_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("number", name=op.f("uq_policies_number")),
    )
    # In words of our own: Alembic can't add a column with a reference on SQLite without rebuilding the table.
    op.execute(
        "alter table assessments add column policy_id integer "
        "constraint fk_assessments_policy_id references policies (id)"
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, when in GUARDS.items():
        if sqlite:
            op.execute(f"create trigger {name} {when} on policies begin select raise(abort, '{MESSAGE}'); end")
            continue
        op.execute(
            f"create function {name}() returns trigger language plpgsql as "
            f"$$ begin raise exception '{MESSAGE}'; return null; end $$"
        )
        op.execute(f"create trigger {name} {when} on policies for each row execute function {name}()")


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name in GUARDS:
        op.execute(f"drop trigger {name}" if sqlite else f"drop trigger {name} on policies")
        if not sqlite:
            op.execute(f"drop function {name}()")
    op.execute("alter table assessments drop column policy_id")
    op.drop_table("policies")
