"""Repeats are found, look-alikes are left alone."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.checks import compared_text, duplicates
from app.datasets.checks.candidates import BANDS, Bands, Candidates
from tests.support.depth import depth
from tests.support.examples import Texts, find, groups, load
from tests.support.places import DATA


def precision_and_recall(path: Path) -> tuple[float, float, int]:
    """Precision and recall in pairs of rows, and how many groups were found."""
    truth = [json.loads(line) for line in path.with_suffix(".truth.jsonl").read_text().splitlines()]
    origin = [entry["near_duplicate_of_line"] or entry["line"] for entry in truth]
    found = find(load(path))

    def pairs(counts: Counter[object]) -> int:
        return sum(n * (n - 1) // 2 for n in counts.values())

    both = pairs(Counter(zip(found.oldest, origin, strict=True)))
    return both / pairs(Counter(found.oldest)), both / pairs(Counter(origin)), groups(found)


def test_near_duplicates_are_found_and_nothing_else() -> None:
    precision, recall, number = precision_and_recall(DATA / "phpdoc" / "neardup_279.jsonl")

    assert precision >= 0.97
    assert recall >= 0.97
    assert 175 <= number <= 181  # of 178


@pytest.mark.deep
def test_near_duplicates_are_found_with_precision_and_recall_of_97_percent(sets: Path) -> None:
    precision, recall, number = precision_and_recall(sets / "phpdoc" / "neardup_1500.jsonl")

    assert precision >= 0.97
    assert recall >= 0.97
    assert 895 <= number <= 915


def test_a_few_hundred_signatures_that_only_look_alike_stay_apart() -> None:
    rows = load(DATA / "phpdoc" / "small_300.jsonl")

    assert groups(find(rows)) == len(rows) == 300


def test_hundreds_of_questions_of_few_intents_stay_apart() -> None:
    rows = load(DATA / "intent_banking77" / "train_700.jsonl")

    found = find(rows, labels=True)

    assert len(rows) - groups(found) <= 0.05 * len(rows)
    assert {rows[t.earlier][1] == rows[t.later][1] for t in found.near} <= {True}


@pytest.mark.parametrize("name", ["text2sql/wikisql_200.jsonl", "slots_snips/train_200.jsonl"])
def test_a_template_makes_no_duplicates(name: str) -> None:
    rows = load(DATA / name)

    assert len(rows) - groups(find(rows)) <= 0.011 * len(rows)


@pytest.mark.deep
def test_signatures_that_only_look_alike_stay_apart(sets: Path) -> None:
    rows = load(sets / "phpdoc" / "phpdoc.jsonl")

    found = find(rows)

    assert len(rows) - groups(found) <= 5  # of 3,224; what goes are pairs whose signatures differ in a type or a name


@pytest.mark.deep
def test_questions_of_one_intent_stay_apart(sets: Path) -> None:
    rows = load(sets / "intent_banking77" / "train.jsonl")

    found = find(rows, labels=True)

    assert 300 <= len(rows) - groups(found) <= 440  # of 9,999: "track the card you sent (to) me"; all read by a person
    assert {rows[t.earlier][1] == rows[t.later][1] for t in found.near} == {True}
    assert {rows[t.earlier][1] == rows[t.later][1] for t in found.clashes} == {False}


@pytest.mark.deep
@pytest.mark.parametrize(
    "name", ["text2sql/wikisql_train.jsonl", "chat/openai_messages.jsonl", "slots_snips/train.jsonl"]
)
def test_a_shared_template_makes_no_duplicates(sets: Path, name: str) -> None:
    rows = load(sets / name)

    assert len(rows) - groups(find(rows)) <= 0.011 * len(rows)


def test_case_width_and_space_do_not_count() -> None:
    found = find([("Re\uff53et  my\u00a0PIN", "a"), ("reset my pin", "a"), ("Block my card", "b")])

    assert list(found.first) == [0, 0, 2]


def test_rows_with_other_numbers_and_other_answers_are_other_rows() -> None:
    text = "A farmer has {} apples and gives three of them to each of the children in the village. How many children?"
    rows = [(text.format(n), f"The answer is {n // 3}.") for n in range(30, 60, 3)]

    assert groups(find(rows)) == len(rows)


def test_punctuation_alone_makes_no_new_row() -> None:
    rows = [("Is it so?", "Yes."), ("Is it so", "Yes"), ("Was it so?", "No.")]

    assert list(find(rows).oldest) == [0, 0, 2]


def test_a_long_chain_of_copies_is_one_group() -> None:
    text = "The quick brown fox jumps over the lazy dog and runs into the forest behind the old mill at the river."
    rows = [(text.replace(" ", "  ", n), f"answer to it {'!' * n}") for n in range(50)] + [("Another one", "b")]

    assert groups(find(rows)) == 2


@pytest.mark.parametrize("originals", [1, 3, 40])
def test_light_edits_of_a_few_rows_are_a_few_rows(originals: int) -> None:
    random = Random(3)
    words = [
        f"{a}{b}" for a in ("quick", "brown", "lazy", "old", "grey") for b in ("fox", "dog", "mill", "road", "sea")
    ]
    rows = [(random.choices(words, k=28), " ".join(random.choices(words, k=28))) for _ in range(originals)]

    def edited(text: list[str]) -> str:
        text = [*text]
        text[random.randrange(len(text))] = random.choice(words)
        return " ".join(text)

    edits = [(edited(asked), answer) for asked, answer in (rows[n % originals] for n in range(500))]

    assert groups(find(edits)) <= originals + 3


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=25), st.booleans())
def test_grouping_is_a_function_of_the_rows(rows: list[tuple[str, str]], labels: bool) -> None:
    one, other = find(rows, labels=labels), find(rows, labels=labels)

    assert (one.oldest, one.first) == (other.oldest, other.first)
    assert all(old <= first <= index for index, (old, first) in enumerate(zip(one.oldest, one.first, strict=True)))
    assert all(one.oldest[old] == old for old in one.oldest)
    for a, b in pairwise(range(len(rows))):
        if compared_text.normal(rows[a][0]) == compared_text.normal(rows[b][0]):
            assert one.oldest[a] == one.oldest[b]


def forms(rows: int) -> list[tuple[str, str]]:
    """Questions of one form and their SQL, filled in with 60 names in all; no two rows are the same."""
    random = Random(5)
    parts = ["ka", "lo", "mi", "ru", "ta", "ve", "zo", "pi", "ne", "du"]
    names = ["".join(random.choices(parts, k=3)) for _ in range(60)]
    found = {(random.choice(names), random.choice(names), random.choice(names)) for _ in range(rows)}
    asked, answer = "Which orders did {} {} send to {}?", "SELECT * FROM orders WHERE name = '{1}' AND town = '{2}'"
    return [(asked.format(*one), answer.format(*one)) for one in sorted(found)]


def looked_at(rows: list[tuple[str, str]]) -> float:
    """How many pairs a row gives on average whose texts are compared."""
    with TemporaryFile() as file:
        unique = np.arange(len(rows))
        bands = Bands(file, len(rows))
        candidates = Candidates(Texts(rows), unique, bands, labels=False, tick=duplicates.silent, checkpoint=None)
        candidates.prepare()
        pairs = {frozenset(pair) for band in range(BANDS) for pair in candidates.pairs(band)}
    return len(pairs) / len(rows)


def test_where_all_rows_have_one_form_few_are_compared_by_their_texts() -> None:
    assert looked_at(forms(8_000)) <= 2.5  # 3.2 if a crowd had to share no more than others, and more with more rows


def test_a_copy_is_found_in_a_crowd_of_its_form() -> None:
    rows = forms(depth(2_000, 8_000))
    random = Random(2)
    planted = random.sample(range(len(rows)), depth(100, 200))
    copies = [
        (rows[place][0].replace("Which orders", "which  Orders").rstrip("?"), rows[place][1]) for place in planted
    ]
    slips = [(rows[place][0].replace("orders", "ordres"), rows[place][1]) for place in planted]

    found = find([*rows, *copies, *slips])

    for more in (copies, slips):
        start = len(rows) + (len(copies) if more is slips else 0)
        joined = sum(found.oldest[start + n] == found.oldest[place] for n, place in enumerate(planted))
        assert joined >= 0.97 * len(planted)
