"""What the database itself refuses, whatever the code above it does.

The audit record and a frozen subject cannot be rewritten; a training run cannot exist without a living approval of
exactly its digest; a training job cannot exist without its run.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NO_APPROVAL = """not exists (
    select 1 from decisions d join reviews r on r.id = d.review_id
    where d.id = new.decision_id and r.id = new.review_id and r.assessment_id = new.assessment_id
      and d.kind = 'approve' and d.voided_at is null and d.digest = new.digest and r.digest = new.digest
      and r.state = 'approved')"""
NO_RUN = "new.kind = 'train' and not exists (select 1 from trainings t where t.id = new.subject_id)"

# name: (when, table, condition, message)
GUARDS = {
    "audit_no_update": ("before update", "audit", None, "the audit record is append-only"),
    "audit_no_delete": ("before delete", "audit", None, "the audit record is append-only"),
    "reviews_frozen": (
        "before update",
        "reviews",
        "new.subject <> old.subject or new.digest <> old.digest or new.assessment_id <> old.assessment_id",
        "a frozen subject does not change",
    ),
    "reviews_no_delete": ("before delete", "reviews", None, "reviews are kept"),
    "decisions_frozen": (
        "before update",
        "decisions",
        (
            "new.kind <> old.kind or new.digest <> old.digest or new.reviewer_id <> old.reviewer_id "
            "or new.review_id <> old.review_id"
        ),
        "a decision does not change",
    ),
    "trainings_approved": ("before insert", "trainings", NO_APPROVAL, "no living approval of this digest"),
    "jobs_with_run": ("before insert", "jobs", NO_RUN, "a training job needs its approved run"),
}


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, (when, table, condition, message) in GUARDS.items():
        test = f"when {condition} " if condition else ""
        if sqlite:
            op.execute(f"create trigger {name} {when} on {table} {test}begin select raise(abort, '{message}'); end")
            continue
        body = f"raise exception '{message}';"
        if condition:
            body = f"if {condition} then {body} end if;"
        op.execute(
            f"create function {name}() returns trigger language plpgsql as $$ begin {body} "
            f"{'return old' if 'delete' in when else 'return new'}; end $$"
        )
        op.execute(f"create trigger {name} {when} on {table} for each row execute function {name}()")


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, (_, table, _, _) in GUARDS.items():
        op.execute(f"drop trigger {name}" if sqlite else f"drop trigger {name} on {table}")
        if not sqlite:
            op.execute(f"drop function {name}()")
