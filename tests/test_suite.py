"""The suite keeps its own rules: what is shared stands in one place, every concept has its tests, and none is slow."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import ROOT

pytest_plugins = "pytester"


def imported(path: Path) -> Iterator[str]:
    """Names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_test_imports_from_a_test_module() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for name in imported(path)
        if name.startswith("tests.") and any(part == "conftest" or part.startswith("test_") for part in name.split("."))
    ]

    assert wrong == [], "what two test modules need stands in tests/support"


def test_every_concept_has_its_tests() -> None:
    concepts = {path.parent.name for path in (ROOT / "app").glob("*/__init__.py")}

    assert sorted(one for one in concepts if not list((ROOT / "tests" / one).glob("test_*.py"))) == []


def test_what_was_found_is_held_by_tests_that_are_there() -> None:
    """The table of faults names tests; one that is renamed or gone leaves its fault unguarded in silence."""
    there = {
        found
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in [path.stem, *re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))]
    }
    rows = [row for row in (ROOT / "tests" / "HELD.md").read_text(encoding="utf-8").splitlines() if row[:1] == "|"]
    named = [found for row in rows for found in re.findall(r"\b(test_\w+)(\.\.\.|\*)?", row.split("|")[2])]

    gone = [name for name, cut in named if not any(one == name or (cut and one.startswith(name)) for one in there)]
    assert len(named) > 100
    assert gone == []


# Thirty times the work that the pace is measured by: over a limit of 0.05 s, however slow the machine.
SLOW = """
import pytest
from tests.support.pace import work

def busy():
    for _ in range(30):
        work()

@pytest.fixture(scope="module")
def once():
    busy()

@pytest.fixture
def mine():
    busy()

def test_slow(): busy()
def test_slow_to_set_up(mine): pass
def test_the_first_of_many(once): pass
@pytest.mark.long("for its reason")
def test_that_may(): busy()
"""


def test_a_quick_test_that_takes_too_long_fails_and_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SLOW)
    pytester.makeini("[pytest]\nseconds_a_test = 0.05\nmarkers = long: may")
    pytester.syspathinsert(ROOT)

    ended = pytester.runpytest_inprocess("-p", "tests.support.pace", "-p", "no:randomly", "-q")

    ended.assert_outcomes(passed=2, failed=2)
    ended.stdout.fnmatch_lines(["*test_slow took * s; the quick suite allows 0.05 s*", "*test_slow_to_set_up took*"])
