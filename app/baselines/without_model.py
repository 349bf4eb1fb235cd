"""Answers that no language model gives: a label of a small classifier, the most similar row's answer, the commonest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.baselines import classifier, prompts, shots
from app.baselines.asking import Embed
from app.baselines.prompts import Shot
from app.baselines.tables import ArmRow
from app.datasets.store import Example


@dataclass(frozen=True, slots=True)
class Free:
    """One row's answer. copied: the training row that it is the answer of, if it was copied. chances: of labels."""

    example: Example
    text: str
    copied: Sequence[Shot] = ()
    chances: Mapping[str, float] = field(default_factory=dict)


def answers(arm: ArmRow, waiting: Sequence[Example], pool: Sequence[Shot], embed: Embed | None) -> Iterator[Free]:
    """Answer rows. pool: the training rows. embed: for an arm that reads texts by an embedding model.

    Raises:
        ValueError: that is missing.
    """
    if not waiting:
        return
    questions = [prompts.question(example.messages) for example in waiting]
    label = arm.settings.get("label")
    if arm.family in ("small_classifier", "embedding_classifier"):
        features = None
        if arm.family == "embedding_classifier":
            if embed is None:
                raise ValueError("a classifier on embeddings needs an embedding model")
            features = classifier.Meaning(embed, questions)
        learnt = classifier.Classifier(pool, features, arm.baseline.seed).answer(questions)
        for example, each in zip(waiting, learnt, strict=True):
            yield Free(example, each.label, chances=each.chances)
    elif label is not None:
        yield from (Free(example, str(label)) for example in waiting)
    else:
        nearest = shots.Nearest(pool, questions)
        for example, text in zip(waiting, questions, strict=True):
            alike = nearest.alike(text, 1)
            yield Free(example, alike[0].target if alike else "", alike)
