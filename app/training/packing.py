"""The adapter as one file to keep and to hand out: a zip in PEFT's layout, the same bytes for the same adapter."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from app.blobs import Blobs
from app.json_types import JsonObject

FILES = ("adapter_config.json", "adapter_model.safetensors")


def pack(adapter: Path, target: Path, training: JsonObject) -> None:
    """Zip an adapter in PEFT's layout, the same bytes for the same adapter, with what it was made from beside it."""
    files = {path.name: path.read_bytes() for path in _files(adapter)}
    files["training.json"] = (json.dumps(dict(training), indent=1, sort_keys=True) + "\n").encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # 1980 for everybody: a zip that is made again is the same
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name], zipfile.ZIP_STORED)


def unpack(blobs: Blobs, sha256: str, folder: Path) -> None:
    """Lay the adapter's two files into a folder, every byte as it was stored.

    Raises: Damaged: the stored file is not the one that was stored.
    """
    if not blobs.intact(sha256):
        blobs.damaged(sha256)
    with blobs.open(sha256) as stored, zipfile.ZipFile(stored) as zipped:
        for name in FILES:
            (folder / name).write_bytes(zipped.read(name))


def _files(adapter: Path) -> Iterator[Path]:
    yield from (adapter / name for name in FILES)
