"""The way to READY: attempts to get there on less than the criteria ask for, through the doors that everybody has."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update
from sqlalchemy.event import listen, remove

from app.audit import service as audit
from app.baselines import arms, facts, standing, store
from app.baselines.arm_settings import ArmPassages
from app.baselines.arms import Dropped, Scored
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow, TagRow
from app.blobs import Blobs
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.documents.tables import DocumentFileRow, DocumentRow
from app.labelling import service as labelling
from app.labelling.tables import SecondLabelRow
from app.retrieval import corpus
from app.retrieval.settings import IndexSettings
from app.retrieval.tables import IndexRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.gated import Gated

People = Callable[[UserRow], TestClient]


@pytest.fixture
def gated(make: Make, people: People, engine: Engine) -> Gated:
    return Gated(make, people, engine)


def gate(gated: Gated, name: str) -> dict[str, Any]:
    return next(dict(one) for one in gated.subject()["verdict"]["gates"] if one["id"] == name)


def locked(gated: Gated) -> bool:
    return bool(gated.subject()["verdict"]["training"] == "locked") and gated.launch().status_code == 409


def rows_of(gated: Gated, family: str, *, right: bool) -> tuple[ArmRow, list[AnswerRow]]:
    """An arm and its dev answers that are right, or wrong."""
    with reading(gated.engine) as session:
        arm = session.scalars(select(ArmRow).where(ArmRow.family == family)).first()
        assert arm is not None
        query = select(AnswerRow).where(AnswerRow.arm_id == arm.id, AnswerRow.split == "dev")
        rows = [row for row in session.scalars(query.order_by(AnswerRow.id)) if (row.score == 1) == right]
    return arm, rows


def untag(gated: Gated) -> None:
    with writing(gated.engine) as session:
        session.execute(update(AnswerRow).values(cause=None))


def put(gated: Gated, arm: int, answers: list[int], cause: str = "behaviour", by: UserRow | None = None) -> int:
    body = {"causes": [{"answer_id": answer, "cause": cause} for answer in answers]}
    with reading(gated.engine) as session:
        baseline = session.get_one(ArmRow, arm).baseline_id
    path = f"/api/v1/baselines/{baseline}/arms/{arm}/causes"
    return int(gated.people(by or gated.author).put(path, json=body).status_code)


def another_arm(gated: Gated, family: str, score: float, **settings: Any) -> int:
    """One more arm with answers of that score to every dev and test row; its id."""
    with writing(gated.engine) as session:
        baseline = session.scalars(select(BaselineRow)).one()
        results = {}
        rows = {
            split: session.scalars(
                select(ExampleRow.id).where(ExampleRow.dataset_id == baseline.dataset_id, ExampleRow.split == split)
            ).all()
            for split in ("dev", "test")
        }
        for split, ids in rows.items():
            scored = [Scored(float(place < score * len(ids))) for place in range(len(ids))]
            results[split] = arms.tallied(scored, binary=True, seed=7)
        arm = ArmRow(baseline_id=baseline.id, family=family, name=family, title=family, settings=settings, **results)
        session.add(arm)
        session.flush()
        for split, ids in rows.items():
            session.add_all(
                AnswerRow(
                    arm_id=arm.id,
                    split=split,
                    example_id=row,
                    status="ok",
                    output="x",
                    score=float(place < score * len(ids)),
                    created_at=utcnow(),
                )
                for place, row in enumerate(ids)
            )
    return arm.id


# ---------------------------------------------------------------- few rows


def test_twenty_test_rows(gated: Gated) -> None:
    gated.measure(test=20)

    assert gate(gated, "G4")["state"] == "fail"
    assert locked(gated)


# ---------------------------------------------------------------- tags


def test_tags_on_right_answers(gated: Gated) -> None:
    untag(gated)
    arm, right = rows_of(gated, "few_shot_nearest", right=True)

    assert put(gated, arm.id, [row.id for row in right[:30]]) == 409
    assert "failure_causes" not in gated.measured()
    assert locked(gated)


def test_tags_through_another_arms_address(gated: Gated) -> None:
    untag(gated)
    arm, _ = rows_of(gated, "zero_shot", right=False)
    _, wrong = rows_of(gated, "few_shot_nearest", right=False)
    assert put(gated, arm.id, [row.id for row in wrong]) == 409  # answers of the best arm, by another one's address

    _, theirs = rows_of(gated, "zero_shot", right=False)
    best = {row.example_id for row in wrong}
    assert put(gated, arm.id, [row.id for row in theirs if row.example_id not in best]) == 200
    assert "failure_causes" not in gated.measured()  # the best arm is right on these rows
    assert locked(gated)


@pytest.mark.parametrize("family", ["oracle", "stronger_model"])
def test_tags_on_an_arm_that_nobody_could_use(gated: Gated, family: str) -> None:
    untag(gated)
    arm = another_arm(gated, family, 0.0)
    with reading(gated.engine) as session:
        wrong = session.scalars(select(AnswerRow.id).where(AnswerRow.arm_id == arm, AnswerRow.split == "dev")).all()

    assert put(gated, arm, list(wrong)) == 200
    assert "failure_causes" not in gated.measured()


def test_the_same_person_under_another_session_is_no_second_tagger(gated: Gated, people: People) -> None:
    untag(gated)
    arm, wrong = rows_of(gated, "few_shot_nearest", right=False)
    put(gated, arm.id, [row.id for row in wrong])
    again = people(gated.author)  # a session of its own

    assert again.post(f"/api/v1/baselines/{arm.baseline_id}/tag-rounds").status_code == 409
    assert put(gated, arm.id, [row.id for row in wrong]) == 200
    assert "tagged_twice" not in gated.measured()
    with reading(gated.engine) as session:
        assert len(session.scalars(select(TagRow)).all()) == len(wrong)


# ---------------------------------------------------------------- labels


def low_labels(gated: Gated) -> None:
    """Labels that a second person does not agree with: locked by a measured kappa."""
    with writing(gated.engine) as session:
        dataset = gated.dataset
        row = session.get_one(type(dataset), dataset.id)
        row.report_json = {**row.report_json, "labels": [{"label": "a", "rows": 600}, {"label": "b", "rows": 600}]}
        for place, example in enumerate(session.scalars(select(ExampleRow))):
            example.target = "ab"[place % 2]
    cora = gated.make.author("Cora")
    begun = gated.people(cora).post(f"/api/v1/datasets/{gated.dataset.id}/label-rounds").json()
    body = {"labels": [{"example_id": one["example_id"], "label": "a"} for one in begun["rows"]]}
    client = gated.people(cora)
    assert client.put(f"/api/v1/label-rounds/{begun['id']}/labels", json=body).status_code == 200
    assert client.post(f"/api/v1/label-rounds/{begun['id']}/end").status_code == 200
    assert client.put(f"/api/v1/label-rounds/{begun['id']}/labels", json=body).status_code == 409  # over is over


def test_a_low_kappa_is_not_repaired_by_the_uploader_or_a_puppet(gated: Gated) -> None:
    low_labels(gated)
    assert gate(gated, "G8")["state"] == "fail"
    path = f"/api/v1/datasets/{gated.dataset.id}/label-rounds"

    assert gated.people(gated.author).post(path).status_code == 403
    puppet = gated.make.author("Puppet")
    with writing(gated.engine) as session:
        audit.record(session, gated.author, "user.add", "user", puppet.id, {})
    assert gated.people(puppet).post(path).status_code == 403
    assert locked(gated)


def test_a_declared_agreement_does_not_outvote_a_measured_one(gated: Gated) -> None:
    low_labels(gated)
    gated.edit(label_agreement="high")

    assert gate(gated, "G8")["state"] == "fail"
    assert locked(gated)


def test_settling_labels_or_a_few_lucky_rows_do_not_lift_it(gated: Gated) -> None:
    low_labels(gated)
    before = gate(gated, "G8")["measured"]
    with reading(gated.engine) as session:
        differing = labelling.compared(session, gated.dataset.id).differences
    for one in differing[:5]:
        answered = gated.people(gated.author).put(
            f"/api/v1/second-labels/{one.kept.id}/settled", json={"settled": "file"}
        )
        assert answered.status_code == 200
    dan = gated.make.author("Dan")
    begun = gated.people(dan).post(f"/api/v1/datasets/{gated.dataset.id}/label-rounds").json()
    with reading(gated.engine) as session:
        truth = {one["example_id"]: session.get_one(ExampleRow, one["example_id"]).target for one in begun["rows"][:10]}
    body = {"labels": [{"example_id": row, "label": label} for row, label in truth.items()]}
    gated.people(dan).put(f"/api/v1/label-rounds/{begun['id']}/labels", json=body)
    gated.people(dan).post(f"/api/v1/label-rounds/{begun['id']}/end")

    assert gate(gated, "G8")["measured"] == before
    assert locked(gated)


@pytest.mark.past_the_app
def test_what_two_people_said_is_part_of_what_is_approved(gated: Gated) -> None:
    low_labels(gated)
    with writing(gated.engine) as session:  # behind the app's back: they agreed on every row
        for one in session.scalars(select(SecondLabelRow)):
            one.label = session.get_one(ExampleRow, one.example_id).target
    gated.approved()
    assert gate(gated, "G8")["measured"].endswith("kappa 1.00 between two people on 50 rows.")

    with writing(gated.engine) as session:
        session.scalars(select(SecondLabelRow)).first().label = "(none of these)"  # type: ignore[union-attr]
    assert gated.launch().status_code == 409


# ---------------------------------------------------------------- arms


def test_an_oracle_is_not_the_prompt_that_an_adapter_has_to_beat(gated: Gated) -> None:
    """It got more dev rows right than every prompt, and falls short on the test rows: nothing follows from that."""
    another_arm(gated, "oracle", 0.8, passages={"way": "gold"})

    with reading(gated.engine) as session:
        counts = facts.counting(session, gated.id)
        assert counts is not None
        best = standing.best(counts)
        assert best is not None
        assert best.family == "few_shot_nearest"


# ---------------------------------------------------------------- passages


def indexed(gated: Gated, blobs: Blobs, name: str = "guide.md", assessment_id: int = 0) -> str:
    """A file of documents that was read, and a ready index over what is there; its hash."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    text_sha256 = blobs.put_bytes(b"The bridge was built in 1866.").sha256
    assessment_id = assessment_id or gated.id
    with writing(gated.engine) as session:
        uploaded = {"filename": name, "bytes": 29, "uploaded_by": gated.author.id, "uploaded_at": utcnow()}
        file = DocumentFileRow(
            assessment_id=assessment_id, batch=1, blob_sha256=sha256, state="ready", private=[], **uploaded
        )
        session.add(file)
        session.flush()
        read = {"characters": 29, "tokens": 7, "text_sha256": text_sha256, "private": []}
        session.add(DocumentRow(file_id=file.id, number=1, name=name, kind="text", **read))
        session.flush()
        digest = corpus.digest(session, assessment_id)
        assert digest is not None
        row = IndexRow(
            assessment_id=assessment_id,
            state="ready",
            settings=IndexSettings(),
            corpus_sha256=digest,
            sha256=digest[::-1],
            created_by=gated.author.id,
            created_at=utcnow(),
        )
        session.add(row)
    return digest[::-1]


def tried(gated: Gated) -> tuple[list[str], str | None]:
    """The kinds of variants that count as tried, and the best one's."""
    baseline = gated.measured()["baseline"]
    return baseline["arms"], baseline.get("best_arm")


def test_an_arm_whose_index_was_built_again_leads_nothing_and_is_not_tried(gated: Gated, blobs: Blobs) -> None:
    index = indexed(gated, blobs)
    passages: ArmPassages = {"way": "lexical", "k": 5, "index": 1, "sha256": index}
    arm = another_arm(gated, "rag", 0.9, passages=passages)
    another_arm(gated, "oracle", 0.95, passages={"way": "gold", "sha256": index})
    assert tried(gated)[1] == "rag"
    assert {"rag", "oracle"} <= set(tried(gated)[0])
    assert gated.measured()["oracle_gain"] == 0.25
    assert gated.subject()["training"]["passages"]["sha256"] == index
    before = gated.subject()["baseline"]["arms"]

    indexed(gated, blobs, "more.md")  # another document, and an index over both

    measured = gated.measured()
    assert tried(gated)[1] == "few_shot_nearest"
    assert not {"rag", "oracle"} & set(tried(gated)[0])
    assert "oracle_gain" not in measured
    assert not {"rag", "oracle"} & set(measured["arms"])
    subject = gated.subject()
    assert "passages" not in subject["training"]
    assert [one.get("outdated") for one in subject["baseline"]["arms"][-2:]] == [True, True]
    assert all("outdated" not in one for one in before)
    with reading(gated.engine) as session:
        baseline = store.arm(session, arm).baseline_id
    says = "easured on an index that is no longer current: measure again"
    assert gated.people(gated.author).get(f"/assessments/{gated.id}/measure").text.count(says) == 2
    assert says in gated.people(gated.author).get(f"/baselines/{baseline}/arms/{arm}").text
    listed = gated.people(gated.author).get(f"/api/v1/baselines/{baseline}").json()["arms"]
    assert {one["family"] for one in listed if one["outdated"]} == {"rag", "oracle"}

    with writing(gated.engine) as session:  # taken out again: the documents are those that were measured
        session.scalars(
            select(DocumentFileRow).where(DocumentFileRow.filename == "more.md")
        ).one().removed_at = utcnow()
    assert tried(gated)[1] == "rag"


def test_a_revision_of_an_arm_whose_documents_changed_is_no_revision(gated: Gated, blobs: Blobs) -> None:
    passages: ArmPassages = {"way": "lexical", "k": 5, "index": 1, "sha256": indexed(gated, blobs)}
    with writing(gated.engine) as session:
        for arm in session.scalars(select(ArmRow).where(ArmRow.family == "revised_prompt")):
            arm.settings = {**arm.settings, "passages": passages}
    assert gate(gated, "G5")["state"] == "pass"
    indexed(gated, blobs, "more.md")

    assert gate(gated, "G5")["state"] == "fail"
    assert locked(gated)


def test_an_index_of_another_assessment_is_none_of_this_one(gated: Gated, blobs: Blobs) -> None:
    theirs = indexed(gated, blobs, assessment_id=gated.make.assessment(gated.author).id)
    another_arm(gated, "rag", 0.9, passages={"way": "lexical", "k": 5, "index": 1, "sha256": theirs})
    another_arm(gated, "oracle", 0.95, passages={"way": "gold", "sha256": theirs})
    assert tried(gated)[1] == "few_shot_nearest"
    indexed(gated, blobs, "ours.md")

    assert tried(gated)[1] == "few_shot_nearest"
    assert "oracle_gain" not in gated.measured()


def test_an_approval_with_passages_is_void_once_the_documents_change(gated: Gated, blobs: Blobs) -> None:
    passages: ArmPassages = {"way": "lexical", "k": 5, "index": 1, "sha256": indexed(gated, blobs)}
    another_arm(gated, "rag", 0.3, passages=passages)  # it loses, and was tried all the same
    gated.approved()
    indexed(gated, blobs, "more.md")

    assert gated.launch().status_code == 409


def test_an_arm_that_was_dropped_is_never_the_one_to_beat(gated: Gated) -> None:
    """Whatever its scores are by now."""
    arm = another_arm(gated, "schema", 0.99, constraint={"kind": "json_schema", "text": "{}"})
    lost = Dropped(after=20, of=100, against="zero_shot", score=0.1, leader_score=0.9, e=900.0, limit=100.0)
    with writing(gated.engine) as session:
        row = session.get_one(ArmRow, arm)
        assert row.dev is not None
        row.dev = replace(row.dev, dropped=lost)

    assert tried(gated)[1] == "few_shot_nearest"
    assert "schema" not in gated.subject()["training"]["instructions"]


def test_nothing_more_is_asked_of_the_database_where_no_arm_gives_passages(gated: Gated) -> None:
    def asked() -> int:
        statements: list[str] = []

        def note(*event: Any) -> None:
            statements.append(event[2])

        with reading(gated.engine) as session:
            engine = session.get_bind()
            listen(engine, "before_cursor_execute", note)
            store.of_assessment(session, gated.id)
            store.current(session, gated.id)
            remove(engine, "before_cursor_execute", note)
        return len(statements)

    before = asked()
    another_arm(gated, "rag", 0.3, passages={"way": "lexical", "k": 5, "index": 1, "sha256": "a" * 64})
    assert asked() == before + 1  # once for both; there are no documents, so no index is looked for


def test_answers_held_to_a_schema_are_asked_for_where_the_rows_are_json(gated: Gated) -> None:
    with writing(gated.engine) as session:
        row = session.get_one(type(gated.dataset), gated.dataset.id)
        before = row.report_json.get("signals")
        signals = {
            **(before if isinstance(before, dict) else {}),
            "rows": 40,
            "output_kind": "json",
            "schema_share": 1.0,
        }
        row.report_json = {**row.report_json, "signals": signals}
    assert gate(gated, "G5")["state"] == "fail"
    assert locked(gated)

    arm = another_arm(gated, "schema", 0.5, constraint={"kind": "json_schema", "text": "{}"})
    assert gate(gated, "G5")["state"] == "pass"
    measured = gated.measured()
    assert measured["checker_failures"] == 50  # zero-shot fails on 50 of the 100 dev rows, on the same ones
    assert measured["checker_share"] == 0.0
    assert arm
