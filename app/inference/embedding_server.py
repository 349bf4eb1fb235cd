"""An embedding model behind an OpenAI-compatible address: `POST /embeddings`, asked as answers are (`server_calls`).

What comes back is a stranger's: as many vectors as texts, each at its `index`, all of one length, all of finite numbers
and none of nothing but zeros, or there is no result.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from app.inference import completion, model_names
from app.inference.embedding import Interrupted, Kind, Vectors
from app.inference.failures import Busy, RowFailed
from app.inference.generator import Unusable
from app.inference.outbound import Received
from app.inference.schedule import Turn
from app.inference.server_calls import ServerCalls

# Texts in a call: what servers take without being set up for more (Text Embeddings Inference: 32). With 4,096 numbers
# of 22 characters each that is 3 MB, which an answer may have.
TEXTS = 32
MOST_DIMENSIONS = 16_384
SHORTEST = 200  # characters; a text that is refused as too long is cut to half as long as it has more
TOO_LONG = re.compile(
    r"too (?:long|large|many tokens)|context length|max\w*.{0,40}(?:tokens|length)|exceed|larger than", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of one call, and which of the asker's texts they are."""

    texts: tuple[str, ...]
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedded:
    """What came of a batch: a vector for each text, or an error. refused: it was the texts that the server refused."""

    batch: Batch
    vectors: Vectors | None = None
    error: str | None = None
    refused: bool = False


class EmbeddingEndpoint(ServerCalls[Batch, Vectors, Embedded]):
    """An `Embedder` that asks a server."""

    door = "/embeddings"
    probe = Batch(("ready",))
    cut = 0
    _dimensions = 0

    @property
    def name(self) -> str:
        return model_names.shown_name(self.model)

    @property
    def digest(self) -> str:
        """Over the address, the model's name and the length of its vectors: what it computes with, nobody can see."""
        return hashlib.sha256(f"{self._address}\n{self.model}\n{self.dimensions}".encode()).hexdigest()

    @property
    def dimensions(self) -> int:
        """Numbers in a vector; the server is asked once.

        Raises: Unusable: it cannot be had.
        """
        if not self._dimensions:
            self.embed(self.probe.texts, kind="query", stop=lambda: False)
        return self._dimensions

    def embed(self, texts: Sequence[str], *, kind: Kind, stop: Callable[[], bool]) -> Vectors:
        """See `Embedder`. A call that is refused is asked again in halves; a text refused as too long is cut."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        kept = [text if text.strip() else "-" for text in texts]  # many servers refuse a text of nothing
        vectors: dict[int, Vectors] = {}
        cut: set[int] = set()
        waiting = [range(start, min(start + TEXTS, len(kept))) for start in range(0, len(kept), TEXTS)]
        while waiting:
            batches = [Batch(tuple(kept[at] for at in places), tuple(places)) for places in waiting]
            waiting, heard = [], 0
            for result in self.results(batches, stop):
                heard += 1
                if result.vectors is not None:
                    vectors.update(zip(result.batch.places, result.vectors, strict=True))
                    continue
                waiting += self._again(result, kept, cut)
            if heard < len(batches):
                raise Interrupted
        self.cut += len(cut)
        return np.stack([vectors[at] for at in range(len(kept))])

    def _again(self, result: Embedded, kept: list[str], cut: set[int]) -> Iterator[range]:
        """Which batches to ask in place of one without vectors; a text that was too long is cut in `kept`.

        Raises: Unusable: asking again does not help.
        """
        places = result.batch.places
        if not result.refused:
            raise Unusable(f"The model server gave no vectors. {result.error}")
        middle = places[0] + len(places) // 2
        if len(places) > 1:
            yield range(places[0], middle)
            yield range(middle, places[-1] + 1)
            return
        if len(kept[places[0]]) <= SHORTEST or not TOO_LONG.search(result.error or ""):
            raise Unusable(f"The model server gave no vector for a text. {result.error}")
        kept[places[0]] = kept[places[0]][: len(kept[places[0]]) // 2]
        cut.add(places[0])
        yield range(places[0], places[0] + 1)

    # -------------------------------------------------------------- one call

    def _one(self, turn: Turn[Batch]) -> Embedded:
        question = turn.question
        try:
            try:
                vectors, _ = self._asked(question, turn)
            except (RowFailed, Busy) as error:
                busy = isinstance(error, Busy)
                self._note(unavailable=busy, reason=str(error))
                return Embedded(question, error=self._without_key(str(error)), refused=not busy)
        except Unusable as error:
            raise Unusable(self._without_key(str(error))) from None
        self._note(unavailable=False, reason="")
        self.answered = True
        return Embedded(question, vectors)

    def _sent(self, question: Batch, learnt: frozenset[str]) -> Received:
        return self._posted({"model": self.model, "input": list(question.texts), "encoding_format": "float"})

    def _understood(self, content: bytes, question: Batch, learnt: frozenset[str]) -> Vectors:
        try:
            vectors, model = read(content, len(question.texts))
        except completion.Trouble as trouble:
            raise self._troubled(trouble) from None
        with self._lock:
            if model:
                self.reported.add(self._without_key(model_names.shown_name(model)))
            before, self._dimensions = self._dimensions, self._dimensions or vectors.shape[1]
        if before not in (0, vectors.shape[1]):
            raise Unusable(
                f"The model server gave vectors of {before} numbers and then of {vectors.shape[1]}: it changed the "
                "model meanwhile. Start again."
            )
        return vectors


def read(content: bytes, count: int) -> tuple[Vectors, str]:
    """Read an answer to `POST /embeddings` about so many texts: their vectors in order, of length 1, and the name that
    the server gave for the model.

    Raises: completion.Trouble: it is not surely that; the sentence says what it is.
    """
    try:
        body = orjson.loads(content)
        completion.refuse_fault(content, body)
        entries = body["data"]
        rows = [_numbers(entry["embedding"]) for entry in entries]
        places = [entry.get("index", at) for at, entry in enumerate(entries)]
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise _wrong(f"The answer holds no vectors: {completion.excerpt(content)}") from error
    if len(rows) != count or sorted(map(str, places)) != sorted(map(str, range(count))):
        raise _wrong(f"The model server answered {count} texts with {len(rows)} vectors or with wrong numbers.")
    lengths = {len(row) for row in rows}
    if len(lengths) > 1 or not 1 <= max(lengths) <= MOST_DIMENSIONS:
        raise _wrong(f"The model server gave vectors of {', '.join(map(str, sorted(lengths)))} numbers.")
    vectors = np.empty((count, max(lengths)), np.float32)
    for place, row in zip(places, rows, strict=True):
        peak = float(np.abs(row).max())
        if not np.isfinite(peak) or peak == 0.0:
            raise _wrong("The model server gave a vector that has no direction (zeros, or not a number).")
        vectors[place] = row / peak / np.linalg.norm(row / peak)  # the square of a large number may be none
    name = body.get("model")
    return vectors, completion.excerpt(name[:200].encode()) if isinstance(name, str) else ""


def _wrong(text: str) -> completion.Trouble:
    """Asked again, since what stands before a server gives pages of its own at times; then it is said."""
    return completion.Trouble("again", f"{text} Check that the model is one for embeddings.")


def _numbers(value: object) -> NDArray[np.float64]:
    """A vector as it was sent: a list of numbers, or float32 in base64, which some servers send unasked.

    Raises: TypeError: it is neither.
    """
    if isinstance(value, str):
        try:
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4").astype(np.float64)
        except (binascii.Error, ValueError) as error:
            raise TypeError from error
    if not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
        raise TypeError
    return np.asarray(value, np.float64)
