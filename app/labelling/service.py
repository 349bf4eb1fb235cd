"""A second person labels a sample of the rows without seeing the label, and where the two differ is settled.

Where answers are labels, each row's label in the file is the first person's word and the second person's is given
blind: their kappa is what gate G8 asks for. Where they are not, there is nothing to compare word for word; then the
second person says of each answer in the sample whether it is right, and the share of wrong ones counts.

Who uploaded the file has seen its labels and is no second person, and neither is an account that could be theirs.
What was said stays as it was once the round is done; settling a difference names a row to repair and changes no number.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from app.advice.evidence import Evidence
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import accounts
from app.audit import service as audit
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import utcnow
from app.errors import Conflict, FieldError, Forbidden, Invalid
from app.evaluation.agreement import Agreement, agreement
from app.labelling import blind_rounds, store
from app.labelling.tables import LabelRoundRow, SecondLabelRow
from app.users.tables import UserRow

ENOUGH = 50  # rows from which kappa, and the share of wrong references, count (decision rules, G8)
JUDGED = ("right", "wrong")  # what may be said of a reference
NO_LABEL = "(none of these)"  # what may be said where no label of the list fits: no agreement
SETTLED = ("file", "second", "both")


def kind_of(dataset: DatasetRow) -> str:
    """Whether the second person labels rows or judges their answers."""
    return "label" if dataset.report.labels else "reference"


@dataclass(frozen=True, slots=True)
class Offered:
    """What a second person could label. rows: ids; against: why there are none. same_person: because whoever asks is no
    second person for sure."""

    kind: str
    rows: tuple[int, ...]
    against: str = ""
    same_person: bool = False


def offered(session: Session, dataset: DatasetRow, me: UserRow) -> Offered:
    """A random sample of `ENOUGH` rows that nobody labelled a second time yet. Drawn by the seed of the split, so that
    nobody chooses which."""
    kind = kind_of(dataset)
    current = dataset_store.current(session, dataset.assessment_id)
    if dataset.state != "ready" or current is None or current.id != dataset.id:
        return Offered(kind, (), "Only the version that counts is labelled again.")
    if not accounts.independent(session, me.id, dataset.uploaded_by):
        return Offered(
            kind,
            (),
            "You uploaded this file and have seen its answers. Somebody else has to do this."
            if me.id == dataset.uploaded_by
            else "Whoever uploaded this file made or opened your account, or you theirs: that is no second person. "
            "Somebody whose account another administrator made has to do this.",
            same_person=True,
        )
    taken = {example_id for row in store.rounds(session, dataset.id) for example_id in row.rows}
    free = [example_id for example_id in store.candidates(session, dataset.id) if example_id not in taken]
    if not free:
        return Offered(kind, (), "Every row was offered to a second person already." if taken else "No row is used.")
    order = np.random.default_rng(dataset.seed + len(taken)).permutation(len(free))
    return Offered(kind, tuple(sorted(free[place] for place in order[:ENOUGH])))


def open_round(session: Session, dataset_id: int, user_id: int) -> LabelRoundRow | None:
    """The round that this person has begun and not ended."""
    return blind_rounds.open_round(store.rounds(session, dataset_id), user_id)


def begin(session: Session, dataset_id: int, *, by: UserRow) -> LabelRoundRow:
    """Begin a round; the one that this person has begun goes on.

    Raises:
        Conflict: there is nothing to label.
        Forbidden: this person is not a second one.
    """
    dataset = dataset_store.get(session, dataset_id)
    assessment_store.opened(session, dataset.assessment_id)
    if (already := open_round(session, dataset_id, by.id)) is not None:
        return already
    offer = offered(session, dataset, by)
    if not offer.rows:
        raise (Forbidden if offer.same_person else Conflict)(offer.against)
    row = LabelRoundRow(
        dataset_id=dataset_id, user_id=by.id, kind=offer.kind, rows=list(offer.rows), started_at=utcnow()
    )
    session.add(row)
    session.flush()
    _note(session, dataset, by, "labels.begin", {"rows": len(offer.rows), "kind": offer.kind}, changed=False)
    return row


def say(session: Session, round_id: int, example_id: int, label: str, *, by: UserRow) -> SecondLabelRow | None:
    """Keep one label; an empty one takes it back.

    Raises:
        Conflict: the round is done, or the row is not in it.
        Forbidden: it is somebody else's round.
        Invalid: the label is none of the list.
    """
    row, dataset = _mine(session, round_id, by)
    blind_rounds.refuse_done(row)
    if example_id not in row.rows:
        raise Conflict("This row is not in the round.")
    known = JUDGED if row.kind == "reference" else (*store.labels_of(session, dataset.id), NO_LABEL)
    if label and label not in known:
        raise Invalid("This cannot be stored.", [FieldError("#/label", "Choose one of the list.")])
    kept = next((one for one in store.words_of(session, [round_id]) if one.example_id == example_id), None)

    def new(at: datetime) -> SecondLabelRow:
        return SecondLabelRow(round_id=round_id, example_id=example_id, label=label, at=at)

    return blind_rounds.put(session, kept, label, new)


def end(session: Session, round_id: int, *, by: UserRow) -> LabelRoundRow:
    """End a round: from here on nothing said in it changes. It counts if every row of it was labelled: whoever leaves
    out what is hard agrees on what is left.

    Raises:
        Forbidden: it is somebody else's round.
    """
    row, dataset = _mine(session, round_id, by)
    if row.done_at is None:
        row.done_at = utcnow()
        session.flush()
        number = len(store.words_of(session, [round_id]))
        _note(session, dataset, by, "labels.end", {"rows": number, "kind": row.kind})
    return row


def settle(session: Session, label_id: int, settled: str, *, by: UserRow) -> SecondLabelRow:
    """Say which of two different labels holds: the file's, the second person's, or both.

    Raises:
        Conflict: the round is not done, or the two do not differ.
        Invalid: it is none of the three.
    """
    kept = store.second_label(session, label_id)
    row = store.get(session, kept.round_id)
    dataset = dataset_store.get(session, row.dataset_id)
    assessment_store.opened(session, dataset.assessment_id)
    if settled not in SETTLED:
        raise Invalid("This cannot be stored.", [FieldError("#/settled", f"Use one of: {', '.join(SETTLED)}.")])
    if row.done_at is None:
        raise Conflict("The round is not done yet.")
    if not _differs(row.kind, store.targets(session, [kept.example_id])[kept.example_id], kept.label):
        raise Conflict("Only what differs can be settled.")
    kept.settled, kept.settled_by, kept.settled_at = settled, by.id, utcnow()
    session.flush()
    _note(session, dataset, by, "labels.settle", {"row": kept.example_id, "to": settled}, changed=False)
    return kept


# ------------------------------------------------------------------ what it comes to


@dataclass(frozen=True, slots=True)
class Difference:
    """One row on which the file and the second person differ: a candidate for repair. by: the second person's id."""

    kept: SecondLabelRow
    target: str
    by: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What rounds that are done and whole came to. pairs: the file's label and the second person's. judged, wrong:
    references that were looked at, and those of them that are wrong."""

    pairs: tuple[tuple[str, str], ...]
    judged: int
    wrong: int
    differences: tuple[Difference, ...]

    @property
    def agreement(self) -> Agreement:
        return agreement(self.pairs)


def compared(session: Session, dataset_id: int) -> Compared:
    """Everything that second persons said of a version of the data."""
    over = {row.id: row for row in store.rounds(session, dataset_id) if row.done_at is not None}
    every = store.words_of(session, over) if over else []
    given = Counter(one.round_id for one in every)
    done = {row.id: row for row in over.values() if given[row.id] == len(row.rows)}
    counted = [one for one in every if one.round_id in done]
    targets = store.targets(session, {one.example_id for one in counted}) if counted else {}
    pairs: list[tuple[str, str]] = []
    judged = wrong = 0
    differences: list[Difference] = []
    for one in counted:
        row, target = done[one.round_id], targets[one.example_id].strip()
        if row.kind == "label":
            pairs.append((target, one.label))
        else:
            judged += 1
            wrong += one.label == "wrong"
        if _differs(row.kind, target, one.label):
            differences.append(Difference(one, target, row.user_id))
    return Compared(tuple(pairs), judged, wrong, tuple(differences))


def read_ahead(session: Session, assessment_ids: Sequence[int]) -> None:
    """Read what `measured` looks at for many assessments, whose versions were read already, in one query."""
    versions = (dataset_store.current(session, assessment_id) for assessment_id in assessment_ids)
    store.read_ahead(session, [version.id for version in versions if version is not None])


def measured(session: Session, dataset: DatasetRow | None) -> Evidence:
    """What the gates may know of it: nothing before `ENOUGH` rows. dataset: the version that counts."""
    if dataset is None or not store.rounds(session, dataset.id):
        return Evidence()
    second = compared(session, dataset.id)
    agreed = second.agreement
    enough, judged = agreed.rows >= ENOUGH and agreed.kappa is not None, second.judged >= ENOUGH
    return Evidence(
        agreement_kappa=round(agreed.kappa, 4) if enough and agreed.kappa is not None else None,
        agreement_rows=agreed.rows if enough else None,
        references_judged=second.judged if judged else None,
        references_wrong=second.wrong if judged else None,
    )


def _differs(kind: str, target: str, label: str) -> bool:
    return label == "wrong" if kind == "reference" else target.strip() != label


def _mine(session: Session, round_id: int, by: UserRow) -> tuple[LabelRoundRow, DatasetRow]:
    row = store.get(session, round_id)
    dataset = dataset_store.get(session, row.dataset_id)
    assessment_store.opened(session, dataset.assessment_id)
    return blind_rounds.own(row, by), dataset


def _note(
    session: Session,
    dataset: DatasetRow,
    by: UserRow,
    act: str,
    detail: dict[str, object],
    *,
    changed: bool = True,
) -> None:
    """Whoever labels had a hand in it."""
    assessment = assessment_store.get(session, dataset.assessment_id)
    assessments.contribute(session, assessment, by, "labels", changed=changed)
    audit.record(session, by, act, "dataset", dataset.id, {"assessment": dataset.assessment_id, **detail})


def by_row(words: Sequence[SecondLabelRow]) -> dict[int, str]:
    """The second person's words by the id of the row."""
    return {one.example_id: one.label for one in words}
