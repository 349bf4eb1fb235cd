"""How much a model server reads at once, found by a prompt that grows. Pure: what to send, and what the answers say.

A server may declare it, refuse what is longer, or cut it off without a word. The last is told by its token count,
which stops growing, and by a word at the beginning of the prompt that it no longer knows although it knew it in a
shorter one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.wording import plural

FIRST = 2_000  # tokens of the shortest prompt; each further one is twice as long
BEYOND = 1.1  # how much more than the declared window is sent, where that can be afforded
CHARACTERS = 4.5  # a token of plain English, for prompts of our own
SHORT = 0.6  # counted tokens below this share of what the text should have: it was cut
NAMED = re.compile(r"(?:context|maximum|max|limit|window|up to|at most)\D{0,60}?(\d[\d,._ ]{2,11}\d)", re.IGNORECASE)
FILLER = (
    "The ferry leaves in the morning and comes back before the lamps are lit. "
    "A gardener keeps old maps in a drawer under the window. "
    "Nobody in the village remembers who planted the row of pear trees. "
    "The baker sells rye bread on market days and sweet rolls on the others. "
    "In autumn the path along the river is covered with yellow leaves. "
)


@dataclass(frozen=True, slots=True)
class Long:
    """One long prompt. size: tokens that it was meant to have; characters: what it had; counted: tokens that the server
    counted, 0 where it did not say; known: the answer held the word; error: why there was none."""

    size: int
    characters: int
    counted: int
    known: bool
    error: str


@dataclass(frozen=True, slots=True)
class Window:
    """tokens: of the window, as far as it is known; source: declared, refused, cut, tried."""

    tokens: int | None
    source: str | None
    cuts: bool
    sentence: str
    asked: str
    came: str


def sizes(budget: int, declared: int | None) -> list[int]:
    """Tokens of the prompts to send, together at most the budget. Where a window is declared, the last one is a little
    longer than that, if it can be afforded; if not, the declared number is only checked as far as it goes."""
    planned: list[int] = []
    size = FIRST
    beyond = int(declared * BEYOND) if declared else 0
    if beyond and beyond <= budget:
        shorter = [beyond // 2] if beyond // 2 + beyond <= budget else []
        return [*shorter, beyond]
    while sum(planned) + size <= budget:
        planned.append(size)
        size *= 2
    return planned


def looked_for(size: int, word: str) -> str:
    """A prompt of about so many tokens whose first sentence holds a word that its last one asks for."""
    opening = f"The secret word of this text is {word}. Here is the text. "
    question = "\n\nWhat is the secret word from the first sentence of this text? Reply with that word alone."
    room = int(size * CHARACTERS) - len(opening) - len(question)
    body = (FILLER * (max(room, 0) // len(FILLER) + 1))[: max(room, 0)]
    return f"{opening}{body}{question}"


def in_words(tried: Sequence[Long], declared: int | None, field: str) -> Window:
    """What the answers to prompts of growing length say."""
    asked = ", ".join(f"{one.size:,}" for one in tried)
    asked = f"prompts of about {asked} tokens with a word in the first sentence" if tried else "its list of models"
    came = "; ".join(_came(one) for one in tried) or (f"{field} {declared:,}" if declared else "no window in it")
    names_it = f" It declares {plural(declared, 'token')} ({field})." if declared else ""
    read_whole = [one for at, one in enumerate(tried) if not one.error and not _cut(one, tried[:at])]
    if cut := next((one for at, one in enumerate(tried) if not one.error and _cut(one, tried[:at])), None):
        size = cut.counted or (read_whole[-1].size if read_whole else cut.size)
        sentence = (
            f"It cuts longer prompts off without a word, at about {plural(size, 'token')}: of a prompt of "
            f"{cut.size:,} not all was read.{names_it} Keep prompts shorter, or set the context size on the server."
        )
        return Window(size, "cut", True, sentence, asked, came)
    if tried and tried[-1].error and _about_length(tried[-1].error):
        size = declared or _named(tried[-1].error) or (read_whole[-1].size if read_whole else 0)
        sentence = f"It refuses what is longer than about {plural(size, 'token')}, and says so.{names_it}"
        return Window(size or None, "declared" if declared else "refused", False, sentence, asked, came)
    whole = max((one.counted or one.size for one in read_whole), default=0)
    if read_whole and not read_whole[-1].known and any(one.known for one in read_whole):
        names_it += " The word at the beginning of the longest prompt did not come back, though all of it was counted."
    if declared:
        checked = f"A prompt of {plural(whole, 'token')} was read whole." if whole else "That was not checked."
        return Window(declared, "declared", False, f"{names_it.strip()} {checked}", asked, came)
    if whole:
        sentence = f"It reads at least {plural(whole, 'token')}; longer prompts were not tried."
        return Window(whole, "tried", False, sentence, asked, came)
    return Window(
        None, None, False, "Nobody knows how much it reads at once: nothing was tried, or all failed.", asked, came
    )


def _cut(one: Long, before: Sequence[Long]) -> bool:
    """Whether a prompt was cut: far fewer tokens counted than it has, or its first sentence lost that was known in a
    shorter one, by a server that does not count."""
    if one.counted:
        per_token = min((long.characters / long.counted for long in before if long.counted), default=CHARACTERS)
        return one.counted < SHORT * one.characters / max(per_token, CHARACTERS)
    return not one.known and any(long.known for long in before)


def _came(one: Long) -> str:
    if one.error:
        return f"{one.size:,}: {one.error[:160]}"
    counted = f"{plural(one.counted, 'token')} counted" if one.counted else "no token count"
    return f"{one.size:,}: {counted}, the word {'came' if one.known else 'did not come'}"


def _about_length(error: str) -> bool:
    return bool(re.search(r"context|too long|too large|maximum|exceed|length|tokens", error, re.IGNORECASE))


def _named(error: str) -> int | None:
    """The window that a refusal names."""
    numbers = [int(re.sub(r"\D", "", text)) for text in NAMED.findall(error)]
    return next((number for number in numbers if 64 <= number <= 100_000_000), None)
