"""What an offer of an arm is, and what it is made from. `catalogue` has the list of all."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines.arms import Arm
from app.baselines.order import BaselineRequest
from app.datasets.store import Example
from app.datasets.tables import DatasetRow
from app.settings import Settings

_DRAW = re.compile(r"(few_shot_random(?:/k\d+)?)/\d+")

# How offers are put together on a page, in this order. What is of no family here has a group of its own family.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "No LLM": ("trivial", "small_classifier", "embedding_classifier"),
    "Prompts": ("zero_shot", "revised_prompt", "optimised_prompt"),
    "Examples": ("few_shot_random", "few_shot_nearest", "many_shot"),
    "Retrieval": ("rag", "oracle", "whole_corpus"),
    "Constraints": ("schema",),
    "Labels": ("label_scoring",),
    "Other models": ("stronger_model",),
}


@dataclass(frozen=True, slots=True)
class Context:
    """What offers are made from. examples: the rows of the frozen split, by its name. settings: of the installation,
    where what is installed decides what can be offered."""

    session: Session
    assessment: AssessmentRow
    dataset: DatasetRow
    examples: Mapping[str, Sequence[Example]]
    order: BaselineRequest
    settings: Settings | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One arm that could be measured. why: a sentence, why it is proposed or left to choose. against: why it can't be
    run and where that is mended; empty where it can. mend: the page where it is mended, as a path. always: it costs
    nothing and is never left out. characters: of a prompt, beside instructions, examples and the question: passages.
    embeds: id of the model on a server that gets every question, to search passages by it; None where none does.
    rows: dev rows that it can be asked, None where all of them. label_tokens: tokens of all labels, which the model
    computes with for each row; 0 where it scores none.
    """

    arm: Arm
    proposed: bool
    why: str = ""
    against: str = ""
    always: bool = False
    mend: str = ""
    characters: float = 0.0
    embeds: int | None = None
    rows: int | None = None
    label_tokens: float = 0.0

    @property
    def key(self) -> str:
        """One for all draws of the same: they are chosen together."""
        return key_of(self.arm.name)

    @property
    def group(self) -> str:
        """Under which heading it stands."""
        return next((group for group, families in GROUPS.items() if self.arm.family in families), self.arm.family)


def key_of(name: str) -> str:
    """What an arm of this name is chosen by."""
    drawn = _DRAW.fullmatch(name)
    return drawn.group(1) if drawn else name


@dataclass(frozen=True, slots=True)
class Sizes:
    """Characters of a row, on average: of what is asked and of its answer; and of the instructions."""

    question: float
    answer: float
    instructions: int

    @classmethod
    def of(cls, context: Context) -> "Sizes":
        rows = list(context.examples["dev"]) or list(context.examples["train"])
        asked = [sum(len(turn.content) for turn in row.messages) for row in rows]
        answers = [len(row.target) for row in rows]
        number = max(1, len(rows))
        return cls(sum(asked) / number, sum(answers) / number, len(context.order.instructions))

    def prompt(self, offer: Offer) -> float:
        """Characters of a prompt of this arm; 0 where no language model is asked."""
        if offer.arm.free:
            return 0.0
        settings = offer.arm.settings
        instructions = len(settings["instructions"]) if "instructions" in settings else self.instructions
        shots = int(settings.get("k", 0)) if "shots" in settings else 0
        return instructions + self.question + shots * (self.question + self.answer) + offer.characters
