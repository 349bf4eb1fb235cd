"""What a job says of how far it is, for every page that shows it: each name only where the job has it."""

from collections.abc import Sequence
from typing import TypedDict


class SpentSoFar(TypedDict, total=False):
    """What a measurement has used, see `baselines.spending.Spent`. taken: answers that an earlier run had.
    judge_calls: those of the LLM judge that decides, where one does."""

    calls: int
    tokens: int
    money: float | None
    currency: str
    estimated: bool
    taken: int
    judge_calls: int


class Progress(TypedDict, total=False):
    """stage: what is done now, in words. done, total: in `unit`; rate: of these a second. most: how many `total` may
    become, where that is not known yet.

    The rest is of one kind of job. A check or an index: `stages`, with the place of the one that goes on, and results
    that can be seen already (`so_far`, by name). A measurement: the `arm` that answers the rows of a `split`, what it
    waits for, and what was `spent` (`baselines.spending`). Judging: `calls`. The optimizer: prompts that were drafted,
    and at most. A training: loss of the last step, speed, and bytes of memory now and at most.
    """

    stage: str
    done: int
    total: int
    most: int
    unit: str
    rate: float
    seconds_left: float

    stages: Sequence[str]
    at: int
    so_far: Sequence[tuple[str, int | str]]

    arm: int | None
    split: str
    waiting: str
    spent: SpentSoFar

    calls: int
    drafts: int
    most_drafts: int

    loss: float
    tokens_per_second: float
    memory_bytes: int
    peak_bytes: int
