"""What is kept of a training run beside its columns, as it is stored: each name only where it is known."""

from collections.abc import Mapping
from typing import Literal, TypedDict

from app.inference.local_protocol import Dtype

Kind = Literal["main", "rate", "seed", "part"]


class OutcomeJson(TypedDict):
    """What a leg came to; see `legs.Outcome`."""

    name: str
    kind: Kind
    learning_rate: float
    seed: int
    share: float
    rows: int
    steps: int
    of: int
    base_loss: float | None
    best_loss: float | None
    best_score: float | None
    seconds: float
    diverged: str


class Rivals(TypedDict):
    """What else an adapter has to beat. prompts: arms with a result on the test rows. unasked: arms without one, each
    with how far it is behind the best on the dev rows: name, difference, and its interval from low to high. free: arms
    that ask no language model."""

    prompts: list[str]
    unasked: list[tuple[str, float, float, float]]
    free: list[str]


class Teacher(TypedDict):
    """The arm of the larger model that an adapter may replace. margin: by how much it may be worse, 0 to 1."""

    arm: int
    name: str
    margin: float


class RunFacts(TypedDict, total=False):
    """cause: why it ended, `paused` among them. compared_with: name of the best arm when it was approved. leg: the
    training that goes on, with its words, its number and how many there are; chosen_leg: the one that is judged.

    steps, of: optimizer steps. Losses are in nats a trained token, scores from 0 to 1. libraries: versions by name.
    freed_bytes: what was removed of a run that was cancelled. release_fault, seeds_fault: why what was asked besides
    has no result.
    """

    attempts: int
    cause: str
    compared_with: str
    rivals: Rivals
    teacher: Teacher
    freed_bytes: int
    release_fault: str
    seeds_fault: str

    leg: str
    leg_words: str
    leg_number: int
    leg_of: int
    legs: list[OutcomeJson]
    chosen_leg: str

    dtype: Dtype
    device: str
    bits: int
    train_rows: int
    replay_rows: int
    dev_rows: int
    left_out: int
    shared_tokens: int
    adapter_parameters: int

    steps: int
    of: int
    evaluated: int
    best_step: int
    without_gain: int
    base_loss: float | None
    best_loss: float | None
    base_score: float | None
    best_score: float | None
    seconds: float
    peak_bytes: int
    pass_tokens: int
    recompute: bool
    libraries: Mapping[str, str]


class AdapterFacts(RunFacts, total=False):
    """What an adapter was sealed with; step: that of its checkpoint."""

    step: int
