"""The first system prompt: what it takes from the training rows' answers."""

import json

import pytest

from app.baselines import drafts


def test_labels_are_listed_as_they_are_spelled() -> None:
    made = drafts.draft([("card_arrival", 5), ("Top up", 7), ("card_linking", 4)])

    assert made is not None
    assert made.labels == ("Top up", "card_arrival", "card_linking")
    assert made.text.startswith("Answer with one of these 3 labels, exactly as written.")
    assert made.text.endswith("- Top up\n- card_arrival\n- card_linking")
    assert made.basis == "3 labels in 16 training answers"


def test_objects_give_their_keys_and_which_are_always_there() -> None:
    answers = [
        json.dumps({"id": number, "name": "x", **({"paid": True} if number % 2 else {})}) for number in range(10)
    ]

    made = drafts.draft([(answer, 1) for answer in answers])

    assert made is not None
    assert made.labels == ()
    assert "one JSON object" in made.text
    assert made.text.endswith(
        "It has 3 keys:\n- id: number\n- name: text\n- paid: true or false, only where it applies"
    )


def test_texts_give_their_length_and_what_they_share() -> None:
    made = drafts.draft([(f"/** Gives {number} of {'many ' * (number % 3)}things. */", 1) for number in range(30)])

    assert made is not None
    assert "Write about 7 words, at most 8. Write one line. Begin with /** End with */" in made.text


def test_two_rules_on_length_do_not_contradict_each_other() -> None:
    made = drafts.draft([(f"{name} Jones", 1) for name in ("Ann", "Bea", "Cleo", "Dot", "Eve", "Fay")])

    assert made is not None
    assert "Write 2 words in one line." in made.text
    assert "Write one line." not in made.text


@pytest.mark.parametrize("counted", [[], [("", 3)], [("  ", 3)]])
def test_nothing_is_drafted_from_nothing(counted: list[tuple[str, int]]) -> None:
    assert drafts.draft(counted) is None


def test_only_labels_that_are_missing_are_added() -> None:
    once = drafts.with_labels("Be brief.\n- b", ["a", "b", "c"])

    assert once == "Be brief.\n- b\n\nLabels:\n- a\n- c"
    assert drafts.with_labels(once, ["a", "b", "c"]) == once
    assert drafts.with_labels("", ["a"]) == "Labels:\n- a"


def test_a_sample_is_enough_of_texts_and_all_is_looked_at_of_labels() -> None:
    labels = [(f"label {number}", 9) for number in range(drafts.SAMPLE + 1)]

    assert drafts.enough(labels) == labels
    assert len(drafts.enough([(f"text {number}", 1) for number in range(drafts.SAMPLE + 1)])) == drafts.SAMPLE
