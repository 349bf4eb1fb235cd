"""What people do before anything is scored: upload a database, add a scorer; and putting a metric to work."""

import hashlib
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.blobs import Blob, Blobs
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.evaluation.kinds.metric import Options, text_of
from app.processes.sealed import Broken, Unavailable
from app.scoring import store
from app.scoring.scores import AboutRow, Scoring, Statements, TeamScorer, computed
from app.scoring.sql_child import Table
from app.scoring.tables import DatabaseRow, ScorerRow, Tried
from app.settings import Settings
from app.uploads.multipart import display_name
from app.users.tables import UserRow

DATABASE_LIMIT = 64 << 20  # bytes: it is held in memory
MOST_DATABASES = 20  # of one assessment
HEAD = b"SQLite format 3\x00"
SCORER_LIMIT = 64 << 10  # characters
LONGEST_NAME = 80
OFF = (
    "Scorers in Python are switched off on this server. The operator can allow them: TUNEGATE_TEAM_SCORERS=true, then "
    "start it again."
)
JUDGE_ELSEWHERE = (
    "An LLM judge is watched on its own page, LLM judge. It decides where a measurement began with it as its metric."
)
# What every scorer is tried on: answer, expected answer.
SAMPLES = (
    ("refund", "refund"),
    ("bug", "refund"),
    ("", "refund"),
    ("The answer is refund.", "refund"),
    ('{"label": "refund"}', '{"label": "refund"}'),
    ("日本語 ✓", "日本語"),
)


# ---------------------------------------------------------------- databases


def tables_of(blobs: Blobs, blob: Blob) -> list[Table]:
    """What a stored file holds as a database. It takes a process and a moment: no transaction waits for it.

    Raises:
        Invalid: it is no SQLite database that can be read, or it is too large.
        Conflict: this machine cannot confine the process that reads it.
    """
    blobs.within(blob.size, DATABASE_LIMIT)
    with blobs.open(blob.sha256) as file:
        if file.read(len(HEAD)) != HEAD:
            raise _no_database("This is no SQLite database: it does not begin like one.")
    statements = Statements(blobs.path(blob.sha256).resolve())
    try:
        tables = statements.tables()
    except Broken as why:
        raise _no_database(f"It {why}.") from why
    except Unavailable as why:
        raise Conflict(str(why)) from why
    finally:
        statements.close()
    if not tables:
        raise _no_database("The database holds no table.")
    return tables


def add_database(
    session: Session, assessment_id: int, by: UserRow, blob: Blob, name: str, tables: Sequence[Table]
) -> DatabaseRow:
    """Take a stored file in as a database of an assessment. The same file again gives the one that is there. tables: of
    `tables_of`.

    Raises:
        Invalid: there are too many.
    """
    assessment = assessment_store.opened(session, assessment_id)
    there = store.databases(session, assessment_id)
    if same := next((row for row in there if row.sha256 == blob.sha256), None):
        return same
    if len(there) >= MOST_DATABASES:
        raise _no_database(f"One assessment takes up to {MOST_DATABASES} databases. Remove one first.")
    row = DatabaseRow(
        assessment_id=assessment_id,
        name=display_name(name),
        sha256=blob.sha256,
        bytes=blob.size,
        tables=list(tables),
        uploaded_by=by.id,
        uploaded_at=utcnow(),
    )
    session.add(row)
    session.flush()
    assessments.contribute(session, assessment, by, "measure", changed=False)
    detail = {"assessment": assessment_id, "database": row.name, "sha256": row.sha256}
    audit.record(session, by, "scoring.add_database", "assessment", assessment_id, detail)
    return row


def remove_database(session: Session, assessment_id: int, database_id: int, *, by: UserRow) -> DatabaseRow:
    """Offer it no more; what was measured with it keeps it."""
    assessment = assessment_store.opened(session, assessment_id)
    row = store.database(session, assessment_id, database_id)
    row.removed_at = utcnow()
    session.flush()
    assessments.contribute(session, assessment, by, "measure", changed=False)
    detail = {"assessment": assessment_id, "database": row.name, "sha256": row.sha256}
    audit.record(session, by, "scoring.remove_database", "assessment", assessment_id, detail)
    return row


def _no_database(why: str) -> Invalid:
    return Invalid("The database was not added.", [FieldError("#/database", why)])


# ---------------------------------------------------------------- scorers


def tried(settings: Settings, text: str) -> list[Tried]:
    """What a scorer gives to sample rows, each in two processes. That takes a moment: no transaction waits for it.

    Raises:
        Invalid: it cannot be used, breaks on a row, or does not give the same score twice.
        Conflict: the operator does not allow scorers, or this machine cannot confine them.
    """
    if not settings.team_scorers:
        raise Conflict(OFF)
    if not text.strip() or len(text) > SCORER_LIMIT:
        raise _no_scorer(f"Write a function of 1 to {SCORER_LIMIT:,} characters.")
    first, second = _scored(text), _scored(text)
    for once, again in zip(first, second, strict=True):
        if once["score"] != again["score"]:
            raise _no_scorer(
                f"It does not give the same score twice: {once['score']:g} and {again['score']:g} for the answer "
                f"{once['answer']!r}. A score has to follow from the answer, the expected answer and the row alone."
            )
    return first


def _scored(text: str) -> list[Tried]:
    """The sample rows with their scores; the first that gets none ends it."""
    scorer, rows = TeamScorer(text), list[Tried]()
    try:
        for answer, expected in SAMPLES:
            score = scorer.score(answer, expected, AboutRow())
            if score.value is None:
                raise _no_scorer(f"{score.why} The answer was {answer!r}, the expected one {expected!r}.")
            rows.append({"answer": answer, "expected": expected, "score": score.value})
    except Unavailable as why:
        raise Conflict(str(why)) from why
    finally:
        scorer.close()
    return rows


def add_scorer(session: Session, name: str, text: str, *, by: UserRow, trial: Sequence[Tried]) -> ScorerRow:
    """Keep a scorer as the next version of its name. by: an administrator. trial: what `tried` said of this text.

    Raises:
        Conflict: this text is there already.
        Invalid: it has no name.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise Invalid("The scorer was not added.", [FieldError("#/name", f"Write 1 to {LONGEST_NAME} characters.")])
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if there := store.scorer_of(session, sha256):
        raise Conflict(f"This text is there already, as {there.label}.")
    row = ScorerRow(
        name=name,
        version=store.newest_version(session, name) + 1,
        text=text,
        sha256=sha256,
        trial=list(trial),
        created_by=by.id,
        created_at=utcnow(),
    )
    session.add(row)
    session.flush()
    detail = {"name": row.name, "version": row.version, "sha256": sha256}
    audit.record(session, by, "scoring.add_scorer", "scorer", row.id, detail)
    return row


def retire_scorer(session: Session, scorer_id: int, *, by: UserRow) -> ScorerRow:
    """Offer a version no more; what was measured with it keeps it."""
    row = store.scorer(session, scorer_id)
    if row.retired_at is None:
        row.retired_by, row.retired_at = by.id, utcnow()
        session.flush()
        detail = {"name": row.name, "version": row.version, "sha256": row.sha256}
        audit.record(session, by, "scoring.retire_scorer", "scorer", row.id, detail)
    return row


def _no_scorer(why: str) -> Invalid:
    return Invalid("The scorer was not added.", [FieldError("#/text", why)])


# ---------------------------------------------------------------- at work


def opened(session: Session, settings: Settings, blobs: Blobs, metric: str, options: Options) -> Scoring:
    """A metric with its options, ready to score; whoever has it closes it.

    Raises:
        Conflict: what it is executed with is not there, or not allowed.
    """
    if metric == "llm_judge":
        raise Conflict(JUDGE_ELSEWHERE)
    if metric == "sql_result":
        return Statements(blobs.path(text_of(options, "database")).resolve(), fence=bool(options.get("fence")))
    if metric == "team_scorer":
        if not settings.team_scorers:
            raise Conflict(OFF)
        row = store.scorer_of(session, text_of(options, "scorer"))
        if row is None:
            raise Conflict("The team's scorer that this is scored with is not there.")
        return TeamScorer(row.text)
    return computed(metric, options)


def against(
    session: Session, settings: Settings | None, assessment_id: int, metric: str, options: Options
) -> list[FieldError]:
    """Why a metric with these options cannot be chosen for something new, one fault each."""
    if metric == "llm_judge":
        return [FieldError("#/metric", JUDGE_ELSEWHERE)]
    if metric == "sql_result" and "database" in options:
        there = {row.sha256 for row in store.databases(session, assessment_id)}
        if options["database"] not in there:
            return [FieldError("#/metric_options/database", "Choose one of the uploaded databases.")]
    if metric == "team_scorer" and "scorer" in options:
        if settings is None or not settings.team_scorers:
            return [FieldError("#/metric_options/scorer", OFF)]
        row = store.scorer_of(session, text_of(options, "scorer"))
        if row is None or row.retired_at is not None:
            return [FieldError("#/metric_options/scorer", "Choose one of the team's scorers.")]
    return []


def choices(session: Session, settings: Settings, assessment_id: int) -> dict[str, list[tuple[str, str]]]:
    """What a form offers for options that name something stored: pairs of SHA-256 and label, by the option's kind, each
    after the line that asks to choose."""
    databases = [(row.sha256, f"{row.name}, {row.sha256[:12]}…") for row in store.databases(session, assessment_id)]
    scorers = [(row.sha256, f"{row.label}, {row.sha256[:12]}…") for row in store.scorers(session)]
    none = ("", "Choose one")
    return {"database": [none, *databases], "scorer": [none, *(scorers if settings.team_scorers else [])]}
