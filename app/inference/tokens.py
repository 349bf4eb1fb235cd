"""From messages to tokens: the one place where a conversation becomes what a model reads, in a baseline as in training.

The prompt and the answer are turned into tokens apart from each other, because that is what happens when the model is
used: it gets the prompt's tokens and adds its own. A training row cut at any other place would teach a start that
never comes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from app.chat import Message
from app.inference import answer_text
from app.inference.generator import folded, joined

EMPTY_BLOCK = "<think>\n\n</think>\n\n"  # what some templates write before any answer


class Tokenizer(Protocol):
    """What we use of a transformers tokenizer."""

    chat_template: str | None
    eos_token: str
    eos_token_id: int

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: object) -> Any: ...
    def __call__(self, text: str, **options: object) -> Mapping[str, list[int]]: ...
    def decode(self, token_ids: Sequence[int], **options: object) -> str: ...


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


def prompt_text(tokenizer: Tokenizer, messages: Sequence[Message], *, thinks: bool = False) -> str:
    """What the model reads before it answers. Without a chat template: the texts, a blank line between them. thinks:
    whether it is to think first, for a template that can have it both ways."""
    if not tokenizer.chat_template:
        return "".join(f"{message.content}\n\n" for message in messages)
    return _render(tokenizer, messages, add_generation_prompt=True, thinks=thinks)


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[Message], *, thinks: bool = False) -> list[int]:
    """Token ids of the prompt. A template brings every special token itself; without one a beginning is added here."""
    return _prompt_ids(tokenizer, prompt_text(tokenizer, messages, thinks=thinks))


def opened(tokenizer: Tokenizer, messages: Sequence[Message], *, thinks: bool = False) -> str:
    """The mark of thinking that the template leaves open for the model to go on with; empty where there is none."""
    return answer_text.opens(prompt_text(tokenizer, messages, thinks=thinks)) if tokenizer.chat_template else ""


def training_row(
    tokenizer: Tokenizer, messages: Sequence[Message], target: str, reasoning: str = "", *, thinks: bool = False
) -> TokenRow:
    """Prompt and completion of a training row.

    The completion is what the model's own template writes for the answer, up to and with its first stop token, which
    is where generation ends. Where the template opens thinking for an answer to come, and writes none for a finished
    one, the answer begins by closing it: that is what the model has to do to be read. reasoning: what is to be thought
    before the answer, between the marks of thinking that the template opens, or else `<think>`. thinks: whether rows
    have reasoning; as in asking (`prompt_text`), thinking that a template can leave out is left out where they have
    none.
    """
    before = prompt_text(tokenizer, messages, thinks=thinks)
    after = _thought(reasoning) + target + tokenizer.eos_token
    if tokenizer.chat_template:
        whole = _finished(tokenizer, messages, target, reasoning, thinks=thinks)
        mark = answer_text.opens(before)
        if whole.startswith(before) and reasoning in whole[len(before) :]:
            after = whole[len(before) :]
        elif mark:
            after = f"{reasoning}\n{answer_text.closing(mark)}\n\n{after.removeprefix(_thought(reasoning))}"
    completion = _ids(tokenizer, after)
    if tokenizer.eos_token_id in completion:
        completion = completion[: completion.index(tokenizer.eos_token_id) + 1]
    else:
        completion = [*completion, tokenizer.eos_token_id]
    return TokenRow(_prompt_ids(tokenizer, before), completion)


def _thought(reasoning: str) -> str:
    """Reasoning as it stands before an answer, in the marks that most templates use."""
    return f"<think>\n{reasoning}\n</think>\n\n" if reasoning else ""


def _finished(tokenizer: Tokenizer, messages: Sequence[Message], target: str, reasoning: str, *, thinks: bool) -> str:
    """The conversation with its answer as the template writes it. A template that knows reasoning is given it apart;
    of one that leaves it out, or has no place for it, it is a part of the answer's text."""
    turns = [*messages, Message("assistant", target)]
    if reasoning and "reasoning_content" in str(tokenizer.chat_template):
        with suppress(CannotRender):
            text = _templated(
                tokenizer, turns, add_generation_prompt=False, thinks=thinks, last={"reasoning_content": reasoning}
            )
            if reasoning in text:
                return text
    thought = _thought(reasoning)
    turns[-1] = Message("assistant", thought + target)
    text = _render(tokenizer, turns, add_generation_prompt=False, thinks=thinks)
    return text.replace(EMPTY_BLOCK + thought, thought) if thought else text


def common_prefix(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with, at least one token of each left over."""
    if not rows:
        return 0
    low, high = min(rows), max(rows)  # in sorted order the first and the last differ soonest
    shared = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return max(0, min(shared, min(len(row) for row in rows) - 1))


def _render(
    tokenizer: Tokenizer, messages: Sequence[Message], *, add_generation_prompt: bool, thinks: bool = False
) -> str:
    """What the template makes of these turns; without a system turn, or with the turns of one speaker made one, for
    templates that refuse them or leave them out."""
    plain = folded(messages)
    try:
        text = _templated(tokenizer, messages, add_generation_prompt=add_generation_prompt, thinks=thinks)
    except CannotRender as refusal:
        for form in dict.fromkeys((plain, joined(messages), joined(plain))):
            if form != tuple(messages):
                with suppress(CannotRender):
                    return _templated(tokenizer, form, add_generation_prompt=add_generation_prompt, thinks=thinks)
        raise refusal from None
    if any(message.role == "system" and message.content.strip() not in text for message in messages):
        return _templated(tokenizer, plain, add_generation_prompt=add_generation_prompt, thinks=thinks)
    return text


def _templated(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool,
    thinks: bool = False,
    last: Mapping[str, str] | None = None,
) -> str:
    """last: keys that the last turn has besides."""
    turns = [message.to_json() for message in messages]
    turns[-1] |= dict(last or {})
    # The usual switch of templates that know thinking (Qwen's and others): most rows have answers only.
    mode = {"enable_thinking": thinks} if "enable_thinking" in str(tokenizer.chat_template) else {}
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt, **mode)
    except Exception as error:  # a template is the model maker's program: it raises what it likes
        raise CannotRender(f"The model's chat template does not take these messages: {error}") from error
    return str(text)


def _prompt_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """A prompt's tokens, with the one beginning token that its model was trained with, if it was with one."""
    ids = _ids(tokenizer, text)
    first = getattr(tokenizer, "bos_token_id", None)
    if tokenizer.chat_template or first is None or ids[:1] == [first]:
        return ids
    adds_it = list(tokenizer("a", add_special_tokens=True)["input_ids"])[:1] == [first]
    return [int(first), *ids] if adds_it else ids


def remarks(tokenizer: Tokenizer) -> Iterator[str]:
    """What somebody should know of how this template renders rows, in words; asking and training do it alike."""
    if not tokenizer.chat_template:
        yield "The model has no chat template: messages are texts with a blank line between them. Serve it so, too."
        return
    told, asked = Message("system", "instructions"), Message("user", "question")
    try:
        whole = _templated(tokenizer, [told, asked], add_generation_prompt=True)
    except CannotRender:
        whole = ""
    if told.content not in whole:
        yield (
            "The chat template has no system turn: instructions stand before the first question, in baselines and "
            "training alike; so they have to where it is served."
        )
    if opened(tokenizer, [asked]):
        yield (
            "The chat template opens thinking before each answer: what is trained begins by closing it, since the rows "
            "have answers only."
        )
    elif "enable_thinking" in str(tokenizer.chat_template):
        yield (
            "The chat template knows thinking; it is switched off here (enable_thinking=false), and has to be switched "
            "off where the adapter is served."
        )


def beginnings(tokenizer: Tokenizer, ids: Sequence[int]) -> int:
    """How many beginning tokens a prompt starts with."""
    first = getattr(tokenizer, "bos_token_id", None)
    if first is None:
        return 0
    return next((number for number, token in enumerate(ids) if token != first), len(ids))


def ending(tokenizer: Tokenizer) -> int | None:
    """The token that the template writes right after an answer; None without a template, or where it writes none."""
    if not tokenizer.chat_template:
        return None
    sample = "answer"
    try:
        whole = _render(
            tokenizer, [Message("user", "question"), Message("assistant", sample)], add_generation_prompt=False
        )
    except CannotRender:
        return None
    behind = whole[whole.rindex(sample) + len(sample) :] if sample in whole else ""
    ids = _ids(tokenizer, behind.lstrip())
    return ids[0] if ids else None


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
