"""From the messages of another program to the prompt of a variant: exactly what a measurement would have asked.

The one place that puts an arm's prompt together is `baselines.asking`, here as in measuring: instructions, examples and
passages are those of the arm, chosen for the question as they were for the rows. What takes long (reading the training
rows, working out which are alike) is done once for each name, and kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.baselines import asking, prompts, with_passages
from app.baselines import shots as examples
from app.baselines import store as baseline_store
from app.baselines.asking import Asked, Embed, Preparation
from app.baselines.prompts import Passage, Shot
from app.baselines.tables import ArmRow
from app.blobs import Blobs
from app.chat import Message
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import reading
from app.inference import embedding
from app.inference.embedding import Vectors
from app.inference.generator import Unusable
from app.retrieval import service as retrieval
from app.retrieval.settings import Way
from app.retrieval.tables import IndexRow
from app.retrieval.warm import WARM
from app.settings import Settings

KEPT = 4  # prepared prompts, each with the training rows that it chooses examples from
BARE = Preparation("", examples.Picker())  # the model alone: what was sent is what it is asked


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prompt that is ready for questions. pool: training rows; embed: for examples that are chosen by meaning."""

    arm: ArmRow | None
    pool: Sequence[Shot]
    embed: Embed | None
    fixed: Preparation | None


class Prompting:
    """Prompts of variants, ready to be asked with. Safe to use from several threads."""

    def __init__(self, engine: Engine, settings: Settings, blobs: Blobs) -> None:
        self._engine, self._settings, self._blobs = engine, settings, blobs
        self._kept: OrderedDict[int, Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, arm_id: int | None, messages: Sequence[Message]) -> Asked:
        """What the model is asked for these messages; arm_id: None for the model alone.

        Raises: Unusable: examples or passages can't be had.
        """
        example = Example(0, 0, tuple(messages), "")
        if arm_id is None:
            return BARE.ask(example)
        with self._lock:  # of several that ask for a new one at once, one works it out
            prepared = self._prepared(arm_id)
        if prepared.fixed is not None:
            return prepared.fixed.ask(example)
        arm = prepared.arm
        if arm is None:
            raise ValueError("what is not fixed belongs to a variant")
        made = asking.preparation(arm, prepared.pool, [example], prepared.embed)
        if arm.settings.get("passages"):
            with reading(self._engine) as session:
                made = replace(made, passages={example.id: self._passages(session, arm, example)})
        return made.ask(example)

    def _prepared(self, arm_id: int) -> Prepared:
        if arm_id in self._kept:
            self._kept.move_to_end(arm_id)
            return self._kept[arm_id]
        with reading(self._engine) as session:
            arm = baseline_store.arm(session, arm_id)
            needs_rows = {"shots", "scoring"} & set(arm.settings)
            rows = dataset_store.rows(session, arm.baseline.dataset_id, "train") if needs_rows else []
            pool = [Shot(row.id, row.line, tuple(row.messages), row.target) for row in rows]
        embed = self._embed(arm, pool) if asking.needs_embedder(arm.settings) else None
        alone = embed is None and not arm.settings.get("passages")
        prepared = Prepared(arm, pool, embed, asking.preparation(arm, pool) if alone else None)
        self._kept[arm_id] = prepared
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return prepared

    def _embed(self, arm: ArmRow, pool: Sequence[Shot]) -> Embed:
        """Turns texts into vectors with the model that the arm was measured with; those of training rows are kept."""
        choice, digest = asking.needs_embedder(arm.settings), arm.settings["embedder"].get("sha256")
        lasting = {prompts.question(shot.messages)[: examples.TEXT_LIMIT] for shot in pool}
        kept: dict[str, Vectors] = {}

        def embed(texts: Sequence[str]) -> Vectors:
            missing = list(dict.fromkeys(text for text in texts if text not in kept))
            made: Mapping[str, Vectors] = {}
            if missing:
                with WARM.embedder(choice, lambda: embedding.embedder(self._settings, choice)) as model:
                    if digest and model.digest != digest:
                        raise Unusable("The embedding model is another one now than when this prompt was measured.")
                    vectors = model.embed(missing, kind="query", stop=_never)
                made = dict(zip(missing, vectors, strict=True))
                kept.update({text: vector for text, vector in made.items() if text in lasting})
            return np.stack([kept[text] if text in kept else made[text] for text in texts])

        return embed

    def _passages(self, session: Session, arm: ArmRow, example: Example) -> Sequence[tuple[Passage, float]]:
        """What stands before this question: all documents, or those that are searched for it."""
        settings = arm.settings["passages"]
        if settings["way"] == "all":
            return [(passage, 1.0) for passage in with_passages.given(session, self._blobs, arm, None)]
        index = session.get_one(IndexRow, int(settings["index"]))
        if index.sha256 != settings["sha256"]:
            raise Unusable("The index is not the one that this prompt was measured with.")
        question, way, k = prompts.question(example.messages), cast("Way", settings["way"]), settings["k"]
        if way == "lexical" or not index.settings.embedder:
            hits = retrieval.searcher(self._settings, self._blobs, index).search([question], way, k)[0]
        else:
            choice = index.settings.embedder
            with WARM.embedder(choice, lambda: embedding.embedder(self._settings, choice)) as model:
                hits = retrieval.searcher(self._settings, self._blobs, index, model).search([question], way, k)[0]
        passages = with_passages.passages_of(session, self._blobs, index.id, {hit.passage_id for hit in hits})
        return [(passages[hit.passage_id], hit.score) for hit in hits]


def _never() -> bool:
    return False
