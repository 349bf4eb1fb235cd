"""Watching another metric costs no approval and makes nobody an author."""

from sqlalchemy import Engine

from tests.support.factories import Make
from tests.support.gated import Gated, People, gated_installation, settings

__all__ = ["gated_installation", "settings"]


def test_what_is_watched_is_no_part_of_what_was_approved(make: Make, people: People, engine: Engine) -> None:
    gated = Gated(make, people, engine)
    gated.approved()
    before = gated.subject()

    for by in (gated.author, gated.reviewer):
        added = gated.post(f"/api/v1/assessments/{gated.id}/watched", by, json={"metric": "chrf"})
        assert added.status_code == 201

    assert gated.subject() == before
    assert gated.launch().status_code == 201
