"""The assessments of the home page: filters, search, pages, and how many each filter shows."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.assessments import store
from app.assessments.store import Wanted
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import Db
from app.web.protocols import Standing

Filter = Literal["", "mine", "in_review", "ready", "trained", "archived"]
PAGE = 20
LOOKED_AT = 300

# The states that a filter shows; the others are no states.
STATES: Mapping[str, frozenset[str]] = {
    "in_review": frozenset({"in_review", "changes_requested"}),
    "ready": frozenset({"ready_for_review", "approved"}),
    "trained": frozenset({"improved", "not_better", "regressed", "inconclusive"}),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One assessment in the list."""

    id: int
    title: str
    team: str
    owner_id: int
    updated_at: datetime
    standing: Standing


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list. counts: how many each filter shows, whatever is searched for."""

    lines: Sequence[Line]
    total: int
    counts: Mapping[str, int]

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))


def find(app: AppContext, db: Db, me: UserRow, state: Filter, text: str, number: int) -> Listing:
    wanted = Wanted(text, me.id if state == "mine" else None, archived=state == "archived")
    every: list[Line] = []
    for part in itertools.count(1):
        rows, _ = store.page(db, wanted, part, LOOKED_AT)
        app.read_ahead(db, rows)
        every += [
            Line(row.id, row.title, row.team, row.created_by, row.updated_at, app.standing(db, row)) for row in rows
        ]
        if len(rows) < LOOKED_AT:
            break
    if state in STATES:
        every = [line for line in every if line.standing.state in STATES[state]]
    counts = dict.fromkeys(("", "mine", "in_review", "ready", "trained", "archived"), 0)
    counts[state] = len(every)
    return Listing(every[(number - 1) * PAGE : number * PAGE], len(every), counts)
