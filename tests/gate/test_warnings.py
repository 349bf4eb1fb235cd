"""What would stop a careful team is said on every page, with the same numbers, and locks nothing."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select

from app.advice.case import parse
from app.advice.economics import Comparison
from app.advice.evidence import Evidence, Prompting, Score
from app.advice.verdict import advise
from app.advice.what_if.robustness import Robustness
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets.tables import DatasetRow
from app.db import writing
from app.economics import service as economics
from app.economics.costs import PricedWay, Study
from app.gate import verdict_view, warnings
from app.gate.warnings import SENTENCES, WHERE, cautions
from app.recipes.tables import RecipeRow
from app.users.tables import UserRow
from tests.support.factories import Make, _tally
from tests.support.gated import Gated, gated_installation, settings
from tests.support.golden import GOLDEN

__all__ = ["gated_installation", "settings"]

People = Callable[[UserRow], TestClient]

BEST = Prompting(arms=("few_shot_nearest",), revised=True, best_arm="few_shot_nearest", passed=140, total=220)
ON_DEV = Score(passed=64, total=100)


def codes(evidence: Evidence, **more: Any) -> list[str]:
    return [one.code for one in cautions(evidence, **more)]


def way(key: str = "1/few_shot_nearest", name: str = "Five nearest") -> PricedWay:
    return PricedWay(key, name, "prompt", None, "measured", 0.6, "test", None, None, 73.0)


def study(*, sound: bool = True, **compared: Any) -> Study:
    usual = {
        "calls": 400_000.0,
        "break_even": 665_000.0,
        "low": None,
        "high": None,
        "saved": -2588.0,
        "once": 240.0,
        "months": None,
    }
    return Study(
        currency="EUR",
        calls=400_000,
        target=0.85,
        lines=[way()],
        trained=None,
        compared_with=way(),
        sound=sound,
        comparison=Comparison(**(usual | compared)),
        moves=(),
        figures=(),
        lacks=(),
        used=(),
        old=(),
    )


def robust(share: float) -> Robustness:
    return Robustness(share, 300, "fragile" if share < 0.8 else "stable", share, share, ())


def test_what_the_advice_names_is_no_warning_beside_it() -> None:
    arms = {"small_classifier": Score(passed=210, total=220, split="test")}
    evidence = Evidence(baseline=BEST, arms=arms)

    assert [one.code for one in warnings.cautions(evidence)] == ["free_ahead"]
    assert warnings.cautions(evidence, technique="small_classifier") == ()


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        ({"trivial": Score(passed=166, total=220, split="test")}, ["free_ahead"]),
        ({"trivial": Score(passed=140, total=220, split="test")}, []),
        (
            {
                "trivial": Score(passed=166, total=220, split="test"),
                "small_classifier": Score(passed=180, total=220, split="test"),
                "embedding_classifier": Score(passed=200, total=220, split="test"),
                "few_shot_nearest": ON_DEV,
            },
            ["free_ahead"],  # one warning, however many of them are ahead
        ),
        ({"small_classifier": Score(passed=70, total=100), "few_shot_nearest": ON_DEV}, ["free_ahead"]),
        ({"small_classifier": Score(passed=64, total=100), "few_shot_nearest": ON_DEV}, []),
        ({"small_classifier": Score(passed=70, total=100)}, []),  # no prompt answered those rows
        ({"small_classifier": Score(passed=766, total=1000, split="train")}, ["free_ahead"]),
        ({"trivial": Score(score=0.9, low=0.8, high=0.95, split="test")}, ["free_ahead"]),
        ({"oracle": Score(passed=99, total=100), "few_shot_nearest": ON_DEV}, []),
    ],
)
def test_what_beats_the_best_prompt_without_a_model(arms: dict[str, Score], expected: list[str]) -> None:
    assert codes(Evidence(baseline=BEST, arms=arms)) == expected


def test_it_says_both_scores_and_on_which_rows() -> None:
    (one,) = cautions(Evidence(baseline=BEST, arms={"trivial": Score(passed=166, total=220, split="test")}))

    assert one.text == ("No-LLM baseline scores 75.5 % on the test set, the best prompt 63.6 %. Use it, or beat it.")


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        (study(), "Costs more than it saves below 665,000 calls a month; you expect 400,000."),
        (study(break_even=None), "Costs more than it saves at every volume, at these prices."),
        (study(saved=10.0, months=24.0), "Paid back after 24.0 months; at most 6 months are accepted."),
        (study(saved=500.0, months=0.5), ""),
        (study(calls=None, saved=None), ""),
    ],
)
def test_what_it_costs_beside_what_it_saves(costs: Study, expected: str) -> None:
    said = " ".join(one.text for one in cautions(Evidence(), study=costs))

    assert said.startswith(expected)
    assert bool(said) == bool(expected)


def test_a_comparison_with_a_way_that_misses_the_target_says_so() -> None:
    (one,) = cautions(Evidence(), study=study(sound=False))

    assert "“Five nearest”, which misses the target" in one.text


def test_two_models_are_named_and_hidden_from_strangers() -> None:
    named = cautions(Evidence(baseline_on_base=False, baseline_ran_on="Stub small", trains_on="SmolLM2-135M"))
    hidden = warnings.without_names([*named, *cautions(Evidence(), study=study())])

    assert [one.code for one in named] == ["other_model"]
    assert "Stub small" in named[0].text
    assert "SmolLM2-135M" in named[0].text
    assert not any(name in one.text for one in hidden for name in ("Stub", "SmolLM2", "Five nearest"))


def test_robustness_late_targets_and_nothing() -> None:
    assert codes(Evidence(), robustness=robust(0.62)) == ["robustness_low"]
    assert codes(Evidence(), robustness=robust(0.8)) == []
    assert codes(Evidence(target_changes=2)) == ["target_changed"]
    assert codes(Evidence()) == []


def test_every_code_has_a_sentence_and_a_place() -> None:
    assert SENTENCES.sentences.keys() == WHERE.keys()
    assert set(WHERE.values()) == warnings.places(1).keys()


def test_the_headline_never_says_allowed_without_the_number_of_warnings() -> None:
    ready = advise(parse(next(golden for golden in GOLDEN if golden.number == 2).data))
    two = cautions(Evidence(target_changes=1), robustness=robust(0.5))
    free = cautions(Evidence(baseline=BEST, arms={"trivial": Score(passed=166, total=220, split="test")}))

    assert ready.training == "ready"
    assert verdict_view.headline(ready, "Fine-tune.", ()) == "Fine-tune is allowed."
    assert verdict_view.headline(ready, "Fine-tune.", two) == "Fine-tune is allowed, with 2 warnings."
    assert verdict_view.headline(ready, "Fine-tune.", free) == (
        "No-LLM baseline beats your best prompt. Fine-tune is allowed, with 1 warning."
    )


# ------------------------------------------------------------------ on the pages


def lookup(gated: Gated, passed: int = 160) -> None:
    """A look-up without a model that answered dev and test rows beside the prompts."""
    with writing(gated.engine) as session:
        baseline = session.scalars(select(BaselineRow)).one()
        dataset = session.get_one(DatasetRow, baseline.dataset_id)
        arm = ArmRow(
            baseline_id=baseline.id,
            family="trivial",
            name="nearest_answer",
            title="Nearest",
            settings={"rules": 2},
            dev=_tally(80, dataset.dev_rows),
            test=_tally(passed, dataset.test_rows),
        )
        session.add(arm)
        session.flush()
        Make._answers(session, arm, dataset, 80, "dev")
        Make._answers(session, arm, dataset, passed, "test")


@pytest.fixture
def gated(make: Make, people: People, engine: Engine) -> Gated:
    return Gated(make, people, engine)


def test_the_same_warning_stands_wherever_somebody_decides(gated: Gated, web: TestClient) -> None:
    lookup(gated)
    with writing(gated.engine) as session:
        session.scalars(select(RecipeRow)).one().preflight = None  # `Gated` only pretends to have one
    review = gated.requested()
    ada = gated.people(gated.author)
    base = f"/assessments/{gated.id}"
    expected = "No-LLM baseline scores"
    shared = ada.post(f"/api/v1{base}/shares", json={"label": "The board"}).json()["url"]

    pages = [f"{base}/verdict", f"{base}/review", f"{base}/plan", f"{base}/run", f"/reviews/{review['id']}"]
    without = [page for page in pages if expected not in ada.get(page).text]

    assert without == []
    assert expected in web.get(shared[shared.index("/shared/") :]).text
    assert "free_ahead" in [one["code"] for one in review["warnings"]]
    assert "free_ahead" in [one["code"] for one in ada.get(f"/api/v1{base}/advice").json()["warnings"]]


def test_another_model_than_the_one_measured_is_said_with_the_way_out(gated: Gated) -> None:
    other = gated.make.model(name="SmolLM2-135M", files={"config.json": "1" * 64})
    with writing(gated.engine) as session:
        recipe = session.scalars(select(RecipeRow)).one()
        recipe.model_id, recipe.preflight = other.id, None
    ada = gated.people(gated.author)
    base = f"/assessments/{gated.id}"
    button = f'href="{base}/measure?model_id={other.id}#model_id">Run baselines on SmolLM2-135M</a>'

    for page in (f"{base}/verdict", f"{base}/plan", f"{base}/review", f"{base}/run"):
        assert button in ada.get(page).text, page
    form = ada.get(f"{base}/measure?model_id={other.id}").text
    assert re.search(rf'name="model_id"[^>]*value="{other.id}"[^>]*checked', form)
    assert gated.launch().status_code == 409  # it locks as before: criterion G5


def test_costs_that_do_not_pay_are_said_though_cost_is_no_goal(gated: Gated) -> None:
    model = gated.model()
    prices = f"""name,unit,price,currency,dated,source
{model.name},input_tokens,3,EUR,2026-10-01,contract
{model.name},output_tokens,15,EUR,2026-10-01,contract
GPU,machine_hour,90,EUR,2026-10-01,contract
Engineer,person_hour,60,EUR,2026-10-01,payroll
"""
    with writing(gated.engine) as session:
        for arm in session.scalars(select(ArmRow)):
            for part in ("dev", "test"):
                if (result := getattr(arm, part)) is not None:
                    setattr(arm, part, replace(result, mean_prompt_tokens=350, mean_completion_tokens=12))
        economics.import_prices(session, prices.encode(), gated.author)
        economics.assume(session, gated.id, {f"rates_{model.id}": model.name, "upkeep_hours": "10"}, gated.author)

    page = gated.people(gated.author).get(f"/assessments/{gated.id}/verdict").text

    assert "Costs more than it saves below" in page
    assert "Fine-tune is allowed, with" in page
