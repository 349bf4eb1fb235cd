"""What of a short answer is only form: characters nobody sees, and marks around it that say nothing. Pure."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from app.text import normal_form

# Characters that nobody sees: soft hyphen, zero-width spaces and marks, direction marks, byte-order mark. The joiners
# of Persian and of emoji are not among them, they change what is read.
UNSEEN = dict.fromkeys(
    [0x00AD, 0x034F, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
)
MINUS = re.compile(r"[\u2012\u2013\u2212](?=[.,]?\d)")  # as a minus before a number; a dash elsewhere
RAISED = ("<super>", "<sub>", "<fraction>")  # forms that change a value: 10² is not 102, ½ is not 12
# Marks that stand on both sides of an answer and say nothing; longer ones first.
ALIKE = ("***", "**", "__", "~~", "```", "``", "$$", "*", "_", "`", "$", '"', "'")
PAIRS = (
    *((mark, mark) for mark in ALIKE),
    *zip("“‘„„‚«»‹「『【《([{<", "”’“”‘»«›」』】》)]}>", strict=True),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
)
LEAD = re.compile(r"\A(?:(?:[-*+•·–—>]|#{1,6})\s+(?![\d.,])|[¡¿]+|(?:\.{2,}|…)\s*(?=[^\W\d]))")  # bullets, headings
LAYERS = 50  # of form that are taken off one answer: a model that repeats itself puts ten thousand bullets in a row
STOPS = ".,;:!?。．，；：！？…"
# A full stop after a letter or a digit; ! and ? only after a word (not n!, not a lone ?); any of them after a mark.
SENTENCE_END = re.compile(
    r"(?<=[^\W_])[.,;:。．，；：…]+$|(?<=[^\W\d_]{2})[!?！？.,;:…]+$|(?<=[)\]}>%\"'*`_”’“»›」』】》])[.,;:!?。！？]+$"
)


def folded(text: str) -> str:
    """Without what is only form in the characters: look-alikes, capitals, blanks, characters nobody sees.

    NFKC is applied again after folding, because folding can undo it (Unicode Standard, 3.13, definition D146).
    """
    parts = re.split(r"(\s+)", text.translate(UNSEEN))
    return MINUS.sub("-", " ".join("".join(map(_compatible, parts)).split()))


def _compatible(part: str) -> str:
    if part.isascii():
        return part.lower()
    if any(unicodedata.decomposition(character).startswith(RAISED) for character in part):
        return "".join(
            character if unicodedata.decomposition(character).startswith(RAISED) else _plain(character)
            for character in normal_form("NFC", part).casefold()
        )
    return _plain(part)


def _plain(part: str) -> str:
    """Folded after look-alikes are letters, too: a bold capital of mathematics has no small letter of its own."""
    return normal_form("NFKC", normal_form("NFKC", part).casefold())


def bared(text: str) -> str:
    """Without what stands around an answer and says nothing: quotation marks, emphasis, brackets, a full stop.

    Signs that mean something stay: -1, .5, C#, A-, A*, 50%, $5. Nothing is taken off that leaves nothing.
    """
    return _bared(text, set())


def _bared(text: str, rules: set[str]) -> str:
    """The same; the names of the rules that took something off are added to `rules`."""
    for _ in range(LAYERS):
        before = text = text.strip()
        taken = set()
        for opened, closed in PAIRS:
            if text.startswith(opened) and text.endswith(closed) and _one_pair(text, opened, closed):
                text = text[len(opened) : -len(closed)].strip()
                taken.add("pair")
                break
        lead = LEAD.match(text)
        led = text[lead.end() :] if lead else text
        stop = SENTENCE_END.search(led, len(led.rstrip(STOPS)))
        ended = led[: stop.start()] if stop else led
        taken |= {name for name, changed in (("lead", led != text), ("end", ended != led)) if changed}
        text = ended
        if not text.strip():
            return before
        rules |= taken
        if text == before:
            break
    return text


def _one_pair(text: str, opened: str, closed: str) -> bool:
    """Whether these two marks belong together: `(a)`, not `(a) or (b)`."""
    inside = text[len(opened) : -len(closed)]
    if len(text) <= len(opened) + len(closed) or not inside.strip():
        return False
    if opened == closed:
        return opened not in inside and not (len(opened) == 1 and inside[0] == opened)
    depth = 0
    for at in range(len(inside)):
        depth += inside.startswith(opened, at) - inside.startswith(closed, at)
        if depth < 0:
            return False
    return depth == 0


PREFIX = re.compile(
    r"(?:(?:the|my|your|final|correct|predicted|best)\s+){0,3}(?:answer|label|category|class|classification|intent|"
    r"result|output|response|prediction|sentiment|topic|type|score|value)(?:\s+(?:is|would be))?\s*[:=]\s*"
    r"|(?:(?:the|my|final|correct|predicted|best)\s+){1,3}(?:answer|label|category|class|intent|result)\s+is\s+"
)


def unprefixed(text: str) -> str:
    """Without words that announce an answer, for text that is folded already: “**Answer:** the label is `refund`”."""
    for _ in range(3):
        plain = text.lstrip("*_`# ")
        match = PREFIX.match(plain)
        rest = plain[match.end() :].strip("*_` ") if match else ""
        if not rest:
            break
        text = bared(rest)
    return text


# ------------------------------------------------------------------ the rules, for people

RULES: dict[str, tuple[str, str]] = {
    "case": ("Capitals and look-alike letters count as small plain ones.", "Ｒefund → refund"),
    "blanks": ("Blanks and line breaks between words count as one blank.", "a  b → a b"),
    "unseen": ("Characters that nobody sees are taken out.", "re[soft hyphen]fund → refund"),
    "minus": ("A long dash before a number is a minus.", "−1 → -1"),
    "pair": (
        "Marks around all of the answer are taken off: quotation marks, emphasis, code marks, brackets.",
        "**“refund”** → refund",
    ),
    "lead": ("A bullet, a heading mark or dots at the beginning are taken off.", "- refund → refund"),
    "end": ("A full stop or the like at the end is taken off; not one that means something.", "refund. → refund"),
    "prefix": (
        "Words that announce the answer are taken off, where that is switched on.",
        "The answer is: refund → refund",
    ),
}
"""What normalised match does to a text, in the order in which it is done: the rule in words, and an example."""


def rules_used(text: str, *, prefix: bool = False) -> frozenset[str]:
    """The rules by which this text is compared otherwise than it is written."""
    text = text.strip()
    seen = text.translate(UNSEEN)
    used = {"unseen"} if seen != text else set()
    if " ".join(seen.split()) != seen.strip():
        used.add("blanks")
    plain = " ".join("".join(map(_compatible, re.split(r"(\s+)", seen))).split())
    if plain != " ".join(seen.split()):
        used.add("case")
    folded_text = folded(text)
    if folded_text != plain:
        used.add("minus")
    bare = _bared(folded_text, used)
    if prefix and unprefixed(bare) != bare:
        used.add("prefix")
    return frozenset(used)


@dataclass(frozen=True, slots=True)
class Decoration:
    """Of so many answers, how many the rules changed, and each rule how many."""

    rows: int
    changed: int
    by_rule: dict[str, int]


def decoration(texts: Iterable[str], *, prefix: bool = False) -> Decoration:
    """How often each rule was at work in these answers."""
    used = [rules_used(text, prefix=prefix) for text in texts]
    counted = Counter(rule for rules in used for rule in rules)
    return Decoration(len(used), sum(map(bool, used)), {rule: counted[rule] for rule in RULES})
