"""Pages for model connections."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from app.db import reading
from app.errors import Invalid
from app.inference import connecting, service, store
from app.inference.deps import WithBundled
from app.jobs import store as job_store
from app.users.deps import Admin, Me
from app.web.deps import App, Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Id, Text

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

Typed = Annotated[Text, Form(max_length=5000)]


@router.get("/models", name="models")
def show_models(request: Request, app: App, db: Db, me: Me) -> Response:
    return _models(request, app, db)


@router.post("/models/endpoints", name="add_endpoint")
def add_endpoint(
    request: Request,
    app: App,
    db: Db,
    me: Admin,
    name: Typed = "",
    base_url: Typed = "",
    model: Typed = "",
    key: Typed = "",
    context_window: Typed = "",
    own: Typed = "",
) -> Response:
    typed = {"name": name, "base_url": base_url, "model": model, "context_window": context_window, "own": own}
    try:
        window = _number(context_window)
        row = connecting.add_endpoint(
            db,
            app.settings,
            by=me,
            name=name,
            base_url=base_url,
            model=model,
            key=key,
            context_window=window,
            own=bool(own),
        )
    except Invalid as refusal:
        return _models(request, app, db, status=422, adding="endpoint", typed=typed, refusal=refusal)
    return see(request, "model", model_id=row.id, notice="created-cut" if connecting.cut_off(base_url) else "created")


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
def change_model(
    request: Request,
    model_id: Id,
    app: App,
    db: Db,
    me: Admin,
    name: Typed = "",
    base_url: Typed = "",
    model: Typed = "",
    key: Typed = "",
    context_window: Typed = "",
    own: Typed = "",
) -> Response:
    try:
        connecting.change_endpoint(
            db,
            app.settings,
            model_id,
            by=me,
            name=name,
            base_url=base_url,
            model=model,
            key=key or None,  # an empty field keeps the key; there is a button to take it away
            context_window=_number(context_window),
            own=bool(own),
        )
    except Invalid as refusal:
        typed = {"name": name, "base_url": base_url, "model": model, "context_window": context_window, "own": own}
        return _model(request, db, model_id, status=422, typed=typed, refusal=refusal)
    return see(request, "model", model_id=model_id, notice="saved-cut" if connecting.cut_off(base_url) else "saved")


@router.post("/models/{model_id}/drop-key", name="drop_model_key")
def drop_model_key(request: Request, model_id: Id, app: App, db: Db, me: Admin) -> Response:
    connecting.change_endpoint(db, app.settings, model_id, by=me, key="")
    return see(request, "model", model_id=model_id, notice="saved")


@router.post("/models/{model_id}/test", name="test_model")
def test_model(request: Request, model_id: Id, app: App, me: Me) -> Response:
    """Ask the server for one word. No transaction is open meanwhile: it may take twenty seconds."""
    with reading(app.engine) as session:
        model = store.get(session, model_id)
    with app.model_tests.take(me.id):
        tried = service.try_out(app.settings, model)
    with reading(app.engine) as session:
        return _model(request, session, model_id, tried=tried)


@router.post("/models/{model_id}/prepare", name="prepare_model")
def prepare_model(request: Request, model_id: Id, db: Db, me: Me) -> Response:
    connecting.prepare(db, model_id, me)
    return see(request, "model", model_id=model_id, notice="started")


@router.post("/models/{model_id}/retire", name="retire_model")
def retire_model(request: Request, model_id: Id, db: Db, me: Admin) -> Response:
    connecting.retire(db, model_id, me)
    return see(request, "models", notice="saved")


def _number(text: str) -> int | None:
    """A number of tokens as typed; 0 stands for what is no number, which the service refuses."""
    if not text.strip():
        return None
    return int(text) if text.strip().isdecimal() else 0


def _models(
    request: Request,
    app: App,
    db: Db,
    *,
    status: int = 200,
    adding: str = "",
    typed: dict[str, str] | None = None,
    refusal: Invalid | None = None,
) -> Response:
    models = [(model, service.state(db, model)[0], service.own(model)) for model in store.everything(db)]
    faults: dict[str, Any] = by_field(refusal) if refusal else {}
    return page(
        request,
        "inference/models.html",
        status=status,
        models=models,
        hub=app.settings.allow_hub,
        adding=adding,
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
    tried: service.Tried | None = None,
) -> Response:
    model = store.get(db, model_id)
    state, job = service.state(db, model)
    kept = {
        "name": model.name,
        "base_url": model.base_url,
        "model": model.reference,
        "context_window": model.context_window,
        "own": model.own,
    }
    return page(
        request,
        "inference/model.html",
        status=status,
        model=model,
        state=state,
        own=service.own(model),
        job=job,
        ahead=job_store.ahead(db, job) if job and not job.final else 0,
        typed=typed or kept,
        errors=by_field(refusal) if refusal else {},
        detail=refusal.detail if refusal else "",
        answer=tried.answer if tried else None,
        remarks=tried.remarks if tried else (),
    )
