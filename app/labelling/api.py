"""The REST side of a second person's labels."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.datasets import store as dataset_store
from app.errors import Conflict
from app.json_types import JsonDict
from app.labelling import service, store, views
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.params import Id, Number, OneLine
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["data"], responses=REFUSALS)


class RowToLabel(BaseModel):
    """One row of a round. `target` is null where it is what has to be guessed. `label`: what you said; null for nothing
    yet."""

    example_id: int
    line: int
    messages: list[JsonDict]
    target: str | None
    label: str | None


class LabelRound(BaseModel):
    """A sample of rows for a second person.

    `kind`: `label` where the answers are labels, which are hidden until the round is done; `reference` where they are
    not: then say of each `target` whether it is `right` or `wrong`. `labels`: what may be said. A round counts once it
    has ended with every row said.
    """

    id: int
    object: str = "label_round"
    dataset_id: int
    kind: Literal["label", "reference"]
    labels: list[str]
    rows: list[RowToLabel]
    started_at: datetime
    done_at: datetime | None


class SaidLabel(BaseModel):
    """What is said of one row; an empty label takes it back."""

    model_config = ConfigDict(extra="forbid")

    example_id: Number
    label: OneLine


class SaidLabels(BaseModel):
    model_config = ConfigDict(extra="forbid")

    labels: list[SaidLabel] = Field(max_length=1000)


class LabelDifference(BaseModel):
    """One row on which the file and the second person differ: a candidate for repair."""

    id: int
    example_id: int
    line: int
    target: str
    label: str
    by: str
    settled: Literal["file", "second", "both"] | None
    settled_by: str | None


class LabelAgreement(BaseModel):
    """How far the file's labels and second persons' agree (gate G8), and how many references are wrong.

    `kappa`: Cohen's, with its 95 % interval; null without rows, or where only one label was ever used. `counts`:
    whether there are enough rows for the criterion.
    """

    object: str = "label_agreement"
    dataset_id: int
    rows: int
    agreed: int
    share: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    judged: int
    wrong: int
    wrong_low: float | None
    wrong_high: float | None
    counts: bool
    enough: int = service.ENOUGH
    differences: list[LabelDifference]


class SettledLabel(BaseModel):
    """Which of two different labels holds: the file's, the second person's, or both."""

    model_config = ConfigDict(extra="forbid")

    settled: Annotated[Literal["file", "second", "both"], Field()]


@router.post("/datasets/{dataset_id}/label-rounds", name="api_begin_label_round", status_code=201)
def begin_label_round(dataset_id: Id, db: Db, me: Author) -> LabelRound:
    """Begin to label as second person, or go on with the round that one has begun."""
    return _round(db, service.begin(db, dataset_id, by=me).id)


@router.put("/label-rounds/{round_id}/labels", name="api_say_labels")
def say_labels(round_id: Id, body: SaidLabels, db: Db, me: Author) -> LabelRound:
    """Say the labels of rows; may be done in parts."""
    for one in body.labels:
        service.say(db, round_id, one.example_id, one.label, by=me)
    return _round(db, round_id)


@router.post("/label-rounds/{round_id}/end", name="api_end_label_round")
def end_label_round(round_id: Id, db: Db, me: Author) -> LabelAgreement:
    """End a round; what was said in it stays. The answer is the agreement over all rounds of this version."""
    return _agreement(db, service.end(db, round_id, by=me).dataset_id)


@router.get("/datasets/{dataset_id}/label-agreement", name="api_label_agreement")
def show_label_agreement(dataset_id: Id, db: Db, me: Me) -> LabelAgreement:
    """Agreement, and where the two differ. Who is labelling gets no differences."""
    agreed = _agreement(db, dataset_id)
    if service.open_round(db, dataset_id, me.id) is not None:
        agreed.differences = []
    return agreed


@router.put("/second-labels/{label_id}/settled", name="api_settle_label")
def settle_label(label_id: Id, body: SettledLabel, db: Db, me: Author) -> LabelAgreement:
    """Say which of two different labels holds. It names a row to repair; agreement stays what it was."""
    kept = service.settle(db, label_id, body.settled, by=me)
    return _agreement(db, store.get(db, kept.round_id).dataset_id)


def _round(session: Db, round_id: int) -> LabelRound:
    row = store.get(session, round_id)
    if row.kind not in ("label", "reference"):
        raise Conflict("This round is of a kind that this version of the app does not know.")
    dataset = dataset_store.get(session, row.dataset_id)
    hides = row.kind == "label"
    return LabelRound(
        id=row.id,
        dataset_id=dataset.id,
        kind="label" if hides else "reference",
        labels=[*store.labels_of(session, dataset.id), service.NO_LABEL] if hides else list(service.JUDGED),
        rows=[
            RowToLabel(
                example_id=one.row.id,
                line=one.row.line,
                messages=one.row.messages,
                target=None if hides else one.row.target,
                label=one.label or None,
            )
            for one in views.rows_of(session, dataset, row)
        ],
        started_at=row.started_at,
        done_at=row.done_at,
    )


def _agreement(session: Db, dataset_id: int) -> LabelAgreement:
    result = views.result(session, dataset_store.get(session, dataset_id))
    agreed, interval = result.agreement, result.interval
    return LabelAgreement(
        dataset_id=dataset_id,
        rows=agreed.rows,
        agreed=agreed.same,
        share=agreed.share if agreed.rows else None,
        kappa=agreed.kappa,
        kappa_low=interval.low if interval else None,
        kappa_high=interval.high if interval else None,
        judged=result.judged,
        wrong=result.wrong,
        wrong_low=result.wrong_interval.low if result.wrong_interval else None,
        wrong_high=result.wrong_interval.high if result.wrong_interval else None,
        counts=max(agreed.rows, result.judged) >= service.ENOUGH,
        differences=[
            LabelDifference.model_validate(
                {
                    "id": one.id,
                    "example_id": one.row.id,
                    "line": one.row.line,
                    "target": one.target,
                    "label": one.label,
                    "by": one.by,
                    "settled": one.settled or None,
                    "settled_by": one.settled_by or None,
                }
            )
            for one in result.differences
        ],
    )
