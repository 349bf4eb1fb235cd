"""What a policy's file has to hold: a table for each factor, answer, gate and sentence that the rules name."""

import re
from collections.abc import Iterator

from app.advice.policy import Policy, clashing_numbers
from app.advice.questions import ASKED, FACTORS
from app.advice.schema import UNKNOWN

# The rows of factors whose answers are computed from a number or a measurement, so that no question lists them.
COMPUTED = {
    "F05": ("none", "fits", "large", "huge"),
    "F07": ("few", "some", "pilot", "enough", "plenty"),
    "F11": ("few", "some", "many", "huge"),
    "F13": ("facts", "behaviour", "instructions", "reference"),
    "F14": ("set", "metric only"),
    "F17": ("pass", "fail", "not_goal"),
    "F19": ("named", "nobody"),
    "F21": ("heavy", "fine"),
}
RULES = ("1", "2", "3", "4", "5", "6")  # of verdict.py, in its order

# What gates.py says by name, and the numbers it fills in beside the thresholds. `needed` is a name as well.
SAYINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "G1": {"needed": (), "short": ("missing",), "unfinished": ("missing",), "declared": ("missing",), "nothing": ()},
    "G2": dict.fromkeys(
        ("needed", "daily", "main_goal", "no_goal", "no_main_goal", "gap", "causes", "unsaid", "not_measured"), ()
    ),
    "G3": {
        "needed": ("calls",),
        "contradiction": (),
        "once": (),
        "no_calls": (),
        "few_calls": ("calls",),
        "unsaid": (),
    },
    "G4": {
        "needed": (),
        "not_kept": (),
        "not_frozen": (),
        "few": ("missing",),
        "asked": ("asked",),
        "overlap": ("rows",),
        "unchecked": (),
        "overlap_unknown": (),
        "checked_unknown": (),
        "asked_unknown": (),
    },
    "G5": {
        "needed": ("arms",),
        "nothing": ("arms",),
        "missing": ("arms",),
        "revise": (),
        "other_base": (),
        "unfinished": (),
        "no_schema": (),
        "no_passages": (),
        "uncounted": (),
        "errors": (),
    },
    "G6": {
        "needed": (),
        "needed_cheaper": (),
        "not_measured": (),
        "met": (),
        "without_model": (),
        "unclear": (),
        "unclear_by": ("rows",),
        "no_teacher": (),
        "teacher_short": (),
        "few": ("missing",),
        "rows_unknown": (),
    },
    "G7": dict.fromkeys(("needed", "unset", "unset_after", "late", "order_unknown"), ()),
    "G8": dict.fromkeys(("needed", "contradictions", "kappa", "declared_low", "nothing"), ()),
    "G9": dict.fromkeys(
        (
            "needed",
            "facts",
            "instructions",
            "reference",
            "behaviour",
            "no_goal",
            "no_goal_untagged",
            "met",
            "copying",
            "few",
            "untrainable",
        ),
        (),
    )
    | {"few_failed": ("failed",)},
    "G10": dict.fromkeys(("needed", "forbidden", "undecided", "unsaid"), ()),
    "G11": dict.fromkeys(("needed", "unsaid", "nobody"), ()),
    "G12": dict.fromkeys(("needed", "not_the_goal", "fail", "nothing"), ()),
}

NUMBERS = frozenset({
    "kappa", "kappa_high", "context_window", "corpus_large", "examples_few", "examples_pilot", "usable_examples",
    "examples_plenty", "calls_few", "calls_many", "calls_huge",
})  # fmt: skip
"""Thresholds that are held against each other."""


def incomplete(policy: Policy) -> Iterator[str]:
    """What the file lacks or has too much of, beside what the questionnaire and the gates ask for."""
    for factor in sorted(_factors() - policy.factors.keys()):
        yield f"The factor {factor} is asked for and has no table."
    for factor in sorted(policy.factors.keys() - _factors()):
        yield f"The factor {factor} has a table and no question."
    rows = {(weight.factor, weight.answer) for weight in policy.weights}
    for factor, answer in sorted(_answerable() - rows):
        yield f'{factor} has no row for the answer "{answer}".'
    for factor, answer in sorted(rows - _answerable()):
        if factor in _factors() and answer != UNKNOWN:
            yield f'{factor} has a row for "{answer}", which nobody can answer.'
    yield from _mislabelled(policy)
    if tuple(policy.verdict) != RULES:
        yield f"The verdict has the rules {', '.join(RULES)}, in this order, and no others."
    yield from _misspoken(policy)
    values = {threshold.name: threshold.value for threshold in policy.thresholds}
    if missing := sorted(NUMBERS - values.keys()):
        yield from (f"There is no threshold {name}." for name in missing)
    else:
        yield from (sentence for _, sentence in clashing_numbers(values))


def _mislabelled(policy: Policy) -> Iterator[str]:
    for weight in policy.weights:
        if not weight.label:
            yield f"{weight.factor} {weight.answer} has no label."
        elif "{" in weight.label:
            yield f"{weight.factor} {weight.answer} has a label with a name in braces that is no threshold."


def _factors() -> set[str]:
    """The factors of the questionnaire; G10 is asked there too, for its gate alone."""
    return set(FACTORS) - {"G10"}


def _answerable() -> set[tuple[str, str]]:
    """Every answer that the questionnaire offers or that is computed."""
    answerable = {(factor, answer) for factor, answers in COMPUTED.items() for answer in answers}
    for question in ASKED.values():
        if question.factor in _factors() - COMPUTED.keys():
            answerable |= {(question.factor, choice.value) for choice in question.choices}
    return answerable


def _misspoken(policy: Policy) -> Iterator[str]:
    """Gates and sentences that are missing or superfluous, and names in braces that nothing fills in."""
    limits = {threshold.name for threshold in policy.thresholds}
    for gate in sorted(SAYINGS.keys() - policy.gates.keys()):
        yield f"The gate {gate} has no table."
    for gate in sorted(policy.gates.keys() - SAYINGS.keys()):
        yield f"There is no gate {gate}."
    for name in sorted(SAYINGS.keys() & policy.gates.keys()):
        sayings = policy.gates[name].sayings
        for saying in sorted(SAYINGS[name].keys() - sayings.keys()):
            yield f'The gate {name} has no sentence for "{saying}".'
        for saying in sorted(sayings.keys() - SAYINGS[name].keys()):
            yield f'The gate {name} has a sentence for "{saying}", which it never says.'
        for saying in sorted(SAYINGS[name].keys() & sayings.keys()):
            unknown = set(re.findall(r"{(.*?)}", sayings[saying])) - limits - set(SAYINGS[name][saying])
            yield from (f"The gate {name}, {saying}: nothing fills in {{{number}}}." for number in sorted(unknown))
