"""The runner: calls at once, pause, budget and prices of a measurement, answers that are taken again, deadlines"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# Added in place: rebuilding a table would drop its guards.
COLUMNS = {
    "baselines": (
        ("at_once", sa.Integer()),
        ("paused_at", app.db.Moment()),
        ("budget", app.db.Json),
        ("prices", app.db.Json),
        ("fresh", sa.Boolean()),
    ),
    "answers": (
        ("asked_sha256", sa.String(64)),
        ("reply", app.db.Json),
        ("taken_from", sa.Integer()),
        ("prompt_characters", sa.Integer()),
    ),
    "models": (("deadline", sa.Double()),),
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index("ix_answers_asked_sha256", "answers", ["asked_sha256"])


def downgrade() -> None:
    op.drop_index("ix_answers_asked_sha256", "answers")
    for table, columns in reversed(COLUMNS.items()):
        for name, _ in reversed(columns):
            op.drop_column(table, name)
