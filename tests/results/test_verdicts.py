"""Verdicts that must come out right, on stored scores; the same of runs that were really trained are deep."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.orm import Session

from app.baselines import arms
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets import group_store
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.evaluation.kept_result import KeptResult
from app.release import service as releases
from app.release import store as release_store
from app.release.tables import ReleaseAnswerRow
from app.results import history, job, service
from app.standing import keeping
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.runs_again import answer, asked, run_again

People = Callable[[UserRow], TestClient]
ROWS = 220
RIGHT = 150  # of them, by the best prompt


@pytest.fixture
def client(make: Make, people: People) -> TestClient:
    return people(make.user(name="Zoe", email="zoe@example.org"))


def scored(session: Session, scores: list[float], arm: str = "adapter/1") -> None:
    """Let an arm have these scores on the test rows, in the order of the rows."""
    arm_id = session.scalars(select(ArmRow.id).where(ArmRow.name == arm)).one()
    rows = session.scalars(select(ExampleRow.id).where(ExampleRow.split == "test").order_by(ExampleRow.id)).all()
    session.execute(delete(AnswerRow).where(AnswerRow.arm_id == arm_id, AnswerRow.split == "test"))
    values = [
        {"arm_id": arm_id, "split": "test", "example_id": row, "status": "ok", "output": f"{score}", "score": score,
         "created_at": utcnow()}
        for row, score in zip(rows, scores, strict=False)
    ]  # fmt: skip
    session.execute(insert(AnswerRow), values)
    session.get_one(ArmRow, arm_id).test = arms.tallied([arms.Scored(score) for score in scores], binary=True, seed=7)


def concluded(session: Session) -> KeptResult:
    run = session.get_one(TrainingRow, 1)
    job.conclude(session, run)
    keeping.keep(session, [1])
    assert run.result is not None
    return run.result


GOOD = [1.0] * 140 + [0.0] * 10 + [1.0] * 60 + [0.0] * 10
SHUFFLED = [1.0] * 145 + [0.0] * 5 + [1.0] * 3 + [0.0] * 67  # as good as what the prompt guesses, give or take a row


@pytest.mark.parametrize(
    ("scores", "verdict", "words"),
    [
        (GOOD, "improved", "Chance alone would hardly show this."),
        ([1.0] * 60 + [0.0] * 160, "regressed", "It is worse than the best prompt."),  # over-trained
        (SHUFFLED, "not better", "A gain of 3 points or more can be ruled out."),
        ([1.0] * 5 + [0.0] + [1.0] * 4, "inconclusive", "These rows cannot tell whether it is better."),
    ],
    ids=["good", "over-trained", "shuffled labels", "too few rows"],
)
def test_the_verdict_is_what_the_rows_say(engine: Engine, scores: list[float], verdict: str, words: str) -> None:
    with writing(engine) as session:
        scored(session, scores)
        if len(scores) < ROWS:  # and the prompt got half of those few right
            scored(session, [1.0, 0.0] * 5, "few_shot_nearest")
        found = concluded(session)

    assert (found["verdict"], found["rows"]) == (verdict, len(scores))
    assert words in found["words"]


def test_an_adapter_that_was_not_applied_is_not_better_and_its_check_fails(engine: Engine, client: TestClient) -> None:
    """Its score is the best one's by luck; every answer to the general questions is the base model's."""
    with writing(engine) as session:
        scored(session, GOOD)
        asked(session, forgot=0)
        run = session.get_one(TrainingRow, 1)
        for number in range(240):
            values = answer("general", f"same/{number}", "base", 1.0, "Friday")
            release_store.put(session, [values, {**values, "who": "adapter"}])
        assert concluded(session)["verdict"] == "improved"  # some of them differ
        session.execute(delete(ReleaseAnswerRow).where(ReleaseAnswerRow.item.like("days%")))
        found = concluded(session)
        kept = releases.of_run(run)

    assert (found["verdict"], kept is not None and kept.failed[0].name) == ("not better", "release.changing")
    assert found["words"].startswith("The adapter changes nothing: 240 answers to general questions")
    page = client.get("/assessments/1/result").text
    assert "Trained: not better, checks fail" in page
    assert "test rows would settle it" not in " ".join(page.split())


# ------------------------------------------------------------------ cost: what it is to replace


def replacing(session: Session, teacher: list[float]) -> None:
    """The run was approved to replace a stronger model, which has these scores on the test rows."""
    baseline = session.scalars(select(BaselineRow)).one()
    large: dict[str, Any] = {
        "kind": "endpoint",
        "name": "Large",
        "reference": "l",
        "base_url": "http://l",
        "files": {},
        "set_by": None,
    }
    arm = ArmRow(
        baseline_id=baseline.id, family="stronger_model", name="stronger_model/zero_shot", title="Zero-shot, Large",
        settings={"model_id": 99, "model_as": large}, test=arms.tallied([arms.Scored(1.0)], binary=True, seed=7),
    )  # fmt: skip
    session.add(arm)
    session.flush()
    scored(session, teacher, arm.name)
    run = session.get_one(TrainingRow, 1)
    run.training_facts = {**run.training_facts, "teacher": {"arm": arm.id, "name": arm.name, "margin": 0.03}}


@pytest.mark.parametrize(
    ("teacher", "verdict", "head"),
    [
        ([1.0] * 140 + [0.0] * 10 + [1.0] * 58 + [0.0] * 12, "improved",
         "Good enough to replace the stronger model: 90.0 % → 90.9 %."),
        ([1.0] * 220, "not better", "Not good enough to replace the stronger model: 100.0 % → 90.9 %."),
        ([1.0] * 132 + [0.0] * 8 + [1.0] * 70 + [0.0] * 10, "inconclusive", "Inconclusive: 91.8 % → 90.9 %."),
    ],
)  # fmt: skip
def test_an_adapter_that_is_to_replace_a_stronger_model_is_held_to_it(
    engine: Engine, client: TestClient, teacher: list[float], verdict: str, head: str
) -> None:
    with writing(engine) as session:
        scored(session, GOOD)
        replacing(session, teacher)
        found = concluded(session)

    assert found["verdict"] == verdict
    assert found["replaces"]["margin"] == 0.03
    assert "Large" in found["words"]
    page = " ".join(client.get("/assessments/1/result").text.split())
    assert head in page
    assert "Good enough to replace the stronger model?" in page
    sent = client.get("/api/v1/trainings/1/result").json()
    assert (sent["replaces"], sent["verdict"], sent["rows_for_answer"]) == (
        True,
        verdict,
        found["replaces"]["rows_needed"] if verdict == "inconclusive" else None,
    )


# ------------------------------------------------------------------ where checks, groups and runs are shown


def test_failing_checks_stand_above_the_scores_and_in_the_status(engine: Engine, client: TestClient) -> None:
    with writing(engine) as session:
        session.scalars(select(BaselineRow)).one().target = 0.8
        asked(session, forgot=60)
        concluded(session)
    page = client.get("/assessments/1/result").text

    assert page.index('id="release-checks"') < page.index('id="next"') < page.index("<h2>Scores")
    assert page.count('id="release-checks"') == 1
    assert re.search(r'class="tag pill open"[^>]*>Trained: improved, checks fail<', page)
    assert 'class="card answer outcome good"' not in page
    top = page[page.index("head-line") : page.index('id="release-checks"')]
    assert "1 release check fails" in " ".join(top.split())
    assert "Forgetting" in top


def test_rows_of_a_group_are_a_slice_of_their_own(engine: Engine) -> None:
    """The adapter loses the 30 rows of one customer and nothing else; their name is kept nowhere."""
    with writing(engine) as session:
        rows = session.scalars(select(ExampleRow).where(ExampleRow.split == "test").order_by(ExampleRow.id)).all()
        for number, row in enumerate(rows):
            row.group_key = group_store.key_of("Acme" if number < 30 else f"customer {number // 5}")
        first = rows[0].line
        scored(session, [0.0] * 30 + [1.0] * 190)
        concluded(session)
        kept = releases.of_run(session.get_one(TrainingRow, 1))
    assert kept is not None
    [worst] = [part for part in kept.slices if part.name == "group"]

    assert (worst.value, worst.rows, worst.state) == (f"of row {first}", 30, "fail")
    assert [check.name for check in kept.failed] == ["release.slices"]


def test_every_run_is_listed_and_none_hides_another(engine: Engine, client: TestClient) -> None:
    with writing(engine) as session:
        concluded(session)
    failed, second = run_again(engine, "failed"), 0
    with writing(engine) as session:
        first = session.get_one(TrainingRow, 1)
        lost = session.get_one(TrainingRow, failed)
        lost.idempotency_key = "lost"
    second = run_again(engine, "done")
    with writing(engine) as session:
        row, first = session.get_one(TrainingRow, second), session.get_one(TrainingRow, 1)
        row.recipe = {**first.recipe, "seed": 2}
        row.result = {**(first.result or {}), "after": (first.result or {})["after"] - 0.1, "verdict": "regressed"}

    page = client.get("/assessments/1/result?run=1").text
    text = " ".join(re.sub("<[^>]*>", " ", page).split())

    assert "Run 1 shown here" in text
    assert f"/trainings/{failed}" in page
    assert f"/assessments/1/result?run={second}" in page
    assert "2 seeds of this config: 76.4 % to 86.4 %, mean 81.4 %, standard deviation 7.1 points." in text
    assert client.get("/assessments/1/result?run=99").status_code == 404
    assert client.get("/assessments/1/result?run=one").status_code == 422
    assert f"Run {second}" in client.get("/assessments/1/result?run=").text  # as if none were named
    with reading(engine) as session:
        assert [run.training.id for run in history.runs(session, 1)] == [second, failed, 1]
        assert service.outcome(session, 1).compared is not None
    assert client.get("/api/v1/trainings/1/result").json()["other_seeds"]["numbers"] == [2, 1]
