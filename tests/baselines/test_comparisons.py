"""Variants beside each other and the answers behind each number, from answers made by hand."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from app.baselines import (
    answer_store,
    answers_view,
    arms,
    comparisons,
    cost_view,
    results_view,
    standing,
    store,
    views,
)
from app.baselines.answer_store import Selection
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.web.protocols import CallPrice
from tests.support.factories import Make

TARGETS = ("a", "b", "c") * 4  # of the twelve dev rows


def measured(make: Make, answered: dict[str, str], **tests: tuple[int, int, float]) -> int:
    """A measurement with these arms, each with a letter a dev row that it answered, `-` for an error.

    tests: right answers and all on the test rows, and tokens of a prompt, by the arm's name.
    """
    author = make.author()
    assessment = make.assessment(author)
    dataset = make.dataset(assessment, author, train=12, dev=len(TARGETS), test=0)
    now, model = utcnow(), make.model()
    with writing(make.engine) as session:
        query = select(ExampleRow).where(ExampleRow.dataset_id == dataset.id).order_by(ExampleRow.id)
        rows = session.scalars(query).all()
        dev = [row for row in rows if row.split == "dev"]
        for row, target in zip(rows, TARGETS * 2, strict=True):
            row.target = target
        baseline = BaselineRow(
            assessment_id=assessment.id, dataset_id=dataset.id, model_id=model.id, metric="exact_match",
            target=0.8, instructions="First.", created_by=author.id, created_at=now, concluded_at=now,
        )  # fmt: skip
        session.add(baseline)
        session.flush()
        for name, letters in answered.items():
            family, _, number = name.partition("/")
            family = {"nearest_answer": "trivial"}.get(family, family)
            shots = {"shots": "nearest", "k": 5} if family in ("few_shot_nearest", "revised_prompt") else {}
            settings = {"shots": "random", "k": 3, "seed": int(number)} if family == "few_shot_random" else shots
            arm = ArmRow(baseline_id=baseline.id, family=family, name=name, title=name, settings=settings)
            scores = [None if letter == "-" else float(letter == t) for letter, t in zip(letters, TARGETS, strict=True)]
            arm.dev = arms.tallied([arms.Scored(score) for score in scores], binary=True, seed=7)
            if (test := tests.get(name.replace("/", "_"))) is not None:
                passed, total, tokens = test
                result = arms.tallied([arms.Scored(float(row < passed)) for row in range(total)], binary=True, seed=7)
                arm.test = replace(result, mean_prompt_tokens=tokens)
            session.add(arm)
            session.flush()
            answers = [
                {
                    "arm_id": arm.id, "split": "dev", "example_id": row.id, "output": letter, "score": score,
                    "status": "error" if score is None else "ok", "created_at": now,
                }
                for row, letter, score in zip(dev, letters, scores, strict=True)
            ]  # fmt: skip
            session.execute(insert(AnswerRow), answers)
        return baseline.id


def arm_of(baseline: BaselineRow, name: str) -> ArmRow:
    return next(arm for arm in baseline.arms if arm.name == name)


def selected(session: Session, arm: ArmRow, **different: object) -> list[str]:
    """The outputs that a selection of an arm's dev answers gives."""
    only = Selection(**{"arm_id": arm.id, "split": "dev", "passing": 1.0, **different})  # type: ignore[arg-type]
    return [answer.output for answer in answer_store.page_of_answers(session, only, after=0, limit=99)]


def test_fixed_and_broke_are_counted_on_rows_that_both_answered(make: Make, engine: Engine) -> None:
    # wanted:         abcabcabcabc
    made = measured(make, {"zero_shot": "abcabcbbbbb-", "few_shot_nearest": "abcabcaaa--c"})

    with reading(engine) as session:
        baseline = store.get(session, made)
        first, nearest = arm_of(baseline, "zero_shot"), arm_of(baseline, "few_shot_nearest")
        counted = answer_store.outcomes(session, first.id, nearest.id, "dev", 1.0)

    # rows 1 to 6 right in both; 7 fixed; 8 broke; 9 wrong in both; 10 to 12 not answered by one of them
    assert (counted.both, counted.fixed, counted.broke, counted.neither, counted.rows) == (6, 1, 1, 1, 9)
    assert counted.gain == 0


def test_a_revision_is_read_beside_what_it_revised_and_others_beside_zero_shot(make: Make, engine: Engine) -> None:
    # wanted: abcabcabcabc
    arms_ = {
        "nearest_answer": "abcabcabcabb",
        "zero_shot": "abcaaaaaaaaa",
        "few_shot_random/1": "abcabaaaaaaa",
        "few_shot_random/2": "abcabcaaaaaa",
        "few_shot_nearest": "abcabcabcaaa",
        "revised_prompt/1": "cbcabcabcabc",
    }
    made = measured(make, arms_)

    with reading(engine) as session:
        baseline = store.get(session, made)
        compared = comparisons.comparisons(session, baseline)
        revised, nearest = arm_of(baseline, "revised_prompt/1"), arm_of(baseline, "few_shot_nearest")
        zero = arm_of(baseline, "zero_shot")
        change, gain = compared[revised.id].change, compared[revised.id].gain
        assert change is not None
        assert gain is not None
        assert (change.against.id, change.fixed, change.broke, change.rows) == (nearest.id, 2, 1, 12)
        assert round(gain.delta, 4) == round((11 - 6) / 12, 4)
        assert gain.low < gain.delta < gain.high
        assert compared[zero.id].gain is None
        assert compared[zero.id].change is None
        assert compared[arm_of(baseline, "nearest_answer").id].change is None
        assert compared[arm_of(baseline, "nearest_answer").id].gain is not None

        # every number leads to its rows
        assert selected(session, revised, show="fixed", against=nearest.id) == ["b", "c"]
        assert selected(session, revised, show="broke", against=nearest.id) == ["c"]
        assert selected(session, revised, show="fixed") == []


def test_random_draws_are_one_line_with_their_spread(make: Make, engine: Engine) -> None:
    made = measured(
        make,
        {
            "zero_shot": "abcaaaaaaaaa",
            "few_shot_random/1": "abcabcabcaaa",
            "few_shot_random/2": "abcabcaaaaaa",
            "few_shot_random/3": "abcaaaaaaaaa",
        },
    )

    with reading(engine) as session:
        baseline = store.get(session, made)
        compared = comparisons.comparisons(session, baseline)
        urls = {arm.id: f"/arm/{arm.id}" for arm in baseline.arms}
        table = results_view.lines(baseline, standing.leading(baseline), compared, urls)

    assert [line.label for line in table] == ["Few-shot, 3 random", "Zero-shot"]
    draws = table[0]
    assert draws.leading
    assert draws.dev is not None
    assert [round(end, 4) for end in (draws.dev.score, draws.dev.low, draws.dev.high)] == [
        round(number / 36, 4) for number in (10 + 8 + 6, 18, 30)
    ]
    assert draws.dev.of == "3 samples"
    assert [member.url for member in draws.members] == [f"/arm/{arm.id}" for arm in baseline.arms[1:]]
    assert draws.change_arm is not None
    assert draws.change_arm.name == "few_shot_random/1"
    assert results_view.caption(table, baseline).startswith("Few-shot, 3 random leads on dev with ")


@pytest.mark.parametrize(
    ("tests", "title", "also"),
    [
        (
            {"few_shot_nearest": (126, 200, 353.0)},
            "Best prompt 63.0 % (56.1 to 69.4 %), target 80 %: short by 17 points.",
            "",
        ),
        ({"few_shot_nearest": (159, 200, 353.0)}, "short by 0.5 points; the target lies inside the interval.", ""),
        ({"few_shot_nearest": (160, 200, 353.0)}, "meets the target of 80 %.", "200 test rows do not rule out less."),
        (
            {"few_shot_nearest": (126, 200, 353.0), "zero_shot": (130, 200, 40.0)},
            "short by 17 points.",
            "Zero-shot scores 65.0 % on the same test rows with 40 prompt tokens instead of 353.",
        ),
        (
            {"few_shot_nearest": (126, 200, 353.0), "zero_shot": (130, 200, 340.0)},
            "short by 17 points.",
            "",
        ),
        (
            {"few_shot_nearest": (126, 200, 353.0), "nearest_answer": (160, 200, 0.0)},
            "Nearest neighbour (no LLM) beats the best prompt: 80.0 % against 63.0 %.",
            "You may not need a language model for this.",
        ),
        (
            {"few_shot_nearest": (126, 200, 353.0), "nearest_answer": (130, 200, 0.0)},
            "Nearest neighbour (no LLM) is ahead of the best prompt: 65.0 % against 63.0 %.",
            "short by 17 points.",
        ),
        ({}, "No test result yet. On the dev set Few-shot, 5 nearest leads with 83.3 %.", ""),
    ],
)
def test_the_headline_says_what_the_best_prompt_reached_or_what_beats_it(
    make: Make, engine: Engine, tests: dict[str, tuple[int, int, float]], title: str, also: str
) -> None:
    answered = {"nearest_answer": "aaaaaaaaaaaa", "zero_shot": "abcaaaaaaaaa", "few_shot_nearest": "abcabcabcaaa"}
    made = measured(make, answered, **tests)

    with reading(engine) as session:
        baseline = store.get(session, made)
        best = standing.best(baseline)
        lead = views.free_lead(baseline, best or standing.leading(baseline))
        head = results_view.headline(baseline, best, lead)

    assert head.title.endswith(title)
    assert also in " ".join(head.why)
    assert bool(head.why) == bool(also)


def test_most_confused_labels_come_from_the_stored_answers_and_lead_to_their_rows(make: Make, engine: Engine) -> None:
    # wanted:                            abcabcabcabc
    made = measured(make, {"zero_shot": "bbcbbcbbxa-c"})

    with reading(engine) as session:
        baseline = store.get(session, made)
        arm = store.arm(session, baseline.arms[0].id)
        parts = answers_view.parts_of(session, arm, "dev")
        rows = answers_view.rows_answered(session, arm, "dev", expected="a", output="b")
        assert parts.confusions is not None
        assert [(pair.expected, pair.output, pair.rows) for pair in parts.confusions.pairs] == [("a", "b", 3)]
        assert parts.confusions.outside == 1  # x
        assert [(label.label, label.rows, label.errors) for label in parts.labels] == [
            ("a", 4, 0),
            ("b", 4, 1),
            ("c", 4, 0),
        ]
        assert selected(session, arm, rows=rows) == ["b", "b", "b"]
        assert answers_view.rows_answered(session, arm, "dev", expected="", output="") is None


def test_pages_go_by_row_whatever_is_tagged_meanwhile(make: Make, engine: Engine) -> None:
    made = measured(make, {"zero_shot": "x" * 12})

    with writing(engine) as session:
        arm = store.get(session, made).arms[0]
        only = Selection(arm_id=arm.id, split="dev", passing=1.0, show="untagged")
        first = answer_store.page_of_answers(session, only, after=0, limit=5)
        for answer in first:
            answer.cause = "facts"
        session.flush()
        second = answer_store.page_of_answers(session, only, after=first[-1].example_id, limit=5)
        back = answer_store.page_before(session, replace(only, show="wrong"), before=second[0].example_id, limit=3)
        rows = [answer.example_id for answer in answer_store.answers(session, arm.id, "dev")]

        assert [answer.example_id for answer in second] == rows[5:10]
        assert [answer.example_id for answer in back] == rows[2:5]
        assert answer_store.number_of(session, only) == 7
        assert answer_store.place_of(session, only, rows[6]) == 2
        assert answer_store.place_of(session, only, rows[0]) == 0


@pytest.mark.parametrize("fault", ["none", "cut", "dropped"])
def test_nothing_is_ahead_of_a_zero_shot_that_had_no_fair_try(make: Make, engine: Engine, fault: str) -> None:
    made = measured(make, {"zero_shot": "abcaaaaaaaaa", "few_shot_nearest": "abcabcabcaaa"})
    with writing(engine) as session:
        zero = session.scalars(select(ArmRow).where(ArmRow.name == "zero_shot")).one()
        assert zero.dev is not None
        lost = arms.Dropped(after=9, of=12, against="few_shot_nearest", score=0.4, leader_score=0.8, e=30.0, limit=20.0)
        changed = {"none": {}, "cut": {"cut": 12}, "dropped": {"dropped": lost}}[fault]
        zero.dev = replace(zero.dev, **changed)  # type: ignore[arg-type]

    with reading(engine) as session:
        baseline = store.get(session, made)
        compared = comparisons.comparisons(session, baseline)
        table = results_view.lines(baseline, standing.leading(baseline), compared, {})
        words = results_view.caption(table, baseline)
        gain = compared[arm_of(baseline, "few_shot_nearest").id].gain

    assert ("against zero-shot" in words) is (fault == "none")
    assert (gain is None) is (fault == "cut")


def test_score_and_cost_lists_what_is_unknown_and_draws_it_nowhere(make: Make, engine: Engine) -> None:
    made = measured(
        make,
        {
            "nearest_answer": "abcabaaaaaaa",
            "zero_shot": "abcaaaaaaaaa",
            "few_shot_nearest": "abcabcabcaaa",
            "stronger_model/9/zero_shot": "abcabcabcaba",
        },
    )
    with writing(engine) as session:
        tokens = {"zero_shot": 100.0, "few_shot_nearest": 900.0, "stronger_model/9/zero_shot": 200.0}
        for arm in session.scalars(select(ArmRow).where(ArmRow.name.in_(tokens))):
            assert arm.dev is not None
            arm.dev = replace(arm.dev, mean_prompt_tokens=tokens[arm.name], mean_completion_tokens=10.0)
            if arm.name.startswith("stronger"):
                large: Any = {"name": "Large"}
                arm.settings = {"model_id": 9, "model_as": large}

    with reading(engine) as session:
        baseline = store.get(session, made)

        def view(prices: dict[int, CallPrice]) -> cost_view.CostView:
            lines = results_view.lines(baseline, standing.leading(baseline), {}, {}, prices)
            seen = cost_view.of(lines, "EUR" if prices else "")
            assert seen is not None
            return seen

        priced = view({baseline.model_id: CallPrice(2.0, 10.0, "EUR")})
        bare = view({})

    assert priced.axis == "cost"
    assert [(one.number, one.spot.name, one.leading) for one in priced.chart.spots] == [
        (1, "Nearest neighbour (no LLM)", True),
        (2, "Zero-shot", False),
        (3, "Few-shot, 5 nearest", True),
    ]
    assert [place.amount for place in priced.places] == [0.0, pytest.approx(0.3), pytest.approx(1.9), None]
    assert [one.why for one in priced.chart.unplaced] == ["no price is known of Large"]
    assert not priced.of_run
    assert bare.axis == "tokens"
    assert [place.amount for place in bare.places] == [0.0, 110_000, 210_000, 910_000]
    assert list(bare.chart.unplaced) == []
