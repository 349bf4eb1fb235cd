"""The questionnaire: complete, in plain words, and of the same vocabulary as the case file."""

import re

import pytest

from app.advice.policy_file import POLICY
from app.advice.questions import ASKED, QUESTIONS, SECTIONS, Question
from app.advice.schema import ANSWER_KEYS, CHOICES, GOALS
from app.advice.scoring import FACTORS

TERMS_OF_ART = re.compile(
    r"\b(epochs?|lora|rag|adapters?|embeddings?|fine-?tun\w*|few-shot|kappa|latency|tokenizer)\b", re.IGNORECASE
)
TERM_ALONE = re.compile(r"[A-Z][A-Za-z -]+")  # a term without a word about it


def test_every_factor_has_a_question() -> None:
    assert {question.factor for question in QUESTIONS} - {"G10"} == set(FACTORS)


def test_every_answer_of_the_case_file_is_asked_once() -> None:
    asked = [question.key for question in QUESTIONS if question.asked]

    assert sorted(asked) == sorted(ANSWER_KEYS)


def test_sections_are_short() -> None:
    assert all(3 <= len(section.questions) <= 6 for section in SECTIONS)
    assert len({section.slug for section in SECTIONS}) == len(SECTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: str(question.key))
def test_questions_are_explained_in_plain_words(question: Question) -> None:
    """The label is the term; what stands below it can be understood without."""
    words = [question.help, *(choice.help for choice in question.choices)]

    assert not TERMS_OF_ART.search(" ".join(words))
    assert question.help or not TERM_ALONE.fullmatch(question.label)
    assert question.term


def test_choices_are_those_of_the_case_file() -> None:
    for key, values in CHOICES.items():
        assert {choice.value for choice in ASKED[key].choices} == set(values)
    assert {choice.value for choice in ASKED["goals"].choices} == set(GOALS)


def test_every_choice_has_a_row_in_the_policy() -> None:
    rows = {(weight.factor, weight.answer) for weight in POLICY.weights}

    for key in (*CHOICES, "goals"):
        question = ASKED[key]
        if question.factor != "G10":
            assert {(question.factor, choice.value) for choice in question.choices} <= rows


def test_weights_stay_within_three_points_and_say_why() -> None:
    for weight in POLICY.weights:
        assert all(-3 <= points <= 3 for points in (weight.points.prompt, weight.points.rag, weight.points.fine_tune))
        assert weight.because
        assert weight.source
    assert all(threshold.because and threshold.source for threshold in POLICY.thresholds)
