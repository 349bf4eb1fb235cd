"""Whose account it is, by the record: who made it, opened it or gave it its role, and so whether two are two people."""

from sqlalchemy.orm import Session

from app.audit import store as audit_store

OPENED = ("user.add", "user.reset_password")
RAISED = ("user.add", "user.change_role")
SWITCHED = ("user.disable", "user.enable")


def keepers(session: Session, user_id: int) -> dict[int, list[str]]:
    """Who could use an account besides its owner, from the record: who made it or gave it its last password, who gave
    it its role, who switched it off or on last. What was done before the operator gave it a password on the server
    counts no more."""
    entries = audit_store.acts(session, {*OPENED, *RAISED, *SWITCHED}, "user", user_id)
    for number, entry in enumerate(entries):
        if entry.act == "user.reset_password" and entry.actor_id is None:
            entries = entries[number:]
    keepers: dict[int, list[str]] = {}
    for acts in (OPENED, RAISED, SWITCHED):
        last = next((entry for entry in reversed(entries) if entry.act in acts), None)
        if last is not None and last.actor_id not in (None, user_id):
            done = keepers.setdefault(int(last.actor_id), [])
            if DONE[last.act] not in done:
                done.append(DONE[last.act])
    return keepers


DONE = {
    "user.add": "made the account",
    "user.reset_password": "gave it a new password",
    "user.change_role": "gave it its role",
    "user.disable": "switched it off",
    "user.enable": "switched it on",
}


def independent(session: Session, user_id: int, other_id: int) -> bool:
    """Whether two accounts are two people for sure: not one, and neither could be used by the other's owner."""
    return (
        user_id != other_id and other_id not in keepers(session, user_id) and user_id not in keepers(session, other_id)
    )
