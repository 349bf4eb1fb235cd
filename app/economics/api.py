"""The REST side of costs: the list of prices, a use case's study, and the target from money."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from app.advice.economics import Comparison
from app.assessments import store as assessment_store
from app.economics import assumptions, service, store
from app.economics.answer import answer
from app.economics.costs import How, Once, PricedWay
from app.economics.tables import PriceRow
from app.errors import Invalid, pointer
from app.json_types import JsonDict
from app.users.deps import Author, Me
from app.web.deps import Db
from app.web.params import Id, Name, OneLine, Text
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1", tags=["costs"], responses=REFUSALS)

Unit = Literal["input_tokens", "cached_tokens", "output_tokens", "batch_share", "machine_hour", "person_hour"]
Finite = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class NewPrice(BaseModel):
    """One price. Token prices are for a million of them; a `batch_share` is from 0 to 1 and has no currency."""

    model_config = ConfigDict(extra="forbid")

    name: OneLine = Field(max_length=200)
    unit: Unit
    price: Finite
    currency: OneLine = Field(default="", max_length=3)
    dated: date
    source: OneLine = Field(max_length=1000)


class Price(BaseModel):
    """A price as it stands in the list. `old`: dated more than 90 days ago."""

    id: int
    object: str = "price"
    name: str
    unit: str
    price: float
    currency: str
    dated: date
    source: str
    old: bool
    edited_by: int
    edited_at: datetime

    @staticmethod
    def of(row: PriceRow) -> "Price":
        return Price(
            id=row.id,
            name=row.name,
            unit=row.unit,
            price=row.price,
            currency=row.currency,
            dated=row.dated,
            source=row.source,
            old=row.value.old(service.today()),
            edited_by=row.edited_by,
            edited_at=row.edited_at,
        )


class Prices(BaseModel):
    data: list[Price]
    has_more: bool = False


class Csv(BaseModel):
    """A list of prices as CSV: name, unit, price, currency, dated, source."""

    model_config = ConfigDict(extra="forbid")

    csv: Text = Field(max_length=1_000_000)


class Imported(BaseModel):
    added: int
    changed: int


@router.get("/prices")
def list_prices(db: Db, me: Me) -> Prices:
    """Every price that the team keeps, all in one answer."""
    return Prices(data=[Price.of(row) for row in store.prices(db)])


@router.post("/prices", status_code=201)
def add_price(db: Db, me: Author, data: NewPrice) -> Price:
    """Add a price. One of this name and unit must not be there yet."""
    return Price.of(service.add_price(db, data.model_dump(), me))


@router.post("/prices/import")
def import_prices(db: Db, me: Author, data: Csv) -> Imported:
    """All lines or none; what is in the list already gets the new price."""
    try:
        added, changed = service.import_prices(db, data.csv.encode(errors="replace"), me)
    except Invalid as refusal:
        raise refusal.moved(lambda _field: pointer("csv")) from refusal
    return Imported(added=added, changed=changed)


@router.put("/prices/{price_id}")
def change_price(price_id: Id, db: Db, me: Author, data: NewPrice) -> Price:
    """Replace a price, with its date and source."""
    return Price.of(service.change_price(db, price_id, data.model_dump(), me))


@router.delete("/prices/{price_id}", status_code=204)
def drop_price(price_id: Id, db: Db, me: Author) -> Response:
    """Take a price off the list."""
    service.drop_price(db, price_id, me)
    return Response(status_code=204)


# ------------------------------------------------------------------ what a use case costs


class Assumed(BaseModel):
    """Everything that people declare about costs; what is left out is not said. `doubt` is a percentage.

    `rates`: by a measured model's id the name of its prices, or `own` for own machines.
    """

    model_config = ConfigDict(extra="forbid")

    currency: OneLine = Field(default="", max_length=3)
    rates: dict[Name, Name] = Field(default_factory=dict, max_length=200)
    tuned_rates: OneLine = Field(default="", max_length=100)
    machine: OneLine = Field(default="", max_length=100)
    person: OneLine = Field(default="", max_length=100)
    now_name: OneLine = Field(default="", max_length=100)
    machines: Finite | None = None
    hours: Finite | None = None
    calls_per_second: Finite | None = None
    peak: Finite | None = None
    upkeep_hours: Finite | None = None
    other_month: Finite | None = None
    rows_to_write: Finite | None = None
    minutes_row: Finite | None = None
    review_hours: Finite | None = None
    retrains_year: Finite | None = None
    retrain_rows: Finite | None = None
    base_billions: Finite | None = None
    teraflops: Finite | None = None
    epochs: Finite | None = None
    runs: Finite | None = None
    now_cost: Finite | None = None
    passages: Finite | None = None
    passage_tokens: Finite | None = None
    index_month: Finite | None = None
    once_calls: Finite | None = None
    doubt: Finite | None = None

    def fields(self) -> JsonDict:
        named = self.model_dump(exclude={"rates"}, exclude_none=True)
        return named | {f"rates_{model}": name for model, name in self.rates.items()}


class Way(BaseModel):
    """One way to answer. `per_call` and `month` are None while a price is missing; `lacks` says which.

    `tokens_from`: measured, or estimated. `meets`: the target, by the rule of gate G6; None where nothing says so.
    """

    name: str
    tokens_in: float | None
    tokens_out: float | None
    tokens_from: str
    score: float | None
    split: str
    meets: bool | None
    per_call: float | None
    month: float | None
    lacks: str


class Move(BaseModel):
    """Something cheaper than a training, in the order to try. saves: money a month; None while a price is missing."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    title: str
    saves: float | None
    text: str


class Figure(BaseModel):
    """One number that the sums are made of. money: it is an amount in the study's currency."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    value: float | None
    unit: str
    how: How
    note: str = ""
    money: bool = False


class Lack(BaseModel):
    """Something that has to be said or measured first; `where`: prices, describe, measure, or a field of the form."""

    model_config = ConfigDict(from_attributes=True)

    text: str
    where: str


class Costs(BaseModel):
    """What the costs of an assessment come to. Money is in `currency`, and every sum is an estimate.

    `case` is what gate G12 is told: pass, fail, or None while it cannot be known. `compared_with` is the cheapest way
    that meets the target; where `sound` is false none does, and the best so far stands in. In `comparison`,
    `break_even` None means: never at these prices. `prompt_share`: of what a call costs, 0 to 1.
    """

    object: str = "costs"
    assessment_id: int
    currency: str
    calls: float | None
    case: str | None
    answer: str
    ways: list[Way]
    trained: Way | None
    compared_with: str | None
    sound: bool
    comparison: Comparison | None
    moves: list[Move]
    figures: list[Figure]
    once: Once | None
    prompt_share: float | None
    lacks: list[Lack]
    unsaid: list[str]
    prices_used: list[NewPrice]
    prices_old: list[str]
    assumptions: JsonDict = Field(alias="said")

    @staticmethod
    def of(session: Db, assessment_id: int) -> "Costs":
        study = service.of(session, assessment_store.get(session, assessment_id))
        return Costs(
            assessment_id=assessment_id,
            currency=study.currency,
            calls=study.calls,
            case=study.case,
            answer=answer(study).text,
            ways=[_way(option) for option in study.lines],
            trained=_way(study.trained) if study.trained else None,
            compared_with=study.compared_with.name if study.compared_with else None,
            sound=study.sound,
            comparison=study.comparison,
            moves=[Move.model_validate(move) for move in study.moves],
            figures=[Figure.model_validate(figure) for figure in study.figures],
            once=study.once,
            prompt_share=study.prompt_share,
            lacks=[Lack.model_validate(lack) for lack in study.lacks],
            unsaid=list(study.unsaid),
            prices_used=[NewPrice.model_validate(price, from_attributes=True) for price in study.used],
            prices_old=[f"{price.name}: {price.unit}" for price in study.old],
            said=assumptions.as_sent(service.assumed(session, assessment_id)),
        )


def _way(option: PricedWay) -> Way:
    return Way(
        name=option.name,
        tokens_in=option.tokens.input if option.tokens else None,
        tokens_out=option.tokens.output if option.tokens else None,
        tokens_from=option.tokens_how,
        score=option.score,
        split=option.split,
        meets=option.meets,
        per_call=option.per_call,
        month=option.month,
        lacks=option.lacks,
    )


@router.get("/assessments/{assessment_id}/costs")
def show_costs(assessment_id: Id, db: Db, me: Me) -> Costs:
    """What each way to answer costs, and from which volume a trained model pays."""
    return Costs.of(db, assessment_id)


@router.put("/assessments/{assessment_id}/costs")
def assume(assessment_id: Id, db: Db, me: Author, data: Assumed) -> Costs:
    """Replace everything that was declared."""
    service.assume(db, assessment_id, data.fields(), me)
    return Costs.of(db, assessment_id)


# ------------------------------------------------------------------ the target from money


class FailureKind(BaseModel):
    """One kind of wrong answer: its share of all wrong ones, 0 to 1, and what one costs."""

    model_config = ConfigDict(extra="forbid")

    name: OneLine = Field(default="", max_length=100)
    share: float = Field(default=1.0, ge=0, le=1, allow_inf_nan=False)
    cost: Finite


class Worth(BaseModel):
    """What a right answer is worth, and what wrong ones cost."""

    model_config = ConfigDict(extra="forbid")

    success: Finite
    kinds: list[FailureKind] = Field(min_length=1, max_length=assumptions.KINDS)

    def fields(self) -> JsonDict:
        named: JsonDict = {"success": self.success}
        for index, kind in enumerate(self.kinds, start=1):
            named |= {f"kind_{index}": kind.name, f"share_{index}": 100 * kind.share, f"cost_{index}": kind.cost}
        return named


class Target(BaseModel):
    """The mean cost of a wrong answer, and the share of right ones from which it is worth it."""

    failure_cost: float
    target: float


def _place(field: str) -> str:
    """Where a field of the form is in `Worth`."""
    name, _, index = field.rpartition("_")
    return pointer("kinds", int(index) - 1, {"kind": "name"}.get(name, name)) if index.isdigit() else pointer(field)


@router.post("/target")
def work_out_target(me: Me, data: Worth) -> Target:
    """`failure cost / (worth + failure cost)`. Nothing is stored."""
    try:
        worth = assumptions.read_worth(data.fields())
    except Invalid as refusal:
        raise refusal.moved(_place) from refusal
    return Target(failure_cost=worth.cost, target=worth.target)


@router.put("/assessments/{assessment_id}/target")
def use_target(assessment_id: Id, db: Db, me: Author, data: Worth) -> Target:
    """Make it the assessment's target, rounded to a tenth of a percent."""
    try:
        worth = service.use_target(db, assessment_id, data.fields(), me)
    except Invalid as refusal:
        raise refusal.moved(_place) from refusal
    return Target(failure_cost=worth.cost, target=round(worth.target, 3))
