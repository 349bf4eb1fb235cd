"""Every worked figure of the cost model, and what holds for any prices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.advice import economics
from app.advice.economics import Failure, Hosting, Prompt, Rates, Tokens, Way

FEW_SHOT = Tokens(2200, 150)
CHEAP, DEAR = Rates(0.25, 2.0), Rates(3.0, 15.0)
HOST = Hosting(hour=1.5, upkeep=600)

money = st.floats(0, 1e4, allow_nan=False)
above = st.floats(1e-4, 1e4, allow_nan=False)
volumes = st.floats(1, 1e9, allow_nan=False)


# ------------------------------------------------------------------ the worked example of the rules, 4.6


@pytest.mark.parametrize(("rates", "call", "calls"), [(CHEAP, 0.00085, 1.99e6), (DEAR, 0.00885, 0.19e6)])
def test_the_worked_break_even_comes_out(rates: Rates, call: float, calls: float) -> None:
    now = Way(economics.call_cost(FEW_SHOT, rates))

    assert now.per_call == pytest.approx(call)
    assert HOST.month(0) == pytest.approx(1695)
    assert economics.break_even(HOST.month(0), now.per_call) == pytest.approx(calls, rel=0.01)
    assert economics.crossing(now, Way(0.0, HOST)) == pytest.approx(1695 / call)


def test_training_compute_is_the_small_part() -> None:
    tokens = 1000 * 600  # rows of 600 tokens

    assert economics.training_hours(8e9, tokens, 3, 989e12) == pytest.approx(0.05, abs=0.005)  # H100, dense 16-bit
    assert economics.training_hours(8e9, tokens, 3, 312e12) == pytest.approx(0.15, abs=0.005)  # A100
    assert economics.people_cost(1000, 6, 60) == 6000


def test_the_worked_target_comes_out() -> None:
    cost = economics.failure_cost([Failure(0.95, 40), Failure(0.05, 1000)])

    assert cost == pytest.approx(88)
    assert economics.break_even_accuracy(20, cost) == pytest.approx(0.815, abs=0.0005)
    assert economics.break_even_accuracy(20, 80) == 0.8  # the one beside the question


# ------------------------------------------------------------------ one call


def test_cached_tokens_have_their_own_price_and_the_batch_tier_its_share() -> None:
    rates = Rates(1.0, 10.0, cached=0.1, batch=0.5)

    assert economics.call_cost(Tokens(1000, 100, cached=800), rates) == pytest.approx((200 + 80 + 1000) / 1e6)
    assert economics.call_cost(Tokens(1000, 100), rates, batch=True) == pytest.approx(1000e-6)
    assert economics.call_cost(Tokens(1000, 100, cached=800), Rates(1.0, 10.0)) == pytest.approx(2000e-6)
    assert economics.call_cost(Tokens(1000, 100), Rates(1.0, 10.0), batch=True) == pytest.approx(2000e-6)


def test_looked_up_passages_make_the_question_longer() -> None:
    assert economics.with_passages(Tokens(200, 50), 5, 400) == Tokens(2200, 50)


# ------------------------------------------------------------------ machines


def test_machines_are_added_for_the_busiest_second() -> None:
    host = Hosting(hour=2, hours=730, calls_per_second=10, peak=3)
    carries = 730 * 3600 * 10 / 3  # calls a month

    assert [host.needed(calls) for calls in (0, carries, carries + 1, 3.5 * carries)] == [1, 1, 2, 4]
    assert host.month(2 * carries) == 2 * 2 * 730
    assert Hosting(hour=2).needed(1e12) == 1


def test_steps_are_followed_to_the_crossing() -> None:
    host = Hosting(hour=1, calls_per_second=1, peak=1)  # 2,628,000 calls a machine and month, 730 a machine
    now = Way(730 / 2_628_000 * 1.25)

    found = economics.crossing(now, Way(0.0, host))

    assert found == pytest.approx(2_628_000 / 1.25, rel=1e-6)
    assert (
        economics.crossing(Way(730 / 2_628_000 * 0.9), Way(0.0, host)) is None
    )  # each machine costs more than it saves


# ------------------------------------------------------------------ never, at once, and the band


def test_never_is_an_answer() -> None:
    trained = Way(0.002, Hosting(hour=1))

    assert economics.crossing(Way(0.001), trained) is None
    assert economics.crossing(Way(0.002), trained) is None
    assert economics.crossing(Way(1e-12), Way(0.0, HOST)) is None  # beyond what anybody has
    assert economics.crossing(Way(0.001), Way(0.0)) == 0


def test_the_band_holds_the_break_even_and_may_have_no_end() -> None:
    now = Way(0.001)

    sure = economics.compare(now, Way(0.0, HOST), once=1000, calls=1e6)
    unsure = economics.compare(now, Way(0.0009, HOST), once=1000, calls=1e6)

    assert sure.low == pytest.approx(0.75 * 1.695e6)
    assert sure.break_even == pytest.approx(1.695e6)
    assert sure.high == pytest.approx(1.25 * 1.695e6)
    assert unsure.low is not None
    assert unsure.high is None


@pytest.mark.parametrize(
    ("calls", "once", "months", "pays"),
    [
        (2_000_000, 1830, 6.0, True),  # 2,000 - 1,695 = 305 a month
        (2_000_000, 1831, 6.003, False),
        (1_000_000, 10, None, False),
        (2_000_000, 0, 0.0, True),
        (None, 10, None, None),
    ],
)
def test_it_pays_when_a_saving_pays_it_back_in_six_months(
    calls: float | None, once: float, months: float | None, pays: bool | None
) -> None:
    found = economics.compare(Way(0.001), Way(0.0, HOST), once=once, calls=calls)

    assert found.months == (None if months is None else pytest.approx(months, abs=0.001))
    assert found.pays is pays


@given(above, money, money, money, volumes)
def test_below_the_break_even_it_costs_more_and_above_it_less(
    now: float, trained: float, hour: float, upkeep: float, calls: float
) -> None:
    one, other = Way(now), Way(trained, Hosting(hour=hour, upkeep=upkeep))

    found = economics.crossing(one, other)

    saved = one.month(calls) - other.month(calls)
    slack = 1e-9 * (one.month(calls) + other.month(calls) + 1)
    if found is None:
        assert saved <= slack or calls > economics.MOST_CALLS or other.month(economics.MOST_CALLS) > 0
        assert trained >= now or (other.month(0) / (now - trained)) > economics.MOST_CALLS
    elif calls >= found:
        assert saved >= -slack
    else:
        assert saved <= slack


@given(above, money, above, st.floats(0.01, 100), volumes)
def test_the_first_crossing_with_steps_is_a_crossing(
    now: float, upkeep: float, hour: float, speed: float, calls: float
) -> None:
    one, other = Way(now), Way(0.0, Hosting(hour=hour, upkeep=upkeep, calls_per_second=speed))

    found = economics.crossing(one, other)

    if found:
        assert one.month(found) - other.month(found) >= -1e-6 * other.month(found)


@given(st.lists(st.tuples(st.floats(0, 1), money), min_size=1, max_size=5), above)
def test_a_dearer_failure_never_lowers_the_target(kinds: list[tuple[float, float]], worth: float) -> None:
    cost = economics.failure_cost([Failure(*kind) for kind in kinds])
    dearer = economics.failure_cost([Failure(share, 2 * price) for share, price in kinds])

    assert 0 <= economics.break_even_accuracy(worth, cost) <= economics.break_even_accuracy(worth, dearer) <= 1


# ------------------------------------------------------------------ cheaper moves


def test_the_cheaper_moves_come_in_their_order_with_what_each_saves() -> None:
    prompt = Prompt(FEW_SHOT, Rates(1.0, 10.0, cached=0.1, batch=0.5), same=400, shots=20, shot_tokens=80)

    found = economics.moves(prompt, 1_000_000, ("Little", Rates(0.1, 1.0)))

    assert [move.key for move in found] == ["shorter", "caching", "batch", "smaller", "examples"]
    saved = {move.key: move.saves for move in found}
    assert saved["shorter"] == pytest.approx(100)
    assert saved["caching"] == pytest.approx(400 * 0.9)
    assert saved["batch"] == pytest.approx(0.5 * (2200 + 1500))
    assert saved["smaller"] == pytest.approx(0.9 * (2200 + 1500))
    assert saved["examples"] == pytest.approx(17 * 80)


def test_a_move_without_a_price_says_which_one_is_missing() -> None:
    found = economics.moves(Prompt(FEW_SHOT, Rates(1.0, 10.0), same=400, waits=True), 1000, None)

    assert [(move.key, move.saves) for move in found] == [
        ("shorter", pytest.approx(0.1)),
        ("caching", None),
        ("batch", None),
        ("smaller", None),
    ]
    assert "half a second" in found[2].text
