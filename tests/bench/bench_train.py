"""Training speed beside other trainers in one run: same rows, LoRA shape, effective batch, steps, threads.

`python tests/bench/bench_train.py MODEL_FOLDER ROWS.jsonl --peers PYTHON [--tokens 90 400 1500] [--steps 20]
[--batch 16] [--repeat 1] [--device cpu] [--who ours trl_default trl_best hf_trainer]`

MODEL_FOLDER: a model as the app prepared it. ROWS.jsonl: lines with `prompt` and `completion`. --peers: a Python that
has trl (and what it needs); ours runs in this one. --tokens: rows of about so many tokens; where the file has none that
long, several are put together. Tokens a second are of the rows, without padding, over the steps after the first two.
Dev loss: of each adapter by one evaluator, ours. Time to equal loss: seconds until as good as the worst one at its end
would be read off the steps; here every trainer takes the same steps, so the last column is what matters beside them.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from app.training.launchers import FEW_KERNELS

DEV = 24
WARM = 2
PEERS = Path(__file__).with_name("train_peers.py")


def rows_of(source: Path, tokenizer: Any, wanted: int, count: int) -> list[dict[str, Any]]:
    """So many rows of about `wanted` tokens; short ones are put together where the file has no long ones."""
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
    random.Random(4).shuffle(lines)
    sized = [(len(tokenizer(f"{line['prompt']}{line['completion']}")["input_ids"]), line) for line in lines]
    fitting = [line for size, line in sized if 0.75 * wanted <= size <= 1.25 * wanted]
    while len(fitting) < count:
        prompt, completion, size = "", "", 0
        while size < 0.9 * wanted:
            more, line = sized[random.Random(len(fitting) * 1000 + size).randrange(len(sized))]
            prompt, completion, size = f"{prompt}\n{line['prompt']}", f"{completion}\n{line['completion']}", size + more
        fitting.append({"prompt": prompt.strip(), "completion": completion.strip()})
    return [
        {"messages": [{"role": "user", "content": line["prompt"]}], "target": line["completion"]}
        for line in fitting[:count]
    ]


def ours(order: dict[str, Any]) -> None:
    """In a process of its own: the app's learner over the same rows."""
    from app.chat import messages_from_json
    from app.inference import devices, loading, tokens
    from app.training import lora
    from app.training.recipe import Recipe

    loading.compute_with(order["threads"])
    loaded = loading.load(Path(order["model"]), None, "auto", device=order["device"], longest=2048, trained=True)
    rows = [json.loads(line) for line in Path(order["rows"]).read_text(encoding="utf-8").splitlines()]
    made = [tokens.training_row(loaded.tokenizer, messages_from_json(row["messages"]), row["target"]) for row in rows]
    recipe = Recipe(
        rank=order["rank"], alpha=order["alpha"], learning_rate=order["learning_rate"], batch_rows=order["batch"],
        epochs=1 + order["steps"] * order["batch"] // len(made), max_steps=order["steps"], schedule="constant",
        warmup=0,
    )  # fmt: skip
    learner = lora.Learner(loaded, recipe, made, made[:1])
    learner.make_room()
    ends, read = [], []
    for step in learner.run(0):
        ends.append(time.monotonic())
        read.append(step.tokens_per_second)
    out = Path(order["out"])
    learner.save(out)
    learner.export(out, out / "masters.safetensors", "bench", None)
    mean = sum(learner.lengths) / len(learner.lengths)
    print(
        json.dumps(
            {
                "seconds": ends[-1] - ends[WARM - 1],
                "tokens": mean * order["batch"] * (len(ends) - WARM),
                "peak": devices.peak_bytes(loaded.device),
                "versions": {"dtype": loaded.dtype, "device": loaded.device.title},
            }
        )
    )


def judge(order: dict[str, Any]) -> None:
    """In a process of its own: dev loss of an adapter, in nats a trained token."""
    from app.chat import messages_from_json
    from app.inference import loading, tokens
    from app.training import lora
    from app.training.recipe import Recipe

    loading.compute_with(order["threads"])
    loaded = loading.load(Path(order["model"]), None, "float32", attention="eager", device=order["device"])
    rows = [json.loads(line) for line in Path(order["dev"]).read_text(encoding="utf-8").splitlines()]
    made = [tokens.training_row(loaded.tokenizer, messages_from_json(row["messages"]), row["target"]) for row in rows]
    learner = lora.Learner(loaded, Recipe(), made, made)
    again = loading.load(Path(order["model"]), None, "float32", attention="eager", device=order["device"])
    clean = Path(order["out"]) / "clean"  # trainers leave more beside an adapter than we load
    clean.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(Path(order["out"]) / name, clean / name)
    adapted = loading.adapted(again, clean)
    learner.model, learner.inner = adapted.model, adapted.model.get_base_model()
    losses = list(learner.dev_losses())
    print(json.dumps({"dev_loss": sum(loss for loss, _ in losses) / sum(count for _, count in losses)}))


def run(python: str, arguments: list[str], threads: int) -> dict[str, Any]:
    done = subprocess.run(
        [python, *arguments], cwd=ROOT, text=True, capture_output=True, check=False,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), **FEW_KERNELS},
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"failed": (done.stderr.strip().splitlines() or ["without a word"])[-1][:200]}
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--tokens", type=int, nargs="*", default=[90, 400, 1500])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--who", nargs="*", default=["ours", "trl_default", "trl_best", "hf_trainer"])
    chosen = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(chosen.model)
    for wanted in chosen.tokens:
        with tempfile.TemporaryDirectory() as place:
            _table(chosen, tokenizer, wanted, Path(place))


def _table(chosen: argparse.Namespace, tokenizer: Any, wanted: int, place: Path) -> None:
    rows = rows_of(chosen.rows, tokenizer, wanted, DEV + chosen.steps * chosen.batch)
    for name, part in (("dev", rows[:DEV]), ("train", rows[DEV:])):
        (place / name).write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    print(f"\nrows of about {wanted} tokens, batch {chosen.batch}, {chosen.steps} steps, {chosen.threads} threads")
    speeds: dict[str, list[float]] = {}
    for again in range(chosen.repeat):
        for who in chosen.who:
            out = place / f"{who}-{again}"
            out.mkdir()
            order = {
                "model": str(chosen.model), "rows": str(place / "train"), "dev": str(place / "dev"), "out": str(out),
                "steps": chosen.steps, "batch": chosen.batch, "rank": 16, "alpha": 32, "learning_rate": 2e-4,
                "threads": chosen.threads, "device": chosen.device,
            }  # fmt: skip
            (out / "order.json").write_text(json.dumps(order), encoding="utf-8")
            me, asked = str(Path(__file__)), str(out / "order.json")
            command = [me, "--ours", asked] if who == "ours" else [str(PEERS), who, asked]
            result = run(sys.executable if who == "ours" else chosen.peers, command, chosen.threads)
            if "failed" in result:
                print(f"{who:12} failed: {result['failed']}")
                continue
            seen = run(sys.executable, [me, "--judge", asked], chosen.threads)
            loss = seen.get("dev_loss")
            speed = result["tokens"] / result["seconds"]
            speeds.setdefault(who, []).append(speed)
            print(
                f"{who:12} {speed:8.0f} tokens/s  {result['seconds']:7.1f} s  peak {result['peak'] / 1e9:5.2f} GB  "
                f"dev loss {seen.get('failed') if loss is None else round(loss, 4)}  {result['versions']}", flush=True,
            )  # fmt: skip
    if "ours" in speeds:
        mine = statistics.median(speeds["ours"])
        ratios = {who: mine / statistics.median(each) for who, each in speeds.items() if who != "ours"}
        print("ours in multiples of:", {who: round(ratio, 2) for who, ratio in ratios.items()})


if __name__ == "__main__":
    if sys.argv[1:2] in (["--ours"], ["--judge"]):
        {"--ours": ours, "--judge": judge}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    else:
        main()
