"""Several processes that train one adapter: which of them this is, and what they agree on.

Every rank holds the whole adapter. The rows of a step are dealt to the ranks, each adds up the gradients of its own,
and these sums are added over all ranks in 32 bits; then every rank takes the same optimizer step. So a step is that of
one process but for the order in which numbers are added. What is decided on the way (to stop, to go on, from which
checkpoint) is decided for all at once, or one rank would wait for the others for ever. Rank 0 alone speaks, keeps
checkpoints and hands out the adapter. No torch before there are several.
"""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import distributed

Agreed = TypeVar("Agreed")
PATIENCE = timedelta(minutes=30)  # for one rank that waits for another: as long as a trainer may say nothing
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class Apart(RuntimeError):
    """The ranks are not what they have to be to each other. Going on would train several different adapters."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which of how many processes this is. local: which one on its host, and so which of its devices is ours."""

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        return self.rank == 0


def place() -> Place:
    """As torchrun and our own launcher on Ray say it: in the variables that every trainer of torch goes by."""
    env = os.environ
    return Place(int(env.get("RANK", "0")), int(env.get("WORLD_SIZE", "1")), int(env.get("LOCAL_RANK", "0")))


class Team:
    """One process alone: everything is as it says."""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()

    @property
    def alone(self) -> bool:
        return self.place.size == 1

    @property
    def first(self) -> bool:
        return self.place.first

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Each of these, whether it is so for any rank."""
        return flags

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """Each of these, added over all ranks."""
        return numbers

    def most(self, number: int) -> int:
        """The largest of all ranks' numbers."""
        return number

    def agree(self, value: Agreed) -> Agreed:
        """What rank 0 says, as JSON, whatever the others would have said."""
        return value

    def add(self, tensors: Sequence["torch.Tensor"]) -> None:
        """Add 32-bit tensors over all ranks, in place."""

    def check(self, tensors: Sequence["torch.Tensor"]) -> None:
        """Raises: Apart: these tensors are not the same on all ranks, to the bit."""

    def close(self) -> None:
        """Let go of the others."""


class Ranks(Team):
    """One of several processes, once they have met (`join`). Small things are told on the CPU, gradients from device to
    device."""

    def __init__(self, place: Place) -> None:
        import torch
        from torch import distributed

        super().__init__(place)
        self._torch, self._all = torch, distributed

    def any(self, *flags: bool) -> tuple[bool, ...]:
        told = self._torch.tensor(flags, dtype=self._torch.uint8, device="cpu")
        self._all.all_reduce(told, self._all.ReduceOp.MAX)
        return tuple(bool(flag) for flag in told.tolist())

    def sum(self, *numbers: float) -> tuple[float, ...]:
        told = self._torch.tensor(numbers, dtype=self._torch.float64, device="cpu")
        self._all.all_reduce(told)
        return tuple(told.tolist())

    def most(self, number: int) -> int:
        told = self._torch.tensor([number], dtype=self._torch.int64, device="cpu")
        self._all.all_reduce(told, self._all.ReduceOp.MAX)
        return int(told)

    def agree(self, value: Agreed) -> Agreed:
        """JSON and not a pickle: what comes over a network is read and never run."""
        text = json.dumps(value).encode() if self.first else b""
        size = self._torch.tensor([len(text)], dtype=self._torch.int64, device="cpu")
        self._all.broadcast(size, 0)
        told = self._torch.zeros(int(size), dtype=self._torch.uint8, device="cpu")
        if self.first:
            told = self._torch.tensor(list(text), dtype=self._torch.uint8, device="cpu")
        self._all.broadcast(told, 0)
        agreed: Agreed = json.loads(bytes(told.tolist()))
        return agreed

    def add(self, tensors: Sequence["torch.Tensor"]) -> None:
        flat = self._torch.cat([tensor.reshape(-1) for tensor in tensors])
        self._all.all_reduce(flat)
        at = 0
        for tensor in tensors:
            tensor.copy_(flat[at : at + tensor.numel()].view_as(tensor))
            at += tensor.numel()

    def check(self, tensors: Sequence["torch.Tensor"]) -> None:
        """By a sum over their bits: one number that was computed otherwise changes it."""
        mine = sum(int(tensor.detach().view(self._torch.int32).sum(dtype=self._torch.int64)) for tensor in tensors)
        told = self._torch.tensor([mine, -mine], dtype=self._torch.int64, device="cpu")
        self._all.all_reduce(told, self._all.ReduceOp.MAX)
        if int(told[0]) != -int(told[1]):
            raise Apart("The ranks took the same steps and hold different adapters: a device computes wrongly.")

    def close(self) -> None:
        self._all.destroy_process_group()


class _MeetingPoint(TypedDict, total=False):
    """Where torch has the ranks meet."""

    store: "distributed.Store"
    init_method: str


def join(where: Place, meeting: str, device: str) -> Team:
    """Meet the others, and take the device that is ours.

    meeting: a file that the ranks of one host meet at, not there yet, which is left to whoever started them (a slower
    rank may still read it when we are through); empty: they meet at MASTER_ADDR, as ranks of
    several hosts do. device: `auto`, `cpu` or `cuda`, as for `devices.choose`.

    Raises:
        devices.NotThere: this host has fewer devices than ranks, or a device that ranks cannot share work on.
    """
    if where.size == 1:
        return Team(where)
    import torch
    from torch import distributed

    from app.inference import devices

    if device == "mps":
        raise devices.NotThere("Several processes train on CPUs or CUDA devices, not on MPS. Set TUNEGATE_DEVICE.")
    accelerated = device != "cpu" and torch.cuda.is_available()
    if accelerated:
        if where.local >= torch.cuda.device_count():
            raise devices.NotThere(
                f"Process {where.local + 1} of this host has no device of its own: torch finds "
                f"{torch.cuda.device_count()}. Choose fewer processes."
            )
        torch.cuda.set_device(where.local)
    store = distributed.FileStore(meeting, where.size) if meeting else None
    at: _MeetingPoint = {"store": store} if store else {"init_method": "env://"}
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if accelerated else "gloo", rank=where.rank, world_size=where.size, timeout=PATIENCE, **at
    )
    team = Ranks(where)
    kinds = team.sum(float(accelerated))[0]
    if kinds not in {0, where.size}:
        raise devices.NotThere("Some hosts have an accelerator and some have none. Set TUNEGATE_DEVICE to cpu.")
    return team


def end_with_agent() -> None:
    """Have the kernel kill this rank when torchrun's agent is gone, which starts each rank in a session of its own: a
    signal to the agent's group would not reach it. Elsewhere than on Linux the end of standard input has to do."""
    if "TORCHELASTIC_RUN_ID" not in os.environ or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() == 1:  # it was gone before we asked
        os._exit(1)
