"""Pages for model connections."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from app.db import reading, writing
from app.errors import Invalid
from app.inference import connecting, findings, meeting, service, store, trials
from app.inference.deps import WithBundled
from app.inference.tables import Purpose
from app.jobs import store as job_store
from app.users.deps import Admin, Me
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see, wants_fragment
from app.web.params import Id, Text
from app.web.refusals import TooMany

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

Typed = Annotated[Text, Form(max_length=5000)]


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    """The fields of a connection to a server, as they were typed."""

    name: Typed = ""
    base_url: Typed = ""
    model: Typed = ""
    key: Typed = ""
    context_window: Typed = ""
    deadline: Typed = ""
    own: Typed = ""

    @property
    def typed(self) -> dict[str, str]:
        """What the form shows again; never the key."""
        return {name: value for name, value in asdict(self).items() if name != "key"}


Connecting = Annotated[ConnectionForm, Depends()]


@router.get("/models", name="models")
def show_models(request: Request, app: App, db: Db, me: Me) -> Response:
    return _models(request, app, db)


@router.post("/models/endpoints", name="add_endpoint")
def add_endpoint(
    request: Request, app: App, me: Admin, form: Connecting, purpose: Annotated[Purpose, Form()] = "answers"
) -> Response:
    """Save a connection and test it; one whose test fails is saved as well, and says so."""
    try:
        with writing(app.engine) as session:
            connection = connecting.Connection(
                form.name,
                form.base_url,
                form.model,
                key=form.key,
                context_window=_number(form.context_window),
                own=bool(form.own),
                purpose=purpose,
                deadline=_seconds(form.deadline),
            )
            model_id = connecting.add_endpoint(session, app.settings, connection, by=me).id
    except Invalid as refusal:
        typed = form.typed | {"purpose": purpose}
        with reading(app.engine) as session:
            return _models(request, app, session, status=422, adding="endpoint", typed=typed, refusal=refusal)
    _test_if_free(app, me, model_id)
    cut = connecting.cut_off(form.base_url)
    return see(request, "model", model_id=model_id, notice="created-cut" if cut else "created")


@router.post("/models/names", name="list_server_models")
def list_server_models(request: Request, app: App, me: Admin, form: Connecting, purpose: Typed = "") -> Response:
    """Ask the typed address which models it has, and offer them in the form. Nothing is saved."""
    typed = form.typed | {"purpose": purpose}
    try:
        with app.model_tests.take(me.id):
            names, trouble = service.list_models(app.settings, form.base_url, form.key), ""
    except Invalid as refusal:
        names, trouble = [], by_field(refusal).get("base_url", refusal.detail)
    if wants_fragment(request):
        return page(request, "inference/_names.html", names=names, trouble=trouble, asked=True)
    with reading(app.engine) as session:
        return _models(request, app, session, adding="endpoint", typed=typed, names=names, trouble=trouble, asked=True)


@router.post("/models/folders", name="add_folder")
def add_folder(request: Request, app: App, db: Db, me: Admin, name: Typed = "", path: Typed = "") -> Response:
    try:
        row = connecting.add_folder(db, app.settings, by=me, name=name, path=path)
    except Invalid as refusal:
        typed = {"name": name, "path": path}
        return _models(request, app, db, status=422, adding="folder", typed=typed, refusal=refusal)
    return see(request, "model", model_id=row.id, notice="started")


@router.get("/models/{model_id}", name="model")
def show_model(request: Request, model_id: Id, db: Db, me: Me) -> Response:
    return _model(request, db, model_id)


@router.post("/models/{model_id}", name="change_model")
def change_model(request: Request, model_id: Id, app: App, me: Admin, form: Connecting) -> Response:
    """Save a change; an address, model or key that is new is tested at once."""
    try:
        with writing(app.engine) as session:
            change = connecting.ConnectionChange(
                form.name,
                form.base_url,
                form.model,
                key=form.key or None,  # an empty field keeps the key; there is a button to take it away
                context_window=_number(form.context_window),
                own=bool(form.own),
                deadline=_seconds(form.deadline) or 0,  # an empty field takes it away
            )
            untested = connecting.change_endpoint(session, app.settings, model_id, change, by=me).tested is None
    except Invalid as refusal:
        with reading(app.engine) as session:
            return _model(request, session, model_id, status=422, typed=form.typed, refusal=refusal)
    if untested:
        _test_if_free(app, me, model_id)
    cut = connecting.cut_off(form.base_url)
    return see(request, "model", model_id=model_id, notice="saved-cut" if cut else "saved")


@router.post("/models/{model_id}/drop-key", name="drop_model_key")
def drop_model_key(request: Request, model_id: Id, app: App, db: Db, me: Admin) -> Response:
    connecting.change_endpoint(db, app.settings, model_id, connecting.ConnectionChange(key=""), by=me)
    return see(request, "model", model_id=model_id, notice="saved")


@router.post("/models/{model_id}/test", name="test_model")
def test_model(request: Request, model_id: Id, app: App, me: Me) -> Response:
    """Ask the server for one word, and keep what came of it. The page shows it as the model's state."""
    with app.model_tests.take(me.id):
        connecting.test(app.engine, app.settings, model_id)
    return see(request, "model", model_id=model_id)


@router.get("/models/{model_id}/meeting", name="meeting")
def show_meeting(request: Request, model_id: Id, app: App, db: Db, me: Me) -> Response:
    """What is known of a model server, and what finding it out would take."""
    return _meeting(request, app, db, model_id)


@router.post("/models/{model_id}/meeting", name="meet_server")
def meet_server(request: Request, model_id: Id, app: App, db: Db, me: Me, budget: Typed = "") -> Response:
    try:
        connecting.meet(db, model_id, me, _tokens(budget))
    except Invalid as refusal:
        return _meeting(request, app, db, model_id, status=422, budget=budget, refusal=refusal)
    return see(request, "meeting", model_id=model_id, notice="started")


@router.post("/models/{model_id}/thinking", name="switch_thinking")
def switch_thinking(request: Request, model_id: Id, db: Db, me: Admin, off: Typed = "") -> Response:
    connecting.switch_thinking(db, model_id, me, off=bool(off))
    return see(request, "meeting", model_id=model_id, notice="saved")


@router.post("/models/{model_id}/use", name="use_server_model")
def use_server_model(request: Request, model_id: Id, app: App, me: Admin, model: Typed = "") -> Response:
    """Take another of the server's models for this connection, and test it."""
    try:
        with writing(app.engine) as session:
            connecting.change_endpoint(session, app.settings, model_id, connecting.ConnectionChange(model=model), by=me)
    except Invalid as refusal:
        with reading(app.engine) as session:
            return _model(request, session, model_id, status=422, refusal=refusal)
    _test_if_free(app, me, model_id)
    return see(request, "model", model_id=model_id, notice="saved")


@router.post("/models/{model_id}/prepare", name="prepare_model")
def prepare_model(request: Request, model_id: Id, db: Db, me: Me) -> Response:
    connecting.prepare(db, model_id, me)
    return see(request, "model", model_id=model_id, notice="started")


@router.post("/models/{model_id}/four-bit", name="hold_in_four_bits")
def hold_in_four_bits(request: Request, model_id: Id, db: Db, me: Admin) -> Response:
    """Add the same folder as a model that is held in 4 bits."""
    return see(request, "model", model_id=connecting.in_4_bits(db, model_id, me).id, notice="saved")


@router.post("/models/{model_id}/retire", name="retire_model")
def retire_model(request: Request, model_id: Id, db: Db, me: Admin) -> Response:
    connecting.retire(db, model_id, me)
    return see(request, "models", notice="saved")


def _test_if_free(app: AppContext, me: UserRow, model_id: int) -> None:
    """Test a connection that was just saved; while too many tests run it stays untested, and its page offers one."""
    with suppress(TooMany), app.model_tests.take(me.id):
        connecting.test(app.engine, app.settings, model_id)


def _number(text: str) -> int | None:
    """A number of tokens as typed; 0 stands for what is no number, which the service refuses."""
    if not text.strip():
        return None
    return int(text) if text.strip().isdecimal() else 0


def _tokens(text: str) -> int:
    """A budget as typed; one less than none stands for what is no number, which the service refuses."""
    if not text.strip():
        return connecting.BUDGET
    return int(text) if text.strip().isdecimal() and len(text) < 12 else -1


def _meeting(
    request: Request,
    app: App,
    db: Db,
    model_id: int,
    *,
    status: int = 200,
    budget: str | None = None,
    refusal: Invalid | None = None,
) -> Response:
    model = store.get(db, model_id)
    job = job_store.latest(db, "meet", model.id)
    usual = connecting.BUDGET if model.meeting_budget is None else model.meeting_budget
    met = trials.met(model)
    return page(
        request,
        "inference/meeting.html",
        status=status,
        model=model,
        met=met,
        met_at=datetime.fromisoformat(met.manner.at) if met else None,
        headline=findings.headline(met) if met else "",
        labels=findings.LABELS,
        outdated=trials.outdated(model),
        job=job,
        ahead=job_store.ahead(db, job),
        budget=usual if budget is None else budget,
        estimate=meeting.estimate(usual),
        price=app.list_price(db, model),
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
    )


def _seconds(text: str) -> float | None:
    """Seconds as typed; -1 stands for what is no number, which the service refuses."""
    try:
        return float(text) if text.strip() else None
    except ValueError:
        return -1.0


def _models(
    request: Request,
    app: App,
    db: Db,
    *,
    status: int = 200,
    adding: str = "",
    typed: dict[str, str] | None = None,
    refusal: Invalid | None = None,
    names: Sequence[str] = (),
    trouble: str = "",
    asked: bool = False,
) -> Response:
    models = [
        (model, service.state(db, model)[0], service.own(model), trials.last(model), trials.manner(model))
        for model in store.everything(db)
    ]
    faults: Mapping[str, object] = by_field(refusal) if refusal else {}
    return page(
        request,
        "inference/models.html",
        status=status,
        models=models,
        hub=app.settings.allow_hub,
        adding=adding,
        names=names,
        trouble=trouble,
        asked=asked,
        typed=typed or {},
        errors=faults,
        detail=refusal.detail if refusal else "",
    )


def _model(
    request: Request,
    db: Db,
    model_id: int,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    model = store.get(db, model_id)
    state, job = service.state(db, model)
    met = trials.met(model)
    kept = {
        "name": model.name,
        "base_url": model.base_url,
        "model": model.reference,
        "context_window": model.context_window,
        "deadline": "" if model.deadline is None else f"{model.deadline:g}",
        "own": model.own,
    }
    return page(
        request,
        "inference/model.html",
        status=status,
        model=model,
        state=state,
        own=service.own(model),
        can_4_bits=model.kind == "folder" and not model.bits and state == "ready" and not store.in_4_bits(db, model),
        without_4_bits="" if service.holds_4_bits() else service.NO_4_BITS,
        job=job,
        ahead=job_store.ahead(db, job),
        typed=typed or kept,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        tested=trials.last(model),
        met=met,
        headline=findings.headline(met) if met else "",
        outdated=trials.outdated(model),
    )
