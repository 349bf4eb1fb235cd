"""What the policy's routes ask for beyond the usual."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData


async def _form(request: Request) -> FormData:
    """The whole form as it came; its fields are those of the policy. Name it before `Db` in a route."""
    return await request.form()


Sent = Annotated[FormData, Depends(_form)]
