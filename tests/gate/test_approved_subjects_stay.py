"""What was approved before keeps its digest, byte for byte: a stored database of the version before holds a review of
every kind of subject, and each is built again from its rows.

`subjects_of_before.sql.gz` is the text of that database, made through the app as it was at step 0017 of the migrations;
it is never made again, for then it would prove nothing. One of its reports was made up with three values that no check
ever wrote (a text as evidence, an empty object, a null); they were put right by hand, and the digest with them.
"""

import gzip
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import schema
from app.assessments import store as assessment_store
from app.db import engine_for, reading
from app.gate import subject
from app.gate.reviewed import Subject
from app.gate.tables import ReviewRow
from tests.support import as_it_stands
from tests.support.processes import cheap

STORED = Path(__file__).with_name("subjects_of_before.sql.gz")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    settings = cheap(tmp_path_factory.mktemp("before"))
    with sqlite3.connect(settings.data / "tunegate.db") as stored:
        stored.executescript(gzip.decompress(STORED.read_bytes()).decode())
    schema.upgrade(settings)
    engine = engine_for(settings)
    with reading(engine) as opened:
        yield opened
    engine.dispose()


def reviews(session: Session) -> list[ReviewRow]:
    return list(session.scalars(select(ReviewRow).order_by(ReviewRow.id)))


def test_each_kind_of_subject_is_built_again_to_the_byte(session: Session) -> None:
    found = reviews(session)
    assert len(found) == 12
    for review in found:
        assessment = assessment_store.get(session, review.assessment_id)
        text = subject.canonical(as_it_stands.subject(session, assessment))

        assert text.decode() == review.subject, assessment.title
        assert subject.digest_of_text(text) == review.digest


def test_what_is_stored_covers_every_part(session: Session) -> None:
    """Else the test above would say little."""
    stored = [json.loads(review.subject) for review in reviews(session)]
    evidence = {key for one in stored for key in one["evidence"]}

    assert evidence >= {
        "arms", "baseline", "baseline_on_base", "baseline_ran_on", "baseline_unfinished", "contradiction_rate",
        "corpus_tokens", "cost_basis", "cost_case", "failure_causes", "failures", "identifiers_decided",
        "metric_set_before_baseline", "signals", "similar_questions", "target_changes", "teacher", "test_human_checked",
        "test_overlap_rows", "test_rows", "trains_on", "uploaded_examples", "usable_examples", "winning_prompt_tokens",
    }  # fmt: skip
    for part in ("dataset", "baseline", "training"):
        assert {one[part] is None for one in stored} == {True, False}, part
    assert {"before" in one["baseline"] for one in stored if one["baseline"]} == {True, False}


def test_each_stored_subject_is_read_and_written_to_the_same_text(session: Session) -> None:
    for review in reviews(session):
        read = Subject.from_json(json.loads(review.subject))

        assert subject.canonical(read.to_json()).decode() == review.subject
