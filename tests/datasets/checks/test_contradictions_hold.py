"""Near rows contradict each other only where their questions do not explain it; ceilings and shares that hold."""

import json
import random
from collections.abc import Callable
from itertools import product

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.advice import verdict
from app.advice.case import parse
from app.datasets import job, store
from app.datasets.checks import explained_differences, learnability
from app.datasets.checks.statuses import RowStatus
from app.datasets.tables import DatasetRow
from app.db import reading
from app.jobs.claims import Claim
from app.users.tables import UserRow
from tests.support.examples import Upload, judge, questions

Pairs = list[tuple[str, str]]


def streets(number: int) -> list[str]:
    draw = random.Random(3)
    first = ("Kettle", "Miller", "Harbour", "Copper", "Willow", "Orchard", "Saddler", "Lantern", "Pepper", "Juniper")
    last = ("hill", "gate", "brook", "field", "mead", "bank", "croft", "wood")
    names = [f"{one}{two}" for one, two in product(first, last)]
    return [f"{draw.randint(1, 400)} {name}" for name in draw.sample(names, number)]


def address(place: str, kind: str) -> tuple[str, str]:
    """An address as it is written, and its parts as they stand there."""
    number, name = place.split()
    parts = {"number": number, "name": name, "type": kind, "city": "Lund"}
    return f"{place} {kind}, Lund", json.dumps({key: value for key, value in parts.items() if value})


def test_addresses_that_say_what_each_holds_contradict_nothing() -> None:
    places = streets(70)
    rows = [address(place, "St") for place in places] + [address(place, "St.") for place in places[:20]]

    outcome = judge(rows)

    assert outcome.report.task == "json"
    assert outcome.report.contradictions == ()
    assert outcome.report.contradiction_rate == 0
    # Of each pair one row is used, as of any near-duplicates.
    assert [outcome.status.count(one) for one in (RowStatus.CONTRADICTION, RowStatus.NEAR_DUPLICATE)] == [0, 20]


def test_one_that_says_what_it_does_not_hold_is_found_among_them() -> None:
    places = streets(40)
    rows = [address(place, "St") for place in places]
    planted = address(places[3], "St.")[0], address(places[3], "Ave")[1]
    wrong_city = address(places[4], "St.")[0], address(places[4], "St.")[1].replace("Lund", "Malmo")

    outcome = judge([*rows, planted, wrong_city, (rows[5][0], address(places[5], "St.")[1])])

    assert sorted(one.line for one in outcome.report.contradictions) == [41, 42, 43]
    assert all(one.of_text and one.text for one in outcome.report.contradictions)


SAME = [
    # (question, answer), (question, answer) that differ only in what each copies
    ('{"a": "Cafe Roma"}', "at cafe roma", '{"a": "Café Roma"}', "at Café Roma"),
    ('{"a": ["N", "Clark"]}', "N Clark", '{"a": ["N.", "Clark"]}', "N. Clark"),
    ('{"a": ["to", "Lund"]}', "to Lund", '{"a": ["to", "Lund", "!"]}', "to Lund!"),
    ('{"a": "kettle st", "mark": "."}', "kettle st.", '{"a": "kettle st"}', "kettle st"),
    ('{"KETTLE ST": 1}', "KETTLE ST", '{"kettle st": 1}', "kettle st"),
    ('{"start": 3, "end": 7}', "to Lund", '{"start": 10, "end": 14}', "Please to Lund"),
    ('[[3, 7, "CITY"]]', "to Lund", '[[4, 8, "CITY"]]', "to, Lund"),
    ('{"to": "Londn"}', "fly to Londn", '{"to": "London"}', "fly to London"),
    ('{"n": 5}', "take 5", '{"n": 5}', "take 5!"),
]
APART = [
    ('{"to": "Lund", "from": "Oslo"}', "Oslo to Lund", '{"to": "Oslo", "from": "Lund"}', "Oslo to Lund"),
    ('{"type": "St"}', "Kettle St.", '{"type": "St."}', "Kettle St."),  # the same question, to the letter
    ('{"type": "street"}', "Kettle St", '{"type": "lane"}', "Kettle St."),
    ('{"n": 5}', "take 5", '{"n": 6}', "take 5!"),
    ('{"ok": true}', "is it?", '{"ok": false}', "is it"),
    ('{"a": "Lund"}', "to Lund", '{"a": "Lund", "b": "Oslo"}', "to Lund!"),
    ('{"a": "Lund"}', "to Lund", '{"a": null}', "to Lund!"),
    ('{"start": 3, "end": 7}', "to Lund", '{"start": 0, "end": 2}', "to Lund!"),
    ('["+"]', "it is fine", '["-"]', "it is fine."),
    ('[["Lund"]]', "to Lund", '["Lund"]', "to Lund!"),
]


@pytest.mark.parametrize(("one", "question", "other", "other_question"), SAME)
def test_what_each_copies_from_its_question_is_no_difference(
    one: str, question: str, other: str, other_question: str
) -> None:
    assert explained_differences.same_json(json.loads(one), json.loads(other), question, other_question)
    assert explained_differences.same_json(json.loads(other), json.loads(one), other_question, question)


@pytest.mark.parametrize(("one", "question", "other", "other_question"), APART)
def test_anything_else_is_one(one: str, question: str, other: str, other_question: str) -> None:
    assert not explained_differences.same_json(json.loads(one), json.loads(other), question, other_question)
    assert not explained_differences.same_json(json.loads(other), json.loads(one), other_question, question)


def test_a_deep_or_a_long_answer_takes_no_time() -> None:
    deep: object = "St"
    for _ in range(150):
        deep = [deep]
    assert not explained_differences.same_json(deep, [deep], "a", "b")
    assert not explained_differences.same_json(["x"] * 100_000, ["y"] * 100_001, "x", "y")


def test_the_letter_of_an_option_means_another_where_options_were_shuffled() -> None:
    pairs = []
    for number, (asked, _) in enumerate(questions(60)):
        one, two = f"{asked.lower()} in spring {number}", f"{asked.lower()} when it snows {number}"
        stem = "Which of the two was said first by the guide of the museum that morning?"
        pairs += [(f"{stem} A) {one} B) {two}", "A"), (f"{stem} A) {two} B) {one}", "B")]

    assert judge(pairs).report.contradictions == ()


def test_a_label_that_its_question_only_lists_explains_nothing() -> None:
    head = "Say refund or exchange. Where is the money that I was told I would get back, please?"
    rows = [
        (f"Say refund or exchange. {q}", "refund" if n % 2 else "exchange") for n, (q, _) in enumerate(questions(40))
    ]

    outcome = judge([*rows, (head, "refund"), (f"Hello! {head}", "exchange")])

    assert [(one.line, one.of_line) for one in outcome.report.contradictions] == [(42, 41)]


def test_rows_that_contradict_each_other_have_one_group_and_a_person_can_call_them_different() -> None:
    rows = [(f"{q} {n}", "refund_asked" if n % 2 else "refund_given") for n, (q, _) in enumerate(questions(40))]
    near = [("Where is my money?", "refund_asked"), ("where is my money", "refund_given")]
    outcome = judge([*rows, *near])

    (found,) = outcome.report.contradictions
    assert (found.line, found.of_line, found.same) == (42, 41, False)
    assert found.cluster == outcome.group[40] == outcome.group[41]

    again = judge([*rows, *near], kept_keys=[outcome.rows.keys[40]])

    assert again.status[40:] == [RowStatus.USABLE] * 2
    assert again.report.counts.contradictions == 0
    assert len({again.split.get(index) for index in (40, 41)}) == 1  # on one side of the split


# ---------------------------------------------------------------------- the gate
def gate(rate: float, of: int | None) -> tuple[str, str]:
    measured = {"contradiction_rate": rate} | ({} if of is None else {"similar_questions": of})
    found = verdict.advise(parse({"measured": measured}))
    return next((one.state, one.measured) for one in found.gates if one.id == "G8")


@pytest.mark.parametrize(
    ("contradicting", "of", "state"),
    [(10, 20, "pass"), (29, 29, "pass"), (10, 30, "fail"), (2, 30, "pass"), (3, 331, "pass"), (30, 331, "fail")],
)
def test_the_gate_fails_only_on_contradictions_that_are_surely_too_many(
    contradicting: int, of: int, state: str
) -> None:
    found, text = gate(contradicting / of, of)

    assert (found, f"{contradicting} of {of} questions" in text) == (state, True)


def test_a_share_of_which_nobody_knows_the_number_is_judged_as_it_was() -> None:
    assert [gate(rate, None)[0] for rate in (0.05, 0.051)] == ["pass", "fail"]


# ---------------------------------------------------------------------- ceilings
OPPOSITES = [
    ("switch on", "switch off"), ("pause", "unpause"), ("mute", "unmute"), ("turn up", "turn down"),
    ("move left", "move right"), ("lock", "unlock"), ("arm", "disarm"), ("open", "close"), ("raise", "lower"),
    ("pin", "unpin"), ("connect", "disconnect"), ("zip", "unzip"), ("enter", "leave"), ("speed up", "slow down"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), OPPOSITES)
def test_commands_that_are_opposites_are_not_one_question(one: str, other: str) -> None:
    things = ("lamp", "radio", "heater", "fan", "door", "gate", "blind", "oven", "pump", "siren")
    rooms = ("kitchen", "cellar", "attic", "garage", "hall", "study", "porch", "pantry", "nursery", "workshop")
    pairs = [
        (f"{verb} the {thing} in the {room}", verb.replace(" ", "_"))
        for thing in things
        for room in rooms
        for verb in (one, other)
    ]

    outcome = judge(pairs)

    assert outcome.report.counts.contradictions == 0
    assert outcome.report.label_agreement is not None
    assert outcome.report.label_agreement.agree in (None, 1.0)
    assert RowStatus.CONTRADICTION not in outcome.status


def test_real_disagreement_still_has_a_ceiling_and_page_and_gate_have_one_share() -> None:
    labels = ("refund", "invoice")
    rows = []
    for number, (asked, _) in enumerate(questions(120)):
        truth = labels[number % 2]
        other = labels[(number + 1) % 2] if number % 3 == 0 else truth
        rows += [(f"{asked} {truth[0] * 3}", truth), (f"Please, {asked} {truth[0] * 3}", other)]

    outcome = judge(rows)
    report = outcome.report

    assert report.label_agreement is not None
    assert report.label_agreement.agree is not None
    assert report.counts.groups == 40
    assert report.similar_questions == report.label_agreement.questions == 120
    assert report.contradiction_rate == pytest.approx(1 / 3)
    assert report.label_agreement.agree == pytest.approx(2 / 3)
    assert "40 of 120 questions" in gate(report.contradiction_rate, report.similar_questions)[1]
    low, high = learnability.ceiling_of(120, report.label_agreement.agree, 0.5)
    assert low == pytest.approx(0.816, abs=0.001)
    assert high == pytest.approx(0.861, abs=0.005)


# ---------------------------------------------------------------------- page and API
def test_a_pair_is_called_different_on_the_page_and_over_the_api(
    checked: Upload,
    people: Callable[[UserRow], TestClient],
    me: UserRow,
    engine: Engine,
    claimed: Callable[[DatasetRow], Claim],
) -> None:
    rows = [(f"{q} {n}", "refund_asked" if n % 2 else "refund_given") for n, (q, _) in enumerate(questions(40))]
    near = [("Where is my money?", "refund_asked"), ("where is my money", "refund_given")]
    same = [("What do I owe?", "refund_asked"), ("What do I owe?", "refund_given")]
    pairs_ = [json.dumps({"prompt": one, "completion": two}).encode() for one, two in (*rows, *near, *same)]
    row = checked(b"\n".join(pairs_))
    client = people(me)

    page = client.get(f"/datasets/{row.id}/clusters").text
    assert page.count("These are different questions, use both") == 1
    assert page.count("Both ask the same to the letter, so only a corrected file helps.") == 1
    by_line = {one["line"]: one for one in client.get(f"/api/v1/datasets/{row.id}").json()["report"]["contradictions"]}
    assert (by_line[42]["of_text"], by_line[42]["text"]) == ("Where is my money?", "where is my money")

    assert client.put(f"/api/v1/datasets/{row.id}/clusters/{by_line[42]['cluster']}").status_code == 204
    assert "Noted as different questions" in client.get(f"/datasets/{row.id}/clusters").text
    again = client.post(f"/api/v1/datasets/{row.id}/recount").json()
    with reading(engine) as session:
        job.check(claimed(store.get(session, again["id"])))

    report = client.get(f"/api/v1/datasets/{again['id']}").json()["report"]
    assert [one["line"] for one in report["contradictions"]] == [44]
