"""The split: sizes, stability, hashes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.datasets import splitting
from app.datasets.splitting import Entry, assign, sizes

KEYS = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=400)


@given(st.integers(0, 5000), st.booleans())
def test_sizes_add_up(rows: int, own_test: bool) -> None:
    found = sizes(rows, own_test=own_test)

    assert found.train + found.dev + found.test == rows
    assert min(found.train, found.dev, found.test) >= 0
    assert found.train >= rows // 2 or rows < 3


def test_sizes_follow_the_rules() -> None:
    assert sizes(10_000) == splitting.Sizes(7000, 1000, 2000)
    assert sizes(1000) == splitting.Sizes(700, 100, 200)
    assert sizes(700) == splitting.Sizes(400, 100, 200)
    assert sizes(300) == splitting.Sizes(165, 45, 90)
    assert sizes(10_000, own_test=True) == splitting.Sizes(9000, 1000, 0)


@given(KEYS, st.integers(0, 100))
def test_a_place_depends_on_the_rows_and_not_on_their_order(keys: list[int], seed: int) -> None:
    shuffled = sorted(keys)

    one = dict(zip(keys, assign(keys, seed), strict=True))
    other = dict(zip(shuffled, assign(shuffled, seed), strict=True))

    assert one == other
    wanted = sizes(len(keys))
    assert Counter(one.values()) == +Counter({"train": wanted.train, "dev": wanted.dev, "test": wanted.test})


@given(KEYS, KEYS, st.integers(0, 100))
def test_appended_rows_move_no_old_row(old: list[int], more: list[int], seed: int) -> None:
    before = dict(zip(old, assign(old, seed), strict=True))
    both = [*old, *(key for key in more if key not in before)]

    after = dict(zip(both, assign(both, seed, before), strict=True))

    assert {key: after[key] for key in old} == before


def test_another_seed_draws_another_split() -> None:
    keys = list(range(1000))

    assert assign(keys, 1) != assign(keys, 2)


def test_the_manifest_names_content_and_changes_with_it() -> None:
    one = splitting.content_hash([{"role": "user", "content": "a"}], "b")
    other = splitting.content_hash([{"role": "user", "content": "a"}], "b ")

    assert one != other
    assert b"".join(splitting.manifest_lines(7, [Entry(3, "test", one)])) == (
        b'{"seed": 7, "version": 1}\n{"content": "' + one.encode() + b'", "line": 3, "split": "test"}\n'
    )
