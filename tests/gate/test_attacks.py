"""Attacks on the gate, through the same doors as everybody: nothing may be started, and every try is on record.

Numbers are those of the attack list that the product was designed against (G01 to G70).
"""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, text

from app.assessments.tables import AssessmentRow
from app.baselines.tables import AnswerRow, BaselineRow
from app.datasets.tables import DatasetRow
from app.db import reading, utcnow, writing
from app.errors import GateClosed
from app.gate import launching
from app.gate.tables import DecisionRow, ReviewRow
from app.jobs import service as jobs
from app.jobs.engine import Client
from app.recipes.tables import RecipeRow
from app.settings import Settings
from app.training.tables import TrainingRow
from app.users.tables import Role, UserRow
from tests.support import as_it_stands
from tests.support.factories import Make
from tests.support.installed import copied, laid_out
from tests.support.scene import People, Scene, lay_out


@pytest.fixture(scope="module")
def ready_made(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return laid_out(tmp_path_factory.mktemp("scene"), template, lay_out)


@pytest.fixture
def settings(tmp_path: Path, ready_made: Path) -> Settings:
    """An installation in which only the review is missing."""
    return copied(ready_made, tmp_path)


@pytest.fixture
def scene(make: Make, people: People, engine: Engine) -> Scene:
    return Scene(make, people, engine)


def refused(scene: Scene, answer: Any, status: int, words: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert scene.started() == 0


def test_the_straight_way_works_once(scene: Scene) -> None:
    scene.approve()

    first = scene.launch()

    assert first.status_code == 201, first.text
    assert scene.started() == 1
    assert scene.launch().status_code == 200, "G32: the same key is the same launch"
    assert scene.launch(key="two").status_code == 409, "G33, G34: one approval, one launch"
    assert scene.started() == 1


def test_g01_nobody(scene: Scene, web: TestClient) -> None:
    refused(scene, web.post(f"/api/v1/assessments/{scene.id}/trainings", headers={"Idempotency-Key": "x"}), 401)


def test_g04_no_approval(scene: Scene) -> None:
    refused(scene, scene.launch(), 409, "Nobody has approved this yet")
    assert scene.denials() == 1


@pytest.mark.parametrize(
    "body", [{"approved": True}, {"state": "approved", "approval_id": 1}, {"epochs": 100}, {"base_model": "x", "lr": 1}]
)
def test_g05_g24_what_is_in_the_body_counts_for_nothing(scene: Scene, body: dict[str, Any]) -> None:
    assert scene.launch(json=body).status_code in {409, 422}
    assert scene.started() == 0


@pytest.mark.parametrize("field", ["state", "verdict", "approved_by", "revision", "created_by", "team_id"])
def test_g06_fields_that_are_ours_cannot_be_set(scene: Scene, field: str) -> None:
    client = scene.people(scene.author)
    answer = client.patch(f"/api/v1/assessments/{scene.id}", json={field: 1}, headers={"If-Match": '"1"'})

    assert answer.status_code == 422, answer.text


def test_g07_the_author_approves(scene: Scene) -> None:
    review = scene.ask()
    boss = scene.make.user(Role.ADMIN)
    with writing(scene.engine) as session:
        session.get_one(UserRow, scene.author.id).role = Role.REVIEWER

    refused(scene, scene.decide(review, scene.author), 403, "contributed to this")
    refused(scene, scene.decide(review, scene.make.author()), 403)
    assert boss.role == Role.ADMIN


def test_g08_g09_a_reviewer_who_had_a_hand_in_it(scene: Scene) -> None:
    _edit(scene, "owner", "Somebody else", by=scene.reviewer)
    review = scene.ask()

    refused(scene, scene.decide(review), 403, "contributed to this")


def test_g11_an_administrator_who_had_a_hand_in_it(scene: Scene) -> None:
    review = scene.ask()
    with writing(scene.engine) as session:
        session.get_one(UserRow, scene.author.id).role = Role.ADMIN

    refused(scene, scene.decide(review, scene.author), 403)


@pytest.mark.parametrize(
    ("digest", "status"),
    [
        (None, 428),
        ("", 428),
        ("0" * 64, 412),
        ("A" * 64, 422),
        (" " + "0" * 63, 422),
        ([], 422),
        (0, 422),
        (True, 422),
        ({"a": 1}, 422),
    ],
)
def test_g13_g15_g50_only_the_digest_on_the_screen(scene: Scene, digest: object, status: int) -> None:
    review = scene.ask()

    refused(scene, scene.decide(review, digest=digest), status)


def test_g13_no_digest_at_all(scene: Scene) -> None:
    review = scene.ask()
    answer = scene.people(scene.reviewer).post(f"/api/v1/reviews/{review['id']}/decisions", json={"kind": "approve"})

    refused(scene, answer, 428)


def test_g14_a_page_that_was_left_open(scene: Scene) -> None:
    review = scene.ask()
    _edit(scene, "owner", "Another team")

    refused(scene, scene.decide(review), 412, "has changed since")


def test_g16_g17_an_edit_after_the_approval_and_an_edit_back(scene: Scene) -> None:
    scene.approve()
    _edit(scene, "owner", "Another team")
    refused(scene, scene.launch(), 409, "Something changed after the approval")

    _edit(scene, "owner", "Docs platform team")
    refused(scene, scene.launch(key="two"), 409, "Something changed after the approval")


def _edit(scene: Scene, key: str, value: object, by: UserRow | None = None) -> None:
    client, path = scene.people(by or scene.author), f"/api/v1/assessments/{scene.id}"
    etag = client.get(path).headers["etag"]
    answer = client.patch(path, json={"answers": {key: value}}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (DatasetRow, {"rows_sha256": "f" * 64}),
        (DatasetRow, {"split_sha256": "f" * 64}),
        (DatasetRow, {"human_checked": False}),
        (BaselineRow, {"target": 0.95}),
        (BaselineRow, {"instructions": "Other words"}),
        (AnswerRow, {"output": "forged"}),
        (RecipeRow, {"settings": {"rank": 16, "alpha": 32, "epochs": 20}}),
        (AssessmentRow, {"answers": {}}),
        (AssessmentRow, {"revision": 7}),
    ],
)
def test_g18_g23_g30_whatever_is_changed_by_hand_is_seen(scene: Scene, table: type, values: dict[str, Any]) -> None:
    scene.approve()
    scene.change(table, **values)

    refused(scene, scene.launch(), 409)


def test_g31_results_cannot_be_posted(scene: Scene) -> None:
    client = scene.people(scene.author)

    for path in (
        "/api/v1/answers",
        "/api/v1/baselines/1/answers",
        "/api/v1/baselines/1/arms",
        "/api/v1/arms/1/answers",
    ):
        assert client.post(path, json={"score": 1}).status_code in {404, 405}


def test_g38_an_approval_that_has_expired(scene: Scene) -> None:
    scene.approve()
    scene.change(DecisionRow, expires_at=utcnow())

    refused(scene, scene.launch(), 409, "has expired")


def test_g37_an_approver_who_lost_the_role_or_the_account(scene: Scene) -> None:
    scene.approve()
    with writing(scene.engine) as session:
        session.get_one(UserRow, scene.reviewer.id).role = Role.AUTHOR
    refused(scene, scene.launch(), 409, "is no reviewer now")

    with writing(scene.engine) as session:
        user = session.get_one(UserRow, scene.reviewer.id)
        user.role, user.active = Role.REVIEWER, False
    refused(scene, scene.launch(key="two"), 409, "switched off")


def test_an_approver_who_worked_on_it_afterwards(scene: Scene) -> None:
    scene.approve()
    from app.assessments import service as assessments
    from app.assessments import store as assessment_store

    with writing(scene.engine) as session:
        assessments.contribute(session, assessment_store.get(session, scene.id), scene.reviewer, "looked into it")

    refused(scene, scene.launch(), 409)


def test_g40_a_job_put_into_the_database_by_hand(scene: Scene, queue: Client) -> None:
    with pytest.raises(Exception, match="needs its approved run"):
        _add_job(scene, queue)
    assert scene.started() == 0


def _add_job(scene: Scene, queue: Client) -> None:
    with writing(scene.engine) as session:
        jobs.bind(session, queue)
        jobs.add(session, "train", 1, scene.author.id, title="x")


def test_g40_a_run_put_into_the_database_by_hand(scene: Scene) -> None:
    review = scene.ask()
    with pytest.raises(Exception, match=r"no living approval|FOREIGN KEY"):
        _add_run(scene, review)


def _add_run(scene: Scene, review: dict[str, Any]) -> None:
    with writing(scene.engine) as session:
        session.add(
            TrainingRow(
                assessment_id=scene.id,
                review_id=review["id"],
                decision_id=1,
                digest=review["digest"],
                baseline_id=1,
                model_id=1,
                recipe={},
                idempotency_key="x",
                launched_by=scene.author.id,
                launched_at=utcnow(),
            )
        )


def test_a_frozen_subject_cannot_be_rewritten(scene: Scene) -> None:
    scene.ask()
    with pytest.raises(Exception, match="frozen subject does not change"):
        scene.change(ReviewRow, subject="{}")


@pytest.mark.past_the_app
def test_a_rewritten_subject_is_seen_even_so(scene: Scene) -> None:
    scene.approve()
    with writing(scene.engine) as session:
        session.execute(text("drop trigger reviews_frozen"))
        session.execute(text("update reviews set subject = replace(subject, 'Docs platform team', 'Nobody')"))

    refused(scene, scene.launch(), 409)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_g45_g47_only_a_post_decides(scene: Scene, method: str) -> None:
    review = scene.ask()
    client = scene.people(scene.reviewer)

    for path in (f"/reviews/{review['id']}/decide", f"/api/v1/reviews/{review['id']}/decisions"):
        assert client.request(method, path, headers={"X-HTTP-Method-Override": "POST"}).status_code in {404, 405}


def test_g45_a_form_of_another_site(scene: Scene) -> None:
    review = scene.ask()
    client = scene.people(scene.reviewer)
    answer = client.post(
        f"/reviews/{review['id']}/decide",
        data={"kind": "approve", "digest": review["digest"]},
        headers={"origin": "https://evil.example"},
    )

    refused(scene, answer, 403)


@pytest.mark.parametrize("path", ["/", "//", "/;x", "/%2e", "?x=1"])
def test_g48_spellings_of_the_address(scene: Scene, path: str) -> None:
    answer = scene.people(scene.author).post(
        f"/api/v1/assessments/{scene.id}/trainings{path}", headers={"Idempotency-Key": "x"}
    )

    assert answer.status_code in {307, 400, 404, 405, 409}
    assert scene.started() == 0


def test_g53_a_copy_carries_no_approval(scene: Scene) -> None:
    scene.approve()
    copied = scene.people(scene.author).post(f"/assessments/{scene.id}/copy")
    assert copied.status_code == 303
    number = re.search(r"/assessments/(\d+)", copied.headers["location"])
    assert number

    answer = scene.people(scene.author).post(
        f"/api/v1/assessments/{number[1]}/trainings", headers={"Idempotency-Key": "x"}
    )

    refused(scene, answer, 409)


def test_g57_an_approved_verdict_that_is_not_to_train(scene: Scene) -> None:
    _edit(scene, "recurrence", "once")
    review = scene.ask()
    assert scene.decide(review).status_code == 201, "a reviewer may agree with the verdict"

    refused(scene, scene.launch(), 409)


def test_g58_one_reviewer_asks_for_changes_another_approves(scene: Scene) -> None:
    review = scene.ask()
    second = scene.make.reviewer("Sue")
    assert scene.decide(review, kind="request_changes", comment="The target is too low.").status_code == 201
    assert scene.decide(review, second).status_code == 201

    refused(scene, scene.launch(), 409, "requested changes")


def test_g59_the_same_reviewer_twice(scene: Scene) -> None:
    review = scene.approve()

    assert scene.decide(review).status_code == 409


def test_one_cannot_ask_again_for_the_same(scene: Scene) -> None:
    scene.ask()

    again = scene.people(scene.author).post(f"/api/v1/assessments/{scene.id}/reviews", json={})

    assert again.status_code == 409


def test_a_withdrawn_review_takes_its_approval_along(scene: Scene) -> None:
    review = scene.approve()
    assert scene.people(scene.author).post(f"/api/v1/reviews/{review['id']}/withdraw").status_code == 200

    refused(scene, scene.launch(), 409)


def test_a_stranger_cannot_withdraw(scene: Scene) -> None:
    review = scene.approve()

    assert scene.people(scene.make.reviewer()).post(f"/api/v1/reviews/{review['id']}/withdraw").status_code == 403


def test_the_service_itself_is_no_way_around(scene: Scene) -> None:
    """G62: calling the function behind the button, with nothing of the web around it."""
    with writing(scene.engine) as session, pytest.raises(GateClosed):
        as_it_stands.permit(session, scene.id)


def test_the_last_look_compares_again(scene: Scene) -> None:
    """G20, G27: what changes between launch and start is seen by the worker."""
    review = scene.approve()
    assert scene.launch().status_code == 201
    with reading(scene.engine) as session:
        decision = session.scalars(select(DecisionRow)).one()
        assert launching.recheck(session, review["id"], decision.id, review["digest"], started=False)

    scene.change(DatasetRow, rows_sha256="f" * 64)

    with reading(scene.engine) as session, pytest.raises(GateClosed, match="Something changed between"):
        launching.recheck(session, review["id"], decision.id, review["digest"], started=False)
