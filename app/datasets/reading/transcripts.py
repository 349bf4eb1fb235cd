"""Whole conversations in one text, as people keep them for training: cut into turns where the marks leave no doubt.

`### Human: ... ### Assistant: ...`, `[INST] ... [/INST] ...`, ChatML, Llama 3, Gemma, `User: ...` at the beginning of
lines. Such a file holds questions with answers, so it is no document to look things up in. Where the marks are there
but the turns don't alternate up to an answer, `turns` says so by name.
"""

import re
from dataclasses import dataclass

from app.datasets.reading.faults import Unfit
from app.wording import state

_SPEAKERS = {
    **dict.fromkeys(("human", "user", "instruction", "question", "prompter", "customer", "q"), "user"),
    **dict.fromkeys(("assistant", "response", "answer", "model", "bot", "gpt", "ai", "agent", "a"), "assistant"),
    **dict.fromkeys(("system", "context"), "system"),
    "input": "more",
}
_NAMES = "|".join(sorted((*_SPEAKERS, "### input"), key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class _Style:
    """starts: what begins a turn, with its speaker as the group; ends: what closes one and is no text."""

    name: str
    starts: re.Pattern[str]
    ends: re.Pattern[str]


_STYLES = (
    _Style("<|im_start|>", re.compile(r"<\|im_start\|>[ ]?(\w+)[ ]?\n?"), re.compile(r"<\|im_end\|>|<\|endoftext\|>")),
    _Style(
        "<|start_header_id|>",
        re.compile(r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\s*"),
        re.compile(r"<\|eot_id\|>|<\|begin_of_text\|>|<\|end_of_text\|>"),
    ),
    _Style(
        "<start_of_turn>", re.compile(r"<start_of_turn>(\w+)\s*\n?"), re.compile(r"<end_of_turn>|<bos>|<eos>|</?s>")
    ),
    _Style("<|user|>", re.compile(r"<\|(system|user|assistant)\|>\s*"), re.compile(r"</?s>|<\|end\|>|<\|endoftext\|>")),
    _Style(
        "###",
        re.compile(rf"(?:(?<=\s)|^|(?<=[.!?]))###? ?({_NAMES})(?: \d+)?\s*:?[ ]*\n?", re.IGNORECASE),
        re.compile(r"</?s>"),
    ),
    _Style(
        "Human:",
        # Blanks of one line only: across lines, each of many empty ones would be looked at from all before it.
        re.compile(r"(?:^|\n)[^\S\n]*(human|user|customer|assistant|bot|ai|agent|gpt|system):[ \t]*", re.IGNORECASE),
        re.compile(r"</?s>|<\|endoftext\|>"),
    ),
)
_INST = re.compile(r"\[/?INST\]")
_SYSTEM = re.compile(r"<<SYS>>(.*?)<</SYS>>", re.DOTALL)
_PREFACE = re.compile(r"below is an instruction that describes a task", re.IGNORECASE)


def turns(text: str, at: str) -> list[dict[str, str]] | None:
    """The messages (role, content) that stand in a text; None where it holds no conversation.

    Raises:
        Unfit: it holds one that can't be cut into questions and an answer at its end.
    """
    if "[INST]" in text and "[/INST]" in text:
        return _instructed(text, at)
    for style in _STYLES:
        starts = [start for start in style.starts.finditer(text) if start[1].casefold() in _SPEAKERS]
        spoken = [_SPEAKERS[start[1].casefold()] for start in starts]
        if "user" in spoken and "assistant" in spoken:
            return _cut(text, at, style, starts, spoken)
    return None


def _cut(text: str, at: str, style: _Style, starts: list[re.Match[str]], spoken: list[str]) -> list[dict[str, str]]:
    before = style.ends.sub("", text[: starts[0].start()]).strip()
    messages = [{"role": "system", "content": before}] if before and _PREFACE.search(before) is None else []
    for number, (start, role) in enumerate(zip(starts, spoken, strict=True)):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        text_of_turn = style.ends.sub("", text[start.end() : end]).strip()
        if role == "more" and messages:
            messages[-1]["content"] += f"\n{text_of_turn}" if text_of_turn else ""
        else:
            messages.append({"role": "user" if role == "more" else role, "content": text_of_turn})
    return _whole(messages, at, style.name)


def _instructed(text: str, at: str) -> list[dict[str, str]]:
    """Llama 2 and Mistral: `<s>[INST] <<SYS>>...<</SYS>> question [/INST] answer </s>`, again and again."""
    parts = [re.sub(r"</?s>", "", part).strip() for part in _INST.split(text)]
    messages = []
    if system := _SYSTEM.search(parts[1] if len(parts) > 1 else ""):
        messages.append({"role": "system", "content": system[1].strip()})
        parts[1] = _SYSTEM.sub("", parts[1]).strip()
    for number, part in enumerate(parts[1:]):
        messages.append({"role": "assistant" if number % 2 else "user", "content": part})
    return _whole(messages, at, "[INST]")


def _whole(messages: list[dict[str, str]], at: str, style: str) -> list[dict[str, str]]:
    roles = [message["role"] for message in messages if message["role"] != "system"]
    if any(roles[place] == roles[place + 1] for place in range(len(roles) - 1)) or roles[:1] != ["user"]:
        raise Unfit(at, state("not_alternating", at=at, style=style))
    if roles[-1] != "assistant" or not messages[-1]["content"]:
        raise Unfit(at, state("no_last_answer", at=at, style=style))
    return messages
