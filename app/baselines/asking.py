"""How an arm asks: from its settings and one row to the prompt, and what the answer may be.

The one place where an arm's settings become a request. Whatever is worked out for many rows at once (a search for
passages) is worked out in `preparation`; `ask` only puts one row's prompt together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.baselines import arms, classifier, prompts, shots, standing, with_passages
from app.baselines.answer_details import AnswerDetails
from app.baselines.arm_settings import ArmSettings
from app.baselines.prompts import Passage, Shot
from app.baselines.tables import ArmRow
from app.baselines.with_passages import LookedUp
from app.chat import Message
from app.datasets.store import Example
from app.inference.constraints import Constraint
from app.inference.generator import Answer, Request


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model is asked for one row. thinks: whether it is to think before it answers. details: what is kept with
    the answer, see `AnswerRow.details`. question: what is asked, without passages."""

    messages: tuple[Message, ...]
    shots: Sequence[Shot] = ()
    passages: Sequence[Passage] = ()
    constraint: Constraint | None = None
    choices: tuple[str, ...] = ()
    thinks: bool = False
    details: AnswerDetails | None = None
    question: str = ""

    def request(self, name: str, max_tokens: int, *, fresh: bool = False) -> Request:
        """The same as the model's door takes it; `name` comes back with the answer. max_tokens: of the answer."""
        return Request(name, self.messages, max_tokens, self.constraint, self.choices, fresh, self.thinks)

    def kept(self, answer: Answer, target: str) -> tuple[Answer, AnswerDetails | None]:
        """An answer as it is scored, without the passages that it cites, and what is kept with it. target: the wanted
        answer."""
        details: AnswerDetails = {**self.details} if self.details else {}
        if self.passages and answer.error is None:
            gold = details.get("gold", ())
            text, used = with_passages.ending(self.passages, gold, answer.text, target, self.question)
            answer, details = replace(answer, text=text), {**details, **used}
        if answer.chances:
            details["chances"] = classifier.likeliest(answer.chances)
        return answer, details or None


@dataclass(frozen=True, slots=True)
class Preparation:
    """All that an arm needs to ask any of the rows that it was prepared for.

    thinks: the training rows have reasoning, so that models are asked to think; not where an answer is scored or held
    to a constraint, which leave no place for it. passages: of each row, by its id, the best first, with their scores.
    gold: the right passages of rows where they are known. retrieved: whether passages differ from row to row, and are
    kept with each answer.
    """

    instructions: str
    picker: shots.Picker
    passages: Mapping[int, Sequence[tuple[Passage, float]]] = field(default_factory=dict)
    gold: Mapping[int, Sequence[int]] = field(default_factory=dict)
    retrieved: bool = True
    constraint: Constraint | None = None
    choices: tuple[str, ...] = ()
    thinks: bool = False

    def ask(self, example: Example) -> Asked:
        """What the model is asked for this row."""
        question = prompts.question(example.messages)
        picked = self.picker.pick(question)
        scored = self.passages.get(example.id, ())
        passages = [passage for passage, _ in scored]
        messages = prompts.render(self.instructions, picked, example.messages, passages)
        details: AnswerDetails = {}
        if example.id in self.passages and self.retrieved:
            details["passages"] = [(passage.id, round(score, 6)) for passage, score in scored]
        if gold := self.gold.get(example.id):
            details["gold"] = list(gold)
        return Asked(messages, picked, passages, self.constraint, self.choices, self.thinks, details or None, question)


Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors of length 1, one a row, by the embedding model that an arm's settings name."""


def preparation(
    arm: ArmRow,
    pool: Sequence[Shot],
    examples: Sequence[Example] = (),
    embed: Embed | None = None,
    looked_up: LookedUp | None = None,
) -> Preparation:
    """Prepare an arm. pool: the training rows, the only ones that may be shown as examples. examples: every row that
    will be asked. embed: needed where examples are chosen by embedding (`needs_embedder`). looked_up: its
    passages."""
    given = looked_up or LookedUp()
    instructions = standing.instructions_of(arm.baseline, arm)
    window = arm.settings.get("window")
    room = arms.room(window, arm.baseline.max_tokens, instructions) if window else None
    picker = _picker(arm.settings, pool, [prompts.question(row.messages) for row in examples], embed, room)
    constraint, choices = _held(arm), _choices(arm.settings, pool)
    return Preparation(
        instructions,
        picker,
        given.passages,
        given.gold,
        retrieved=(arm.settings.get("passages") or {}).get("way") != "all",
        constraint=constraint,
        choices=choices,
        thinks=bool(arm.baseline.thinks) and not constraint and not choices,
    )


def needs_embedder(settings: ArmSettings) -> str:
    """The embedding model that an arm's examples are chosen by, as `embedding.Choice.key`; empty where none is."""
    return settings["embedder"]["choice"] if settings.get("by") == "embedding" else ""


def _picker(
    settings: ArmSettings, pool: Sequence[Shot], texts: Sequence[str], embed: Embed | None, room: float | None
) -> shots.Picker:
    k = settings.get("k", 0)
    match settings.get("shots"):
        case "random" | "many":
            return shots.Picker(random=shots.Random(pool, k, settings["seed"], room))
        case "nearest" if needs_embedder(settings):
            if embed is None:
                raise ValueError("examples by embedding need an embedding model")
            return shots.Picker(nearest=shots.NearestByMeaning(pool, texts, embed), k=k)
        case "nearest":
            return shots.Picker(nearest=shots.Nearest(pool, texts), k=k)
        case _:
            return shots.Picker()


def _choices(settings: ArmSettings, pool: Sequence[Shot]) -> tuple[str, ...]:
    """The labels that are scored in place of writing an answer; none where one is written.

    Raises: ValueError: they are not those that the arm began with.
    """
    if settings.get("scoring") != "labels":
        return ()
    labels = classifier.label_set([shot.target for shot in pool])
    if classifier.label_set_sha256(labels) != settings["labels"]["sha256"]:
        raise ValueError("the labels of the training rows are not those that it began with")
    return labels


def _held(arm: ArmRow) -> Constraint | None:
    kept = arm.settings.get("constraint")
    return Constraint.from_json(kept) if kept else None
