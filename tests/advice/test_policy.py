"""The policy file: what stands in it, what it is refused for, and what a team may change about it."""

import ast
import inspect
import re
import time
from dataclasses import replace

import pytest

from app.advice.case import parse
from app.advice.gates import data, prompting, task
from app.advice.gates.judge import JUDGES
from app.advice.policy import MARKS, FaultyPolicy, Numbers, Points
from app.advice.policy_check import SAYINGS
from app.advice.policy_file import FILE, POLICY, load
from app.advice.sentences.gates import FOR_ONE, OBSERVED, OF_THE_APP, UNSAID
from app.advice.verdict import advise
from tests.support.golden import case

TEXT = FILE.read_text(encoding="utf-8")


def faults(old: str, new: str) -> list[str]:
    """What the policy is refused for after one edit of its text."""
    assert old in TEXT
    with pytest.raises(FaultyPolicy) as refused:
        load(TEXT.replace(old, new, 1))
    return list(refused.value.faults)


# ------------------------------------------------------------------ what stands in it


def test_every_rule_says_why_and_names_its_sources() -> None:
    assert all(rule.because and rule.sources and rule.source for rule in POLICY.weights)
    assert all(rule.because and rule.sources and rule.source for rule in POLICY.thresholds)
    assert all(gate.why and gate.sources for gate in POLICY.gates.values())
    assert all(factor.why for factor in POLICY.factors.values())


def test_a_source_has_a_year_a_mark_and_no_uncertain_link() -> None:
    for source in POLICY.sources.values():
        assert source.mark in MARKS
        assert 1900 < source.year <= 2026
        assert source.link == "" or source.link.startswith("https://")
        assert "arxiv" not in source.link or re.fullmatch(r"https://arxiv\.org/abs/\d{4}\.\d{5}", source.link)


def test_every_source_is_used() -> None:
    cited = [rule.sources for rule in POLICY.weights]
    cited += [rule.sources for rule in POLICY.thresholds]
    cited += [rule.sources for rule in POLICY.gates.values()]
    cited += [rule.sources for rule in POLICY.verdict.values()]

    assert {source.key for sources in cited for source in sources} == set(POLICY.sources)


def test_six_gates_are_founding_ones() -> None:
    assert [gate.id for gate in POLICY.gates.values() if gate.founding] == ["G1", "G2", "G3", "G4", "G5", "G6"]


def codes(maker: str) -> set[tuple[str, str]]:
    """By the source code: what gates say with `maker`, as the gate and the code."""
    gate_of = {judge.__name__: gate for gate, judge in JUDGES.items()} | HELPERS
    return {
        (gate_of[function.name], str(node.args[0].value))
        for module in (data, prompting, task)
        for function in ast.parse(inspect.getsource(module)).body
        if isinstance(function, ast.FunctionDef) and function.name in gate_of
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == maker
        if isinstance(node.args[0], ast.Constant)
    }


HELPERS = {
    "_other_base": "G5", "_few_answered": "G6", "_teacher": "G6", "_why_no_standing": "G6", "_agreement": "G8",
    "_judge_fails": "G8",
    "_too_few_tagged": "G9", "_tagged_twice": "G9", "_no_trainable_goal": "G9",
}  # fmt: skip


def test_gates_say_exactly_what_the_file_has_sentences_for() -> None:
    named = codes("action") | {(gate, "needed") for gate in SAYINGS} | {("G6", "needed_cheaper")} | UNSAID

    assert named == {(gate, name) for gate, names in SAYINGS.items() for name in names}


def test_what_gates_observe_has_a_sentence_and_no_sentence_is_left_over() -> None:
    assert codes("state") - OF_THE_APP.keys() | {("G5", "cut")} == {
        (gate, code) for gate, wording in OBSERVED.items() for code in wording.sentences
    }


def test_a_sentence_for_one_stands_in_for_a_sentence_of_the_policy() -> None:
    for (gate, name), sentence in FOR_ONE.items():
        assert SAYINGS[gate][name]
        assert not set("{}") & set(POLICY.filled(sentence))


def test_no_sentence_keeps_a_brace() -> None:
    numbers = {"missing": "7", "rows": "7", "calls": "7", "failed": "7", "asked": "7", "arms": "this"}
    for gate, names in SAYINGS.items():
        for name, needs in names.items():
            said = POLICY.say(gate, name, **{key: numbers[key] for key in needs})
            assert not set("{}") & set(said), (gate, name)


def test_a_policy_is_read_in_no_time() -> None:
    began = time.process_time()
    load(TEXT)

    assert time.process_time() - began < 0.5  # 20 ms on a quiet machine


# ------------------------------------------------------------------ what it is refused for


BOUNDS = "The threshold usable_examples: Usable examples, test rows not counted has to be"
WHOLE = "F01 facts: points have to be whole numbers from -3 to +3."


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('version = "3"', "version = 3", 'The policy: "version" has to be a text.'),
        ('sources = ["OVA", "FTB"]', 'sources = ["OVO"]', 'F01 facts names a source "OVO" that is not listed.'),
        ('sources = ["OVA", "FTB"]', "sources = []", "F01 facts names no source."),
        ("answers.nice]", "answers.maybe]", 'F03 has no row for the answer "nice".'),
        ("answers.nice]\n", 'answers.x]\nlabel = "X"\n', 'F03 has a row for "x", which nobody can answer.'),
        ("rag = 3, fine_tune = -3", "rag = 4, fine_tune = -3", WHOLE),
        ("rag = 3, fine_tune = -3", "rag = 1.5, fine_tune = -3", WHOLE),
        ("value = 1000", "value = 100", f"{BOUNDS} between 500 and 20,000."),
        ("value = 1000", "value = 1000.5", f"{BOUNDS} a whole number."),
        ("value = 1000", "value = true", 'The threshold usable_examples: "value" has to be a number.'),
        ("low = 500", "low = 30000", "The threshold usable_examples has bounds that leave no room."),
        ("value = 0.6\n", "value = 0.85\n", "Agreement that counts as high can't be lower than the least asked for."),
        ('mark = "V"', 'mark = "X"', 'The source OAI-ACC: "mark" has to be one of V, S, M, J.'),
        ('link = "https://arxiv', 'link = "http://arxiv', 'The source OVA: "link" has to begin with https://.'),
        ("year = 1927", "year = 27", 'The source WILSON: "year" has to be a year.'),
        ("{missing} more examples", "{lack} more examples", "The gate G1, short: nothing fills in {lack}."),
        ("once = ", "twice = ", 'The gate G3 has no sentence for "once".'),
        ("once = ", "twice = ", 'The gate G3 has a sentence for "twice", which it never says.'),
        ("founding = true", 'founding = "yes"', 'The gate G1: "founding" has to be true or false.'),
        ('label = "I don\'t know"\n', "", "F08 unknown has no label."),
        ('why = "Training changes', 'reason = "Training changes', 'The gate G9 has no "why".'),
        ('why = "Training changes', 'reason = "Training changes', 'The gate G9: "reason" is not known there.'),
    ],
)
def test_a_fault_is_a_sentence(old: str, new: str, sentence: str) -> None:
    assert sentence in faults(old, new)


def test_a_unit_is_one_we_can_put_into_words() -> None:
    said = faults('unit = "kappa"', 'unit = "cups"')[0]

    assert said.startswith('The threshold kappa: "unit" has to be one of rows, calls,')


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        ("[gates.G12", "[gates.G13", ["The gate G12 has no table.", "There is no gate G13."]),
        ("[factors.F24", "[factors.F25", ["The factor F24 is asked for and has no table."]),
        ("[verdict.6]", "[verdict.7]", ["The verdict has the rules 1, 2, 3, 4, 5, 6, in this order, and no others."]),
    ],
)
def test_the_questionnaire_and_the_gates_say_what_has_to_be_there(old: str, new: str, sentences: list[str]) -> None:
    with pytest.raises(FaultyPolicy) as refused:
        load(re.sub(r"(?m)^(\[factors.F25.answers.*)", r'\1\nlabel = "-"', TEXT.replace(old, new)))

    assert set(sentences) <= set(refused.value.faults)


def test_all_faults_are_said_at_once() -> None:
    text = TEXT.replace('mark = "V"', 'mark = "X"', 1).replace("low = 500", "low = 30000", 1)

    with pytest.raises(FaultyPolicy) as refused:
        load(text)

    assert len(refused.value.faults) == 2


@pytest.mark.parametrize(
    "text", ["version = ", "", "version = '1'\nsources = 3\nthresholds = []\ngates = 1\nverdict = 0\nfactors = 2"]
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(FaultyPolicy):
        load(text)


# ------------------------------------------------------------------ what a team may change


def test_other_numbers_make_another_policy_with_the_same_rules() -> None:
    other = POLICY.with_numbers("2.1", {"thresholds": {"usable_examples": 2000}, "weights": {"F01.style": [0, -2, 3]}})

    assert other.count("usable_examples") == 2000
    assert other.weight("F01", "style").points == Points(0, -2, 3)
    assert other.weight("F01", "style").sources == POLICY.weight("F01", "style").sources
    assert other.say("G1", "needed").startswith("2,000 usable examples")
    assert POLICY.say("G1", "needed").startswith("1,000 usable examples")
    assert other.sha256 != POLICY.sha256


def test_its_own_numbers_change_nothing_but_the_version() -> None:
    same = POLICY.with_numbers(POLICY.version, POLICY.numbers())

    assert same.sha256 == POLICY.sha256
    assert replace(same, version="x").sha256 != POLICY.sha256


def test_another_policy_gives_other_advice() -> None:
    strict = POLICY.with_numbers("strict", {"thresholds": {"usable_examples": 2000}})

    assert advise(parse(case())).training == "ready"
    assert advise(parse(case()), strict).training == "locked"


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ({"thresholds": {"usable_examples": 499}}, "usable_examples"),
        ({"thresholds": {"usable_examples": 20_001}}, "usable_examples"),
        ({"thresholds": {"usable_examples": 1000.5}}, "usable_examples"),
        ({"thresholds": {"kappa": float("nan")}}, "kappa"),
        ({"thresholds": {"kappa": "0.6"}}, "kappa"),
        ({"thresholds": {"kappa": 0.9}}, "kappa"),
        ({"thresholds": {"usable_examples": 5000}}, "examples_pilot"),
        ({"thresholds": {"calls_few": 50_000, "calls_many": 50_000}}, "calls_many"),
        ({"thresholds": {"luck": 1}}, "luck"),
        ({"weights": {"F01.facts": [0, -1, -3]}}, "F01.facts"),
        ({"weights": {"F01.facts": [0, 4, -3]}}, "F01.facts"),
        ({"weights": {"F01.facts": [2, 3, -3]}}, "F01.facts"),
        ({"weights": {"F01.facts": [0, 3]}}, "F01.facts"),
        ({"weights": {"F01.facts": [0, 3.0, -3]}}, "F01.facts"),
        ({"weights": {"F01.luck": [0, 3, -3]}}, "F01.luck"),
        ({"gates": {}}, "gates"),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_name(numbers: Numbers, name: str) -> None:
    assert [found for found, _ in POLICY.faults_of(numbers)] == [name]
    with pytest.raises(FaultyPolicy):
        POLICY.with_numbers("x", numbers)


def test_bands_are_named_by_their_thresholds() -> None:
    other = POLICY.with_numbers("x", {"thresholds": {"usable_examples": 2000, "calls_few": 5000}})

    assert POLICY.weight("F07", "pilot").label == "300 and more, fewer than 1,000"
    assert other.weight("F07", "pilot").label == "300 and more, fewer than 2,000"
    assert other.weight("F11", "few").label == "Fewer than 5,000 calls a month"


@pytest.mark.parametrize(
    ("examples", "row"),
    [(0, "few"), (49, "few"), (50, "some"), (299, "some"), (300, "pilot"), (999, "pilot"), (1000, "enough"),
     (4999, "enough"), (5000, "plenty")],
)  # fmt: skip
def test_the_bands_of_examples_begin_at_their_threshold(examples: int, row: str) -> None:
    reason = next(
        one for one in advise(parse(case(measured={"usable_examples": examples}))).reasons if one.factor == "F07"
    )

    assert reason.points == POLICY.weight("F07", row).points


@pytest.mark.parametrize(
    ("calls", "row"),
    [(9999, "few"), (10_000, "some"), (99_999, "some"), (100_000, "many"), (1_000_000, "many"), (1_000_001, "huge")],
)
def test_the_bands_of_calls_begin_at_their_threshold(calls: int, row: str) -> None:
    reason = next(one for one in advise(parse(case({"calls_per_month": calls}))).reasons if one.factor == "F11")

    assert reason.points == POLICY.weight("F11", row).points


def test_a_weight_may_be_weakened_and_not_turned_around() -> None:
    assert not list(POLICY.faults_of({"weights": {"F01.facts": [1, 0, 0]}}))
    assert POLICY.weight("F01", "facts").bounds == ((-1, 1), (0, 3), (-3, 0))


def test_every_bound_holds_its_own_default() -> None:
    assert not list(POLICY.faults_of(POLICY.numbers()))
