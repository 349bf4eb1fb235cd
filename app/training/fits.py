"""Fit a run into the memory there is: smaller passes of the same batches, then layers that compute again on the way.

Neither changes what is learned: a step's rows and the sum of their losses stay the same (`batches`, `recompute`).
"""

import ctypes
import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.inference import attention, devices, loading
from app.inference.devices import Device
from app.training import batches, room
from app.training.recipe import Recipe

import torch  # isort: skip  (after loading, which makes it stay offline)

if TYPE_CHECKING:
    from app.training.lora import Learner

RESERVE = 0.1  # of the rehearsed peak, for what the allocator keeps of passes of other shapes in a long run
OPTIMIZER_BYTES = 12  # of a number of the adapter: its gradient and two moments, in 32 bits
NO_MEMORY = ("can't allocate memory", "not enough memory")  # what torch's CPU allocator says


def shape(learner: "Learner") -> room.Shape:
    """The shape of the base model, as it computes here."""
    config = learner.inner.config
    size = loading.DTYPES[learner.loaded.dtype].itemsize
    kind = getattr(config, "_attn_implementation", "eager")
    until = attention.KEPT if kind == attention.BLOCKS else 0
    scores, passing = attention.kept_bytes(kind, 1, 1, size), attention.passing_bytes(kind, size)
    return room.Shape.of(config, size, scores=scores, until=until, passing=passing)


def kept(learner: "Learner", rows: Sequence[int], *, recompute: bool | None = None) -> int:
    """Bytes that a pass over these rows takes, worked out. recompute: None for as it is set now. General rows go
    through in passes of their own and share no beginning, however long that of the others is."""
    again = learner.recompute.on if recompute is None else recompute
    return max(_kept(learner, part, again=again) for part in learner.alike((tuple(rows),)))


def _kept(learner: "Learner", rows: Sequence[int], *, again: bool) -> int:
    width = max(learner.lengths[row] for row in rows)
    shared = learner.shared if len(rows) > 1 and not learner.general(rows) else 0
    return shape(learner).kept(len(rows), width, min(shared, width - 1), recompute=again)


def heaviest(learner: "Learner", count: int) -> list[batches.Step]:
    """The steps of the whole run whose passes take most memory, the heaviest first."""
    recipe = learner.recipe
    steps = [
        step
        for epoch in range(-(-learner.total // learner.steps_an_epoch))
        for step in batches.epoch(learner.lengths, recipe.batch_rows, recipe.seed, epoch, learner.budget)
    ]
    return sorted(steps, key=lambda step: -heaviest_pass(learner, step))[:count]


def heaviest_pass(learner: "Learner", step: batches.Step) -> int:
    """Bytes of the pass of a step that takes most."""
    return max(kept(learner, part) for part in step)


def optimizer_bytes(learner: "Learner") -> int:
    """What the first optimizer step adds: a rehearsal has no gradients in 32 bits and no moments."""
    return OPTIMIZER_BYTES * learner.adapter_parameters


def smaller(learner: "Learner", rows: Sequence[int]) -> bool:
    """Have passes over such rows take less from here on: half as much at once, and once each row is alone, layers that
    compute again, if the recipe leaves that open. False: there is nothing more to be had."""
    before = batches.passes(rows, learner.lengths, learner.budget)
    if any(len(part) > 1 for part in before):
        while batches.passes(rows, learner.lengths, learner.budget) == before:
            learner.budget = max(1, learner.budget // 2)
        return True
    if learner.recipe.checkpointing == "auto" and learner.recompute.possible and not learner.recompute.on:
        learner.recompute.on = True
        learner.budget = learner.widest
        return True
    return False


def settle(learner: "Learner", limit: int, standing: int = 0) -> bool:
    """Make passes small enough, before any is tried, that the run stays within `limit` bytes of this process by what
    can be worked out. False: it may not; the smallest passes are set then. Only on the CPU, where a process that takes
    too much is killed; an accelerator says so, and is listened to (`Learner.step`). standing: see `within`."""
    if not limit or learner.loaded.device.accelerator:
        return True
    before = learner.budget, learner.recompute.on
    fits = False
    while not fits:
        step = heaviest(learner, 1)[0]
        fits = within(learner, step, limit, standing)
        if not fits and not smaller(learner, max(step, key=lambda part: kept(learner, part))):
            break
    if before != (learner.budget, learner.recompute.on):
        learner.tell(f"There are {limit / 1e9:.1f} GB of memory. {settings_said(learner)}")
    return fits


def within(learner: "Learner", step: batches.Step, limit: int, standing: int = 0, *, strict: bool = False) -> bool:
    """Whether a step keeps to `limit` bytes of this process, by what can be worked out; true without a limit. An
    accelerator refuses by itself what is too much: there it is true, too, unless `strict`. standing: bytes before any
    pass, 0 for what this process has now; what a pass that was tried has left behind would be counted twice."""
    if not limit or (learner.loaded.device.accelerator and not strict):
        return True
    held = (standing or resident(learner.loaded.device)) + optimizer_bytes(learner)
    return held + heaviest_pass(learner, step) * (1 + room.UNTRIED) <= limit


def limit(device: Device, allowed: int, beside: int = 1) -> int:
    """Bytes that this process may have in all. allowed: to the run, by the operator, 0 for what is free. beside: how
    many processes of it are here (`beside`); they share what is allowed and what is free. 0: nobody knows."""
    free = devices.free_bytes(device) if device.accelerator else room.free_bytes()
    found = resident(device) + free // beside if free else 0
    mine = allowed // beside
    return min(mine, found) if mine and found else mine or found


def beside(recipe: Recipe, device: Device) -> int:
    """How many processes of a run share one memory: those on the CPUs of one machine. Each device has its own, and
    where a cluster starts them is not known."""
    return recipe.processes if recipe.launcher == "torchrun" and not device.accelerator else 1


def settings_said(learner: "Learner") -> str:
    """How passes are made from here on, for a person."""
    again = " and layers compute again what they did not keep" if learner.recompute.on else ""
    return (
        f"Passes hold {learner.budget:,} tokens from here on{again}; batches are the same, and so is what is learned."
    )


def ran_out(error: RuntimeError) -> bool:
    """Whether this is a device, or the system, that has no more memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in NO_MEMORY)


# ---------------------------------------------------------------- measuring


def resident(device: Device) -> int:
    """Bytes that this process has taken: on an accelerator of its memory, else of the machine's."""
    if device.name == "cuda":
        return int(torch.cuda.memory_reserved())
    if device.name == "mps":
        return int(torch.mps.driver_allocated_memory())
    return _status("VmRSS") or devices.peak_bytes(device)


class Meter:
    """The most memory that was taken since it was started, on top of what was there."""

    def __init__(self, device: Device) -> None:
        self.device = device
        gc.collect()
        if device.name == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        elif not device.accelerator and sys.platform == "linux":
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back, so that it is not counted as standing
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the high-water mark begins anew
        self.standing = resident(device)

    @property
    def peak(self) -> int:
        """Bytes of the whole process, or of all that it has on the accelerator."""
        if self.device.accelerator:
            return devices.peak_bytes(self.device)
        return _status("VmHWM") or devices.peak_bytes(self.device)

    @property
    def more(self) -> int:
        """Bytes on top of what was there."""
        return max(0, self.peak - self.standing)


def _status(name: str) -> int:
    """A figure of this process as Linux keeps it, in bytes; 0 where there is none."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def parts(learner: "Learner", standing: int, passes: int) -> Mapping[str, int]:
    """Bytes that training will take at its peak, by part; their sum is what it needs.

    standing: of this process before a pass. passes: what the heaviest pass takes on top. program: the interpreter,
    its libraries and the kernels that they keep. weights: of the base model. adapter: its numbers here and in 32 bits,
    with gradients and both moments of the optimizer. reserve: what a longer run was seen to add; see
    tests/bench/RESULTS.md.
    """
    weights, learned = base_bytes(learner), learned_bytes(learner)
    program = max(0, standing - weights - learned)
    reserve = round(RESERVE * (standing + passes))
    return {
        "program": program,
        "weights": weights,
        "adapter": learned + optimizer_bytes(learner),
        "activations": passes,
        "reserve": reserve,
    }


def base_bytes(learner: "Learner") -> int:
    """Of the base model's weights as they are held."""
    return int(sum(p.numel() * p.element_size() for p in _frozen(learner)))


def learned_bytes(learner: "Learner") -> int:
    """Of the adapter in the model, and of its copy in 32 bits."""
    return int(sum(p.numel() * (p.element_size() + 4) for p in learner.learned.values()))


def base_bytes_in_4_bits(learner: "Learner") -> int:
    """What the base model's weights would take with its layers' matrices in 4 bits; embeddings and norms stay."""
    layers = {id(p) for name, p in learner.model.named_parameters() if ".layers." in name and p.dim() > 1}
    each = (p.numel() * (room.NF4_BYTES if id(p) in layers else p.element_size()) for p in _frozen(learner))
    return int(sum(each))


def _frozen(learner: "Learner") -> Iterator[torch.nn.Parameter]:
    return (p for p in learner.model.parameters() if not p.requires_grad)
