"""What of a model's text is its answer: thinking that stands before it is taken off, and never scored. Pure.

A server without a parser for it, or a template that opens the answer with an empty block, puts thinking into the text.
Taken for the answer it makes every metric fail; cut off carelessly it destroys JSON in whose strings such a tag stands.
So only what stands at the very beginning counts as thinking, or what ends with a closing tag that was opened in the
prompt; and where the wanted answer itself has such tags, they are the task, and nothing is touched.
"""

import json
import re
from dataclasses import dataclass, replace

from app.inference.generator import Answer

# Opening and closing marks as models write them: most; Seed; Magistral; Kimi.
MARKS = (
    *((f"<{name}>", f"</{name}>") for name in ("think", "thinking", "thought", "reasoning", "seed:think")),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
)
_OPEN = re.compile("|".join(re.escape(opened) for opened, _ in MARKS), re.IGNORECASE)
_CLOSE = re.compile("|".join(re.escape(closed) for _, closed in MARKS), re.IGNORECASE)
_CLOSE_OF = {opened.lower(): re.compile(re.escape(closed), re.IGNORECASE) for opened, closed in MARKS}
LONGER = 8  # times the limit that is proposed when thinking used all of it
LONGEST = 4096  # tokens an answer may be allowed in a measurement


@dataclass(frozen=True, slots=True)
class Apart:
    """A text in its two halves. unfinished: it begins with thinking that never ends, so there is no answer in it."""

    thinking: str
    answer: str
    unfinished: bool = False


def opens(text: str) -> str:
    """The mark with which a text ends that leaves thinking open, as some templates end a prompt; empty if none."""
    last = next(reversed(list(_OPEN.finditer(text))), None)
    return last.group() if last and not _CLOSE.search(text, last.end()) and not text[last.end() :].strip() else ""


def closing(opened: str) -> str:
    """The mark that ends what this one opened."""
    return next(closed for opening, closed in MARKS if opening.lower() == opened.lower())


def apart(text: str) -> Apart:
    """Take thinking off the beginning of a text."""
    if not _CLOSE.search(text) and not _OPEN.match(text.lstrip()):
        return Apart("", text)
    if _is_json(text):
        return Apart("", text)
    thoughts: list[str] = []
    rest = text
    while opening := _OPEN.match(rest.lstrip()):
        inside = rest.lstrip()[opening.end() :]
        end = _CLOSE_OF[opening.group().lower()].search(inside)
        if end is None:
            return Apart("\n".join([*thoughts, inside]).strip(), "", unfinished=True)
        thoughts.append(inside[: end.start()])
        rest = inside[end.end() :]
    if not thoughts:
        if _OPEN.search(text):  # opened somewhere inside: a text about such marks, not one that thinks
            return Apart("", text)
        last = list(_CLOSE.finditer(text))[-1]
        thoughts, rest = [text[: last.start()]], text[last.end() :]
    return Apart("\n".join(thoughts).strip(), rest.lstrip())


def settled(answer: Answer, limit: int, target: str = "", *, unseen: bool = True) -> Answer:
    """An answer without its thinking; an error where thinking is all there is.

    limit: tokens that were allowed. target: the wanted answer, whose own marks are left alone in the answer too.
    unseen: whether it may have thought where we cannot look, as servers do; a model of ours that says nothing said it.
    """
    if answer.error is not None:
        return answer
    parts = apart(answer.text)
    if _OPEN.search(target) or _CLOSE.search(target):
        parts = Apart("", answer.text)
    if not parts.unfinished and parts.answer.strip():
        return answer if parts.answer == answer.text else replace(answer, text=parts.answer, raw=answer.text)
    if answer.finish == "length" and (unseen or parts.thinking or parts.unfinished):
        error = used_up(limit)
    elif parts.unfinished:
        error = "The answer is thinking that never ends: the mark that closes it is missing."
    elif parts.thinking or answer.thinking.strip():
        error = "The model thought, and then gave no answer."
    elif unseen and not answer.finish:
        error = "The model server gave an empty answer and did not say that it was finished."
    else:
        return answer  # it said nothing, and that is what it said
    return replace(answer, text="", error=error, raw=answer.text or answer.thinking or None)


def used_up(limit: int) -> str:
    """The sentence for an answer that never began."""
    more = min(LONGEST, max(limit * LONGER, 1024))
    advice = f"raise it, for example to {more:,}" if more > limit else "use a model or a mode that thinks less"
    return f"The answer limit of {limit:,} tokens was used up by thinking before the answer began; {advice}."


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
