"""Which folders are loaded: plain files with known names, no keys that fetch code, hashes that hold."""

import json
from pathlib import Path

import pytest

from app.inference import folders


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "_attn_implementation": "sdpa"}', encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"auto_map": 1}}}', encoding="utf-8")
    return folder


def test_a_plain_folder_has_no_faults(model: Path) -> None:
    assert list(folders.faults(model)) == []


@pytest.mark.parametrize(
    "name",
    [
        "modeling_x.py",
        "pytorch_model.bin",
        "optimizer.pt",
        "training_args.bin",
        "x.pkl",
        "a.so",
        "model.gguf",
        "sub.json",
    ],
)
def test_files_that_could_hold_code_are_refused(model: Path, name: str) -> None:
    (model / name).write_bytes(b"{}")

    assert any(name in fault for fault in folders.faults(model))


@pytest.mark.parametrize(
    "config",
    [
        {"auto_map": {"AutoModel": "x--y.Model"}},
        {"custom_generate": "x/y"},
        {"_attn_implementation_internal": "someone/kernel"},
        {"attn_implementation": "someone/kernel"},
        {"attn_implementation": {"text": "someone/kernel"}},
        {"quantization_config": {"quant_method": "custom"}},
        {"text_config": {"deep": [{"auto_map": {}}]}},
        {"trust_remote_code": False},
    ],
)
@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json"])
def test_keys_that_fetch_code_are_refused_wherever_they_stand(model: Path, name: str, config: object) -> None:
    (model / name).write_text(json.dumps(config), encoding="utf-8")

    assert any(name in fault for fault in folders.faults(model))


@pytest.mark.parametrize("text", ["[]", "{", '"x"', "[" * 100_000])
def test_a_config_that_is_no_object_is_a_fault_and_no_crash(model: Path, text: str) -> None:
    (model / "config.json").write_text(text, encoding="utf-8")

    assert list(folders.faults(model)) == ["config.json is not a JSON object."]


def test_links_and_folders_are_refused(model: Path, tmp_path: Path) -> None:
    (model / "sub").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"x")
    (model / "merges.txt").symlink_to(tmp_path / "elsewhere")

    assert len(list(folders.faults(model))) == 2
    with pytest.raises(OSError, match="symbolic"):
        folders.sha256(model / "merges.txt")


def test_what_is_missing_is_said_at_once(tmp_path: Path) -> None:
    assert len(list(folders.faults(tmp_path))) == 3
    assert list(folders.faults(tmp_path / "none")) == ["There is no folder none."]


def test_a_sealed_folder_verifies_until_a_byte_changes(model: Path) -> None:
    manifest = folders.seal(model, "someone/model", "abc")

    assert folders.verify(model, folders.stored(model)) == manifest
    (model / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(folders.Damaged, match=r"model\.safetensors"):
        folders.verify(model, folders.stored(model))


def test_an_added_or_missing_file_is_damage(model: Path) -> None:
    files = folders.hashes(model)
    (model / "merges.txt").write_text("", encoding="utf-8")
    with pytest.raises(folders.Damaged, match=r"merges\.txt"):
        folders.verify(model, files)

    (model / "merges.txt").unlink()
    (model / "tokenizer.json").rename(model / "tokenizer.model")
    with pytest.raises(folders.Damaged, match=r"tokenizer\.json, tokenizer\.model"):
        folders.verify(model, files)


def test_published_folders_are_whole(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    (staging / "a").write_bytes(b"1")
    folders.publish(staging, tmp_path / "final")

    assert (tmp_path / "final" / "a").read_bytes() == b"1"
    assert not staging.exists()


@pytest.mark.parametrize(
    "extra",
    [{"peft_type": "IA3"}, {"init_lora_weights": "pissa"}, {"loftq_config": {"x": 1}}, {"auto_mapping": {"a": 1}}],
)
def test_adapters_that_ask_for_more_than_lora_are_refused(tmp_path: Path, extra: dict[str, object]) -> None:
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    config = {"peft_type": "LORA", "init_lora_weights": True}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert list(folders.adapter_faults(tmp_path)) == []

    (tmp_path / "adapter_config.json").write_text(json.dumps(config | extra), encoding="utf-8")

    assert len(list(folders.adapter_faults(tmp_path))) == 1
