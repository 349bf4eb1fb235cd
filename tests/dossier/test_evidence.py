"""The evidence strip: what each line says, its mark, and that nothing better than the best prompt is overlooked."""

from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update

from app import glossary
from app.assessments import store as assessments
from app.baselines.arms import ArmResult
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets.tables import DatasetRow
from app.db import reading, writing
from app.evaluation.kept_result import KeptResult
from app.gate import evidence_strip
from app.gate.evidence import gather, judge
from app.gate.evidence_strip import Line


def strip(engine: Engine, outcome: KeptResult | None = None) -> dict[str, Line]:
    with reading(engine) as session:
        lines = evidence_strip.strip(session, gather(session, assessments.get(session, 1)), outcome)
    return {line.key: line for line in lines}


def add_arm(engine: Engine, family: str, name: str, score: float) -> None:
    result = ArmResult(score=score, low=score - 0.05, high=score + 0.05, n=220, errors=0, passed=round(score * 220))
    with writing(engine) as session:
        baseline = session.scalars(select(BaselineRow)).one()
        session.execute(delete(ArmRow).where(ArmRow.name == name))
        session.add(ArmRow(baseline_id=baseline.id, family=family, name=name, title=name, dev=result, test=result))


def test_the_best_prompt_is_held_against_the_target(engine: Engine) -> None:
    lines = strip(engine)

    assert (lines["target"].value, lines["target"].how) == ("90 %", "self-reported")
    best = lines["best"]
    assert (best.value, best.mark, best.how) == ("68.2 %", "fail", "measured")
    assert best.detail.startswith("61.8 to 74.0 % on 220 test rows")

    with writing(engine) as session:
        row = assessments.get(session, 1)
        row.answers = {**row.answers, "target": 0.6}
    assert strip(engine)["best"].mark == "pass"


@pytest.mark.parametrize(
    ("family", "name", "key", "label"),
    [
        ("trivial", "nearest_answer", "no_llm", "No-LLM baseline"),
        ("small_classifier", "small_classifier", "classifier", "Small classifier (no LLM)"),
    ],
)
@pytest.mark.parametrize(("score", "mark"), [(0.756, "warn"), (0.5, "pass")])
def test_what_needs_no_language_model_is_held_against_the_best_prompt(
    engine: Engine, family: str, name: str, key: str, label: str, score: float, mark: str
) -> None:
    add_arm(engine, family, name, score)

    line = strip(engine)[key]

    assert (line.label, line.mark) == (label, mark)
    assert line.value == f"{score * 100:.1f} %"
    assert ("better than the best prompt" in line.mark_words) == (mark == "warn")


def test_of_two_simple_rules_the_better_one_counts(engine: Engine) -> None:
    add_arm(engine, "trivial", "majority_answer", 0.3)
    add_arm(engine, "trivial", "nearest_answer", 0.4)

    assert strip(engine)["no_llm"].value == "40.0 %"


@pytest.mark.parametrize(
    ("outcome", "mark"),
    [
        ({"verdict": "improved", "after": 0.95, "delta": 0.27}, "pass"),
        ({"verdict": "improved", "after": 0.864, "delta": 0.182}, "warn"),
        ({"verdict": "regressed", "after": 0.008, "delta": -0.628}, "fail"),
        ({"verdict": "inconclusive", "after": 0.7, "delta": 0.02}, "open"),
        ({"verdict": "not better", "after": 0.68, "delta": 0.0}, "open"),
    ],
)
def test_an_adapter_is_green_only_where_it_improved_and_reaches_the_target(
    engine: Engine, outcome: KeptResult, mark: str
) -> None:
    assert strip(engine, outcome)["adapter"].mark == mark


def test_a_loss_has_a_real_minus(engine: Engine) -> None:
    line = strip(engine, {"verdict": "regressed", "after": 0.008, "delta": -0.628})["adapter"]

    assert line.detail == "\N{MINUS SIGN}62.8 points against the best prompt"


def test_without_a_run_costs_or_simple_rules_there_are_no_lines_for_them(engine: Engine) -> None:
    assert list(strip(engine)) == ["target", "best", "data"]


@pytest.mark.parametrize(
    ("values", "value", "mark"),
    [
        ({}, "1,150 usable", "pass"),
        ({"frozen_at": None}, "1,150 usable", "open"),
        ({"state": "checking"}, "checking", "open"),
        ({"state": "rejected"}, "rejected", "fail"),
    ],
)
def test_the_data_says_whether_its_split_stands(engine: Engine, values: dict[str, Any], value: str, mark: str) -> None:
    with writing(engine) as session:
        if values:
            session.execute(update(DatasetRow).values(**values))

    line = strip(engine)["data"]

    assert (line.value, line.mark) == (value, mark)


def test_nothing_measured_is_said_and_no_zero(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(ArmRow).values(dev=None, test=None))
        row = assessments.get(session, 1)
        row.answers = {key: value for key, value in row.answers.items() if key not in {"target", "metric"}}

    lines = strip(engine)

    assert (lines["best"].value, lines["best"].mark) == ("not measured", "open")
    assert (lines["target"].value, lines["target"].detail) == ("not set", "no metric yet")


def test_a_criterion_is_called_here_as_on_the_verdict(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(ArmRow).values(dev=None, test=None))
    with reading(engine) as session:
        facts = gather(session, assessments.get(session, 1))
        counted = evidence_strip.criteria(judge(facts))

    assert ("G6", glossary.label("gate.G6")) in counted.open
