"""Queries of the home page that belong to no other concept."""

from datetime import datetime
from itertools import combinations

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from app.audit import accounts
from app.economics.tables import PriceRow
from app.home.set_up import There
from app.inference.tables import ModelRow
from app.users.tables import UserRow

NOBODYS = "%.invalid"
"""Addresses of the worked example's accounts, which nobody can use."""
FIRST = 8  # accounts that are looked at: a team that has more has two people among them


def there(session: Session) -> There:
    """What of the set-up is there. A model counts once it can be asked: a server, or weights that were prepared."""
    people = select(func.count(UserRow.id)).where(UserRow.active, UserRow.email.not_like(NOBODYS)).scalar_subquery()
    row = session.execute(select(people, select(exists().where(PriceRow.id.is_not(None))).scalar_subquery())).one()
    models = session.execute(select(ModelRow.kind, ModelRow.files).where(ModelRow.retired_at.is_(None)).limit(50))
    usable = any(kind == "endpoint" or files for kind, files in models)
    return There(usable, int(row[0]), bool(row[1]), _second(session))


def _second(session: Session) -> bool:
    """Whether two of the accounts, of the first ones, are two people for sure."""
    somebodys = select(UserRow.id).where(UserRow.active, UserRow.email.not_like(NOBODYS)).order_by(UserRow.id)
    pairs = combinations(session.scalars(somebodys.limit(FIRST)), 2)
    return any(accounts.independent(session, one, other) for one, other in pairs)


def put_checklist_away(session: Session, user_id: int, now: datetime) -> None:
    session.execute(update(UserRow).where(UserRow.id == user_id).values(checklist_at=now))
