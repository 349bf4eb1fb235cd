"""Four eyes are two people: a hand is seen wherever it was, and nobody is taken for somebody else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app import __main__ as command
from app import main
from app.assessments.tables import AssessmentRow
from app.audit import accounts
from app.audit import service as audit
from app.audit import store as audit_store
from app.baselines.tables import ArmRow, BaselineRow
from app.db import reading, utcnow, writing
from app.economics import service as economics
from app.economics.tables import PriceRow
from app.inference.tables import ModelRow
from app.jobs.tables import JobRow, Status
from app.policies.tables import PolicyRow
from app.settings import Settings
from app.users import likeness
from app.users import service as users
from app.users.passwords import Passwords
from app.users.tables import Role, UserRow
from tests.support import as_it_stands
from tests.support.depth import sampled
from tests.support.factories import Make
from tests.support.gated import Gated

People = Callable[[UserRow], TestClient]


@pytest.fixture
def boss(make: Make) -> UserRow:
    return make.admin("Bea")


@pytest.fixture
def gated(make: Make, people: People, engine: Engine) -> Gated:
    return Gated(make, people, engine)


@pytest.fixture
def own(make: Make, people: People, engine: Engine, boss: UserRow) -> Gated:
    """An assessment that the administrator wrote herself."""
    return Gated(make, people, engine, author=boss)


def refused(answer: Any, words: str) -> None:
    assert answer.status_code == 403, answer.text
    assert words in answer.text


# ---------------------------------------------------------------- whose account it is


def test_a_reviewer_made_by_the_author_is_no_second_person(own: Gated, boss: UserRow, engine: Engine) -> None:
    body = {"name": "Robin Reviewer", "email": "robin@example.org", "role": "reviewer"}
    made = own.post("/api/v1/users", json=body).json()
    with writing(engine) as session:
        robin = session.get_one(UserRow, made["id"])
        robin.must_change_password = False
    review = own.requested()

    refused(own.decide(review, robin), "Four eyes are two people")


@pytest.mark.parametrize("how", ["reset-password", "role", "disable"])
def test_nor_is_one_whose_account_the_author_opened(own: Gated, boss: UserRow, how: str) -> None:
    reviewer = own.make.user(Role.AUTHOR if how == "role" else Role.REVIEWER, "Rita")
    client = own.people(boss)
    if how == "role":
        client.post(f"/users/{reviewer.id}/role", data={"role": "reviewer"})
    else:
        client.post(f"/users/{reviewer.id}/{how}")
        client.post(f"/users/{reviewer.id}/enable")
    with writing(own.engine) as session:
        session.get_one(UserRow, reviewer.id).must_change_password = False
    review = own.requested()

    refused(own.decide(review, reviewer), "Four eyes are two people")


def test_an_approval_falls_when_the_author_opens_the_account_afterwards(own: Gated, boss: UserRow) -> None:
    own.approved()
    own.people(boss).post(f"/users/{own.reviewer.id}/reset-password")

    answer = own.launch()

    assert answer.status_code == 409
    assert "The approver's account was made, opened" in answer.text


def test_an_administrator_who_only_keeps_the_accounts_is_in_nobodys_way(gated: Gated, boss: UserRow) -> None:
    gated.people(boss).post(f"/users/{gated.reviewer.id}/reset-password")
    with writing(gated.engine) as session:
        session.get_one(UserRow, gated.reviewer.id).must_change_password = False
    review = gated.approved()

    page = gated.review_page(review)

    assert f"{boss.name} ({boss.email}) gave it a new password" in page
    assert gated.launch().status_code == 201


def test_a_password_from_the_servers_command_line_makes_it_ones_own(
    own: Gated, boss: UserRow, settings: Settings
) -> None:
    """With one administrator, who writes assessments too, this is the way to a second person."""
    own.people(boss).post(f"/users/{own.reviewer.id}/reset-password")
    assert main.new_password(settings, own.reviewer.email)
    with writing(own.engine) as session:
        session.get_one(UserRow, own.reviewer.id).must_change_password = False

    assert own.decide(own.requested()).status_code == 201


def test_a_review_says_whose_hands_were_in_it_with_addresses(own: Gated, boss: UserRow) -> None:
    review = own.approved()
    own.people(boss).post(f"/users/{own.reviewer.id}/reset-password")

    page = own.review_page(review)

    assert f"{own.reviewer.name} ({own.reviewer.email})" in page
    assert f"{boss.name} ({boss.email}) gave it a new password, and worked on this" in page
    told = own.people(boss).get(f"/api/v1/reviews/{review['id']}").json()
    assert [hand["email"] for hand in told["hands"]] == [boss.email]


# ---------------------------------------------------------------- what the evidence rests on


def publish(gated: Gated, by: UserRow) -> None:
    with writing(gated.engine) as session:
        from app.advice.policy_file import POLICY

        row = PolicyRow(number=1, base=POLICY.version, numbers=POLICY.numbers(), reason="Ours", sha256=POLICY.sha256,
                        published_by=by.id, published_at=utcnow())  # fmt: skip
        session.add(row)
        session.flush()
        session.execute(update(AssessmentRow).values(policy_id=row.id))


def connect(gated: Gated, by: UserRow) -> None:
    with writing(gated.engine) as session:
        session.execute(update(ModelRow).values(set_by=by.id))


def measured_with(gated: Gated, by: UserRow) -> None:
    """Who had connected the model when it was measured; it may have been changed since."""
    with writing(gated.engine) as session:
        copied = {"kind": "folder", "name": "M", "reference": "", "base_url": "", "files": {}, "set_by": by.id}
        session.execute(update(BaselineRow).values(model_as=copied))


@pytest.mark.parametrize(
    ("act", "words"),
    [(publish, "published policy 1"), (connect, "set up the model"), (measured_with, "set up the model M")],
)
def test_whose_word_the_evidence_rests_on_does_not_judge_it(
    gated: Gated, act: Callable[[Gated, UserRow], None], words: str
) -> None:
    act(gated, gated.reviewer)
    review = gated.requested()

    refused(gated.decide(review), "You contributed to this assessment")
    assert words in gated.review_page(review)
    assert gated.decide(review, gated.make.reviewer("Sue")).status_code == 201


PRICES = b"""name,unit,price,currency,dated,source
Large,input_tokens,3,USD,2026-10-01,contract
Large,output_tokens,15,USD,2026-10-01,contract
GPU,machine_hour,1.5,USD,2026-10-01,contract
Engineer,person_hour,60,USD,2026-10-01,payroll
Never used,input_tokens,3,USD,2026-10-01,contract
"""
SAID = {"upkeep_hours": "10", "retrains_year": "1", "minutes_row": "3", "review_hours": "4", "rows_to_write": "0"}


def test_who_set_a_price_that_is_counted_with_does_not_judge_it(make: Make, people: People, engine: Engine) -> None:
    author, pricer, other = make.author(), make.reviewer("Pat"), make.reviewer("Una")
    cheaper = {"goals": ["efficiency", "classify"], "main_goal": "efficiency", "calls_per_month": 2_000_000}
    assessment = make.assessment(author, answers=cheaper)
    dataset = make.dataset(assessment, author)
    make.baseline(assessment, dataset, make.model(name="Large", kind="endpoint"), author, passed=215)
    with writing(engine) as session:
        for arm in session.scalars(select(ArmRow)):
            tokens: dict[str, Any] = {"mean_prompt_tokens": 2200 if arm.test else 300, "mean_completion_tokens": 150}
            arm.dev = replace(arm.dev, **tokens) if arm.dev else None
            arm.test = replace(arm.test, **tokens) if arm.test else None
        economics.import_prices(session, PRICES, pricer)
        session.execute(update(PriceRow).where(PriceRow.name == "Never used").values(edited_by=other.id))
        assert pricer.id not in as_it_stands.hands(session, assessment.id), "nothing was counted yet"

        economics.assume(session, assessment.id, SAID, author)
        found = as_it_stands.hands(session, assessment.id)

    assert "set the price of Large" in found[pricer.id]
    assert other.id not in found, "a price that nothing was counted with is nobody's hand"
    review = people(author).post(f"/api/v1/assessments/{assessment.id}/reviews", json={}).json()
    body = {"kind": "approve", "digest": review["digest"]}
    refused(people(pricer).post(f"/api/v1/reviews/{review['id']}/decisions", json=body), "You contributed")
    assert people(other).post(f"/api/v1/reviews/{review['id']}/decisions", json=body).status_code == 201


def test_an_administrator_who_connected_the_model_does_not_judge_but_their_reviewer_does(
    gated: Gated, boss: UserRow
) -> None:
    connect(gated, boss)
    gated.people(boss).post(f"/users/{gated.reviewer.id}/reset-password")
    with writing(gated.engine) as session:
        session.get_one(UserRow, gated.reviewer.id).must_change_password = False
    review = gated.requested()

    refused(gated.decide(review, boss), "You contributed")
    assert gated.decide(review).status_code == 201


# ---------------------------------------------------------------- A33, jobs


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 403), ("launch", 403), ("approve", 201)])
def test_a_token_approves_only_if_it_was_made_for_it(gated: Gated, web: TestClient, scope: str, status: int) -> None:
    review = gated.requested()
    client = gated.people(gated.reviewer)
    secret = client.post("/api/v1/tokens", json={"name": "x", "scope": scope}).json()["secret"]
    program = TestClient(web.app, base_url=str(web.base_url), headers={"authorization": f"Bearer {secret}"})

    body = {"kind": "approve", "digest": review["digest"]}
    assert program.post(f"/api/v1/reviews/{review['id']}/decisions", json=body).status_code == status
    if scope == "approve":
        assert program.patch(f"/api/v1/assessments/{gated.id}", json={"title": "x"}).status_code == 403


def test_a_token_that_may_launch_makes_none_that_may_approve(gated: Gated, web: TestClient) -> None:
    client = gated.people(gated.reviewer)
    secret = client.post("/api/v1/tokens", json={"name": "x", "scope": "launch"}).json()["secret"]
    program = TestClient(web.app, base_url=str(web.base_url), headers={"authorization": f"Bearer {secret}"})

    assert program.post("/api/v1/tokens", json={"name": "y", "scope": "approve"}).status_code == 403
    assert program.post("/api/v1/tokens", json={"name": "y", "scope": "write"}).status_code == 201


def test_a_job_is_cancelled_by_its_owner_or_an_administrator(gated: Gated, boss: UserRow) -> None:
    with writing(gated.engine) as session:
        jobs = [
            JobRow(kind="check", title="Check", subject_id=number, queue="cpu", status=Status.RUNNING, progress={},
                   created_by=gated.author.id, created_at=utcnow())
            for number in (1, 2)
        ]  # fmt: skip
        session.add_all(jobs)
    first, second = (job.id for job in jobs)

    refused(gated.post(f"/api/v1/jobs/{first}/cancel", gated.reviewer), "Only whoever started this job")
    assert "Cancel</button>" not in gated.people(gated.reviewer).get(f"/jobs/{first}").text
    assert "Cancel</button>" in gated.people(gated.author).get(f"/jobs/{first}").text
    assert gated.post(f"/api/v1/jobs/{first}/cancel").status_code == 200
    assert gated.post(f"/api/v1/jobs/{second}/cancel", boss).status_code == 200


# ---------------------------------------------------------------- A30: who is who


@pytest.mark.parametrize(
    "email",
    sampled(
        [
            "\u0430da@example.org", "ada@example.org\u200b", "ada@example.org.", "a\u00adda@example.org",
            "\uff41da@example.org", "ada@example\u2024org", "ADA@example.org", "ada@example..org", "ada@.example.org",
        ],
        every=4,
    ),
)  # fmt: skip
def test_an_address_that_looks_like_anothers_is_refused(own: Gated, engine: Engine, email: str) -> None:
    own.make.user(name="Ada Lovelace", email="ada@example.org")

    answer = own.post("/api/v1/users", json={"name": "Somebody Else", "email": email})

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/email"]


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "ada  lovelace",
        "Ad\u0430 Lovelace",
        "Ada Love1ace",
        "\u0410\u0434\u0430 Lovelace",
        "Adá Lovelace",
    ],
)
def test_a_name_that_looks_like_anothers_is_refused(own: Gated, name: str) -> None:
    own.make.user(name="Ada Lovelace", email="ada@example.org")

    answer = own.post("/api/v1/users", json={"name": name, "email": "other@example.org"})

    looks = likeness.name(name) == likeness.name("Ada Lovelace") or likeness.name_fault(name)
    assert answer.status_code == (422 if looks else 201)
    assert bool(looks) == (name != "\u0410\u0434\u0430 Lovelace"), "a name in its own alphabet is a name"


@pytest.mark.parametrize(
    "name", sampled(["Jürgen Müller", "Nguyễn Văn An", "李小龙", "Ольга Петрова", "Γιώργος Παππάς"], every=3)
)
def test_names_of_people_are_names(own: Gated, name: str) -> None:
    assert own.post("/api/v1/users", json={"name": name, "email": "other@example.org"}).status_code == 201


# ---------------------------------------------------------------- getting back in


def test_a_sole_administrator_gets_back_in_by_a_command_on_record(
    settings: Settings, engine: Engine, boss: UserRow, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command._reset_password(_given(boss.email), settings) == 0

    password = capsys.readouterr().out.split("password: ")[1].split()[0]
    keeper = Passwords(settings.hash_time, settings.hash_memory)
    with reading(engine) as session:
        user = session.get_one(UserRow, boss.id)
        (entry,) = audit_store.acts(session, ("user.reset_password",), "user", boss.id)
    assert keeper.verify(password, user.password_hash)
    assert user.must_change_password
    assert (entry.actor_id, entry.detail) == (None, {"tokens_ended": 0, "from": "the server's command line"})


def test_the_command_says_when_nobody_has_the_address(
    settings: Settings, boss: UserRow, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command._reset_password(_given("nobody@example.org"), settings) == 1
    assert "Nobody has this e-mail address" in capsys.readouterr().err


def _given(email: str) -> Any:
    import argparse

    return argparse.Namespace(email=email)


def test_keepers_are_the_last_ones(engine: Engine, make: Make, settings: Settings) -> None:
    """A password that another administrator gave takes the one of the first out of their hands."""
    first, second, rob = make.admin("First"), make.admin("Second"), make.reviewer("Rob")
    keeper = Passwords(settings.hash_time, settings.hash_memory)
    with writing(engine) as session:
        for boss in (first, second):
            users.reset_password(session, users.hand_over_anew(keeper), rob.id, by=boss, record=audit.record)

        assert accounts.keepers(session, rob.id) == {second.id: ["gave it a new password"]}
