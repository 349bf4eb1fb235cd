"""What the trainer and whoever started it say to each other: the order's file, events, exit codes."""

import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from app.training.facts import AdapterFacts, OutcomeJson


class Exit(IntEnum):
    """How the trainer ended. Everything else is a crash."""

    DONE = 0
    NO_TOKEN = 3  # nothing was read, let alone trained
    REFUSED = 4  # what lies on the disk is not what was approved
    DIVERGED = 5
    MEMORY = 6
    STOPPED = 7  # asked to, with a checkpoint of the last step
    BUSY = 8  # another attempt still holds the run's folder
    DISK = 9
    TIME = 10  # the recipe's own limit
    SMOKE = 11  # the short run before the long one did not come through
    DEVICE = 12  # what it should compute on is not there


TOGETHER = frozenset({Exit.STOPPED, Exit.TIME, Exit.DIVERGED})  # all ranks end so at once, and rank 0 says it


SPEC = "spec.json"
JOURNAL = "metrics.jsonl"  # steps and dev checks of all attempts, for whoever was not there to hear them
ADAPTER = "adapter"
SEALED = "run.lock"
HEARD = "heard-{:04d}.jsonl"  # of one start on a cluster: what each rank says, for whoever supervises them
BEATS = "lifeline.json"  # of a start on a cluster: that its supervisor is there
LOST_AFTER = 60.0  # seconds without a sign of life between a cluster and its supervisor
LOG = "trainer.log"  # what it and its libraries write besides


def of_rank(name: str, rank: int) -> str:
    """The file of this name for one of several processes; rank 0 has the plain one."""
    return f"{name}.{rank}" if rank else name


def plain(path: Path, flags: int) -> int:
    """Open a file of a run's folder, made if it is not there, for its owner only. A link in its place is an error: what
    is written here goes nowhere else."""
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)


@dataclass(frozen=True, slots=True)
class Start:
    """What one start of the trainer is given: the file that the launcher wrote. memory: bytes that the run may take, 0
    for what is free."""

    job_id: int
    attempt: int
    token: str
    digest: str
    subject: str
    rows: str
    model: str
    threads: int
    device: str = "cpu"
    meeting: str = ""  # where the ranks of one host meet; see `ranks.join`
    memory: int = 0


# ---------------------------------------------------------------- events


class Started(TypedDict):
    """Training begins, or goes on after `step` of `of`. leg: which training of a run that is several."""

    event: Literal["started"]
    step: int
    of: int
    attempt: int
    dtype: str
    device: str
    bits: NotRequired[int]
    train_rows: int
    replay_rows: NotRequired[int]
    dev_rows: int
    left_out: int
    shared_tokens: int
    adapter_parameters: int
    leg: NotRequired[str]
    leg_words: NotRequired[str]
    leg_number: NotRequired[int]
    leg_of: NotRequired[int]


class Measured(TypedDict):
    """An optimizer step or a check of dev loss. Losses in nats a trained token, scores from 0 to 1, memory in bytes."""

    event: Literal["step", "dev"]
    step: int
    of: int
    loss: float
    leg: NotRequired[str]
    epoch: NotRequired[float]
    learning_rate: NotRequired[float]
    gradient: NotRequired[float]
    tokens_per_second: NotRequired[float]
    memory_bytes: NotRequired[int]
    peak_bytes: NotRequired[int]
    best_step: NotRequired[int]
    best_loss: NotRequired[float]
    score: NotRequired[float]
    best_score: NotRequired[float]


class LegOver(OutcomeJson):
    """One of several trainings is over."""

    event: Literal["leg"]


class Committed(TypedDict):
    """A checkpoint is stored, whole."""

    event: Literal["checkpoint"]
    step: int
    folder: str
    manifest_sha256: str
    dev_loss: float | None
    leg: NotRequired[str]


class Logged(TypedDict):
    """A line for people."""

    event: Literal["log"]
    line: str


class Done(TypedDict):
    """The adapter is stored."""

    event: Literal["done"]
    best_step: int
    manifest_sha256: str
    facts: AdapterFacts


class GaveUp(TypedDict):
    """The trainer ends without an adapter; code: an `Exit`."""

    event: Literal["ended"]
    code: int
    name: str
    text: str


TrainerEvent = Started | Measured | LegOver | Committed | Logged | Done | GaveUp
