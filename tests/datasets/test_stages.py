"""A check says which stages it has, where it is, and what came so far."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import pytest

from app.datasets import job
from app.datasets.tables import DatasetRow
from app.jobs.claims import Claim
from app.jobs.progress import Progress
from tests.support.examples import Upload, pairs


@dataclass(eq=False)
class Heard(Claim):
    """A claim that remembers what was reported."""

    told: list[Progress] = field(default_factory=list)

    def report(self, progress: Progress, *, now: bool = False) -> None:
        self.told.append(progress)
        super().report(progress, now=now)


@pytest.mark.parametrize("own_test", [False, True])
def test_every_stage_comes_in_the_order_that_was_announced(
    upload: Upload, claimed: Callable[[DatasetRow], Claim], own_test: bool
) -> None:
    row = upload(pairs(120) + pairs(3), pairs(8, 500) if own_test else None)
    claim = claimed(row)
    heard = Heard(**{one.name: getattr(claim, one.name) for one in fields(claim) if one.init})
    job.check(heard)

    told = heard.told
    stages = told[0]["stages"]
    assert all(one["stages"] == stages for one in told)
    places = [one["at"] for one in told]
    assert places == sorted(places)
    assert set(places) == set(range(len(stages)))
    assert ("Looking for test questions" in stages) == own_test
    bars = [one["done"] for one in told if stages[one["at"]] == job.TRYING and one["total"]]
    assert len(bars) > 6
    assert bars == sorted(bars)
    assert bars[-1] == next(one["total"] for one in told if stages[one["at"]] == job.TRYING and one["total"])
    came: dict[str, Any] = dict(told[-1]["so_far"])
    assert came["Rows read"] == 123 + 8 * own_test
    assert came["Duplicates"] == 3
    assert came["Train"] + came["Dev"] + came["Test"] == 120 + 8 * own_test
    assert came["No-LLM baseline"].endswith(" %")
    assert "Train" not in dict(told[0]["so_far"])
