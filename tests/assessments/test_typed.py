"""What people type, and what becomes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.advice.case import parse
from app.advice.questions import ASKED, SECTIONS
from app.advice.questions import section as find_section
from app.advice.schema import NOBODY, AnswersByKey
from app.assessments import typed


class Sent:
    """A form as a browser sends it."""

    def __init__(self, **fields: str | list[str]) -> None:
        self.fields = {key.replace("__", "-"): value for key, value in fields.items()}

    def getlist(self, key: str) -> list[str]:
        value = self.fields.get(key, [])
        return value if isinstance(value, list) else [value]


def read(key: str, before: dict[str, Any] | None = None, touched: str = "", **fields: str | list[str]) -> Any:
    return typed.read(ASKED[key], Sent(**fields), before or {}, touched)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1500", 1500),
        (" 300,000 ", 300_000),
        ("300 000", 300_000),
        ("300'000", 300_000),
        ("300k", 300_000),
        ("1.5M", 1_500_000),
        ("0", 0),
        ("many", "many"),
        ("-3", "-3"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
    ],
)
def test_a_count_may_be_written_as_people_write_it(text: str, answer: int | str) -> None:
    assert read("calls_per_month", calls_per_month=text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [("90", 0.9), ("90 %", 0.9), ("87.5", 0.875), ("87,5%", 0.875), ("0", 0.0), ("100", 1.0), ("1 %", 0.01),
     ("0.9", "0.9"), ("1", "1"), ("101", "101"), ("-5", "-5"), ("most", "most")],
)  # fmt: skip
def test_a_target_is_a_percentage(text: str, answer: float | str) -> None:
    assert read("target", target=text) == answer


def test_what_can_not_be_read_is_kept_and_named() -> None:
    answers: AnswersByKey = {
        "target": "most",
        "calls_per_month": "many",
        "recurrence": "now and then",
        "goals": ["speed"],
    }

    assert typed.readable(answers) == {}
    assert set(typed.faults(answers, ASKED.values())) == set(answers)
    assert typed.fault(ASKED["target"], answers) == "Write a percentage from 0 to 100, for example 90."


def test_the_main_goal_is_one_of_the_goals() -> None:
    answers: AnswersByKey = {"goals": ["style"], "main_goal": "facts"}

    assert typed.fault(ASKED["main_goal"], answers) == "Pick one of those you ticked above."
    assert typed.readable(answers) == {"goals": ["style"]}
    parse({"answers": typed.readable(answers)})


def test_nothing_i_do_not_know_and_nobody_are_three_answers() -> None:
    assert read("owner") is typed.NOT_ANSWERED
    assert read("owner", owner__option="unknown") == "unknown"
    assert read("owner", owner__option="nobody") is None
    assert read("owner", owner=" Docs\x00 team\n") == "Docs team"
    assert parse({"answers": {"owner": None}}).answers.owner == NOBODY


@pytest.mark.parametrize(
    ("before", "touched", "text", "expected"),
    [
        ({"calls_per_month": 1500}, "", "1,500", "unknown"),  # the option is new
        ({"calls_per_month": "unknown"}, "", "1500", 1500),  # the text is new
        ({"calls_per_month": 1500}, "calls_per_month", "1500", 1500),
        ({"calls_per_month": "unknown"}, "calls_per_month-option", "1500", "unknown"),
        ({}, "owner", "1500", 1500),
    ],
)
def test_of_a_text_and_an_option_the_newer_one_counts(
    before: dict[str, Any], touched: str, text: str, expected: Any
) -> None:
    assert read("calls_per_month", before, touched, calls_per_month=text, calls_per_month__option="unknown") == expected


def test_several_goals_push_out_not_knowing() -> None:
    assert read("goals", goals=["style", "unknown", "facts", "style"]) == ["style", "facts"]
    assert read("goals", goals=["unknown"]) == "unknown"
    assert read("goals") is typed.NOT_ANSWERED


def test_progress_counts_not_knowing_and_skips_what_is_optional() -> None:
    nothing: dict[str, Any] = {}
    everything = {key: "unknown" for key in ASKED if key != "context_window"}

    assert typed.progress(nothing, ASKED.values()) == (0, 24)
    assert typed.progress(everything, ASKED.values()) == (24, 24)
    assert typed.progress({"goals": ["style"]}, ASKED.values()) == (2, 24)
    assert typed.progress({"goals": ["style", "facts"]}, ASKED.values()) == (1, 24)
    assert len(typed.missing(nothing)) == 24


@given(
    st.sampled_from([section.slug for section in SECTIONS]),
    st.dictionaries(
        st.sampled_from([*ASKED, *(f"{key}-option" for key in ASKED)]), st.lists(st.text(max_size=500), max_size=3)
    ),
)
def test_whatever_is_sent_makes_a_case(slug: str, fields: dict[str, list[str]]) -> None:
    section = find_section(slug)
    assert section is not None
    sent = Sent()
    sent.fields = dict(fields)

    answers = typed.read_section(section, sent, {})

    parse({"answers": typed.readable(answers)})
    again = {key: value for key, value in answers.items() if isinstance(value, str)}
    assert all(value.isprintable() and len(value) <= typed.LONGEST_TYPED for value in again.values())


@pytest.mark.parametrize(
    ("key", "answers", "words"),
    [
        ("goals", {"goals": ["style", "facts"]}, "Match our tone and style, Answer from our own knowledge"),
        ("target", {"target": 0.875}, "87.5 %"),
        ("target", {"target": "most"}, "most"),
        ("calls_per_month", {"calls_per_month": 1500}, "1,500 calls"),
        ("owner", {"owner": None}, "Nobody yet"),
        ("owner", {}, "not answered"),
        ("recurrence", {"recurrence": "unknown"}, "I don't know"),
    ],
)
def test_answers_in_words(key: str, answers: dict[str, Any], words: str) -> None:
    assert typed.answer_text(ASKED[key], answers) == words
