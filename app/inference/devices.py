"""What a model computes on: chosen by looking, named, and never changed in silence. Only child processes import this.

`auto` takes an accelerator that is there and works, else the CPU. One that was asked for by name and is not there ends
the process with a sentence: a run that was planned for a GPU and crawls along on a CPU is a fault, not a fallback.
"""

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from app.processes import parent

Name = Literal["auto", "cpu", "cuda", "mps"]
NAMES: tuple[Name, ...] = ("auto", "cpu", "cuda", "mps")


class NotThere(Exception):
    """The device that was asked for cannot be used; the text says why, and what to set instead."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device. name: as torch calls it (ROCm is `cuda` to torch as well). title: what people call it. memory: bytes
    that it has; 0 where it shares the machine's. bf16: whether it computes in bfloat16 by itself."""

    name: str
    title: str
    memory: int = 0
    bf16: bool = True

    @property
    def accelerator(self) -> bool:
        return self.name != "cpu"


CPU = Device("cpu", "CPU")


def choose(wanted: str) -> Device:
    """The device to compute on.

    Raises:
        NotThere: one was named that this machine does not have, or that does not work.
    """
    if wanted == "cpu":
        return CPU
    for name, look in (("cuda", _cuda), ("mps", _mps)):
        if wanted not in ("auto", name):
            continue
        device = look()
        if device is not None:
            _works(device)
            return device
        if wanted == name:
            raise NotThere(
                f"TUNEGATE_DEVICE is {name}, and torch finds no such device here. Install the build of torch for it, "
                "or set TUNEGATE_DEVICE to auto or cpu."
            )
    return CPU


def _cuda() -> Device | None:
    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())  # of several ranks each has its own
    kind = "ROCm" if torch.version.hip else "CUDA"
    # Emulated bfloat16 is slower than 32 bits on the cards that do not have it (before Ampere).
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Device("cuda", f"{properties.name} ({kind})", int(properties.total_memory), bf16)


def _mps() -> Device | None:
    if not torch.backends.mps.is_available():
        return None
    return Device("mps", "Apple GPU (MPS)", bf16=False)


def _works(device: Device) -> None:
    """Multiply something once: a driver that does not fit shows here, not in the middle of a run.

    Raises: NotThere: it does not come through.
    """
    try:
        square = torch.ones(8, 8, device=device.name)
        right = float((square @ square).sum()) == 8**3
    except (RuntimeError, NotImplementedError) as error:
        raise NotThere(f"{device.title} is there and does not work: {error}. Set TUNEGATE_DEVICE to cpu.") from error
    if not right:
        raise NotThere(f"{device.title} multiplies wrongly. Set TUNEGATE_DEVICE to cpu.")


def count(device: Device) -> int:
    """How many accelerators of this kind the machine has; 0 where it computes on the CPU."""
    if device.name == "cuda":
        return int(torch.cuda.device_count())
    return int(device.accelerator)


def compute_on(device: Device) -> None:
    """Have every new tensor of this process on that device."""
    torch.set_default_device(device.name)


def peak_bytes(device: Device) -> int:
    """The most memory taken so far: on an accelerator of its own memory, on the CPU of the process."""
    if device.name == "cuda":
        return int(torch.cuda.max_memory_reserved())
    if device.name == "mps":
        return int(torch.mps.driver_allocated_memory())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory(device: Device) -> tuple[int, int]:
    """Bytes taken now and at most: on an accelerator of its own memory, on the CPU of the process."""
    if device.name == "cuda":
        return int(torch.cuda.memory_reserved()), peak_bytes(device)
    if device.name == "mps":
        return int(torch.mps.driver_allocated_memory()), peak_bytes(device)
    return parent.memory()


def free_bytes(device: Device) -> int:
    """What the accelerator can still give out; 0 where the machine's own memory is what counts."""
    if device.name == "cuda":
        free, _ = torch.cuda.mem_get_info()
        return int(free)
    return 0


def random_state(device: Device) -> Mapping[str, torch.Tensor]:
    """What dropout draws from, on the CPU and on the device."""
    states: dict[str, torch.Tensor] = {"torch_rng": torch.get_rng_state()}
    if device.name == "cuda":
        states["cuda_rng"] = torch.cuda.get_rng_state()
    elif device.name == "mps":
        states["mps_rng"] = torch.mps.get_rng_state()
    return states


def restore_random_state(states: Mapping[str, torch.Tensor]) -> None:
    """Draw from there on. A state of a device that is not here is left out: the run then goes on, not to the bit."""
    setters: Mapping[str, Callable[[torch.Tensor], None] | None] = {
        "torch_rng": torch.set_rng_state,
        "cuda_rng": torch.cuda.set_rng_state if torch.cuda.is_available() else None,
        "mps_rng": torch.mps.set_rng_state if torch.backends.mps.is_available() else None,
    }
    for name, state in states.items():
        if (set_state := setters.get(name)) is not None:
            set_state(state.cpu())
