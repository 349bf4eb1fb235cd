"""Who may start the worked example: an admin, for it adds accounts; with a token, one that may launch training."""

from typing import Annotated

from fastapi import Depends

from app.users.deps import Require
from app.users.tables import Role, UserRow

Starter = Annotated[UserRow, Depends(Require(Role.ADMIN, scope="launch"))]
