"""Words of a text, and its items: names, numbers and dates, told by their writing alone, in any language."""

import re

from app.datasets.checks.answer_kinds import LABEL_WORDS
from app.text import normal_form

# Vowel signs of the Indic scripts and of Thai are no letters to `re`, but parts of words all the same.
_LETTER = "(?:[^\\W_]|[\u0900-\u0dff\u0e00-\u0eff])"
_TOKEN = re.compile(f"{_LETTER}+(?:['\u2019-]{_LETTER}+)*")
_ACCENT = re.compile("[\u0300-\u036f\u064b-\u0652]")
_WIDE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ITEM = re.compile(r"[^\W_](?:[\w.:/'\u2019,-]*[^\W_])?")
_STARTS = ".!?:;\n\u2022\u3002\uff01\uff1f"


def plain(text: str) -> str:
    """Without case and accents."""
    if text.isascii():
        return text.casefold()
    return _ACCENT.sub("", normal_form("NFKD", text)).casefold()


def words_of(text: str) -> set[str]:
    """The words without case and accents; writing without blanks in pairs of signs."""
    words: set[str] = set()
    for token in _TOKEN.findall(_CAMEL.sub(" ", text.replace("_", " "))):
        word = plain(token)
        wide = _WIDE.findall(word)
        if not wide:
            words.add(word)
        for run in wide:
            words.update(run[at : at + 2] for at in range(max(1, len(run) - 1)))
    return words


def items_of(text: str) -> set[str]:
    """Names, numbers and dates, by their writing."""
    items: set[str] = set()
    few = len(text.split()) <= LABEL_WORDS + 1
    matches = list(_ITEM.finditer(text))
    capitals = sum(1 for match in matches if match.group()[0].isupper())
    # German capitalises nouns and headings capitalise all; where so many words have one, it marks no name.
    marks_names = few or capitals <= max(3, 0.22 * len(matches))
    for place, match in enumerate(matches):
        token = match.group()
        if any(sign.isdigit() for sign in token):
            items.add(plain(token.replace(",", "") if token.replace(",", "").isdigit() else token))
            continue
        if len(token) < 2:
            continue
        if "_" in token or (not token[1:].islower() and token[1:] != token[1:].lower()):
            items.add(plain(token))
            continue
        if not token[0].isupper() or not marks_names:
            continue
        before = text[: match.start()].rstrip(" \t*\"'(`\u201c\u00ab[\\>-")
        starts = not before or before[-1] in _STARTS
        follows = place + 1 < len(matches) and matches[place + 1].group()[0].isupper()
        if not starts or (few and (follows or len(matches) == 1)):
            items.add(plain(token))
    return items
