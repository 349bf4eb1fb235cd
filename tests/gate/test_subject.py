"""The subject has one text and one digest, and any change of it shows."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gate import subject

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
SUBJECTS = st.dictionaries(st.text(max_size=8), PLAIN, max_size=6)


@given(SUBJECTS)
def test_the_order_of_keys_does_not_matter(made: dict[str, Any]) -> None:
    turned = dict(reversed(made.items()))

    assert subject.canonical(turned) == subject.canonical(made)


@given(SUBJECTS)
def test_the_text_reads_back_to_a_subject_with_the_same_digest(made: dict[str, Any]) -> None:
    text = subject.canonical(made)

    assert subject.digest(json.loads(text)) == subject.digest_of_text(text) == subject.digest(made)


@given(SUBJECTS, st.text(max_size=8), st.integers())
def test_another_value_is_another_digest(made: dict[str, Any], key: str, value: int) -> None:
    changed = {**made, key: {"new": value}}

    assert (subject.digest(changed) == subject.digest(made)) == (subject.exact(changed) == subject.exact(made)), (
        "equal digests only for equal content"
    )


def test_numbers_that_are_not_whole_have_one_spelling() -> None:
    assert subject.canonical({"target": 0.1 + 0.2}) == b'{"target":"0.30000000000000004"}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes"])
def test_what_has_no_one_spelling_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a subject holds no"):
        subject.canonical({"x": value})


def test_letters_that_look_alike_by_composition_are_the_same() -> None:
    assert subject.digest({"owner": "Zoe\u0301"}) == subject.digest({"owner": "Zo\u00e9"})


@pytest.mark.parametrize("text", [None, [], 0, True, "", "0" * 63, "0" * 65, "A" * 64, " " + "0" * 63, "0" * 63 + "\n"])
def test_only_the_canonical_form_is_a_digest(text: object) -> None:
    assert not subject.well_formed(text)


def test_sixty_four_digits_are_well_formed() -> None:
    assert subject.well_formed("0123456789abcdef" * 4)


def test_differences_name_the_path_and_both_values() -> None:
    before = {"data": {"rows": 10, "seed": 7}, "target": 0.9}
    after = {"data": {"rows": 12, "seed": 7}, "owner": "x"}

    assert subject.differences(before, after) == [
        ("data.rows", 10, 12),
        ("owner", None, "x"),
        ("target", "0.9", None),
    ]
