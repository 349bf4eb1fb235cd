"""One use case's costs: what is compared with what, what counts while little is known, and what passes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.advice.economics import Hosting
from app.economics import cost_model, sentences, views
from app.economics.answer import answer
from app.economics.assumptions import OWN, Assumptions, of_stored
from app.economics.costs import CostInput, MeasuredWay, Study
from app.economics.prices import Price

TODAY = date(2026, 11, 23)
RECENT, OLD = date(2026, 11, 1), date(2026, 8, 24)


def price(name: str, unit: str, money: float, dated: date = RECENT, currency: str = "USD") -> Price:
    return Price(name, unit, money, currency, dated, "a contract")


# The two models and the machine of the worked example (decision rules, 4.6): $0.25/$2, $3/$15, $1.50 an hour.
SMALL = [price("Small", "input_tokens", 0.25), price("Small", "output_tokens", 2)]
LARGE = [price("Large", "input_tokens", 3), price("Large", "output_tokens", 15)]
MACHINE, PERSON = price("GPU", "machine_hour", 1.5), price("Engineer", "person_hour", 60)
PRICES = [*SMALL, *LARGE, MACHINE, PERSON]
SAID = Assumptions(upkeep_hours=10, retrains_year=0, minutes_row=0, review_hours=0, rows_to_write=0)  # $600 of people


def arm(family: str = "few_shot_nearest", model: str = "Large", **different: Any) -> MeasuredWay:
    usual = MeasuredWay(
        key=f"{model}/{family}",
        family=family,
        title={"few_shot_nearest": "20 nearest examples", "zero_shot": "Instructions only"}.get(family, family),
        model=1 if model == "Large" else 2,
        model_name=model,
        model_reference="",
        local=False,
        tokens_in=2200.0 if family == "few_shot_nearest" else 200.0,
        tokens_out=150.0,
        score=0.95 if model == "Large" and family == "few_shot_nearest" else 0.6,
        split="test",
        meets=model == "Large" and family == "few_shot_nearest",
        pace=0.5,
        shots=20 if family == "few_shot_nearest" else 0,
        nearest=family == "few_shot_nearest",
        instructions=400,
    )
    return replace(usual, **different)


ARMS = [arm("zero_shot"), arm()]


def worked_out(
    arms: Sequence[MeasuredWay] = ARMS, assumed: Assumptions = SAID, prices: Sequence[Price] = PRICES, **more: Any
) -> Study:
    usual: dict[str, Any] = {"calls": 300_000.0, "target": 0.9, "usable": 1200}
    return cost_model.work_out(CostInput(arms=arms, assumptions=assumed, prices=prices, today=TODAY, **(usual | more)))


# ------------------------------------------------------------------ the comparison


def test_the_worked_example_comes_out_of_the_whole_page() -> None:
    dear = worked_out().comparison
    cheap = worked_out([arm(model="Small", meets=True, score=0.95), arm("zero_shot", "Small")]).comparison

    assert dear is not None
    assert cheap is not None
    assert dear.break_even == pytest.approx(0.19e6, rel=0.01)
    assert cheap.break_even == pytest.approx(1.99e6, rel=0.01)
    assert dear.saved == pytest.approx(300_000 * 0.00885 - 1695)


def test_the_cheapest_that_meets_the_target_is_compared_never_the_dearest() -> None:
    both = worked_out([*ARMS, arm(model="Small", meets=True, score=0.91), arm("zero_shot", "Small")])

    assert both.compared_with is not None
    assert both.compared_with.name == "20 nearest examples, Small"
    assert (both.sound, both.case) == (True, "fail")


def test_an_answer_copied_from_the_rows_is_the_cheapest_of_all() -> None:
    free = worked_out([*ARMS, arm("trivial", tokens_in=None, meets=True, score=0.92, title="Nearest row's answer")])

    assert free.compared_with is not None
    assert free.compared_with.month == 0
    assert free.never
    assert free.case == "fail"


def test_what_is_used_today_counts_where_it_is_cheaper() -> None:
    found = worked_out(assumed=replace(SAID, now_cost=0.0001, now_name="The rules engine"))

    assert found.compared_with is not None
    assert (found.compared_with.name, found.compared_with.tokens_how) == ("The rules engine", "declared")


def test_without_one_that_meets_the_target_nothing_passes_and_nothing_fails() -> None:
    found = worked_out([arm("zero_shot"), arm(meets=False, score=0.7)], calls=10_000_000)

    assert found.comparison is not None
    assert found.comparison.pays
    assert (found.sound, found.case) == (False, None)
    assert "no measured way meets the target" in answer(found).text
    assert any("proves nothing" in lack.text for lack in found.lacks)


# ------------------------------------------------------------------ passing and failing


def test_it_passes_above_the_break_even_and_fails_below() -> None:
    assert worked_out(calls=300_000).case == "pass"
    assert worked_out(calls=100_000).case == "fail"
    assert worked_out(calls=None).case is None


def test_a_saving_that_pays_back_too_late_fails() -> None:
    slow = replace(SAID, rows_to_write=2000, minutes_row=5)  # 10,000 of people, 960 a month saved

    found = worked_out(assumed=slow)

    assert found.comparison is not None
    assert found.comparison.months == pytest.approx(10_000 / 960)
    assert found.case == "fail"
    assert "does not pay in time" in answer(found).text


@pytest.mark.parametrize("name", ["upkeep_hours", "retrains_year", "minutes_row", "review_hours"])
def test_what_is_not_said_keeps_it_from_passing_but_not_from_failing(name: str) -> None:
    unsaid = of_stored({key: value for key, value in SAID.to_json().items() if key != name})

    assert worked_out(assumed=unsaid, calls=3_000_000).case is None
    assert worked_out(assumed=unsaid, calls=1000).case == "fail"


def test_without_a_wage_people_cost_nothing_so_nothing_passes() -> None:
    assert worked_out(prices=[*SMALL, *LARGE, MACHINE], calls=3_000_000).case is None


def test_never_is_said_where_a_hosted_trained_model_costs_more_a_call() -> None:
    longer = [arm("zero_shot", tokens_in=2300.0), arm()]

    found = worked_out(longer, replace(SAID, tuned_rates="Large"))

    assert (found.never, found.case) == (True, "fail")
    assert "Never at these prices" in answer(found).text


def test_a_job_that_runs_once_gets_both_bills() -> None:
    more = [*PRICES, price("Large", "batch_share", 0.5, currency="")]
    said = replace(SAID, once_calls=50_000, review_hours=10)

    found = worked_out(assumed=said, prices=more, calls=None).once
    at_once = worked_out(assumed=said, prices=more, calls=None, waits=True).once

    assert found is not None
    assert at_once is not None
    assert (found.batch, at_once.batch) == (True, False)
    assert found.prompt == pytest.approx(50_000 * 0.00885 / 2)
    assert at_once.prompt == pytest.approx(50_000 * 0.00885)
    assert found.training == pytest.approx(10 * 60 + 1695)


def test_the_prompts_share_of_a_call_is_told() -> None:
    assert worked_out().prompt_share == pytest.approx(0.0066 / 0.00885)


# ------------------------------------------------------------------ where figures are from


def test_a_trained_models_tokens_are_estimated_until_there_is_one() -> None:
    before = worked_out().trained
    after = worked_out([*ARMS, arm("adapter", tokens_in=260.0, title="Adapter")]).trained

    assert before is not None
    assert after is not None
    assert before.tokens is not None
    assert after.tokens is not None
    assert (before.tokens.input, before.tokens_how) == (200.0, "estimated")
    assert (after.tokens.input, after.tokens_how) == (260.0, "measured")


def test_every_sum_of_money_is_an_estimate() -> None:
    assert {figure.how for figure in worked_out().figures} == {"estimated"}


def test_retraining_and_review_are_counted() -> None:
    said = replace(SAID, retrains_year=4, review_hours=6, retrain_rows=100, minutes_row=3, rows_to_write=200)

    figures = {figure.name: figure.value for figure in worked_out(assumed=said, dev_rows=100, test_rows=200).figures}

    judging = 300 * 0.00885 + 6 * 60
    assert figures["Writing and checking examples"] == pytest.approx(200 * 3 / 60 * 60)
    assert figures["Reviewing the result"] == pytest.approx(judging)
    assert figures["Retraining"] == pytest.approx((judging + 100 * 3 / 60 * 60) * 4 / 12)


def test_rows_that_are_still_missing_are_counted_when_nobody_said_how_many() -> None:
    said = replace(SAID, rows_to_write=None, minutes_row=6)

    found = worked_out(assumed=said, usable=700, test_lacks=50)

    assert found.figures[0].value == pytest.approx(350 * 6 / 60 * 60)
    assert "estimated" in found.figures[0].note


def test_training_hours_are_counted_once_size_and_speed_are_said() -> None:
    said = replace(SAID, base_billions=8, teraflops=989, runs=1)

    found = worked_out([arm("zero_shot", tokens_in=450.0), arm()], said, usable=1000)

    assert found.figures[1].value == pytest.approx(0.0462 * 1.5, rel=0.01)  # rows of 600 tokens


# ------------------------------------------------------------------ prices


def test_prices_older_than_90_days_are_marked_and_still_count() -> None:
    edge = [price("Large", "input_tokens", 3, date(2026, 8, 25)), price("Large", "output_tokens", 15, OLD)]

    found = worked_out(prices=[*edge, MACHINE, PERSON])

    assert [old.unit for old in found.old] == ["output_tokens"]
    assert found.case == "pass"


def test_only_prices_that_count_are_listed() -> None:
    assert {(used.name, used.unit) for used in worked_out().used} == {
        ("Large", "input_tokens"),
        ("Large", "output_tokens"),
        ("GPU", "machine_hour"),
        ("Engineer", "person_hour"),
    }


def test_currencies_are_never_added() -> None:
    euro = price("Engineer", "person_hour", 55, currency="EUR")

    found = worked_out(prices=[*SMALL, *LARGE, MACHINE, euro])

    assert found.currency == "USD"
    assert any("EUR are left out" in lack.text for lack in found.lacks)
    assert worked_out(prices=PRICES, assumed=replace(SAID, currency="EUR")).comparison is None


def test_a_model_on_own_machines_costs_machines_by_its_measured_pace() -> None:
    own = worked_out([arm(local=True), arm("zero_shot", local=True)], calls=10_000_000)
    same = worked_out(assumed=replace(SAID, rates={"1": OWN}), calls=10_000_000)

    for found in (own, same):
        assert found.compared_with is not None
        assert found.compared_with.way is not None
        assert found.compared_with.way.hosting == Hosting(1.5, calls_per_second=2.0, upkeep=600)
        assert found.compared_with.month == pytest.approx(6 * 730 * 1.5 + 600)  # 3.8 a second, 11.4 at the peak, 2 each


def test_the_one_of_several_machines_has_to_be_chosen() -> None:
    two = [*PRICES, price("Big GPU", "machine_hour", 4)]

    assert worked_out(prices=two).comparison is None
    assert worked_out(prices=two, assumed=replace(SAID, machine="GPU")).comparison is not None


def test_nothing_at_all_says_what_to_do() -> None:
    found = worked_out([], Assumptions(), [], calls=None)

    assert found.case is None
    assert [lack.where for lack in found.lacks] == ["prices", "describe", "measure", "upkeep_hours"]
    assert views.chart(found) is None
    assert answer(found).text.startswith("Not known yet")


# ------------------------------------------------------------------ cheaper moves


def test_cheaper_moves_are_worked_out_for_the_prompt_that_would_be_replaced() -> None:
    more = [price("Large", "cached_tokens", 0.3), price("Large", "batch_share", 0.5, currency="")]

    found = {move.key: move.saves for move in worked_out(prices=[*PRICES, *more]).moves}

    calls = 0.3  # millions
    assert list(found) == ["shorter", "caching", "batch", "smaller", "examples"]
    assert found["shorter"] == pytest.approx(calls * 100 * 3)
    assert found["caching"] == pytest.approx(calls * 100 * 2.7)  # 400 characters of instructions
    assert found["batch"] == pytest.approx(calls * 0.5 * 8850)
    assert found["smaller"] == pytest.approx(calls * (8850 - 850))
    assert found["examples"] == pytest.approx(calls * 17 * 100 * 3)  # (2,200 - 200) / 20 tokens each


def test_examples_that_stay_the_same_can_be_cached_too() -> None:
    more = [price("Large", "cached_tokens", 0.3)]
    fixed = arm("few_shot_random", meets=True, score=0.95, tokens_in=2200.0, shots=20)

    found = {move.key: move.saves for move in worked_out([arm("zero_shot"), fixed], prices=[*PRICES, *more]).moves}

    assert found["caching"] == pytest.approx(0.3 * 2100 * 2.7)
    assert "examples" not in found


# ------------------------------------------------------------------ the chart


def test_the_chart_marks_the_crossing_with_its_band_and_the_volume() -> None:
    found = worked_out()
    chart = views.chart(found)

    assert chart is not None
    assert [mark.name for mark in chart.marks] == ["pays from 192,000", "you expect 300,000"]
    crossing = chart.marks[0]
    assert crossing.start < crossing.at < crossing.start + crossing.width
    assert [line.name for line in chart.lines] == ["20 nearest examples", "Instructions only", "Trained model"]
    assert [line.dashed for line in chart.lines] == [False, False, True]


def test_the_table_says_which_way_costs_least_at_each_volume() -> None:
    found = worked_out([arm("zero_shot", meets=False), arm()])
    names = [line.name for line in views.drawn(found)]

    cheapest = {row.calls: names[row.cheapest] for row in views.table(found)}

    assert cheapest[10_000] == "Instructions only"
    assert cheapest[10_000_000] == "Trained model"
    assert {row.name for row in views.table(found)} == {"", "pays from here", "you expect"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 EUR"),
        (1695.4, "1,695 EUR"),
        (12.5, "12.50 EUR"),
        (0.00885, "0.00885 EUR"),
        (-1523.2, "\N{MINUS SIGN}1,523 EUR"),
        (None, "\N{EN DASH} EUR".removesuffix(" EUR")),
        (0.9999, "1 EUR"),
    ],
)
def test_money_is_as_exact_as_it_can_be_meant(value: float | None, text: str) -> None:
    assert sentences.money(value, "EUR") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "never"), (850.2, "851"), (191_525, "192,000"), (1_994_118, "1.99 million"), (3e9, "3 billion")],
)
def test_volumes_are_said_in_words(value: float | None, text: str) -> None:
    assert sentences.calls(value) == text


# ------------------------------------------------------------------ what holds for any figures


figures = st.floats(0, 1e4, allow_nan=False)
arms = st.builds(
    lambda tokens, out, meets, large: arm(
        model="Large" if large else "Small", tokens_in=tokens, tokens_out=out, meets=meets
    ),
    st.floats(1, 1e5),
    st.floats(1, 1e4),
    st.booleans(),
    st.booleans(),
)
said = st.builds(
    Assumptions,
    upkeep_hours=st.none() | figures,
    retrains_year=st.none() | st.floats(0, 365),
    minutes_row=st.none() | figures,
    review_hours=st.none() | figures,
    calls_per_second=st.none() | st.floats(0.01, 1e4),
    now_cost=st.none() | st.floats(0, 1),
)


@given(st.lists(arms, min_size=1, max_size=5), arms, said, st.floats(1, 1e8))
def test_one_more_way_that_meets_the_target_never_flatters_training(
    several: list[MeasuredWay], one_more: MeasuredWay, declared: Assumptions, calls: float
) -> None:
    plain = [arm("zero_shot"), *several, arm()]  # one that meets the target is always there

    before = worked_out(plain, declared, calls=calls).comparison
    after = worked_out([*plain, replace(one_more, meets=True)], declared, calls=calls).comparison

    assert before is not None
    assert after is not None
    assert before.saved is not None
    assert after.saved is not None
    assert after.saved <= before.saved + 1e-9 * (1 + abs(before.saved))


@given(st.lists(arms, max_size=5), said, st.none() | st.floats(0, 1e8))
def test_a_pass_is_always_complete_and_pays(
    several: list[MeasuredWay], declared: Assumptions, calls: float | None
) -> None:
    found = worked_out([arm("zero_shot"), *several], declared, calls=calls)

    if found.case == "pass":
        assert found.sound
        assert not found.unsaid
        assert found.comparison is not None
        assert found.comparison.saved is not None
        assert found.comparison.saved > 0
        assert (found.comparison.months or 0.0) <= found.limit
    assert answer(found).text
    chart = views.chart(found)
    assert chart is None or all(0 <= mark.at <= 100 for mark in chart.marks)
