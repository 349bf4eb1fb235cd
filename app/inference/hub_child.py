"""Fetch a model's folder from a hub: `python -m app.inference.hub_child NAME TO`. Only where the operator allows it.

Files that we would not load are not fetched. The folder is checked and hashed by whoever started this, before anything
opens it.
"""

import os
import sys
from pathlib import Path

# The processes that hold torch are kept off the network; this one exists to use it.
os.environ["HF_HUB_OFFLINE"] = "0"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from app.inference import folders
from app.processes import parent

WANTED = [
    "config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer*.json",
    "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
    "chat_template.jinja", "LICENSE*", "README.md",
]  # fmt: skip


def fetch(name: str, target: Path) -> None:
    """Put the files of a hub's model into `target`, which appears whole or not at all."""
    from huggingface_hub import snapshot_download

    staging = target.with_name(f".{target.name}.part")
    staging.mkdir(parents=True, exist_ok=True)
    snapshot_download(name, local_dir=staging, allow_patterns=WANTED)
    folders.discard(staging / ".cache")
    folders.publish(staging, target)


def main(argv: list[str]) -> int:
    """Fetch `argv[0]` into the folder `argv[1]`; the exit code for whoever started it."""
    name, target = argv
    parent.say("fetch", text=f"Fetching {name} from the hub.")
    try:
        fetch(name, Path(target))
    except Exception as error:  # noqa: BLE001 - whatever the library raises has to become a sentence
        parent.say(
            "failed",
            text=f"{name} could not be fetched from the hub: {type(error).__name__}. Check the name and the network.",
        )
        sys.stderr.write(f"{error}\n")
        return 4
    return 0


if __name__ == "__main__":
    parent.follow_lifeline()
    sys.exit(main(sys.argv[1:]))
