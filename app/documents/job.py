"""The reading of documents, as a job: stored files become texts in the content store.

Each file is settled in one transaction. A killed reading goes on with the files that are not; the one that was being
read is read anew, and its texts, named by their content, are simply found again.
"""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.documents import opening, privacy, store, texts, tokens
from app.documents.opening import Opened
from app.documents.refusals import WORDS, Unreadable
from app.documents.store import NewDocument
from app.documents.tables import DocumentFileRow
from app.jobs.claims import Claim
from app.privacy import decisions, masking
from app.wording import state


def read(claim: Claim) -> None:
    """Read the batch that begins with the file the claim is about; the body of the job kind `read`."""
    with claim.read() as session:
        waiting = [
            (row.id, row.blob_sha256, row.filename, decisions.actions(row.decisions))
            for row in store.unread_files(session, claim.subject_id)
        ]
    for done, (file_id, sha256, filename, decided) in enumerate(waiting):
        stage = f"Reading {filename}"
        claim.report({"stage": stage, "done": done, "total": len(waiting), "unit": "files"})
        values: list[NewDocument] = []
        reason = ""
        try:
            with claim.blobs.open(sha256) as file:
                for document in opening.documents(file, filename):
                    values.append(_value(claim, file_id, len(values) + 1, document, decided))
                    if len(waiting) == 1:
                        claim.report({"stage": f"{stage}: {len(values):,} documents so far", "done": 0, "total": 0})
        except Unreadable as refusal:
            reason, values = str(refusal), []
        if not reason and not any(value["text_sha256"] for value in values):
            reason = values[0]["reason"] if len(values) == 1 else WORDS(state("none_read"))
        with claim.write() as session:
            _settle(session, file_id, values, reason)
    if waiting:
        with claim.write() as session:
            _tell_apart(session, store.file(session, claim.subject_id).assessment_id)
    claim.report(
        {"stage": "All files are read", "done": len(waiting), "total": len(waiting), "unit": "files"}, now=True
    )


def _value(claim: Claim, file_id: int, number: int, document: Opened, decided: Mapping[str, str]) -> NewDocument:
    """A row of the table; its text goes into the content store, with what is to be masked masked.

    What was found is told of the text as it came, so that a decision can be changed.
    """
    text = document.get("text", "")
    held = privacy.held(text)
    if masks := frozenset(kind for kind, action in decided.items() if action == "mask"):
        text = masking.mask(text, masks)
    return {
        "file_id": file_id,
        "number": number,
        "name": _storable(document["name"]),
        "title": _storable(masking.masker(decided).text(document.get("title", ""))),
        "kind": document.get("kind", ""),
        "characters": len(text),
        "tokens": tokens.estimate(text),
        "text_sha256": claim.blobs.put_bytes(text.encode()).sha256 if text else None,
        "reason": document.get("reason", ""),
        "private": held,
    }


def _tell_apart(session: Session, assessment_id: int) -> None:
    """Give documents that are all called by their first heading (a manual's pages: NAME) titles of their own."""
    taken: set[str] | None = None
    for row in store.with_one_title(session, assessment_id):
        taken = store.titles(session, assessment_id) if taken is None else taken
        stem = texts.title_of("", row.name)
        title = row.title if stem == row.title else _with(row.title, stem)
        # The first of those with one name keeps it; its place in the corpus tells every other apart.
        row.title = title if title not in taken else _with(title, f"{row.file_id}.{row.number}")
        taken.add(row.title)


def _with(title: str, mark: str) -> str:
    """The title with a mark in brackets behind it, within what the table holds."""
    mark = mark[: texts.TITLE // 2]
    return f"{title[: texts.TITLE - len(mark) - 3]} ({mark})"


def _storable(name: str) -> str:
    return name.replace("\0", "")[:200]


def _settle(session: Session, file_id: int, values: list[NewDocument], reason: str) -> None:
    row: DocumentFileRow = store.file(session, file_id)
    store.replace_documents(session, file_id, values)
    row.state, row.reason = ("refused", reason) if reason else ("ready", "")
    row.private = privacy.summed((value["name"], value["private"]) for value in values)
    row.undecided = len(privacy.undecided(row.private, row.decisions))
