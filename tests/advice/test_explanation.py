"""The advice in words: it follows from what decided, and says nothing that was not measured or answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.advice.acts import BY_REASON, USUAL
from app.advice.case import parse
from app.advice.explanation import confidence, reasons, sentence
from app.advice.questions import SECTIONS
from app.advice.schema import CHOICES, GOALS
from app.advice.verdict import advise
from tests.support.golden import GOLDEN, Golden, case

HEADS = {
    1: "Keep the prompt: it meets the target.",
    2: "Fine-tune: the best prompt falls measurably short.",
    3: "RAG; do not train.",
    5: "Fine-tune: the best prompt falls measurably short.",
    6: "RAG now; training may follow.",
    9: "Keep the prompt: it meets the target.",
    11: "Train a small model to copy the large one.",
    12: "Fine-tune: the best prompt falls measurably short.",
    15: "Fine-tune: the best prompt falls measurably short.",
    18: "Use a prompt with well-chosen examples; do not train.",
    21: "Not yet: more test rows first.",
    22: "Fine-tune, once the test set is sound.",
}


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.number}-{golden.title}")
def test_every_golden_case_has_its_sentence(golden: Golden) -> None:
    said = sentence(advise(parse(golden.data)))

    assert said.head == HEADS[golden.number]
    assert 1 <= len(said.because) <= 3
    assert said.why.endswith(".")


def test_the_grounds_are_the_measurements() -> None:
    said = sentence(advise(parse(case())))

    assert "74.0 % (69.5 to 78.1 % on 400 rows), and you need 90 %" in said.because[0]
    assert said.because[1:] == (
        "36 of 40 failures read are form, tone or label, not facts",
        "1,400 usable examples are enough",
    )


def test_without_any_answer_it_asks_for_one() -> None:
    said = sentence(advise(parse({})))

    assert said.head == "Say what should get better; until then, use a prompt."
    assert said.because == ("nothing has been measured yet",)


def test_one_open_point_is_named_and_many_are_counted() -> None:
    nobody = sentence(advise(parse(case({"owner": None}))))
    several = sentence(advise(parse(case({"owner": None, "training_rights": "no"}, {"test_human_checked": False}))))

    assert nobody.head == "Fine-tune, once an owner is named."
    assert nobody.training == "Training is locked, leaning towards fine-tune: 1 of 11 criteria is open."
    assert several.head == "Fine-tune, once 3 points are settled."


def test_what_people_said_is_not_passed_off_as_measured() -> None:
    said = sentence(
        advise(parse({"answers": {"goals": ["style"], "examples_declared": 200, "prompting_tried": "met"}}))
    )

    assert said.head == "Keep the prompt, and measure that it meets the target."
    assert "self-report" in said.why


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden.number))
def test_every_point_stands_on_its_side_and_has_a_source(golden: Golden) -> None:
    advice = advise(parse(golden.data))
    why = reasons(advice)

    assert [side.points for side in why.sides] == sorted((side.points for side in why.sides), reverse=True)
    for side in why.sides:
        assert sum(one.points for one in (*side.speaks_for, *side.against)) == side.points
        assert all(one.points > 0 for one in side.speaks_for)
        assert all(one.points < 0 for one in side.against)
        assert all(one.notes for one in (*side.speaks_for, *side.against))
    numbers = {note for one in why.all for note in one.notes}
    assert numbers <= set(range(1, len(why.sources) + 1))


def test_every_criterion_can_be_gone_to() -> None:
    assert list(USUAL) == [gate.id for gate in advise(parse({})).gates]
    paths = {act.path.partition("#")[0] for act in (*USUAL.values(), *BY_REASON.values())}
    assert {path.removeprefix("describe/") for path in paths if path.startswith("describe/")} <= {
        section.slug for section in SECTIONS
    }
    pages = {path for path in paths if "/" not in path}
    assert pages == {"data", "documents", "measure", "costs", "second-labels", "judging"}


ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "goals": st.lists(st.sampled_from(GOALS), max_size=3, unique=True),
        "examples_declared": st.integers(0, 10_000),
        "target": st.floats(0, 1),
        **{key: st.sampled_from(values) for key, values in CHOICES.items()},
    },
)


@given(answers=ANSWERS, passed=st.integers(0, 100) | st.none(), usable=st.integers(0, 5000) | st.none())
def test_there_is_a_sentence_for_every_case(answers: dict[str, object], passed: int | None, usable: int | None) -> None:
    measured: dict[str, object] = {} if usable is None else {"usable_examples": usable}
    if passed is not None:
        measured["baseline"] = {"arms": ["zero_shot"], "best_arm": "zero_shot", "passed": passed, "total": 100,
                                "error_rate": 0.0}  # fmt: skip
    advice = advise(parse({"answers": answers, "measured": measured}))
    said = sentence(advice)

    assert said.head.endswith(".")
    assert len(said.head) < 90
    assert ("Fine-tune:" in said.head or "Train" in said.head) <= (advice.training == "ready")
    assert confidence(advice)
    assert len(said.because) <= 3
