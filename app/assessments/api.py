"""The REST side: assessments with their answers, and advice for any case file without storing anything."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.advice import case, questions, starting_points, verdict
from app.advice.schema import Answer, AnswersByKey
from app.assessments import service, store
from app.assessments.advice_models import Advice, Case
from app.assessments.answer_models import Answers
from app.assessments.service import Details
from app.assessments.store import Wanted
from app.assessments.tables import AssessmentRow
from app.errors import Invalid, Stale
from app.json_types import JsonDict
from app.users.deps import Me
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.params import LARGEST, Id, OneLine, Text, UpTo100
from app.web.problems import REFUSALS, described
from app.web.protocols import Standing, State

router = APIRouter(prefix="/api/v1", responses=REFUSALS)

Note = Annotated[Text, Field(max_length=service.LONGEST_NOTE)]


class NewAssessment(BaseModel):
    """An assessment to begin."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[OneLine, Field(min_length=1, max_length=service.LONGEST_TITLE)]
    team: Annotated[OneLine, Field(max_length=service.LONGEST_TEAM)] = ""
    note: Note = ""
    answers: Answers = Answers()
    starting_point: Annotated[
        OneLine,
        Field(max_length=40, description="A slug of `/starting-points`: its answers stand in for those not given."),
    ] = ""


class AssessmentChange(BaseModel):
    """What to change; what is left out stays. Among the answers null takes one back; for `owner` it says nobody."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[OneLine | None, Field(min_length=1, max_length=service.LONGEST_TITLE)] = None
    team: Annotated[OneLine | None, Field(max_length=service.LONGEST_TEAM)] = None
    note: Note | None = None
    answers: Answers | None = None


class NextAction(BaseModel):
    """The one thing to do next. `url` is the path of a page."""

    model_config = ConfigDict(from_attributes=True)

    label: str
    url: str


class Status(BaseModel):
    """Where an assessment stands: the newest event decides.

    `best` is the best prompt's score on the test set, `target` what it should be: shares from 0 to 1.
    """

    model_config = ConfigDict(from_attributes=True)

    state: State
    label: str
    sentence: str
    why: str
    tone: Literal["pass", "fail", "open", "info", "soft"]
    action: NextAction
    best: float | None
    target: float | None


class Assessment(BaseModel):
    """One use case. `answers` are those that can be read; `answered` counts "I don't know" as an answer."""

    id: int
    object: str = "assessment"
    title: str
    team: str
    note: str
    answers: JsonDict
    answered: int
    asked: int
    version: int
    revision: int
    created_by: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    standing: Status

    @staticmethod
    def of(row: AssessmentRow, standing: Standing) -> "Assessment":
        answered, asked = service.progress(row)
        return Assessment(
            id=row.id,
            title=row.title,
            team=row.team,
            note=row.note,
            answers=service.answers(row),
            answered=answered,
            asked=asked,
            version=row.version,
            revision=row.revision,
            created_by=row.created_by,
            created_at=row.created_at,
            updated_at=row.updated_at,
            archived_at=row.archived_at,
            standing=Status.model_validate(standing),
        )


class Assessments(BaseModel):
    data: list[Assessment]
    has_more: bool


class StartingPoint(BaseModel):
    """A named situation with the answers that usually come with it."""

    slug: str
    title: str
    assumes: str
    answers: JsonDict


class StartingPoints(BaseModel):
    data: list[StartingPoint]
    has_more: bool = False


class Choice(BaseModel):
    """One answer to choose, and the words for it."""

    model_config = ConfigDict(from_attributes=True)

    value: str
    label: str
    help: str


class Question(BaseModel):
    """One question as the page asks it; `key` is its key among the answers.

    `kind`: `multi` and `single` choose, `count` is a whole number, `percent` is asked in percent and kept as a share
    from 0 to 1, `text` is a line of text, `info` is measured and not asked. `nobody`: the words for null, where that is
    an answer of its own. Every question takes `unknown`.
    """

    model_config = ConfigDict(from_attributes=True)

    factor: str
    key: str
    kind: Literal["multi", "single", "count", "percent", "text", "info"]
    label: str
    help: str
    term: str
    choices: list[Choice]
    unit: str
    nobody: str


class QuestionSection(BaseModel):
    """Questions that stand together."""

    model_config = ConfigDict(from_attributes=True)

    slug: str
    title: str
    intro: str
    questions: list[Question]


class Questionnaire(BaseModel):
    data: list[QuestionSection]
    has_more: bool = False


@router.get("/questions", tags=["assessments"])
def list_questions(me: Me) -> Questionnaire:
    """The questionnaire in its own words, section by section: what `answers` are answers to."""
    return Questionnaire(data=[QuestionSection.model_validate(section) for section in questions.SECTIONS])


@router.get("/starting-points", tags=["assessments"])
def list_starting_points(me: Me) -> StartingPoints:
    """Situations that an assessment can begin with (`starting_point`)."""
    return StartingPoints(
        data=[
            StartingPoint(
                slug=point.slug, title=point.title, assumes=point.assumes, answers=starting_points.usual_answers(point)
            )
            for point in starting_points.STARTING_POINTS
        ]
    )


@router.get("/assessments", tags=["assessments"])
def list_assessments(
    app: App,
    db: Db,
    me: Me,
    q: Annotated[OneLine, Query(max_length=100, description="Words in the title or the team.")] = "",
    archived: bool = False,
    state: Annotated[
        list[State],
        Query(max_length=len(get_args(State)), description="Only those in these states; `archived` is one of them."),
    ] = [],  # noqa: B006 - FastAPI reads it, nobody changes it
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="The last id of the page before.")] = None,
    limit: UpTo100 = 20,
) -> Assessments:
    """From the newest back."""
    if state:
        rows = app.in_states(db, state, q, before, limit + 1)
    else:
        rows = store.before(db, Wanted(q, archived=archived), before, limit + 1)
    app.read_ahead(db, rows[:limit])
    return Assessments(
        data=[Assessment.of(row, app.standing(db, row)) for row in rows[:limit]], has_more=len(rows) > limit
    )


@router.post("/assessments", tags=["assessments"], status_code=201)
def create_assessment(response: Response, app: App, db: Db, me: Me, data: NewAssessment) -> Assessment:
    """Begin an assessment, from nothing, from answers, or from a starting point."""
    answers = _sent(data.answers)
    _coherent(answers)
    details = Details(data.title, data.team, data.note)
    row = service.create(db, details, me, first_answers=answers, starting_point=data.starting_point)
    response.headers["Location"] = f"/api/v1/assessments/{row.id}"
    response.headers["ETag"] = _etag(row)
    return Assessment.of(row, app.standing(db, row))


@router.get("/assessments/{assessment_id}", tags=["assessments"])
def show_assessment(response: Response, assessment_id: Id, app: App, db: Db, me: Me) -> Assessment:
    """One assessment with its answers. The `ETag` is for `If-Match`."""
    row = store.get(db, assessment_id)
    response.headers["ETag"] = _etag(row)
    return Assessment.of(row, app.standing(db, row))


@router.patch(
    "/assessments/{assessment_id}",
    tags=["assessments"],
    responses=described(412, description="It was changed since; read it again (`If-Match`)."),
)
def change_assessment(
    response: Response,
    assessment_id: Id,
    app: App,
    db: Db,
    me: Me,
    data: AssessmentChange,
    if_match: Annotated[OneLine | None, Header(alias="If-Match", max_length=200)] = None,
) -> Assessment:
    """Change title, team, note or answers. With `If-Match` only what you have read is changed."""
    row = store.changing(db, assessment_id)
    if if_match is not None and if_match not in ("*", _etag(row)):
        raise Stale("The assessment was changed since you read it. Read it again, then change it.")
    named = {key: value for key in ("title", "team", "note") if (value := getattr(data, key)) is not None}
    if named:
        now = {"title": row.title, "team": row.team, "note": row.note}
        row = service.rename(db, assessment_id, Details(**(now | named)), me)
    if answers := _sent(data.answers):
        row = service.patch(db, assessment_id, answers, me, has_results=_has_results(app, db, row))
    response.headers["ETag"] = _etag(row)
    return Assessment.of(row, app.standing(db, row))


@router.post("/assessments/{assessment_id}/copy", tags=["assessments"], status_code=201)
def copy_assessment(response: Response, assessment_id: Id, app: App, db: Db, me: Me) -> Assessment:
    """The same answers and the same output constraint, and nothing measured."""
    row = service.copy(db, assessment_id, me)
    app.on_copy(db, assessment_id, row, me)
    response.headers["Location"] = f"/api/v1/assessments/{row.id}"
    response.headers["ETag"] = _etag(row)
    return Assessment.of(row, app.standing(db, row))


@router.post("/assessments/{assessment_id}/archive", tags=["assessments"])
def archive_assessment(assessment_id: Id, app: App, db: Db, me: Me) -> Assessment:
    """Take it off the list; it can't be changed while it is there."""
    row = service.archive(db, assessment_id, me)
    return Assessment.of(row, app.standing(db, row))


@router.post("/assessments/{assessment_id}/restore", tags=["assessments"])
def restore_assessment(assessment_id: Id, app: App, db: Db, me: Me) -> Assessment:
    """Take it out of the archive."""
    row = service.restore(db, assessment_id, me)
    return Assessment.of(row, app.standing(db, row))


@router.post("/advice", tags=["advice"], response_model_exclude_unset=True)
def advise(
    me: Me,
    data: Annotated[Case, Body()],
    more: Annotated[
        bool, Query(description="Also contradictions, disagreements, robustness, and what would do instead.")
    ] = False,
) -> Advice:
    """Advice for a case file: the same function as the pages and the command line. Nothing is stored."""
    try:
        advice = verdict.advise(case.parse({"answers": _sent(data.answers), "measured": data.measured or {}}))
    except case.NotACase as refusal:
        raise Invalid("This is not a case.", refusal.errors) from refusal
    return Advice.model_validate(advice.to_json() | ({"more": advice.more()} if more else {}))


def _sent(answers: BaseModel | None) -> dict[str, Answer]:
    return answers.model_dump(exclude_unset=True) if answers else {}


def _coherent(answers: AnswersByKey) -> None:
    """Refuse answers that contradict each other.

    Raises:
        Invalid: with every fault.
    """
    try:
        case.parse({"answers": dict(answers)})
    except case.NotACase as refusal:
        raise Invalid("Some answers can't be used.", refusal.errors) from refusal


def _etag(row: AssessmentRow) -> str:
    state = f"{row.id} {row.version} {row.revision} {row.updated_at.isoformat()} {row.archived_at}"
    return f'"{sha256(state.encode()).hexdigest()[:20]}"'


def _has_results(app: AppContext, db: Db, row: AssessmentRow) -> bool:
    measured = app.evidence(db, row)
    return measured is not None and measured.baseline is not None
