"""What the page and the API of trying share: from a question to both answers, without a transaction held meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from app.baselines import word_marks
from app.baselines.word_marks import Run
from app.db import reading
from app.errors import Conflict
from app.inference.generator import Unusable
from app.serving.deps import Serving
from app.trying import asking, service
from app.trying.asking import Reply, Tries
from app.trying.service import Trial
from app.web.context import AppContext


@dataclass(frozen=True, slots=True)
class Side:
    """An answer as it may be read. runs: its text in stretches, those marked that the other one lacks."""

    reply: Reply
    runs: Sequence[Run]


@dataclass(frozen=True, slots=True)
class Answers:
    """Both. same: whether they are the same text; None where one of the two is an error. computed_on: the device."""

    base: Side
    adapter: Side
    same: bool | None
    computed_on: str


def install(app: FastAPI) -> None:
    """Give an app the list of who tries something."""
    app.state.tries = Tries()


async def ask(
    request: Request, app: AppContext, serving: Serving, person: int, training_id: int, text: str
) -> tuple[Trial, Answers | None]:
    """Both answers to one question; None when nobody waits for them any more.

    Raises:
        Invalid: the question is empty or too long.
        Conflict: the adapter can't be tried now; the sentence says why.
        TooMany: too much is under way.
    """
    turn = service.question(text)

    def look() -> Trial:
        with reading(app.engine) as session:
            return service.trial(session, app.settings, app.blobs, training_id)

    trial = await run_in_threadpool(look)
    if trial.base is None or trial.adapter is None or trial.weights is None:
        raise Conflict(trial.against)
    sides = (trial.base, trial.adapter)
    with cast("Tries", request.app.state.tries).one(person):
        try:
            prompts = await run_in_threadpool(asking.prompts_of, serving.prompting, sides, turn)
            pairs = list(zip(sides, prompts, strict=True))
            said = await asking.both(serving.server, person, trial.weights, pairs, request.is_disconnected)
        except Unusable as error:
            raise Conflict(str(error)) from error
    return trial, None if said is None else _answers(trial, said, serving.server.computed_on)


def _answers(trial: Trial, said: Sequence[Reply], computed_on: str) -> Answers:
    """With what nobody has decided on hidden, as on every page of a measurement: a prompt may hold training rows."""
    base, adapter = (
        replace(
            each,
            text=trial.hide.text(each.text),
            error=trial.hide.text(each.error),
            messages=tuple(replace(turn, content=trial.hide.text(turn.content)) for turn in each.messages),
        )
        for each in said
    )
    marks = word_marks.marked("", *(None if each.error else each.text for each in (base, adapter)))
    same = None if base.error or adapter.error else base.text.strip() == adapter.text.strip()
    return Answers(Side(base, marks.first), Side(adapter, marks.second), same, computed_on)
