"""Whether the tests would notice if a gate's condition were another one.

Every comparison, every `if`, `and`, `or` and `not`, and every state in the gates and in the needs they rest on is
changed, one at a time, in a copy of the module. A change that can move a state has to be noticed by a row of `STATES`,
which says by hand what each gate says where. Changes that move no state in thousands of random cases are of words
alone. The quick suite makes every change too, and looks through fewer cases: 600 meet 378 of the 385 changes that 3,000
meet.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from types import FunctionType, ModuleType
from typing import Any

import pytest

from app.advice import facts
from app.advice.case import parse
from app.advice.facts import derive_facts
from app.advice.gates import data, prompting, task
from app.advice.gates.judge import JUDGES
from app.advice.policy import Policy
from app.advice.policy_file import POLICY
from app.advice.schema import Case
from tests.support.depth import depth
from tests.support.golden import case
from tests.support.random_cases import random_case
from tests.support.states import STATES

Space = dict[str, Any]
Undo = Callable[[], None]

OTHER: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
STATE = {"pass": "fail", "fail": "pass", "unknown": "pass", "not_applicable": "fail"}
CASES = depth(600, 3000)


def mutants(module: ModuleType, functions: Callable[[str], bool]) -> Iterator[tuple[str, Space]]:
    """The module's names, each time with one thing changed in one function, and a word on where."""
    source = ast.parse(Path(str(module.__file__)).read_text())
    for function in ast.walk(source):
        if isinstance(function, ast.FunctionDef) and functions(function.name):
            for target in list(ast.walk(function)):
                for name, undo in changes(target):
                    yield f"{function.name}, line {getattr(target, 'lineno', 0)}: {name}", _again(module, function)
                    undo()


def _again(module: ModuleType, function: ast.FunctionDef) -> Space:
    """The module's names anew, so that its own functions call the changed one."""
    space: Space = {}
    for name, value in vars(module).items():
        own = isinstance(value, FunctionType) and value.__module__ == module.__name__
        space[name] = FunctionType(value.__code__, space, name, value.__defaults__) if own else value
    tree = ast.fix_missing_locations(ast.Module([function], []))
    exec(compile(tree, module.__name__, "exec"), space)  # noqa: S102 - our own source, one thing changed
    return space


def changes(node: ast.AST) -> Iterator[tuple[str, Undo]]:
    """Changes the node in every way in which it may be another one, each until it is undone."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in OTHER[type(operator)]:
                node.ops[place] = other()
                yield f"{type(operator).__name__} -> {other.__name__}", partial(node.ops.__setitem__, place, operator)
    elif isinstance(node, ast.BoolOp):
        now = node.op
        node.op = ast.Or() if isinstance(now, ast.And) else ast.And()
        yield "and <-> or", partial(setattr, node, "op", now)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        negated = node.operand
        node.operand = ast.UnaryOp(ast.Not(), negated)
        yield "without not", partial(setattr, node, "operand", negated)
    elif isinstance(node, ast.Constant) and node.value in STATE:
        said = node.value
        node.value = STATE[str(said)]
        yield f"{said} -> {node.value}", partial(setattr, node, "value", said)
    elif isinstance(node, ast.If):
        test = node.test
        for value in (True, False):
            node.test = ast.Constant(value)
            yield "always" if value else "never", partial(setattr, node, "test", test)


def state(space: Space, name: str, changed_case: Case, policy: Policy) -> str:
    """What a changed gate, or a gate over changed needs, says; a crash is a difference as well."""
    try:
        judge = space.get(JUDGES[name].__name__, JUDGES[name])
        derive = space.get(derive_facts.__name__, derive_facts)
        return str(judge(changed_case, derive(changed_case, policy), policy).state)
    except Exception as error:  # noqa: BLE001 - whatever a change leads to
        return type(error).__name__


@cache
def rows() -> list[tuple[str, Case, str]]:
    return [(name, parse(case(answers, measured)), expected) for name, answers, measured, expected in STATES]


@cache
def wild() -> list[tuple[Case, dict[str, str]]]:
    random = Random(7)
    cases = []
    for _ in range(CASES):
        given = parse(random_case(random))
        derived = derive_facts(given, POLICY)
        cases.append((given, {name: str(judge(given, derived, POLICY).state) for name, judge in JUDGES.items()}))
    return cases


def noticed(space: Space) -> bool:
    return any(state(space, name, given, POLICY) != expected for name, given, expected in rows())


def moves_a_state(space: Space) -> str | None:
    """A case in which the change matters, as the gate's name and what it says now."""
    for given, states in wild():
        for name, expected in states.items():
            if (now := state(space, name, given, POLICY)) != expected:
                return f"{name} {expected} -> {now} for {given}"
    return None


DECIDING = {judge.__name__ for judge in JUDGES.values()} | {
    "_teacher", "_too_few_tagged", "_no_trainable_goal", "arms_needed", "calls_needed",
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "functions", "least"),
    [
        (data, lambda name: name in DECIDING, 60),
        (prompting, lambda name: name in DECIDING, 130),
        (task, lambda name: name in DECIDING, 80),
        (facts, lambda name: name not in ("rows_to_settle", "score_of"), 60),
    ],
    ids=["data", "prompting", "task", "facts"],
)
def test_another_condition_would_be_noticed(module: ModuleType, functions: Callable[[str], bool], least: int) -> None:
    tried, missed = 0, []
    for where, space in mutants(module, functions):
        tried += 1
        if not noticed(space) and (proof := moves_a_state(space)):
            missed.append(f"{where}: {proof}")

    assert tried > least
    assert missed == []


def judged(policy: Policy) -> Callable[[str, Case], str]:
    return lambda name, given: JUDGES[name](given, derive_facts(given, policy), policy).state


@pytest.mark.parametrize("threshold", [one.name for one in POLICY.thresholds])
@pytest.mark.parametrize("way", [-1, 1])
def test_another_threshold_would_be_noticed(threshold: str, way: int) -> None:
    """One unit, or one point of a share, either way."""
    unit = 1 if POLICY.limit(threshold) >= 1 else 0.01
    moved = replace(
        POLICY,
        thresholds=tuple(
            replace(one, value=one.value + way * unit) if one.name == threshold else one for one in POLICY.thresholds
        ),
    )
    says = judged(moved)

    if not any(says(name, given) != expected for name, given, expected in rows()):
        assert [name for given, states in wild() for name in states if says(name, given) != states[name]] == []
