"""What the database refuses, once more: every fact that a launch rests on, and every step a review may take.

One living voice a person and review. What two people at once could leave behind on PostgreSQL is put right first: two
living approvals by one person (the later one holds), an approved review that somebody asked to change (it is not).
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

VOICE = "voided_at is null and kind <> 'comment'"
NOW = {"sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')", "postgresql": "now()"}  # times are stored in UTC

APPROVED = "exists (select 1 from decisions d where d.review_id = {id} and d.kind = 'approve' and d.voided_at is null)"
OBJECTED = (
    "exists (select 1 from decisions c where c.review_id = {id} and c.kind = 'request_changes' and c.voided_at is null)"
)
NO_APPROVAL = f"""not exists (
    select 1 from decisions d join reviews r on r.id = d.review_id join users u on u.id = d.reviewer_id
    join assessments a on a.id = r.assessment_id join models m on m.id = new.model_id
    where d.id = new.decision_id and r.id = new.review_id and r.assessment_id = new.assessment_id
      and d.kind = 'approve' and d.voided_at is null and d.digest = new.digest and r.digest = new.digest
      and r.state = 'approved' and (d.expires_at is null or d.expires_at > {{now}})
      and u.active and u.role in ('reviewer', 'admin') and a.archived_at is null and m.retired_at is null
      and not {OBJECTED.format(id="r.id")}
      and not exists (select 1 from contributions c where c.assessment_id = a.id and c.user_id = d.reviewer_id))"""
NO_STEP = f"""new.state <> old.state and not (old.state in ('open', 'approved', 'changes_requested') and (
    new.state in ('withdrawn', 'superseded')
    or (new.state = 'open' and not {APPROVED.format(id="new.id")} and not {OBJECTED.format(id="new.id")})
    or (new.state = 'changes_requested' and {OBJECTED.format(id="new.id")})
    or (new.state = 'approved' and {APPROVED.format(id="new.id")} and not {OBJECTED.format(id="new.id")})
    or (new.state = 'consumed' and old.state = 'approved'
        and exists (select 1 from trainings t where t.review_id = new.id))))"""
NO_VOICE = """new.kind <> 'comment' and not exists (
    select 1 from reviews r join users u on u.id = new.reviewer_id
    where r.id = new.review_id and r.digest = new.digest and r.state in ('open', 'approved', 'changes_requested')
      and u.active and u.role in ('reviewer', 'admin')
      and not exists (
        select 1 from contributions c where c.assessment_id = r.assessment_id and c.user_id = new.reviewer_id))"""
CHANGED_DECISION = """new.kind <> old.kind or new.digest <> old.digest or new.reviewer_id <> old.reviewer_id
    or new.review_id <> old.review_id or new.comment <> old.comment or new.at <> old.at
    or (old.voided_at is not null and new.voided_at is null)
    or (new.expires_at is null and old.expires_at is not null) or new.expires_at > old.expires_at
    or (old.seal <> '' and new.seal <> old.seal)"""
CHANGED_RUN = """new.digest <> old.digest or new.review_id <> old.review_id or new.decision_id <> old.decision_id
    or new.assessment_id <> old.assessment_id or new.model_id <> old.model_id or new.baseline_id <> old.baseline_id
    or new.recipe <> old.recipe"""
CHANGED_REVIEW = """new.subject <> old.subject or new.digest <> old.digest or new.assessment_id <> old.assessment_id
    or new.revision <> old.revision or new.requested_by <> old.requested_by or new.requested_at <> old.requested_at"""

# name: (when, table, condition, message)
GUARDS = {
    "reviews_frozen": ("before update", "reviews", CHANGED_REVIEW, "a frozen subject does not change"),
    "reviews_begin": ("before insert", "reviews", "new.state <> 'open'", "a review begins open"),
    "reviews_steps": ("before update", "reviews", NO_STEP, "a review takes no such step"),
    "decisions_allowed": ("before insert", "decisions", NO_VOICE, "nobody may decide this like that"),
    "decisions_frozen": ("before update", "decisions", CHANGED_DECISION, "a decision does not change"),
    "decisions_no_delete": ("before delete", "decisions", None, "decisions are kept"),
    "contributions_kept": ("before delete", "contributions", None, "who had a hand in it stays"),
    "contributions_frozen": (
        "before update",
        "contributions",
        "new.assessment_id <> old.assessment_id or new.user_id <> old.user_id",
        "who had a hand in it stays",
    ),
    "trainings_approved": ("before insert", "trainings", NO_APPROVAL, "no living approval of this digest"),
    "trainings_frozen": ("before update", "trainings", CHANGED_RUN, "a run stays what was approved"),
}

# Those of 0002 whose place is taken.
BEFORE = {
    "reviews_frozen": (
        "before update",
        "reviews",
        "new.subject <> old.subject or new.digest <> old.digest or new.assessment_id <> old.assessment_id",
        "a frozen subject does not change",
    ),
    "decisions_frozen": (
        "before update",
        "decisions",
        (
            "new.kind <> old.kind or new.digest <> old.digest or new.reviewer_id <> old.reviewer_id "
            "or new.review_id <> old.review_id"
        ),
        "a decision does not change",
    ),
    "trainings_approved": (
        "before insert",
        "trainings",
        """not exists (
    select 1 from decisions d join reviews r on r.id = d.review_id
    where d.id = new.decision_id and r.id = new.review_id and r.assessment_id = new.assessment_id
      and d.kind = 'approve' and d.voided_at is null and d.digest = new.digest and r.digest = new.digest
      and r.state = 'approved')""",
        "no living approval of this digest",
    ),
}

Guards = dict[str, tuple[str, str, str | None, str]]


def upgrade() -> None:
    _drop(BEFORE)
    op.add_column("decisions", sa.Column("seal", sa.String(64), nullable=False, server_default=""))
    op.execute(
        f"update decisions set voided_at = at where {VOICE} and exists (select 1 from decisions later where "
        "later.review_id = decisions.review_id and later.reviewer_id = decisions.reviewer_id "
        "and later.kind <> 'comment' and later.voided_at is null and later.id > decisions.id)"
    )
    op.execute(
        "update reviews set state = 'changes_requested' where state = 'approved' and "
        + OBJECTED.format(id="reviews.id")
    )
    op.create_index(
        "uq_decisions_voice",
        "decisions",
        ["review_id", "reviewer_id"],
        unique=True,
        sqlite_where=sa.text(VOICE),
        postgresql_where=sa.text(VOICE),
    )
    _create(GUARDS)


def downgrade() -> None:
    _drop(GUARDS)
    op.drop_index("uq_decisions_voice", "decisions")
    op.drop_column("decisions", "seal")
    _create(BEFORE)


def _create(guards: Guards) -> None:
    dialect = op.get_bind().dialect.name
    for name, (when, table, condition, message) in guards.items():
        asked = condition.replace("{now}", NOW[dialect]) if condition else None
        if dialect == "sqlite":
            test = f"when {asked} " if asked else ""
            body = f"begin select raise(abort, '{message}'); end"
            # A colon would be taken for the name of a parameter.
            op.execute(sa.text(f"create trigger {name} {when} on {table} {test}{body}".replace(":", r"\:")))
            continue
        body = f"raise exception '{message}';"
        if asked:
            body = f"if {asked} then {body} end if;"
        op.execute(
            f"create function {name}() returns trigger language plpgsql as $$ begin {body} "
            f"{'return old' if 'delete' in when else 'return new'}; end $$"
        )
        op.execute(f"create trigger {name} {when} on {table} for each row execute function {name}()")


def _drop(guards: Guards) -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, (_, table, _, _) in guards.items():
        op.execute(f"drop trigger {name}" if sqlite else f"drop trigger {name} on {table}")
        if not sqlite:
            op.execute(f"drop function {name}()")
