"""Pages: the team's list of prices, what a use case costs, and the target worked out from money."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, UploadFile

from app.assessments import store as assessment_store
from app.economics import assumptions, prices, sentences, service, store, views
from app.economics.answer import answer
from app.economics.prices import LARGEST_FILE
from app.errors import Invalid
from app.users import store as user_store
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.forms import by_field
from app.web.pages import page, see
from app.web.params import Form as SentForm
from app.web.params import Id

router = APIRouter(include_in_schema=False)


def _texts(sent: FormData) -> dict[str, str]:
    return {name: value for name, value in sent.items() if isinstance(value, str)}


# ------------------------------------------------------------------ prices


@router.get("/prices", name="prices")
def show_prices(request: Request, db: Db, me: Me) -> Response:
    return _prices(request, db, typed={}, errors={}, detail="", status=200)


@router.post("/prices", name="add_price")
def add_price(request: Request, sent: SentForm, db: Db, me: Author) -> Response:
    try:
        service.add_price(db, _texts(sent), me)
    except Invalid as refusal:
        return _prices(request, db, typed=_texts(sent), errors=by_field(refusal), detail=str(refusal), status=422)
    return see(request, "prices", notice="saved")


@router.post("/prices/import", name="import_prices")
def import_prices(request: Request, sent: SentForm, db: Db, me: Author) -> Response:
    """A file, or the same text pasted into the form; the file counts if both are there."""
    try:
        service.import_prices(db, _file(sent), me)
    except Invalid as refusal:
        faults = [error.detail for error in refusal.errors]
        typed = {"text": str(sent.get("text", ""))}
        return _prices(request, db, typed=typed, errors={}, detail=str(refusal), status=422, faults=faults)
    return see(request, "prices", notice="saved")


def _file(sent: FormData) -> bytes:
    uploaded, raw = sent.get("file"), b""
    if isinstance(uploaded, UploadFile):
        with uploaded.file as file:  # nobody closes it for a form that is read as a whole
            raw = file.read(LARGEST_FILE + 1)
    return raw or str(sent.get("text", "")).encode()


@router.get("/prices.csv", name="export_prices")
def export_prices(db: Db, me: Me) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="prices.csv"'}
    return Response(service.export_prices(db), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/prices/{price_id}", name="price")
def show_price(request: Request, price_id: Id, db: Db, me: Me) -> Response:
    row = store.price(db, price_id)
    typed = {"name": row.name, "unit": row.unit, "price": assumptions.plain(row.price), "currency": row.currency}
    typed |= {"dated": row.dated.isoformat(), "source": row.source}
    return page(request, "economics/price.html", price=row, typed=typed, units=prices.UNITS, errors={}, detail="")


@router.post("/prices/{price_id}", name="change_price")
def change_price(request: Request, price_id: Id, sent: SentForm, db: Db, me: Author) -> Response:
    try:
        service.change_price(db, price_id, _texts(sent), me)
    except Invalid as refusal:
        return page(
            request,
            "economics/price.html",
            status=422,
            price=store.price(db, price_id),
            typed=_texts(sent),
            units=prices.UNITS,
            errors=by_field(refusal),
            detail=str(refusal),
        )
    return see(request, "prices", notice="saved")


@router.post("/prices/{price_id}/delete", name="drop_price")
def drop_price(request: Request, price_id: Id, db: Db, me: Author) -> Response:
    service.drop_price(db, price_id, me)
    return see(request, "prices", notice="deleted")


def _prices(
    request: Request,
    db: Db,
    *,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    detail: str,
    status: int,
    faults: list[str] | None = None,
) -> Response:
    rows = store.prices(db)
    today = service.today()
    return page(
        request,
        "economics/prices.html",
        status=status,
        rows=[(row, row.value.old(today)) for row in rows],
        names=user_store.names(db, sorted({row.edited_by for row in rows})),
        units=prices.UNITS,
        columns=prices.COLUMNS,
        today=today.isoformat(),
        typed=typed,
        errors=errors,
        detail=detail,
        faults=faults or [],
        amount=assumptions.plain,
    )


# ------------------------------------------------------------------ what a use case costs


@router.get("/assessments/{assessment_id}/costs", name="costs")
def show_costs(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    return _costs(request, assessment_id, db, typed=None, errors={}, status=200)


@router.post("/assessments/{assessment_id}/costs", name="save_costs")
def save_costs(request: Request, assessment_id: Id, sent: SentForm, db: Db, me: Author) -> Response:
    try:
        service.assume(db, assessment_id, _texts(sent), me)
    except Invalid as refusal:
        return _costs(request, assessment_id, db, typed=_texts(sent), errors=by_field(refusal), status=422)
    return see(request, "costs", assessment_id=assessment_id, notice="saved")


def _costs(
    request: Request,
    assessment_id: int,
    db: Db,
    *,
    typed: Mapping[str, str] | None,
    errors: Mapping[str, str],
    status: int,
) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    assumed = service.assumed(db, assessment_id)
    study = service.of(db, assessment)
    rows = store.prices(db)
    return page(
        request,
        "economics/costs.html",
        status=status,
        assessment=assessment,
        step="verdict",
        study=study,
        answer=answer(study),
        chart=views.chart(study),
        drawn=views.drawn(study),
        table=views.table(study),
        typed=assumptions.form_values(assumed) if typed is None else typed,
        said=assumed.to_json(),
        errors=errors,
        first=[assumptions.NUMBERS[name] for name in assumptions.FIRST],
        groups=assumptions.groups(),
        own=assumptions.OWN,
        models=service.models(db, assessment),
        priced=sorted(prices.rates_of(row.value for row in rows)),
        machines=[row.name for row in rows if row.unit == "machine_hour"],
        people=[row.name for row in rows if row.unit == "person_hour"],
        currencies=sorted({row.currency for row in rows if row.currency}),
        units=prices.UNITS,
        today=service.today(),
        money=sentences.money,
        amount=assumptions.plain,
        calls=sentences.calls,
        paid_back=sentences.paid_back,
        limit=sentences.months(study.limit),
    )


# ------------------------------------------------------------------ the target from money


@router.get("/assessments/{assessment_id}/target", name="target_help")
def show_target(request: Request, assessment_id: Id, db: Db, me: Me) -> Response:
    """Work it out from what the address says, so that a calculation can be tried and sent round; nothing is stored."""
    typed = dict(request.query_params)
    typed.pop("notice", None)
    return _target(request, assessment_id, db, typed, status=200)


@router.post("/assessments/{assessment_id}/target", name="use_target")
def use_target(request: Request, assessment_id: Id, sent: SentForm, db: Db, me: Author) -> Response:
    try:
        service.use_target(db, assessment_id, _texts(sent), me)
    except Invalid:
        return _target(request, assessment_id, db, _texts(sent), status=422)
    return see(request, "section", assessment_id=assessment_id, section="success", notice="saved", anchor="target")


def _target(request: Request, assessment_id: int, db: Db, typed: dict[str, str], *, status: int) -> Response:
    assessment = assessment_store.get(db, assessment_id)
    typed = typed or assumptions.worth_values(service.assumed(db, assessment_id))
    worth, refusal = None, None
    if typed:
        try:
            worth = assumptions.read_worth(typed)
        except Invalid as error:
            refusal = error
    return page(
        request,
        "economics/target.html",
        status=status,
        assessment=assessment,
        step="describe",
        typed=typed,
        worth=worth,
        errors=by_field(refusal) if refusal else {},
        detail=str(refusal) if refusal else "",
        kinds=range(1, assumptions.KINDS + 1),
        has_results=service.has_results(db, assessment_id),
        money=sentences.money,
    )
