"""The layers of a frozen model with a LoRA adapter, in fewer and quicker operations on a CPU; the same sums.

Milliseconds of one core in bfloat16, 1,024 tokens, forward and back (`tests/bench/bench_attention.py --layers`, busy
machine): RMSNorm of 576 numbers 2.3 as transformers has it, 1.5 here; a gated MLP of 1,536 with its adapter 43.7 as
peft has it, 42.1 here, with a quarter less of its wide numbers kept for the way back.

Mixing 16 and 32 bits in one operation is what costs: torch has no vector code for it. A number in 32 bits is split into
two of 16 here, whose products are summed in 32.
"""

from typing import cast

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from app.training.room import HEAD_TOKENS

EXACT = 1e-4  # how far a replaced layer may be from the original in 32 bits, relative to its largest number
SURE = 0.5  # probability from which that of all other tokens says more exactly how sure it is
TINY = torch.finfo(torch.float32).tiny  # a token that is less likely than that counts as if it were this likely
NAME = "default"  # of the adapter, as peft calls the only one


class Adapted(torch.autograd.Function):  # type: ignore[misc]  # torch is not typed for us
    """A frozen linear layer and its adapter: x W' + b + scaling x A' B'."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, seen: torch.Tensor, layer: nn.Linear, down: torch.Tensor, up: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        """seen: (..., in). down: A, (rank, in). up: B, (out, rank). Returns: (..., out)."""
        flat = seen.reshape(-1, seen.shape[-1])
        narrow = functional.linear(flat, down)
        out = functional.linear(flat, layer.weight, layer.bias).addmm_(narrow, up.t(), alpha=scaling)
        ctx.save_for_backward(flat, narrow, down, up)
        ctx.weight, ctx.scaling = layer.weight, scaling  # frozen: no need to have its version watched
        return out.view(*seen.shape[:-1], -1)

    @staticmethod
    def backward(
        ctx: FunctionCtx, wanted: torch.Tensor
    ) -> tuple[torch.Tensor | None, None, torch.Tensor, torch.Tensor, None]:
        """Gradients at what was seen and at the adapter; the frozen weight gets none."""
        flat, narrow, down, up = ctx.saved_tensors
        here = wanted.reshape(-1, wanted.shape[-1])
        at_narrow = (here @ up).mul_(ctx.scaling)
        at_down, at_up = at_narrow.t() @ flat, (here.t() @ narrow).mul_(ctx.scaling)
        at_seen = None
        if ctx.needs_input_grad[0]:
            at_seen = (here @ ctx.weight).addmm_(at_narrow, down).view(*wanted.shape[:-1], -1)
        return at_seen, None, at_down, at_up, None


class Norm(torch.autograd.Function):  # type: ignore[misc]
    """RMSNorm with a frozen weight: x / sqrt(mean(x^2) + e) times w."""

    @staticmethod
    def forward(ctx: FunctionCtx, seen: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        """seen: (..., width). weight: (width,)."""
        length = torch.linalg.vector_norm(seen, dim=-1, keepdim=True, dtype=torch.float32)
        factor = torch.rsqrt(length.square_().div_(seen.shape[-1]).add_(epsilon))
        ctx.save_for_backward(seen, weight, factor)
        return _scaled(seen, factor).mul_(weight)

    @staticmethod
    def backward(ctx: FunctionCtx, wanted: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Gradient at what was seen: f g w - x f^3 mean(x g w), f the factor of a position."""
        seen, weight, factor = ctx.saved_tensors
        here = wanted * weight
        along = (here * seen).sum(-1, keepdim=True, dtype=torch.float32)
        along.mul_(factor.pow(3)).div_(-seen.shape[-1])
        return _scaled(here, factor, seen, along), None, None


def _scaled(
    numbers: torch.Tensor, factor: torch.Tensor, more: torch.Tensor | None = None, other: torch.Tensor | None = None
) -> torch.Tensor:
    """numbers x factor, and more x other added; factors are in 32 bits, one a position."""
    if numbers.dtype == torch.float32:
        out = numbers * factor
        return out if more is None else out.addcmul_(more, cast("torch.Tensor", other))
    high, low = _split(factor, numbers.dtype)
    out = numbers * low
    if more is None:
        return out.addcmul_(numbers, high)
    more_high, more_low = _split(cast("torch.Tensor", other), numbers.dtype)
    return out.addcmul_(more, more_low).addcmul_(numbers, high).addcmul_(more, more_high)


def _split(factor: torch.Tensor, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    high = factor.to(kind)
    return high, (factor - high.float()).to(kind)


class Gate(torch.autograd.Function):  # type: ignore[misc]
    """SiLU(gate) times up. SiLU is worked out again on the way back: it is cheaper than the memory to keep it."""

    @staticmethod
    def forward(ctx: FunctionCtx, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """Both (..., width)."""
        ctx.save_for_backward(gate, up)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: FunctionCtx, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients at gate and up."""
        gate, up = ctx.saved_tensors
        at_up = functional.silu(gate).mul_(wanted)
        return torch.ops.aten.silu_backward(wanted * up, gate), at_up


class HeadLoss(torch.autograd.Function):  # type: ignore[misc]
    """Summed cross entropy of a frozen linear head, a few positions at a time.

    The head is not trained, so all that has to be kept for the way back is the gradient at the hidden states, and that
    is known once a position's probabilities are: p - 1 at the label, p elsewhere. Logits of a whole pass, in 32 bits
    and with their gradients, would take half a gigabyte; the steps are the same, none is taken twice.

    Probabilities are as wide as the model's numbers, worked out in 32 bits inside. What 16 bits cannot hold is how far
    a sure token's probability is from 1, so that is the sum of all the others.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, labels: torch.Tensor
    ) -> torch.Tensor:
        """hidden: (positions, width). labels: (positions,)."""
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        wanted = ctx.needs_input_grad[0]
        gradient = torch.empty_like(hidden) if wanted else None
        for start in range(0, len(labels), HEAD_TOKENS):
            some = slice(start, start + HEAD_TOKENS)
            here = labels[some].unsqueeze(1)
            logits = functional.linear(hidden[some], weight, bias)
            chances = torch.softmax(logits, dim=-1)
            right = chances.gather(1, here).float()
            chances.scatter_(1, here, 0.0)
            others = chances.sum(1, keepdim=True, dtype=torch.float32)
            loss -= torch.where(right > SURE, torch.log1p(-others), right.clamp_min(TINY).log()).sum()
            if gradient is not None:
                gradient[some] = chances.scatter_(1, here, -others.to(chances.dtype)) @ weight
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: FunctionCtx, scale: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """Gradient at the hidden states; scale: that at the loss."""
        (gradient,) = ctx.saved_tensors
        return (gradient * scale).to(gradient.dtype), None, None, None


def fit(model: nn.Module) -> int:
    """Give every layer that is exactly one of these its quick form, and say how many did. Others stay as they are.

    A layer is known by its form and then by its numbers: both are asked the same, and differing ones are left alone.
    """
    return sum(_fit(module) for module in model.modules())


def _fit(module: nn.Module) -> bool:
    if type(module) is LoraLinear:
        return _fit_linear(module)
    if type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
        return _fit_norm(module)
    if all(hasattr(module, name) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")):
        return _fit_gate(module)
    return False


def _fit_linear(module: LoraLinear) -> bool:
    plain = type(module.base_layer) is nn.Linear and not module.base_layer.weight.requires_grad
    if not plain or module.lora_variant or list(module.lora_A) != [NAME] or module.lora_B[NAME].bias is not None:
        return False
    usual = module.forward

    def forward(seen: torch.Tensor, *more: object, **named: object) -> torch.Tensor:
        dropping = module.training and not isinstance(module.lora_dropout[NAME], nn.Identity)
        if more or named or dropping or module.merged or module.disable_adapters:
            return cast("torch.Tensor", usual(seen, *more, **named))
        down, up = module.lora_A[NAME].weight, module.lora_B[NAME].weight
        return cast("torch.Tensor", Adapted.apply(seen, module.base_layer, down, up, module.scaling[NAME]))

    module.forward = forward
    return True


def _fit_norm(module: nn.Module) -> bool:
    usual = module.forward
    if module.weight.requires_grad:
        return False

    def forward(seen: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", Norm.apply(seen, module.weight, module.variance_epsilon))

    probe = torch.linspace(-3, 4, 3 * len(module.weight), dtype=module.weight.dtype).view(3, -1)
    if not _alike(usual(probe), forward(probe)):
        return False
    module.forward = forward
    return True


def _fit_gate(module: nn.Module) -> bool:
    probe = torch.linspace(-6, 6, 64)
    if not _alike(module.act_fn(probe), functional.silu(probe)) or set(dict(module.named_children())) - {
        "gate_proj", "up_proj", "down_proj", "act_fn",
    }:  # fmt: skip
        return False

    def forward(seen: torch.Tensor) -> torch.Tensor:
        return cast("torch.Tensor", module.down_proj(Gate.apply(module.gate_proj(seen), module.up_proj(seen))))

    module.forward = forward
    return True


def _alike(usual: torch.Tensor, quick: torch.Tensor) -> bool:
    """Whether two answers differ by rounding only: two steps of the last digit where digits are few."""
    allowed = EXACT if usual.dtype == torch.float32 else 2 * torch.finfo(usual.dtype).eps
    return float((usual - quick).abs().max()) <= allowed * float(usual.abs().max())
