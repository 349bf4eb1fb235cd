"""transformers' Trainer for the crash drill, in a Python that has it: `PYTHON crash_peer.py MODEL ROWS.jsonl`.

Imports once, then reads an order a line on standard input and forks a trainer for it: `{"out": FOLDER, "steps": 54,
"save": 6, "back": SECONDS}`. Answers with `{"pid": ...}`, and with `{"code": ...}` when it is over. The trainer writes
its lines to FOLDER.log: a step, where it goes on from, what went wrong; the adapter's weights at the end lie in
FOLDER/final. It is started like most people's: `resume_from_checkpoint=True` as soon as there is a checkpoint, two of
them kept.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")


def train(model_folder: str, rows: list[Any], order: dict[str, Any]) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments, set_seed

    torch.set_num_threads(1)
    set_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    examples = []
    for row in rows:
        prompt = tokenizer.apply_chat_template(row["messages"], add_generation_prompt=True)["input_ids"]
        turns = [*row["messages"], {"role": "assistant", "content": row["target"]}]
        ids = tokenizer.apply_chat_template(turns)["input_ids"]
        examples.append({"input_ids": ids, "labels": [-100] * len(prompt) + ids[len(prompt) :]})

    def together(batch: list[dict[str, list[int]]]) -> dict[str, Any]:
        width = max(len(each["input_ids"]) for each in batch)
        return {
            "input_ids": torch.tensor([each["input_ids"] + [0] * (width - len(each["input_ids"])) for each in batch]),
            "labels": torch.tensor([each["labels"] + [-100] * (width - len(each["labels"])) for each in batch]),
            "attention_mask": torch.tensor(
                [[1] * len(each["input_ids"]) + [0] * (width - len(each["input_ids"])) for each in batch]
            ),
        }

    class Says(TrainerCallback):  # type: ignore[misc]  # not typed for us
        """Where it stands."""

        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_more: Any) -> None:
            print(json.dumps({"event": "started", "step": state.global_step}), flush=True)

        def on_step_end(self, _args: Any, state: Any, _control: Any, **_more: Any) -> None:
            print(json.dumps({"event": "step", "step": state.global_step}), flush=True)

    lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32), lora)
    arguments = TrainingArguments(
        output_dir=order["out"], per_device_train_batch_size=4, max_steps=order["steps"], learning_rate=1e-2,
        lr_scheduler_type="cosine", save_strategy="steps", save_steps=order["save"], save_total_limit=2, report_to=[],
        logging_strategy="no", use_cpu=True, seed=1, disable_tqdm=True,
    )  # fmt: skip
    trainer = Trainer(model, arguments, data_collator=together, train_dataset=examples, callbacks=[Says()])
    there = any(path.name.startswith("checkpoint-") for path in Path(order["out"]).glob("*"))
    trainer.train(resume_from_checkpoint=True if there else None)
    trainer.model.save_pretrained(Path(order["out"]) / "final")
    print(json.dumps({"event": "done"}), flush=True)


def child(model_folder: str, rows: list[Any], order: dict[str, Any]) -> int:
    log = os.open(f"{order['out']}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if back := order.get("back"):
        now = time.time
        time.time = lambda: now() - back
    try:
        train(model_folder, rows, order)
    except Exception as error:  # noqa: BLE001 - told to whoever counts
        traceback.print_exc()
        print(json.dumps({"event": "ended", "text": f"{type(error).__name__}: {str(error)[:150]}"}), flush=True)
        return 1
    return 0


def main(model_folder: str, rows_file: str) -> None:
    import peft
    import transformers

    rows = [json.loads(line) for line in Path(rows_file).read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["split"] == "train"]
    versions = {"transformers": transformers.__version__, "peft": peft.__version__}
    print(json.dumps({"versions": versions}), flush=True)
    # What is imported late costs each child the same again.
    from transformers import AutoModelForCausalLM, LlamaForCausalLM, Trainer  # noqa: F401

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(child(model_folder, rows, json.loads(line)))
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
