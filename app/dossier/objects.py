"""What the record's objects are called today, where they can be looked at, and which assessment they belong to."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines import tag_store
from app.baselines.tables import BaselineRow
from app.datasets.tables import DatasetRow
from app.documents.tables import DocumentFileRow
from app.inference.tables import ModelRow
from app.jobs.tables import JobRow
from app.policies import service as policies
from app.policies.tables import PolicyRow
from app.users.tables import UserRow
from app.web.protocols import Named

Pair = tuple[str, int]

# Of the kinds that belong to an assessment: the table, and the columns that make the name.
OWNED: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "dataset": (DatasetRow, (DatasetRow.filename, DatasetRow.version)),
    "documents": (DocumentFileRow, (DocumentFileRow.filename,)),
    "baseline": (BaselineRow, ()),
    "job": (JobRow, (JobRow.title,)),
}
ADDRESSES = {"dataset": "/datasets/{}", "job": "/jobs/{}", "model": "/models/{}", "policy": "/policy/{}"}


def names(session: Session, pairs: Collection[Pair]) -> dict[Pair, Named]:
    """The names of objects by kind and number; what is gone, or has no name, is left out."""
    wanted: dict[str, set[int]] = {}
    for subject, number in pairs:
        wanted.setdefault(subject, set()).add(number)
    named = {**_own_names(session, wanted), **_owned_names(session, wanted)}
    titles = _titles(session, {one.assessment_id for one in named.values() if one.assessment_id})
    return {
        pair: Named(one.name or titles.get(one.assessment_id or 0, ""), one.url, one.assessment_id,
                    titles.get(one.assessment_id or 0, ""))
        for pair, one in named.items()
    }  # fmt: skip


def _titles(session: Session, ids: Iterable[int]) -> dict[int, str]:
    rows = session.execute(select(AssessmentRow.id, AssessmentRow.title).where(AssessmentRow.id.in_(sorted(ids))))
    return {number: title for number, title in rows}  # noqa: C416 - a Row is not a pair to the type checker


def _own_names(session: Session, wanted: dict[str, set[int]]) -> dict[Pair, Named]:
    """Of what stands for itself."""
    named = {
        ("assessment", number): Named("", f"/assessments/{number}", number)
        for number in _titles(session, wanted.get("assessment", ()))
    }
    for subject, row, column in (("model", ModelRow, ModelRow.name), ("user", UserRow, UserRow.name)):
        for number, name in session.execute(select(row.id, column).where(row.id.in_(wanted.get(subject, ())))):
            named[subject, number] = Named(name, ADDRESSES.get(subject, "").format(number))
    for policy in session.scalars(select(PolicyRow).where(PolicyRow.id.in_(wanted.get("policy", ())))):
        named["policy", policy.id] = Named(
            f"policy {policies.made(policy).version}", ADDRESSES["policy"].format(policy.number)
        )
    return named


def _owned_names(session: Session, wanted: dict[str, set[int]]) -> dict[Pair, Named]:
    named: dict[Pair, Named] = {}
    for subject, (row, columns) in OWNED.items():
        numbers = wanted.get(subject)
        if not numbers:
            continue
        query = select(row.id, row.assessment_id, *columns).where(row.id.in_(sorted(numbers)))
        for number, assessment_id, *name in session.execute(query):
            within = f"/assessments/{assessment_id}/{'documents' if subject == 'documents' else 'measure'}"
            url = ADDRESSES.get(subject, within).format(number)
            text = f"{name[0]} v{name[1]}" if len(name) == 2 else str(name[0]) if name else ""
            named[subject, number] = Named(text, url, assessment_id)
    return named


def belonging(session: Session, assessment_ids: Sequence[int]) -> dict[str, list[int]]:
    """Numbers of everything that belongs to these assessments, by kind, with the assessments themselves."""
    found = {"assessment": list(assessment_ids)}
    for subject, (row, _) in OWNED.items():
        query = select(row.id).where(row.assessment_id.in_(assessment_ids)).order_by(row.id)
        found[subject] = list(session.scalars(query))
    return found


def assessments_named(session: Session, text: str, limit: int) -> list[int]:
    """Ids of the assessments whose title holds the text, the newest first; a number is an id."""
    number = text.strip().removeprefix("#")
    if number.isascii() and number.isdecimal() and len(number) < 10:
        return [int(number)]
    query = select(AssessmentRow.id).where(AssessmentRow.title.icontains(text.strip(), autoescape=True))
    return list(session.scalars(query.order_by(AssessmentRow.id.desc()).limit(limit)))


def hidden_answers(session: Session, user_id: int) -> dict[int, frozenset[int]]:
    """By measurement, the answers that this person tags as second: what others said of them they may not see yet."""
    return tag_store.hidden_everywhere(session, user_id)
