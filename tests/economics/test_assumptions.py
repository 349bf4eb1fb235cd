"""What people type about costs: read as they mean it, or refused beside its field."""

import math

import pytest

from app.economics import assumptions
from app.economics.assumptions import Assumptions, Kind
from app.errors import Invalid


def fields(sent: dict[str, object]) -> list[str]:
    with pytest.raises(Invalid) as refused:
        assumptions.read(sent)
    return [error.field for error in refused.value.errors]


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("1500", 1500),
        ("1,500", 1500),
        ("1 500.5", 1500.5),
        (" 0.25 ", 0.25),
        (".5", 0.5),
        ("25 %", 25),
        ("", None),
        (None, None),
        (12, 12),
        (1e-07, 1e-07),
    ],
)
def test_numbers_are_read_as_people_type_them(typed: object, value: float | None) -> None:
    assert assumptions.number(typed) == value


@pytest.mark.parametrize("typed", ["0,25", "1,5", "abc", "1e", "--1", "1.2.3", "nan", "inf", True, "12,34,567"])
def test_what_could_mean_two_things_is_refused(typed: object) -> None:
    found = assumptions.number(typed)

    assert found is not None
    assert math.isnan(found)


def test_everything_wrong_is_said_at_once_beside_its_field() -> None:
    given = {"machines": "0", "hours": "745", "minutes_row": "-1", "runs": "1.5", "doubt": "95", "passages": "3"}

    assert fields({**given}) == ["machines", "hours", "minutes_row", "runs", "doubt", "passages"]


def test_what_is_stored_comes_back() -> None:
    said = assumptions.read(
        {"machines": "2", "doubt": "30", "rates_7": "Large", "rates_8": "", "currency": "eur", "upkeep_hours": "0"}
    )

    assert said.doubt == pytest.approx(0.3)
    assert (said.currency, said.rates, said.upkeep_hours) == ("EUR", {"7": "Large"}, 0)
    assert assumptions.of_stored(said.to_json()) == said
    assert assumptions.form_values(said)["doubt"] == "30"
    assert assumptions.read(assumptions.form_values(said)) == said


def test_zero_is_said_and_nothing_is_not() -> None:
    assert "upkeep_hours" in assumptions.read({"upkeep_hours": "0"}).to_json()
    assert assumptions.read({"upkeep_hours": ""}) == Assumptions()


def test_a_later_versions_names_are_passed_over() -> None:
    assert assumptions.of_stored({"machines": 3, "gone": 1}) == Assumptions(machines=3)


# ------------------------------------------------------------------ the target


def test_the_worked_target_comes_out_of_the_form() -> None:
    worth = assumptions.read_worth(
        {"success": "20", "share_1": "95", "cost_1": "40", "kind_2": "acted on", "share_2": "5", "cost_2": "1,000"}
    )

    assert worth.cost == pytest.approx(88)
    assert worth.target == pytest.approx(0.8148, abs=1e-4)
    assert worth.kinds == (Kind("", 0.95, 40), Kind("acted on", 0.05, 1000))


def test_a_single_kind_needs_no_share_and_thirds_may_be_rounded() -> None:
    assert assumptions.read_worth({"success": "20", "cost_1": "80"}).target == pytest.approx(0.8)
    thirds = {"success": "1"} | {f"share_{n}": "33.3" for n in (1, 2, 3)} | {f"cost_{n}": "1" for n in (1, 2, 3)}
    assert assumptions.read_worth(thirds).target == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({}, ["success"]),
        ({"success": "20"}, ["cost_1"]),
        ({"success": "-1", "cost_1": "1"}, ["success"]),
        ({"success": "20", "kind_2": "late"}, ["cost_2"]),
        ({"success": "20", "cost_1": "1", "cost_2": "2"}, ["share_1", "share_2"]),
        ({"success": "20", "cost_1": "1", "share_1": "60", "cost_2": "2", "share_2": "60"}, ["share_1"]),
        ({"success": "20", "cost_1": "1", "share_1": "120"}, ["share_1"]),
        ({"success": "0", "cost_1": "0"}, ["success"]),
        ({"success": "x", "cost_1": "y"}, ["success", "cost_1"]),
    ],
)
def test_a_target_that_does_not_follow_is_refused(sent: dict[str, str], named: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        assumptions.read_worth(sent)

    assert [error.field for error in refused.value.errors] == named
