"""Refusals that only a request can meet."""

from app.errors import Refusal


class TooMany(Refusal):
    """Too many attempts; `seconds` until the next one is looked at."""

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.seconds = seconds


class SignInFirst(Refusal):
    """Nobody is signed in, or no longer."""


class SeeFirst(Refusal):
    """Something has to be done at `url` before anything else; a browser is led there."""

    def __init__(self, detail: str, url: str) -> None:
        super().__init__(detail)
        self.url = url
