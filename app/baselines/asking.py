"""How an arm asks: from its settings and one row to the prompt, and what the answer may be.

The one place where an arm's settings become a request. Whatever is worked out for many rows at once (a search for
passages) is worked out in `preparation`; `ask` only puts one row's prompt together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.baselines import prompts, shots, standing
from app.baselines.prompts import Passage, Shot
from app.baselines.tables import ArmRow
from app.chat import Message
from app.datasets.store import Example
from app.inference.constraints import Constraint
from app.inference.generator import Request


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model is asked for one row. details: what is kept with the answer, see `AnswerRow.details`."""

    messages: tuple[Message, ...]
    shots: Sequence[Shot] = ()
    passages: Sequence[Passage] = ()
    constraint: Constraint | None = None
    choices: tuple[str, ...] = ()
    details: Mapping[str, Any] | None = None

    def request(self, name: str, max_tokens: int) -> Request:
        """The same as the model's door takes it; `name` comes back with the answer. max_tokens: of the answer."""
        return Request(name, self.messages, max_tokens, self.constraint, self.choices)


@dataclass(frozen=True, slots=True)
class Preparation:
    """All that an arm needs to ask any of the rows that it was prepared for.

    passages: of each row, by its id, the best first, with their scores.
    """

    instructions: str
    picker: shots.Picker
    passages: Mapping[int, Sequence[tuple[Passage, float]]] = field(default_factory=dict)
    constraint: Constraint | None = None
    choices: tuple[str, ...] = ()

    def ask(self, example: Example) -> Asked:
        """What the model is asked for this row."""
        picked = self.picker.pick(prompts.question(example.messages))
        scored = self.passages.get(example.id, ())
        passages = [passage for passage, _ in scored]
        messages = prompts.render(self.instructions, picked, example.messages, passages)
        details = {"passages": [[passage.id, round(score, 6)] for passage, score in scored]} if scored else None
        return Asked(messages, picked, passages, self.constraint, self.choices, details)


def preparation(arm: ArmRow, pool: Sequence[Shot]) -> Preparation:
    """Prepare an arm. pool: the training rows, the only ones that may be shown as examples."""
    return Preparation(standing.instructions_of(arm.baseline, arm), _picker(arm.settings, pool), constraint=_held(arm))


def _picker(settings: Mapping[str, Any], pool: Sequence[Shot]) -> shots.Picker:
    match settings.get("shots"):
        case "random":
            return shots.Picker(random=shots.Random(pool, int(settings["k"]), int(settings["seed"])))
        case "nearest":
            return shots.Picker(nearest=shots.Nearest(pool), k=int(settings["k"]))
        case _:
            return shots.Picker()


def _held(arm: ArmRow) -> Constraint | None:
    kept = arm.settings.get("constraint")
    return Constraint(kept["kind"], kept["text"]) if kept else None
