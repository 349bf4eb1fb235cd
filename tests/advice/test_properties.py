"""What holds for every case, tried on random ones."""

from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.advice.case import changed, parse, to_json
from app.advice.gates.judge import ORDER
from app.advice.policy import Points
from app.advice.schema import ANSWER_KEYS, ARMS, CHOICES, COST_CASES, GOALS, KNOWLEDGE
from app.advice.verdict import advise
from tests.support.depth import depth
from tests.support.golden import GOLDEN, case
from tests.support.random_cases import random_case

Json = dict[str, Any]

# Each example looks at a case some hundred times.
dear = settings(max_examples=depth(15, 200))


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


@st.composite
def answers(draw: st.DrawFn) -> Json:
    goals = draw(_maybe(st.lists(st.sampled_from(GOALS), min_size=1, max_size=4, unique=True)))
    drawn: Json = {key: draw(st.sampled_from((*values, "unknown"))) for key, values in CHOICES.items()}
    drawn |= {
        "goals": goals,
        "main_goal": draw(_maybe(st.sampled_from(goals))) if goals else None,
        "corpus_tokens": draw(_maybe(st.sampled_from((0, 50_000, 500_000, 20_000_000)))),
        "examples_declared": draw(_maybe(st.integers(0, 9000))),
        "calls_per_month": draw(_maybe(st.sampled_from((0, 100, 1500, 5000, 50_000, 300_000, 5_000_000)))),
        "metric": draw(_maybe(st.just("chrf"))),
        "target": draw(_maybe(st.sampled_from((0.0, 0.01, 0.5, 0.85, 0.9, 1.0)))),
        "owner": draw(st.sampled_from((None, "unknown", "Docs team"))),
    }
    return drawn


@st.composite
def results(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        total = draw(st.integers(0, 500))
        return {"passed": draw(st.integers(0, total)), "total": total}
    low, score, high = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)))
    return {"low": low, "score": score, "high": high}


@st.composite
def baselines(draw: st.DrawFn) -> Json:
    arms = draw(st.lists(st.sampled_from(ARMS), unique=True))
    return {
        "arms": arms,
        "revised": draw(st.booleans()),
        "best_arm": draw(_maybe(st.sampled_from(arms))) if arms else None,
        "error_rate": draw(_maybe(st.sampled_from((0.0, 0.02, 0.1)))),
    } | draw(st.just({}) | results())


def cases() -> st.SearchStrategy[Json]:
    """Most of them from a seed, which is quick and sits on the edges; the others value by value, which shrinks."""
    seeded = st.integers(0, 2**63).map(lambda seed: random_case(Random(seed)))
    return st.one_of(*[seeded] * 9, drawn_cases())


@st.composite
def drawn_cases(draw: st.DrawFn) -> Json:
    """A random case, or the usual one with a few random values: most random cases are locked for many reasons."""
    drawn = {
        "answers": draw(answers()),
        "measured": {
            "uploaded_examples": draw(_maybe(st.integers(0, 9000))),
            "usable_examples": draw(_maybe(st.integers(0, 9000))),
            "contradiction_rate": draw(_maybe(st.floats(0, 0.2))),
            "agreement_kappa": draw(_maybe(st.floats(-0.5, 1))),
            "test_rows": draw(_maybe(st.integers(0, 900))),
            "test_overlap_rows": draw(_maybe(st.integers(0, 3))),
            "test_human_checked": draw(_maybe(st.booleans())),
            "metric_set_before_baseline": draw(_maybe(st.booleans())),
            "baseline": draw(_maybe(baselines())),
            "teacher": draw(_maybe(results())),
            "oracle_gain": draw(_maybe(st.floats(-0.2, 0.4))),
            "rows_carry_context": draw(_maybe(st.booleans())),
            "failure_causes": draw(
                _maybe(
                    st.fixed_dictionaries(
                        {name: st.integers(0, 40) for name in ("behaviour", "facts", "instructions", "reference")}
                    )
                )
            ),
            "winning_prompt_tokens": draw(_maybe(st.integers(0, 9000))),
            "cost_case": draw(_maybe(st.sampled_from(COST_CASES))),
            "corpus_tokens": draw(st.sampled_from((None, None, 0, 90_000, 900_000))),
            "arms": draw(st.none() | st.dictionaries(st.sampled_from(ARMS), results(), max_size=2)),
            "signals": draw(st.none() | st.fixed_dictionaries({"knowledge": st.sampled_from(KNOWLEDGE)})),
        },
    }
    if draw(st.booleans()):
        return drawn
    usual = case()
    half, other = draw(st.permutations(("answers", "measured")))
    for name, most in ((half, 3), (other, 1)):
        keys = draw(st.lists(st.sampled_from(sorted(drawn[name])), max_size=most, unique=True))
        if {"goals", "main_goal"} & set(keys):
            keys += ["goals", "main_goal"]
        usual[name] |= {key: drawn[name][key] for key in keys}
    return usual


@given(cases())
def test_the_scores_are_the_sum_of_the_reasons(data: Json) -> None:
    advice = advise(parse(data))

    assert sum((reason.points for reason in advice.reasons), Points()) == advice.scores
    assert {reason.factor for reason in advice.reasons} == {f"F{number:02}" for number in range(1, 25)}
    assert all(reason.because and reason.source for reason in advice.reasons)


@given(cases())
def test_ready_means_that_no_gate_locks_and_locked_means_that_one_does(data: Json) -> None:
    advice = advise(parse(data))

    assert (advice.training == "ready") == (not advice.blockers)
    assert (advice.training == "ready") == (advice.approach in ("fine_tune", "hybrid"))
    assert not (advice.training == "ready" and advice.leaning)


@given(cases())
def test_every_gate_has_its_four_lines(data: Json) -> None:
    advice = advise(parse(data))

    assert [gate.id for gate in advice.gates] == [f"G{number}" for number in range(1, 13)]
    for gate in advice.gates:
        assert all((gate.measured, gate.needed, gate.change, gate.meanwhile)), gate
    assert [gate.id for gate in advice.blockers] == [
        gate for gate in ORDER if gate in {blocker.id for blocker in advice.blockers}
    ]


@given(cases(), st.integers(1, 10**9))
@example(next(golden.data for golden in GOLDEN if golden.number == 5), 10**9)
def test_more_usable_rows_never_lock_what_was_ready(data: Json, more: int) -> None:
    """Property (a)."""
    before = parse(data)
    after = changed(before, {"usable_examples": (before.measured.usable_examples or 0) + more})

    if advise(before).training == "ready":
        assert advise(after).training == "ready"


@given(cases())
def test_wanting_facts_never_unlocks(data: Json) -> None:
    """Property (b)."""
    before = parse(data)
    after = changed(before, {"goals": [*(before.answers.goals or ()), "facts"]})

    if advise(before).training == "locked":
        assert advise(after).training == "locked"


@given(cases(), st.booleans())
def test_a_met_target_locks(data: Json, efficiency: bool) -> None:
    """Property (c): unless efficiency is the goal, and even then the small model's own success locks."""
    data["answers"] |= {"target": 0.9}
    if efficiency:
        data["answers"] |= {"goals": ["efficiency"], "main_goal": "efficiency"}
    data["measured"]["baseline"] = {
        "arms": ["zero_shot", "few_shot_random", "few_shot_nearest"],
        "revised": True,
        "best_arm": "zero_shot",
        "error_rate": 0.0,
        "passed": 380,
        "total": 400,
    }

    assert advise(parse(data)).training == "locked"


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(data: Json, random: Any) -> None:
    """Property (d)."""
    shuffled: Json = {}
    for half in random.sample(list(data), len(data)):
        shuffled[half] = {key: data[half][key] for key in random.sample(list(data[half]), len(data[half]))}
    if data["answers"].get("goals"):
        shuffled["answers"]["goals"] = random.sample(data["answers"]["goals"], len(data["answers"]["goals"]))

    assert advise(parse(shuffled)) == advise(parse(data))


@dear
@given(cases(), st.integers(0, 9000))
def test_a_measured_count_beats_a_declared_one(data: Json, declared: int) -> None:
    """Property (e)."""
    data["measured"]["usable_examples"] = 720
    honest = parse({**data, "answers": {**data["answers"], "examples_declared": 720}})
    boasting = parse({**data, "answers": {**data["answers"], "examples_declared": declared}})

    assert advise(boasting).to_json() == advise(honest).to_json()
    assert advise(boasting).training == "locked"


@dear
@given(cases())
@example({})
@example({"answers": {"goals": ["reasoning"]}})
def test_every_locked_case_shows_a_way_to_ready_that_works(data: Json) -> None:
    """Property (f)."""
    before = parse(data)
    advice = advise(before)
    if advice.training == "ready":
        return

    assert advice.blockers
    ways = [flip for flip in advice.flips if flip.training == "ready"]
    assert ways
    assert advise(changed(before, ways[0].change)).training == "ready"


@dear
@given(cases())
def test_a_flip_gives_what_it_promises(data: Json) -> None:
    before = parse(data)
    advice = advise(before)

    for flip in advice.flips:
        after = advise(changed(before, flip.change))
        assert (after.approach, after.training) == (flip.approach, flip.training)
        assert (after.approach, after.training) != (advice.approach, advice.training)
        assert flip.text


@dear
@given(cases())
@example(
    case(
        {"calls_per_month": 50_000, "data_location": "approved_vendor"},
        {"test_rows": 0, "teacher": {"passed": 0, "total": 0}, "baseline": {"passed": 296, "total": 400}},
    )
)
def test_no_part_of_a_way_to_ready_can_be_left_out(data: Json) -> None:
    before = parse(data)
    way = next((flip.change for flip in advise(before).flips if flip.training == "ready"), {})
    parts = [{key} for key in way]
    if way.get("baseline", {}).get("total") == way.get("test_rows", -1):
        parts = [*({key} for key in way.keys() - {"baseline", "test_rows"}), {"baseline", "test_rows"}]  # one step

    for part in parts:
        rest = {name: value for name, value in way.items() if name not in part}
        goals = rest.get("goals", before.answers.goals)
        main = rest.get("main_goal", before.answers.main_goal)
        if main and goals and main not in goals:
            continue
        assert advise(changed(before, rest)).training == "locked"


@given(cases())
def test_a_case_survives_its_own_json(data: Json) -> None:
    read = parse(data)

    assert parse(to_json(read)) == read


@dear
@given(cases())
def test_a_change_is_the_same_as_the_file_with_it(data: Json) -> None:
    """`changed` reads only what is new; the whole file read anew has to give the same."""
    before = parse(data)
    other: Any = to_json(parse(random_case(Random(len(str(data))))))
    change = {key: value for half in ("answers", "measured") for key, value in list(other[half].items())[:4]}
    change.pop("corpus_tokens", None)
    change.pop("main_goal", None)
    change |= {"goals": [*GOALS], "owner": None}
    whole: Any = to_json(before)
    for key, value in change.items():
        whole["answers" if key in ANSWER_KEYS else "measured"][key] = value

    assert changed(before, change) == parse(whole)


@dear
@given(cases())
def test_what_stands_beside_the_advice_never_fails(data: Json) -> None:
    more: Any = advise(parse(data)).more() if len(str(data)) % 8 == 0 else {}  # robustness and flips take their time

    assert parse(data) is not None
    advice = advise(parse(data))
    for found in (advice.contradictions, advice.disagreements, advice.alternatives):
        assert all(one.text for one in found)
    assert not more or 0 <= more["robustness"]["share"] <= 1
