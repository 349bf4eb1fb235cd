from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.baselines import shots
from app.baselines.prompts import Shot, question
from app.chat import Message

TOPICS = ("parcel is late again", "money back for broken lamp", "change my street address", "cancel the yearly plan")


def pool(texts: Sequence[str], targets: Sequence[str] | None = None) -> list[Shot]:
    wanted = targets or [f"answer {at}" for at in range(len(texts))]
    return [
        Shot(at, at + 1, (Message("user", text),), target)
        for at, (text, target) in enumerate(zip(texts, wanted, strict=True))
    ]


POOL = pool([f"{topic}, ticket number {number}, please help" for number in range(1, 30) for topic in TOPICS])


def question_of(shot: Shot) -> str:
    return question(shot.messages)


def test_random_examples_are_the_same_for_every_question_and_differ_by_seed() -> None:
    one = shots.Random(POOL, 5, seed=1)

    assert one.pick("something else") == one.pick("quite another thing")
    assert shots.Random(POOL, 5, seed=1).pick("x") == one.pick("x")
    assert shots.Random(POOL, 5, seed=2).pick("x") != one.pick("x")


def test_the_nearest_stands_last() -> None:
    nearest = shots.Nearest(
        pool(["red roses", "blue violets are pretty", "green grass is nice", "roses are red, violets blue"])
    )

    picked = nearest.pick("are roses red or violets blue?", 3)

    assert question_of(picked[-1]) == "roses are red, violets blue"
    assert "grass" not in question_of(picked[-1])


@pytest.mark.parametrize("own", [question_of(POOL[0]), question_of(POOL[0]).upper() + "!", "  " + question_of(POOL[7])])
def test_a_row_that_gives_the_question_away_is_never_shown(own: str) -> None:
    picked = shots.Nearest(POOL).pick(own, 5)

    assert len(picked) == 5
    assert not any(shots.near(question_of(shot), own) for shot in picked)
    for seed in range(30):
        drawn = shots.Random(POOL, 5, seed).pick(own)
        assert len(drawn) == 5
        assert not any(shots.near(question_of(shot), own) for shot in drawn)


def test_different_answers_are_shown_before_repeated_ones() -> None:
    rows = pool([f"text {'x' * at} number {at}" for at in range(40)], ["yes", "yes", "yes", "no"] * 10)

    for seed in range(5):
        assert {shot.target for shot in shots.Random(rows, 2, seed).pick("?")} == {"yes", "no"}
    assert {shot.target for shot in shots.Nearest(rows).pick("text xxxx number 4444", 4)} == {"yes", "no"}


def test_a_small_or_empty_pool_gives_what_there_is() -> None:
    assert len(shots.Random(POOL[:2], 5, 1).pick("?")) == 2
    assert shots.Random([], 5, 1).pick("?") == []
    assert shots.Nearest([]).pick("?", 3) == []
    assert len(shots.Nearest(pool(["", "..."])).pick("?", 3)) == 2


def test_near_is_the_share_of_common_five_character_pieces() -> None:
    assert shots.near("The parcel is late.", "the  PARCEL is late.")
    assert not shots.near("The parcel is late.", "The invoice is wrong.")
    assert not shots.near("", "The parcel is late.")
    assert shots.near("abc", "ABC")


def test_near_begins_at_four_fifths() -> None:
    question = "How do I get my money back for the lamp?"  # 40 letters and signs, 36 pieces of five
    longer = " Broken it came"

    assert shots.near(question, question + longer[:9])  # 36 of 45
    assert not shots.near(question, question + longer[:10])  # 36 of 46


@given(st.text(max_size=60), st.text(max_size=60))
def test_near_goes_both_ways(one: str, other: str) -> None:
    assert shots.near(one, other) == shots.near(other, one)
    assert shots.near(one, one)
