"""Evidence cannot be washed clean by doing something again, nor rewritten by whoever can write to the database."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, text, update

from app import schema
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import head
from app.audit import service as audit
from app.audit.tables import EntryRow
from app.baselines import measured_model
from app.baselines import store as baseline_store
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets.checks import same_rows
from app.datasets.tables import DatasetRow
from app.db import engine_for, reading, utcnow, writing
from app.errors import Conflict, GateClosed
from app.gate import approvals, launching
from app.gate.tables import DecisionRow, ReviewRow
from app.inference.tables import ModelRow
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.gated import Gated, gated_installation, settings
from tests.support.loose import loose

__all__ = ["gated_installation", "settings"]

People = Callable[[UserRow], TestClient]


@pytest.fixture
def gated(make: Make, people: People, engine: Engine) -> Gated:
    return Gated(make, people, engine)


# ---------------------------------------------------------------- A3: history belongs to the test rows


def g7(gated: Gated, assessment_id: int = 0) -> dict[str, Any]:
    gates = gated.subject(assessment_id)["verdict"]["gates"]
    return next(dict(gate) for gate in gates if gate["id"] == "G7")


def note_results(gated: Gated) -> None:
    """What the measuring job does when a result stands."""
    with writing(gated.engine) as session:
        assessment_store.note_result(session, gated.id, utcnow())


def test_one_late_change_of_the_target_is_said(gated: Gated) -> None:
    note_results(gated)
    gated.edit(target=0.8)

    assert (g7(gated)["state"], gated.measured()["target_changes"]) == ("pass", 1)
    assert "changed once after results were known" in g7(gated)["measured"]


def test_the_same_rows_as_a_new_version_forget_nothing(gated: Gated) -> None:
    note_results(gated)
    gated.edit(target=0.8)
    gated.edit(target=0.7)
    assert g7(gated)["state"] == "fail"

    with reading(gated.engine) as session:
        since = assessment_store.get(session, gated.id).metric_set_at
    gated.measure()
    with writing(gated.engine) as session:
        session.execute(update(BaselineRow).where(BaselineRow.archived_at.is_(None)).values(metric_set_at=since))

    assert g7(gated)["state"] == "fail"
    assert len(gated.subject()["baseline"]["before"]["late_targets"]) == 2


def test_a_target_set_between_two_versions_of_the_same_rows_is_a_late_one(gated: Gated) -> None:
    """A new version has no result yet; its rows have."""
    note_results(gated)
    dataset = gated.make.dataset(gated.assessment, gated.author, version=2)
    assert dataset.version == 2

    gated.edit(target=0.8)
    gated.measure(version=3)

    assert gated.measured()["target_changes"] == 1


def test_a_copy_with_another_target_shows_what_was_known(gated: Gated) -> None:
    copied = gated.post(f"/api/v1/assessments/{gated.id}/copy").json()["id"]
    gated.people(gated.author).patch(f"/api/v1/assessments/{copied}", json={"answers": {"target": 0.7}})
    gated.measure(copied, version=1)

    (late,) = gated.subject(copied)["baseline"]["before"]["late_targets"]
    assert (late["from"], late["to"]) == ("exact_match 0.9", "exact_match 0.7")
    assert "changed once after results were known" in g7(gated, copied)["measured"]
    assert {look["assessment"] for look in gated.subject(copied)["baseline"]["before"]["looks"]} == {gated.id}


def test_a_copy_with_the_same_target_changed_nothing(gated: Gated) -> None:
    copied = gated.post(f"/api/v1/assessments/{gated.id}/copy").json()["id"]
    gated.measure(copied, version=1)

    assert "target_changes" not in gated.measured(copied)


def test_a_second_measurement_on_the_same_rows_is_not_the_first_look(gated: Gated) -> None:
    with reading(gated.engine) as session:
        first = baseline_store.current(session, gated.id)
    assert first is not None
    gated.make.baseline(gated.assessment, gated.dataset, gated.model(), gated.author)

    (look,) = gated.subject()["baseline"]["before"]["looks"]
    assert (look["measurement"], look["arm"]) == (first.id, "few_shot_nearest")


def test_fresh_test_rows_begin_anew(gated: Gated) -> None:
    note_results(gated)
    gated.edit(target=0.8)
    gated.edit(target=0.7)

    gated.measure(train=2000)  # the factory numbers its rows through: these test rows ask something else

    assert gated.measured()["metric_set_before_baseline"] is True
    assert "before" not in gated.subject()["baseline"]


def test_leaving_out_rows_or_dressing_them_up_makes_no_fresh_set() -> None:
    one = [{"role": "user", "content": "Comment function number 7"}]
    dressed = [{"role": "user", "content": "  comment  FUNCTION number 7 "}]

    assert same_rows.key_of(one) == same_rows.key_of(dressed)
    assert same_rows.same_rows(20, 200, 200)
    assert not same_rows.same_rows(5, 200, 200), "a few common questions stand in many files"
    assert same_rows.same_rows(30, 200, 40)


def test_an_approval_is_not_lost_because_somebody_else_measures_on_the_same_rows(gated: Gated) -> None:
    gated.approved()
    copied = gated.post(f"/api/v1/assessments/{gated.id}/copy").json()["id"]
    gated.people(gated.author).patch(f"/api/v1/assessments/{copied}", json={"answers": {"target": 0.7}})
    gated.measure(copied, version=1)

    assert gated.launch().status_code == 201


def test_what_was_approved_before_has_the_digest_that_it_had(gated: Gated) -> None:
    """The canonical subject is `gate-v1`: nothing new is in it, unless something happened that it has to say."""
    made = gated.subject()

    assert set(made["baseline"]) == {
        "id", "dataset", "model", "metric", "metric_options", "target", "instructions", "max_tokens", "rows_asked",
        "test_looks", "arms", "answers_sha256",
    }  # fmt: skip
    assert set(made["baseline"]["model"]) == {"id", "kind", "name", "reference", "base_url", "files"}
    assert "target_changes" not in made["evidence"]


# ---------------------------------------------------------------- reading test answers is a look, before a revision


def test_test_answers_that_were_read_before_a_revision_count_as_a_look(gated: Gated, queue: Any) -> None:
    with reading(gated.engine) as session:
        baseline = baseline_store.current(session, gated.id)
    assert baseline is not None
    arm = next(arm for arm in baseline.arms if arm.test)
    client = gated.people(gated.author)
    for _ in range(2):
        assert client.get(f"/baselines/{baseline.id}/arms/{arm.id}?split=test").status_code == 200
    assert len(gated.subject()["baseline"]["test_looks"]) == 1, "reading alone is no fault"

    assert gated.post(f"/api/v1/baselines/{baseline.id}/revisions", json={"instructions": "Better."}).status_code == 202

    looks = gated.subject()["baseline"]["test_looks"]
    assert [(look["why"], look["by"]) for look in looks[1:]] == [
        ("its test answers were read before a revision", gated.author.id)
    ]


def test_test_answers_that_were_tagged_or_downloaded_count_too(gated: Gated) -> None:
    with reading(gated.engine) as session:
        baseline = baseline_store.current(session, gated.id)
        assert baseline is not None
        arm = next(arm for arm in baseline.arms if arm.test)
        wrong = session.scalars(select(AnswerRow).where(AnswerRow.arm_id == arm.id, AnswerRow.score == 0)).first()
    assert wrong is not None
    path = f"/api/v1/baselines/{baseline.id}"
    body = {"causes": [{"answer_id": wrong.id, "cause": "facts"}]}
    client = gated.people(gated.author)
    if wrong.split == "test":
        assert client.put(f"{path}/arms/{arm.id}/causes", json=body).status_code == 200
    assert client.get(f"{path}/answers.jsonl").status_code == 200
    assert gated.people(gated.reviewer).get(f"{path}/answers.csv").status_code == 200

    with reading(gated.engine) as session:
        noted = {(one.user_id, one.how) for one in baseline_store.openings(session, {baseline.id})}
    assert {user for user, _ in noted} == {gated.author.id, gated.reviewer.id}
    assert "downloaded" in {how for _, how in noted}


# ---------------------------------------------------------------- A4: what the model was


def change_model(gated: Gated, **values: Any) -> None:
    with writing(gated.engine) as session:
        session.execute(update(ModelRow).values(**values))


def test_a_measurement_names_the_model_that_answered(gated: Gated) -> None:
    with writing(gated.engine) as session:
        baseline = baseline_store.current(session, gated.id)
        assert baseline is not None
        was = measured_model.MeasuredModel("endpoint", "Stub", "stub-1", "http://127.0.0.1:9", {})
        baseline.model_as = was.to_json()

    change_model(gated, name="GPT-5 (OpenAI)", reference="gpt-5", base_url="https://api.openai.com/v1")

    assert gated.subject()["baseline"]["model"] == {"id": baseline.model_id, **loose(was.part())}
    assert gated.people(gated.author).get(f"/api/v1/baselines/{baseline.id}").json()["model"] == was.part()
    page = gated.people(gated.author).get(f"/assessments/{gated.id}/measure").text
    assert "Stub, at most" in page


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"base_url": "https://other.example/v1"}, "would mix two models"), ({"retired_at": utcnow()}, "is retired")],
    ids=["moved", "retired"],
)
def test_one_measurement_is_of_one_model(gated: Gated, changed: dict[str, Any], words: str) -> None:
    with writing(gated.engine) as session:
        baseline = baseline_store.current(session, gated.id)
        assert baseline is not None
        model = session.get_one(ModelRow, baseline.model_id)
        baseline.model_as = {**measured_model.MeasuredModel.of(model).to_json(), "set_by": None}
    change_model(gated, **changed)

    answer = gated.post(f"/api/v1/baselines/{baseline.id}/revisions", json={"instructions": "Better."})

    assert answer.status_code == 409
    assert words in answer.text


# ---------------------------------------------------------------- A11: what was put away


def test_an_archived_assessment_launches_nothing(gated: Gated) -> None:
    gated.approved()
    gated.post(f"/api/v1/assessments/{gated.id}/archive")

    answer = gated.launch()

    assert answer.status_code == 409
    assert "archived" in answer.text


def test_a_retired_model_is_not_trained(gated: Gated) -> None:
    gated.approved()
    change_model(gated, retired_at=utcnow())

    answer = gated.launch()

    assert answer.status_code == 409
    assert "is retired" in answer.text


@pytest.mark.parametrize("what", ["archived", "retired", "expired"])
def test_the_last_look_before_the_start_asks_again(gated: Gated, what: str) -> None:
    review = gated.approved()
    assert gated.launch().status_code == 201
    with reading(gated.engine) as session:
        decision = session.scalars(select(DecisionRow)).one()
        assert launching.recheck(session, review["id"], decision.id, review["digest"], started=False)
    if what == "archived":
        gated.post(f"/api/v1/assessments/{gated.id}/archive")
    elif what == "retired":
        change_model(gated, retired_at=utcnow())
    else:
        gated.sql("update decisions set expires_at = '2020-01-01 00:00:00.000000'")

    with reading(gated.engine) as session, pytest.raises(GateClosed):
        launching.recheck(session, review["id"], decision.id, review["digest"], started=False)


def test_nothing_of_an_archived_assessment_changes(gated: Gated) -> None:
    review = gated.requested()
    with reading(gated.engine) as session:
        baseline = baseline_store.current(session, gated.id)
        model = gated.model()
    assert baseline is not None
    gated.post(f"/api/v1/assessments/{gated.id}/archive")
    client, path = gated.people(gated.author), f"/api/v1/assessments/{gated.id}"
    rows = b'{"prompt": "a", "completion": "b"}\n'

    answers = {
        "upload": client.put(f"{path}/dataset?filename=pairs.jsonl", content=rows),
        "documents": client.put(f"{path}/documents?filename=a.txt", content=b"Some text."),
        "recipe": client.put(f"{path}/recipe", json={"model_id": model.id, "settings": {"epochs": 2}}),
        "revise": client.post(f"/api/v1/baselines/{baseline.id}/revisions", json={"instructions": "Better."}),
        "preflight": client.post(f"{path}/preflight"),
        "ask": gated.ask(),
        "decide": gated.decide(review),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 409)


# ---------------------------------------------------------------- A12: rows that nobody's act made


INSERT = (
    "insert into decisions (review_id, reviewer_id, kind, digest, comment, at, expires_at) values "
    "({id}, {by}, '{kind}', '{digest}', '', '2026-01-01 00:00:00.000000', '2099-01-01 00:00:00.000000')"
)


@pytest.mark.past_the_app
def test_a_decision_put_into_the_database_by_hand_is_none(gated: Gated) -> None:
    review = gated.requested()
    gated.sql(
        INSERT.format(**review, by=gated.reviewer.id, kind="approve"),
        "update reviews set state = 'approved'",
    )

    answer = gated.launch()

    assert answer.status_code == 409
    assert "seal" in answer.text


@pytest.mark.past_the_app
def test_a_seal_is_for_one_decision(gated: Gated) -> None:
    """Copied beside another person's, or another time, it vouches for nothing."""
    gated.approved()
    gated.sql("drop trigger decisions_frozen", "update decisions set expires_at = '2099-01-01 00:00:00.000000'")

    assert "seal" in gated.launch().text


@pytest.mark.past_the_app
def test_an_approval_that_the_record_does_not_know_is_none(gated: Gated) -> None:
    gated.approved()
    gated.sql("drop trigger audit_no_delete", "delete from audit where act = 'review.approve'")

    answer = gated.launch()

    assert answer.status_code == 409
    assert "The record of what was done knows no such approval" in answer.text


APPROVED_AT_ONCE = """insert into reviews (id, assessment_id, revision, subject, digest, state, note, requested_by,
    requested_at, closed_at, closed_because) select 99, assessment_id, revision, subject, digest, 'approved', note,
    requested_by, requested_at, closed_at, closed_because from reviews"""
BY_THE_AUTHOR = """insert into decisions (review_id, reviewer_id, kind, digest, comment, at)
    select id, requested_by, 'approve', digest, '', requested_at from reviews"""


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update reviews set state = 'approved'", "no such step"),
        ("update reviews set state = 'consumed'", "no such step"),
        (APPROVED_AT_ONCE, "begins open"),
        (BY_THE_AUTHOR, "may decide"),
        ("delete from contributions", "had a hand"),
    ],
)
def test_the_database_knows_the_steps(gated: Gated, statement: str, words: str) -> None:
    gated.requested()

    with pytest.raises(Exception, match=words):
        gated.sql(statement)


def test_the_database_itself_starts_nothing_that_somebody_asked_to_change(gated: Gated) -> None:
    review = gated.approved()
    gated.sql(INSERT.format(**review, by=gated.make.reviewer().id, kind="request_changes"))

    with pytest.raises(Exception, match="no living approval"):
        gated.sql(
            "insert into trainings (assessment_id, review_id, decision_id, digest, baseline_id, model_id, recipe, "
            "state, idempotency_key, training_facts, launched_by, launched_at) select r.assessment_id, r.id, d.id, "
            "r.digest, 1, 1, '{}', 'queued', 'x', '{}', r.requested_by, r.requested_at from reviews r join decisions d "
            "on d.review_id = r.id where d.kind = 'approve'"
        )


@pytest.mark.parametrize(
    "stored",
    [{"score": 0.99, "passed": 99}, {"errors": 0, "n": 220, "passed": 10, "score": 0.05}, {"low": 0.1}],
    ids=["better", "worse", "interval"],
)
def test_a_result_that_its_answers_do_not_come_to_is_not_frozen(gated: Gated, stored: dict[str, Any]) -> None:
    with writing(gated.engine) as session:
        arm = session.scalars(select(ArmRow).where(ArmRow.family == "few_shot_nearest")).one()
        assert arm.test is not None
        arm.test = replace(arm.test, **stored)

    answer = gated.ask()

    assert answer.status_code == 409
    assert "is not what its answers come to" in answer.text


# ---------------------------------------------------------------- A12: the record's head


def fill(engine: Engine, user: UserRow, number: int = 6) -> None:
    for one in range(number):
        with writing(engine) as session:
            audit.record(session, user, "test.act", "thing", one, {})


def reseal(engine: Engine) -> None:
    """Seal the whole record anew, as somebody would who changed an entry."""
    with writing(engine) as session:
        session.execute(text("drop trigger audit_no_update"))
        previous = audit.GENESIS
        for entry in session.scalars(select(EntryRow).order_by(EntryRow.id)):
            entry.previous = previous
            entry.sha256 = previous = audit.seal(entry)
            session.flush()


def test_entries_cut_off_the_end_of_the_record_are_missed(engine: Engine, make: Make) -> None:
    fill(engine, make.author())
    with reading(engine) as session:
        assert audit.broken_at(session) is None

    with writing(engine) as session:
        session.execute(text("drop trigger audit_no_delete"))
        session.execute(text("delete from audit where id > 3"))

    with reading(engine) as session:
        assert audit.broken_at(session) == 4


def test_a_record_that_was_sealed_anew_is_not_whole(engine: Engine, make: Make) -> None:
    fill(engine, make.author())
    with writing(engine) as session:
        session.execute(text("drop trigger audit_no_update"))
        session.execute(text("update audit set actor_name = 'Somebody else' where id = 2"))
        session.execute(text("create trigger audit_no_update before update on audit when 0 begin select 1; end"))
    reseal(engine)

    with reading(engine) as session:
        assert audit.broken_at(session) is not None


def test_a_head_of_somebody_elses_making_is_none(engine: Engine, settings: Settings, make: Make) -> None:
    fill(engine, make.author())
    (settings.data / "audit.head").write_text(json.dumps({"id": 1, "sha256": "0" * 64, "seal": "0" * 64}))

    with reading(engine) as session:
        assert audit.broken_at(session) is not None
    with pytest.raises(head.Forged):
        head.read(settings.data / "audit.head", b"k")


def test_what_is_rolled_back_leaves_no_head(engine: Engine, settings: Settings, make: Make) -> None:
    user = make.author()
    fill(engine, user, 2)
    with pytest.raises(Conflict):
        _refused(engine, user)

    with reading(engine) as session:
        assert audit.broken_at(session) is None


def _refused(engine: Engine, user: UserRow) -> None:
    with writing(engine) as session:
        audit.record(session, user, "test.act", "thing", 9, {})
        raise Conflict("No.")


def test_the_upgrade_seals_what_the_record_knows(gated: Gated, settings: Settings) -> None:
    """An approval of a version without seals goes on to count; one that was put there by hand does not begin to."""
    gated.approved()
    gated.sql("drop trigger decisions_frozen", "update decisions set seal = ''")
    assert gated.launch().status_code == 409

    engine = engine_for(settings)
    with writing(engine) as session:
        assert approvals.seal_earlier(session) == 1
    engine.dispose()

    assert gated.launch(key="two").status_code == 201


def test_an_upgrade_seals_once(settings: Settings) -> None:
    assert schema.upgrade(settings) == "The database is up to date."


# ---------------------------------------------------------------- A25, A26: what burns an approval


@pytest.mark.parametrize("how", ["changed", "a link", "gone"])
def test_rows_that_changed_on_the_disk_are_seen_at_the_launch_and_burn_nothing(gated: Gated, how: str) -> None:
    gated.approved()
    with reading(gated.engine) as session:
        path = gated.make.blobs.path(str(session.get_one(DatasetRow, gated.dataset.id).rows_sha256))
    kept = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(kept + b"\n")
    elif how == "a link":
        moved = path.with_suffix(".moved")
        moved.write_bytes(kept)
        path.symlink_to(moved)

    answer = gated.launch()
    assert answer.status_code == 409
    assert "not those that were approved" in answer.text

    path.unlink(missing_ok=True)
    path.write_bytes(kept)
    assert gated.launch(key="two").status_code == 201


def test_an_edit_that_changes_nothing_burns_no_approval(gated: Gated) -> None:
    """A half-typed answer, and a word about rows that only the next version will follow."""
    gated.approved()
    with writing(gated.engine) as session:
        assessment = assessment_store.get(session, gated.id)
        row = assessment_store.changing(session, gated.id)
        assessments._replace(  # as an autosave of `context_window` does while somebody types
            session, row, {**row.answers, "context_window": "12e"}, gated.author, what="answers", has_results=True
        )
        assessments.contribute(session, assessment, gated.author, "groups of like rows", changed=False)

    assert gated.launch().status_code == 201


def test_a_real_edit_still_voids_it_even_when_taken_back(gated: Gated) -> None:
    gated.approved()
    gated.edit(owner="Another team")
    gated.edit(owner="Docs platform team")

    assert "Something changed after the approval" in gated.launch().text


# ---------------------------------------------------------------- smaller ones


def test_a_void_approval_says_so_to_people_and_programs(gated: Gated) -> None:
    review = gated.approved()
    client = gated.people(gated.author)
    assert client.get(f"/api/v1/reviews/{review['id']}").json()["void_because"] == []

    gated.edit(owner="Another team")

    told = client.get(f"/api/v1/reviews/{review['id']}").json()
    assert told["state"] == "approved"
    assert "Answers: Owner" in told["void_because"][0]
    assert client.get("/api/v1/reviews?state=approved").json()["data"][0]["void_because"]
    assert ">invalidated<" in client.get("/reviews").text
    assert ">invalidated<" in gated.review_page(review)


def test_a_metric_that_nothing_here_measures_is_refused_when_it_is_set(gated: Gated) -> None:
    client = gated.people(gated.author)

    answer = client.patch(f"/api/v1/assessments/{gated.id}", json={"answers": {"metric": "bleu"}})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/answers/metric"
    assert "exact_match" in answer.text


def test_a_review_shows_what_came_before_on_the_same_rows(gated: Gated) -> None:
    note_results(gated)
    gated.edit(target=0.8)
    with reading(gated.engine) as session:
        assessment = assessment_store.get(session, gated.id)
    gated.make.baseline(assessment, gated.dataset, gated.model(), gated.author)
    review = gated.requested()

    page = gated.review_page(review)

    assert "exact_match 0.9 → exact_match 0.8" in page
    assert "used before this run, 1 time" in page
    with reading(gated.engine) as session:
        assert session.get_one(ReviewRow, review["id"]).digest == review["digest"]
