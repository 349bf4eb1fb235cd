"""What a merged model would be: its forms, how large each is, and which of them can be made of a base model.

Only the heads of files are read; nothing here loads weights.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal, TypedDict

from app.json_types import JsonObject

Form = Literal["base", "float32", "gguf"]
FORMS: tuple[Form, ...] = ("base", "float32", "gguf")
BYTES = {"F32": 4, "F16": 2, "BF16": 2}  # of one number, by safetensors' names
DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
LONGEST_HEAD = 100_000_000  # bytes; what safetensors itself takes at most
BESIDE = 16_000_000  # bytes for tokenizer, card and what else lies beside the weights
WRITTEN = 2  # the weights lie on the disk twice while they are made: as they are checked, and as they are packed

# The tokenizers' own names for how text is cut before byte pairs are merged -> llama.cpp's name for the same. Both were
# compared token by token (tests/bench/RESULTS.md). Of others nobody has shown here that they are the same.
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}


class Rope(TypedDict, total=False):
    """How positions are turned: "default" is neither stretched nor anything else."""

    rope_type: str
    type: str
    rope_theta: float


class ModelConfig(TypedDict, total=False):
    """What is read of a model's config.json here (transformers' own names)."""

    architectures: list[str]
    rope_parameters: Rope
    rope_scaling: Rope
    rope_theta: float
    attention_bias: bool
    mlp_bias: bool
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int | None
    head_dim: int | None
    max_position_embeddings: int
    rms_norm_eps: float
    vocab_size: int
    tie_word_embeddings: bool


class PreTokenizer(TypedDict, total=False):
    """How a tokenizer cuts text; its parts where it is a sequence of them."""

    type: str
    pretokenizers: list["PreTokenizer"]


class TokenizerModel(TypedDict, total=False):
    """How a tokenizer makes tokens of what was cut."""

    type: str
    byte_fallback: bool


class TokenizerFile(TypedDict, total=False):
    """What is read of a tokenizer.json here (the tokenizers' own names)."""

    model: TokenizerModel
    normalizer: JsonObject | None
    pre_tokenizer: PreTokenizer | None


@dataclass(frozen=True, slots=True)
class Stored:
    """The weights of a model as they lie there. dtype: in safetensors' name, that of most numbers; bytes: of all."""

    dtype: str
    numbers: int
    bytes: int

    def of(self, form: Form) -> int:
        """Bytes that a form takes once it is there."""
        return (4 * self.numbers if form == "float32" else self.bytes) + BESIDE

    def memory(self, form: Form) -> int:
        """Bytes of memory that making it takes: the model in 32 bits, and the weights as they are read. A GGUF is read
        back whole in 32 bits, by a reader that holds it twice."""
        return 8 * self.numbers if form == "gguf" else 4 * self.numbers + self.bytes


def stored(folder: Path) -> Stored:
    """Read the heads of a model's weights.

    Raises: ValueError, AttributeError, KeyError: a file is none in safetensors' form; OSError: it can't be read.
    """
    numbers: Counter[str] = Counter()
    size = 0
    for path in sorted(folder.glob("model*.safetensors")):
        for name, entry in _head(path).items():
            if name != "__metadata__":
                count = prod(entry["shape"])
                numbers[entry["dtype"]] += count
                size += count * BYTES.get(entry["dtype"], 4)
    if not numbers:
        raise ValueError("There are no weights as safetensors.")
    return Stored(numbers.most_common(1)[0][0], numbers.total(), size)


class Tensor(TypedDict):
    """What a head says of a tensor. dtype: in safetensors' name."""

    dtype: str
    shape: list[int]


def _head(path: Path) -> dict[str, Tensor]:
    """Names, shapes and types: eight bytes of length, then JSON (https://github.com/huggingface/safetensors#format)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_HEAD:
            raise ValueError(f"{path.name} is not in safetensors' form.")
        head = json.loads(file.read(length))
    return dict(head.items())


def against_gguf(folder: Path) -> str:
    """Why a model can't be written as GGUF here, in a sentence; empty where it can.

    Llama's architecture with a byte-level BPE tokenizer is written; other families go through llama.cpp's own scripts.
    """
    try:
        config, tokenizer = (
            json.loads((folder / name).read_text(encoding="utf-8")) for name in ("config.json", "tokenizer.json")
        )
        reasons = list(_faults(config, tokenizer))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return "Its config.json or tokenizer.json can't be read as GGUF needs them."
    return f"{reasons[0]} Use llama.cpp's convert_hf_to_gguf.py on the merged model." if reasons else ""


def _faults(config: ModelConfig, tokenizer: TokenizerFile) -> Iterator[str]:
    family = ", ".join(config.get("architectures") or ["unknown"])
    if config.get("architectures") != ["LlamaForCausalLM"]:
        yield f"Only Llama's architecture is written as GGUF here; this is {family}."
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", rope.get("type", "default")) != "default":
        yield "It stretches its positions (rope scaling), which is not written here."
    if config.get("attention_bias") or config.get("mlp_bias"):
        yield "Its layers have biases, which are not written here."
    model = tokenizer["model"]
    if model.get("type") != "BPE" or model.get("byte_fallback") or tokenizer.get("normalizer"):
        yield "Its tokenizer is no byte-level BPE without normalisation."
    elif not pre_tokenizer(tokenizer):
        yield "How its tokenizer cuts text is not one that was compared with llama.cpp here."


def pre_tokenizer(tokenizer: TokenizerFile) -> str:
    """llama.cpp's name for how a tokenizer.json cuts text: gpt-2, smollm, or empty where it is neither."""
    cut = tokenizer.get("pre_tokenizer") or {}
    parts = cut.get("pretokenizers", [cut]) if cut.get("type") == "Sequence" else [cut]
    kinds = [{key: part.get(key) for key in like} == like for part, like in zip(parts, _likes(len(parts)), strict=True)]
    if not kinds or not all(kinds):
        return ""
    return "smollm" if len(parts) == 2 else "gpt-2"


def _likes(count: int) -> list[dict[str, object]]:
    return {1: [BYTE_LEVEL], 2: [DIGITS, BYTE_LEVEL]}.get(count, [{"type": None}] * count)
