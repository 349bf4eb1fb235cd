"""Search by words: BM25 (`bm25s`) over terms that are the same in every script and inflection that is simple to undo.

Terms are words without case, accents and look-alike letters; of a script without spaces, pairs of signs. English
plurals are undone by the three rules of the S stemmer (D. Harman, "How effective is suffixing?", JASIS 42, 1991).
Common words are kept: BM25 weighs them next to nothing by itself, and a list would be of one language. Measured on 158
questions to the Python documentation: recall at 5 is 0.67 so, 0.63 without stemming, 0.65 with English stop words left
out as well.
"""

import logging
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from app.datasets.checks.compared_text import comparable

METHOD, K1, B = "lucene", 1.5, 0.75  # the library's own defaults; 0.9 and 0.4 found less on both sets in tests/bench
TELLING = 0.1  # of the passages at most that a word stands in, for it to be marked
TERMS = 1  # version of `terms`; part of an index's hash

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(f"[{_UNSPACED}]+|[^\\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")


def _library() -> ModuleType:
    """bm25s, imported at the first use: it brings scipy, which no start of the web waits for."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
    library: ModuleType = bm25s
    return library


def terms(text: str) -> list[str]:
    """The terms of a text, in their order and as often as they stand there."""
    return [term for word in _WORD.findall(comparable(text)) for term in _terms_of(word)]


def _terms_of(word: str) -> Sequence[str]:
    if not word.isascii() and _IS_UNSPACED.match(word):
        return [word[at : at + 2] for at in range(len(word) - 1)] or [word]
    return (_singular(word),)


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return f"{word[:-3]}y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word if word.endswith(("us", "ss")) else word[:-1]


def marked(text: str, wanted: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is a word whose terms are among those wanted."""
    at = 0
    for word in _WORD.finditer(text):
        if wanted.intersection(terms(word[0])):
            if at < word.start():
                yield text[at : word.start()], False
            yield word[0], True
            at = word.end()
    if at < len(text):
        yield text[at:], False


# ---------------------------------------------------------------------- building
class Collected:
    """The terms of many passages as numbers, in a file; in memory are the words, and one number a passage."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.vocab: dict[str, int] = {}
        self._ends = array("Q")
        self._file = path.open("wb")

    def add(self, text: str) -> None:
        """The terms of the next passage."""
        numbers = array("I", (self.vocab.setdefault(term, len(self.vocab)) for term in terms(text)))
        numbers.tofile(self._file)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(numbers))

    def close(self) -> None:
        self._file.close()

    @property
    def ids(self) -> "_Ids":
        return _Ids(self.path, self._ends)


class _Ids(Sequence[list[int]]):
    """The collected numbers of each passage, as the library asks for them; read from the file each time."""

    def __init__(self, path: Path, ends: "array[int]") -> None:
        self._numbers: npt.NDArray[np.uint32] = (
            np.memmap(path, dtype=np.uint32, mode="r") if path.stat().st_size else np.zeros(0, np.uint32)
        )
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:  # by one number, as the library asks
        if index >= len(self._ends):
            raise IndexError
        return self._numbers[self._ends[index - 1] if index else 0 : self._ends[index]].tolist()


def build(collected: Collected, folder: Path) -> list[str]:
    """Build the index of what was collected into a folder; the names of its files."""
    index = _library().BM25(k1=K1, b=B, method=METHOD)
    index.index(collected, show_progress=False)
    index.save(folder, show_progress=False)
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------- searching
class Lexical:
    """An opened index. files: name -> where it lies; they are mapped into memory."""

    def __init__(self, files: dict[str, Path]) -> None:
        with TemporaryDirectory(prefix="bm25-") as folder:  # the library opens a folder; once mapped, it may go
            for name, path in files.items():
                (Path(folder) / name).symlink_to(path.absolute())
            self._index = _library().BM25.load(folder, mmap=True, show_progress=False)

    def telling(self, query: str) -> frozenset[str]:
        """The terms of a query that are worth marking: those in few passages, else all of them."""
        starts, count = self._index.scores["indptr"], self._index.scores["num_docs"]
        vocab, every = self._index.vocab_dict, frozenset(terms(query))
        places = {term: vocab[term] for term in every if term in vocab}
        few = {term for term, at in places.items() if starts[at + 1] - starts[at] <= TELLING * count}
        return frozenset(few) or every

    def scores(self, query: str) -> npt.NDArray[np.float32] | None:
        """BM25 of every passage for a query; None where no word of it stands in any."""
        known = [term for term in terms(query) if term in self._index.vocab_dict]
        if not known:
            return None
        scores: npt.NDArray[np.float32] = self._index.get_scores(known)
        return scores
