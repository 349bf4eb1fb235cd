"""Building an index in a folder, stage by stage; each stage that is whole is not done again after a kill.

Documents go through one at a time, passages are written as they come, and vectors a batch at a time: what is in memory
does not grow with the texts, only with the words that are known and with one number for each passage, until BM25's
matrix is put together (measured with 100,000 passages of 164 words: 0.6 GB at that moment).
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypedDict

import numpy as np
import numpy.typing as npt

from app.datasets.checks.checkpoint import Checkpoint
from app.inference.embedding import Embedder
from app.retrieval import lexical, passage_file
from app.retrieval.settings import IndexSettings
from app.retrieval.splitting import split

MOST_PASSAGES = 500_000
AT_ONCE = 128  # passages that are embedded together, and that a kill costs at most; a slow machine takes half a minute

SPLITTING, WORDS, MEANING, STORING = "Split documents", "Index words", "Embed passages", "Store the index"

LINES, OFFSETS, VECTORS = "passages", "offsets", "vectors"
LEXICAL = "lexical/"  # before the names of the library's files


class TooMany(Exception):
    """More passages than an index takes."""


class Document(Protocol):
    """A document that is split."""

    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str: ...


Tick = Callable[[str, int, int, str], None]
"""Told the stage, how much of how much is done (0 where it is not known), and of what."""


@dataclass(frozen=True, slots=True)
class Built:
    """What lies in the folder. files: role -> its place. tokens: estimated, of all passages. cut: passages that were
    longer than the embedder reads."""

    passages: int
    tokens: int
    cut: int
    files: Mapping[str, Path]


def stages(settings: IndexSettings) -> list[str]:
    """What will be done, in its order."""
    return [SPLITTING, WORDS, *([MEANING] if settings.embedder else []), STORING]


class Split(TypedDict):
    """What splitting came to, as JSON. lexical: names of the files of the index by words."""

    passages: int
    tokens: int
    lexical: list[str]


def build(
    documents: Iterable[tuple[Document, Callable[[], str]]],
    count: int,
    settings: IndexSettings,
    embedder: Embedder | None,
    checkpoint: Checkpoint,
    tick: Tick,
    stop: Callable[[], bool],
) -> Built:
    """Build what is not in the checkpoint's folder yet. documents: each with what reads its text; count: of them.

    Raises:
        TooMany: more passages than an index takes.
        Unusable, Interrupted: of the embedder.
    """
    lines = checkpoint.path(LINES)
    done: Split | None = checkpoint.load_json("words")
    if done is None:
        done = _passages(documents, count, settings, checkpoint, tick)
        checkpoint.save_json("words", done)
    files = {LINES: lines, OFFSETS: checkpoint.path(OFFSETS)}
    files |= {f"{LEXICAL}{name}": checkpoint.path(LEXICAL) / name for name in done["lexical"]}
    cut = 0
    if embedder is not None and done["passages"]:
        cut = _vectors(settings, embedder, checkpoint, done["passages"], tick, stop)
        files[VECTORS] = checkpoint.path(VECTORS)
    return Built(done["passages"], done["tokens"], cut, files)


def _passages(
    documents: Iterable[tuple[Document, Callable[[], str]]],
    count: int,
    settings: IndexSettings,
    checkpoint: Checkpoint,
    tick: Tick,
) -> Split:
    """Split the documents, and build the lexical index over the passages."""
    writer = passage_file.Writer(checkpoint.path(LINES))
    collected = lexical.Collected(checkpoint.path("terms"))
    try:
        for number, (document, text) in enumerate(documents, start=1):
            tick(SPLITTING, number - 1, count, "documents")
            for piece in split(text(), document.kind, document.title, settings):
                writer.add(number, piece)
                collected.add(f"{piece.title}\n{piece.text}" if settings.titles else piece.text)
                if len(writer.offsets) % 1000 == 0:
                    tick(SPLITTING, number - 1, count, "documents")
                if len(writer.offsets) > MOST_PASSAGES:
                    raise TooMany
    finally:
        writer.close()
        collected.close()
    offsets = writer.offsets
    if sys.byteorder == "big":
        offsets.byteswap()
    checkpoint.path(OFFSETS).write_bytes(offsets.tobytes())
    tick(WORDS, 0, 0, "passages")
    names = lexical.build(collected, checkpoint.path(LEXICAL)) if collected.vocab else []
    checkpoint.path("terms").unlink()
    return {"passages": len(offsets), "tokens": writer.tokens, "lexical": names}


def _vectors(
    settings: IndexSettings,
    embedder: Embedder,
    checkpoint: Checkpoint,
    count: int,
    tick: Tick,
    stop: Callable[[], bool],
) -> int:
    """Embed the passages that have no vector yet; how many were cut.

    In 32 bits: half as many save disk, and make a question take ten times as long, since each is widened for it.
    """
    done, cut = checkpoint.load_json("embedded") or (0, 0)
    passages = passage_file.every(checkpoint.path(LINES), skip=done)
    with checkpoint.open(VECTORS) as file:
        file.seek(done * embedder.dimensions * 4)
        while batch := list(islice(passages, AT_ONCE)):
            tick(MEANING, done, count, "passages")
            texts = [passage.searched if settings.titles else passage.text for passage in batch]
            vectors = embedder.embed(texts, kind="passage", stop=stop)
            file.write(vectors.astype("<f4").tobytes())
            done += len(batch)
            file.flush()
            os.fsync(file.fileno())  # before it is said to be there
            checkpoint.save_json("embedded", (done, cut + embedder.cut))
    return cut + embedder.cut


def vectors(path: Path, dimensions: int) -> npt.NDArray[np.float32]:
    """The vectors of a finished index, mapped into memory: (passages, dimensions)."""
    mapped: npt.NDArray[np.float32] = np.memmap(path, dtype="<f4", mode="r")
    return mapped.reshape(-1, dimensions)


def chunks(path: Path) -> Iterator[bytes]:
    """A file in pieces, to be stored."""
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk
