"""An adapter is improved only if it beats what needs no language model and the prompts within reach, row by row."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from app.baselines import arms
from app.baselines.history import LateTarget
from app.baselines.tables import AnswerRow, ArmRow
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.evaluation import statistics
from app.evaluation.comparison import Pair, against_all, compare, rival, unasked
from app.evaluation.statistics import Difference
from app.results import card, evaluation_file, service
from app.training.tables import TrainingRow
from app.users.tables import UserRow

# The adapter is right on 190 of the 220 rows, the best prompt on 150 (`tests.support.trained`).


def add(session: Session, family: str, name: str, scores: Sequence[float]) -> None:
    """An arm that answered the test rows."""
    arm = ArmRow(baseline_id=1, family=family, name=name, title=name.capitalize(), settings={})
    arm.test = arms.tallied([arms.Scored(score) for score in scores], binary=True, seed=7)
    session.add(arm)
    session.flush()
    rows = session.scalars(select(ExampleRow.id).where(ExampleRow.split == "test").order_by(ExampleRow.id)).all()
    answer = {"arm_id": arm.id, "split": "test", "status": "ok", "created_at": utcnow()}
    session.execute(
        insert(AnswerRow),
        [answer | {"example_id": row, "score": score} for row, score in zip(rows, scores, strict=True)],
    )


def outcome_against(engine: Engine, **rivals: Any) -> service.Outcome:
    """The outcome of the run, had it been launched to beat these."""
    with writing(engine) as session:
        run = session.scalars(select(TrainingRow)).one()
        to_beat: Any = rivals
        run.training_facts = {**run.training_facts, "compared_with": "few_shot_nearest", "rivals": to_beat}
    with reading(engine) as session:
        return service.outcome(session, 1)


def first(right: int) -> list[float]:
    return [1.0] * right + [0.0] * (220 - right)


def test_a_classifier_that_is_not_beaten_is_named_and_nothing_is_improved(engine: Engine) -> None:
    with writing(engine) as session:
        add(session, "small_classifier", "small_classifier", first(211))

    found = outcome_against(engine, free=["small_classifier"])

    assert found.compared is not None
    assert found.compared.verdict == "not better"
    assert found.compared.words.startswith("Not better: +18.2 points over the best prompt on the same 220 rows, but ")
    assert "“Small classifier (no LLM)” gets to 95.9 % without a language model" in found.compared.words
    assert found.compared.words.endswith("Use it, or beat it.")
    assert [(one.kind, one.verdict) for one in found.rivals] == [("free", "regressed")]


def test_one_that_is_beaten_is_said_to_be(engine: Engine) -> None:
    with writing(engine) as session:
        add(session, "trivial", "nearest_answer", first(60))
        add(session, "few_shot_random", "near", first(148))

    found = outcome_against(engine, free=["nearest_answer"], prompts=["near"])

    assert found.compared is not None
    assert found.compared.verdict == "improved"
    assert found.compared.words.endswith(
        "It beats the other prompt within reach and what needs no language model as well."
    )


def test_a_prompt_within_reach_has_to_be_beaten_too(engine: Engine) -> None:
    with writing(engine) as session:
        add(session, "few_shot_random", "near", first(186))

    found = outcome_against(engine, prompts=["near"])

    assert found.compared is not None
    assert found.compared.verdict == "inconclusive"
    assert "“Near”, which the dev rows could not tell from that prompt, gets to 84.5 %" in found.compared.words


@pytest.mark.parametrize(
    ("behind", "verdict"),
    [((0.1, 0.02, 0.18), "improved"), ((0.0, -0.1, 0.1), "improved"), ((0.0, -0.3, 0.3), "inconclusive")],
)
def test_one_that_was_not_asked_carries_the_doubt_of_the_dev_rows(
    engine: Engine, behind: tuple[float, float, float], verdict: str
) -> None:
    found = outcome_against(engine, unasked=[["zero_shot", *behind]])

    assert found.compared is not None
    assert found.compared.verdict == verdict
    assert ("was not asked the test rows" in found.compared.words) == (verdict != "improved")


def test_a_run_of_before_is_judged_as_it_was(engine: Engine) -> None:
    with writing(engine) as session:
        add(session, "small_classifier", "small_classifier", first(211))

    with reading(engine) as session:
        found = service.outcome(session, 1)
        kept = found.training.result

    assert list(found.rivals) == []
    assert service.summary(found) == kept
    assert kept is not None
    assert kept["verdict"] == "improved"


def test_page_card_and_files_name_them(engine: Engine, people: Any) -> None:
    with writing(engine) as session:
        add(session, "small_classifier", "small_classifier", first(211))
    found = outcome_against(engine, free=["small_classifier"])
    with reading(engine) as session:
        client: TestClient = people(session.scalars(select(UserRow)).first())

    page = client.get("/assessments/1/result").text
    answer = client.get("/api/v1/trainings/1/result").json()
    with reading(engine) as session:
        facts = service.facts(session, service.outcome(session, 1))
    text = card.card(facts)
    measured: Any = evaluation_file.evaluation(facts)

    assert "What else it has to beat" in page
    assert "Small classifier (no LLM)" in page
    assert answer["verdict"] == "not better"
    assert [(one["title"], one["kind"], one["verdict"]) for one in answer["rivals"]] == [
        ("Small classifier (no LLM)", "free", "regressed")
    ]
    assert "| Small classifier (no LLM) | 95.9 % | \N{MINUS SIGN}9.5 points |" in text
    assert "It does not reach the target of " in text
    assert [one["a"] for one in measured["pairwise"]] == ["Few-shot, 5 nearest", "Small classifier (no LLM)"]
    assert json.loads(json.dumps(service.summary(found)))["rivals"][0]["kind"] == "free"


def test_the_card_says_that_the_target_was_changed(engine: Engine) -> None:
    with reading(engine) as session:
        facts = service.facts(session, service.outcome(session, 1))
    late = {
        "assessment": 1,
        "at": "2026-03-02T10:00:00+00:00",
        "by": 1,
        "from": "exact_match 0.95",
        "to": "exact_match 0.9",
    }
    changed = card.CardFacts(
        **{**{name: getattr(facts, name) for name in facts.__slots__}, "late_targets": [LateTarget.from_json(late)]}
    )

    assert "The target was changed after results were known (exact_match 0.95 to exact_match 0.9), 2026-03-02." in (
        card.card(changed)
    )
    assert "was changed" not in card.card(facts)


# ------------------------------------------------------------------ the rule itself


def pairs(both: int, fixed: int, broken: int, neither: int) -> list[Pair]:
    counts = ((1.0, 1.0, both), (0.0, 1.0, fixed), (1.0, 0.0, broken), (0.0, 0.0, neither))
    made = [(before, after) for before, after, times in counts for _ in range(times)]
    return [Pair(row, before, after) for row, (before, after) in enumerate(made)]


def test_each_rival_is_tested_at_one_sided_5_percent() -> None:
    """A gain whose 95 % interval holds 0 and whose 90 % interval does not."""
    main = compare(pairs(100, 40, 5, 55), binary=True)
    close = pairs(120, 25, 13, 42)
    before, after = [one.before for one in close], [one.after for one in close]
    assert statistics.paired(before, after, binary=True).low < 0
    assert statistics.paired(before, after, binary=True, confidence=0.9).low > 0

    assert against_all(main, [rival("near", "prompt", close, binary=True)]).verdict == "improved"
    assert against_all(main, [rival("near", "prompt", pairs(120, 23, 14, 43), binary=True)]).verdict == "inconclusive"


def test_a_gain_of_three_points_over_a_rival_that_is_ruled_out_is_not_better() -> None:
    main = compare(pairs(300, 200, 20, 480), binary=True)

    found = against_all(main, [rival("free", "free", pairs(470, 30, 40, 460), binary=True)])

    assert found.verdict == "not better"


def test_what_was_no_improvement_stays_what_it_was_and_names_what_is_free() -> None:
    main = compare(pairs(100, 10, 9, 81), binary=True)
    ahead = rival("Classifier", "free", pairs(100, 10, 60, 30), binary=True)

    found = against_all(main, [ahead])

    assert found.verdict == main.verdict
    assert found.words.endswith("“Classifier” gets to 80.0 % on the same rows.")
    assert against_all(main, []) == main


def test_the_doubts_of_two_sets_of_rows_add_up_by_squares() -> None:
    found = statistics.chained(Difference(0.10, 0.04, 0.18), Difference(0.05, -0.03, 0.11))

    assert (found.delta, found.low, found.high) == pytest.approx((0.15, 0.05, 0.25))
    assert (
        unasked("x", compare(pairs(100, 40, 5, 55), binary=True), Difference(0.0, -0.5, 0.5)).verdict == "inconclusive"
    )
