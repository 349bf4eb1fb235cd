"""What routes that show answers share: test answers that are shown to somebody are a look."""

from collections.abc import Sequence

from app.baselines import looks
from app.baselines.tables import ArmRow, BaselineRow
from app.db import writing
from app.users.tables import UserRow
from app.web.context import AppContext
from app.web.deps import Db as Session


def shown_to(
    app: AppContext, session: Session, me: UserRow, baseline: BaselineRow, arms: Sequence[ArmRow], how: str
) -> None:
    """Note that test answers of these arms are shown to somebody, in a transaction of its own: reading holds none that
    may write. Nothing is written the second time."""
    if due := looks.unnoted(session, baseline, arms, me):
        with writing(app.engine) as own:
            looks.note_opening(own, baseline, due, me, how)
