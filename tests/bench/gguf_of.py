"""Write a model of the Llama kind as GGUF for llama.cpp: `python tests/bench/gguf_of.py FOLDER FILE [F32|F16|BF16]`.

Names, the order of rotary halves and the keys are those of llama.cpp's own convert_hf_to_gguf.py (`LlamaModel`), of
which this is the part that one small model needs. Norms stay in 32 bits, as there.
"""

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

TYPES = {
    "F32": gguf.GGMLQuantizationType.F32,
    "F16": gguf.GGMLQuantizationType.F16,
    "BF16": gguf.GGMLQuantizationType.BF16,
}
FILES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "BF16": gguf.LlamaFileType.MOSTLY_BF16,
}


def rotated(weight: Any, heads: int) -> Any:
    """transformers keeps the two halves of a rotated pair apart, llama.cpp side by side."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write(folder: Path, file: Path, kind: str) -> None:
    """Raises: ValueError: the model is of another kind."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "llama":
        raise ValueError(f"{config['model_type']} is no llama")
    out = gguf.GGUFWriter(file, "llama")
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    rope = config.get("rope_parameters") or config
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(heads)
    out.add_head_count_kv(groups)
    out.add_rope_freq_base(rope["rope_theta"])
    out.add_rope_dimension_count(config.get("head_dim") or config["hidden_size"] // heads)
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_vocab_size(config["vocab_size"])
    out.add_file_type(FILES[kind])
    _vocabulary(out, folder, config)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, tensor in load_file(folder / "model.safetensors").items():
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if new is None or (name == "lm_head.weight" and config["tie_word_embeddings"]):
            continue
        data = tensor.to(torch.float32).numpy()
        if name.endswith("q_proj.weight"):
            data = rotated(data, heads)
        elif name.endswith("k_proj.weight"):
            data = rotated(data, groups)
        wanted = TYPES[kind] if data.ndim > 1 else TYPES["F32"]
        data = np.ascontiguousarray(data) if wanted is TYPES["F32"] else gguf.quants.quantize(data, wanted)
        out.add_tensor(new, data, raw_dtype=wanted)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def _vocabulary(out: gguf.GGUFWriter, folder: Path, config: dict[str, Any]) -> None:
    stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    special = {token["id"]: token["content"] for token in stored["added_tokens"]}
    ids = {number: text for text, number in stored["model"]["vocab"].items()} | special
    size = config["vocab_size"]
    control, normal, unused = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL, gguf.TokenType.UNUSED
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("smollm")
    out.add_token_list([ids.get(number, f"[PAD{number}]") for number in range(size)])
    out.add_token_types([control if n in special else normal if n in ids else unused for n in range(size)])
    merges = stored["model"]["merges"]
    out.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    out.add_bos_token_id(config["bos_token_id"])
    out.add_eos_token_id(config["eos_token_id"])
    out.add_add_bos_token(False)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), (sys.argv[3:] or ["F32"])[0])
