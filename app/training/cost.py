"""What a run has cost so far: the time that a machine was busy with it, at the team's price for an hour. Pure.

Only the machine is counted, measured from the jobs of the run: paused time and waiting in line cost nothing. Without a
price for a machine hour, or with several of which none was chosen, the hours are what is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.economics.prices import Price
from app.economics.sentences import money
from app.jobs.tables import JobRow


@dataclass(frozen=True, slots=True)
class Cost:
    """seconds: that a machine worked on it. price: of a machine hour, None where none is known; money: in its
    currency."""

    seconds: float
    price: Price | None

    @property
    def money(self) -> float | None:
        return None if self.price is None else self.seconds / 3600 * self.price.price

    @property
    def words(self) -> str:
        """The money as pages say it; a dash where there is no price."""
        return money(self.money, self.price.currency if self.price else "")


def so_far(jobs: Sequence[JobRow], price: Price | None, now: datetime) -> Cost:
    """jobs: all that worked on the run; those that go on are counted until now. price: of a machine hour."""
    seconds = 0.0
    for job in jobs:
        end = job.finished_at or (None if job.final else now)
        if job.started_at and end:
            seconds += max(0.0, (end - job.started_at).total_seconds())
    return Cost(seconds, price)
