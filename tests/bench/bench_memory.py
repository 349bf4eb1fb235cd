"""What training takes at its peak, and what the preflight had forecast: the real probe and the real trainer.

`python tests/bench/bench_memory.py MODEL_FOLDER ROWS.jsonl [--batch 1 4 8 16] [--rank 16] [--steps 24] [--precision P]`

MODEL_FOLDER: a model as the app prepared it. ROWS.jsonl: lines with `prompt` and `completion`; `--longest` and
`--shortest` choose by characters. Peak: the high-water mark of the trainer (`peak_bytes` of its adapter). Forecast: the
sum of the parts that the preflight shows. Also processor seconds, and the last loss, so that a change that saves
memory shows what else it did.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from app.training.launchers import FEW_KERNELS
from app.training.recipe import Recipe
from tests.support.trainer import Run

ROOT = Path(__file__).parents[2]
DEV = 24  # rows


def rows_of(source: Path, shortest: int, longest: int, count: int) -> list[dict[str, object]]:
    """Canonical rows, the first `DEV` of them for dev."""
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
    fitting = [one for one in lines if shortest <= len(one["prompt"]) + len(one["completion"]) <= longest]
    random.Random(4).shuffle(fitting)
    return [
        {
            "id": str(number),
            "line": number + 1,
            "split": "dev" if number < DEV else "train",
            "messages": [{"role": "user", "content": one["prompt"]}],
            "target": one["completion"],
        }
        for number, one in enumerate(fitting[:count])
    ]


def events(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """All that a child says until it ends; its input stays open so long, which is how it knows that we live."""
    assert process.stdout
    said = [json.loads(line) for line in process.stdout if line.startswith("{")]
    process.wait()
    return said


def child(module: str, *arguments: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, env={**FEW_KERNELS, **env}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def forecast(run: Run, env: Mapping[str, str]) -> dict[str, Any]:
    """What the preflight says."""
    process = child("app.training.probe", env=env)
    assert process.stdin
    order = {"subject": run.subject(), "model": str(run.model), "rows": str(run.rows), "threads": 1}
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    said = events(process)
    return next((one["report"] for one in said if one["event"] == "report"), {"failed": said})


def trained(run: Run, env: Mapping[str, str]) -> list[dict[str, Any]]:
    run.order()
    return events(child("app.training.child", str(run.folder), env={**env, "TUNEGATE_DATA": str(run.data)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[8])
    parser.add_argument("--rank", type=int, nargs="+", default=[16])
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--shortest", type=int, default=0)
    parser.add_argument("--longest", type=int, default=100_000)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--no-forecast", action="store_true")
    given = parser.parse_args()
    print(
        "| batch | rank | rows, tokens (longest) | forecast, GB | rehearsed | peak, GB | off by | processor s | loss |"
    )
    print("| --- " * 9 + "|", flush=True)
    for batch in given.batch:
        for rank in given.rank:
            with tempfile.TemporaryDirectory() as place:
                root = Path(place)
                (root / "run").mkdir()
                (root / "data").mkdir()
                (root / "data" / "secret.key").write_bytes(b"k" * 32)
                rows = root / "rows.jsonl"
                made = rows_of(given.rows, given.shortest, given.longest, given.count)
                rows.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
                recipe = Recipe(
                    rank=rank, alpha=2 * rank, batch_rows=batch, max_steps=given.steps, dev_rows=DEV, patience=0,
                    evals_per_epoch=1, precision=given.precision,
                )  # fmt: skip
                run = Run(root / "run", root / "data", rows, given.model.resolve(), life=3600, recipe=recipe)
                found = {} if given.no_forecast else forecast(run, os.environ)
                before = _spent()
                said = trained(run, os.environ)
                cpu = _spent() - before
            _tell(batch, rank, found, said, cpu)


def _spent() -> float:
    """Processor seconds of children that have ended: on a busy machine the clock says little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tell(batch: int, rank: int, found: dict[str, Any], said: list[dict[str, Any]], cpu: float) -> None:
    done = next((one for one in said if one["event"] == "done"), None)
    if done is None or "failed" in found:
        print(f"| {batch} | {rank} | {found.get('failed')} {said[-1:]} |", flush=True)
        return
    steps = [one for one in said if one["event"] == "step"]
    peak = done["facts"]["peak_bytes"] / 1e9
    told = sum(found["memory"].values()) / 1e9 if found else 0.0
    kept = found.get("train", {"rows": 0, "tokens": 0})
    longest = found["longest"][0] if found else {"prompt": 0, "completion": 0}
    print(
        f"| {batch} | {rank} | {kept['rows']}, {kept['tokens'] / max(kept['rows'], 1):.0f} "
        f"({longest['prompt'] + longest['completion']}) | {told:.2f} | {found.get('peak_bytes', 0) / 1e9:.2f} "
        f"| {peak:.2f} | {100 * (told / peak - 1):+.0f} % | {cpu:.0f} "
        f"| {steps[-1]['loss']:.4f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
