"""The beginning of a text in a list, with the words that were looked for marked in it."""

from dataclasses import dataclass

_BEFORE = 60  # characters in front of the first word that was found, where it stands far inside


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text. marked: it is what was looked for."""

    text: str
    marked: bool = False


def pieces(text: str, words: str, most: int) -> list[Piece]:
    """`most` characters of a text, from its beginning or from where the words stand; capitals do not matter."""
    low, sought = text.lower(), words.lower()
    at = low.find(sought) if sought and len(low) == len(text) else -1
    start = max(0, at - _BEFORE) if at + len(sought) > most else 0
    part = text[start : start + most]
    cut = Piece("\N{HORIZONTAL ELLIPSIS}")
    found = _marked(part, sought) if at >= 0 else [Piece(part)]
    return [*([cut] if start else []), *found, *([cut] if start + most < len(text) else [])]


def _marked(part: str, sought: str) -> list[Piece]:
    listed: list[Piece] = []
    low, done = part.lower(), 0
    while (at := low.find(sought, done)) >= 0:
        if at > done:
            listed.append(Piece(part[done:at]))
        listed.append(Piece(part[at : at + len(sought)], marked=True))
        done = at + len(sought)
    return [*listed, Piece(part[done:])] if done < len(part) else listed
