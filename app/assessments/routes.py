"""Pages: the list, beginning an assessment, and the questionnaire, one address a section.

The same form and address serve with and without JavaScript. A browser without it gets redirects and whole pages; htmx,
which sends the form after each pause in typing, gets small pieces for places outside the form's fields, so that nothing
a person is typing in is ever replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel

from app.advice import explanation
from app.advice.evidence import Evidence
from app.advice.questions import ASKED, SECTIONS, Question, Section
from app.advice.questions import section as find_section
from app.advice.schema import AnswersByKey
from app.advice.starting_points import STARTING_POINTS
from app.advice.verdict import Advice
from app.assessments import service, store, typed
from app.assessments.sentences import MEASURED
from app.assessments.service import Clash, Details, Page
from app.assessments.tables import AssessmentRow
from app.errors import Invalid, NotFound
from app.users.deps import Me
from app.web.context import AppContext
from app.web.deps import App, Db, KeptDb
from app.web.forms import by_field
from app.web.kept_pages import fresh_word
from app.web.pages import page, see, url_if_any, wants_fragment
from app.web.params import Form as SentForm
from app.web.params import Id, OneLine, Slug, Text
from app.wording import Statement, state

router = APIRouter(include_in_schema=False)

# ------------------------------------------------------------------ beginning, naming, putting away


class Naming(BaseModel):
    """Lengths are judged by the service, so that the answer stands beside the field.

    `about` is the note: every page has a place of that name for notices already.
    """

    title: OneLine = ""
    team: OneLine = ""
    about: Text = ""
    starting_point: OneLine = ""

    def details(self) -> Details:
        return Details(self.title, self.team, self.about)

    @staticmethod
    def faults(refusal: Invalid) -> dict[str, str]:
        return {"about" if name == "note" else name: text for name, text in by_field(refusal).items()}


@router.get("/assessments/new", name="new_assessment")
def show_new(request: Request, db: Db, me: Me, start: Annotated[OneLine, Query(max_length=40)] = "") -> Response:
    return _new(request, Naming(starting_point=start), {}, "", 200)


def _new(request: Request, naming: Naming, errors: dict[str, str], detail: str, status: int) -> Response:
    return page(
        request,
        "assessments/new.html",
        status=status,
        given=naming,
        points=STARTING_POINTS,
        errors=errors,
        detail=detail,
    )


@router.post("/assessments", name="create_assessment")
def create(request: Request, db: Db, me: Me, data: Annotated[Naming, Form()]) -> Response:
    try:
        row = service.create(db, data.details(), me, starting_point=data.starting_point)
    except Invalid as refusal:
        return _new(request, data, Naming.faults(refusal), refusal.detail, 422)
    notice = "begun" if data.starting_point else ""
    section, question = typed.missing(row.answers)[0]
    anchor = question.key if data.starting_point else ""
    return see(request, "section", assessment_id=row.id, section=section.slug, notice=notice, anchor=anchor)


@router.get("/assessments/{assessment_id}/describe", name="describe")
def show_overview(request: Request, assessment_id: Id, app: App, db: KeptDb, me: Me) -> Response:
    row = store.get(db, assessment_id)
    measured = app.evidence(db, row) or Evidence()
    return page(
        request,
        "assessments/overview.html",
        assessment=row,
        step="describe",
        groups=_groups(row, _informed(measured)),
        missing=typed.missing(row.answers),
        target_changes=measured.target_changes or 0,
    )


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """One answer among all. answer: in words, empty where there is none; measured: what counts in its place."""

    question: Question
    answer: str
    fault: str
    optional: bool
    assumed: bool
    measured: str


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """A section with its answers, and how many of them are there."""

    section: Section
    answered: int
    asked: int
    lines: Sequence[AnswerLine]


def _groups(row: AssessmentRow, informed: Mapping[str, str]) -> list[AnswerGroup]:
    faults = typed.faults(row.answers, ASKED.values())

    def line(question: Question) -> AnswerLine:
        answer = typed.answer_text(question, row.answers) if question.key in row.answers else ""
        return AnswerLine(
            question,
            answer,
            faults.get(question.key, ""),
            question.key in typed.OPTIONAL,
            question.key in row.assumed,
            informed.get(question.key, ""),
        )

    return [
        AnswerGroup(section, answered, asked, [line(question) for question in section.asked])
        for section, answered, asked in service.sections(row)
    ]


@router.get("/assessments/{assessment_id}/details", name="name_assessment")
def show_details(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    row = store.get(db, assessment_id)
    return _details(request, row, Naming(title=row.title, team=row.team, about=row.note), {}, "", 200)


def _details(
    request: Request, row: AssessmentRow, naming: Naming, errors: dict[str, str], detail: str, status: int
) -> Response:
    return page(
        request,
        "assessments/details.html",
        status=status,
        assessment=row,
        step="",
        given=naming,
        errors=errors,
        detail=detail,
    )


@router.post("/assessments/{assessment_id}/details", name="rename_assessment")
def rename(request: Request, assessment_id: Id, db: Db, me: Me, data: Annotated[Naming, Form()]) -> Response:
    try:
        service.rename(db, assessment_id, data.details(), me)
    except Invalid as refusal:
        return _details(request, store.get(db, assessment_id), data, Naming.faults(refusal), refusal.detail, 422)
    return _see_it(request, assessment_id, "saved")


def _see_it(request: Request, assessment_id: int, notice: str = "") -> Response:
    """Back to the overview, which is a concept above; an app put together without it has the questionnaire."""
    name = "assessment" if url_if_any(request, "assessment", assessment_id=assessment_id) else "describe"
    return see(request, name, assessment_id=assessment_id, notice=notice)


@router.post("/assessments/{assessment_id}/copy", name="copy_assessment")
def copy(request: Request, assessment_id: Id, app: App, db: Db, me: Me) -> Response:
    row = service.copy(db, assessment_id, me)
    app.on_copy(db, assessment_id, row, me)
    return see(request, "describe", assessment_id=row.id, notice="created")


@router.post("/assessments/{assessment_id}/archive", name="archive_assessment")
def archive(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    service.archive(db, assessment_id, me)
    return see(request, "home", notice="archived")


@router.post("/assessments/{assessment_id}/restore", name="restore_assessment")
def restore(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    service.restore(db, assessment_id, me)
    return _see_it(request, assessment_id, "restored")


# ------------------------------------------------------------------ the questionnaire


@router.get("/assessments/{assessment_id}/describe/{section}", name="section")
def show_section(request: Request, assessment_id: Id, section: Slug, app: App, db: KeptDb, me: Me) -> Response:
    row = store.get(db, assessment_id)
    questions = _section(section)
    wrong = typed.faults(row.answers, questions.asked)
    return _section_page(request, app, db, row, questions, values=row.answers, errors=wrong)


@router.post("/assessments/{assessment_id}/describe/{section}", name="save_section")
def save_section(
    request: Request, assessment_id: Id, section: Slug, sent: SentForm, app: App, db: Db, me: Me
) -> Response:
    """Keep the answers as typed: by htmx after each pause, or by a button that also says where to go."""
    questions, draft = _section(section), wants_fragment(request)
    row = store.get(db, assessment_id)
    measured = app.evidence(db, row) or Evidence()
    touched = str(sent.get("touched", "")) if draft else ""
    answers = typed.read_section(questions, sent, row.answers, touched)
    source = Page(_whole(sent.get("version")), str(sent.get("tab", ""))[:40], draft)
    results = measured.baseline is not None or row.result_seen_at is not None
    try:
        row = service.save_section(db, assessment_id, questions, answers, source, me, has_results=results)
    except Clash as clash:
        return _clash(request, app, db, clash, questions, draft)
    if draft:
        advice = service.advise(row, measured, service.policy_of(db, row))
        return _pieces(request, row, questions, answers, advice, touched, results)
    wrong = typed.faults({**row.answers, **answers}, questions.asked)
    if sent.get("go") == "target":  # a page of the costs above, which gives a number for this very question
        return see(request, "target_help", assessment_id=assessment_id)
    if wrong and sent.get("go") != "back":
        return _section_page(request, app, db, row, questions, values=row.answers, errors=wrong, status=422)
    slug = _neighbour(questions, str(sent.get("go", "")))
    if slug is None:
        return see(request, "describe", assessment_id=assessment_id)
    return see(request, "section", assessment_id=assessment_id, section=slug)


def _section(slug: str) -> Section:
    section = find_section(slug)
    if section is None:
        raise NotFound("The questionnaire has no such section.")
    return section


def _whole(value: object) -> int:
    """The version in a form; one that is no number is an old one, which costs nothing but a look."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _neighbour(section: Section, go: str) -> str | None:
    """Where a button leads: a section, or None for the overview."""
    at = SECTIONS.index(section)
    if go == "stay":
        return section.slug
    target = at - 1 if go == "back" else at + 1
    return SECTIONS[target].slug if 0 <= target < len(SECTIONS) else None


def _section_page(
    request: Request,
    app: AppContext,
    db: Db,
    row: AssessmentRow,
    section: Section,
    *,
    values: AnswersByKey,
    errors: dict[str, str],
    status: int = 200,
    theirs: list[dict[str, str]] | None = None,
) -> Response:
    measured = app.evidence(db, row) or Evidence()
    advice = service.advise(row, measured, service.policy_of(db, row))
    at = SECTIONS.index(section)
    return page(
        request,
        "assessments/section.html",
        status=status,
        assessment=row,
        step="describe",
        section=section,
        number=at + 1,
        sections=service.sections(row),
        values=values,
        errors=errors,
        show_summary=status == 422,
        theirs=theirs or [],
        tab=fresh_word(request),
        first=at == 0,
        last=at == len(SECTIONS) - 1,
        advice=advice,
        said=explanation.sentence(advice),
        has_results=measured.baseline is not None or row.result_seen_at is not None,
        target_changes=measured.target_changes or 0,
        informed=_informed(measured),
    )


def _informed(measured: Evidence) -> dict[str, str]:
    """What was measured, in words, for the questions that measurements answer or replace."""
    facts: dict[str, Statement] = {}
    if measured.usable_examples is not None:
        facts["examples_declared"] = state("usable", usable=measured.usable_examples)
    if measured.failure_causes:
        facts["failure_causes"] = state("causes", causes=measured.failure_causes)
    if measured.winning_prompt_tokens is not None:
        facts["winning_prompt_tokens"] = state("tokens", tokens=measured.winning_prompt_tokens)
    if measured.cost_case in ("pass", "fail"):
        facts["cost_case"] = state(f"cost_{measured.cost_case}", basis=measured.cost_basis or "")
    if (baseline := measured.baseline) and baseline.total:
        facts["prompting_tried"] = state("passed", passed=baseline.passed, total=baseline.total)
    elif baseline and baseline.score is not None:
        facts["prompting_tried"] = state("score", score=baseline.score)
    if measured.test_rows is not None:
        facts["holdout"] = state("test_rows", rows=measured.test_rows)
    return {key: MEASURED(fact) for key, fact in facts.items()}


def _pieces(
    request: Request,
    row: AssessmentRow,
    section: Section,
    answers: AnswersByKey,
    advice: Advice,
    touched: str,
    has_results: bool,
) -> Response:
    """What an autosave gives back: the advice, the state of saving, and what is wrong with the field touched last."""
    key = touched.removesuffix("-option")
    question = ASKED.get(key) if key in {other.key for other in section.asked} else None
    held = has_results and key in service.MEASURED_AGAINST and answers.get(key) != row.answers.get(key)
    return page(
        request,
        "assessments/_saved.html",
        assessment=row,
        section=section,
        sections=service.sections(row),
        advice=advice,
        said=explanation.sentence(advice),
        question=question,
        option_touched=touched.endswith("-option"),
        error=typed.fault(question, {**row.answers, **answers}) if question else "",
        held=held,
        values=row.answers,
    )


def _clash(request: Request, app: AppContext, db: Db, clash: Clash, section: Section, draft: bool) -> Response:
    """Somebody else was quicker: show what both wrote, keep this person's in the form, and let them decide."""
    row = clash.theirs
    if draft:
        return page(request, "assessments/_clash.html", status=409, detail=clash.detail)
    values = {key: value for key, value in row.answers.items() if key not in {other.key for other in section.asked}}
    values |= clash.mine
    return _section_page(
        request,
        app,
        db,
        row,
        section,
        values=values,
        errors=typed.faults(values, section.asked),
        status=409,
        theirs=[
            {
                "key": question.key,
                "label": question.label,
                "theirs": typed.answer_text(question, row.answers),
                "mine": typed.answer_text(question, clash.mine),
            }
            for question in section.asked
            if row.answers.get(question.key, ...) != clash.mine.get(question.key, ...)
        ],
    )
