"""Every row once a pass, little padding, and the same order for the same seed."""

from hypothesis import given
from hypothesis import strategies as st

from app.training import batches

lengths = st.lists(st.integers(1, 300), min_size=1, max_size=120)


@given(lengths, st.integers(1, 20), st.integers(0, 5))
def test_every_row_comes_once_a_pass(given_lengths: list[int], batch_rows: int, number: int) -> None:
    steps = batches.epoch(given_lengths, batch_rows, 1, number)

    assert sorted(row for step in steps for part in step for row in part) == list(range(len(given_lengths)))
    assert len(steps) == batches.steps_per_epoch(len(given_lengths), batch_rows)
    assert all(sum(len(part) for part in step) <= batch_rows for step in steps)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_no_pass_is_larger_than_the_budget_unless_it_is_one_row(given_lengths: list[int]) -> None:
    for part in batches.passes(range(len(given_lengths)), given_lengths):
        assert len(part) == 1 or max(given_lengths[row] for row in part) * len(part) <= batches.MICRO_TOKENS


def test_the_order_depends_on_seed_and_pass_only() -> None:
    sizes = [n % 37 + 1 for n in range(200)]

    assert batches.epoch(sizes, 8, 1, 0) == batches.epoch(sizes, 8, 1, 0)
    assert batches.epoch(sizes, 8, 1, 0) != batches.epoch(sizes, 8, 1, 1)
    assert batches.epoch(sizes, 8, 1, 0) != batches.epoch(sizes, 8, 2, 0)


def test_rows_of_like_length_meet_so_little_is_padding() -> None:
    sizes = [n * 7919 % 200 + 10 for n in range(960)]
    unsorted = [(tuple(range(at, at + 8)),) for at in range(0, 960, 8)]

    assert batches.padding(batches.epoch(sizes, 8, 1, 0), sizes) < 0.15 < batches.padding(unsorted, sizes)
