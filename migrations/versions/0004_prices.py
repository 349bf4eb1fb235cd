"""Prices, and what is declared about costs"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("price", sa.Double(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("dated", sa.Date(), nullable=False),
        sa.Column("source", sa.String(length=400), nullable=False),
        sa.Column("edited_by", sa.Integer(), nullable=False),
        sa.Column("edited_at", app.db.Moment(), nullable=False),
        sa.CheckConstraint("price >= 0", name=op.f("ck_prices_price")),
        sa.ForeignKeyConstraint(["edited_by"], ["users.id"], name=op.f("fk_prices_edited_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prices")),
        sa.UniqueConstraint("name", "unit", name=op.f("uq_prices_name")),
    )
    op.create_table(
        "costs",
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("said", app.db.Json, nullable=False),
        sa.Column("edited_by", sa.Integer(), nullable=False),
        sa.Column("edited_at", app.db.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_costs_assessment_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["edited_by"], ["users.id"], name=op.f("fk_costs_edited_by")),
        sa.PrimaryKeyConstraint("assessment_id", name=op.f("pk_costs")),
    )


def downgrade() -> None:
    op.drop_table("costs")
    op.drop_table("prices")
