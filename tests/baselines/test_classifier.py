"""The small classifier as an arm: on the same frozen rows as the prompts, trained on the training rows only."""

import itertools
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Engine

from app.baselines import answer_store, arms, classifier, facts, job, rivals, standing, store
from app.baselines.prompts import Shot
from app.chat import Message
from app.datasets.tables import ExampleRow
from app.db import reading, writing
from app.jobs import engine as job_engine
from app.settings import Settings
from tests.support.commands import ORDERS, command
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.measured import Case, a_case, baseline_of, claim_of, started
from tests.support.model_server import ModelServer, last_user, serving


def shots(count: int, spell: Sequence[str] = ()) -> list[Shot]:
    made = (command(number) for number in range(count))
    return [
        Shot(number, number, (Message("user", asked),), spell[number % len(spell)] if spell else label)
        for number, (asked, label) in enumerate(made)
    ]


@pytest.mark.parametrize(
    ("targets", "labelled"),
    [
        (["a", "b"] * 4, True),
        (["a"] * 9, False),  # one answer is none to choose from
        (["a", "b", "c"] * 3, False),  # three times each: too seldom
        (["a", "b", "c"] * 4, True),
        ([f"{number}" for number in range(40)], False),
        (["x" * 70, "y" * 70] * 10, False),  # sentences
        ([" a", "a ", "b\n", "b"] * 2, True),  # blanks tell no labels apart
        ([], False),
    ],
)
def test_it_is_an_arm_where_answers_are_labels(targets: list[str], labelled: bool) -> None:
    planned = [arm for arm in arms.plan(3, 5, 7, targets) if arm.family == "small_classifier"]

    assert classifier.labelled(targets) is labelled
    assert [arm.free for arm in planned] == [True] * labelled


def test_it_learns_words_and_answers_in_the_order_of_the_questions() -> None:
    made = classifier.Classifier(shots(120))
    asked = [command(number) for number in range(500, 560)]

    said = [each.label for each in made.answer([question for question, _ in asked])]

    right = sum(one == label for one, (_, label) in zip(said, asked, strict=True))
    assert right >= 55
    assert made.answer([]) == []


def test_a_label_is_given_in_its_commonest_spelling() -> None:
    made = classifier.Classifier(shots(60, spell=("a  b", "c", "a b", "c", "a b", "c")))

    answers = made.answer([command(number)[0] for number in range(60)])
    assert {each.label for each in answers} == {"a b", "c"}
    assert all(sum(each.chances.values()) == pytest.approx(1, abs=1e-4) for each in answers)
    assert all(next(iter(each.chances)) == each.label for each in answers)


@pytest.mark.parametrize("pool", [[], shots(5, spell=("only",))])
def test_with_nothing_to_tell_apart_it_says_what_there_is(pool: list[Shot]) -> None:
    answers = classifier.Classifier(pool).answer(["x", ""])

    assert [(each.label, dict(each.chances)) for each in answers] == [("only" if pool else "", {})] * 2


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model that is right for half of the rows, whatever stands before the question."""
    labels = itertools.cycle(ORDERS)

    def reply(body: dict[str, object]) -> str:
        asked = last_user(body)
        right = next(label for label, words in ORDERS.items() if words in asked)
        return right if asked.rstrip()[-1] in "02468" else next(labels) + "?"

    with serving(reply) as made:
        yield made


@pytest.fixture
def case(make: Make, engine: Engine, server: ModelServer) -> Case:
    made = a_case(make, engine, server, train=120, dev=40, test=60)
    with writing(engine) as session:
        for example in session.query(ExampleRow).filter_by(dataset_id=made.dataset.id):
            asked, example.target = command(example.line)
            example.messages = [{"role": "user", "content": asked}]
    return made


def test_a_measurement_has_it_on_the_same_rows_and_asks_them_of_prompts_within_reach(
    case: Case, engine: Engine, settings: Settings, queue: job_engine.Client
) -> None:
    claim = claim_of(engine, settings, queue, started(engine, queue, case).id)
    job.measure(claim)

    baseline = baseline_of(engine, claim.subject_id)
    by_family = {arm.family: arm for arm in baseline.arms}
    small, best = by_family["small_classifier"], standing.best(baseline)
    assert best is not None
    assert small.dev is not None
    assert small.test is not None
    assert (small.dev.n, small.test.n) == (40, 60)
    assert small.test.score > 0.9
    with reading(engine) as session:
        rows = [{row.example_id for row in answer_store.answers(session, arm.id, "test")} for arm in (small, best)]
        said = loose(facts.measured(session, case.assessment.id).to_json())
        free = rivals.free_arms(store.get(session, baseline.id))
        near = rivals.rivals(session, store.get(session, baseline.id))
    assert rows[0] == rows[1]
    assert said["arms"]["small_classifier"] | {"prompt_tokens": 0} == {
        "passed": small.test.passed, "total": 60, "prompt_tokens": 0, "split": "test",
    }  # fmt: skip
    assert "rows" not in said["arms"]["zero_shot"]
    assert "small_classifier" not in said["baseline"]["arms"]
    assert best.family not in arms.FREE
    assert {arm.family for arm in free} == {"small_classifier", "trivial"}
    assert not any(look["arm"] == "small_classifier" for look in baseline.test_looks)
    tested = {arm.name for arm in baseline.arms if arm.test and arm.family not in arms.FREE}
    assert tested == {arm.name for arm in baseline.arms if arm.family not in arms.FREE}, "all five answer about alike"
    assert len(near) == 4
    assert all(one.tested and one.behind.low <= 0 for one in near)


def test_a_measurement_of_before_is_judged_by_what_held_then(make: Make, engine: Engine) -> None:
    author = make.author()
    assessment = make.assessment(author, answers={"metric": "exact_match", "target": 0.9})
    dataset = make.dataset(assessment, author)
    row = make.baseline(assessment, dataset, make.model(), author)

    with reading(engine) as session:
        baseline = store.get(session, row.id)
        assert standing.rules(baseline) == 1
        assert rivals.rivals(session, baseline) == []
        assert rivals.free_arms(baseline) == []
        assert all(
            "rows" not in found for found in loose(facts.measured(session, assessment.id).to_json())["arms"].values()
        )
