"""Attention and layers of training, each by itself: `python tests/bench/bench_attention.py [--layers] [--threads 1]`.

Milliseconds of processor time for one layer of the bundled model's shape (9 heads, 3 of keys, 64 wide, hidden 576 and
1,536), forward and back, the best of several; one thread, so that others on the machine disturb little. Prints a table
of rows x tokens by kind of attention in both precisions, or with --layers the parts of a layer on 1,024 tokens, as
transformers and peft have them and as `app/training/fused.py` does.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch
from torch.nn import functional

from app.inference import attention
from app.training import fused

HEADS, SHARED, WIDE = 9, 3, 64
SHAPES = ((11, 90), (4, 240), (2, 400), (1, 750), (1, 1500))


def best(work: Callable[[], object], times: int = 4) -> float:
    """Milliseconds of processor time."""
    found = []
    for _ in range(times + 1):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found[1:]) * 1000


def eager(query: Any, key: Any, value: Any) -> Any:
    """As transformers writes it, mask included."""
    tokens = query.shape[2]
    key, value = (each.repeat_interleave(HEADS // SHARED, dim=1) for each in (key, value))
    mask = torch.full((tokens, tokens), torch.finfo(query.dtype).min, dtype=query.dtype).triu(1)
    scores = torch.matmul(query, key.transpose(2, 3)) * WIDE**-0.5 + mask
    chances = functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return torch.matmul(chances, value).transpose(1, 2).contiguous()


def torchs(query: Any, key: Any, value: Any) -> Any:
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True).transpose(1, 2)


def ours(query: Any, key: Any, value: Any) -> Any:
    return attention.Blocks.apply(query, key, value, WIDE**-0.5)


def back(work: Callable[..., Any], inputs: Sequence[torch.Tensor]) -> float:
    at = torch.ones_like(work(*inputs).detach())
    return best(lambda: torch.autograd.grad(work(*inputs), inputs, at))


def kinds() -> None:
    for kind in (torch.bfloat16, torch.float32):
        print(f"\n{kind}, ms forward and back", *(f"{rows} x {tokens:,}" for rows, tokens in SHAPES), sep=" | ")
        for name, work in (("eager", eager), ("torch's", torchs), ("blocks", ours)):
            cells = []
            for rows, tokens in SHAPES:
                torch.manual_seed(1)
                inputs = [
                    torch.randn(rows, tokens, heads, WIDE, dtype=kind).transpose(1, 2).requires_grad_()
                    for heads in (HEADS, SHARED, SHARED)
                ]
                cells.append(f"{back(work, inputs):.1f}")
            print(name, *cells, sep=" | ", flush=True)


def layers() -> None:
    from peft import LoraConfig, get_peft_model
    from transformers.models.llama.configuration_llama import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm

    torch.manual_seed(1)
    seen = torch.randn(1, 1024, 576, dtype=torch.bfloat16, requires_grad=True)
    names = ["gate_proj", "up_proj", "down_proj"]
    config = LlamaConfig(hidden_size=576, intermediate_size=1536)
    for name, made in (("RMSNorm", LlamaRMSNorm(576)), ("MLP without adapter", LlamaMLP(config))):
        module = made.bfloat16().requires_grad_(requires_grad=False)
        usual = back(module, [seen])
        fused.fit(module)
        print(f"{name}: {usual:.2f} ms, here {back(module, [seen]):.2f}", flush=True)
    adapted = get_peft_model(LlamaMLP(config).bfloat16(), LoraConfig(r=16, target_modules=names))
    learned = [p for p in adapted.parameters() if p.requires_grad]
    for p in learned:
        p.data = p.data.bfloat16()
    work = adapted.get_base_model()

    def step() -> object:
        return torch.autograd.grad(work(seen).sum(), [seen, *learned])

    usual = best(step)
    fused.fit(adapted)
    print(f"MLP with adapter: {usual:.2f} ms, here {best(step):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    layers() if chosen.layers else kinds()
