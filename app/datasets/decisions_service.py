"""What people decide about a checked version: personal data, the way it is split, groups in the own test file."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.datasets import store
from app.datasets.current_version import locked_current
from app.datasets.splits import draw
from app.datasets.tables import DatasetRow
from app.datasets.uploads_service import check_same_files
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.privacy import decisions
from app.privacy.decisions import EXCLUDE, KEEP_AS_IS, MASK, Decision
from app.users.tables import UserRow


def decide(session: Session, dataset_id: int, by: UserRow, choices: Mapping[str, str], reason: str = "") -> DatasetRow:
    """Decide what becomes of each kind of personal data that was found: mask, exclude, or keep as it is.

    Rows are never changed in place. Masking and leaving out make a new version of the same file, in which old test rows
    stay test rows; keeping the rows as they are is noted on the version itself. `reason` says why they may be kept.

    Raises:
        Conflict: another version counts, or it has not been checked.
        Invalid: a kind that was not found, an unknown action, or no reason for keeping.
    """
    row = locked_current(session, dataset_id)
    new = _new_decisions(row, by, choices, " ".join(reason.split()))
    if not new:
        raise Invalid("Nothing was decided.", [FieldError("#/decisions", "Choose what to do with at least one kind.")])
    every = {**row.decisions, **new}
    changes_rows = any(decision.action != KEEP_AS_IS or _was_acted_on(row, kind) for kind, decision in new.items())
    detail = {
        "assessment": row.assessment_id,
        "version": row.version,
        "decisions": decisions.actions(new),
    }
    audit.record(session, by, "dataset.decide", "dataset", row.id, detail)
    if changes_rows:
        return check_same_files(session, row, by, decisions=every)
    row.decisions = every
    row.undecided = len(decisions.undecided(row.report.identifiers, every))
    assessment = assessment_store.get(session, row.assessment_id)
    assessments.contribute(session, assessment, by, f"decision on personal data of data version {row.version}")
    return row


def _new_decisions(row: DatasetRow, by: UserRow, choices: Mapping[str, str], reason: str) -> dict[str, Decision]:
    """The choices that say something new.

    Raises:
        Invalid: a kind that was not found, an unknown action, or no reason for keeping.
    """
    kinds = row.report.kinds_found
    faults = []
    for kind, action in choices.items():
        if kind not in kinds:
            faults.append(FieldError("#/decisions", f"No {kind[:60]} was found in this version."))
        elif action not in decisions.ACTIONS:
            faults.append(FieldError("#/decisions", f"A decision is mask, exclude or attest, not {action[:60]}."))
    if KEEP_AS_IS in choices.values() and not reason:
        faults.append(FieldError("#/reason", "Say why these rows may be trained on as they are."))
    if len(reason) > 500:
        faults.append(FieldError("#/reason", "Keep it within 500 characters."))
    if faults:
        raise Invalid("This can't be decided like that.", faults)
    at = utcnow().isoformat(timespec="seconds")
    taken = decisions.actions(row.decisions)
    return {
        kind: Decision(action, reason if action == KEEP_AS_IS else "", by.id, at, row.version)
        for kind, action in choices.items()
        if taken.get(kind) != action
    }


def note_opened(session: Session, dataset_id: int, file: int, line: int, by: UserRow) -> None:
    """Put on record that somebody looks at the hidden values of a row. What they are is not."""
    row = store.get(session, dataset_id)
    store.at_line(session, dataset_id, file, line)
    detail = {"assessment": row.assessment_id, "version": row.version, "file": file, "line": line}
    audit.record(session, by, "dataset.open_row", "dataset", row.id, detail)


def to_export(session: Session, dataset_id: int) -> DatasetRow:
    """A version whose rows may leave.

    Raises:
        Conflict: they hold personal data that nobody has decided on.
    """
    row = store.get(session, dataset_id)
    if kinds := decisions.undecided(row.report.identifiers, row.decisions):
        text = f"Nobody has decided yet what becomes of each {' and '.join(kinds)} in these rows."
        raise Conflict(f"{text} Decide first; a download would carry them away.")
    return row


def _was_acted_on(row: DatasetRow, kind: str) -> bool:
    """Whether the rows of this version were masked or left out for this kind."""
    return decisions.actions(row.decisions).get(kind) in (MASK, EXCLUDE)


def split_by(session: Session, dataset_id: int, by: UserRow, plan: str) -> DatasetRow:
    """Split the rows in another way: a new version of the same file, because a drawn split is never changed.

    Test rows of a version that was frozen stay test rows: somebody may have seen how prompts do on them.

    Raises:
        Conflict: another version counts, it has not been checked, its test rows came as a file, or it is split so.
        Invalid: there is no such way, or no column that says where rows belong.
    """
    row = locked_current(session, dataset_id)
    if row.test_blob_sha256:
        raise Conflict("The test rows are a file of your own; upload another one to change them.")
    split = row.report.split
    if plan not in draw.PLANS or (plan == "column" and not split.column):
        text = "Rows are split at random, by time, or by a column that names train and test."
        raise Invalid("The rows can't be split like that.", [FieldError("#/by", text)])
    if split.by == plan:
        raise Conflict("The rows are split like that already.")
    detail = {"assessment": row.assessment_id, "version": row.version, "by": plan}
    audit.record(session, by, "dataset.split", "dataset", row.id, detail)
    return check_same_files(session, row, by, split_plan=replace(row.split_plan, by=plan, fresh=True))


def share_groups(session: Session, dataset_id: int, by: UserRow, *, leave_out: bool) -> DatasetRow:
    """Say whether rows whose group stands in the own test file are left out or used: a new version of the same files.

    Raises:
        Conflict: another version counts, it has not been checked, there are no such rows, or it is so already.
    """
    row = locked_current(session, dataset_id)
    shared = row.report.split.shared
    if not shared.rows:
        raise Conflict("No row of this version is of a group that stands in a test file of your own.")
    if shared.left_out == leave_out:
        raise Conflict("They are left out already." if leave_out else "They are used already.")
    detail = {"assessment": row.assessment_id, "version": row.version, "rows": shared.rows, "left_out": leave_out}
    audit.record(session, by, "dataset.share_groups", "dataset", row.id, detail)
    split_plan = replace(row.split_plan, shared="out" if leave_out else "in", fresh=False)
    return check_same_files(session, row, by, split_plan=split_plan)
