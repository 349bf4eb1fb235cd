"""The assessments of the home page: filters, search, pages, and how many each filter shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.standing import service as standings
from app.standing import store
from app.standing.store import Line, Wanted
from app.users.tables import UserRow
from app.web.deps import Db

Filter = Literal["", "mine", "in_review", "ready", "trained", "archived"]
PAGE = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list. counts: how many each filter shows, whatever is searched for."""

    lines: Sequence[Line]
    total: int
    counts: Mapping[str, int]

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PAGE))


def find(db: Db, me: UserRow, list_filter: Filter, text: str, number: int) -> Listing:
    """One page of what a filter and a search leave, last changed first: read from what is kept of each status."""
    page = store.page(db, Wanted(list_filter, me.id, text), number, PAGE)
    return Listing(standings.fresh_lines(db, page.lines), page.total, store.counts(db, me.id))
