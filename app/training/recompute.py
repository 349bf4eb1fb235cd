"""Gradient checkpointing: what a layer computes on the way forward is not kept, and is computed again on the way back.

A pass then holds the inputs of its layers and the inside of one, and takes about a third longer. The library's own does
without a cache, and so without the shared beginning of the prompts (`lora`); here keys and values of the beginning
are inputs and outputs of a layer, like its hidden states, so both work together and gradients are the same.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import Cache

Forward = Callable[..., torch.Tensor]
"""Of a layer: hidden states to hidden states."""
Again = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Hidden states, and the keys and values that a layer leaves in the cache."""


class Recompute:
    """The layers of a model, which compute again what they did not keep while this is `on`, and training.

    possible: whether this model's layers are known. on: may be changed at any time between two passes.
    """

    def __init__(self, inner: nn.Module) -> None:
        self.on = False
        layers = getattr(getattr(inner, "model", None), "layers", None)
        self.possible = layers is not None and len(layers) > 0
        for number, layer in enumerate(layers if layers is not None else ()):
            layer.forward = self._wrapped(layer.forward, layer, number)

    def _wrapped(self, forward: Forward, layer: nn.Module, number: int) -> Forward:
        def run(hidden: torch.Tensor, *args: object, **named: object) -> torch.Tensor:
            if not (self.on and layer.training and torch.is_grad_enabled()):
                return forward(hidden, *args, **named)
            cache = named.get("past_key_values")
            if not isinstance(cache, Cache):
                return checkpoint(forward, hidden, *args, use_reentrant=False, **named)
            held = cache.layers[number]

            def again(hidden: torch.Tensor, keys: torch.Tensor | None, values: torch.Tensor | None) -> Again:
                # Whenever it runs, the cache is as it was before this layer; the layer itself adds to it.
                held.keys, held.values, held.is_initialized = keys, values, keys is not None
                return forward(hidden, *args, **named), held.keys, held.values

            before = (held.keys, held.values) if held.is_initialized else (None, None)
            out, held.keys, held.values = checkpoint(again, hidden, *before, use_reentrant=False)
            return out

        return run
