"""Which models become a GGUF, and what is said of a merged one. How one is made: `tests/results/test_merged.py`."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.merged import check, plan


@pytest.mark.parametrize(
    ("config", "tokenizer", "words"),
    [
        ({}, {}, ""),
        ({"architectures": ["Qwen2ForCausalLM"]}, {}, "this is Qwen2ForCausalLM"),
        ({"rope_scaling": {"rope_type": "llama3"}}, {}, "rope scaling"),
        ({"attention_bias": True}, {}, "biases"),
        ({}, {"normalizer": {"type": "NFC"}}, "without normalisation"),
        ({}, {"pre_tokenizer": {"type": "Metaspace"}}, "how its tokenizer cuts text"),
    ],
)
def test_only_what_was_compared_is_written_as_gguf(
    tmp_path: Path, config: dict[str, Any], tokenizer: dict[str, Any], words: str
) -> None:
    llama = {"architectures": ["LlamaForCausalLM"], "rope_parameters": {"rope_type": "default"}}
    bpe = {"model": {"type": "BPE"}, "normalizer": None, "pre_tokenizer": {**plan.BYTE_LEVEL, "trim_offsets": True}}
    (tmp_path / "config.json").write_text(
        json.dumps({**llama, **({"rope_parameters": None} if config else {}), **config})
    )
    (tmp_path / "tokenizer.json").write_text(json.dumps(bpe | tokenizer))

    assert words.lower() in plan.against_gguf(tmp_path).lower()
    assert bool(words) == bool(plan.against_gguf(tmp_path))


def test_digits_one_by_one_have_a_name_of_their_own() -> None:
    cut: Any = {"type": "Sequence", "pretokenizers": [plan.DIGITS, plan.BYTE_LEVEL]}

    assert plan.pre_tokenizer({"pre_tokenizer": cut}) == "smollm"
    bytes_only: Any = {**cut, "pretokenizers": [plan.BYTE_LEVEL]}
    nothing: Any = {**cut, "pretokenizers": []}
    assert plan.pre_tokenizer({"pre_tokenizer": bytes_only}) == "gpt-2"
    assert plan.pre_tokenizer({"pre_tokenizer": nothing}) == ""
    assert plan.pre_tokenizer({}) == ""


def test_what_it_came_to_is_said_in_words() -> None:
    same = check.Facts("bfloat16", "bfloat16", 10, 10, 0.8, 0.8, "", {})
    tipped = check.Facts("bfloat16", "float32", 10, 8, 0.8, 0.7, "", {})
    nothing = check.Facts("float32", "float32", 0, 0, None, None, "", {})

    assert same.words == (
        "10 of 10 dev rows got the same text as from base and adapter; scores on these rows: 80 % merged, 80 % with "
        "the adapter."
    )
    assert "is rounded to bfloat16" in tipped.words
    assert "another order" in check.Facts("float32", "float32", 10, 9, None, None, "", {}).words
    assert nothing.words.startswith("No dev row was answered")
