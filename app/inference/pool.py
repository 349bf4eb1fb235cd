"""Rows that are answered together: their keys and values, and the attention over them. Only child processes import it.

A row has a place with room for its own tokens, in buffers that are made once; it is written where it stands and read
from there. What all rows begin with is kept once, for all: the queries of every row meet it in one product of matrices,
and are brought together with the row's own part by their shares of the softmax, which is exact (Juravsky et al. 2024,
Hydragen). The library's own way copies the beginning for each row, all of it for every step, and each key for every
head. Rows come and go while others are under way: the last one moves to the place that became free.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from app.inference import loading

import torch  # isort: skip  (after loading, which makes it stay offline)
from torch.nn import functional  # isort: skip
from transformers import AttentionInterface, DynamicCache, PreTrainedModel  # isort: skip

NAME = "tunegate_pool"
CHANGES = ("softcap", "sliding_window", "s_aux", "position_bias", "cache")  # what would make it another attention
NEAR = {"float32": 1e-3, "bfloat16": 5e-2}  # of the largest logit, by which two ways to compute may differ
TRIED = 12  # tokens of a prompt
GROWTH = 64  # tokens that buffers grow by at least

Pair = tuple[torch.Tensor, torch.Tensor]
Layers = list[Pair]  # keys and values of each layer, (heads, tokens, size)


class Unfit(Exception):
    """The model's attention is not the plain one that is computed here."""


def beginning(loaded: loading.Loaded, ids: Sequence[int]) -> Layers:
    """Keys and values of tokens that prompts begin with."""
    if not ids:
        return []
    cache = DynamicCache(config=loaded.model.config)
    loaded.model(input_ids=torch.tensor([list(ids)]), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return [(layer.keys[0], layer.values[0]) for layer in cache.layers]


class Pool(DynamicCache):  # type: ignore[misc]  # transformers is not seen by the type check
    """Places for rows. The model sees it as its cache.

    places: rows at once. width: tokens of its own that a row may have, prompt and answer. known: what all of them begin
    with. lengths: how many tokens of its own each row has so far.
    """

    def __init__(self, loaded: loading.Loaded, places: int, width: int, known: Layers) -> None:
        super().__init__()
        self.places, self.width = places, width
        self.lengths: list[int] = []
        self.calls = 0
        self._loaded, self._known = loaded, known
        self._shared = known[0][0].shape[1] if known else 0
        self._room = 0  # tokens that the buffers have a place for now
        self._own: Layers = []  # (places, heads, room, size)
        self._came: list[int] = []  # lengths of the rows that come in with this pass; none in a step
        self._where: Pair = (torch.empty(0), torch.empty(0))  # row and token of each new key
        self._bias: torch.Tensor | None = None

    @property
    def free(self) -> int:
        return self.places - len(self.lengths)

    def join(self, prompts: Sequence[list[int]]) -> torch.Tensor:
        """Take rows in, by the ids that follow the known beginning: what may come next for each, (rows, vocabulary).

        They are read one behind the other, without padding; only their attention knows where one ends.
        """
        self._came = [len(ids) for ids in prompts]
        self._make_room(max(self._came) + 1)
        rows = torch.arange(len(self.lengths), len(self.lengths) + len(prompts))
        at = torch.cat([torch.arange(length) for length in self._came])
        self._where = (rows.repeat_interleave(torch.tensor(self._came)), at)
        self.lengths += self._came
        with _last_only(self._loaded.model, torch.tensor(self._came).cumsum(0) - 1):
            return self._run(torch.tensor([[token for ids in prompts for token in ids]]), (self._shared + at)[None])[0]

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """Go on by one token each: what may come next, (rows, vocabulary)."""
        self._came = []
        own = torch.tensor(self.lengths)
        self._where = (torch.arange(len(tokens)), own)
        self.lengths = [length + 1 for length in self.lengths]
        width = max(self.lengths)
        self._make_room(width)
        self._bias = None
        if min(self.lengths) < width:
            behind = torch.arange(width)[None] > own[:, None]
            self._bias = torch.zeros(behind.shape, dtype=self._loaded.model.dtype)
            self._bias = self._bias.masked_fill_(behind, float("-inf"))[:, None, None]
        return self._run(torch.tensor([[token] for token in tokens]), self._shared + own[:, None])[:, 0]

    def leave(self, number: int) -> None:
        """Let a row go. The last row takes its number."""
        last = len(self.lengths) - 1
        size = self.lengths.pop()
        if number != last:
            self.lengths[number] = size
            for kept in (kept for layer in self._own for kept in layer):
                kept[number, :, :size] = kept[last, :, :size]

    def _make_room(self, width: int) -> None:
        """Have a place for so many tokens of each row, and for some more. What was never written is 0: no row sees it,
        but it takes part in sums with a share of 0."""
        if width <= self._room:
            return
        self._room = min(max(self.width, width), max(width + GROWTH, 3 * self._room // 2))
        for layer, pair in enumerate(self._own):
            larger = [kept.new_zeros(*kept.shape[:2], self._room, kept.shape[3]) for kept in pair]
            for new, kept in zip(larger, pair, strict=True):
                new[: len(self.lengths), :, : kept.shape[2]] = kept[: len(self.lengths)]
            self._own[layer] = (larger[0], larger[1])

    def _run(self, inputs: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        with _attending(self._loaded.model, self):
            return self._loaded.model(
                input_ids=inputs, position_ids=positions, past_key_values=self, use_cache=True
            ).logits

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: object, **__: object) -> Pair:
        """Keep the keys and values of new tokens; called by the model, (rows, heads, tokens, size) each."""
        if layer == len(self._own):
            made = [new.new_zeros(self.places, new.shape[1], self._room, new.shape[3]) for new in (keys, values)]
            self._own.append((made[0], made[1]))
        rows, at = self._where
        for kept, new in zip(self._own[layer], (keys, values), strict=True):
            kept[rows, :, at] = new[0].transpose(0, 1) if self._came else new[:, :, 0]
        return keys, values

    def get_seq_length(self, *_: object, **__: object) -> int:
        """For models that ask; positions are given."""
        return self._shared

    def attend(self, layer: int, query: torch.Tensor, scale: float) -> torch.Tensor:
        """What the new tokens see: (rows, tokens, heads, size). query: (rows, heads, tokens, size)."""
        self.calls += 1
        known = self._known[layer] if self._known else None
        return self._read(layer, query[0], known, scale) if self._came else self._go_on(layer, query, known, scale)

    def _read(self, layer: int, query: torch.Tensor, known: Pair | None, scale: float) -> torch.Tensor:
        """Attention of prompts that stand one behind the other, each token to those before it in its own.

        query: (heads, tokens of all, size).
        """
        heads, _, size = query.shape
        first, width = len(self.lengths) - len(self._came), max(self._came)
        rows, at = self._where[0] - first, self._where[1]
        apart = query.new_zeros(len(self._came), heads, width, size)
        apart[rows, :, at] = query.transpose(0, 1)
        keys, values = (kept[first : len(self.lengths), :, :width] for kept in self._own[layer])
        groups = keys.shape[1]
        keys, values = (each.repeat_interleave(heads // groups, 1) for each in (keys, values))
        if known is None:
            seen = functional.scaled_dot_product_attention(apart, keys, values, is_causal=True, scale=scale)
            return seen[rows, :, at][None]
        if query.device.type != "cpu":
            before = (each.repeat_interleave(heads // groups, 0).expand(len(self._came), -1, -1, -1) for each in known)
            keys, values = (torch.cat(each, 2) for each in zip(before, (keys, values), strict=True))
            sees = torch.ones((width, self._shared + width), dtype=torch.bool).tril(self._shared)
            seen = functional.scaled_dot_product_attention(apart, keys, values, attn_mask=sees, scale=scale)
            return seen[rows, :, at][None]
        # The kernel that torch takes on a CPU, asked for the sums of its softmax as well: two parts then become one.
        flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        own, own_sum = flash(apart, keys, values, 0.0, True, scale=scale)
        packed = query.reshape(1, groups, -1, size)
        common, common_sum = flash(packed, known[0][None], known[1][None], 0.0, False, scale=scale)
        common = common.reshape(heads, -1, size).transpose(0, 1)
        share = torch.sigmoid(own_sum[rows, :, at] - common_sum.reshape(heads, -1).t()).unsqueeze(-1)
        return torch.lerp(common, own[rows, :, at], share.to(own.dtype))[None]

    def _go_on(self, layer: int, query: torch.Tensor, known: Pair | None, scale: float) -> torch.Tensor:
        """One new token each. query: (rows, heads, 1, size)."""
        rows, width, size = len(self.lengths), max(self.lengths), query.shape[3]
        keys, values = (kept.flatten(0, 1)[: rows * kept.shape[1], :width] for kept in self._own[layer])
        groups = keys.shape[0] // rows
        query = (query * scale).view(rows * groups, -1, size)  # (rows x groups, heads of one group, size)
        scores = torch.bmm(query, keys.transpose(1, 2)).view(rows, groups, -1, width)
        if self._bias is not None:
            scores = scores + self._bias
        if known is None:
            shares = scores.float().softmax(-1).to(query.dtype)
            return torch.bmm(shares.flatten(0, 1), values).view(rows, 1, -1, size)
        together = query.view(rows, groups, -1, size).transpose(0, 1).flatten(1, 2)
        common = torch.bmm(together, known[0].transpose(1, 2)).view(groups, rows, -1, self._shared).transpose(0, 1)
        shares = torch.cat([common, scores], -1).float().softmax(-1).to(query.dtype)
        first, own = shares.split([self._shared, width], -1)
        seen = torch.bmm(first.transpose(0, 1).flatten(1, 2), known[1]).view(groups, rows, -1, size).transpose(0, 1)
        seen = seen + torch.bmm(own.flatten(0, 1), values).view(rows, groups, -1, size)
        return seen.reshape(rows, 1, -1, size)


_active: list[Pool] = []


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    _key: torch.Tensor,
    _value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """What the library calls in place of its own attention.

    Raises: Unfit: the model asks for more than plain attention.
    """
    if attention_mask is not None or any(options.get(name) is not None for name in CHANGES):
        raise Unfit
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return _active[-1].attend(module.layer_idx, query, scale), None


AttentionInterface.register(NAME, _attention)


@contextmanager
def _attending(model: PreTrainedModel, pool: Pool) -> Iterator[None]:
    """Have the model use this pool's attention."""
    configs = {id(config): config for config in (model.config, model.config.get_text_config())}.values()
    before = [config._attn_implementation for config in configs]
    _active.append(pool)
    try:
        for config in configs:
            config._attn_implementation = NAME
        yield
    finally:
        _active.pop()
        for config, name in zip(configs, before, strict=True):
            config._attn_implementation = name


@contextmanager
def _last_only(model: PreTrainedModel, ends: torch.Tensor) -> Iterator[None]:
    """Compute logits behind the last token of each row alone: with a vocabulary of 49,000 it is a fifth of the work."""

    def chosen(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (given[0][:, ends], *given[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(chosen)
    try:
        yield
    finally:
        hook.remove()


_tried: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


def fits(loaded: loading.Loaded, ids: Sequence[int]) -> bool:
    """Whether the model computes in a pool what it computes by itself: tried once, on the beginning of a prompt."""
    model = loaded.model
    if model not in _tried:
        _tried[model] = loaded.plain_cache and _same(loaded, list(ids)[:TRIED])
    return _tried[model]


def _same(loaded: loading.Loaded, ids: list[int]) -> bool:
    """Two rows of unlike length behind a beginning, and one token more."""
    ids = (ids * 4)[: max(4, len(ids))]
    rows, after = [ids[1:], ids[2:3]], ids[-1]
    try:
        pool = Pool(loaded, 3, len(ids) + 1, beginning(loaded, ids[:1]))
        found = [pool.join(rows), pool.step([after, after])]
        if pool.calls != 2 * len(pool._own):
            return False
        for number, row in enumerate(rows):
            plain = loaded.model(input_ids=torch.tensor([[ids[0], *row, after]]), use_cache=False).logits[0]
            for at, logits in enumerate(found):
                wanted = plain[len(row) + at].float()
                if (logits[number].float() - wanted).abs().max() > NEAR[loaded.dtype] * wanted.abs().max():
                    return False
    except (Unfit, ValueError, TypeError, IndexError, AttributeError, RuntimeError):
        return False  # a model that takes no such cache says so in many ways
    return True
