"""Training speed beside other trainers in one run: same rows, LoRA shape, effective batch, steps, threads.

`python tests/bench/bench_train.py MODEL_FOLDER ROWS.jsonl --peers PYTHON [--tokens 90 400 1500] [--steps 20]
[--batch 16] [--repeat 1] [--threads 2] [--device cpu] [--llamafactory PYTHON] [--shape HIDDENxLAYERS]
[--who ours trl_default trl_best hf_trainer llamafactory llamafactory_best trl_liger unsloth]`

MODEL_FOLDER: a model as the app prepared it. ROWS.jsonl: lines with `prompt` and `completion`. --peers: a Python that
has trl (and what it needs); ours runs in this one. --tokens: rows of about so many tokens; where the file has none that
long, several are put together. Tokens a second are of the rows, without padding, over the steps after the first two.
On a machine that others use compare tokens a second of processor time, with `--threads 1`. Repeats take turns, and
ratios are of medians.
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
    ends, processor = [], []
    for _step in learner.run(0):
        ends.append(time.monotonic())
        processor.append(time.process_time())
    out = Path(order["out"])
    learner.save(out)
    learner.export(out, out / "masters.safetensors", "bench", None)
    mean = sum(learner.lengths) / len(learner.lengths)
    print(
        json.dumps(
            {
                "seconds": ends[-1] - ends[WARM - 1],
                "processor": processor[-1] - processor[WARM - 1],
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
    parser.add_argument("--llamafactory", default=sys.executable)
    parser.add_argument(
        "--shape", default="", help="for example 2048x16: random weights of that size on this vocabulary"
    )
    parser.add_argument("--who", nargs="*", default=["ours", "trl_default", "trl_best", "hf_trainer"])
    chosen = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(chosen.model)
    with tempfile.TemporaryDirectory() as made:
        if chosen.shape:
            chosen.model = random_model(chosen.model, chosen.shape, Path(made))
        for wanted in chosen.tokens:
            with tempfile.TemporaryDirectory() as place:
                _table(chosen, tokenizer, wanted, Path(place))


def random_model(like: Path, shape: str, folder: Path) -> Path:
    """A Llama of the size `HIDDENxLAYERS` with random weights in 16 bits and the tokenizer of `like`: speed and memory
    do not depend on what weights know. 896x24 has half a billion parameters, 2048x16 one, 4096x32 seven."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    hidden, layers = map(int, shape.split("x"))
    tokenizer = AutoTokenizer.from_pretrained(like)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=hidden * 11 // 4, num_hidden_layers=layers,
        num_attention_heads=hidden // 64, num_key_value_heads=max(1, hidden // 256), max_position_embeddings=8192,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.set_default_dtype(torch.bfloat16)
    LlamaForCausalLM(config).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)
    tokenizer.save_pretrained(folder)
    return folder


def _table(chosen: argparse.Namespace, tokenizer: Any, wanted: int, place: Path) -> None:
    rows = rows_of(chosen.rows, tokenizer, wanted, DEV + chosen.steps * chosen.batch)
    for name, part in (("dev", rows[:DEV]), ("train", rows[DEV:])):
        (place / name).write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    print(f"\nrows of about {wanted} tokens, batch {chosen.batch}, {chosen.steps} steps, {chosen.threads} threads")
    speeds: dict[str, list[tuple[float, float]]] = {}
    mean = sum(len(tokenizer(f"{r['messages'][0]['content']}{r['target']}")["input_ids"]) for r in rows) / len(rows)
    for again in range(chosen.repeat):
        for who in chosen.who:
            out = place / f"{who}-{again}"
            out.mkdir()
            order = {
                "model": str(chosen.model), "rows": str(place / "train"), "dev": str(place / "dev"), "out": str(out),
                "steps": chosen.steps, "batch": chosen.batch, "rank": 16, "alpha": 32, "learning_rate": 2e-4,
                "threads": chosen.threads, "device": chosen.device, "row_tokens": mean, "pack": max(512, 2 * wanted),
            }  # fmt: skip
            (out / "order.json").write_text(json.dumps(order), encoding="utf-8")
            me, asked = str(Path(__file__)), str(out / "order.json")
            command = [me, "--ours", asked] if who == "ours" else [str(PEERS), who, asked]
            python = chosen.llamafactory if who.startswith("llamafactory") else chosen.peers
            result = run(sys.executable if who == "ours" else python, command, chosen.threads)
            if "failed" in result:
                print(f"{who:12} failed: {result['failed']}")
                continue
            seen = run(sys.executable, [me, "--judge", asked], chosen.threads)
            loss = seen.get("dev_loss")
            speed, each = result["tokens"] / result["seconds"], result["tokens"] / result["processor"]
            speeds.setdefault(who, []).append((speed, each))
            print(
                f"{who:17} {speed:6.0f} tokens/s  {each:6.0f} a processor s  {result['seconds']:7.1f} s  peak "
                f"{result['peak'] / 1e9:5.2f} GB  dev loss {seen.get('failed') if loss is None else round(loss, 4)}  "
                f"{result['versions']}", flush=True,
            )  # fmt: skip
    for number, by in enumerate(("the clock", "processor time")):
        medians = {who: statistics.median(pair[number] for pair in each) for who, each in speeds.items()}
        mine = medians.pop("ours", 0.0)
        if mine:
            print(f"ours by {by} in multiples of:", {who: round(mine / each, 2) for who, each in medians.items()})


if __name__ == "__main__":
    if sys.argv[1:2] in (["--ours"], ["--judge"]):
        {"--ours": ours, "--judge": judge}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    else:
        main()
