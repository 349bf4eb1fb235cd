"""How deep a run goes: the quick suite samples what the deep one tries through.

Quick is what `make test` runs on every change. `make test-deep` sets TUNEGATE_DEEP=1 and adds the tests marked `deep`;
a test that is in both asks here for its size.
"""

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

T = TypeVar("T")

DEEP = os.environ.get("TUNEGATE_DEEP") == "1"

# No deadline and no complaint about slow drawing: a shared machine has slow moments, and a test that is too slow is
# named by its duration.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _CALM, max_examples=40)
settings.register_profile("deep", _CALM, max_examples=400)
settings.load_profile("deep" if DEEP else "quick")


def depth(quick: T, deep: T) -> T:
    """How many rounds, rows or kills: `quick` in the quick suite, `deep` in the deep one."""
    return deep if DEEP else quick


def sampled(cases: Iterable[Any], every: int) -> list[Any]:
    """These cases of a parametrised test: the first of each `every` in the quick suite, all in the deep one."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.deep if number % every else ())
        for number, case in enumerate(cases)
    ]
