"""Two people on the same failures: the second one tags blind, every word is kept, differences are settled."""

import re
from collections.abc import Callable, Sequence

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import answer_store, facts, standing, store, tag_store
from app.baselines.tables import AnswerRow, TagRow
from app.db import reading, utcnow, writing
from app.users.tables import UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]
WORDS = ("behaviour", "facts", "instructions", "reference")


class Failures:
    """30 failed dev rows; Ben tags `first` of them, each with the next of the four causes."""

    def __init__(self, make: Make, people: People, engine: Engine) -> None:
        self.engine, self.people, self.make = engine, people, make
        self.ben, self.cora = make.author("Ben"), make.author("Cora")
        self.assessment = make.ready(self.ben).id
        with writing(engine) as session:
            baseline = store.current(session, self.assessment)
            assert baseline is not None
            leading = standing.leading(baseline)
            assert leading is not None
            self.baseline, self.arm = baseline.id, leading.id
            rows = answer_store.answers(session, leading.id, "dev")
            for row in rows:
                row.cause = None
            self.wrong = [row.id for row in rows if row.score == 0]
            self.right = next(row.id for row in rows if row.score == 1)

    def put(self, by: UserRow, tags: dict[int, str], status: int = 200) -> dict[str, object]:
        body = {"causes": [{"answer_id": answer, "cause": cause} for answer, cause in tags.items()]}
        answered = self.people(by).put(f"/api/v1/baselines/{self.baseline}/arms/{self.arm}/causes", json=body)
        assert answered.status_code == status, answered.text
        made: dict[str, object] = answered.json()
        return made

    def first(self, number: int = 30) -> dict[int, str]:
        tags = {answer: WORDS[place % 4] for place, answer in enumerate(self.wrong[:number])}
        self.put(self.ben, tags)
        return tags

    def begin(self, by: UserRow) -> dict[str, object]:
        begun = self.people(by).post(f"/api/v1/baselines/{self.baseline}/tag-rounds")
        assert begun.status_code == 201, begun.text
        made: dict[str, object] = begun.json()
        return made

    def causes(self) -> dict[int, str | None]:
        with reading(self.engine) as session:
            rows: Sequence[AnswerRow] = answer_store.answers(session, self.arm, "dev")
            return {row.id: row.cause for row in rows if row.id in self.wrong}


@pytest.fixture
def failures(make: Make, people: People, engine: Engine) -> Failures:
    return Failures(make, people, engine)


def test_the_second_person_sees_no_word_of_the_first_wherever_they_look(failures: Failures) -> None:
    tags = failures.first()
    cora = failures.people(failures.cora)
    before = cora.get(f"/api/v1/baselines/{failures.baseline}/arms/{failures.arm}/answers?show=tagged&limit=200")
    assert {one["cause"] for one in before.json()["data"]} == set(WORDS)

    begun = failures.begin(failures.cora)

    answers = begun["answers"]
    assert isinstance(answers, list)
    assert {one["id"] for one in answers} == set(tags)
    assert {(one["cause"], one["suggested_cause"]) for one in answers} == {(None, None)}
    listed = cora.get(f"/api/v1/baselines/{failures.baseline}/arms/{failures.arm}/answers?show=wrong&limit=200").json()
    assert {one["cause"] for one in listed["data"]} == {None}
    exported = cora.get(f"/api/v1/baselines/{failures.baseline}/answers.jsonl").text
    assert not any(f'"cause":"{word}"' in exported for word in WORDS)
    for address in (
        f"/baselines/{failures.baseline}/second",
        f"/baselines/{failures.baseline}/arms/{failures.arm}?split=dev&show=wrong",
        f"/answers/{failures.wrong[0]}",
    ):
        page = cora.get(address).text.partition("<main")[2]
        assert 'aria-pressed="true"' not in page, address
        assert "Tagged by" not in page, address
        assert "data-suggested" not in page, address
    address = f"/baselines/{failures.baseline}/arms/{failures.arm}?split=dev&show=wrong"
    assert "Tagged by Ben" in failures.people(failures.ben).get(address).text  # only the second person is kept from it


def test_the_record_shows_no_cause_to_whoever_tags_blind(failures: Failures) -> None:
    rita = failures.make.admin("Rita")
    tags = failures.first(3)
    first = next(iter(tags))
    for cause in ("reference", "facts"):  # one alone is written down with its cause
        failures.put(failures.ben, {first: cause})
    client = failures.people(rita)
    addresses = ("/api/v1/audit?act=baseline.tag", "/audit?act=baseline.tag", "/audit.csv?act=baseline.tag")
    assert all("reference" in client.get(address).text for address in addresses)

    begun = client.post(f"/api/v1/baselines/{failures.baseline}/tag-rounds")
    assert begun.status_code == 201, begun.text
    for address in addresses:
        assert "reference" not in client.get(address).text, address
    listed = client.get(addresses[0]).json()["data"]
    assert [one["withheld"] for one in listed] == [True, True, False]
    assert {key for one in listed[:2] for key in one["detail"]} == {"assessment", "arm", "answers", "answer"}
    assert client.get("/api/v1/audit/chain").json()["whole"]
    assert client.get(f"/api/v1/baselines/{failures.baseline}").json()["failure_causes"] is None
    assert "causes that others gave are hidden" in client.get(f"/assessments/{failures.assessment}/measure").text

    client.post(f"/api/v1/tag-rounds/{begun.json()['id']}/end")
    assert all("reference" in client.get(address).text for address in addresses)


def test_the_first_word_counts_until_somebody_settles(failures: Failures) -> None:
    tags = failures.first()
    begun = failures.begin(failures.cora)
    other = dict.fromkeys(failures.wrong[:6], "behaviour")  # two of these six agree
    failures.put(failures.cora, tags | other)

    assert failures.causes() == tags
    agreed = failures.people(failures.cora).post(f"/api/v1/tag-rounds/{begun['id']}/end").json()

    assert (agreed["rows"], agreed["agreed"]) == (30, 26)
    assert agreed["kappa_low"] < agreed["kappa"] < agreed["kappa_high"]
    assert [one["causes"] for one in agreed["disagreements"]] == [
        [tags[answer], "behaviour"] for answer in failures.wrong[:6] if tags[answer] != "behaviour"
    ]
    differing = agreed["disagreements"][0]["answer_id"]
    page = failures.people(failures.ben).get(f"/baselines/{failures.baseline}/second").text
    assert "4 disagreements to settle" in page
    settled = failures.people(failures.ben).post(
        f"/answers/{differing}/settle", data={"cause": "behaviour"}, follow_redirects=False
    )
    assert settled.headers["location"].endswith(f"/second#answer-{differing}")
    assert failures.causes()[differing] == "behaviour"
    again = failures.people(failures.ben).get(f"/api/v1/baselines/{failures.baseline}/tag-agreement").json()
    assert (again["agreed"], again["disagreements"][-1]["settled_by"]) == (26, "Ben")
    with reading(failures.engine) as session:
        baseline = store.get(session, failures.baseline)
        assert facts.failure_causes(session, baseline)["behaviour"] == 9
        measured = facts.measured(session, failures.assessment)
        assert (measured.tagged_twice, measured.tags_kappa) == (30, round(agreed["kappa"], 4))


def test_what_is_changed_after_seeing_the_other_word_is_no_agreement(failures: Failures) -> None:
    failures.first(4)
    begun = failures.begin(failures.cora)
    failures.put(failures.cora, dict.fromkeys(failures.wrong[:4], "behaviour"))
    failures.people(failures.cora).post(f"/api/v1/tag-rounds/{begun['id']}/end")

    failures.put(failures.ben, dict.fromkeys(failures.wrong[:4], "behaviour"))
    failures.put(failures.cora, dict.fromkeys(failures.wrong[:4], "behaviour"))

    assert set(list(failures.causes().values())[:4]) == {"behaviour"}  # it counts
    agreed = failures.people(failures.ben).get(f"/api/v1/baselines/{failures.baseline}/tag-agreement").json()
    assert (agreed["rows"], agreed["agreed"]) == (4, 1)


def test_three_people_and_the_word_of_most(failures: Failures) -> None:
    failures.put(failures.ben, {failures.wrong[0]: "facts"})
    for person in (failures.cora, failures.make.author("Dan")):
        begun = failures.begin(person)
        failures.put(person, {failures.wrong[0]: "behaviour"})
        failures.people(person).post(f"/api/v1/tag-rounds/{begun['id']}/end")

    assert failures.causes()[failures.wrong[0]] == "behaviour"


def test_one_person_is_no_two_whatever_account_they_use(failures: Failures, make: Make) -> None:
    failures.first()
    again = failures.people(failures.ben).post(f"/api/v1/baselines/{failures.baseline}/tag-rounds")
    assert again.status_code == 409
    assert "Nobody else has tagged" in again.text

    admin = make.admin("Amy")
    puppet = make.author("Puppet")
    with writing(failures.engine) as session:
        audit.record(session, admin, "user.add", "user", puppet.id, {})
        for row in session.scalars(select(TagRow)):
            row.user_id = admin.id  # as if the administrator had tagged first
    refused = failures.people(puppet).post(f"/api/v1/baselines/{failures.baseline}/tag-rounds")
    assert refused.status_code == 403
    assert "no second person" in refused.text


def test_whoever_tags_as_second_has_a_hand_in_it(failures: Failures) -> None:
    failures.first(3)
    failures.begin(failures.cora)

    with reading(failures.engine) as session:
        assert failures.cora.id in assessment_store.contributor_ids(session, failures.assessment)
    page = failures.people(failures.make.author("Eve")).get(f"/baselines/{failures.baseline}/second").text
    assert "can&#39;t approve it" in page or "can't approve it" in page


def test_a_round_is_only_its_owners_and_settling_needs_two(failures: Failures) -> None:
    failures.first(3)
    begun = failures.begin(failures.cora)
    ben = failures.people(failures.ben)

    assert ben.post(f"/api/v1/tag-rounds/{begun['id']}/end").status_code == 403
    assert ben.post("/api/v1/tag-rounds/999/end").status_code == 404
    one = failures.wrong[0]
    assert ben.put(f"/api/v1/answers/{one}/settled", json={"cause": "facts"}).status_code == 409
    assert ben.put(f"/api/v1/answers/{failures.right}/settled", json={"cause": "facts"}).status_code == 409
    failures.put(failures.cora, {one: "facts"})
    settling = failures.people(failures.cora).put(f"/api/v1/answers/{one}/settled", json={"cause": "facts"})
    assert settling.status_code == 409
    assert "Finish your own round" in settling.text


def test_what_was_tagged_before_there_were_two_is_its_persons(failures: Failures) -> None:
    with writing(failures.engine) as session:
        row = session.get_one(AnswerRow, failures.wrong[0])
        row.cause, row.tagged_by, row.created_at = "facts", failures.ben.id, utcnow()

    failures.begin(failures.cora)
    failures.put(failures.cora, {failures.wrong[0]: "behaviour"})

    assert failures.causes()[failures.wrong[0]] == "facts"
    with reading(failures.engine) as session:
        kept = tag_store.of_answers(session, [failures.wrong[0]])[failures.wrong[0]]
        assert [(tag.user_id, tag.cause) for tag in kept] == [
            (failures.ben.id, "facts"),
            (failures.cora.id, "behaviour"),
        ]


def test_failures_are_shown_ten_at_a_time_and_a_button_leads_back(failures: Failures) -> None:
    failures.first()
    failures.begin(failures.cora)
    page, cora = f"/baselines/{failures.baseline}/second", failures.people(failures.cora)
    shown = cora.get(page).text
    assert shown.count("data-causes") == 10
    assert "Next 10 failures" in shown
    assert "Finish and compare" not in shown
    action = re.search(r'action="[^"]*(/answers/\d+/cause\?page=1)"', shown)
    assert action

    saved = cora.post(action[1], data={"cause": "facts"})

    assert "&page=1#answer-" in saved.headers["location"]
    assert "Finish and compare" in cora.get(f"{page}?page=3").text
