"""What the trainer and whoever started it say to each other: the order's file, events, exit codes."""

import os
from enum import IntEnum
from pathlib import Path


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
