"""Publishing a policy, and finding the one that holds.

A policy is the package's rules with a team's numbers, so a row is turned into a `Policy` once a process and kept: rows
never change, and the key is everything the policy is made of.
"""

from functools import lru_cache

import orjson
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.advice.policy import Numbers, Policy
from app.advice.policy_file import POLICY
from app.audit import service as audit
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid, Stale
from app.json_types import JsonDict
from app.policies import store
from app.policies.changes import Change, differences, field_errors
from app.policies.tables import PolicyRow
from app.users.tables import UserRow

BUILT_IN = 0  # the number of the policy that comes with the app
LONGEST_REASON = 2000


def of(session: Session, policy_id: int | None) -> Policy:
    """The policy by the id that an assessment keeps; None is the built-in one."""
    return of_row(published(session, policy_id))


def of_row(row: PolicyRow | None) -> Policy:
    """The same from its row; None is the built-in one."""
    return POLICY if row is None else made(row)


def numbered(session: Session, number: int) -> Policy:
    """The policy by its number; 0 is the built-in one."""
    return POLICY if number == BUILT_IN else made(store.numbered(session, number))


def todays_id(session: Session) -> int | None:
    """What a new assessment is judged by; None for the built-in policy."""
    newest = store.newest(session)
    return newest.id if newest else None


def published(session: Session, policy_id: int | None) -> PolicyRow | None:
    """The row of a policy that a team published; None for the built-in one, which nobody here set."""
    return None if policy_id is None else store.get(session, policy_id)


def today(session: Session) -> Policy:
    newest = store.newest(session)
    return made(newest) if newest else POLICY


def made(row: PolicyRow) -> Policy:
    """A row as a policy, `2.1` for the first one published from version 2 of the built-in rules."""
    return _made(f"{row.base}.{row.number}", orjson.dumps(row.numbers, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=256)
def _made(version: str, numbers: bytes) -> Policy:
    return POLICY.restored(version, orjson.loads(numbers))


def publish(session: Session, numbers: Numbers, reason: str, based_on: int, me: UserRow) -> PolicyRow:
    """Make these numbers the policy of every assessment that begins from now on.

    based_on: the number of the policy that the person had before their eyes.

    Raises:
        Invalid: no reason, or a number out of its bounds.
        Stale: somebody else published in the meantime.
        Conflict: nothing is different.
    """
    newest = store.newest(session)
    before, last = (made(newest), newest.number) if newest else (POLICY, BUILT_IN)
    if based_on != last:
        raise Stale(f"Policy {before.version} was published in the meantime. Look at it, then change what you wanted.")
    whole = _merged(before, numbers)
    errors = field_errors(list(POLICY.faults_of(whole)), POLICY)
    reason = reason.strip()
    if not reason:
        errors.append(FieldError("#/reason", "Say why; everybody whose assessment it decides will read this."))
    if len(reason) > LONGEST_REASON:
        errors.append(FieldError("#/reason", f"At most {LONGEST_REASON:,} characters; these are {len(reason):,}."))
    if errors:
        raise Invalid("The policy can't be published like this.", errors)
    after = POLICY.with_numbers(f"{POLICY.version}.{last + 1}", whole)
    changes = differences(before, after)
    if not changes:
        raise Conflict(f"These are the numbers of policy {before.version}; there is nothing to publish.")
    row = PolicyRow(
        number=last + 1,
        base=POLICY.version,
        numbers=after.numbers(),
        reason=reason,
        sha256=after.sha256,
        published_by=me.id,
        published_at=utcnow(),
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Stale(
            "Somebody else published a policy at this moment. Look at it, then change what you wanted."
        ) from error
    audit.record(session, me, "policy.publish", "policy", row.id, _record(row, after, changes))
    return row


def _merged(before: Policy, numbers: Numbers) -> Numbers:
    """Every number: the given ones over those before. A name that isn't known stays in, to be refused by name."""
    known = before.numbers()
    thresholds = {**known["thresholds"], **numbers.get("thresholds", {})}
    weights = {**known["weights"], **numbers.get("weights", {})}
    return {**numbers, "thresholds": thresholds, "weights": weights}


def _record(row: PolicyRow, policy: Policy, changes: list[Change]) -> JsonDict:
    changed = {f"{change.name} {change.approach}".strip(): f"{change.before} -> {change.after}" for change in changes}
    return {"version": policy.version, "sha256": row.sha256, "reason": row.reason[:500], "changed": changed}
