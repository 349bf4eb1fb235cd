"""How far a check is."""

import time
from typing import Any

from app.jobs.claims import Claim
from app.wording import plural


class Progress:
    """Says how far the check is, with a rate and the time left of the stage."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.stage = ""
        self.since = 0.0
        self.looked = 0.0

    def tick(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self.stage:
            self.stage, self.since = stage, now
        progress: dict[str, Any] = {"stage": stage, "done": done, "total": total, "unit": "rows"}
        took = now - self.since
        if not total and done:
            progress["stage"] = f"{stage}: {plural(done, 'row')} so far"
        elif took > 1 and done:
            progress["seconds_left"] = round((total - done) * took / done)
        self.claim.report(progress)
        if now - self.looked > 1:
            self.looked = now
            self.claim.blobs.need_space()
