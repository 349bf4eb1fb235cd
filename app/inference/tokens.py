"""From messages to tokens: the one place where a conversation becomes what a model reads, in a baseline as in training.

The prompt and the answer are turned into tokens apart from each other, because that is what happens when the model is
used: it gets the prompt's tokens and adds its own. A training row cut at any other place would teach a start that
never comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.inference.generator import Message


class Tokenizer(Protocol):
    """What we use of a transformers tokenizer."""

    chat_template: Any
    eos_token: str
    eos_token_id: int

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...
    def __call__(self, text: str, **options: Any) -> Mapping[str, Any]: ...
    def decode(self, token_ids: Sequence[int], **options: Any) -> str: ...


class CannotRender(Exception):
    """The model's chat template does not take these messages."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One training row: token ids of the prompt, and of the completion, which ends with the stop token."""

    prompt: list[int]
    completion: list[int]

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.completion)


def prompt_text(tokenizer: Tokenizer, messages: Sequence[Message]) -> str:
    """What the model reads before it answers. Without a chat template: the texts, a blank line between them."""
    if not tokenizer.chat_template:
        return "".join(f"{message.content}\n\n" for message in messages)
    return _render(tokenizer, messages, add_generation_prompt=True)


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Token ids of the prompt; the template brings every special token itself."""
    return _ids(tokenizer, prompt_text(tokenizer, messages))


def training_row(tokenizer: Tokenizer, messages: Sequence[Message], target: str) -> TokenRow:
    """Prompt and completion of a training row.

    The completion is what the model's own template writes for the answer, up to and with its first stop token, which
    is where generation ends. A template that writes another start for a finished answer than for one to come (some
    add a thinking block) leaves the plain answer and a stop token.
    """
    before = prompt_text(tokenizer, messages)
    after = target + tokenizer.eos_token
    if tokenizer.chat_template:
        whole = _render(tokenizer, [*messages, Message("assistant", target)], add_generation_prompt=False)
        if whole.startswith(before):
            after = whole[len(before) :]
    completion = _ids(tokenizer, after)
    if tokenizer.eos_token_id in completion:
        completion = completion[: completion.index(tokenizer.eos_token_id) + 1]
    else:
        completion = [*completion, tokenizer.eos_token_id]
    return TokenRow(_ids(tokenizer, before), completion)


def common_prefix(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with, at least one token of each left over."""
    if not rows:
        return 0
    low, high = min(rows), max(rows)  # in sorted order the first and the last differ soonest
    shared = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return max(0, min(shared, min(len(row) for row in rows) - 1))


def _render(tokenizer: Tokenizer, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
    except Exception as error:  # a template is the model maker's program: it raises what it likes
        raise CannotRender(f"The model's chat template does not take these messages: {error}") from error
    return str(text)


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
