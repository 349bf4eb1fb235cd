"""The process that merges: `python -m app.merged.child`, one order as a JSON line in, events out.

Base and adapter are added in 32 bits and rounded once, to the precision that is asked for. Files beside the weights are
those of the base model, byte for byte.
"""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from app.inference import folders, loading
from app.merged import plan
from app.merged.protocol import Merged, MergeOrder
from app.processes import parent

import torch  # isort: skip  (after loading, which makes it stay offline)

TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
SHARD = "5GB"  # of a file of weights, as hubs have them
LIBRARIES = ("torch", "transformers", "peft", "safetensors")
NOT_KEPT = {"config.json", "generation_config.json", "MANIFEST.json", "README.md", ".gitattributes"}


def merge(order: MergeOrder, threads: int) -> None:
    """Put the merged model into `target`; where a GGUF is asked for, that file beside it, read back and compared."""
    base, target = Path(order["base"]), Path(order["target"])
    loading.compute_with(threads)
    parent.say("stage", text="Loading base model and adapter")
    dtype = "float32" if order["form"] == "float32" else plan.DTYPES.get(plan.stored(base).dtype, "float32")
    loaded = loading.adapted(loading.load(base, order["files"], "float32"), Path(order["adapter"]))
    parent.say("stage", text="Merging")
    with loading.quiet():
        model = loaded.model.merge_and_unload(safe_merge=True)  # refuses numbers that are not finite
    model.to(TYPES[dtype]).save_pretrained(target, max_shard_size=SHARD)
    for path in sorted(base.iterdir()):
        if path.name not in NOT_KEPT and not path.name.startswith("model"):
            shutil.copyfile(path, target / path.name)
    folders.check(target)
    del model, loaded
    facts: Merged = {"dtype": dtype, "libraries": {name: version(name) for name in LIBRARIES}}
    if order["form"] == "gguf":
        facts["gguf"] = _as_gguf(target, Path(order["gguf"]), order)
    parent.say("done", facts=facts)


def _as_gguf(folder: Path, written: Path, order: MergeOrder) -> str:
    from app.merged import gguf_file

    parent.say("stage", text="Writing GGUF")
    gguf_file.write(folder, written, order["name"], order["licence"])
    parent.say("stage", text="Reading the GGUF back")
    if wrong := list(gguf_file.differences(folder, written, order["texts"])):
        raise ValueError(wrong[0])
    return version("gguf")


def main() -> int:
    """Merge as told, and put what a person can do something about into words."""
    parent.give_way()
    order = json.loads(sys.stdin.readline())
    parent.end_with_parent()
    try:
        merge(order, int(order["threads"]))
    except (folders.NotAModel, folders.Damaged, ValueError) as error:
        parent.say("failed", text=str(error))
        return 4
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        parent.say("failed", text="Merging ran out of memory.")
        return 6
    except OSError as error:
        parent.say("failed", text=f"The merged model could not be written: {error.strerror}.")
        return 9
    return 0


if __name__ == "__main__":
    sys.exit(main())
