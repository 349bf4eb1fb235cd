"""What a model is to us: it takes requests and gives answers back, in whatever order they are done.

A baseline, a preflight and the judging of an adapter all talk to this interface, so a model behind an
address, a model in a child process and a scripted one in a test are told apart only where they are made
(`service.generator`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from app.chat import Message
from app.inference.constraints import Constraint

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", ""]


@dataclass(frozen=True, slots=True)
class Request:
    """One question; `id` comes back with the answer and means something to the caller only.

    constraint: what the answer may be. choices: score these answers instead of writing one; the likeliest counts.
    fresh: nothing that was answered earlier will do, as where the same is asked twice to see whether answers differ.
    thinks: have the model think before it answers, where its template knows thinking (`tokens.prompt_text`); a server
    thinks as it does.
    A generator that cannot do what is asked answers with an error, and never without it.
    """

    id: str
    messages: tuple[Message, ...]
    max_tokens: int
    constraint: Constraint | None = None
    choices: tuple[str, ...] = ()
    fresh: bool = False
    thinks: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request.

    With `error` there is no answer: `text` is empty and nobody may score it as a wrong one. Without it the
    text is what the model said, even if that is nothing. finish: empty where the server did not say why it ended.
    Token counts are the model's own; 0 prompt tokens are none that any question can have: it did not say. seconds: of
    this answer alone, without what waited before it or ran beside it. thinking: what the model thought, where it came
    apart from the answer. raw: the text as it came, where something was taken off (`answer_text.settled`).
    chances: the probability of each of the request's choices, which sum to 1; None where it had none.
    """

    id: str
    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    error: str | None = None
    thinking: str = ""
    raw: str | None = None
    chances: Mapping[str, float] | None = None


def folded(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same conversation without a system turn: its text stands in front of what the user says first.

    For models whose template knows no system turn (Gemma, early Mistral). The one form of it, for servers and for
    models on this machine, in asking as in training.
    """
    instructions = "\n\n".join(
        message.content for message in messages if message.role == "system" and message.content.strip()
    )
    turns = [message for message in messages if message.role != "system"]
    first = next((at for at, turn in enumerate(turns) if turn.role == "user"), None)
    if not instructions or first is None:
        return tuple(messages)
    turns[first] = Message("user", f"{instructions}\n\n{turns[first].content}")
    return tuple(turns)


def joined(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same conversation with what one speaker says in several turns made one turn.

    For models whose template wants the speakers to take turns strictly; as `folded`, the one form of it everywhere.
    """
    turns: list[Message] = []
    for turn in messages:
        if turns and turns[-1].role == turn.role:
            turns[-1] = Message(turn.role, f"{turns[-1].content}\n\n{turn.content}")
        else:
            turns.append(turn)
    return tuple(turns)


class Generator(Protocol):
    """A model that is ready to answer. `close` gives back what it holds (a process, a connection)."""

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        """Yield each answer as it is done, in any order, exactly one for each request.

        Once `stop()` is true no further request is begun and the iterator ends soon, with fewer answers. A
        fault of one request is an answer with `error`; what makes every further request pointless (a wrong
        key, a model that is not there) is raised as `Unusable`.
        """
        ...

    def close(self) -> None:
        """Let go of everything; a second call does nothing."""
        ...


class Unusable(Exception):
    """No request can succeed any more: one sentence with the cause and what to do next."""
