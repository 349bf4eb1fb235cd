"""One trainer of others on prepared rows, in a Python that has it: `PYTHON train_peers.py NAME ORDER.json`.

ORDER: model, rows (JSON lines: messages, target), out, steps, batch, rank, alpha, learning_rate, threads, device.
Prints one JSON line: seconds of the steps after the first two, tokens of their rows without padding, peak bytes.
Names: `trl_default` (what one gets without setting anything but the task), `trl_best` (16-bit base, no checkpointing of
activations, eager attention on short rows, rows grouped by length: the best of the settings tried), `hf_trainer`
(transformers alone, rows padded in batches), `llamafactory` and `llamafactory_best` (in a Python of its own; best: no
checkpointing, short rows with eager attention and neat packing, on CUDA all in 16 bits, which it refuses on a CPU),
`trl_liger` and `unsloth` (CUDA only).
"""

import json
import os
import resource
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", WANDB_DISABLED="true")

WARM = 2  # steps
LONG = 700  # tokens a row from which eager attention and packs of several rows are no longer the best on a CPU


def main(name: str, order: dict[str, Any]) -> None:
    if name == "unsloth":
        import unsloth  # type: ignore[import-not-found]  # noqa: F401  # has to come before what it changes
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

    torch.set_num_threads(order["threads"])
    tokenizer = AutoTokenizer.from_pretrained(order["model"])
    rows = [json.loads(line) for line in Path(order["rows"]).read_text(encoding="utf-8").splitlines()]
    lengths = [
        len(
            tokenizer.apply_chat_template([*row["messages"], {"role": "assistant", "content": row["target"]}])[
                "input_ids"
            ]
        )
        for row in rows
    ]

    class Clock(TrainerCallback):  # type: ignore[misc]  # not typed for us
        """When steps end."""

        def __init__(self) -> None:
            self.ends: list[float] = []
            self.processor: list[float] = []

        def on_step_end(self, *_args: Any, **_kwargs: Any) -> None:
            self.ends.append(time.monotonic())
            self.processor.append(time.process_time())

    clock = Clock()
    lora = LoraConfig(
        r=order["rank"], lora_alpha=order["alpha"], lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    cpu = order["device"] == "cpu"
    common: dict[str, Any] = {
        "output_dir": order["out"],
        "per_device_train_batch_size": order["batch"],
        "max_steps": order["steps"],
        "learning_rate": order["learning_rate"],
        "lr_scheduler_type": "constant",
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "save_strategy": "no",
        "report_to": [],
        "logging_steps": order["steps"],
        "use_cpu": cpu,
        "seed": 1,
        "disable_tqdm": True,
    }
    pairs = [
        {"prompt": row["messages"], "completion": [{"role": "assistant", "content": row["target"]}]} for row in rows
    ]
    if name.startswith("llamafactory"):
        _llamafactory(name, order, rows, common, clock)
    elif name == "unsloth":
        trainer = _unsloth(order, pairs, common)
    elif name == "hf_trainer":
        trainer = _plain(order, tokenizer, rows, lora, common, AutoModelForCausalLM)
    else:
        trainer = _trl(name, order, tokenizer, pairs, lora, common, AutoModelForCausalLM)
    if not name.startswith("llamafactory"):
        trainer.add_callback(clock)
        trainer.train()
        trainer.model.save_pretrained(order["out"])
    mean = sum(lengths) / len(lengths)
    steps = len(clock.ends) - WARM
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 if cpu else torch.cuda.max_memory_reserved()
    packages = ("torch", "transformers", "peft", "trl", "llamafactory", "unsloth", "liger-kernel")
    print(
        json.dumps(
            {
                "seconds": clock.ends[-1] - clock.ends[WARM - 1],
                "processor": clock.processor[-1] - clock.processor[WARM - 1],
                "tokens": mean * order["batch"] * steps,
                "peak": peak,
                "versions": {each: metadata.version(each) for each in packages if _there(each)},
            }
        )
    )


def _there(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _trl(
    name: str, order: dict[str, Any], tokenizer: Any, pairs: list[Any], lora: Any, common: dict[str, Any], models: Any
) -> Any:
    import torch
    from datasets import Dataset  # type: ignore[import-not-found]  # comes with trl
    from trl import SFTConfig, SFTTrainer

    more: dict[str, Any] = {}
    model: Any = order["model"]
    if name in ("trl_best", "trl_liger"):
        attention = "eager" if order["device"] == "cpu" and order["row_tokens"] <= LONG else "sdpa"
        model = models.from_pretrained(order["model"], dtype=torch.bfloat16, attn_implementation=attention)
        more = {"gradient_checkpointing": False, "bf16": False, "train_sampling_strategy": "group_by_length"}
        if name == "trl_liger":
            more["use_liger_kernel"] = True
    config = SFTConfig(**common, **more, completion_only_loss=True, max_length=2048)
    return SFTTrainer(
        model, args=config, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer, peft_config=lora
    )


def _llamafactory(name: str, order: dict[str, Any], rows: list[Any], common: dict[str, Any], clock: Any) -> None:
    """Its own command's function on its own form of the rows; it saves the adapter by itself."""
    from llamafactory.train.tuner import run_exp  # type: ignore[import-not-found]  # in a Python of its own

    place = Path(order["out"]) / "rows"
    place.mkdir()
    lines = [{"instruction": row["messages"][-1]["content"], "input": "", "output": row["target"]} for row in rows]
    (place / "rows.json").write_text(json.dumps(lines), encoding="utf-8")
    (place / "dataset_info.json").write_text(json.dumps({"rows": {"file_name": "rows.json"}}), encoding="utf-8")
    best = name.endswith("best")
    more: dict[str, Any] = {"bf16": True}
    if best:
        long = order["row_tokens"] > LONG
        more = {
            "bf16" if order["device"] == "cpu" else "pure_bf16": True,
            "disable_gradient_checkpointing": True,
            "flash_attn": "sdpa" if long else "disabled",
        }
        more |= {} if long else {"neat_packing": True, "packing": True, "cutoff_len": order["pack"]}
    args: dict[str, Any] = {
        "cutoff_len": 2048, **common, **more,
        "model_name_or_path": order["model"], "stage": "sft", "do_train": True, "finetuning_type": "lora",
        "lora_rank": order["rank"], "lora_alpha": order["alpha"], "lora_target": "all", "template": "smollm2",
        "dataset": "rows", "dataset_dir": str(place), "overwrite_output_dir": True,
    }  # fmt: skip
    if "packing" in more:  # packs hold many rows: so many packs as hold about the rows of a batch of the others
        args["per_device_train_batch_size"] = max(1, round(order["batch"] * order["row_tokens"] / order["pack"]))
    run_exp({key: value for key, value in args.items() if key != "report_to"} | {"report_to": "none"}, [clock])


def _unsloth(order: dict[str, Any], pairs: list[Any], common: dict[str, Any]) -> Any:
    """On CUDA: its own loader, checkpointing and kernels, 16 bits, the same trainer around."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer
    from unsloth import FastLanguageModel

    model, tokenizer = FastLanguageModel.from_pretrained(order["model"], max_seq_length=2048, load_in_4bit=False)
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = FastLanguageModel.get_peft_model(
        model, r=order["rank"], lora_alpha=order["alpha"], lora_dropout=0, target_modules=names
    )
    config = SFTConfig(**common, completion_only_loss=True, max_length=2048)
    return SFTTrainer(model, args=config, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer)


def _plain(
    order: dict[str, Any], tokenizer: Any, rows: list[Any], lora: Any, common: dict[str, Any], models: Any
) -> Any:
    import torch
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments

    examples = []
    for row in rows:
        prompt = tokenizer.apply_chat_template(row["messages"], add_generation_prompt=True)["input_ids"]
        whole = tokenizer.apply_chat_template([*row["messages"], {"role": "assistant", "content": row["target"]}])
        ids = whole["input_ids"]
        examples.append({"input_ids": ids, "labels": [-100] * len(prompt) + ids[len(prompt) :]})

    def together(batch: list[dict[str, list[int]]]) -> dict[str, Any]:
        width = max(len(each["input_ids"]) for each in batch)
        pad = tokenizer.pad_token_id or 0
        return {
            "input_ids": torch.tensor([each["input_ids"] + [pad] * (width - len(each["input_ids"])) for each in batch]),
            "labels": torch.tensor([each["labels"] + [-100] * (width - len(each["labels"])) for each in batch]),
            "attention_mask": torch.tensor(
                [[1] * len(each["input_ids"]) + [0] * (width - len(each["input_ids"])) for each in batch]
            ),
        }

    model = get_peft_model(models.from_pretrained(order["model"], dtype=torch.float32), lora)
    return Trainer(model, TrainingArguments(**common), data_collator=together, train_dataset=examples)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
