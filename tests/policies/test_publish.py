"""Publishing: who is judged by what, and that nothing published is ever rewritten, whichever the database."""

from functools import partial

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.advice.policy import Numbers, Points
from app.advice.policy_file import POLICY
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.service import Details
from app.audit.tables import EntryRow
from app.db import make_engine, reading, utcnow, writing
from app.errors import Conflict, Invalid, NotFound, Stale
from app.gate import evidence, reviews
from app.gate import store as gate_store
from app.policies import service, store
from app.policies.tables import PolicyRow
from app.settings import Settings
from app.users.tables import UserRow
from tests.support import as_it_stands
from tests.support.depth import depth
from tests.support.factories import ANSWERS, Make
from tests.support.races import at_once

STRICT: Numbers = {"thresholds": {"usable_examples": 2000}}


@pytest.fixture
def ada(make: Make) -> UserRow:
    return make.admin("Ada")


def test_a_published_policy_holds_from_now_on(either: Settings) -> None:
    engine = make_engine(either.url)
    make = Make(engine, either)
    ada, amy = make.admin("Ada"), make.author("Amy")
    with writing(engine) as session:
        before = assessments.create(session, Details("Before"), amy, first_answers=ANSWERS)
        assert service.today(session) is POLICY
        row = service.publish(session, STRICT, " Two pilots learnt 1,200 rows by heart. ", 0, ada)
        after = assessments.create(session, Details("After"), amy, first_answers=ANSWERS)
        last = session.scalars(select(EntryRow).where(EntryRow.act == "policy.publish")).one()
        first_id, second_id, row_id = before.id, after.id, row.id

    with reading(engine) as session:
        kept = store.get(session, row_id)
        assert (kept.number, kept.base, kept.reason) == (1, POLICY.version, "Two pilots learnt 1,200 rows by heart.")
        assert kept.sha256 == service.made(kept).sha256 == service.today(session).sha256
        old, new = (assessment_store.get(session, one) for one in (first_id, second_id))
        assert as_it_stands.advice(session, old).policy_version == POLICY.version
        assert as_it_stands.advice(session, new).policy_version == "3.1"
        assert as_it_stands.advice_today(session, old).policy_version == "3.1"
        assert as_it_stands.advice_today(session, new).policy_sha256 == as_it_stands.advice(session, new).policy_sha256
        assert service.of(session, None) is POLICY
        assert service.numbered(session, 1).count("usable_examples") == 2000
    assert last.detail["changed"] == {"usable_examples": "1,000 rows -> 2,000 rows"}
    assert last.detail["version"] == "3.1"
    engine.dispose()


def test_nothing_published_is_rewritten(either: Settings) -> None:
    """The database itself refuses, whatever the code above it does."""
    engine = make_engine(either.url)
    ada = Make(engine, either).admin()
    with writing(engine) as session:
        service.publish(session, STRICT, "Why not", 0, ada)

    for attempt in ("update policies set reason = 'better'", "delete from policies"):
        with pytest.raises(DBAPIError, match="a published policy is kept as it was"), writing(engine) as session:
            session.execute(text(attempt))
    engine.dispose()


def test_of_two_who_publish_at_the_same_moment_one_is_told_so(either: Settings) -> None:
    engine = make_engine(either.url)
    ada = Make(engine, either).admin()

    def publish(rows: int, based_on: int) -> str:
        try:
            with writing(engine) as session:
                service.publish(session, {"thresholds": {"usable_examples": rows}}, "Because", based_on, ada)
        except Stale:
            return "stale"
        return "published"

    for number in range(depth(2, 100)):
        said = at_once(partial(publish, 1500 + 2 * number, number), partial(publish, 1501 + 2 * number, number))
        assert sorted(said) == ["published", "stale"]
    with reading(engine) as session:
        assert [row.number for row in store.everything(session)] == list(range(depth(2, 100), 0, -1))
    engine.dispose()


def test_what_another_has_published_is_not_published_over(either: Settings) -> None:
    engine = make_engine(either.url)
    ada = Make(engine, either).admin()
    with writing(engine) as session:
        service.publish(session, STRICT, "First", 0, ada)

    with pytest.raises(Stale, match=r"Policy 3\.1 was published in the meantime"), writing(engine) as session:
        service.publish(session, {"thresholds": {"kappa": 0.7}}, "Second", 0, ada)
    row = PolicyRow(number=1, base="2", numbers={}, reason="", sha256="", published_by=ada.id, published_at=utcnow())
    with pytest.raises(DBAPIError), writing(engine) as session:
        session.add(row)
    with reading(engine) as session:
        assert [one.reason for one in store.everything(session)] == ["First"]
    engine.dispose()


def test_the_next_policy_begins_where_the_last_one_ended(session: Session, ada: UserRow) -> None:
    service.publish(session, STRICT, "More rows", 0, ada)
    second = service.publish(session, {"weights": {"F01.style": [1, -1, 3]}}, "Style", 1, ada)

    policy = service.made(second)
    assert policy.version == "3.2"
    assert policy.count("usable_examples") == 2000
    assert policy.weight("F01", "style").points == Points(1, -1, 3)


def test_a_weight_can_not_be_turned_around_in_two_steps(session: Session, ada: UserRow) -> None:
    service.publish(session, {"weights": {"F01.facts": [0, 0, 0]}}, "Weaker", 0, ada)

    with pytest.raises(Invalid) as refused:
        service.publish(session, {"weights": {"F01.facts": [0, -1, 0]}}, "Turned", 1, ada)
    assert [error.field for error in refused.value.errors] == ["weight.F01.facts.prompt"]


def test_a_reason_is_asked_for_and_every_fault_is_said(session: Session, ada: UserRow) -> None:
    with pytest.raises(Invalid) as refused:
        service.publish(session, {"thresholds": {"usable_examples": 1, "kappa": 3}}, "  ", 0, ada)

    assert {error.field for error in refused.value.errors} == {
        "threshold.usable_examples", "threshold.kappa", "reason",
    }  # fmt: skip
    with pytest.raises(Invalid):
        service.publish(session, STRICT, "x" * 2001, 0, ada)


def test_the_same_numbers_are_nothing_to_publish(session: Session, ada: UserRow) -> None:
    with pytest.raises(Conflict, match="nothing to publish"):
        service.publish(session, POLICY.numbers(), "Because", 0, ada)


def test_there_is_no_other_policy(session: Session) -> None:
    with pytest.raises(NotFound):
        service.of(session, 7)
    with pytest.raises(NotFound):
        service.numbered(session, 1)


def test_a_number_that_these_rules_no_longer_have_is_left_out(session: Session, ada: UserRow) -> None:
    """As after an upgrade that dropped a threshold and an answer, and moved a bound."""
    row = service.publish(session, STRICT, "Before the upgrade", 0, ada)
    numbers: Numbers = {
        "thresholds": {**row.numbers["thresholds"], "gone": 3, "usable_examples": 50},
        "weights": {"F99.x": [0, 0, 0]},
    }
    old = PolicyRow(number=2, base="1", numbers=numbers, reason="", sha256="", published_by=ada.id,
                    published_at=row.published_at)  # fmt: skip

    policy = service.made(old)

    assert (policy.version, policy.count("usable_examples")) == ("1.2", 50)
    assert policy.weight("F01", "style").points == POLICY.weight("F01", "style").points


# ------------------------------------------------------------------ assessments and their policy


def test_an_assessment_is_moved_to_todays_policy_and_its_approval_ends(
    engine: Engine, make: Make, ada: UserRow
) -> None:
    row, reviewer = make.ready(), make.reviewer()
    with writing(engine) as session:
        asked = reviews.request_review(session, row.id, session.get_one(UserRow, row.created_by))
        digest, before = asked.digest, asked.revision
        assert reviews.subject_of(asked).policy.to_json() == {"version": POLICY.version, "sha256": POLICY.sha256}
        service.publish(session, STRICT, "More rows", 0, ada)

    with writing(engine) as session:
        me = session.get_one(UserRow, row.created_by)
        moved = assessments.take_todays_policy(session, row.id, me)
        assert moved.revision == before + 1
        made = as_it_stands.subject(session, moved)
        assert made["policy"]["version"] == "3.1"
        assert made["verdict"]["training"] == "locked"
        with pytest.raises(Conflict, match="already"):
            assessments.take_todays_policy(session, row.id, me)
        review = gate_store.living(session, row.id)
        assert review is not None
        with pytest.raises(Stale, match="has changed since"):
            reviews.decide(session, review.id, reviewer, "approve", digest)
    with reading(engine) as session:
        acts = session.scalars(select(EntryRow).where(EntryRow.act == "assessment.policy")).all()
        assert [act.detail for act in acts] == [{"from": POLICY.version, "to": f"{POLICY.version}.1"}]


def test_a_policy_published_meanwhile_does_not_touch_what_waits_for_review(
    engine: Engine, make: Make, ada: UserRow
) -> None:
    row = make.ready()
    with writing(engine) as session:
        asked = reviews.request_review(session, row.id, session.get_one(UserRow, row.created_by))
        service.publish(session, STRICT, "More rows", 0, ada)
        assert as_it_stands.changed_since(session, asked) == []
        assert as_it_stands.advice(session, session.get_one(type(row), row.id)).training == "ready"


def test_what_another_policy_would_make_of_the_assessments(engine: Engine, make: Make) -> None:
    row = make.ready()
    make.assessment(title="Not far yet")
    strict = POLICY.with_numbers("strict", STRICT)

    with reading(engine) as session:
        found = {one.assessment.id: one for one in evidence.effects(session, strict)}

    assert len(found) == 2
    assert [one.assessment.id for one in found.values() if one.other] == [row.id]
    assert (found[row.id].before.training, found[row.id].after.training) == ("ready", "locked")
