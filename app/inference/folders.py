"""Model and adapter folders: which files they may hold, what they hash to, and how one appears whole or not at all.

Weights come as safetensors and settings as JSON. Neither can run code, but the libraries that read them can be talked
into fetching some (`auto_map`, an attention implementation by hub name, CVE-2026-4372), so names and keys are looked
at before any library opens the folder.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "MANIFEST.json"

ALLOWED = re.compile(
    r"config\.json|generation_config\.json|model\.safetensors|model\.safetensors\.index\.json"
    r"|model-\d{5}-of-\d{5}\.safetensors|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json"
    r"|added_tokens\.json|vocab\.json|vocab\.txt|merges\.txt|tokenizer\.model|chat_template\.jinja"
    r"|adapter_config\.json|adapter_model\.safetensors|MANIFEST\.json"
    r"|\.gitattributes|[A-Za-z0-9_-]+\.md|(LICEN[CS]E|NOTICE|USE_POLICY)(\.txt)?"
)

# Keys of a configuration that make a library fetch or choose code. The first group is refused whatever it holds.
DENIED = frozenset(
    {
        "auto_map", "custom_generate", "custom_pipelines", "trust_remote_code", "quantization_config",
        "_attn_implementation_internal", "_experts_implementation_internal", "use_kernels", "kernel_config", "kernels",
    }
)  # fmt: skip
ATTENTION = frozenset({"_attn_implementation", "attn_implementation", "_attn_implementation_autoset"})
ATTENTION_VALUES = frozenset({None, True, False, "eager", "sdpa"})

# An adapter may say nothing that makes peft load a second file or code of its own.
ADAPTER_EMPTY = frozenset(
    {
        "auto_mapping", "megatron_config", "loftq_config", "eva_config", "corda_config",
        "lora_ga_config", "layer_replication", "trainable_token_indices", "modules_to_save",
    }
)  # fmt: skip

CHUNK = 1 << 20


class NotAModel(Exception):
    """This folder is not one that we load; the text says every reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


class Damaged(Exception):
    """A file is missing, new, or no longer what the manifest says."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder is and holds.

    model: public name of the model, never a path. revision: which state of it. files: name -> SHA-256.
    """

    model: str
    revision: str
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """One hash over all files: two folders with the same digest are the same model."""
        return digest_of(self.files)


def digest_of(files: Mapping[str, str]) -> str:
    """Hash a table of names and hashes, independent of its order."""
    lines = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def sha256(path: Path) -> str:
    """Hash a regular file; a link is refused, so that nobody swaps what it points to."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """Name and hash of every file of a folder, besides its manifest."""
    return {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def faults(folder: Path) -> Iterator[str]:
    """Say every reason why a folder with a whole model may not be loaded."""
    if not folder.is_dir():
        yield f"There is no folder {folder.name}."
        return
    yield from _stray_files(folder)
    names = {path.name for path in folder.iterdir()}
    if not any(name.startswith("model") and name.endswith(".safetensors") for name in names):
        yield "It holds no weights as safetensors (model.safetensors)."
    if "config.json" not in names:
        yield "It has no config.json."
    if not names & {"tokenizer.json", "tokenizer.model"}:
        yield "It has no tokenizer (tokenizer.json)."
    for path in sorted(folder.glob("*.json")):
        yield from _config_faults(path)


def adapter_faults(folder: Path) -> Iterator[str]:
    """Say every reason why a folder may not be loaded as a LoRA adapter."""
    if not (folder / "adapter_model.safetensors").is_file() or not (folder / "adapter_config.json").is_file():
        yield "It lacks adapter_model.safetensors or adapter_config.json."
        return
    yield from _stray_files(folder)
    for path in sorted(folder.glob("*.json")):
        yield from _config_faults(path)
    config = _object(folder / "adapter_config.json")
    if config.get("peft_type") != "LORA":
        yield "adapter_config.json: only LoRA adapters are loaded."
    if config.get("init_lora_weights", True) not in (True, False):
        yield "adapter_config.json: init_lora_weights must be true or false."
    if named := sorted(key for key in ADAPTER_EMPTY if config.get(key)):
        yield f"adapter_config.json: {', '.join(named)} must be empty."


def _stray_files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            yield f"{path.name} is not a plain file; copy the model with its files, not with links."
        elif not ALLOWED.fullmatch(path.name):
            yield f"{path.name} is not a file that we load; only safetensors, JSON and tokenizer files may be there."


def _config_faults(path: Path) -> Iterator[str]:
    if path.name in {"tokenizer.json", "vocab.json", "added_tokens.json", MANIFEST}:
        return  # tables of tokens: a word of the vocabulary may well be called auto_map
    try:
        denied = sorted(set(_denied(_object(path))))
    except (ValueError, AttributeError, RecursionError):
        yield f"{path.name} is not a JSON object."
        return
    if denied:
        yield f"{path.name} asks for code or settings that we do not load: {', '.join(denied)}."


def _object(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text(encoding="utf-8")).items())


def _denied(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            odd = key in ATTENTION and (isinstance(inner, dict | list) or inner not in ATTENTION_VALUES)
            if odd or (key in DENIED and inner is not None):
                yield key
            yield from _denied(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _denied(inner)


LICENCE = re.compile(r"^license:[ \t]*[\"']?([A-Za-z0-9][A-Za-z0-9.-]{0,60})[\"']?[ \t]*$", re.MULTILINE)
LONGEST_CARD = 200_000  # bytes of a model card that are looked at


def licence(folder: Path) -> str:
    """The licence that a model's own card names in its first lines (`license:` between two `---`), else empty."""
    try:
        with (folder / "README.md").open("rb") as file:
            text = file.read(LONGEST_CARD).decode("utf-8", "replace")
    except OSError:
        return ""
    if not text.startswith("---"):
        return ""
    match = LICENCE.search(text.split("\n---", 1)[0])
    return match[1].lower() if match else ""


def check(folder: Path) -> None:
    """Raises: NotAModel: the folder holds what we do not load."""
    if wrong := list(faults(folder)):
        raise NotAModel(wrong)


def describe(folder: Path) -> Manifest:
    """What a folder holds right now, with the public name from its manifest, or the folder's own name without one."""
    model, revision = folder.name, ""
    if (folder / MANIFEST).is_file():
        stored = _object(folder / MANIFEST)
        model, revision = str(stored["model"]), str(stored["revision"])
    return Manifest(model, revision, hashes(folder))


def verify(folder: Path, files: Mapping[str, str]) -> Manifest:
    """Compare every file with what it should hash to, and hand back what was found.

    Raises:
        NotAModel: the folder holds what we do not load.
        Damaged: a file is missing, too many, or different.
    """
    check(folder)
    manifest = describe(folder)
    wrong = sorted(name for name in {*files, *manifest.files} if files.get(name) != manifest.files.get(name))
    if wrong:
        raise Damaged(f"{', '.join(wrong)}: not the file that was recorded.")
    return manifest


def stored(folder: Path) -> dict[str, str]:
    """The table of files in a folder's own manifest.

    Raises: Damaged: there is none, or it cannot be read.
    """
    try:
        files = _object(folder / MANIFEST)["files"]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise Damaged(f"{MANIFEST} is missing or cannot be read.") from error
    if not isinstance(files, dict):
        raise Damaged(f"{MANIFEST} is missing or cannot be read.")
    return {str(name): str(value) for name, value in files.items()}


def seal(folder: Path, model: str, revision: str, **facts: object) -> Manifest:
    """Write the manifest of a folder that is complete."""
    manifest = Manifest(model, revision, hashes(folder))
    body = {"format": 1, "model": model, "revision": revision, **facts, "files": dict(manifest.files)}
    (folder / MANIFEST).write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def publish(staging: Path, target: Path) -> None:
    """Put a finished folder in its place so that it is there whole, on the disk, or not at all.

    1. every file, then the folder, is synced; 2. the folder is renamed; 3. the parent is synced. A crash before 2
    leaves only staging, a crash after it leaves the whole folder.
    """
    for path in staging.iterdir():
        sync(path)
    sync(staging)
    staging.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Have the disk hold a file or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(folder: Path) -> None:
    """Remove a folder; one that is not there is fine."""
    shutil.rmtree(folder, ignore_errors=True)
