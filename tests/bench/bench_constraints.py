"""What constrained decoding brings and costs: valid JSON and right answers with and without, seconds a row.

    python tests/bench/bench_constraints.py SET MODEL [--rows 60] [--shots 5] [--threads 2] [--limit 128]

SET is a folder with `train.jsonl` and `test.jsonl` of pairs whose completions are JSON; MODEL a converted model's
folder. The schema is the one that the app infers from the training rows. Every row is asked by the app's own runner, in
its own process: free, held to the schema, and held to a grammar that allows any text, whose answers have to be the free
ones, letter by letter. Then the masks of a step alone, in threads and one after the other.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from app.inference.local_protocol import HeldTo

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.baselines import prompts, shots
from app.baselines.prompts import Shot
from app.chat import Message
from app.constraints import inferring
from app.evaluation import metrics
from app.inference.constraints import Constraint, checked
from app.inference.generator import Answer, Request
from app.inference.local import LocalModel

INSTRUCTIONS = "Answer with one JSON object and nothing else."
ANYTHING = Constraint("regex", r"(?s:.*)")
STEPS, ROWS = 60, 32  # for the masks alone


@dataclass(frozen=True)
class Pair:
    prompt: str
    completion: str


def pairs(path: Path) -> list[Pair]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Pair(row["prompt"], row["completion"]) for row in map(json.loads, lines)]


def asked(train: Sequence[Pair], rows: Sequence[Pair], count: int, limit: int) -> list[Request]:
    pool = [Shot(at, at, (Message("user", row.prompt),), row.completion) for at, row in enumerate(train)]
    nearest = shots.Nearest(pool) if count else None
    requests = []
    for at, row in enumerate(rows):
        picked = nearest.pick(row.prompt, count) if nearest else []
        messages = prompts.render(INSTRUCTIONS, picked, (Message("user", row.prompt),))
        requests.append(Request(str(at), messages, limit))
    return requests


def answers(
    model: LocalModel, requests: Sequence[Request], constraint: Constraint | None
) -> tuple[list[Answer], float]:
    """All answers in order, and the seconds that they took."""
    started = time.perf_counter()
    done = {
        answer.id: answer
        for answer in model.answer([replace(one, constraint=constraint) for one in requests], lambda: False)
    }
    seconds = time.perf_counter() - started
    return [done[request.id] for request in requests], seconds


def line(name: str, came: Sequence[Answer], rows: Sequence[Pair], schema: Constraint, seconds: float) -> str:
    valid = sum(schema.check.keeps(answer.text) for answer in came)
    is_json = sum(metrics.score("json_valid", answer.text, "", {}) == 1 for answer in came)
    right = sum(metrics.score("json_match", a.text, row.completion, {}) == 1 for a, row in zip(came, rows, strict=True))
    cut = sum(answer.finish == "length" for answer in came)
    errors = sum(answer.error is not None for answer in came)
    shares = " ".join(f"{100 * number / len(came):6.1f} %" for number in (is_json, valid, right))
    tokens = sum(answer.completion_tokens for answer in came) / len(came)
    return f"{name:28} {shares} {cut:5} {errors:6} {tokens:8.1f} {seconds / len(came):10.2f}"


def masks(folder: Path, schema: Constraint, threads: int) -> None:
    """Milliseconds for a step of 32 rows: all of it as the runner does it, and the masks alone in both ways there are.

    The rows go on by tokens drawn at random from those that are allowed.
    """
    import numpy as np
    import torch
    from llguidance import LLExecutor
    from llguidance.numpy import fill_next_token_bitmask, fill_next_token_bitmask_par

    from app.inference import constrained, loading

    def fill(matchers: Sequence[tuple[Any, int]], into: Any) -> None:
        for matcher, at in matchers:
            fill_next_token_bitmask(matcher, into, at)

    loading.compute_with(threads)
    loaded = loading.load(folder, None, "float32")
    spent: dict[str, list[float]] = {
        "whole step": [],
        "masks, one after the other": [],
        f"masks, {threads} threads": [],
    }
    whole, plain, many = spent.values()
    executor = LLExecutor(num_threads=threads)
    keeper = constrained.Constraints(loaded)
    held: HeldTo = {"kind": schema.kind, "text": schema.text}
    guides = [guide for _ in range(ROWS) if (guide := keeper.asked(held)) is not None]
    marks = np.zeros((ROWS, (loaded.model.config.vocab_size + 31) // 32), dtype=np.int32)
    for number in range(STEPS):
        twins = [[(guide.matcher.deep_copy(), at) for at, guide in enumerate(guides)] for _ in range(2)]
        ways: list[tuple[Callable[[], object], list[float]]] = [
            (partial(fill, twins[0], marks), plain),
            (partial(fill_next_token_bitmask_par, executor, twins[1], marks), many),
        ]
        for way, times in ways[:: 1 if number % 2 else -1]:
            times.append(timed(way))
        step = torch.rand((ROWS, loaded.model.config.vocab_size))
        whole.append(timed(partial(keeper.mask, step, guides)))
        for guide, token in zip(guides, step.argmax(-1).tolist(), strict=True):
            if not guide.over and token not in loaded.stops:
                keeper.took(guide, [token])
    for name, times in spent.items():
        print(f"{name:28} {statistics.median(times):6.2f} ms a step of {ROWS} rows, 95 % below {quantile(times):.2f}")


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def quantile(times: Sequence[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=128, help="tokens of an answer")
    given = parser.parse_args()
    train, rows = pairs(given.set / "train.jsonl"), pairs(given.set / "test.jsonl")[: given.rows]
    proposal = inferring.propose([row.completion for row in train], str)
    if proposal is None or proposal.kind != "json_schema":
        sys.exit("The training answers are not JSON.")
    schema = checked(proposal.kind, proposal.text)
    print(f"{len(rows)} rows, {proposal.basis}; {len(proposal.fields)} fields, answers of at most {given.limit} tokens")
    print(f"{'':28} {'JSON':>8} {'valid':>8} {'right':>8} {'cut':>5} {'errors':>6} {'tokens':>8} {'s a row':>10}")
    with LocalModel(given.model, threads=given.threads, dtype="float32") as model:
        model.info()
        for count in (0, given.shots):
            requests = asked(train, rows, count, given.limit)
            name = f"{count} nearest" if count else "zero-shot"
            free, spent = answers(model, requests, None)
            print(line(name, free, rows, schema, spent), flush=True)
            held, spent = answers(model, requests, schema)
            print(line(f"{name}, constrained", held, rows, schema, spent), flush=True)
            loose, spent = answers(model, requests, ANYTHING)
            same = sum(one.text == other.text for one, other in zip(free, loose, strict=True))
            print(line(f"{name}, any text allowed", loose, rows, schema, spent), f"  {same} texts as free", flush=True)
    masks(given.model, schema, given.threads)


if __name__ == "__main__":
    main()
