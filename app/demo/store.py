"""Taking the rows of a finished example out of one database, and putting them into another."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table, TypeDecorator, insert, select, update
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow, ContributionRow
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import Base, Moment
from app.demo.recording import Row, Rows
from app.gate.tables import DecisionRow, ReviewRow
from app.inference.tables import ModelRow
from app.json_types import JsonDict
from app.recipes.tables import RecipeRow
from app.training.tables import MetricRow, TrainingRow
from app.users.tables import UserRow

# In the order in which they can be put in. Jobs, logs and the record of acts stay where they were written.
TABLES: tuple[type[Base], ...] = (
    UserRow,
    ModelRow,
    AssessmentRow,
    ContributionRow,
    DatasetRow,
    ExampleRow,
    BaselineRow,
    ArmRow,
    AnswerRow,
    RecipeRow,
    ReviewRow,
    DecisionRow,
    TrainingRow,
    MetricRow,
)
SECRETS = {"password_hash", "key_sealed", "key_last4", "seal"}
"""Columns that are never written to the file."""
BY_ID = {"set_by": "users", "created_by": "users", "asked_of": "users", "lengths_model_id": "models"}
"""Columns that hold the id of a row, without a foreign key that says so."""


# ------------------------------------------------------------------ out


def taken(session: Session, assessment_id: int, dataset_id: int) -> Rows:
    """Everything that the pages of an assessment are drawn from, of the data the version `dataset_id` alone."""
    of_assessment = {"assessment_id": [assessment_id]}
    rows: dict[str, list[Row]] = {
        "assessments": _rows(session, AssessmentRow, {"id": [assessment_id]}),
        "contributions": _rows(session, ContributionRow, of_assessment),
        "datasets": _rows(session, DatasetRow, {"id": [dataset_id]}),
        "examples": _rows(session, ExampleRow, {"dataset_id": [dataset_id]}),
        "baselines": _rows(session, BaselineRow, of_assessment),
        "recipes": _rows(session, RecipeRow, of_assessment),
        "reviews": _rows(session, ReviewRow, of_assessment),
        "trainings": _rows(session, TrainingRow, of_assessment),
    }
    rows["arms"] = _rows(session, ArmRow, {"baseline_id": _ids(rows["baselines"])})
    rows["answers"] = _rows(session, AnswerRow, {"arm_id": _ids(rows["arms"])})
    rows["decisions"] = _rows(session, DecisionRow, {"review_id": _ids(rows["reviews"])})
    rows["training_metrics"] = _rows(session, MetricRow, {"training_id": _ids(rows["trainings"])})
    models = {row["model_id"] for name in ("baselines", "recipes", "trainings") for row in rows[name]}
    rows["models"] = _rows(session, ModelRow, {"id": sorted(models)})
    people = {row["user_id"] for row in rows["contributions"]} | {row["reviewer_id"] for row in rows["decisions"]}
    rows["users"] = _rows(session, UserRow, {"id": sorted(people)})
    return rows


def _ids(rows: Iterable[Row]) -> list[int]:
    return [row["id"] for row in rows]


def _rows(session: Session, kind: type[Base], where: Mapping[str, list[int]]) -> list[Row]:
    table = _table(kind)
    query = select(table).where(*(table.c[name].in_(ids) for name, ids in where.items()))
    query = query.order_by(*table.primary_key.columns)
    return [
        {
            column.name: _plain(session, column, row[number])
            for number, column in enumerate(table.columns)
            if row[number] is not None and column.name not in SECRETS
        }
        for row in session.execute(query)
    ]


def _plain(session: Session, column: Column[object], value: Any) -> object:
    """A value as JSON has it."""
    if isinstance(column.type, Moment):
        return value.isoformat()
    if isinstance(column.type, TypeDecorator):
        return column.type.process_bind_param(value, session.get_bind().dialect)
    return value


# ------------------------------------------------------------------ in


@dataclass
class Placed:
    """The new ids of the rows that were put in, by table and old id."""

    session: Session
    ids: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def put(self, kind: type[Base], rows: Iterable[Row], /, **different: object) -> list[int]:
        """Put rows of one kind in, each with its references led to the new rows. `different`: instead of what was
        recorded."""
        table = _table(kind)
        old = list(rows)
        values = [self._values(table, row) | different for row in old]
        if not values:
            return []
        if "id" not in table.c:
            self.session.execute(insert(table), values)
            return []
        ordered = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        given = list(self.session.scalars(ordered, values))
        self.ids[table.name] |= {row["id"]: new for row, new in zip(old, given, strict=True)}
        return given

    def _values(self, table: Table, row: Row) -> JsonDict:
        """What to store for a row: its own id is left to the database, and every reference is led to the new row, or to
        nothing where the row was not taken along (a job)."""
        values: JsonDict = {}
        for column in table.columns:
            value = row.get(column.name)
            led_to = BY_ID.get(column.name) or next((key.column.table.name for key in column.foreign_keys), "")
            if column.name == "id" or (value is None and not column.nullable):
                continue
            values[column.name] = (
                None if value is None else self.ids[led_to].get(value) if led_to else self._typed(column, value)
            )
        return values

    def _typed(self, column: Column[object], value: Any) -> object:
        if isinstance(column.type, Moment):
            return datetime.fromisoformat(value)
        if isinstance(column.type, TypeDecorator):
            return column.type.process_result_value(value, self.session.get_bind().dialect)
        return value

    def change(self, kind: type[Base], row_id: int, /, **values: object) -> None:
        table = _table(kind)
        self.session.execute(update(table).where(table.c.id == row_id).values(**values))


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    assert isinstance(table, Table)  # noqa: S101 - for the type: a mapped class of ours has a table
    return table
