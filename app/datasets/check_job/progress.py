"""How far a check is: its stages, the bar of the one that runs, and what came so far."""

import time
from collections.abc import Mapping, Sequence

from app.jobs.claims import EVERY, Claim
from app.json_types import JsonDict
from app.wording import plural

SOON = 0.25  # seconds after the last report from which on a new stage is reported at once


class Progress:
    """Says how far the check is, with a rate and the time left of the stage.

    stages: those that will come, in their order, by the words that `tick` is told; empty where nobody knows. A short
    one that is not among them belongs to the one before it.
    """

    def __init__(self, claim: Claim, stages: Sequence[str] = ()) -> None:
        self.claim = claim
        self.stages = list(stages)
        self.so_far: dict[str, int | str] = {}
        self.stage = ""
        self.at = 0
        self.since = 0.0
        self.looked = 0.0
        self._reported = 0.0

    def came(self, results: Mapping[str, int | str]) -> None:
        """Results that a reader can see already, by their names; they go out with the next tick."""
        self.so_far.update(results)

    def tick(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        begins = stage != self.stage
        if begins:
            self.stage, self.since = stage, now
        progress: JsonDict = {"stage": stage, "done": done, "total": total, "unit": "rows"}
        took = now - self.since
        if not total and done:
            progress["stage"] = f"{stage}: {plural(done, 'row')} so far"
        elif took > 1 and done:
            progress["seconds_left"] = round((total - done) * took / done)
        if stage in self.stages:
            self.at = self.stages.index(stage)
        if self.stages:
            progress |= {"stages": self.stages, "at": self.at, "so_far": list(self.so_far.items())}
        # A stage may be silent from its beginning to its end, so its beginning is not held back for a whole second.
        at_once = begins and now - self._reported > SOON
        if at_once or now - self._reported >= EVERY:
            self._reported = now
        self.claim.report(progress, now=at_once)
        if now - self.looked > 1:
            self.looked = now
            self.claim.blobs.need_space()
