"""Whether the process answers, for whoever looks after it."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.web.problems import described

router = APIRouter(tags=["health"], responses=described(400))


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


@router.get("/health/live", name="live")
def live() -> Alive:
    """The process answers. Says nothing else, so that anybody may ask: for load balancers and container platforms."""
    return Alive()
