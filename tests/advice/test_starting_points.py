"""Starting points are the golden cases' situations, and promise nothing that nobody measured."""

from typing import Any

import pytest

from app.advice.case import parse, to_json
from app.advice.questions import ASKED
from app.advice.starting_points import BY_SLUG, STARTING_POINTS, StartingPoint, usual_answers
from app.advice.verdict import advise
from tests.support.golden import GOLDEN

POINTS = pytest.mark.parametrize("point", STARTING_POINTS, ids=lambda point: point.slug)
BY_NUMBER = {golden.number: golden for golden in GOLDEN}
FOR_THE_TEAM_TO_SAY = {
    "examples_declared",
    "calls_per_month",
    "target",
    "owner",
    "training_rights",
    "holdout",
    "label_agreement",
    "prompting_tried",
    "data_location",
}


@POINTS
def test_its_answers_are_answers(point: StartingPoint) -> None:
    answers = usual_answers(point)

    assert answers.keys() <= ASKED.keys()
    assert to_json(parse({"answers": answers}))["answers"] == answers


@POINTS
def test_it_leaves_to_the_team_what_only_the_team_knows(point: StartingPoint) -> None:
    assert not usual_answers(point).keys() & FOR_THE_TEAM_TO_SAY


@POINTS
def test_it_unlocks_nothing(point: StartingPoint) -> None:
    advice = advise(parse({"answers": usual_answers(point)}))

    assert advice.training == "locked"
    assert advice.confidence == "low"


@POINTS
def test_with_the_rest_of_its_golden_case_it_comes_out_the_same(point: StartingPoint) -> None:
    golden = BY_NUMBER[point.golden]
    answers = usual_answers(point)

    same = {key: value for key, value in answers.items() if key != "metric"}
    whole: Any = to_json(parse(golden.data))
    assert same.items() <= whole["answers"].items()
    advice = advise(parse({**golden.data, "answers": golden.data["answers"] | answers}))
    assert (advice.approach, advice.training, advice.leaning) == (golden.approach, golden.training, golden.leaning)


def test_every_golden_case_has_its_starting_point() -> None:
    assert {point.golden for point in STARTING_POINTS} == set(BY_NUMBER)
    assert len(BY_SLUG) == len(STARTING_POINTS)
    assert len({point.title for point in STARTING_POINTS}) == len(STARTING_POINTS)
