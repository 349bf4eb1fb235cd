"""An embedding model on this machine, in a process of its own: torch and engines in C never run where jobs do."""

import base64
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from app.inference import folders, weights
from app.inference.embedding import Interrupted, Kind, Vectors
from app.inference.generator import Unusable
from app.inference.model_process import ModelProcess
from app.processes import children

CHUNK = 512  # texts handed over at once: enough to sort by length, little enough for a pipe and for "stop"
DIMENSIONS = 384  # of both models
# How the vectors are made of what a model computes; a change of it is another model to everybody.
MINILM_READS = "mean over the attention mask, 256 tokens, normalised, float32"
E5_READS = "query: and passage: before the text, 4 bits, normalised"

Engine = Literal["minilm", "e5"]


class LocalEmbedder(ModelProcess):
    """An `Embedder` over `python -m app.inference.embedding_child`, started at once and ready when it is first asked.

    The child opens nothing in `folder` before every file hashes to what `files` says.
    """

    dimensions = DIMENSIONS

    def __init__(
        self, engine: Engine, name: str, folder: Path, files: Mapping[str, str], reads: str, threads: int | None
    ) -> None:
        self.name = name
        self.cut = 0
        self.digest = digest(files, reads)
        count = children.threads_for(threads)
        log = tempfile.TemporaryFile()  # noqa: SIM115  the child's `close` closes it
        super().__init__(children.start("app.inference.embedding_child", threads=count, log=log))
        self._loaded = False
        self._send(do="load", engine=engine, folder=str(folder.resolve()), files=dict(files), threads=count)

    def embed(self, texts: Sequence[str], *, kind: Kind, stop: Callable[[], bool]) -> Vectors:
        """See `Embedder`."""
        if not self._loaded:
            if self._next(stop) is None:
                raise Interrupted
            self._loaded = True
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        for start in range(0, len(texts), CHUNK):
            part = list(texts[start : start + CHUNK])
            come = 0
            for event in self._ask(stop, do="embed", texts=part, kind=kind):
                rows = np.frombuffer(base64.b64decode(event["data"]), np.float32).reshape(-1, DIMENSIONS)
                vectors[[start + at for at in event["at"]]] = rows
                come += len(rows)
                self.cut += event["cut"]
            if come < len(part):
                raise Interrupted
        return vectors


def digest(files: Mapping[str, str], reads: str) -> str:
    """What makes a model's vectors what they are: its files (name -> SHA-256), and what is made of what it computes."""
    return hashlib.sha256(f"{folders.digest_of(files)}\n{reads}".encode()).hexdigest()


def minilm(folder: Path, threads: int | None) -> LocalEmbedder:
    """The bundled model, out of the folder of the package that carries it."""
    return LocalEmbedder("minilm", weights.MINILM, folder, weights.MINILM_FILES, MINILM_READS, threads)


def multilingual(threads: int | None) -> LocalEmbedder:
    """The multilingual model, out of the installed package.

    Raises: Unusable: it is not installed.
    """
    package = find_spec(weights.E5_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise Unusable(f"The package {weights.E5_PACKAGE} is not installed on this machine.")
    folder = Path(package.submodule_search_locations[0])
    return LocalEmbedder("e5", weights.E5, folder, weights.E5_FILES, E5_READS, threads)
