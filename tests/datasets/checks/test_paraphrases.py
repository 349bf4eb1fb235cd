"""What sets two texts apart that look alike, and whether two answers can both be right."""

import json

import pytest

from app.datasets.checks import compared_text, contradictions, paraphrases
from app.datasets.checks.paraphrases import Edit
from tests.support.examples import find, groups, judge, questions


def change(one: str, other: str) -> Edit:
    return paraphrases.edit(*(paraphrases.of(compared_text.comparable(text)) for text in (one, other)))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("It isn't sent, why?", "it is not sent why", Edit.NONE),
        ("Please tell me how to reset my PIN. Thanks!", "How to reset my PIN?", Edit.NONE),
        ("Where is my refund?", "Where is my refnud?", Edit.NONE),
        ("Send 1,000 euros", "Send 1000 euros", Edit.NONE),
        ("I lost two cards", "I lost 2 cards", Edit.NONE),
        ("\u0420lease \u0441all m\u0435", "please call me", Edit.NONE),
        ("\uff32\uff45\uff53\uff45\uff54 my caf\u00e9 card", "reset my cafe card", Edit.NONE),
        ("re\u200bset my card", "reset my card", Edit.NONE),
        ("Track the card you sent me", "Track the card you sent to me", Edit.SMALL),
        ("I want to send some money home", "I want to send some home", Edit.DROPPED),
        ("Is the old mill open", "Is the old mine open", Edit.SWAPPED),
        ("How do I enable it?", "How do I disable it?", Edit.OTHER),
        ("Is it the highest hill?", "Is it the lowest hill?", Edit.OTHER),
        ("Can I pay by card?", "Can't I pay by card?", Edit.OTHER),
        ("It is normalised", "It is denormalised", Edit.OTHER),
        ("A fee of \u20ac1", "A fee of $1", Edit.OTHER),
        ("Learn C in a day", "Learn C++ in a day", Edit.OTHER),
        ("From here to there", "From there to here", Edit.OTHER),
        ("Trains and buses", "Buses and trains", Edit.SMALL),
        ("Why do I pay?", "How do I pay?", Edit.OTHER),
        ("function getItem($key)", "function setItem($key)", Edit.OTHER),
        ("\u53ef\u4ee5\u53d6\u73b0\u91d1\u5417", "\u4e0d\u53ef\u4ee5\u53d6\u73b0\u91d1\u5417", Edit.OTHER),
    ],
)
def test_the_words_that_differ_tell_a_slip_from_another_meaning(one: str, other: str, expected: Edit) -> None:
    assert change(one, other) is expected
    assert change(other, one) is expected


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("You can reset it on the settings page.", "Go to the settings page and choose reset.", False),
        ("A refund takes three to five days.", "Refunds usually arrive after 3 to 5 days.", False),
        ("Paris", "The capital is Paris.", False),
        ("Because the index is rebuilt every night.", "The index gets rebuilt each night, that is why.", False),
        ("SELECT a, b FROM t WHERE x = 1", "select a,b\nfrom t\nwhere x=1;", False),
        ("def f(x):\n    return x+1", "def f(x):\n\treturn x + 1", False),
        ("I'm sorry, but I can't help with that.", "As an AI, I have no kitchen.", False),
        ("/**\n * Adds a row to it.\n */", "/**\n * Appends a row to it.\n */", False),
        ("@param bool $catch Whether to catch it", "@param bool $catch True when to catch it", False),
        ("Yes, on Sundays too.", "No, not on Sundays.", True),
        ("It takes 3 days.", "It takes 5 days.", True),
        ("The capital is Paris.", "The capital is Lyon.", True),
        ("You have to pay the fee.", "You don't have to pay the fee.", True),
        ("Open it before you start.", "Open it after you start.", True),
        ("SELECT a FROM t WHERE x = 1", "SELECT a FROM t WHERE x = 2", True),
        ("-5", "5", True),
        ("U+1FA3D So", "U+1D9CE So", True),
        ("SELECT c.name FROM course c WHERE c.room = 4", "SELECT p.age FROM person p WHERE p.team = 'x'", True),
        ("SELECT c.name FROM course c WHERE c.room = 4", "select name from course where room = 4", False),
        ("The server was restarted.", "The moon is made of cheese.", True),
    ],
)
def test_answers_that_cannot_both_be_right(one: str, other: str, differ: bool) -> None:
    assert contradictions.different(one, other) is differ
    assert contradictions.different(other, one) is differ


def test_a_short_question_that_lost_a_word_is_a_near_duplicate() -> None:
    asked = "Is it possible to hold money in different currencies?"
    rows = [(asked, "currencies"), (asked.replace("in ", ""), "currencies"), ("What does a card cost?", "fees")]

    assert groups(find(rows, labels=True)) == 2


def test_one_form_filled_in_with_two_things_is_no_near_duplicate() -> None:
    asked = (
        "Write SQL for table t(place, player, score).\nWhat is the {} with a score of 71-68-76=215 in the final round?"
    )
    sql = "SELECT {} FROM t WHERE score = '71-68-76=215'"
    rows = [(asked.format(column), sql.format(column)) for column in ("place", "player")]

    assert groups(find(rows)) == 2


def test_other_names_in_a_long_sentence_are_other_rows() -> None:
    asked = (
        "Please list all of the museums and galleries in {} that are open to the public on a Sunday afternoon in May"
    )

    assert groups(find([(asked.format("Bologna"), "culture"), (asked.format("Glasgow"), "culture")], labels=True)) == 2


@pytest.mark.parametrize(
    ("one", "other", "swapped"),
    [
        ("join(Table $rows, Iterator $more)", "join(Table $rows, Cursor $more)", True),
        ("@param bool $catch Whether to catch it", "@param bool $catch True when to catch it", False),
        ("* Adds a row", "* Appends a row", False),
        ("He flew to Paris", "He flew to Lyon", True),
        ("It ends. Then it stops", "It ends. Now it stops", False),
    ],
)
def test_a_capital_is_a_name_only_amid_a_sentence(one: str, other: str, swapped: bool) -> None:
    assert paraphrases.names_swapped(one, other) is swapped
    assert paraphrases.names_swapped(other, one) is swapped


def test_a_question_mark_does_not_hide_a_contradiction() -> None:
    outcome = judge(
        [*questions(20), ("Is the ferry running on Sundays?", "Yes."), ("is the ferry running on sundays", "No.")]
    )

    assert [(one.line, one.of_line) for one in outcome.report.contradictions] == [(22, 21)]


@pytest.mark.parametrize(
    "framed",
    [
        "Hi, could you help? {} Thanks!",
        "Question: {}\nAnswer:",
        "### Instruction:\n{}\n\n### Response:\n",
        "Below is an instruction that describes a task. Write a response.\n\n### Instruction:\n{}\n\n### Response:",
        "User request: please {}",
    ],
)
@pytest.mark.parametrize("labels", [True, False])
def test_neither_courtesy_nor_a_template_makes_another_question(framed: str, labels: bool) -> None:
    asked = "Is the ferry running on Sundays?"
    answers_ = ("open", "shut") if labels else ("It sails at nine.", "Nobody knows of such a boat.")
    other = [("What does the ticket to the island cost?", answers_[0])]

    twins = [(asked, answers_[0]), (framed.format(asked), answers_[0]), *other]
    assert list(find(twins, labels=labels).oldest) == [0, 0, 2]
    clash = [(asked, answers_[0]), (framed.format(asked), answers_[1]), *other]
    found = find(clash, labels=labels, conflict=lambda one, other: contradictions.different(one[1], other[1]))
    assert [(one.earlier, one.later) for one in found.clashes] == [(0, 1)]


def test_a_text_of_nothing_but_courtesy_stays_what_it_is() -> None:
    assert [paraphrases.core(text) for text in ("please", "hi! thanks", "q:", "")] == ["please", "hi! thanks", "q:", ""]


def test_the_order_of_labels_and_keys_contradicts_nothing() -> None:
    labels = [(f"{asked} {n}", "red, blue" if n % 2 else "green") for n, (asked, _) in enumerate(questions(40))]
    slots = [(asked, json.dumps({"n": n, "kind": "tower"})) for n, (asked, _) in enumerate(questions(20))]

    assert judge([*labels, (labels[1][0], "blue, red")]).report.contradictions == ()
    assert judge([*labels, (labels[0][0], "Green.")]).report.contradictions == ()
    assert judge([*slots, (slots[3][0], '{"kind": "tower", "n": 3}')]).report.contradictions == ()
