"""Numbers on their way through a form, and the difference between two policies in words."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.advice.policy_file import POLICY
from app.policies import changes

# Thresholds that have to come in an order; each on its own would break it.
TOGETHER = {"kappa", "kappa_high", "examples_few", "examples_pilot", "usable_examples", "examples_plenty", "calls_few",
            "calls_many", "calls_huge"}  # fmt: skip


def read(**sent: str) -> Mapping[str, float]:
    numbers, faults = changes.read_form(sent, POLICY)
    assert faults == []
    return numbers["thresholds"]


def test_the_form_as_it_is_shown_changes_nothing() -> None:
    numbers, faults = changes.read_form(changes.form_values(POLICY), POLICY)

    assert faults == []
    assert POLICY.with_numbers(POLICY.version, numbers).sha256 == POLICY.sha256


def test_fields_that_were_not_sent_stay() -> None:
    numbers, faults = changes.read_form({}, POLICY)

    assert (numbers, faults) == (POLICY.numbers(), [])


@pytest.mark.parametrize(("text", "value"), [("1500", 1500), (" 1,500 ", 1500), ("1500.0", 1500), ("1500.5", 1500.5)])
def test_a_count_as_people_write_it(text: str, value: float) -> None:
    assert read(**{"threshold.usable_examples": text})["usable_examples"] == value


@pytest.mark.parametrize(("text", "value"), [("3", 0.03), ("3 %", 0.03), ("2.5", 0.025), ("0", 0), ("12.345", 0.12345)])
def test_a_share_is_in_percent(text: str, value: float) -> None:
    assert read(**{"threshold.contradiction_rate": text})["contradiction_rate"] == value


@pytest.mark.parametrize("text", ["", "many", "1e", "nan", "inf", "--3", "٣", "1 000 000 x"])
def test_what_is_no_number_is_said_at_its_field(text: str) -> None:
    sent = {"threshold.kappa": text, "weight.F01.style.prompt": text}

    numbers, faults = changes.read_form(sent, POLICY)

    assert [fault.field for fault in faults] == ["threshold.kappa", "weight.F01.style.prompt"]
    assert numbers == POLICY.numbers()


def test_a_weight_with_a_minus_as_we_print_it() -> None:
    numbers, _ = changes.read_form({"weight.F01.facts.fine_tune": "\N{MINUS SIGN}2"}, POLICY)

    assert numbers["weights"]["F01.facts"] == [0, 3, -2]


def test_differences_are_in_words_and_in_the_order_of_the_policy() -> None:
    other = POLICY.with_numbers(
        "x",
        {
            "weights": {"F01.style": [0, -1, 3]},
            "thresholds": {"kappa": 0.7, "oracle_gain": 0.12, "error_rate": 0.05, "usable_examples": 1500},
        },
    )

    found = [(one.title, one.approach, one.before, one.after) for one in changes.differences(POLICY, other)]

    assert found == [
        ("Usable examples, test rows not counted", "", "1,000 rows", "1,500 rows"),
        ("Failed calls", "", "2 %", "5 %"),
        ("Oracle-retrieval gain", "", "10 points", "12 points"),
        ("Inter-annotator agreement (from)", "", "kappa 0.6", "kappa 0.7"),
        ("F01 The goal: Match our tone and style", "prompt", "+1", "+0"),
        ("F01 The goal: Match our tone and style", "fine-tune", "+2", "+3"),
    ]
    assert changes.differences(POLICY, POLICY) == []


@given(st.data())
def test_any_policy_survives_the_form(data: st.DataObject) -> None:
    """Whatever an administrator may publish comes back from its own form as it was."""
    limits = {
        one.name: data.draw(
            st.integers(int(one.low), int(one.high))
            if one.whole
            else st.integers(round(one.low * 10_000), round(one.high * 10_000)).map(lambda n: n / 10_000),
            label=one.name,
        )
        for one in POLICY.thresholds
        if one.name not in TOGETHER
    }
    weight = data.draw(st.sampled_from(POLICY.weights))
    points = [data.draw(st.integers(*bounds)) for bounds in weight.bounds]
    made = POLICY.with_numbers("x", {"thresholds": limits, "weights": {f"{weight.factor}.{weight.answer}": points}})

    numbers, faults = changes.read_form(changes.form_values(made), POLICY)

    assert faults == []
    assert POLICY.with_numbers("x", numbers).sha256 == made.sha256
