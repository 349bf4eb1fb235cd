"""What people say about the costs of one use case. Nothing here is measured, and every page says so.

Each number stands once, in `NUMBERS`, for the form, for programs and for what is stored; None is "not said yet", which
is something else than 0. What is not said never counts in favour of training (`cost_model`).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from app import glossary
from app.advice import economics
from app.advice.economics import Failure
from app.errors import FieldError, Invalid
from app.json_types import JsonDict, JsonObject
from app.text import one_line

OWN = "own"  # in place of a price's name: the model runs on the team's machines
KINDS = 5  # kinds of failure that the form has room for
LONGEST = 100
NUMBER = re.compile(r"-?(\d+|\d{1,3}([, ]\d{3})+)(\.\d*)?(e[+-]?\d{1,3})?|-?\.\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of wrong answer. share: of all wrong ones, 0 to 1. cost: money that one takes."""

    name: str
    share: float
    cost: float


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Everything declared for the costs of one assessment. Money is in `currency`.

    rates: by a measured model's id the name of its prices, `own` for own machines, nothing: the price of its name.
    tuned_rates: name of the prices of a hosted trained model; empty: it runs on own machines.
    machine, person: names of the prices of an hour; empty: the only one in the list.
    calls_per_second: what one machine answers; peak: busiest second over the average one.
    upkeep_hours: people's hours a month; other_month: money a month besides.
    rows_to_write, minutes_row: examples that people still write or check; review_hours: to judge the result, each time.
    retrains_year, retrain_rows: how often it is made anew, and with how many new rows.
    base_billions, teraflops, epochs, runs: for the machine hours of training.
    now_cost: money for one call of what is in use today, if something is; now_name: what it is.
    passages, passage_tokens, index_month: looking passages up, if that is compared.
    once_calls: all calls of a job that runs only once.
    doubt: how far off all of this may be, 0 to 1. success, kinds: what answers are worth (the target's helper).
    """

    currency: str = ""
    rates: Mapping[str, str] = field(default_factory=dict)
    tuned_rates: str = ""
    machine: str = ""
    person: str = ""
    machines: float | None = None
    hours: float | None = None
    calls_per_second: float | None = None
    peak: float | None = None
    upkeep_hours: float | None = None
    other_month: float | None = None
    rows_to_write: float | None = None
    minutes_row: float | None = None
    review_hours: float | None = None
    retrains_year: float | None = None
    retrain_rows: float | None = None
    base_billions: float | None = None
    teraflops: float | None = None
    epochs: float | None = None
    runs: float | None = None
    now_name: str = ""
    now_cost: float | None = None
    passages: float | None = None
    passage_tokens: float | None = None
    index_month: float | None = None
    once_calls: float | None = None
    doubt: float | None = None
    success: float | None = None
    kinds: tuple[Kind, ...] = ()

    def to_json(self) -> JsonDict:
        """What was said, and nothing else."""
        return {
            name: [*value] if name == "kinds" else value
            for name, value in asdict(self).items()
            if value not in (None, "", (), {})
        }


@dataclass(frozen=True, slots=True)
class NumberField:
    """One number of the form. least, most: sane bounds. usual: what counts while nothing is said, if anything does."""

    name: str
    label: str
    help: str
    unit: str = ""
    least: float = 0.0
    most: float = 1e9
    whole: bool = False
    usual: float | None = None


GROUPS: tuple[tuple[str, str, tuple[NumberField, ...]], ...] = (
    (
        "Running a trained model",
        "Fixed costs of a machine decide the break-even; the training itself is the small part.",
        (
            NumberField("machines", "Machines that always run", "", "machines", 1, 10_000, whole=True, usual=1),
            NumberField("hours", "Hours paid a month, each", "730 is always on; fewer if they sleep.", "hours", 0, 744,
                  usual=economics.HOURS_A_MONTH),
            NumberField("calls_per_second", "Throughput per machine",
                  "Requests a second that one machine answers. Leave it empty if one set of machines carries any "
                  "volume you expect.", "req/s", 1e-6, 1e6),
            NumberField("peak", "Peak-to-average load", "The busiest second over the average one.", "times", 1, 1000,
                        usual=economics.PEAK),
            NumberField("upkeep_hours", "Hours a month that people look after it", "Watching it, updates, incidents.",
                  "hours", 0, 10_000),
            NumberField("other_month", "Other money a month", "Storage, monitoring, a support contract.", "", 0, 1e9,
                  usual=0),
        ),
    ),
    (
        "Training and retraining",
        "People's time for data and review is usually most of it.",
        (
            NumberField("rows_to_write", "Examples that people still write or check",
                  "Empty: as many as the first criterion and the test rows still lack.", "rows", 0, 1e8, whole=True),
            NumberField("minutes_row", "Minutes per example", "Writing or checking one.", "minutes", 0, 10_000),
            NumberField("review_hours", "Hours to review one result", "", "hours", 0, 10_000),
            NumberField("retrains_year", "Retrains per year",
                  "When the base model, the labels or the rules change. Never is 0.", "times", 0, 365),
            NumberField("retrain_rows", "New examples each time", "", "rows", 0, 1e8, whole=True, usual=0),
            NumberField("base_billions", "Size of the base model", "Only for the hours of training.",
                        "billion parameters", 0.01, 10_000),
            NumberField("teraflops", "Peak speed of the training machine",
                  "16-bit figure in its data sheet. Prices of machine hours count for it.", "TFLOP/s", 0.01, 1e6),
            NumberField("epochs", glossary.label("recipe.epochs"), glossary.term("recipe.epochs").help,
                        "epochs", 1, 100, usual=3),
            NumberField("runs", "Tuning runs", "Six to ten are usual.", "runs", 1, 1000, whole=True,
                        usual=8),
        ),
    ),
    (
        "What else to compare with",
        "The comparison uses the cheapest that meets the target.",
        (
            NumberField("now_cost", "What one call costs with what you use today", "Only if it meets the target.",
                  "", 0, 1e6),
            NumberField("once_calls", "All its calls, if the job runs only once", "Shows both bills side by side.",
                        "calls", 1, 1e10, whole=True),
            NumberField("passages", "Retrieved passages per call", "Draws a line for RAG.",
                        "passages", 1, 1000),
            NumberField("passage_tokens", "Tokens in a passage", "", "tokens", 1, 100_000),
            NumberField("index_month", "The search index, money a month", "", "", 0, 1e9, usual=0),
            NumberField("doubt", "Uncertainty",
                        "How far off your figures may be. Gives the band around the break-even.",
                        "%", 0, 90,
                  usual=100 * economics.DOUBT),
        ),
    ),
)  # fmt: skip
NUMBERS: Mapping[str, NumberField] = {number.name: number for _, _, group in GROUPS for number in group}
NO_USUAL_VALUE = ("upkeep_hours", "retrains_year", "minutes_row", "review_hours")
"""Costs of the trained side that have no usual value: until they are said, nothing can pass."""


FIRST = ("calls_per_second", *NO_USUAL_VALUE)
"""What the form asks first: the figures that decide and that nobody but the team can know."""


def groups() -> tuple[tuple[str, str, tuple[NumberField, ...]], ...]:
    """The fields of the form in its groups, without those that it asks first."""
    return tuple(
        (title, intro, tuple(number for number in group if number.name not in FIRST)) for title, intro, group in GROUPS
    )


def of_stored(stored: JsonObject) -> Assumptions:
    """From what `to_json` made; names of an older version that are gone are passed over."""
    known = {item.name for item in fields(Assumptions)}
    values: dict[str, Any] = {name: value for name, value in stored.items() if name in known}
    values["kinds"] = tuple(Kind(**kind) for kind in values.get("kinds", ()))
    return Assumptions(**values)


def read(sent: JsonObject) -> Assumptions:
    """What a form or a program sends, without the target's helper; a doubt is a percentage here.

    Raises:
        Invalid: with every fault.
    """
    faults: list[FieldError] = []
    values: dict[str, Any] = {}  # by the names of the fields
    for number_field in NUMBERS.values():
        values[number_field.name] = _number(number_field, sent.get(number_field.name), faults)
    if values["doubt"] is not None:
        values["doubt"] /= 100
    for name in ("currency", "tuned_rates", "machine", "person", "now_name"):
        values[name] = one_line(sent.get(name))[:LONGEST]
    values["currency"] = values["currency"].upper()
    values["rates"] = {
        str(key).removeprefix("rates_"): text[:LONGEST]
        for key, value in sent.items()
        if str(key).startswith("rates_") and (text := one_line(value))
    }
    if (values["passages"] is None) != (values["passage_tokens"] is None):
        faults.append(FieldError("#/passages", "Say both how many passages and how long one is, or neither."))
    if faults:
        raise Invalid("Some figures can't be used.", faults)
    return Assumptions(**values)


def _number(field: NumberField, text: object, faults: list[FieldError]) -> float | None:
    value = number(text)
    if value is None:
        return None
    if not math.isfinite(value) or not field.least <= value <= field.most or (field.whole and value != int(value)):
        kind = "a whole number" if field.whole else "a number"
        faults.append(FieldError(f"#/{field.name}", f"Use {kind} from {field.least:,g} to {field.most:,g}."))
        return None
    return value


def number(typed: object) -> float | None:
    """`1,500`, `1 500.5`, `0.25`; empty is None, and what is no number is NaN, which every bound refuses.

    `0,25` is refused too: read as 25 or as 0.25, one of two people would be wrong without noticing.
    """
    if typed is None:
        return None
    text = "" if isinstance(typed, bool) else str(typed).strip().removesuffix("%").rstrip()
    if not text and not isinstance(typed, bool):
        return None
    if not NUMBER.fullmatch(text):
        return math.nan
    return float(re.sub(r"[, ]", "", text))


# ------------------------------------------------------------------------------------------------------ the target


@dataclass(frozen=True, slots=True)
class Worth:
    """What right and wrong answers are worth, and the accuracy from which that is even."""

    success: float
    kinds: tuple[Kind, ...]

    @property
    def cost(self) -> float:
        return economics.failure_cost([Failure(kind.share, kind.cost) for kind in self.kinds])

    @property
    def target(self) -> float:
        return economics.break_even_accuracy(self.success, self.cost)


def read_worth(sent: JsonObject) -> Worth:
    """What the target's helper sends: `success`, and `kind_N`, `share_N` (percent), `cost_N` for each kind of failure.

    A single kind needs no share. The shares have to add up to 100 %, to within half a point.

    Raises:
        Invalid: with every fault.
    """
    faults: list[FieldError] = []
    success = _money("success", sent.get("success"), faults)
    if success is None and not faults:
        faults.append(FieldError("#/success", "Say what a right answer is worth; 0 if it only avoids harm."))
    rows = [row for index in range(1, KINDS + 1) if (row := _row(index, sent, faults)) is not None]
    if not rows and not faults:
        faults.append(FieldError("#/cost_1", "Say what a wrong answer costs, for at least one kind."))
    if len(rows) == 1 and rows[0].share is None:
        rows = [replace(rows[0], share=100.0)]
    faults += [
        FieldError(f"#/share_{row.index}", "Say how often it is of this kind.") for row in rows if row.share is None
    ]
    total = sum(row.share or 0.0 for row in rows)
    if rows and not faults and abs(total - 100) > 0.5:
        faults.append(FieldError(f"#/share_{rows[0].index}", f"The shares add up to {total:g} %, not to 100 %."))
    kinds = tuple(Kind(row.name, (row.share or 0.0) / total if total else 0.0, row.cost) for row in rows)
    if not faults and not (success or any(kind.share * kind.cost for kind in kinds)):
        faults.append(FieldError("#/success", "If nothing is worth or costs anything, no target follows from it."))
    if faults:
        raise Invalid("The target can't be calculated yet.", faults)
    return Worth(success or 0.0, kinds)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the helper's form as typed; share in percent."""

    index: int
    name: str
    share: float | None
    cost: float


def _row(index: int, sent: JsonObject, faults: list[FieldError]) -> _Row | None:
    """A line that says what one of its kind costs; None for an empty one, and for one with a fault."""
    name = one_line(sent.get(f"kind_{index}"))[:LONGEST]
    share = number(sent.get(f"share_{index}"))
    before = len(faults)
    cost = _money(f"cost_{index}", sent.get(f"cost_{index}"), faults)
    if share is not None and not 0 <= share <= 100:
        faults.append(FieldError(f"#/share_{index}", "Use a percentage from 0 to 100."))
    if cost is None:
        if (name or share is not None) and len(faults) == before:
            faults.append(FieldError(f"#/cost_{index}", "Say what one of these costs."))
        return None
    return _Row(index, name, share, cost)


def _money(name: str, typed: object, faults: list[FieldError]) -> float | None:
    value = number(typed)
    if value is not None and not (math.isfinite(value) and 0 <= value <= 1e12):
        faults.append(FieldError(f"#/{name}", "Use an amount of money, 0 or more."))
        return None
    return value


# ------------------------------------------------------------------------------------------------------ as sent


def as_sent(assumptions: Assumptions) -> JsonDict:
    """What `read` would take to give the same, for programs: a doubt is a percentage, nothing unsaid is there."""
    values = {name: value for name, value in assumptions.to_json().items() if name not in ("success", "kinds")}
    if assumptions.doubt is not None:
        values["doubt"] = round(100 * assumptions.doubt, 6)
    return values


def form_values(assumptions: Assumptions) -> dict[str, str]:
    """The same for a form: every field as text, and the choice for each model under `rates_ID`."""
    values = as_sent(assumptions)
    texts = {name: plain(value) if isinstance(value, float | int) else str(value) for name, value in values.items()}
    texts.pop("rates", None)
    return texts | {f"rates_{model}": name for model, name in assumptions.rates.items()}


def worth_values(assumptions: Assumptions) -> dict[str, str]:
    """What was said about right and wrong answers, for the form of the target's helper."""
    texts = {} if assumptions.success is None else {"success": plain(assumptions.success)}
    for index, kind in enumerate(assumptions.kinds, start=1):
        texts |= {
            f"kind_{index}": kind.name,
            f"share_{index}": plain(round(100 * kind.share, 6)),
            f"cost_{index}": plain(kind.cost),
        }
    return texts


def plain(value: float) -> str:
    """A number without an exponent and without needless zeros: 0.25, 1500, 0.0000001."""
    return f"{value:.12f}".rstrip("0").rstrip(".")
