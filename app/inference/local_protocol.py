"""What the process that holds a model is asked, and what it answers, each as one line of JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Literal, NotRequired, TypedDict, cast

from app.inference.constraints import Kind
from app.inference.generator import Finish, Request

Dtype = Literal["auto", "float32", "bfloat16"]


class TurnJson(TypedDict):
    """One turn of a conversation; see `chat.Message`."""

    role: str
    content: str


class HeldTo(TypedDict):
    """What an answer may be; see `constraints.Constraint`."""

    kind: Kind
    text: str


class Load(TypedDict):
    """The model to load; see `local.LocalModel`."""

    model: str
    adapter: str | None
    files: Mapping[str, str] | None
    threads: int
    dtype: str
    device: str
    bits: int | None


class AskedRow(TypedDict):
    """One request; see `generator.Request`. stops, pieces: only where somebody follows the answer (`following`).
    bare: of the base model alone, whatever adapter is loaded."""

    id: str
    messages: Sequence[Mapping[str, str]]
    max_tokens: int
    constraint: NotRequired[HeldTo | None]
    choices: NotRequired[Sequence[str]]
    thinks: NotRequired[bool]
    fresh: NotRequired[bool]
    stops: NotRequired[Sequence[str]]
    pieces: NotRequired[bool]
    bare: NotRequired[bool]


def asked(request: Request) -> AskedRow:
    """A request as the process is asked it."""
    return cast("AskedRow", asdict(request))


class AnsweredRow(TypedDict):
    """One answer; see `generator.Answer`."""

    id: str
    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    error: str | None
    chances: NotRequired[Mapping[str, float]]


class RowToCount(TypedDict):
    """A row whose tokens are counted."""

    id: str
    messages: Sequence[Mapping[str, str]]
    target: str


class CountedRow(TypedDict):
    """Its tokens, and both texts as the model reads them; or why it can't be rendered."""

    id: str
    prompt_tokens: NotRequired[int]
    completion_tokens: NotRequired[int]
    prompt: NotRequired[str]
    completion: NotRequired[str]
    error: NotRequired[str]
