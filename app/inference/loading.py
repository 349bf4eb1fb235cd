"""Load a local model, offline, after its files have been looked at. Only child processes import this file."""

import importlib.util
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.update(
    HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", HF_HUB_DISABLE_PROGRESS_BARS="1"
)

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from app.inference import attention as attentions
from app.inference import devices, folders, tokens
from app.inference.devices import Device

disable_progress_bar()

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WORTH = 1.15  # bfloat16 has to be this much quicker before we give up the digits


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to run. context: tokens that prompt and answer may have together. device: what it computes on.
    bits: of a number in its layers' matrices, 16 where they are as in the files (whatever the precision), or 4."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    dtype: str
    context: int
    manifest: folders.Manifest
    device: Device = devices.CPU
    bits: int = 16

    @property
    def stops(self) -> frozenset[int]:
        """Token ids that end an answer."""
        named = getattr(self.model.generation_config, "eos_token_id", None)
        ids = named if isinstance(named, list) else [named]
        return frozenset(token for token in [*ids, self.tokenizer.eos_token_id] if token is not None)

    @property
    def plain_cache(self) -> bool:
        """Whether every layer looks at all tokens before it, so that a shared beginning may be computed once."""
        config = self.model.config
        kinds = getattr(config, "layer_types", None) or ["full_attention"]
        return set(kinds) == {"full_attention"} and not getattr(config, "sliding_window", None)


def compute_with(threads: int) -> None:
    """Let torch use so many threads, at least one."""
    torch.set_num_threads(max(1, threads))


def load(
    folder: Path,
    files: Mapping[str, str] | None,
    dtype: str,
    attention: str = "",
    device: str = "cpu",
    *,
    longest: int = 0,
    trained: bool = False,
    whole: bool = True,
    bits: int | None = None,
) -> Loaded:
    """Load model and tokenizer of a folder, whose files must hash to `files` when those are given.

    attention: one by name, else `attention.choose` takes it for a model that is trained or not, and for the longest
    row. device: see `devices.choose`; every tensor that this process makes from then on lies there. whole: False
    leaves the weights in the host's memory, for a device that holds only a part of them. bits: 4 for the layers'
    matrices in 4 bits (NF4, its scales in 8 bits: Dettmers et al. 2023), computed with in `dtype`; None for as they
    are.

    Raises:
        folders.NotAModel, folders.Damaged: see there; nothing has been opened then.
        devices.NotThere: there is no such device, or it cannot hold a model in 4 bits.
    """
    chosen = devices.choose(device)
    if files:
        manifest = folders.verify(folder, files)
    else:
        folders.check(folder)
        manifest = folders.describe(folder)
    kind = precision(dtype, chosen)
    if chosen.accelerator:
        devices.compute_on(chosen)
    offline = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(folder, **offline)
    config = AutoConfig.from_pretrained(folder, **offline)
    kernel = attention or attentions.choose(config, chosen, kind, longest, trained=trained)
    how: dict[str, object] = {"quantization_config": nf4(kind, chosen), "device_map": {"": chosen.name}} if bits else {}
    with nullcontext() if whole else torch.device("cpu"):
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=DTYPES[kind], attn_implementation=kernel, use_safetensors=True, **how, **offline
        )
    model = (model.to(chosen.name) if whole and not bits else model).eval()
    window = int(getattr(model.config, "max_position_embeddings", 0) or 0)
    context = min(window or 2048, max(int(tokenizer.model_max_length), 1))
    return Loaded(model, tokenizer, kind, context, manifest, chosen, bits or 16)


def nf4(kind: str, device: Device) -> BitsAndBytesConfig:
    """How matrices are held in 4 bits. Raises: devices.NotThere: nothing here can."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise devices.NotThere(
            "This model is held in 4 bits by bitsandbytes, which is not installed here. Install bitsandbytes 0.50 or "
            "later (the extra qlora) beside the app, and restart."
        )
    if device.name == "mps":
        raise devices.NotThere("bitsandbytes holds models in 4 bits on CUDA, ROCm and CPU, and not on Apple's MPS.")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES[kind],
    )


def in_precision(model: PreTrainedModel, loaded: Loaded) -> PreTrainedModel:
    """A model with an adapter, all of it in the precision that was loaded; what is held in 4 bits stays so."""
    kind = DTYPES[loaded.dtype]
    if loaded.bits == 16:
        return model.to(kind)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(kind)
    return model


def stop_faults(loaded: Loaded) -> Iterator[str]:
    """Why this model would not stop after an answer, in words; a base model's folder may bring a chat template that
    it has never seen. A LoRA adapter leaves embeddings as they are, so training does not mend that."""
    end = tokens.ending(loaded.tokenizer)
    if end is None:
        return
    name = loaded.tokenizer.decode([end])
    if end not in loaded.stops:
        others = ", ".join(loaded.tokenizer.decode([stop]) for stop in sorted(loaded.stops))
        yield (
            f"The chat template ends an answer with {name}, but the model stops at {others}. This looks like a base "
            "model with the template of another: answers may go on to the limit. Use the model's instruct version."
        )
    weights = loaded.model.get_input_embeddings().weight
    like = (weights == weights[end]).all(dim=1)
    if int(like.sum()) > 1:
        yield (
            f"The model has never learned {name}, with which its chat template ends an answer: its embedding is that "
            "of tokens nobody uses. This looks like a base model: a tuned one would not stop. Use its instruct version."
        )


def adapted(loaded: Loaded, folder: Path) -> Loaded:
    """The same model with a LoRA adapter on it, in the model's own precision as in training."""
    from peft import PeftModel

    if faults := list(folders.adapter_faults(folder)):
        raise folders.NotAModel(faults)
    with quiet():
        model = PeftModel.from_pretrained(loaded.model, folder, autocast_adapter_dtype=False, local_files_only=True)
    return replace(loaded, model=in_precision(model, loaded).eval())


@contextmanager
def without_adapter(loaded: Loaded) -> Iterator[None]:
    """Have a model with an adapter answer as its base does, exactly: the adapter's layers step aside (peft's
    `disable_adapter`). One that has none is that already."""
    if not hasattr(loaded.model, "disable_adapter"):
        yield
        return
    with loaded.model.disable_adapter():
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Let peft call what transformers is about to rename; both are pinned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def precision(wanted: str, device: Device) -> str:
    """What to compute in; `auto` is an accelerator's own 16 bits where it has them (half the memory, and tensor cores),
    and on a CPU the quicker of the two."""
    if wanted != "auto":
        return wanted
    if device.accelerator:
        return "bfloat16" if device.bf16 else "float32"
    return quickest_dtype()


def quickest_dtype() -> str:
    """On a CPU: time one product of matrices of a small model's size in both precisions; a few milliseconds."""
    return "bfloat16" if _seconds(torch.float32) > WORTH * _seconds(torch.bfloat16) else "float32"


def _seconds(kind: torch.dtype) -> float:
    left, right = torch.ones(256, 576, dtype=kind), torch.ones(576, 1536, dtype=kind)
    with torch.inference_mode():
        left @ right  # the first one allocates and warms up
        best = float("inf")
        for _ in range(5):
            started = time.perf_counter()
            left @ right
            best = min(best, time.perf_counter() - started)
    return best
