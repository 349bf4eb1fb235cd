"""The pages of the registry: all adapters, and what is said of one."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BeforeValidator

from app.deployed import service as deployed
from app.errors import Invalid
from app.registry import service
from app.users import store as user_store
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import LARGEST, Id, OneLine, Text
from app.web.params import Form as AnyForm

router = APIRouter(include_in_schema=False)

PAGE = 50
LONGEST = 2000  # characters of a reason that are looked at
OptionalId = Annotated[int | None, Form(ge=1, le=LARGEST), BeforeValidator(lambda value: value or None)]


@router.get("/adapters", name="adapters")
def show_adapters(
    request: Request, db: Db, me: Me, before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None
) -> Response:
    entries = service.entries(db, before, PAGE + 1)
    return page(
        request,
        "registry/adapters.html",
        entries=entries[:PAGE],
        later=entries[PAGE - 1].training.id if len(entries) > PAGE else None,
        names=user_store.names(db, sorted({entry.by for entry in entries if entry.by is not None})),
    )


@router.get("/trainings/{training_id}/adapter", name="adapter")
def show_adapter(request: Request, training_id: Id, db: Db, me: Me) -> Response:
    return _adapter(request, training_id, db, me)


@router.post("/trainings/{training_id}/adapter/promote", name="promote_adapter")
def promote_adapter(request: Request, training_id: Id, db: Db, me: Me, sent: AnyForm) -> Response:
    reason = str(sent.get("reason", ""))[:LONGEST]
    despite = [str(value) for value in sent.getlist("despite")]
    try:
        service.promote(db, training_id, me, reason, despite)
    except Invalid as refusal:
        return _adapter(request, training_id, db, me, refusal, "promote", reason, despite=despite)
    return see(request, "adapter", training_id=training_id)


@router.post("/trainings/{training_id}/adapter/retire", name="retire_adapter")
def retire_adapter(
    request: Request, training_id: Id, db: Db, me: Me, reason: Annotated[Text, Form(max_length=2000)] = ""
) -> Response:
    try:
        service.retire(db, training_id, me, reason)
    except Invalid as refusal:
        return _adapter(request, training_id, db, me, refusal, "retire", reason)
    return see(request, "adapter", training_id=training_id)


@router.post("/trainings/{training_id}/served-checks", name="check_served")
def check_served(
    request: Request,
    training_id: Id,
    db: Db,
    me: Author,
    base_model_id: OptionalId = None,
    adapter_model_id: OptionalId = None,
    consent: Annotated[OneLine, Form(max_length=10)] = "",
) -> Response:
    try:
        deployed.start(db, training_id, me, base_model_id, adapter_model_id, consent=consent == "on")
    except Invalid as refusal:
        chosen = {"base_model_id": base_model_id, "adapter_model_id": adapter_model_id}
        return _adapter(request, training_id, db, me, refusal, "served", chosen=chosen)
    return see(request, "adapter", training_id=training_id)


def _adapter(
    request: Request,
    training_id: int,
    db: Db,
    me: Me,
    refusal: Invalid | None = None,
    act: str = "",
    typed: str = "",
    *,
    chosen: Mapping[str, int | None] | None = None,
    despite: Sequence[str] = (),
) -> Response:
    entry = service.entry(db, training_id)
    words = service.history(db, training_id)
    return page(
        request,
        "registry/adapter.html",
        status=422 if refusal else 200,
        entry=entry,
        words=words,
        names=user_store.names(db, sorted({word.by for word in words} | {entry.training.launched_by})),
        against=service.against_promoting(db, entry, me),
        errors=by_field(refusal) if refusal else {},
        act=act,
        typed=typed,
        despite=despite,
        chosen=chosen or {},
        servers=[(row.id, f"{row.name} ({row.reference})") for row in deployed.servers(db)],
        looks=deployed.looks(db, training_id),
    )
