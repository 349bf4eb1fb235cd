"""The one place where a prompt is put together.

Baselines, training rows and the judging of an adapter all go through `render`, so what a model was trained on, what
it is asked and what will be served cannot drift apart (a mismatch there is the commonest cause of tuned models that
"got worse").
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from app.chat import Message


@dataclass(frozen=True, slots=True)
class Shot:
    """A row shown as an example: what was asked and the answer that was wanted. `id` and `line` name its row."""

    id: int
    line: int
    messages: tuple[Message, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document that stands before a question. `id` names it in its index."""

    id: int
    title: str
    text: str


def render(
    instructions: str, shots: Sequence[Shot], messages: Iterable[Message], passages: Sequence[Passage] = ()
) -> tuple[Message, ...]:
    """What the model is given: instructions first, each example as a finished exchange, then the question.

    Passages stand before the last thing that the user says, numbered from 1 in their order.

    A row may bring a system text of its own; it stands below the instructions, and is not said twice when it is the
    same text. Blank instructions and no such text mean no system turn at all. System texts of examples are left out:
    the one of the question holds for all.
    """
    turns = list(messages)
    own = "\n\n".join(turn.content.strip() for turn in turns if turn.role == "system")
    general = instructions.strip()
    system = "\n\n".join(part for part in (general, own) if part) if own != general else general
    rendered = [Message("system", system)] if system else []
    for shot in shots:
        rendered += [turn for turn in shot.messages if turn.role != "system"]
        rendered.append(Message("assistant", shot.target))
    rendered += _with_passages([turn for turn in turns if turn.role != "system"], passages)
    return tuple(rendered)


def _with_passages(turns: list[Message], passages: Sequence[Passage]) -> list[Message]:
    last = next((at for at in reversed(range(len(turns))) if turns[at].role == "user"), None)
    if not passages or last is None:
        return turns
    numbered = [
        f"[{number}] {passage.title}\n{passage.text}" if passage.title else f"[{number}] {passage.text}"
        for number, passage in enumerate(passages, start=1)
    ]
    text = "\n\n".join(["Passages:", *numbered, f"Question:\n{turns[last].content}"])
    return [*turns[:last], Message("user", text), *turns[last + 1 :]]


def sha256(messages: Iterable[Message]) -> str:
    """Identity of a rendered prompt, down to the last blank."""
    return hashlib.sha256(orjson.dumps([[turn.role, turn.content] for turn in messages])).hexdigest()


def question(messages: Iterable[Message]) -> str:
    """What is asked, as one text: everything but system turns, for likeness and for lists."""
    return "\n".join(turn.content for turn in messages if turn.role != "system")
