"""How attention is computed: chosen by device, by model and by the length of rows. Only child processes import this.

On a CPU training uses a kernel of our own. Milliseconds of one core for one layer of the bundled model (9 heads, 3 of
keys, 64 wide) in bfloat16, forward and back, rows x tokens (tests/bench/bench_attention.py; RESULTS.md has the table):

    tokens      11 x 90   4 x 240   2 x 400   1 x 750   1 x 1,500
    eager           9.6      11.3      15.7      27.8         392
    torch's        28.1      29.0      33.5      41.6         114
    blocks          6.2       9.1      10.1      15.4          68

Eager keeps all scores, three times; torch's flash kernel for the CPU is slow on the way back. Ours takes queries in
blocks, each with the keys that it may see, so half of the scores are never computed, and keeps the probabilities once.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.autograd.function import FunctionCtx
from transformers import AttentionInterface, PretrainedConfig, PreTrainedModel

from app.inference.devices import Device

BLOCKS = "tunegate_blocks"
BLOCK = 128  # queries at a time; with 256 rows of 1,500 tokens took 1.6 times as long (96 ms, not 58)
KEPT = 1024  # keys up to which probabilities are kept for the way back; longer rows work them out again (memory)
EAGER = 1024  # tokens up to which eager is quicker than torch's own kernel on a CPU: 28 against 42 ms at 750
BY_LAYER = ("attn_logit_softcapping", "sliding_window", "attention_chunk_size")  # kinds of attention that are not plain


def choose(config: "PretrainedConfig", device: Device, dtype: str, longest: int = 0, *, trained: bool) -> str:
    """The name of the attention that transformers is to use.

    config: of the model. dtype: that it is loaded in. longest: tokens of the longest row, 0 where unknown. trained:
    whether there is a way back. Answering pads on the left and decodes token by token: torch's kernel is made for that.
    """
    if device.name == "cuda":
        # The package's kernel needs 16 bits; torch has the same algorithm built in where it is not installed.
        return "flash_attention_2" if dtype == "bfloat16" and trained and _flash() else "sdpa"
    if device.accelerator or not trained:
        return "sdpa"
    if plain(config):
        return BLOCKS
    return "eager" if longest <= EAGER else "sdpa"


def plain(config: "PretrainedConfig") -> bool:
    """Whether every layer of a model looks at all tokens before it and nothing else is done to its scores."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    odd = any(getattr(config, name, None) for name in BY_LAYER)
    return kinds == {"full_attention"} and not odd and not getattr(config, "attention_dropout", 0.0) and _known(config)


def _known(config: "PretrainedConfig") -> bool:
    """Families that were compared with eager attention; others may pass more to attention than we read."""
    return getattr(config, "model_type", "") in {"llama", "mistral", "qwen2", "qwen3", "smollm3", "granite"}


def kept_bytes(kind: str, heads: int, tokens: int, size: int) -> int:
    """Bytes that one layer keeps of the scores of one row, roughly. kind: of attention. size: bytes of a number.

    Eager keeps what its softmax gave, in 32 bits, and the same in the model's precision (`eager_attention_forward` of
    transformers): 6 bytes a score in 16 bits, counted with torch's hooks for what is saved; in 32 bits both are one
    tensor, but as much was taken again by what the allocator could not put together.
    """
    if kind == BLOCKS:
        return heads * tokens * tokens * size // 2 if tokens <= KEPT else 0
    return heads * tokens * tokens * (size + 4) if kind == "eager" else 0


def passing_bytes(kind: str, size: int) -> int:
    """Bytes of each score that attention takes besides while it is at one layer, forward or back: scores as they come,
    scaled, masked and in 32 bits, then as many gradients. Measured (tests/bench/RESULTS.md, "Memory of a training
    run"). size: bytes of a number."""
    return {"eager": 24, BLOCKS: size}.get(kind, 0)


def _flash() -> bool:
    return importlib.util.find_spec("flash_attn") is not None


softmax_backward = torch.ops.aten._softmax_backward_data  # noqa: SLF001  # the only name that it has


class Blocks(torch.autograd.Function):  # type: ignore[misc]  # torch is not typed for us
    """Causal attention by blocks of queries, keys shared by groups of heads.

    Exact: the same sums as eager attention, without the scores that the mask would take away again.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        """query: (rows, heads, tokens, width); key, value: (rows, heads of keys, before + tokens, width).

        The last query stands at the last key. Returns: (rows, tokens, heads, width), as transformers wants it.
        """
        rows, heads, tokens, width = query.shape
        shared, seen = key.shape[1], key.shape[2]
        of_key = heads // shared
        queries = query.reshape(rows * shared, of_key, tokens, width)
        keys, values = key.reshape(rows * shared, seen, width), value.reshape(rows * shared, seen, -1)
        out = values.new_empty(rows, tokens, heads, values.shape[-1])
        grouped = out.view(rows, tokens, shared, of_key, -1)
        ctx.kept = any(ctx.needs_input_grad) and seen <= KEPT
        chances = []
        for first, last in blocks(tokens):
            some = queries[:, :, first:last].reshape(rows * shared, -1, width)
            chance = _chances(some, keys[:, : seen - tokens + last], scaling, last - first)
            answer = torch.bmm(chance, values[:, : seen - tokens + last])
            answer = answer.view(rows, shared, of_key, last - first, -1)
            grouped[:, first:last] = answer.permute(0, 3, 1, 2, 4)
            if ctx.kept:
                chances.append(chance)
        ctx.save_for_backward(queries, keys, values, *chances)
        ctx.scaling, ctx.shapes = scaling, (query.shape, key.shape, value.shape)
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        """Gradients at query, key and value; wanted: that at the answer. Those of keys are summed in 32 bits."""
        queries, keys, values, *chances = ctx.saved_tensors
        rows, tokens, heads, _ = wanted.shape
        shared, seen, width = keys.shape[0] // rows, keys.shape[1], keys.shape[2]
        grouped = wanted.view(rows, tokens, shared, heads // shared, -1).permute(0, 2, 3, 1, 4)
        at_queries = torch.empty_like(queries)
        at_keys, at_values = keys.new_zeros(keys.shape, dtype=torch.float32), values.new_zeros(values.shape).float()
        for number, (first, last) in enumerate(blocks(tokens)):
            end = seen - tokens + last
            some = queries[:, :, first:last].reshape(rows * shared, -1, width)
            here = grouped[:, :, :, first:last].reshape(rows * shared, some.shape[1], -1)
            chance = chances[number] if ctx.kept else _chances(some, keys[:, :end], ctx.scaling, last - first)
            at_values[:, :end] += torch.bmm(chance.transpose(1, 2), here)
            at_scores = torch.bmm(here, values[:, :end].transpose(1, 2))
            at_scores = softmax_backward(at_scores, chance, -1, chance.dtype).mul_(ctx.scaling)
            at_queries[:, :, first:last] = torch.bmm(at_scores, keys[:, :end]).view_as(at_queries[:, :, first:last])
            at_keys[:, :end] += torch.bmm(at_scores.transpose(1, 2), some)
        query, key, value = ctx.shapes
        kind = queries.dtype
        return at_queries.view(query), at_keys.to(kind).view(key), at_values.to(kind).view(value), None


def blocks(tokens: int) -> list[tuple[int, int]]:
    """First and last query of each block, all blocks as long as each other as far as that goes."""
    size = -(-tokens // -(-tokens // BLOCK))
    return [(first, min(first + size, tokens)) for first in range(0, tokens, size)]


def _chances(queries: torch.Tensor, keys: torch.Tensor, scaling: float, block: int) -> torch.Tensor:
    """Probabilities, (rows and heads of keys, queries of all their heads, keys); the last `block` keys are masked."""
    scores = torch.bmm(queries, keys.transpose(1, 2)).mul_(scaling)
    ahead = torch.ones(block, block, dtype=torch.bool, device=scores.device).triu_(1)
    scores.view(len(scores), -1, block, scores.shape[-1])[..., -block:].masked_fill_(ahead, -torch.inf)
    return torch.softmax(scores, dim=-1)


def attend(
    _module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_rest: object,
) -> tuple[torch.Tensor, None]:
    """What transformers calls by the name `BLOCKS`. Rows must be padded on the right, and there is no mask.

    Raises: ValueError: a mask was made all the same.
    """
    if attention_mask is not None:
        raise ValueError("Attention by blocks is causal and takes no mask; load this model with eager attention.")
    return Blocks.apply(query, key, value, query.shape[-1] ** -0.5 if scaling is None else scaling), None


AttentionInterface.register(BLOCKS, attend)


@contextmanager
def masked(model: "PreTrainedModel") -> Iterator[None]:
    """Have a model attend as torch does where it would by blocks, for rows that are padded on the left: for a kernel
    that it does not know, transformers makes no mask and says nothing."""
    configs = {id(config): config for config in (model.config, model.config.get_text_config())}.values()
    by_blocks = [config for config in configs if config._attn_implementation == BLOCKS]  # noqa: SLF001  its only name
    try:
        for config in by_blocks:
            config._attn_implementation = "sdpa"  # noqa: SLF001  the same
        yield
    finally:
        for config in by_blocks:
            config._attn_implementation = BLOCKS  # noqa: SLF001  the same
