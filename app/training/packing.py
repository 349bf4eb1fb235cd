"""The adapter as one file to keep and to hand out: a zip in PEFT's layout, the same bytes for the same adapter."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def pack(adapter: Path, target: Path, training: Mapping[str, Any]) -> None:
    """Zip an adapter in PEFT's layout, the same bytes for the same adapter, with what it was made from beside it."""
    files = {path.name: path.read_bytes() for path in _files(adapter)}
    files["training.json"] = (json.dumps(dict(training), indent=1, sort_keys=True) + "\n").encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # 1980 for everybody: a zip that is made again is the same
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name], zipfile.ZIP_STORED)


def _files(adapter: Path) -> Iterator[Path]:
    yield from (adapter / name for name in ("adapter_config.json", "adapter_model.safetensors"))
