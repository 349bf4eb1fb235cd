"""Conversations as people upload them (OpenAI's messages, ShareGPT's turns) in the form that is measured and trained.

Measuring and training know three speakers, system, user and assistant, and text. What does not fit is written as text,
the same way for every model, and the report says so:

- a `developer` message is a system message;
- the definitions of `tools` stand in the system message, one JSON object a line, below the words of CALLING;
- an assistant's tool call is the JSON that CALLING asks for, `{"name": ..., "arguments": {...}}`, or a list of them;
- a tool's result is a user's message that names the tool. Results that follow each other are one message.

So a model is asked for its calls in words, and a row that ends with one is scored like any JSON answer. A server's own
interface for tools is not used: it differs between servers, and many small models' templates have none. `source` keeps
the conversation in OpenAI's form, so that nothing is lost for an export.

What a model thought before it answered is no part of the answer; it is counted, and trained where somebody wants that.
An assistant message of `weight` 0 is asked along and never learned. The answer wanted is the last one that is not; what
comes after that is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.chat import Message
from app.datasets.reading.faults import Unfit, storable
from app.datasets.reading.json_text import to_text
from app.datasets.reading.tool_calls import Definition, drop_padding, explanation
from app.datasets.reading.turns import Turn
from app.json_types import JsonDict
from app.wording import Statement, state


# ---------------------------------------------------------------------- into text
@dataclass(frozen=True, slots=True)
class Asked:
    """A conversation in our form. source: see `Record`. cut: turns after the answer wanted were left out.

    thought: see `Turn`, of any answer; reasoning: of the answer wanted; padded: see `unpadded`.
    """

    messages: tuple[Message, ...]
    target: str
    source: JsonDict | None
    cut: bool = False
    thought: str = ""
    padded: int = 0
    reasoning: str = ""


def into_messages(turns: Sequence[Turn], definitions: Sequence[Definition], at: str) -> Asked:
    """What is asked and the answer wanted.

    Raises:
        Unfit: there is no answer, or nothing is asked before it.
    """
    if not any(turn.role == "assistant" for turn in turns):
        raise Unfit(at, state("no_answer"))
    if turns[-1].role != "assistant":
        raise Unfit(at, state("ends_with", role=turns[-1].role))
    padded = drop_padding(turns, definitions)
    last = next((n for n in range(len(turns) - 1, -1, -1) if turns[n].role == "assistant" and turns[n].trained), None)
    if last is None:
        raise Unfit(at, state("no_weight"))
    target = _text_of(turns[last])
    if not target.strip():
        raise Unfit(at, state("answer_empty"), "empty")
    before = turns[:last]
    if not any(turn.role in ("user", "tool") and turn.text.strip() for turn in before):
        raise Unfit(at, state("no_question"), "empty")
    tools_text = explanation(definitions)
    source: JsonDict | None = None
    if definitions or not all(turn.plain for turn in turns):
        source = {"messages": [turn.raw for turn in turns]}
        if definitions:
            source["tools"] = list(definitions)
    thought = next((turn.thought for turn in turns if turn.thought), "")
    return Asked(
        tuple(_merged(before, tools_text)),
        target,
        source,
        last < len(turns) - 1,
        thought,
        padded,
        turns[last].reasoning,
    )


def _merged(turns: Iterable[Turn], tools_text: str) -> Iterator[Message]:
    """The turns as messages: the tools explained in the first system message, tool results gathered."""
    results: list[str] = []
    for turn in turns:
        if turn.role == "tool":
            results.append(f"Result of {turn.of or 'the tool'}:\n{turn.text}")
            continue
        if tools_text:
            if turn.role == "system":
                yield Message("system", f"{turn.text.rstrip()}\n\n{tools_text}" if turn.text.strip() else tools_text)
                tools_text = ""
                continue
            yield Message("system", tools_text)
            tools_text = ""
        if results:
            yield Message("user", "\n\n".join(results))
            results = []
        yield Message(turn.role, _text_of(turn))
    if tools_text:
        yield Message("system", tools_text)
    if results:
        yield Message("user", "\n\n".join(results))


def _text_of(turn: Turn) -> str:
    if not turn.calls:
        return turn.text
    calls = to_text(turn.calls[0] if len(turn.calls) == 1 else turn.calls)
    return storable(f"{turn.text.rstrip()}\n{calls}" if turn.text.strip() else calls, "tool_calls")


def order_remark(messages: Sequence[Message]) -> Statement | None:
    """What is odd where the turns come in an order that some chat templates refuse, else None."""
    if len(messages) == 1 and messages[0].role == "user":
        return None  # nearly every row
    spoken = [turn.role for turn in messages if turn.role in ("user", "assistant")] + ["assistant"]
    if spoken[0] == "assistant":
        return state("assistant_first")
    if any(speaker == next_speaker for speaker, next_speaker in pairwise(spoken)):
        return state("same_speaker")
    return None
