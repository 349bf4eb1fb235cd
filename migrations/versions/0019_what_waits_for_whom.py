"""Who is asked to review, who looked at a failed job, what is undecided in data, and the finished example"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

WAITING = "state in ('open', 'approved', 'changes_requested')"
OPEN_JOB = "status in ('queued', 'running', 'cancelling')"
FAILED_JOB = "status in ('failed', 'refused') and seen_at is null"
UNDECIDED = "undecided > 0"
RECORDED = "recorded <> ''"


def upgrade() -> None:
    op.add_column("reviews", sa.Column("asked_of", sa.Integer(), nullable=True))
    op.create_table(
        "review_barred",
        sa.Column("review_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name="fk_review_barred_review_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_review_barred_user_id"),
        sa.PrimaryKeyConstraint("review_id", "user_id", name="pk_review_barred"),
    )
    op.add_column("jobs", sa.Column("seen_at", app.db.Moment(), nullable=True))
    # What failed before there was a list of failures is no news.
    op.execute("update jobs set seen_at = finished_at where status in ('failed', 'refused')")
    op.add_column("datasets", sa.Column("undecided", sa.Integer(), nullable=False, server_default="0"))
    _count_undecided()
    op.add_column("assessments", sa.Column("recorded", sa.String(300), nullable=False, server_default=""))
    op.add_column("users", sa.Column("checklist_at", app.db.Moment(), nullable=True))
    _index("ix_reviews_waiting", "reviews", ["state", "id"], WAITING)
    _index("ix_jobs_open_by", "jobs", ["created_by", "id"], OPEN_JOB)
    _index("ix_jobs_failed_by", "jobs", ["created_by", "id"], FAILED_JOB)
    _index("ix_datasets_undecided", "datasets", ["assessment_id"], UNDECIDED)
    _index("ix_document_files_undecided", "document_files", ["assessment_id"], UNDECIDED)
    _index("ix_assessments_recorded", "assessments", ["id"], RECORDED)


def downgrade() -> None:
    for name, table in (
        ("ix_assessments_recorded", "assessments"),
        ("ix_document_files_undecided", "document_files"),
        ("ix_datasets_undecided", "datasets"),
        ("ix_jobs_failed_by", "jobs"),
        ("ix_jobs_open_by", "jobs"),
        ("ix_reviews_waiting", "reviews"),
    ):
        op.drop_index(name, table)
    op.drop_column("users", "checklist_at")
    op.drop_column("assessments", "recorded")
    op.drop_column("datasets", "undecided")
    op.drop_column("jobs", "seen_at")
    op.drop_table("review_barred")
    op.drop_column("reviews", "asked_of")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _count_undecided() -> None:
    """How many kinds of personal data nobody has decided on, of every version that was checked."""
    datasets = sa.table(
        "datasets",
        sa.column("id", sa.Integer),
        sa.column("state", sa.String),
        sa.column("report", app.db.Json),
        sa.column("decisions", app.db.Json),
        sa.column("undecided", sa.Integer),
    )
    connection = op.get_bind()
    ids = connection.scalars(sa.select(datasets.c.id).where(datasets.c.state == "ready")).all()
    for dataset_id in ids:  # one report at a time: some are large
        row = connection.execute(
            sa.select(datasets.c.report, datasets.c.decisions).where(datasets.c.id == dataset_id)
        ).one()
        kinds = ((row.report or {}).get("identifiers") or {}).get("kinds") or []
        undecided = sum(kind["kind"] not in (row.decisions or {}) for kind in kinds)
        if undecided:
            connection.execute(sa.update(datasets).where(datasets.c.id == dataset_id).values(undecided=undecided))
