"""The finished example: the worked example as we measured it, to be looked at within a second of the first start.

It is put into the database when somebody asks to see it, as rows like any other, so that every page shows it by the
same code. It is read only: nothing of it is changed, decided, measured or trained (`assessments.store.opened` refuses),
it stands in no list and no count, and its two people cannot sign in.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow, ContributionRow
from app.audit import service as audit
from app.baselines import store as baseline_store
from app.baselines import versions
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import utcnow
from app.demo import pairs, recording, service, store
from app.demo.recording import About, Recording, Row
from app.demo.store import Placed
from app.errors import Conflict
from app.gate.tables import DecisionRow, ReviewRow
from app.inference.tables import ModelRow
from app.jobs import store as job_store
from app.json_types import JsonObject
from app.recipes.tables import RecipeRow
from app.standing import keeping
from app.training import store as trainings
from app.training.tables import MetricRow, TrainingRow
from app.users import store as user_store
from app.users.tables import NOBODY, UserRow

DOMAIN = "finished.invalid"  # nobody has an address there (RFC 2606)
TITLE = "Docstrings in our house style (finished example)"
NOTE = (
    "Measured by the worked example. The rows are real signatures and docstrings from the Python packages torch, "
    "transformers, peft and accelerate, brought to one short form by a program. Dana and Robin are its two accounts; "
    "nobody can sign in with them. Failed answers were tagged by a rule and not by a person: the check looks at "
    "nothing but form, so whatever fails it is put down to behaviour. The adapter's file is not part of the example."
)


# ------------------------------------------------------------------ looking at it


def show(session: Session, blobs: Blobs, by: UserRow) -> AssessmentRow:
    """The finished example; it is put here if it is not, and taken out of the archive.

    Raises:
        Conflict: it did not come with this installation.
    """
    there = assessment_store.recorded(session)
    if there is not None:
        return assessments.restore(session, there.id, by) if there.archived_at is not None else there
    try:
        recorded = recording.read()
    except (OSError, ValueError) as error:
        raise Conflict("The finished example did not come with this installation.") from error
    for content in recorded.blobs.values():
        blobs.put_bytes(content)
    row = _put(session, recorded)
    audit.record(session, by, "demo.finished_example", "assessment", row.id, {"as": recorded.about.sentence})
    keeping.keep(session, [row.id])  # its status, too; it was put in past everything that notes a change
    return row


def _put(session: Session, recorded: Recording) -> AssessmentRow:
    """Put the rows in as they came about: whatever the database asks of a decision or a run holds for these, too."""
    placed, rows = Placed(session), recorded.rows
    user_ids = {row["email"]: row["id"] for row in rows["users"]}
    people = _people(session, rows["users"])
    placed.ids["users"] = {user_ids[email]: user.id for email, user in people.items()}
    placed.put(ModelRow, rows["models"], name=_model_name(rows["models"]), kind="folder")
    (assessment_id,) = placed.put(
        AssessmentRow, rows["assessments"], title=TITLE, note=NOTE, demo=True, recorded=recorded.about.sentence
    )
    placed.put(ContributionRow, rows["contributions"])
    placed.put(DatasetRow, [_with_people(row, placed) for row in rows["datasets"]])
    placed.put(ExampleRow, rows["examples"])
    placed.put(BaselineRow, [_with_people(row, placed) for row in rows["baselines"]])
    for name in ("arms", "answers"):
        placed.put(ArmRow if name == "arms" else AnswerRow, rows[name])
    placed.put(RecipeRow, rows["recipes"])
    _put_reviews(placed, rows["reviews"], rows["decisions"], rows["trainings"])
    placed.put(MetricRow, rows["training_metrics"])
    _lead_arms(placed, rows["arms"])
    for model_id in placed.ids["models"].values():
        placed.change(ModelRow, model_id, retired_at=utcnow())  # never offered to anybody
    for user in people.values():
        user.active = False
    # No keys of its test rows: what was looked at where it was measured is no look at anybody's test rows here.
    session.flush()
    session.expire_all()
    for baseline in reversed(baseline_store.of_assessment(session, assessment_id)):
        versions.catch_up(session, baseline)
    return assessment_store.get(session, assessment_id)


def _people(session: Session, rows: Sequence[Row]) -> dict[str, UserRow]:
    """The two accounts by the address that was recorded. They are open while the rows are put in, since only somebody
    who is active decides, and closed before anybody else can see them."""
    made: dict[str, UserRow] = {}
    for row in rows:
        email = f"{row['email'].partition('@')[0]}@{DOMAIN}"
        user = user_store.find(session, email)
        if user is None or not user.nobody:  # an account of somebody's is never touched
            user = UserRow(
                name=row["name"].replace("(demo)", "(example)"),
                email=email,
                role=row["role"],
                password_hash=NOBODY,
                created_at=utcnow(),
            )
            session.add(user)
        user.active = True
        made[row["email"]] = user
    session.flush()
    return made


def _model_name(rows: Sequence[Row]) -> str:
    """Names of models are unique, and the bundled one has this already."""
    return f"{rows[0]['name'].partition(' (')[0]} (finished example)"


def _with_people(row: Row, placed: Placed) -> Row:
    """The same row, where it names people inside of JSON: by their new ids."""
    people = placed.ids["users"]
    changed = dict(row)
    if "test_looks" in changed:
        changed["test_looks"] = [look | {"by": people.get(look.get("by"))} for look in changed["test_looks"]]
    if "decisions" in changed:
        changed["decisions"] = {
            kind: made | {"by": people.get(made.get("by"), 0)} for kind, made in changed["decisions"].items()
        }
    if changed.get("model_as"):
        changed["model_as"] = changed["model_as"] | {"set_by": None}
    return changed


def _put_reviews(placed: Placed, reviews: Sequence[Row], decisions: Sequence[Row], runs: Sequence[Row]) -> None:
    """Requested, decided, used up: in this order, since the database takes no other. The deadline of an approval is put
    in last, for it is over by now."""
    for review in reviews:
        later = {name: review[name] for name in ("closed_at", "closed_because") if name in review}
        (review_id,) = placed.put(ReviewRow, [_without(review, later)], state="open")
        made = [row for row in decisions if row["review_id"] == review["id"]]
        ids = placed.put(DecisionRow, made, expires_at=None)
        if not any(row["kind"] == "approve" for row in made):
            continue
        placed.change(ReviewRow, review_id, state="approved")
        placed.put(TrainingRow, [run for run in runs if run["review_id"] == review["id"]])
        closed_at = datetime.fromisoformat(review["closed_at"])
        closed = {"closed_at": closed_at, "closed_because": review.get("closed_because", "")}
        placed.change(ReviewRow, review_id, state=review["state"], **closed)
        for decision_id, row in zip(ids, made, strict=True):
            if "expires_at" in row:
                placed.change(DecisionRow, decision_id, expires_at=datetime.fromisoformat(row["expires_at"]))


def _without(row: Row, left_out: JsonObject) -> Row:
    return {name: value for name, value in row.items() if name not in left_out}


def _lead_arms(placed: Placed, arms: Sequence[Row]) -> None:
    """An adapter's way of answering names its run in its name, and inside of JSON."""
    for arm in arms:
        run = arm["settings"].get("training")
        if run is not None:
            here = placed.ids["trainings"][run]
            name = re.sub(r"^adapter/\d+", f"adapter/{here}", arm["name"])
            placed.change(
                ArmRow, placed.ids["arms"][arm["id"]], settings=arm["settings"] | {"training": here}, name=name
            )


# ------------------------------------------------------------------ recording it


def record(session: Session, blobs: Blobs, cores: int) -> Recording:
    """Take the worked example of this installation, which has to be finished, as it is.

    Raises:
        Conflict: there is none, or it has not come to a result.
    """
    assessment = service.find(session)
    if assessment is None or assessment.recorded:
        raise Conflict("There is no worked example here. Run `make demo` first.")
    judged, dataset = trainings.judged(session, assessment.id), dataset_store.current(session, assessment.id)
    if judged is None or dataset is None:
        raise Conflict("The worked example has not come to a result yet.")
    jobs = [job for job in job_store.newest(session, None, 200, assessment_id=assessment.id) if job.finished_at]
    begun = min(job.started_at or job.created_at for job in jobs)
    finished = max(job.finished_at for job in jobs if job.finished_at)
    versions = {name: metadata.version(name) for name in pairs.PACKAGES}
    about = About(cores, finished.isoformat(timespec="seconds"), (finished - begun).total_seconds(), versions)
    rows = {name: list(of_table) for name, of_table in store.taken(session, assessment.id, dataset.id).items()}
    rows["trainings"] = [{**run, "adapter_sha256": None, "adapter_bytes": None} for run in rows["trainings"]]
    files = (dataset.blob_sha256, dataset.rows_sha256, dataset.split_sha256, dataset.report.index_sha256)
    return Recording(
        about,
        {name: _ordered(of_table) for name, of_table in rows.items()},
        {name: _content(blobs, name) for name in sorted(filter(None, files))},
    )


def _content(blobs: Blobs, name: str) -> bytes:
    with blobs.open(name) as file:
        return file.read()


def _ordered(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in sorted(row.items()) if value is not None} for row in rows]
