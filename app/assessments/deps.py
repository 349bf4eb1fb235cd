"""What the questionnaire's routes ask for beyond the usual."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData


async def _form(request: Request) -> FormData:
    """The whole form as it came. Name it before `Db` in a route: no transaction is open while a body is on its way."""
    return await request.form()


Sent = Annotated[FormData, Depends(_form)]
