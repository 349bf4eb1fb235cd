"""Answers on their way to the database, and how fast they come."""

import time
from dataclasses import dataclass, field

from app.baselines import answer_store, judge_calls
from app.baselines.run_control import RunControl
from app.jobs.claims import Claim
from app.jobs.progress import Progress

FLUSH_SECONDS = 0.2  # answers wait this long at most before they are on the disk, with the moment in which they gather
FLUSH_ROWS = 32
FREE_ROWS = 500  # of answers that no model is asked for: they are there again in a moment


@dataclass
class Outbox:
    """Answers on their way to the database: a few at a time, never for long. most: of them in one transaction. judged:
    calls of the judge about them."""

    claim: Claim
    most: int = FLUSH_ROWS
    waiting: list[answer_store.NewAnswer] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    judged: list[judge_calls.NewCall] = field(default_factory=list)

    def put(self, answer: answer_store.NewAnswer) -> None:
        self.waiting.append(answer)
        if len(self.waiting) >= self.most or time.monotonic() - self.since >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self.waiting or self.judged:
            with self.claim.keep() as session:
                answer_store.put(session, self.waiting)
                judge_calls.put(session, self.judged)
            self.waiting, self.judged = [], []
        self.since = time.monotonic()


@dataclass
class Meter:
    """Counts answers and says how fast they come.

    total: answers that are surely asked for; most: those that may be; a bar is drawn by these, so it never goes back.
    The rate is that of the whole arm so far: answers that come in batches, and the wait for the first of them, count
    as what they are. control: what people may change meanwhile; None where they may not.
    """

    claim: Claim
    total: int
    done: int = 0
    most: int = 0
    stage: str = ""
    in_stage: int = 0
    since: float = 0.0
    arm_id: int | None = None
    split: str = ""
    control: RunControl | None = None

    def begin(self, stage: str, arm_id: int | None = None, split: str = "") -> None:
        """Go on to another stage. arm_id, split: which arm answers which rows in it; split `end`: nothing is asked any
        more, results are written down."""
        self.stage, self.arm_id, self.split = stage, arm_id, split
        if split == "end":
            self.expect(0)
        self.in_stage = 0
        self.since = time.monotonic()
        self.claim.report(self._progress(), now=True)

    def expect(self, more: int, at_most: int | None = None) -> None:
        """Say how many answers are still to come, and how many that may become, once that is known better."""
        self.total = self.done + more
        self.most = self.done + (more if at_most is None else at_most)

    def less(self, fewer: int) -> None:
        """So many answers will not be asked for after all."""
        self.total, self.most = self.total - fewer, self.most - fewer

    def count(self, answers: int = 1, *, timed: bool = True) -> None:
        """timed: whether they tell how fast the others will come; what asks no model is there at once."""
        self.done += answers
        self.in_stage += answers if timed else 0
        if self.claim.due:
            self.claim.tell(self._progress())

    def take(self, answers: int) -> None:
        """So many answers were there from earlier runs: they say nothing of how fast answers come."""
        self.done += answers
        if self.claim.due:
            self.claim.tell(self._progress())

    def waits(self, why: str) -> None:
        """Say that nothing comes for now, and why."""
        self.claim.tell(self._progress(why), now=True)

    def _progress(self, waiting: str = "") -> Progress:
        progress: Progress = {
            "stage": waiting or self.stage,
            "done": self.done,
            "total": max(self.total, self.done),
            "most": max(self.most, self.total, self.done),
            "unit": "answers",
            "arm": self.arm_id,
            "split": self.split,
        }
        if waiting:
            progress["waiting"] = waiting
        if self.control is not None:
            progress["spent"] = self.control.spent.to_json()
        if self.in_stage >= 4 and not waiting:
            rate = self.in_stage / max(time.monotonic() - self.since, 1e-6)
            progress |= {"rate": rate, "seconds_left": max(0.0, self.total - self.done) / rate}
        return progress
