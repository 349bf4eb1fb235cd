"""No test of the quick suite takes long: a plugin that fails the run when one does.

A limit in seconds would fail on a busy machine and pass on a fast one. So it is stretched by how slowly this machine
works: a fixed piece of work is timed before tests, once a second at most, and again after one that seems too slow. The
slower of the two counts, since what held a test up may be over when it ends. So does the number of processes that share
a core: a short piece of work is served at once where one that lasts has to wait its turn.
"""

import os
import time
from collections.abc import Generator
from typing import Any

import pytest

# Linear algebra on as many threads as there are cores, in every process of the run, is slower than on one: they wait
# for each other in busy loops. To be said before numpy is imported, and this plugin is the first of ours that is.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Seconds that `work` takes where the limit is what it says. Beside the suite on two cores of a shared server it took
# 0.012 to 0.019, so that the limit there is six or eight seconds.
USUAL = 0.011
EVERY = 1.0  # seconds between two looks at the pace
# Marks of tests that may take longer, each for its reason.
MAY = ("deep", "slow", "gpu", "long")

_spent = pytest.StashKey[float]()
_shared = pytest.StashKey[float]()
_before = pytest.StashKey[tuple[float, float]]()


def work() -> float:
    """Seconds for a fixed piece of work, by the clock: what this machine and everything else on it make of it."""
    start = time.perf_counter()
    total = 0
    for number in range(300_000):
        total += number * number % 7
    return time.perf_counter() - start


def slowness() -> float:
    """How many times slower than usual this machine is now; never under 1."""
    return max(1.0, sorted(work() for _ in range(5))[2] / USUAL, os.getloadavg()[0] / (os.cpu_count() or 1))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "seconds_a_test",
        "Seconds that a test and the fixtures made for it alone may take, where the machine works at its usual pace.",
        default="5",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember how slow the machine is before the test, and when that was looked at."""
    stash, now = item.config.stash, time.monotonic()
    if _before not in stash or now - stash[_before][0] > EVERY:
        stash[_before] = now, work() / USUAL


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, object, object]:
    """What is made once for many tests is not put down to the first of them."""
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        if fixturedef.scope != "function":
            stash = request.session.stash
            stash[_shared] = stash.get(_shared, 0.0) + time.perf_counter() - start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that took too long has failed, and its report says so."""
    report = yield
    if call.when == "teardown":
        return report
    stash = item.session.stash
    spent = item.stash.get(_spent, 0.0) + max(0.0, call.duration - stash.get(_shared, 0.0))
    item.stash[_spent], stash[_shared] = spent, 0.0
    if call.when == "call" and report.passed and not any(item.get_closest_marker(mark) for mark in MAY):
        limit = float(item.config.getini("seconds_a_test"))
        if spent > limit and spent > (stretched := limit * max(slowness(), item.config.stash[_before][1])):
            report.outcome = "failed"
            report.longrepr = (
                f"{item.nodeid} took {spent:.1f} s; the quick suite allows {limit:g} s for a test, {stretched:.1f} s "
                "while this machine is as slow as now. Make it smaller, or mark it deep."
            )
    return report
