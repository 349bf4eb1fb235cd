"""What base and adapter answer for the release checks"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "release_answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("training_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(8), nullable=False),
        sa.Column("item", sa.String(40), nullable=False),
        sa.Column("who", sa.String(8), nullable=False),
        sa.Column("version", sa.String(8), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("at", app.db.Moment(), nullable=False),
        sa.CheckConstraint("part in ('general', 'pleas', 'train')", name=op.f("ck_release_answers_part")),
        sa.CheckConstraint("who in ('base', 'adapter')", name=op.f("ck_release_answers_who")),
        sa.ForeignKeyConstraint(
            ["training_id"],
            ["trainings.id"],
            name=op.f("fk_release_answers_training_id_trainings"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_answers")),
        sa.UniqueConstraint("training_id", "part", "item", "who", name=op.f("uq_release_answers_training_id")),
    )


def downgrade() -> None:
    op.drop_table("release_answers")
