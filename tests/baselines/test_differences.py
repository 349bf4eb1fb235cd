"""Any two variants compared on the same rows: pages, programs, groups of rows, and who was chosen out of how many."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app.assessments.tables import AssessmentRow
from app.baselines import arms, belonging, differences, facts, standing, store
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets import group_store
from app.datasets.tables import ExampleRow
from app.db import reading, writing
from app.evaluation import selection
from app.users.tables import UserRow
from tests.support.factories import Make


@pytest.fixture
def assessment(make: Make) -> AssessmentRow:
    return make.ready(make.author("Ada"))


@pytest.fixture
def client(assessment: AssessmentRow, make: Make, people: Callable[[UserRow], TestClient]) -> TestClient:
    return people(make.user(name="Zoe", email="zoe@example.org"))


def arm_ids(engine: Engine) -> dict[str, int]:
    with reading(engine) as session:
        return {arm.name: arm.id for arm in session.scalars(select(ArmRow).where(ArmRow.baseline_id == 1))}


def in_groups(engine: Engine, of: int = 10, rules: int = arms.GROUP_RULES) -> None:
    """Let rows belong to groups of so many, and the measurement be judged by these rules."""
    with writing(engine) as session:
        for number, row in enumerate(session.scalars(select(ExampleRow).order_by(ExampleRow.id))):
            row.group_key = group_store.key_of(f"customer {number // of}")
        plain = session.scalars(select(ArmRow).where(ArmRow.name == "zero_shot")).one()
        plain.settings = {**plain.settings, "rules": rules}


def test_two_variants_are_compared_by_page_and_program(client: TestClient, engine: Engine) -> None:
    ids = arm_ids(engine)
    first, second = ids["zero_shot"], ids["few_shot_nearest"]

    answer = client.get(f"/api/v1/baselines/1/comparisons?first={first}&second={second}").json()
    page = client.get(f"/baselines/1/comparison?first={first}&second={second}&split=dev")

    one = answer["data"][0]
    assert (one["first"]["score"], one["second"]["score"], one["rows"]) == (0.5, 0.7, 100)
    assert (len(one["fixed"]), len(one["broken"]), one["verdict"]) == (20, 0, "improved")
    assert (one["used_to_choose"], one["test"], one["groups"]) == (True, "exact McNemar test", None)
    assert one["p_adjusted"] is None
    assert one["not_worse"]["finding"] == "not worse"
    assert page.status_code == 200
    assert "Few-shot, 5 nearest is better than Zero-shot: 50.0 % → 70.0 %" in " ".join(
        page.text.replace("\n", " ").split()
    )
    assert "These rows were used to choose the best variant" in page.text
    fixed = f"/baselines/1/side-by-side?split=dev&a={first}&b={second}&which=fixed"
    assert fixed.replace("&", "&amp;") in page.text
    assert "20 rows" in client.get(fixed).text


def test_one_against_every_other_takes_into_account_how_many_there_are(client: TestClient, engine: Engine) -> None:
    answer = client.get("/api/v1/baselines/1/comparisons").json()

    lines = answer["data"]
    assert {line["second"]["arm_id"] for line in lines} == {arm_ids(engine)["few_shot_nearest"]}
    assert len(lines) == 5
    assert all(line["p_adjusted"] >= line["p"] for line in lines)
    assert min(line["p_adjusted"] for line in lines) == pytest.approx(min(1, 5 * min(line["p"] for line in lines)))
    assert (answer["chosen_from"], len(answer["comparable"])) == (6, 6)
    assert answer["luck"] == pytest.approx(
        selection.luck(6, 100, answer["luck"] ** 2 * 200 / selection.largest_of(6) ** 2)
    )
    assert 0 < answer["luck"] < 0.2


@pytest.mark.parametrize(
    ("query", "status"),
    [("first=1&second=99", 404), ("first=1&second=1", 409), ("split=test&first=1&second=5", 404), ("second=0", 422)],
)
def test_what_cannot_be_compared_is_refused(client: TestClient, query: str, status: int) -> None:
    assert client.get(f"/api/v1/baselines/1/comparisons?{query}").status_code == status


def test_a_page_without_a_pair_says_so_and_strangers_see_none(client: TestClient, web: TestClient) -> None:
    page = client.get("/baselines/1/comparison?split=test")

    assert page.status_code == 200
    assert "No two variants have answers to the test rows yet." in page.text
    assert web.get("/baselines/1/comparison").status_code == 303
    assert web.get("/api/v1/baselines/1/comparisons").status_code == 401


def test_a_variant_of_another_measurement_of_the_same_rows_can_be_named(
    client: TestClient, engine: Engine, make: Make, assessment: AssessmentRow
) -> None:
    with reading(engine) as session:
        baseline = store.get(session, 1)
    later = make.baseline(assessment, _dataset(engine), make.model(), make.creator(assessment), passed=170)

    with reading(engine) as session:
        there = differences.sides(session, store.get(session, later.id), "test")
        both = differences.between(session, store.get(session, later.id), there[1].arm.id, there[0].arm.id, "test")

    assert [side.baseline.id for side in there] == [later.id, baseline.id]
    assert "run of" in there[1].label
    assert (both.compared.before, both.compared.after) == (150 / 220, 170 / 220)
    with writing(engine) as session:
        session.execute(update(BaselineRow).where(BaselineRow.id == 1).values(metric="chrf"))
    with reading(engine) as session:
        assert len(differences.sides(session, store.get(session, later.id), "test")) == 1


def _dataset(engine: Engine) -> Any:
    from app.datasets import store as dataset_store

    with reading(engine) as session:
        return dataset_store.get(session, 1)


def test_groups_count_from_the_rules_on_that_know_them(client: TestClient, engine: Engine) -> None:
    """The same answers: under older rules everything stays what it was."""
    ids = arm_ids(engine)
    asked = f"/api/v1/baselines/1/comparisons?first={ids['zero_shot']}&second={ids['few_shot_nearest']}"
    alone = client.get(asked).json()["data"][0]

    in_groups(engine, rules=arms.GROUP_RULES - 1)
    older = client.get(asked).json()["data"][0]
    in_groups(engine)
    grouped = client.get(asked).json()["data"][0]

    assert older == alone
    assert (grouped["groups"], grouped["test"], grouped["verdict"]) == (
        10,
        "randomisation test by group",
        "inconclusive",
    )
    assert grouped["design_effect"] > 8
    assert grouped["low"] < alone["low"]
    assert "10 groups of rows, design effect" in client.get(f"/baselines/1/comparison?{asked.partition('?')[2]}").text


def test_an_arm_is_summed_up_and_checked_with_its_groups(client: TestClient, engine: Engine) -> None:
    in_groups(engine)
    with writing(engine) as session:
        baseline = store.get(session, 1)
        assert [*facts.misstated(session, baseline)] != []  # what is stored was worked out without them
        groups = belonging.groups_of(session, baseline)
        for arm in baseline.arms:
            for split in ("dev", "test"):
                kept = session.execute(
                    select(AnswerRow.example_id, AnswerRow.score)
                    .where(AnswerRow.arm_id == arm.id, AnswerRow.split == split)
                    .order_by(AnswerRow.example_id)
                ).all()
                if kept:
                    scored = [arms.Scored(score) for _, score in kept]
                    codes = belonging.codes(groups, [row for row, _ in kept])
                    setattr(arm, split, arms.tallied(scored, binary=True, seed=baseline.seed, groups=codes))
    with reading(engine) as session:
        baseline = store.get(session, 1)
        best = standing.best(baseline)
        assert [*facts.misstated(session, baseline)] == []
        assert best is not None
        assert best.test is not None
        assert best.test.groups == 22
        assert best.test.design_effect is not None
        assert "groups" not in arms.tallied([arms.Scored(1.0)], binary=True, seed=7).to_json()


def test_near_duplicates_and_named_groups_are_joined(make: Make, engine: Engine) -> None:
    author = make.author()
    dataset = make.dataset(make.assessment(author), author, train=2, dev=4, test=3)
    with writing(engine) as session:
        rows = session.scalars(select(ExampleRow).order_by(ExampleRow.id)).all()
        for row, cluster, group in zip(rows[2:], (7, 7, None, None, None, None, None), "a.a.b.b", strict=True):
            row.cluster, row.group_key = cluster, None if group == "." else group
    with reading(engine) as session:
        found = group_store.belonging(session, dataset.id)

    dev, test = [row.id for row in rows[2:6]], [row.id for row in rows[6:]]
    assert found == {dev[0]: dev[0], dev[1]: dev[0], dev[2]: dev[0], test[0]: test[0], test[2]: test[0]}
