"""A real causal language model of 0.1 M parameters, made on the spot: two Llama layers and a trained BPE tokenizer.

Everything that needs weights is tested with it. It learns (loss falls), and it says nothing worth reading.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from tests.support import zygote

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "omega")
TEMPLATE = (
    "{% for m in messages %}{{'<|im_start|>'+m['role']+'\n'+m['content']+'<|im_end|>\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{'<|im_start|>assistant\n'}}{% endif %}"
)


def text(number: int) -> str:
    """A short text, the same for the same number."""
    return " ".join(WORDS[(number * step + step) % len(WORDS)] for step in range(1, 3 + number % 4))


def make(folder: Path) -> Path:
    """Write the model to a folder that `inference.loading` accepts."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text(number) for number in range(200)], trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",  # as in SmolLM2: padding is the stop token, so labels must not go by token id
        unk_token="<|endoftext|>",
        model_max_length=512,
    )
    wrapped.chat_template = TEMPLATE
    config = LlamaConfig(
        vocab_size=len(wrapped),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder


def made(folder: Path) -> Path:
    """`make` in a process that has torch already, so that the tests' own process need not import it."""
    process = zygote.Forked("tests.support.tiny", str(folder), env=os.environ)
    assert process.wait() == 0
    return folder


def terse(folder: Path, copy: Path, says: str) -> Path:
    """A copy of a model that stops at whatever cannot be a part of texts over the letters `says`.

    Untrained, the tiny model goes on for ever, and answers that were all cut at the limit are no fair try of a prompt.
    """
    shutil.copytree(folder, copy)
    pieces = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    own = set(says.replace(" ", "\u0120"))  # which is how a BPE over bytes writes a blank
    stops = sorted(number for piece, number in pieces.items() if not set(piece) <= own)
    path = copy / "generation_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"eos_token_id": stops}), encoding="utf-8"
    )
    return copy


def rows(train: int = 24, dev: int = 6) -> list[dict[str, object]]:
    """Canonical rows as a dataset stores them: say the first word of the question twice."""
    made: list[dict[str, object]] = []
    for number in range(train + dev):
        question = text(number)
        made.append(
            {
                "id": str(number),
                "line": number + 1,
                "split": "train" if number < train else "dev",
                "messages": [{"role": "user", "content": question}],
                "target": f"{question.split()[0]} {question.split()[0]}",
            }
        )
    return made


def write_rows(path: Path, written: list[dict[str, object]]) -> Path:
    """Rows as a file, one JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in written), encoding="utf-8")
    return path


if __name__ == "__main__":
    make(Path(sys.argv[1]))
