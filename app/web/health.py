"""Whether the process answers, for whoever looks after it.

It is answered by the loop itself: a place among the threads that draw pages would be waited for when all of them are
taken, and whoever looks after a busy process would take it for a dead one and end it.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.web.problems import described

router = APIRouter(tags=["health"], responses=described(400))


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


@router.get("/health/live", name="live")
async def live() -> Alive:
    """The process answers. Says nothing else, so that anybody may ask: for load balancers and container platforms."""
    return Alive()
