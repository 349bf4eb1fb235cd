"""The page on which an adapter is tried by hand, beside the best prompt on its base model."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from app.db import reading
from app.errors import Conflict, Invalid
from app.serving.deps import InUse
from app.trying import deps, service
from app.trying.deps import Answers
from app.trying.service import Example, Trial
from app.users.deps import Me
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page
from app.web.params import LARGEST, Id, Text
from app.web.refusals import TooMany

router = APIRouter(include_in_schema=False)

Row = Annotated[int | None, Query(ge=1, le=LARGEST)]


@router.get("/trainings/{training_id}/try", name="try_adapter")
def show_try(request: Request, training_id: Id, app: App, db: Db, me: Me, row: Row = None) -> Response:
    trial = service.trial(db, app.settings, app.blobs, training_id)
    begun = next((example for example in trial.examples if example.id == row), None)
    return _page(request, trial, begun.question if begun else "")


@router.post("/trainings/{training_id}/try", name="ask_adapter")
async def ask_adapter(
    request: Request, training_id: Id, app: App, me: Me, serving: InUse, question: Annotated[Text, Form()] = ""
) -> Response:
    """Answered in the same request, so that it works without a script, and nothing has to be kept."""
    try:
        trial, answers = await deps.ask(request, app, serving, me.id, training_id, question)
    except (Invalid, Conflict, TooMany) as refusal:
        return await run_in_threadpool(_again, request, app, training_id, question, refusal)
    return await run_in_threadpool(_page, request, trial, question, answers=answers)


def _again(
    request: Request, app: AppContext, training_id: int, question: str, refusal: Invalid | Conflict | TooMany
) -> Response:
    """The form as it was, with what is in the way."""
    with reading(app.engine) as session:
        trial = service.trial(session, app.settings, app.blobs, training_id)
    status = 422 if isinstance(refusal, Invalid) else 429 if isinstance(refusal, TooMany) else 409
    return _page(request, trial, question, status=status, refusal=refusal)


def _page(
    request: Request,
    trial: Trial,
    question: str,
    *,
    answers: Answers | None = None,
    status: int = 200,
    refusal: Invalid | Conflict | TooMany | None = None,
) -> Response:
    errors = by_field(refusal) if isinstance(refusal, Invalid) else {}
    return page(
        request,
        "trying/try.html",
        status=status,
        trial=trial,
        question=question,
        answers=answers,
        expected=_expected(trial.examples, question) if answers else None,
        errors=errors,
        detail=refusal.detail if refusal else "",
        longest=service.LONGEST,
    )


def _expected(examples: Sequence[Example], question: str) -> Example | None:
    """The dev row that was asked, if it was one: its expected answer is worth reading beside the others."""
    typed = question.replace("\r\n", "\n").strip()
    return next((example for example in examples if example.question.strip() == typed), None)
