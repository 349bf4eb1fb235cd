"""Weights of a model on a CPU, laid out for products of matrices. Only child processes import this file.

oneDNN, which torch brings, multiplies by weights that it has laid out itself: with AVX-512 in 32 bits twice as fast on
an AMD CPU as MKL, which torch takes by default and which holds to AVX2 there, and in 16 bits up to twice as fast for
few rows. It is the same sum in another order, at full precision.
"""

import ctypes
from contextlib import suppress

import torch

TRIM = 1 << 26  # bytes of plain weights after which their memory is given back
ROWS = 32  # that the layout is made for; measured: from 1 to 512 rows another one is no quicker


class Linear(torch.nn.Module):  # type: ignore[misc]  # torch is not seen by the type check
    """In place of a linear layer: the same product by a weight that is laid out. weight: opaque, of the same shape.

    gelu: the layer's output goes through it (the exact one, by erf) while it is still in the cache.
    """

    def __init__(self, plain: torch.nn.Linear, *, gelu: bool = False) -> None:
        super().__init__()
        self._then: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.weight = torch.ops.mkldnn._reorder_linear_weight(plain.weight.detach(), ROWS)
        self.bias = None if plain.bias is None else plain.bias.detach()

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(given, self.weight, self.bias, *self._then)


def pack(model: torch.nn.Module) -> bool:
    """Lay out the weights of all linear layers, where that is quicker; each plain one is let go of at once.

    Only where the model runs without gradients, and is never saved or moved from then on. Layers with weights that
    another kind of layer has as well (the input embedding) then have a copy of their own.
    """
    if next(model.parameters()).device.type != "cpu" or not quicker():
        return False
    # An adapter keeps its own small layers in a ModuleDict, and looks at their weights.
    places = [
        (owner, name)
        for owner in model.modules()
        for name, layer in owner.named_children()
        if type(layer) is torch.nn.Linear and not isinstance(owner, torch.nn.ModuleDict)
    ]
    freed = 0
    for owner, name in places:
        freed += getattr(owner, name).weight.nbytes
        setattr(owner, name, Linear(getattr(owner, name)))
        if freed >= TRIM:
            _give_back()
            freed = 0
    _give_back()
    return True


def _give_back() -> None:
    """Have the C library return what was freed: other threads had read the weights, and their memory is not used again
    by this one, so the plain weights would stay in memory beside the laid out ones. Only glibc has that call."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def quicker() -> bool:
    """Whether laid out weights are quicker here. By what the CPU can do, and not by a timing: a model has to answer
    alike in every process of a machine, and sums in another order can turn one word into another. Measured in 32 and
    16 bits on a CPU with AVX-512 (tests/bench/RESULTS.md); without it torch's own product is as good."""
    return bool(torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() == "AVX512")
