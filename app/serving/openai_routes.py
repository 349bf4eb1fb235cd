"""`/v1`: models of this machine for programs that speak OpenAI's protocol, harnesses above all.

Refusals here have OpenAI's shape (`web.openai_errors`). The description of the API leaves these addresses out: what
they take and answer is OpenAI's to describe.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import Engine
from starlette.types import Receive, Scope, Send

from app.baselines import prompts
from app.baselines.asking import Asked
from app.db import reading, utcnow, writing
from app.errors import FieldError, Invalid, NotFound
from app.inference import answer_text
from app.inference.constraints import Constraint
from app.inference.followed import Followed, Piece
from app.inference.generator import Answer, Unusable
from app.inference.generator import Request as Question
from app.serving import service
from app.serving.answering import Call, Event, Failure
from app.serving.deps import Asker, InUse, Serving
from app.serving.service import Target
from app.serving.tables import ServedCallRow
from app.serving.wire import ChatRequest, Completion, Visible, broken_off
from app.users.deps import Identified
from app.users.identity import Who
from app.web import openai_errors
from app.web.deps import App
from app.web.params import OneLine

log = logging.getLogger("tunegate.serving")

router = APIRouter(prefix="/v1", include_in_schema=False)

LARGEST_BODY = 2 * 1024 * 1024  # bytes
LOOK = 0.5  # seconds between two looks whether the other side is still there
HASH = "X-Tunegate-Prompt-SHA256"  # of the rendered prompt, as every answer of a measurement names its own
DEVICE = "X-Tunegate-Device"  # what the answer was computed on, as people call it
OVER_WINDOW = "the model reads"  # in the sentence about a prompt that is too long


@router.get("/models", name="v1_models")
def list_models(app: App, me: Asker) -> Response:
    """Every name that can be asked now."""
    with reading(app.engine) as session:
        data = [_model(target) for target in service.targets(session)]
    return JSONResponse({"object": "list", "data": data})


@router.get("/models/{name:path}", name="v1_model")
def show_model(name: OneLine, app: App, me: Asker) -> Response:
    try:
        with reading(app.engine) as session:
            return JSONResponse(_model(service.target(session, name)))
    except NotFound as refusal:
        return openai_errors.response(404, refusal.detail, param="model", code="model_not_found")


def _model(target: Target) -> dict[str, object]:
    return {"id": target.name, "object": "model", "created": int(target.created.timestamp()), "owned_by": "tunegate"}


@router.post("/chat/completions", name="v1_chat_completions", max_body_size=LARGEST_BODY)
async def chat(request: Request, body: ChatRequest, app: App, me: Asker, who: Identified, serving: InUse) -> Response:
    """Answer a conversation with a model of this machine, at temperature 0."""
    constraint = body.check()
    try:
        serving.server.enter(me.id)
        with _place_until_asked(serving, me.id) as place:
            target, asked = await run_in_threadpool(_asked, app.engine, serving, body)
            if constraint is not None:
                asked = _held(target, asked, constraint)
            ticket = Ticket.drawn(serving, app.engine, who, target, asked, body)
            place.kept = True
    except NotFound as refusal:
        return openai_errors.response(404, refusal.detail, param="model", code="model_not_found")
    except Unusable as error:
        return openai_errors.response(503, str(error))
    first = await ticket.next(request)
    if first is None:
        return openai_errors.response(408, "The request was given up.")
    if isinstance(first, Piece):
        return Streamed(ticket, first)
    return ticket.at_once(first) if body.stream else ticket.whole(first)


@dataclass
class _Place:
    """A place in the line. kept: a question has taken it over."""

    kept: bool = False


@contextlib.contextmanager
def _place_until_asked(serving: Serving, person: int) -> Iterator[_Place]:
    """The place that was taken on entering, given back where it comes to no question."""
    place = _Place()
    try:
        yield place
    finally:
        if not place.kept:
            serving.server.leave(person)


def _held(target: Target, asked: Asked, constraint: Constraint) -> Asked:
    if target.constrained:
        text = "This prompt has an output constraint of its own. Leave response_format out."
        raise Invalid("This can't be done here.", [FieldError("#/response_format", text)])
    return replace(asked, constraint=constraint)


def _asked(engine: Engine, serving: Serving, body: ChatRequest) -> tuple[Target, Asked]:
    with reading(engine) as session:
        target = service.target(session, body.model)
    return target, serving.prompting.ask(target.arm_id, body.asked())


@dataclass(eq=False)
class Ticket:
    """One question between its arrival and the end of its answer, in the event loop."""

    serving: Serving
    call: Call
    events: "asyncio.Queue[Event]"
    asked: Asked
    completion: Completion
    most_tokens: int
    with_usage: bool

    @staticmethod
    def drawn(serving: Serving, engine: Engine, who: Who, target: Target, asked: Asked, body: ChatRequest) -> "Ticket":
        """Put the question into the line, at the place that was taken for it."""
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event]()
        most_tokens = body.most_tokens or target.most_tokens
        name = secrets.token_hex(12)

        def deliver(event: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended with the server
                loop.call_soon_threadsafe(events.put_nowait, event)

        question: Question = asked.request(name, most_tokens)
        # What is taken off an answer in the end (numbers of passages) can't be taken back once it was sent.
        in_pieces = bool(body.stream) and not asked.passages and not asked.choices
        followed = Followed(question, body.stops, in_pieces)
        call = Call(who.user.id, target.weights, followed, deliver, _noting(engine, who, target, utcnow()))
        serving.server.put(call)
        completion = Completion.begun(name, target.name, target.fingerprint)
        return Ticket(serving, call, events, asked, completion, most_tokens, body.with_usage)

    @property
    def headers(self) -> dict[str, str]:
        device = self.serving.server.computed_on.encode("ascii", "replace").decode("ascii")
        return {HASH: prompts.sha256(self.asked.messages), DEVICE: device}

    async def next(self, request: Request) -> Event | None:
        """What happens next; None when the other side has gone, which drops the question."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    return await asyncio.wait_for(self.events.get(), LOOK)
                if await request.is_disconnected():
                    self.serving.server.drop(self.call)
                    return None
        except asyncio.CancelledError:
            self.serving.server.drop(self.call)
            raise

    def whole(self, event: Answer | Failure) -> Response:
        """The answer to a request that does not stream, or why there is none."""
        answer = self._settled(event)
        if isinstance(answer, Response):
            return answer
        return JSONResponse(self.completion.whole(answer), headers=self.headers)

    def at_once(self, event: Answer | Failure) -> Response:
        """The same as a stream, where the whole answer was there before any piece of it."""
        answer = self._settled(event)
        if isinstance(answer, Response):
            return answer
        body = self.completion.first()
        body += self.completion.piece(answer.text) if answer.text else b""
        body += self.completion.last(answer, with_usage=self.with_usage)
        return Response(body, media_type="text/event-stream", headers=self.headers)

    async def pieces(self, first: Event) -> AsyncIterator[bytes]:
        """A stream from its first piece on."""
        seen, event = Visible(), first
        yield self.completion.first()
        while isinstance(event, Piece):
            if text := seen.added(event.text):
                yield self.completion.piece(text)
            event = await self.events.get()
        answer = self._settled(event)
        if isinstance(answer, Response):
            yield broken_off(event.why if isinstance(event, Failure) else str(event.error))
            return
        if text := seen.end(answer.text):
            yield self.completion.piece(text)
        yield self.completion.last(answer, with_usage=self.with_usage)

    def _settled(self, event: Answer | Failure | Piece) -> Answer | Response:
        """The answer as a measurement scores it: without its thinking and the numbers of passages that it cites."""
        if isinstance(event, Failure):
            return openai_errors.response(503, event.why, headers={"Retry-After": "5"})
        if isinstance(event, Piece):
            raise TypeError("a piece is no answer")
        if event.error is not None:
            code = "context_length_exceeded" if OVER_WINDOW in event.error else None
            return openai_errors.response(400, event.error, param="messages", code=code)
        settled = answer_text.settled(event, self.most_tokens, unseen=False)
        if settled.error is not None:  # thinking used all of it up
            return replace(event, text="", thinking=settled.raw or "")
        thinking = answer_text.apart(event.text).thinking if settled.raw is not None else ""
        kept, _ = self.asked.kept(settled, "")
        return replace(kept, thinking=thinking)


class Streamed(StreamingResponse):
    """An answer on its way. Whoever hangs up ends it as well, however early."""

    def __init__(self, ticket: Ticket, first: Event) -> None:
        super().__init__(ticket.pieces(first), media_type="text/event-stream", headers=ticket.headers)
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ticket.serving.server.drop(self._ticket.call)


def _noting(engine: Engine, who: Who, target: Target, at: datetime) -> Callable[[Answer | Failure, bool], None]:
    """What writes a call down: who, which and how much. Called by the thread that serves, once."""
    user_id, token_id, began = who.user.id, who.token.id if who.token else None, time.monotonic()

    def note(event: Answer | Failure, waited: bool) -> None:
        answer = event if isinstance(event, Answer) else None
        if not waited:
            outcome = "hung_up"
        elif answer is None:
            outcome = "failed"
        else:
            outcome = "refused" if answer.error else answer.finish or "stop"
        with writing(engine) as session:
            session.add(
                ServedCallRow(
                    served_id=target.served_id,
                    user_id=user_id,
                    token_id=token_id,
                    at=at,
                    outcome=outcome,
                    prompt_tokens=answer.prompt_tokens if answer else 0,
                    completion_tokens=answer.completion_tokens if answer else 0,
                    seconds=time.monotonic() - began,
                )
            )

    return note
