"""The REST side of the output constraint."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.assessments import store as assessment_store
from app.constraints import service, store
from app.constraints.fit import Fit
from app.constraints.inferring import Choices
from app.constraints.tables import ConstraintRow
from app.inference.constraints import LONGEST
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.params import Id, OneLine, Text
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["measuring"], responses=REFUSALS)

Kind = Literal["json_schema", "regex", "labels"]
Path = Annotated[OneLine, Field(max_length=500)]


class NewConstraint(BaseModel):
    """What an answer may look like. `text`: the JSON schema, the regular expression (RE2; all of the answer has to
    match), or the labels, one a line."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    text: Text = Field(max_length=LONGEST)


class Inference(BaseModel):
    """What a person decides about the fields of a schema, by their paths (`slots/artist`); null leaves it as proposed.

    `required`: keys that have to be there. `closed`: keys with a closed list of values.
    """

    model_config = ConfigDict(extra="forbid")

    required: list[Path] | None = Field(default=None, max_length=5000)
    closed: list[Path] | None = Field(default=None, max_length=5000)


class Allowed(BaseModel):
    """Expected answers of a split: how many are allowed, and how many there are."""

    allowed: int
    of: int


class ForbiddenAnswer(BaseModel):
    """An expected answer that is not allowed; values that nobody decided on are hidden."""

    split: str
    line: int
    answer: str
    why: str


class OutputConstraint(BaseModel):
    """One version. `fit`: expected answers of training and dev set that it allows. `removed_at`: out of use since."""

    id: int
    object: str = "constraint"
    assessment_id: int
    version: int
    kind: str
    text: str
    sha256: str
    dataset_id: int
    fit: dict[str, Allowed]
    created_by: int
    created_at: datetime
    removed_at: datetime | None

    @staticmethod
    def of(row: ConstraintRow) -> "OutputConstraint":
        return OutputConstraint(
            id=row.id,
            assessment_id=row.assessment_id,
            version=row.version,
            kind=row.kind,
            text=row.text,
            sha256=row.sha256,
            dataset_id=row.dataset_id,
            fit=_counts(row.fit),
            created_by=row.created_by,
            created_at=row.created_at,
            removed_at=row.removed_at,
        )


class OutputConstraints(BaseModel):
    """All versions, the newest first. `current`: the version in use, null where there is none."""

    data: list[OutputConstraint]
    has_more: bool = False
    current: int | None


class Checked(BaseModel):
    """A constraint in its one form, and the expected answers that it allows. `against`: why it would not be kept.

    `reordered`: allowed answers whose keys stand in another order than the schema's, in which answers are written.
    """

    kind: str
    text: str
    sha256: str
    fit: dict[str, Allowed]
    forbidden: list[ForbiddenAnswer]
    reordered: int
    against: str


class SchemaField(BaseModel):
    """One field of the training answers. `share`: of the objects that could have it. `closed`: it has a closed list."""

    path: str
    kinds: str
    share: float
    required: bool
    values: int
    listable: bool
    closed: bool


class Proposed(BaseModel):
    """What was inferred from the training answers, to be looked at before it is set."""

    kind: str
    text: str
    basis: str
    fields: list[SchemaField]


def _counts(fit: Fit) -> Mapping[str, Allowed]:
    return {split: Allowed(allowed=allowed, of=of) for split, (allowed, of) in fit.counts.items()}


@router.get("/assessments/{assessment_id}/constraint")
def list_constraints(assessment_id: Id, db: Db, me: Me) -> OutputConstraints:
    """The output constraint with all its versions."""
    assessment_store.get(db, assessment_id)
    current = store.current(db, assessment_id)
    return OutputConstraints(
        data=[OutputConstraint.of(row) for row in store.versions(db, assessment_id)],
        current=current.version if current else None,
    )


@router.put("/assessments/{assessment_id}/constraint", status_code=201)
def set_constraint(assessment_id: Id, db: Db, me: Author, data: NewConstraint) -> OutputConstraint:
    """Set it, as the next version. Refused where it forbids more than 5 % of the expected answers of a split."""
    return OutputConstraint.of(service.save(db, assessment_id, data.kind, data.text, by=me))


@router.delete("/assessments/{assessment_id}/constraint", status_code=204)
def remove_constraint(assessment_id: Id, db: Db, me: Author) -> Response:
    """Take it out of use. What was measured with it keeps it."""
    service.remove(db, assessment_id, by=me)
    return Response(status_code=204)


@router.post("/assessments/{assessment_id}/constraint/check")
def check_constraint(assessment_id: Id, db: Db, me: Author, data: NewConstraint) -> Checked:
    """Say which expected answers a constraint allows; stores nothing."""
    seen = service.preview(db, assessment_id, data.kind, data.text)
    forbidden = [
        ForbiddenAnswer(split=row.split, line=row.line, answer=row.answer, why=row.why) for row in seen.fit.forbidden
    ]
    return Checked(
        kind=seen.constraint.kind,
        text=seen.constraint.text,
        sha256=seen.constraint.sha256,
        fit=_counts(seen.fit),
        forbidden=forbidden,
        reordered=seen.fit.reordered,
        against=seen.against,
    )


@router.post("/assessments/{assessment_id}/constraint/infer")
def infer_constraint(assessment_id: Id, db: Db, me: Author, data: Inference) -> Proposed:
    """Infer one from the answers of the training rows; stores nothing."""
    sets = {
        name: frozenset(chosen) if (chosen := getattr(data, name)) is not None else None
        for name in ("required", "closed")
    }
    proposal = service.infer(db, assessment_id, Choices(**sets))
    fields = [
        SchemaField(
            path=one.path,
            kinds=one.kinds,
            share=one.share,
            required=one.required,
            values=one.values,
            listable=one.listable,
            closed=one.closed,
        )
        for one in proposal.fields
    ]
    return Proposed(kind=proposal.kind, text=proposal.text, basis=proposal.basis, fields=fields)
