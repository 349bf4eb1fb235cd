"""The page on which an administrator switches models on for other programs, and everybody sees how to ask them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.errors import Conflict, NotFound
from app.inference.deps import WithBundled
from app.serving import service, store
from app.serving.deps import InUse
from app.users import store as user_store
from app.users.deps import Admin, Me
from app.web.deps import App, Db
from app.web.pages import page, see
from app.web.params import OneLine

router = APIRouter(include_in_schema=False, dependencies=[WithBundled])

CALLS = 20  # of the newest that are listed

Name = Annotated[OneLine, Form(max_length=120)]


@router.get("/serving", name="serving")
def show_serving(request: Request, app: App, db: Db, me: Me, serving: InUse) -> Response:
    return _page(request, app, db, serving)


@router.post("/serving/on", name="serve_model")
def switch_on(request: Request, app: App, db: Db, me: Admin, serving: InUse, name: Name = "") -> Response:
    try:
        service.switch_on(db, name, me)
    except (Conflict, NotFound) as refusal:
        return _page(request, app, db, serving, status=409, detail=refusal.detail)
    return see(request, "serving", notice="saved")


@router.post("/serving/off", name="stop_serving_model")
def switch_off(request: Request, db: Db, me: Admin, name: Name = "") -> Response:
    service.switch_off(db, name, me)
    return see(request, "serving", notice="saved")


def _page(request: Request, app: App, db: Db, serving: InUse, *, status: int = 200, detail: str = "") -> Response:
    names = service.served(db)
    calls = store.calls(db, None, CALLS)
    on = [one for one in names if one.on]
    return page(
        request,
        "serving/serving.html",
        status=status,
        detail=detail,
        address=f"{app.settings.address}/v1",
        on=on,
        off=[one for one in names if not one.on],
        example=next((one.name for one in [*on, *names] if not one.against), ""),
        calls=calls,
        people=user_store.names(db, sorted({call.user_id for call, _ in calls})),
        limits=serving.server.limits,
        device=app.settings.device,
        computed_on=serving.server.computed_on,
        served_days=app.settings.served_days,
    )
