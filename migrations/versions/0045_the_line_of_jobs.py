"""The line of jobs: when a job's turn came, and what an administrator moved up"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

IN_LINE = sa.text("status = 'queued' and called_at is null")


def upgrade() -> None:
    # Added in place: rebuilding the table would drop its guards.
    op.add_column("jobs", sa.Column("called_at", app.db.Moment(), nullable=True))
    op.add_column("jobs", sa.Column("moved_up", sa.Integer(), nullable=True))
    # Jobs from before stand in the queues that workers take from already: their turn came when they were asked for.
    op.execute("update jobs set called_at = created_at")
    op.create_index("ix_jobs_line", "jobs", ["queue", "id"], sqlite_where=IN_LINE, postgresql_where=IN_LINE)
    op.create_index("ix_jobs_called", "jobs", ["created_by", "queue", "called_at"])


def downgrade() -> None:
    op.drop_index("ix_jobs_called", "jobs")
    op.drop_index("ix_jobs_line", "jobs")
    op.drop_column("jobs", "moved_up")
    op.drop_column("jobs", "called_at")
