"""What page and API of two variants side by side share: the values of an address, prices, the record of a look."""

from typing import Annotated

from fastapi import Depends, Query

from app.assessments import store as assessment_store
from app.baselines.deps import shown_to
from app.baselines.side_filter import MARKS, Mark, Split, Wanted, Which
from app.baselines.side_view import Chosen
from app.baselines.spending import prices_at_hand
from app.baselines.tables import BaselineRow
from app.inference import store as model_store
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import Db
from app.web.params import LARGEST, OneLine
from app.web.protocols import CallPrice


def wanted_rows(
    a: Annotated[int | None, Query(ge=1, le=LARGEST, description="id of a variant")] = None,
    b: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="id of the one beside it, which fixes and breaks rows")
    ] = None,
    split: Split = "dev",
    which: Which = "all",
    mark: Annotated[
        tuple[Mark, ...], Query(max_length=len(MARKS), description="each has to hold for one of the two answers")
    ] = (),
    expected: Annotated[OneLine, Query(max_length=1_000, description="the expected answer is this label")] = "",
    words: Annotated[
        OneLine, Query(max_length=200, description="in question, expected answer or one of the answers")
    ] = "",
) -> Wanted:
    """The variants, rows and filters that an address asks for."""
    return Wanted(a, b, split, which, tuple(dict.fromkeys(mark)), expected, words)


OfAddress = Annotated[Wanted, Depends(wanted_rows)]


def note_look(app: AppContext, db: Db, me: UserRow, both: Chosen) -> None:
    """Reading answers to test rows is on record."""
    if both.pairs.split == "test":
        shown_to(app, db, me, both.baseline, [both.a, both.b], "read")


def prices_of(app: AppContext, db: Db, baseline: BaselineRow) -> dict[int, CallPrice]:
    """What calls of the models cost, by their id; see `spending.prices_at_hand`."""
    return priced(app, db, baseline)[0]


def priced(app: AppContext, db: Db, baseline: BaselineRow) -> tuple[dict[int, CallPrice], bool]:
    """The same, and whether they are those of the measurement."""
    assessment = assessment_store.get(db, baseline.assessment_id)
    return prices_at_hand(baseline, app.call_prices(db, assessment, model_store.everything(db)))


def currency_of(prices: dict[int, CallPrice]) -> str:
    return next((price.currency for price in prices.values()), "")
