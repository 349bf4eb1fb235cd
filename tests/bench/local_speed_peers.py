"""One peer that answers prepared prompts, for `bench_local_speed.py`: `PYTHON local_speed_peers.py KIND ORDER`.

KIND: `generate` (transformers' own, needs torch and transformers) or `llama` (llama.cpp's server inside xllamacpp).
ORDER: JSON with model (a folder, or a GGUF file), dtype, threads, batch (rows at once, or llama.cpp's slots), stops.
Every line of standard input is a JSON file of prompts, `{"ids": [[...]], "limit": n}`; every answer one line of JSON:
wall and cpu seconds (all threads of this process) and of each answer the token ids (llama.cpp: text and number). A line
that begins with `gap ` asks what lies between the two likeliest tokens after some ids.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

Answers = Callable[[Sequence[list[int]], int], list[Any]]
Gap = Callable[[list[int]], float]


def cut(ids: list[int], stops: Sequence[int]) -> list[int]:
    """The answer up to its end."""
    return ids[: next((at for at, token in enumerate(ids) if token in stops), len(ids))]


def generate(order: dict[str, Any]) -> tuple[Answers, Gap]:
    """`generate` of transformers, so many rows at once, padded on the left; rows of like length stand together."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(order["threads"])
    model = AutoModelForCausalLM.from_pretrained(order["model"], dtype=getattr(torch, order["dtype"])).eval()
    pad = order["stops"][0]

    def answers(prompts: Sequence[list[int]], limit: int) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in prompts]
        at = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
        for start in range(0, len(at), order["batch"]):
            batch = at[start : start + order["batch"]]
            width = max(len(prompts[number]) for number in batch)
            ids = torch.tensor([[pad] * (width - len(prompts[n])) + prompts[n] for n in batch])
            mask = torch.tensor([[0] * (width - len(prompts[n])) + [1] * len(prompts[n]) for n in batch])
            with torch.inference_mode():
                said = model.generate(
                    ids, attention_mask=mask, max_new_tokens=limit, do_sample=False, pad_token_id=pad,
                    eos_token_id=order["stops"],
                )  # fmt: skip
            for number, row in zip(batch, said[:, width:].tolist(), strict=True):
                found[number] = cut(row, order["stops"])
        return found

    def gap(ids: list[int]) -> float:
        with torch.inference_mode():
            best = model(input_ids=torch.tensor([ids])).logits[0, -1].float().topk(2).values
        return float(best[0] - best[1])

    return answers, gap


def llama(order: dict[str, Any]) -> tuple[Answers, Gap]:
    """llama.cpp with so many slots; a slot goes on from what it knows of the prompt before (`cache_prompt`)."""
    import xllamacpp  # type: ignore[import-not-found]  # in the peer's Python only

    most = order["window"]
    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.n_ctx = most * order["batch"]
    params.n_parallel = order["batch"]
    params.cpuparams.n_threads = order["threads"]
    params.cpuparams_batch.n_threads = order["threads"]
    params.verbosity = 0
    params.ui = False
    server = xllamacpp.Server(params)

    def one(prompt: list[int], limit: int) -> tuple[str, int]:
        found = server.handle_completions(
            {
                "prompt": prompt, "max_tokens": limit, "temperature": 0.0, "top_k": 1, "samplers": ["top_k"],
                "cache_prompt": True, "stream": False,
            }
        )  # fmt: skip
        if not isinstance(found, dict) or "choices" not in found:
            raise RuntimeError(str(found)[:500])
        return found["choices"][0]["text"], int(found["usage"]["completion_tokens"])

    def answers(prompts: Sequence[list[int]], limit: int) -> list[tuple[str, int]]:
        with ThreadPoolExecutor(order["batch"]) as pool:
            return list(pool.map(lambda prompt: one(prompt, limit), prompts))

    def gap(_: list[int]) -> float:
        return float("nan")

    return answers, gap


def main(kind: str, order: dict[str, Any]) -> None:
    """Answer what comes in until nothing does."""
    answers, gap = {"generate": generate, "llama": llama}[kind](order)
    out = os.fdopen(os.dup(1), "w")  # libraries that write to standard output write to standard error from here on
    os.dup2(2, 1)
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        if line.startswith("gap "):
            print(json.dumps(gap(json.loads(line[4:]))), file=out, flush=True)
            continue
        asked = json.loads(Path(line.strip()).read_text(encoding="utf-8"))
        wall, cpu = time.perf_counter(), time.process_time()
        said = answers(asked["ids"], asked["limit"])
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps({**took, "said": said}), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
