"""A Llama model as one GGUF file, and that file read back. Only the child process imports this.

What llama.cpp wants of a Llama model: rows of query and key weights in its own order, since it turns neighbouring
numbers of a head where transformers turns one half against the other; one-dimensional weights in 32 bits; the tokenizer
with its merges and how it cuts text. What the file says is checked by another reader (`differences`): transformers
dequantises it and undoes that order by itself.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

from app.inference import loading
from app.merged import plan

KINDS = {"F32": Kind.F32, "F16": Kind.F16, "BF16": Kind.BF16}
FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32, "F16": gguf.LlamaFileType.MOSTLY_F16, "BF16": gguf.LlamaFileType.MOSTLY_BF16,
}  # fmt: skip
ITEM = {Kind.F32: 4, Kind.F16: 2, Kind.BF16: 2}


def write(folder: Path, target: Path, name: str, licence: str) -> None:
    """Write the model of a folder, in the precision that it lies there in.

    Raises: ValueError: a weight has no place in a Llama model's GGUF.
    """
    config: plan.ModelConfig = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    dtype = plan.stored(folder).dtype
    writer = gguf.GGUFWriter(target, "llama")
    _describe(writer, config, dtype, name, licence)
    _vocabulary(writer, folder, config)
    places = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    # Twice through the files: a GGUF begins with the table of what comes, and one weight at a time is held.
    for tensor_name, tensor in _weights(folder, config):
        kind = KINDS[dtype] if tensor.dim() > 1 else Kind.F32
        if (place := places.get_name(tensor_name, try_suffixes=(".weight",))) is None:
            raise ValueError(f"{tensor_name} has no place in a Llama model's GGUF.")
        writer.add_tensor_info(place, tuple(tensor.shape), np.dtype(np.float32), tensor.numel() * ITEM[kind], kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, tensor in _weights(folder, config):
        writer.write_tensor_data(_packed(tensor, KINDS[dtype] if tensor.dim() > 1 else Kind.F32))
    writer.close()


def _describe(writer: gguf.GGUFWriter, config: plan.ModelConfig, dtype: str, name: str, licence: str) -> None:
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    if licence:
        writer.add_license(licence)
    writer.add_file_type(FILE_TYPES[dtype])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_rope_freq_base(float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    head = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_rope_dimension_count(head)
    if head != config["hidden_size"] // heads:
        writer.add_key_length(head)
        writer.add_value_length(head)


def _vocabulary(writer: gguf.GGUFWriter, folder: Path, config: plan.ModelConfig) -> None:
    described = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    size = config["vocab_size"]
    words = {number: word for word, number in tokenizer.get_vocab().items()}
    added = {entry["id"]: entry for entry in described.get("added_tokens", ())}
    texts, types = [], []
    for number in range(size):
        if number not in words:
            texts.append(f"[PAD{number}]")
            types.append(gguf.TokenType.UNUSED)
        elif (entry := added.get(number)) is not None:
            texts.append(entry["content"])
            types.append(gguf.TokenType.CONTROL if entry["special"] else gguf.TokenType.USER_DEFINED)
        else:
            texts.append(words[number])
            types.append(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(plan.pre_tokenizer(described))
    writer.add_token_list(texts)
    writer.add_token_types(types)
    special = gguf.SpecialVocab(folder, load_merges=True, n_vocab=size)
    ids = tokenizer("a")["input_ids"]
    special.add_special_token["bos"] = bool(ids) and ids[0] == tokenizer.bos_token_id
    special.add_special_token["eos"] = bool(ids) and ids[-1] == tokenizer.eos_token_id
    special.chat_template = tokenizer.chat_template
    special.add_to_gguf(writer, quiet=True)


def _weights(folder: Path, config: plan.ModelConfig) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight by its name, in llama.cpp's order, always in the same order of names."""
    heads = config["num_attention_heads"]
    keys = config.get("num_key_value_heads") or heads
    for path in sorted(folder.glob("model*.safetensors")):
        with safe_open(path, framework="pt") as opened:
            for name in sorted(opened.keys()):
                if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                    continue
                tensor = opened.get_tensor(name)
                if name.endswith("q_proj.weight"):
                    tensor = _turned(tensor, heads)
                elif name.endswith("k_proj.weight"):
                    tensor = _turned(tensor, keys)
                yield name, tensor


def _turned(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of each head (width 2n) from first half, second half to pairs of both: 0, n, 1, n + 1, ..."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _packed(tensor: torch.Tensor, kind: Kind) -> NDArray[np.generic]:
    if kind == Kind.BF16:  # numpy has no such numbers: their sixteen bits as they are
        return np.asarray(tensor.to(torch.bfloat16).contiguous().view(torch.int16).numpy()).view(np.uint16)
    dtype = torch.float16 if kind == Kind.F16 else torch.float32
    return np.asarray(tensor.to(dtype).contiguous().numpy())


def differences(folder: Path, written: Path, texts: list[str]) -> Iterator[str]:
    """Read a GGUF file with transformers and say where it is not the model of this folder; nothing where it is.

    texts: that both tokenizers have to cut into the same tokens.
    """
    place, name = written.parent, written.name
    with loading.quiet():
        read = AutoModelForCausalLM.from_pretrained(
            place, gguf_file=name, dtype=torch.float32, local_files_only=True, trust_remote_code=False
        )
        ours = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    there = read.state_dict()
    for key, tensor in ours.state_dict().items():
        if key not in there or not torch.equal(tensor, there[key]):
            yield f"The weight {key} is not the same when it is read back."
    tokenizers = [
        AutoTokenizer.from_pretrained(place, gguf_file=name, local_files_only=True, trust_remote_code=False),
        AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False),
    ]
    for text in texts:
        one, other = (each(text, add_special_tokens=False)["input_ids"] for each in tokenizers)
        if one != other:
            yield "A prompt is cut into other tokens when the tokenizer is read back."
            return
