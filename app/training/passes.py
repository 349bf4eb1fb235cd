"""What one pass through the model is given: rows as tensors, and what all prompts begin with.

Only child processes import this.
"""

from collections.abc import Sequence

import torch
from transformers import DynamicCache, PreTrainedModel

from app.inference.tokens import TokenRow

NO_TARGET = -100  # cross_entropy's own mark for a position that is not trained


class Beginning:
    """Keys and values of tokens that all prompts begin with.

    apart: passes take them as given and leave their gradients here, which go on into the model once, by `backward`;
    otherwise the one pass that they are for goes back through them by itself.
    """

    def __init__(self, inner: PreTrainedModel, ids: list[int], *, apart: bool) -> None:
        """inner: the model that is trained. ids: of the tokens."""
        self.config = inner.config
        cache = DynamicCache(config=self.config)
        inner.model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True)  # with gradient
        self.made = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        apart = apart and any(tensor.requires_grad for tensor in self.made)
        self.given = [tensor.detach().requires_grad_() for tensor in self.made] if apart else self.made

    def cache(self, rows: int) -> DynamicCache:
        """The same for each of so many rows, as transformers wants it."""
        cache = DynamicCache(config=self.config)
        for number in range(0, len(self.given), 2):
            keys, values = (tensor.expand(rows, -1, -1, -1) for tensor in self.given[number : number + 2])
            cache.update(keys, values, number // 2)
        return cache

    def backward(self) -> None:
        """Let the gradients of all passes go on into the model."""
        if self.given is self.made:
            return
        pairs = [(made, given.grad) for made, given in zip(self.made, self.given, strict=True) if made.requires_grad]
        torch.autograd.backward([made for made, _ in pairs], [gradient for _, gradient in pairs])


def padded(rows: Sequence[TokenRow], shared: int, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and labels after the shared beginning, padded on the right, where a causal model never looks.

    A label stands at the position whose output predicts it. Which positions are trained follows from where the
    completion lies, never from token ids: the padding token may well be the stop token.
    """
    width = max(row.length for row in rows) - shared - 1
    inputs = torch.full((len(rows), width), pad)  # (rows, tokens)
    labels = torch.full((len(rows), width), NO_TARGET)
    for number, row in enumerate(rows):
        ids = (row.prompt + row.completion)[shared:]
        first = len(row.prompt) - shared - 1
        inputs[number, : len(ids) - 1] = torch.tensor(ids[:-1])
        labels[number, first : first + len(row.completion)] = torch.tensor(row.completion)
    return inputs, labels
