"""How documents become passages, and which ways of searching are built over them: the settings of an index.

They stand in the index's hash, so two indexes with the same hash find the same passages for the same question.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from app.errors import FieldError, Invalid
from app.strict import Frozen

Way = Literal["lexical", "embedding", "hybrid"]
WAYS: tuple[Way, ...] = get_args(Way)

LEAST_SIZE, MOST_SIZE = 40, 2000  # tokens of a passage
NO_EMBEDDER = ""  # lexical search alone


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings(Frozen):
    """The settings of an index.

    size: tokens that a passage may have, as `documents.tokens` estimates them. 200 by default: the bundled embedding
    model reads 256 word pieces of a passage and its title, and drops what is behind them. overlap: tokens at the end of
    a passage that the next one of the same section repeats. titles: whether the headings above a passage are searched
    with it. embedder: the embedding model (`inference.embedding`); empty for lexical search alone.
    """

    size: int = 200
    overlap: int = 20
    titles: bool = True
    embedder: str = NO_EMBEDDER

    @property
    def ways(self) -> tuple[Way, ...]:
        """What an index with these settings can be searched by."""
        return WAYS if self.embedder else ("lexical",)


def checked(settings: IndexSettings) -> IndexSettings:
    """The settings, if an index can be built with them.

    Raises:
        Invalid: a size or an overlap out of bounds; all faults at once.
    """
    faults = []
    if not LEAST_SIZE <= settings.size <= MOST_SIZE:
        faults.append(FieldError("#/size", f"A passage has from {LEAST_SIZE} to {MOST_SIZE:,} tokens."))
    if not 0 <= settings.overlap <= settings.size // 2:
        faults.append(FieldError("#/overlap", "The overlap is from 0 to half the size of a passage."))
    if faults:
        raise Invalid("The index can't be built like this.", faults)
    return settings
