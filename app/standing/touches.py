"""Which assessments a transaction touched, seen from the rows it changed: nobody has to remember to say so.

Every table stands here, either with the way from its rows to assessments or among those that no status depends on; a
test holds that. What is changed row by row is seen when it is flushed, what is changed by a statement when that is
executed, by the same condition.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Delete, Insert, Select, Update, event, inspect, select
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from app.assessments.tables import AssessmentRow, ContributionRow, LateTargetRow
from app.audit.tables import EntryRow
from app.baselines.tables import (
    AnswerRow,
    ArmRow,
    BaselineRow,
    JudgeCallRow,
    OpeningRow,
    RerunAnswerRow,
    RerunRow,
    TagRoundRow,
    TagRow,
    UnscoredRow,
    VersionRow,
)
from app.constraints.tables import ConstraintRow
from app.datasets.tables import DatasetRow, ExampleRow, KeptClusterRow, KeyRow
from app.db import Base
from app.deployed.tables import ServedCheckRow
from app.documents.tables import DocumentFileRow, DocumentRow
from app.economics.tables import CostRow, PriceRow
from app.gate.tables import LIVING, BarredRow, DecisionRow, ReviewRow
from app.inference.tables import ModelRow
from app.instructions.tables import CandidateRow, OptimisationRow
from app.jobs.tables import JobEventRow, JobRow, WorkerRow
from app.judging.tables import JudgeLabelRow, JudgementRow, JudgeRoundRow, JudgeRunRow, RubricRow
from app.labelling.tables import LabelRoundRow, SecondLabelRow
from app.merged.tables import MergedRow
from app.policies.tables import PolicyRow
from app.recipes.tables import RecipeRow
from app.registry.tables import AdapterStateRow
from app.release.tables import ReleaseAnswerRow
from app.relevance.tables import PassageMarkRow, RetrievalCheckRow
from app.retrieval.tables import IndexRow
from app.scoring.tables import DatabaseRow, ScorerRow, WatchedResultRow, WatchedRow, WatchedScoreRow
from app.serving.tables import ServedCallRow, ServedRow
from app.sharing.tables import ShareRow
from app.standing.tables import StandingRow
from app.training.tables import CheckpointRow, MetricRow, TrainingRow
from app.users.tables import FailureRow, PlaceRow, SessionRow, SetupRow, TokenRow, UserRow

Keys = Collection[object]  # values of the column that a table is looked up by
Ids = Callable[[Keys], "Select[int] | CompoundSelect[int]"]


@dataclass(frozen=True, slots=True)
class Way:
    """How rows of a table lead to assessments.

    key: the column to go by. ids: from values of it to the ids of assessments; None where the values are these ids.
    columns: those that matter when a row is changed; none named means all. added: whether a new row matters.
    kin: other assessments on the same test rows are touched, too.
    """

    key: str
    ids: Ids | None = None
    columns: frozenset[str] = frozenset()
    added: bool = True
    kin: bool = False


def _of_arms(ids: Keys) -> "Select[int]":
    return (
        select(BaselineRow.assessment_id).join(ArmRow, ArmRow.baseline_id == BaselineRow.id).where(ArmRow.id.in_(ids))
    )


def _of_answers(ids: Keys) -> "Select[int]":
    query = select(BaselineRow.assessment_id).join(ArmRow, ArmRow.baseline_id == BaselineRow.id)
    return query.join(AnswerRow, AnswerRow.arm_id == ArmRow.id).where(AnswerRow.id.in_(ids))


def _of_baselines(ids: Keys) -> "Select[int]":
    return select(BaselineRow.assessment_id).where(BaselineRow.id.in_(ids))


def _of_datasets(ids: Keys) -> "Select[int]":
    return select(DatasetRow.assessment_id).where(DatasetRow.id.in_(ids))


def _of_rubrics(ids: Keys) -> "Select[int]":
    return select(RubricRow.assessment_id).where(RubricRow.id.in_(ids))


def _of_reviews(ids: Keys) -> "Select[int]":
    return select(ReviewRow.assessment_id).where(ReviewRow.id.in_(ids))


def _of_files(ids: Keys) -> "Select[int]":
    return select(DocumentFileRow.assessment_id).where(DocumentFileRow.id.in_(ids))


def _of_models(ids: Keys) -> "CompoundSelect[int]":
    trained = select(RecipeRow.assessment_id).where(RecipeRow.model_id.in_(ids))
    judged = select(JudgeRunRow.assessment_id).where(JudgeRunRow.judge_id.in_(ids))
    return trained.union(select(BaselineRow.assessment_id).where(BaselineRow.model_id.in_(ids)), judged)


def _with_costs(_: Keys) -> "Select[int]":
    """Prices are looked up by name and unit, a new one may be the one that was missing."""
    return select(CostRow.assessment_id)


def _approved_by(ids: Keys) -> "Select[int]":
    """Only whoever approved something that was not launched yet matters to a status."""
    return (
        select(ReviewRow.assessment_id)
        .join(DecisionRow, DecisionRow.review_id == ReviewRow.id)
        .where(DecisionRow.reviewer_id.in_(ids), ReviewRow.state.in_(LIVING))
    )


def _only(*names: str) -> frozenset[str]:
    return frozenset(names)


WAYS: Mapping[type[Base], Way] = {
    AssessmentRow: Way("id"),
    LateTargetRow: Way("assessment_id", kin=True),
    ContributionRow: Way("assessment_id", columns=_only("user_id")),
    DatasetRow: Way("assessment_id"),
    LabelRoundRow: Way("dataset_id", _of_datasets, columns=_only("done_at"), added=False),
    DocumentFileRow: Way("assessment_id"),
    DocumentRow: Way("file_id", _of_files),
    IndexRow: Way("assessment_id", columns=_only("state")),
    RetrievalCheckRow: Way("assessment_id", columns=frozenset({"done_at"}), added=False),
    PassageMarkRow: Way("assessment_id"),
    BaselineRow: Way("assessment_id", kin=True),
    ArmRow: Way("baseline_id", _of_baselines, kin=True),
    AnswerRow: Way("arm_id", _of_arms, columns=_only("cause", "score"), added=False),
    ConstraintRow: Way("assessment_id"),
    RubricRow: Way("assessment_id"),
    JudgeRoundRow: Way("rubric_id", _of_rubrics, columns=_only("done_at"), added=False),
    TagRow: Way("answer_id", _of_answers),
    TagRoundRow: Way("baseline_id", _of_baselines, columns=_only("done_at")),
    CostRow: Way("assessment_id"),
    RecipeRow: Way("assessment_id"),
    ReviewRow: Way("assessment_id", columns=_only("state", "revision", "subject")),
    DecisionRow: Way("review_id", _of_reviews),
    TrainingRow: Way(
        "assessment_id", columns=_only("state", "result", "finished_at", "job_id", "arm_id", "adapter_sha256")
    ),
    JobRow: Way("assessment_id", columns=_only("status")),
    ModelRow: Way("id", _of_models, added=False),
    PriceRow: Way("id", _with_costs),
    UserRow: Way("id", _approved_by, columns=_only("role", "active", "password_hash"), added=False),
}

UNTOUCHING: frozenset[type[Base]] = frozenset(
    {
        StandingRow,
        ExampleRow,  # what the check found is in its version's report
        KeyRow,
        KeptClusterRow,
        OpeningRow,
        RerunRow,  # what it says is beside a result and changes none
        RerunAnswerRow,
        VersionRow,
        OptimisationRow,  # its winner is an arm, and its job says that it is running
        CandidateRow,
        JudgeRunRow,  # its job says that it is running, and when it is through
        JudgementRow,
        JudgeCallRow,  # what it said is the score of an answer
        UnscoredRow,  # waits beside the answers to be one
        JudgeLabelRow,  # what is said in a round counts once the round is done
        SecondLabelRow,  # what is said in a round counts once the round is done
        BarredRow,
        EntryRow,
        PolicyRow,  # an assessment keeps the policy that it began with
        ShareRow,
        DatabaseRow,  # a measurement names it by its hash
        ScorerRow,  # the same
        WatchedRow,  # what is watched decides nothing
        WatchedScoreRow,
        WatchedResultRow,
        ServedRow,
        ServedCallRow,
        JobEventRow,
        WorkerRow,
        MetricRow,
        CheckpointRow,
        AdapterStateRow,
        ServedCheckRow,
        MergedRow,  # the same adapter in another form
        ReleaseAnswerRow,  # what they come to is in the run's result
        SessionRow,
        TokenRow,
        FailureRow,
        PlaceRow,
        SetupRow,
    }
)
"""Tables that no status depends on."""

# Changes of an assessment that lists show and no rule looks at.
LIGHT = frozenset({"title", "team", "note", "updated_at", "last_tab", "version", "questions_version", "assumed"})
# Changes that leave what was measured as it is, if the answers are not among those that it depends on.
ANSWERING = LIGHT | {"answers", "revision", "revised_at"}


class Touches:
    """What one transaction touched: values of the keys by table; assessments of which only a copy moved, and those of
    which answers changed, with their names."""

    def __init__(self) -> None:
        self.keys: dict[type[Base], set[Any]] = {}
        self.light: set[int] = set()
        self.answered: dict[int, set[str]] = {}

    def __bool__(self) -> bool:
        return bool(self.keys or self.light or self.answered)

    def add_answers(self, assessment_id: int, names: Iterable[str]) -> None:
        self.answered.setdefault(assessment_id, set()).update(names)

    def add(self, table: type[Base], values: Iterable[object]) -> None:
        there = {value for value in values if value is not None}
        if there:
            self.keys.setdefault(table, set()).update(there)


def of(session: Session) -> Touches:
    """What was touched in this session and not settled yet."""
    touches: Touches = session.info.setdefault(Touches, Touches())
    return touches


def take(session: Session) -> Touches:
    """The same; from here on nothing is touched."""
    taken = of(session)
    session.info[Touches] = Touches()
    return taken


def watch() -> None:
    """Look at every session of this process from now on; once is enough."""
    if not event.contains(Session, "after_flush", _flushed):
        event.listen(Session, "after_flush", _flushed)
        event.listen(Session, "do_orm_execute", _executed)


def _flushed(session: Session, _context: UOWTransaction) -> None:
    for row in session.new:
        way = WAYS.get(type(row))
        if way is not None and way.added:
            _note(session, row, way)
    for row in session.dirty:
        way = WAYS.get(type(row))
        if way is not None and (changed := _changed(row)):
            if isinstance(row, AssessmentRow) and changed <= LIGHT:
                of(session).light.add(row.id)
            elif isinstance(row, AssessmentRow) and changed <= ANSWERING and (names := _answers(row)) is not None:
                of(session).add_answers(row.id, names)
            elif not way.columns or way.columns & changed:
                _note(session, row, way)
    for row in session.deleted:
        if (way := WAYS.get(type(row))) is not None:
            _note(session, row, way)


def _note(session: Session, row: Base, way: Way) -> None:
    of(session).add(type(row), [getattr(row, way.key)])


def _changed(row: Base) -> set[str]:
    state = inspect(row)
    return {column.key for column in state.mapper.column_attrs if state.attrs[column.key].history.has_changes()}


def _answers(row: AssessmentRow) -> set[str] | None:
    """The names of the answers that are other than before; None where it is not known what was before."""
    history = inspect(row).attrs.answers.history
    if not history.added:
        return set()
    if not history.deleted:
        return None
    before, now = history.deleted[0] or {}, history.added[0] or {}
    return {name for name in before.keys() | now.keys() if before.get(name, ...) != now.get(name, ...)}


def _executed(state: ORMExecuteState) -> None:
    statement = state.statement
    if not isinstance(statement, Update | Delete | Insert) or state.bind_mapper is None:
        return
    table = state.bind_mapper.class_
    way = WAYS.get(table)
    if way is None:
        return
    if isinstance(statement, Insert):
        if way.added:
            given: Any = state.parameters or {}
            rows = given if isinstance(given, list) else [given]
            if way.key == "id":
                raise RuntimeError(f"add {table.__name__} row by row: a statement does not say which ones it made")
            of(state.session).add(table, [row.get(way.key) for row in rows])
        return
    changed = _assigned(statement) if isinstance(statement, Update) else frozenset()
    if changed and way.columns and not way.columns & changed:
        return
    query = select(getattr(table, way.key)).distinct()
    if statement.whereclause is not None:
        query = query.where(statement.whereclause)
    _note_changed(of(state.session), table, state.session.scalars(query).all(), changed)


def _note_changed(touches: Touches, table: type[Base], values: Sequence[int], changed: AbstractSet[str]) -> None:
    if table is not AssessmentRow or not changed or not changed <= ANSWERING - {"answers"}:
        touches.add(table, values)
    elif changed <= LIGHT:
        touches.light.update(values)
    else:
        for assessment_id in values:
            touches.add_answers(assessment_id, ())


def _assigned(statement: Update) -> AbstractSet[str]:
    """The columns that a statement assigns; the library has no public word for it."""
    assigned: Iterable[object] = statement._values or ()  # noqa: SLF001 - see above
    return {getattr(column, "key", str(column)) for column in assigned}


def assessments(session: Session, touches: Touches) -> tuple[set[int], set[int]]:
    """The assessments that were touched, and those of them of which others on the same test rows are touched, too."""
    every: set[int] = set()
    kin: set[int] = set()
    for table, keys in touches.keys.items():
        way = WAYS[table]
        ids = keys if way.ids is None else set(session.scalars(way.ids(sorted(keys))))
        every |= ids
        if way.kin:
            kin |= ids
    return every, kin
