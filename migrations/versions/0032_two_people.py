"""Two people on the same rows: everybody's tag of a failure, and a second person's labels"""

import sqlalchemy as sa
from alembic import op

import app.db

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

CAUSES = "('behaviour', 'facts', 'instructions', 'reference')"


def upgrade() -> None:
    # Added in place: rebuilding the table would drop its guards.
    op.add_column("answers", sa.Column("settled_by", sa.Integer(), nullable=True))
    op.create_table(
        "answer_tags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("blind", sa.String(16), nullable=True),
        sa.Column("at", app.db.Moment(), nullable=False),
        sa.CheckConstraint(f"cause in {CAUSES}", name=op.f("ck_answer_tags_cause")),
        sa.CheckConstraint(f"blind is null or blind in {CAUSES}", name=op.f("ck_answer_tags_blind")),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answers.id"], name=op.f("fk_answer_tags_answer_id_answers"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_answer_tags_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_tags")),
        sa.UniqueConstraint("answer_id", "user_id", name=op.f("uq_answer_tags_answer_id")),
    )
    op.create_table(
        "tag_rounds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("baseline_id", sa.Integer(), nullable=False),
        sa.Column("arm_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("answers", app.db.Json, nullable=False),
        sa.Column("started_at", app.db.Moment(), nullable=False),
        sa.Column("done_at", app.db.Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["baseline_id"], ["baselines.id"], name=op.f("fk_tag_rounds_baseline_id_baselines"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["arm_id"], ["arms.id"], name=op.f("fk_tag_rounds_arm_id_arms"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tag_rounds_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_rounds")),
    )
    op.create_index("ix_tag_rounds_baseline_id", "tag_rounds", ["baseline_id", "user_id"])
    # What people tagged so far was the only tag there was: nobody else's could have been seen with it.
    op.execute(
        "insert into answer_tags (answer_id, user_id, cause, blind, at) "
        "select id, tagged_by, cause, cause, created_at from answers "
        "where cause is not null and tagged_by is not null order by id"
    )
    op.create_table(
        "label_rounds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rows", app.db.Json, nullable=False),
        sa.Column("started_at", app.db.Moment(), nullable=False),
        sa.Column("done_at", app.db.Moment(), nullable=True),
        sa.CheckConstraint("kind in ('label', 'reference')", name=op.f("ck_label_rounds_kind")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_label_rounds_dataset_id_datasets"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_label_rounds_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_rounds")),
    )
    op.create_index("ix_label_rounds_dataset_id", "label_rounds", ["dataset_id", "user_id"])
    op.create_table(
        "second_labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("example_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("at", app.db.Moment(), nullable=False),
        sa.Column("settled", sa.String(8), nullable=True),
        sa.Column("settled_by", sa.Integer(), nullable=True),
        sa.Column("settled_at", app.db.Moment(), nullable=True),
        sa.CheckConstraint(
            "settled is null or settled in ('file', 'second', 'both')", name=op.f("ck_second_labels_settled")
        ),
        sa.ForeignKeyConstraint(
            ["round_id"], ["label_rounds.id"], name=op.f("fk_second_labels_round_id_label_rounds"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["example_id"], ["examples.id"], name=op.f("fk_second_labels_example_id_examples"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["settled_by"], ["users.id"], name=op.f("fk_second_labels_settled_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_labels")),
        sa.UniqueConstraint("round_id", "example_id", name=op.f("uq_second_labels_round_id")),
    )
    op.create_index("ix_second_labels_example_id", "second_labels", ["example_id"])


def downgrade() -> None:
    op.drop_table("second_labels")
    op.drop_table("label_rounds")
    op.drop_table("tag_rounds")
    op.drop_table("answer_tags")
    op.drop_column("answers", "settled_by")
