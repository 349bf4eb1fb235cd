"""Weights of a model on a CPU, laid out for products of matrices. Only child processes import this file.

oneDNN, which torch brings, multiplies by weights that it has laid out itself: with AVX-512 in 32 bits twice as fast on
an AMD CPU as MKL, which torch takes by default and which holds to AVX2 there, and in 16 bits up to twice as fast for
few rows. It is the same sum in another order, at full precision. Whether it is worth it here is timed once.
"""

import ctypes
import time
from contextlib import suppress
from typing import Any

import torch

WORTH = 1.1  # times quicker that it has to be
TRIM = 1 << 26  # bytes of plain weights after which their memory is given back
ROWS = 32  # that the layout is made for, and timed with; measured: from 1 to 512 rows another one is no quicker


class Linear(torch.nn.Module):  # type: ignore[misc]  # torch is not seen by the type check
    """In place of a linear layer: the same product by a weight that is laid out. weight: opaque, of the same shape."""

    def __init__(self, plain: torch.nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.weight = torch.ops.mkldnn._reorder_linear_weight(plain.weight.detach(), ROWS)
        self.bias = None if plain.bias is None else plain.bias.detach()

    def forward(self, given: torch.Tensor) -> Any:
        return torch.ops.mkldnn._linear_pointwise(given, self.weight, self.bias, "none", [], "")


def pack(model: torch.nn.Module) -> bool:
    """Lay out the weights of all linear layers, where that is quicker; each plain one is let go of at once.

    Only where the model runs without gradients, and is never saved or moved from then on. Layers with weights that
    another kind of layer has as well (the input embedding) then have a copy of their own.
    """
    if next(model.parameters()).device.type != "cpu" or not _quicker(next(model.parameters()).dtype):
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


def _quicker(kind: torch.dtype) -> bool:
    """A few milliseconds on a product of a small model's size."""
    if not torch.backends.mkldnn.is_available():
        return False
    plain = torch.nn.Linear(576, 1536, bias=False, dtype=kind)
    given = torch.ones(ROWS, 576, dtype=kind)
    with torch.inference_mode():
        try:
            laid_out = Linear(plain)
            return _seconds(plain, given) > WORTH * _seconds(laid_out, given)
        except (RuntimeError, AttributeError):  # a build of torch without it
            return False


def _seconds(layer: torch.nn.Module, given: torch.Tensor) -> float:
    layer(given)  # the first one allocates and warms up
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        layer(given)
        best = min(best, time.perf_counter() - started)
    return best
