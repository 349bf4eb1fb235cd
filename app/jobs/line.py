"""Whose turn it is: the order of the jobs that wait for one queue. Pure.

Fair between people, not between jobs: whoever has the fewest jobs running in the queue goes first; among those, whoever
waited longest since their last one began; a person's own jobs in the order in which they were asked for. So ten jobs of
one person let the single one of another pass after one. What an administrator moved up goes before all that. A person
who has as many jobs running as one person may have waits until one of them ends, moved up or not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Jobs at once on one worker. `model` is everything that loads weights: two at once would fight for cores and memory.
SLOTS = {"cpu": 4, "model": 1}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits. by: whose it is, None of what nobody asked for; moved_up: as `JobRow.moved_up`, else 0."""

    id: int
    by: int | None
    moved_up: int = 0


@dataclass(frozen=True, slots=True)
class Busy:
    """What has begun already. here: jobs by person in this queue; everywhere: jobs by person that count for the limit;
    last: when a person's last job of this queue had its turn. limit: jobs that one person may have at once; 0: any
    number. What nobody asked for has no limit."""

    here: Mapping[int | None, int]
    everywhere: Mapping[int | None, int]
    last: Mapping[int | None, datetime]
    limit: int = 0

    def full(self, by: int | None, more: int = 0) -> bool:
        """Whether this person may have no further job at once, with so many more than those that run."""
        return bool(self.limit) and by is not None and self.everywhere.get(by, 0) + more >= self.limit


def order(waiting: Iterable[Waiting], busy: Busy) -> Sequence[Waiting]:
    """The jobs of one queue in the order in which they would start if none of those that run ended before.

    Those that the limit keeps back come last: which of them is next depends on whose job ends first.
    """
    lines: dict[int | None, list[Waiting]] = defaultdict(list)
    for job in sorted(waiting, key=lambda job: (-job.moved_up, job.id)):
        lines[job.by].append(job)
    taken: dict[int | None, int] = defaultdict(int)
    began = {by: (0, busy.last[by].timestamp()) if by in busy.last else (-1, 0.0) for by in lines}
    ordered: list[Waiting] = []

    def turn(by: int | None) -> tuple[object, ...]:
        head = lines[by][0]
        running = busy.here.get(by, 0) + taken[by]
        return busy.full(by, taken[by]), -head.moved_up, running, began[by], head.id

    while lines:
        by = min(lines, key=turn)
        ordered.append(lines[by].pop(0))
        taken[by] += 1
        began[by] = (1, float(len(ordered)))
        if not lines[by]:
            del lines[by]
    return ordered


class Why(StrEnum):
    """Why a job waits."""

    CALLED = "called"  # it is its turn; a worker takes it within a moment
    NO_WORKER = "no_worker"  # nobody is online who serves its queue
    LIMIT = "limit"  # its person has as many jobs running as one person may have
    SLOTS = "slots"  # everything that serves its queue is busy
    NEXT = "next"  # a slot is free


@dataclass(frozen=True, slots=True)
class Wait:
    """Why one job waits. before: jobs that start before it in its queue. slots: that the online workers have for the
    queue; running: jobs in them now. mine: jobs of its person that run, of `limit`."""

    why: Why
    before: int
    slots: int
    running: int
    mine: int
    limit: int


def waits(ordered: Sequence[Waiting], busy: Busy, slots: int) -> dict[int, Wait]:
    """Why each job of a queue waits, by id, for jobs as `order` gives them."""
    running = sum(busy.here.values())
    found = {}
    for before, job in enumerate(ordered):
        if not slots:
            why = Why.NO_WORKER
        elif busy.full(job.by):
            why = Why.LIMIT
        else:
            why = Why.NEXT if before < slots - running else Why.SLOTS
        found[job.id] = Wait(why, before, slots, running, busy.everywhere.get(job.by, 0), busy.limit)
    return found
