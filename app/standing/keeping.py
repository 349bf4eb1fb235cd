"""Keeps the status of every assessment, in the very transaction in which something changes.

`install` has every writing transaction of the process end with `settle`: what it touched (`touches`) is worked out and
kept before it commits. Two at once: the rows are locked last of all (`store.held`), and everything is read anew after
that, past what the session remembers; so whoever comes second sees what the first did. A status that cannot be worked
out is marked stale and told to the log; it never makes the act fail, and never stays as it was.

What touches many at once marks them stale. They are worked out when somebody looks, and by the workers.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import astuple
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.db import before_commit, reading, scope_of, utcnow, writing
from app.json_types import JsonObject
from app.standing import store, touches
from app.standing.rules_version import rules_version
from app.standing.tables import StandingRow

if TYPE_CHECKING:
    from app.standing.working_out import WorkedOut

log = logging.getLogger("tunegate.standing")

AT_ONCE = 8
"""So many are worked out within a transaction; those beyond are marked stale."""
WITH_IT = 2
"""So many that somebody found stale are worked out at the end of a writing transaction that settles anyway."""
MOST_REMEMBERED = 1000

WEIGHED = frozenset({"goals", "metric", "target", "data_location"})
"""Answers that what was measured depends on, the last where an LLM judge decides; with `efficiency` among the goals,
costs depend on many more."""
MADE = "statuses made in this transaction"

_found_stale: dict[str, set[int]] = {}  # by database: what readers of this process had to work out themselves


def install() -> None:
    """Keep statuses in this process from now on."""
    touches.watch()
    before_commit("standings", settle)


def settle(session: Session) -> None:
    """Work out and keep the status of everything that was touched so far."""
    if scope_of(session).worked_out is not None:  # a reading transaction
        return
    if session.new or session.dirty or session.deleted:
        session.flush()
    taken = touches.take(session)
    if not taken:
        return
    ids, kin = touches.assessments(session, taken)
    ids |= _kin(session, kin)
    light, answered = taken.light - ids, taken.answered.keys() - ids
    ids |= {one for one in answered if taken.answered[one] & WEIGHED}
    answered -= ids
    remembered = _found_stale.get(_database(session), set())
    more = [remembered.pop() for _ in range(min(WITH_IT, len(remembered)))] if len(ids) < AT_ONCE else []
    now, later = sorted(ids)[:AT_ONCE], sorted(ids)[AT_ONCE:]
    made = keep(session, {*now, *more}, light - answered, answered)
    session.info.setdefault(MADE, {}).update(made)
    if later:
        store.mark_stale(session, later)


def _kin(session: Session, ids: Iterable[int]) -> set[int]:
    """Other assessments whose test rows are the same: a result or a later target there is known here, too."""
    from app.datasets import store as dataset_store

    others: set[int] = set()
    for assessment_id in ids:
        dataset = dataset_store.current(session, assessment_id)
        if dataset is not None and dataset.frozen_at is not None:
            others |= set(dataset_store.of_same_test_rows(session, dataset.id).values())
    return others


def made_here(session: Session, assessment_id: int) -> "WorkedOut | None":
    """What this transaction worked out for an assessment, with everything it has changed so far; None in one that only
    reads, and where nothing was touched."""
    settle(session)
    made: dict[int, WorkedOut] = session.info.get(MADE, {})
    return made.get(assessment_id)


def remember(session: Session, assessment_id: int) -> None:
    """Somebody found this one stale; the next transaction that settles keeps it."""
    waiting = _found_stale.setdefault(_database(session), set())
    if len(waiting) < MOST_REMEMBERED:
        waiting.add(assessment_id)


def _database(session: Session) -> str:
    return str(session.get_bind().engine.url)


def keep(
    session: Session, ids: Iterable[int], light: Iterable[int] = (), answered: Iterable[int] = ()
) -> "dict[int, WorkedOut]":
    """Work out these, and copy what lists show of `light`. answered: those of which nothing but answers changed."""
    from app.standing.working_out import (  # with it comes numpy: not for a process that only beats
        work_out,
        work_out_answers,
    )

    quick = set(answered)
    wanted, copied = {*ids, *quick}, set(light)
    made: dict[int, WorkedOut] = {}
    # A session of its own in the same transaction: what the other one remembers may be what it was before we waited.
    with Session(session.connection(), expire_on_commit=False, join_transaction_mode="rollback_only") as fresh:
        rows = store.held(fresh, wanted | copied)
        scope_of(fresh).worked_out = {}  # nothing else changes from here to the commit
        there = {row.id: row for row in assessment_store.of_ids(fresh, wanted | copied)}
        for assessment_id in sorted(wanted & there.keys()):
            try:
                with fresh.begin_nested():
                    row = rows.get(assessment_id)
                    worked_out = (
                        work_out_answers(fresh, there[assessment_id], row)
                        if row is not None and assessment_id in quick
                        else None
                    ) or work_out(fresh, there[assessment_id])
                    row = _put(fresh, row, worked_out)
                    rows[assessment_id] = row
                    made[assessment_id] = worked_out
            except Exception:  # the act that changed something is right, whatever the status comes to
                log.exception("assessment %s has no status", assessment_id)
                rows[assessment_id] = _put_unknown(fresh, rows.get(assessment_id), there[assessment_id])
        for assessment_id in sorted(copied & there.keys() & rows.keys()):
            rows[assessment_id].updated_at = there[assessment_id].updated_at
        fresh.flush()
    return made


def _put_unknown(session: Session, row: StandingRow | None, assessment: AssessmentRow) -> StandingRow:
    """Mark what could not be worked out. A list finds it by what no rule has to say, and in the archive if it is there;
    so a new one is not lost, and one that was put away is not among those that are open."""
    if row is None:
        unknown: dict[str, str] = dict.fromkeys(("label", "sentence", "why", "action_label"), "")
        row = StandingRow(
            assessment_id=assessment.id, state="draft", tone="soft", action_url=f"/assessments/{assessment.id}",
            answered=0, asked=0, steps="[]", evidence="{}", situation="", evidence_sha256="", revision=0, code="",
            worked_out_at=utcnow(), **unknown,
        )  # fmt: skip
        session.add(row)
    away = assessment.archived_at is not None
    row.archived = away or bool(assessment.recorded)
    row.list_filter = "archived" if away and not assessment.recorded else ""
    row.owner_id, row.updated_at, row.stale = assessment.created_by, assessment.updated_at, True
    session.flush()
    return row


def _put(session: Session, row: StandingRow | None, made: "WorkedOut") -> StandingRow:
    """Write what was worked out; only what is other than before is written."""
    assessment, now = made.assessment, made.standing
    evidence = _text(made.evidence.to_json())
    low, high = made.interval or (None, None)
    if row is None:
        row = StandingRow(assessment_id=assessment.id)
        session.add(row)
    values = {
        "state": now.state,
        "label": now.label,
        "sentence": now.sentence,
        "why": now.why,
        "tone": now.tone,
        "action_label": now.action.label,
        "action_url": now.action.url,
        "best": now.best,
        "low": low,
        "high": high,
        "target": now.target,
        "answered": made.situation.questions_answered,
        "asked": made.situation.questions,
        # The finished example is in no list: neither among those that are open, nor in the archive.
        "list_filter": "" if assessment.recorded else store.filter_of(now.state),
        "archived": assessment.archived_at is not None or bool(assessment.recorded),
        "owner_id": assessment.created_by,
        "updated_at": assessment.updated_at,
        "steps": _text([astuple(step) for step in made.steps]),
        "situation": _text(made.situation.to_json()),
        "evidence": evidence,
        "evidence_sha256": sha256(evidence.encode()).hexdigest(),
        "glance": _text(made.glance.to_json()),
        "revision": assessment.revision,
        "code": rules_version(),
        "valid_until": made.valid_until,
        "stale": False,
    }
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        row.worked_out_at = utcnow()
    session.flush()
    return row


def _text(value: JsonObject | list[tuple[object, ...]]) -> str:
    return json.dumps(value, ensure_ascii=False)


def catch_up(engine: Engine, most: int, failed: set[int] | None = None) -> int:
    """Work out what is stale, at most so many, each in a transaction of its own; returns how many are kept now.

    failed: those that could not be worked out are added, and those in it are not tried again. So nothing waits behind
    them, and nobody who calls until there is nothing left goes round for ever.
    """
    failed = set() if failed is None else failed
    with reading(engine) as session:
        ids = store.stale_ids(session, utcnow(), most, failed)
    for assessment_id in ids:
        with writing(engine) as session:
            if not keep(session, [assessment_id]):
                failed.add(assessment_id)
    return len([assessment_id for assessment_id in ids if assessment_id not in failed])


def distrust_older_rules(engine: Engine) -> None:
    """Mark stale what another version of the app kept; to be done once when a process starts."""
    with reading(engine) as session:
        older = store.of_other_rules(session, rules_version())
    if older:
        with writing(engine) as session:
            store.mark_stale(session, older)


def differing(session: Session, rows: Iterable[AssessmentRow]) -> list[int]:
    """Of these, the ones whose kept status is another than the one worked out now; stale ones are not looked at."""
    from app.standing.working_out import work_out

    wrong = []
    for assessment in rows:
        row = store.find(session, assessment.id)
        if row is None or row.stale or (row.valid_until is not None and row.valid_until <= utcnow()):
            continue
        made = work_out(session, assessment)
        kept = (store.of_row(row), row.evidence, row.steps, row.situation, row.glance, (row.low, row.high))
        steps = _text([astuple(step) for step in made.steps])
        interval = made.interval or (None, None)
        now = (_text(made.situation.to_json()), _text(made.glance.to_json()), interval)
        if kept != (made.standing, _text(made.evidence.to_json()), steps, *now):
            wrong.append(assessment.id)
    return wrong
