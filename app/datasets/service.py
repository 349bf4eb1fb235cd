"""What people do with data: upload it, freeze its split, vouch for it; and what the gates read of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.blobs import Blob, Blobs
from app.chat import Message, Record
from app.datasets import store, versions
from app.datasets.checks import compared_text
from app.datasets.checks.report_json import plain
from app.datasets.checks.working_rows import question
from app.datasets.reading import encodings
from app.datasets.reading.formats import COLUMNS, GUESS, SHAPES, ReadAs, read_as
from app.datasets.splits import draw
from app.datasets.tables import DatasetRow, ExampleRow, KeptClusterRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.tables import JobRow
from app.privacy import personal_data
from app.uploads.multipart import display_name
from app.users.tables import UserRow


def upload(
    session: Session,
    assessment_id: int,
    by: UserRow,
    file: Blob,
    filename: str,
    *,
    test: Blob | None = None,
    test_filename: str = "",
    human_checked: bool | None = None,
    how: ReadAs = GUESS,
    decisions: Mapping[str, Any] | None = None,
    split_plan: Mapping[str, Any] | None = None,
    drop_test: bool = False,
) -> DatasetRow:
    """Take stored files as the next version and put its check in line, both or neither.

    how: how the file is to be read, where a person has said so.
    test: None keeps the test file of the version that counts, read as it was there, with the word on who checked its
    rows; drop_test: not even that, so that test rows are drawn from the examples.
    decisions: about personal data; None takes over those of the version before. The word that values may stay as they
    are holds only if the check finds no other values (`job`). split_plan: None goes on with the way the version before
    was split. human_checked: the uploader's word on the test rows, None when nothing was said. It is taken over with
    the test file, and only with it: else that word was about other rows.

    Raises:
        NotFound: there is no such assessment.
        Invalid: the file is empty.
    """
    assessment = assessment_store.opened(session, assessment_id)
    if not file.size:
        raise Invalid("The file is empty.", [FieldError("#/file", "Choose a file with examples; this one is empty.")])
    last = store.newest(session, assessment_id)
    if decisions is None:
        decisions = last.decisions if last else {}
    counts = store.current(session, assessment_id)
    if split_plan is None:
        split_plan = {name: last.split_plan[name] for name in ("by", "shared") if last and last.split_plan.get(name)}
        if test is None and counts is not None and counts.test_blob_sha256:
            if drop_test:
                split_plan["test_dropped"] = {"file": counts.test_filename, "version": counts.version}
            else:
                test, test_filename = Blob(counts.test_blob_sha256, 0), counts.test_filename
                split_plan["test_kept"] = counts.version
                split_plan["test_read_as"] = counts.split_plan.get("test_read_as", counts.read_as)
                human_checked = counts.human_checked if human_checked is None else human_checked
    else:
        split_plan = {name: said for name, said in split_plan.items() if name not in ("test_kept", "test_dropped")}
    row = DatasetRow(
        assessment_id=assessment_id,
        version=last.version + 1 if last else 1,
        filename=display_name(filename),
        bytes=file.size,
        blob_sha256=file.sha256,
        test_filename=display_name(test_filename) if test else "",
        test_blob_sha256=test.sha256 if test else None,
        read_as=how.to_json(),
        kept_keys=sorted({kept.key for kept in store.kept_clusters(session, assessment_id)}),
        lengths_model_id=last.lengths_model_id if last else None,
        human_checked=human_checked,
        decisions=dict(decisions),
        split_plan=dict(split_plan),
        uploaded_by=by.id,
        uploaded_at=utcnow(),
    )
    session.add(row)
    session.flush()
    assessments.contribute(session, assessment, by, f"data, version {row.version}")
    detail = {"assessment": assessment_id, "version": row.version, "file": row.filename, "sha256": row.blob_sha256}
    detail |= {"read_as": row.read_as} if row.read_as else {}
    audit.record(session, by, "dataset.upload", "dataset", row.id, detail)
    _check(session, row, by)
    return row


def add_test(session: Session, assessment_id: int, by: UserRow, test: Blob, filename: str) -> DatasetRow:
    """Take a test file of the team's own for the examples that are there: a new version of both.

    Raises:
        Conflict: no examples were uploaded yet.
        Invalid: the file is empty.
    """
    if test.size == 0:
        fault = FieldError("#/test", "Choose a file with test rows; this one is empty.")
        raise Invalid("The file is empty.", [fault])
    assessment_store.opened(session, assessment_id)
    last = store.current(session, assessment_id)
    if last is None or last.state == "rejected":
        raise Conflict("Upload the examples first, then the test file.")
    file = Blob(last.blob_sha256, last.bytes)
    how = read_as(last.read_as)
    return upload(session, assessment_id, by, file, last.filename, test=test, test_filename=filename, how=how)


def reread(session: Session, dataset_id: int, by: UserRow, how: ReadAs) -> DatasetRow:
    """Take the files of a version once more, read in another way: a new version, checked from the start.

    Raises:
        Invalid: the choice names no known format, or lacks a column.
    """
    row = store.get(session, dataset_id)
    if wrong := list(unreadable(how)):
        raise Invalid("The file can't be read like that.", wrong)
    return upload(
        session,
        row.assessment_id,
        by,
        Blob(row.blob_sha256, row.bytes),
        row.filename,
        test=Blob(row.test_blob_sha256, 0) if row.test_blob_sha256 else None,
        test_filename=row.test_filename,
        human_checked=row.human_checked,
        how=how,
        drop_test=not row.test_blob_sha256,
    )


def unreadable(how: ReadAs) -> Iterator[FieldError]:
    """What a choice lacks, by field."""
    if how.shape and how.shape not in SHAPES:
        yield FieldError("#/shape", "Choose one of the formats in the list.")
    if how.encoding and how.encoding not in encodings.CHOICES:
        yield FieldError("#/encoding", f"Choose one of {', '.join(encodings.CHOICES)}; empty is UTF-8.")
    chosen = how.shape == COLUMNS.name
    for name in ("question", "answer"):
        if chosen and not getattr(how, name):
            yield FieldError(f"#/{name}", f"Choose the column that holds the {name}.")
    if chosen and how.question and how.question == how.answer:
        yield FieldError("#/answer", "Question and answer can't be the same column.")


def without_columns(how: ReadAs) -> ReadAs:
    """What of a choice can be used even where its columns can't."""
    return ReadAs(header=how.header, encoding=how.encoding if how.encoding in encodings.CHOICES else "")


def check_again(session: Session, dataset_id: int, by: UserRow) -> JobRow:
    """Run a check that was cancelled or failed once more.

    Raises:
        Conflict: it is done, or under way.
    """
    row = _held(session, dataset_id)
    if row.state != "checking":
        raise Conflict("This version has been checked; its rows do not change any more.")
    return _check(session, row, by)


def _check(session: Session, row: DatasetRow, by: UserRow) -> JobRow:
    title = f"Check {row.filename}"[:200]
    return jobs.add(session, "check", row.id, by.id, assessment_id=row.assessment_id, title=title)


def freeze(session: Session, dataset_id: int, by: UserRow) -> DatasetRow:
    """Fix which rows judge, for good: measuring starts from here, and nothing unfreezes a split.

    Raises:
        Conflict: it is not checked, replaced by a newer version, frozen already, or has no rows in a split.
    """
    row = _held(session, dataset_id)
    assessment = assessment_store.get(session, row.assessment_id)
    latest = store.current(session, row.assessment_id)
    against = []
    if row.state != "ready":
        against.append("The check of this version has not ended with usable rows.")
    elif not (row.train_rows and row.dev_rows and row.test_rows):
        against.append("Each of train, dev and test needs at least one row; upload more examples.")
    if latest is not None and latest.id != row.id:
        against.append(_overtaken(latest))
    if row.frozen_at:
        against.append("The split is frozen already.")
    if against:
        raise Conflict.because(against)
    row.frozen_at = utcnow()
    row.frozen_by = by.id
    store.keep_test_keys(session, row.id)
    assessments.contribute(session, assessment, by, f"split of data version {row.version}")
    detail = {
        "assessment": row.assessment_id,
        "version": row.version,
        "rows_sha256": row.rows_sha256,
        "split_sha256": row.split_sha256,
    }
    audit.record(session, by, "dataset.freeze", "dataset", row.id, detail)
    return row


def vouch(session: Session, dataset_id: int, by: UserRow, *, human_checked: bool) -> DatasetRow:
    """Record the word of a person on who wrote or checked the answers of the test rows.

    Raises:
        Conflict: another version counts; what was said of this one is part of what was measured and approved.
    """
    row = _held(session, dataset_id)
    current = store.current(session, row.assessment_id)
    if current is not None and current.id != row.id:
        raise Conflict(_overtaken(current))
    if row.human_checked != human_checked:
        assessment = assessment_store.get(session, row.assessment_id)
        row.human_checked = human_checked
        assessments.contribute(session, assessment, by, f"word on test rows of data version {row.version}")
        detail = {"assessment": row.assessment_id, "version": row.version, "human_checked": human_checked}
        audit.record(session, by, "dataset.vouch", "dataset", row.id, detail)
    return row


# ---------------------------------------------------------------------- clusters and lengths
def keep_cluster(session: Session, dataset_id: int, cluster: int, by: UserRow) -> KeptClusterRow:
    """Note that the rows of a cluster are different rows, to be used all of them from the next version on.

    Repeats come back, and rows that contradict each other where their questions differ by a letter. Rows that ask the
    same to the letter and are answered differently stay out, and so do those that stand in the test file.

    Raises:
        Conflict: an older version, or this was said already.
    """
    row = _counting(session, dataset_id)
    oldest, size = store.oldest_of(session, row.id, cluster)
    key = f"{_key(oldest):016x}"
    if store.kept_cluster(session, row.assessment_id, key):
        raise Conflict("These rows are noted as different rows already.")
    kept = KeptClusterRow(
        assessment_id=row.assessment_id,
        dataset_id=row.id,
        key=key,
        cluster=cluster,
        rows=size,
        decided_by=by.id,
        decided_at=utcnow(),
    )
    session.add(kept)
    _had_a_hand(session, row, by)
    detail = {"assessment": row.assessment_id, "version": row.version, "line": oldest.line, "rows": size}
    audit.record(session, by, "dataset.keep_cluster", "dataset", row.id, detail)
    return kept


def join_cluster(session: Session, dataset_id: int, cluster: int, by: UserRow) -> KeptClusterRow:
    """Take the word back: one row of the cluster is used again from the next version on.

    Raises:
        Conflict: an older version, or nothing was said about these rows.
    """
    row = _counting(session, dataset_id)
    oldest, size = store.oldest_of(session, row.id, cluster)
    kept = store.kept_cluster(session, row.assessment_id, f"{_key(oldest):016x}")
    if kept is None:
        raise Conflict("Of these rows one is used already.")
    kept.withdrawn_by, kept.withdrawn_at = by.id, utcnow()
    _had_a_hand(session, row, by)
    detail = {"assessment": row.assessment_id, "version": row.version, "line": oldest.line, "rows": size}
    audit.record(session, by, "dataset.join_cluster", "dataset", row.id, detail)
    return kept


def _had_a_hand(session: Session, row: DatasetRow, by: UserRow) -> None:
    """Somebody else may press the button that makes the next version; whose word it follows had a hand in it, too."""
    assessment = assessment_store.get(session, row.assessment_id)
    what = f"groups of like rows of data version {row.version}"
    assessments.contribute(session, assessment, by, what, changed=False)  # it is the next version that will differ


def waiting_clusters(session: Session, row: DatasetRow) -> int:
    """How many words about clusters this version was checked without."""
    now = {kept.key for kept in store.kept_clusters(session, row.assessment_id)}
    return len(now ^ set(row.kept_keys))


def recount(session: Session, dataset_id: int, by: UserRow) -> DatasetRow:
    """Check the same files once more as a new version, with the clusters as people see them now.

    Raises:
        Conflict: an older version, or nothing has changed since.
    """
    row = _counting(session, dataset_id)
    if not waiting_clusters(session, row):
        raise Conflict("Nothing about the groups has changed since this version was checked.")
    return _once_more(session, row, by)


def decide(session: Session, dataset_id: int, by: UserRow, choices: Mapping[str, str], reason: str = "") -> DatasetRow:
    """Decide what becomes of each kind of personal data that was found: mask, exclude, or attest.

    Rows are never changed in place. Masking and leaving out make a new version of the same file, in which old test rows
    stay test rows; keeping the rows as they are is noted on the version itself. `reason` says why they may be kept.

    Raises:
        Conflict: another version counts, or it has not been checked.
        Invalid: a kind that was not found, an unknown action, or no reason for keeping.
    """
    row = _counting(session, dataset_id)
    new = _decisions(row, by, choices, " ".join(reason.split()))
    if not new:
        raise Invalid("Nothing was decided.", [FieldError("#/decisions", "Choose what to do with at least one kind.")])
    decisions = {**row.decisions, **new}
    changed = {kind for kind, one in new.items() if one["action"] != "attest" or _acted_on(row, kind)}
    detail = {
        "assessment": row.assessment_id,
        "version": row.version,
        "decisions": {kind: one["action"] for kind, one in new.items()},
    }
    audit.record(session, by, "dataset.decide", "dataset", row.id, detail)
    if changed:
        return _once_more(session, row, by, decisions=decisions)
    row.decisions = decisions
    assessment = assessment_store.get(session, row.assessment_id)
    assessments.contribute(session, assessment, by, f"decision on personal data of data version {row.version}")
    return row


def _decisions(row: DatasetRow, by: UserRow, choices: Mapping[str, str], reason: str) -> dict[str, Any]:
    found = row.report.kinds_found
    wrong = []
    for kind, action in choices.items():
        if kind not in found:
            wrong.append(FieldError("#/decisions", f"No {kind[:60]} was found in this version."))
        elif action not in personal_data.ACTIONS:
            wrong.append(FieldError("#/decisions", f"A decision is mask, exclude or attest, not {action[:60]}."))
    if "attest" in choices.values() and not reason:
        wrong.append(FieldError("#/reason", "Say why these rows may be trained on as they are."))
    if len(reason) > 500:
        wrong.append(FieldError("#/reason", "Keep it within 500 characters."))
    if wrong:
        raise Invalid("This can't be decided like that.", wrong)
    at = utcnow().isoformat(timespec="seconds")
    return {
        kind: {
            "action": action,
            "reason": reason if action == "attest" else "",
            "by": by.id,
            "at": at,
            "version": row.version,  # on which it was decided; a mask holds for later versions, too
        }
        for kind, action in choices.items()
        if row.decisions.get(kind, {}).get("action") != action
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
    if kinds := personal_data.undecided(row.report.identifiers, row.decisions):
        text = f"Nobody has decided yet what becomes of each {' and '.join(kinds)} in these rows."
        raise Conflict(f"{text} Decide first; a download would carry them away.")
    return row


def _acted_on(row: DatasetRow, kind: str) -> bool:
    """Whether the rows of this version were masked or left out for this kind."""
    return bool(row.decisions.get(kind, {}).get("action") in ("mask", "exclude"))


def split_by(session: Session, dataset_id: int, by: UserRow, plan: str) -> DatasetRow:
    """Split the rows in another way: a new version of the same file, because a drawn split is never changed.

    Test rows of a version that was frozen stay test rows: somebody may have seen how prompts do on them.

    Raises:
        Conflict: another version counts, it has not been checked, its test rows came as a file, or it is split so.
        Invalid: there is no such way, or no column that says where rows belong.
    """
    row = _counting(session, dataset_id)
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
    split_plan = {**row.split_plan, "by": plan, "fresh": True}
    return _once_more(session, row, by, decisions=row.decisions, split_plan=split_plan)


def share_groups(session: Session, dataset_id: int, by: UserRow, *, leave_out: bool) -> DatasetRow:
    """Say whether rows whose group stands in the own test file are left out or used: a new version of the same files.

    Raises:
        Conflict: another version counts, it has not been checked, there are no such rows, or it is so already.
    """
    row = _counting(session, dataset_id)
    shared = row.report.split.shared
    if not shared.rows:
        raise Conflict("No row of this version is of a group that stands in a test file of your own.")
    if shared.left_out == leave_out:
        raise Conflict("They are left out already." if leave_out else "They are used already.")
    detail = {"assessment": row.assessment_id, "version": row.version, "rows": shared.rows, "left_out": leave_out}
    audit.record(session, by, "dataset.share_groups", "dataset", row.id, detail)
    split_plan = {**row.split_plan, "shared": "out" if leave_out else "in"}
    split_plan.pop("fresh", None)
    return _once_more(session, row, by, decisions=row.decisions, split_plan=split_plan)


def _once_more(
    session: Session,
    row: DatasetRow,
    by: UserRow,
    *,
    decisions: Mapping[str, Any] | None = None,
    split_plan: Mapping[str, Any] | None = None,
) -> DatasetRow:
    """The same files as the next version, checked anew. The word on the test rows holds on: they are the same rows."""
    test = Blob(row.test_blob_sha256, 0) if row.test_blob_sha256 else None
    return upload(
        session,
        row.assessment_id,
        by,
        Blob(row.blob_sha256, row.bytes),
        row.filename,
        test=test,
        test_filename=row.test_filename,
        human_checked=row.human_checked,
        decisions=row.decisions if decisions is None else decisions,
        how=read_as(row.read_as),
        split_plan=_goes_on(row) if split_plan is None else split_plan,
    )


def _goes_on(row: DatasetRow) -> dict[str, Any]:
    """What of a way to split holds for the next version of the same files."""
    return {name: row.split_plan[name] for name in ("by", "shared", "test_read_as") if name in row.split_plan}


def count_with(session: Session, dataset_id: int, model_id: int, by: UserRow) -> JobRow:
    """Count the tokens of a version with the tokenizer of another model.

    Raises:
        Invalid: a model whose tokenizer is not on this machine.
        Conflict: another version counts, it has not been checked, or a count is under way.
    """
    row = _counting(session, dataset_id)
    if row.state != "ready":
        raise Conflict("The check of this version has not ended with usable rows.")
    model = next((one for one in countable(session) if one.id == model_id), None)
    if model is None:
        text = "Choose a model on this machine; of a model server nobody knows the tokenizer."
        raise Invalid("This model can't be counted with.", [FieldError("#/model_id", text)])
    row.lengths_model_id = model.id
    audit.record(session, by, "dataset.count_tokens", "dataset", row.id, {"model": model.name, "version": row.version})
    title = f"Count tokens of {row.filename}"[:200]
    return jobs.add(session, "lengths", row.id, by.id, assessment_id=row.assessment_id, title=title)


def countable(session: Session) -> list[ModelRow]:
    """Models whose tokenizer is on this machine."""
    return [model for model in model_store.usable(session) if model.trainable and model.files]


def said_of_clusters(session: Session, row: DatasetRow) -> list[KeptClusterRow]:
    """The words on clusters of exactly this version that count now."""
    return [kept for kept in store.kept_clusters(session, row.assessment_id) if kept.dataset_id == row.id]


def _held(session: Session, dataset_id: int) -> DatasetRow:
    """The version, with its assessment locked until the end of the transaction: of two people who press at once the
    second sees what the first did. Locked before anything is put on record, so that no two wait for each other.
    """
    assessment_store.opened(session, store.assessment_of(session, dataset_id))
    return store.get(session, dataset_id)


def _counting(session: Session, dataset_id: int) -> DatasetRow:
    """The version, if it is the one that counts and its check has ended."""
    row = _held(session, dataset_id)
    current = store.current(session, row.assessment_id)
    if row.state == "checking":
        raise Conflict("The check of this version has not ended.")
    if current is not None and current.id != row.id:
        raise Conflict(_overtaken(current))
    return row


def _overtaken(newer: DatasetRow) -> str:
    """Why nothing is decided on a version any more. A newer one that is still being checked may yet be refused."""
    if newer.state != "checking":
        return f"Version {newer.version} counts now; this one is only to be read. Decide there."
    waiting = f"Version {newer.version} is newer and its check has not ended"
    return f"{waiting}. Wait for it; if it can't be used, it replaces nothing."


def _key(oldest: ExampleRow) -> int:
    turns = tuple(Message(turn["role"], turn["content"]) for turn in oldest.messages)
    return compared_text.key(question(Record(oldest.line, turns, oldest.target)))


def job_of(session: Session, row: DatasetRow) -> JobRow | None:
    """The last check of this version."""
    return job_store.latest(session, "check", row.id)


# ---------------------------------------------------------------------- versions beside each other
Pair = tuple[ExampleRow | None, ExampleRow | None]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from `before`. counts: of every kind; rows: some of each kind that was asked for, as (new, old)."""

    before: DatasetRow
    counts: Mapping[str, int]
    rows: Mapping[str, Sequence[Pair]]


def changes(
    session: Session,
    blobs: Blobs,
    row: DatasetRow,
    *,
    since: int | None = None,
    kinds: Sequence[str] = versions.KINDS,
    skip: int = 0,
    limit: int = 25,
) -> Changes | None:
    """What changed since another version: that of the number `since`, else the last usable one before.

    None where there is none to compare with. kinds: of which rows are wanted, `limit` of each after `skip`.

    Raises:
        NotFound: there is no version with this number.
        Conflict: one of the two has no checked rows.
    """
    before = store.before(session, row) if since is None else store.version(session, row.assessment_id, since)
    if before is None:
        if since is None:
            return None
        raise NotFound("There is no version with this number.")
    for one in (row, before):
        if one.rows_sha256 is None:
            raise Conflict(f"Version {one.version} has no checked rows to compare.")
    old, new = (index_of(blobs, one.report.index_sha256, one.rows_sha256) for one in (before, row))
    found = versions.compare(old, new)
    listed = {kind: found.listed(kind, skip, limit) for kind in kinds}
    rows = store.by_ids(session, {one for pairs in listed.values() for pair in pairs for one in pair if one})
    return Changes(
        before,
        found.counts(),
        {kind: [(rows.get(mine), rows.get(theirs)) for mine, theirs in pairs] for kind, pairs in listed.items()},
    )


def index_of(blobs: Blobs, index_sha256: str | None, rows_sha256: str | None) -> versions.Index:
    """What a version is compared by; versions checked before there were indexes are read from their rows."""
    if index_sha256:
        with blobs.open(index_sha256) as file:
            return versions.Index.load(file.read())
    if rows_sha256 is None:
        return versions.Index.of_lines(())
    with blobs.open(rows_sha256) as lines:
        return versions.Index.of_lines(lines)


def measured(session: Session, assessment_id: int) -> dict[str, Any]:
    """What the gates may know of the data (decision-rules 7); a key that is absent was not measured.

    The test rows count only once they are frozen: until then they are a proposal.
    """
    row = store.current(session, assessment_id)
    if row is None or row.state != "ready":
        return {}
    report = row.report
    found: dict[str, Any] = {
        "uploaded_examples": report.uploaded,
        "usable_examples": row.usable_rows,
        "contradiction_rate": report.contradiction_rate,
    }
    if report.similar_questions is not None:
        found["similar_questions"] = report.similar_questions
    if tried := _tried(session, row):
        found["arms"] = tried
    if report.signals:
        found["signals"] = {key: value for key, value in plain(report.signals).items() if key != "evidence"}
    if report.identifiers is not None:
        found["identifiers_decided"] = not report.identifiers.undecided(row.decisions)
    if row.frozen_at:
        found["test_rows"] = row.test_rows
        found["test_overlap_rows"] = report.test_overlap_rows
    if row.human_checked is not None:
        found["test_human_checked"] = row.human_checked
    return found


def _tried(session: Session, row: DatasetRow) -> dict[str, dict[str, Any]]:
    """What a small classifier reached on rows it was not shown, where the metric asks for the label word for word.

    One that is no better than always saying the commonest label is no classifier: then it is that rule which was tried.
    """
    tried = row.report.learnability
    if tried is None or not tried.baseline or tried.baseline.metric != "accuracy" or tried.verdict == "too_few":
        return {}
    if assessment_store.get(session, row.assessment_id).answers.get("metric") not in (
        "exact_match",
        "normalised_match",
    ):
        return {}
    arm, score = "small_classifier", tried.baseline.score
    if tried.verdict == "unlearnable" and tried.trivial:
        arm, score = "trivial", tried.trivial.score
    result: dict[str, Any] = {"passed": round(score * tried.baseline.rows), "total": tried.baseline.rows}
    return {arm: result | ({"split": tried.of} if tried.of else {})}
