"""Adapters written into their base models: the weights, what they answer, the GGUF, the file, and its end."""

import importlib.util
import io
import json
import shutil
import threading
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update

from app.blobs import Blobs
from app.db import reading, utcnow, writing
from app.inference import service as models
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.merged import check, job, plan, service, store
from app.settings import Settings
from app.training.tables import TrainingRow
from app.users.tables import UserRow
from tests.support.factories import Make

pytestmark = pytest.mark.torch
HELD = importlib.util.find_spec("bitsandbytes") is not None


@pytest.fixture
def done(
    client: TestClient, engine: Engine, settings: Settings, make: Make, queue: job_engine.Client
) -> Callable[[str], dict[str, Any]]:
    """Orders a form over the API and has it made."""

    def make_it(form: str) -> dict[str, Any]:
        sent = client.post("/api/v1/trainings/1/merged-models", json={"form": form})
        assert sent.status_code == 202, sent.text
        ordered = sent.json()
        with writing(engine) as session:
            stored = job_store.get(session, ordered["job_id"])
            stored.status, stored.attempt = Status.RUNNING, 1
        job.merge(
            Claim(
                job_id=stored.id, subject_id=ordered["id"], attempt=1, engine=engine, settings=settings,
                blobs=make.blobs, queue=queue, stopping=threading.Event(),
            )
        )  # fmt: skip
        with writing(engine) as session:
            job_store.get(session, stored.id).status = Status.DONE
        made: dict[str, Any] = client.get(f"/api/v1/merged-models/{ordered['id']}").json()
        return made

    return make_it


def unpacked(client: TestClient, merged_id: int) -> dict[str, bytes]:
    content = client.get(f"/api/v1/merged-models/{merged_id}/file").content
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def front(files: dict[str, bytes]) -> dict[str, Any]:
    _, head, _ = files["README.md"].decode().split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(head)
    return found


@pytest.mark.skipif(HELD, reason="bitsandbytes is installed")
def test_a_base_in_4_bits_is_not_compared_in_16_instead(client: TestClient, engine: Engine, here: Path) -> None:
    with writing(engine) as session:
        session.execute(update(ModelRow).values(bits=4))
    refused = client.post("/api/v1/trainings/1/merged-models", json={"form": "base"})

    assert refused.status_code == 409
    assert models.NO_4_BITS in refused.json()["detail"]
    assert models.NO_4_BITS in client.get("/trainings/1/merged").text


@pytest.mark.deep
@pytest.mark.skipif(not HELD, reason="bitsandbytes is not installed (the extra qlora)")
def test_with_a_base_in_4_bits_it_is_compared_with_that(
    done: Callable[[str], dict[str, Any]], client: TestClient, engine: Engine, here: Path
) -> None:
    with writing(engine) as session:
        session.execute(update(ModelRow).values(bits=4))
    made = done("base")

    assert made["rows"] == 10
    assert "held in 4 bits" in unpacked(client, made["id"])["README.md"].decode()


@pytest.mark.long("merges, loads the tiny model three times and asks it twice")
def test_a_merged_model_answers_as_base_and_adapter_and_leaves_whole(
    done: Callable[[str], dict[str, Any]], client: TestClient, settings: Settings, here: Path
) -> None:
    made = done("base")
    files = unpacked(client, made["id"])
    page = client.get("/trainings/1/merged").text
    part = client.get(f"/merged-models/{made['id']}/merged.zip", headers={"Range": "bytes=0-3"})

    assert (made["done"], made["dtype"], made["rows"], made["identical"]) == (True, "float32", 10, 10)
    assert "10 of 10 dev rows got the same text" in page
    assert {"model.safetensors", "tokenizer.json", "config.json", "README.md", "evaluation.json"} <= files.keys()
    written = files.pop("SHA256SUMS").decode().splitlines()
    assert written == [f"{sha256(files[name]).hexdigest()}  {name}" for name in sorted(files)]
    card = front(files)
    assert (card["library_name"], card["base_model_relation"]) == ("transformers", "finetune")
    assert "10 of 10 dev rows" in files["README.md"].decode()
    assert (part.status_code, part.content) == (206, b"PK\x03\x04")
    assert sorted(path.name for path in service.folder(settings).iterdir()) == [f"{made['id']}.zip"]


@pytest.mark.deep
def test_the_gguf_is_the_same_model(
    done: Callable[[str], dict[str, Any]], client: TestClient, here: Path, tmp_path: Path
) -> None:
    import gguf

    made = done("gguf")
    files = unpacked(client, made["id"])
    (tmp_path / "model.gguf").write_bytes(files["model.gguf"])
    read = gguf.GGUFReader(tmp_path / "model.gguf")

    assert made["identical"] == made["rows"] == 10
    assert set(files) >= {"model.gguf", "Modelfile", "README.md", "SHA256SUMS"}
    assert not any(name.endswith(".safetensors") for name in files)
    assert files["Modelfile"].startswith(b"FROM ./model.gguf\n")
    assert read.get_field("general.architecture").contents() == "llama"
    assert read.get_field("tokenizer.ggml.pre").contents() == "gpt-2"
    assert "assistant" in read.get_field("tokenizer.chat_template").contents()
    assert len(read.tensors) == 2 * 9 + 2  # two layers of nine; the embedding, which is the head too, and the last norm


def test_a_file_that_does_not_come_back_the_same_is_found_out(
    torch_here: None, real: tuple[Path, Path], tmp_path: Path
) -> None:
    from app.merged import gguf_file

    other = Path(shutil.copytree(real[0], tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"num_key_value_heads": 4, "num_attention_heads": 4}))
    gguf_file.write(real[0], tmp_path / "model.gguf", "tiny", "")
    same = list(
        gguf_file.differences(real[0], tmp_path / "model.gguf", ["<|im_start|>user\nalpha 12, beta!<|im_end|>"])
    )
    tensors = [name for name, _ in gguf_file._weights(real[0], config)]

    assert same == []
    assert len(tensors) == 20
    from safetensors.torch import load_file, save_file

    weights = load_file(real[0] / "model.safetensors")
    name = next(name for name in weights if name.endswith("q_proj.weight"))
    save_file({**weights, name: weights[name].roll(1, 0)}, other / "model.safetensors", metadata={"format": "pt"})
    (other / "config.json").write_text(json.dumps(config))
    assert list(gguf_file.differences(other, tmp_path / "model.gguf", [])) == [
        f"The weight {name} is not the same when it is read back."
    ]


def test_what_cannot_be_made_is_said_before(client: TestClient, engine: Engine, here: Path, settings: Settings) -> None:
    forms = {form["form"]: form for form in client.get("/api/v1/trainings/1/merged-models").json()["forms"]}
    page = client.get("/trainings/1/merged").text

    assert forms["base"]["against"] == ""
    assert forms["base"]["bytes"] == plan.stored(here).bytes + plan.BESIDE
    assert "own precision is this already" in forms["float32"]["against"]
    assert "of memory" in page
    assert client.post("/trainings/1/merged", data={"form": "float32"}).status_code == 409
    assert client.post("/trainings/1/merged", data={"form": "zip"}).status_code == 404
    (here / "config.json").unlink()
    assert "are gone" in client.get("/trainings/1/merged").text
    assert client.post("/api/v1/trainings/1/merged-models", json={"form": "base"}).status_code == 409


def test_one_form_is_made_once_and_removed_by_whom_it_belongs_to(
    client: TestClient,
    engine: Engine,
    settings: Settings,
    make: Make,
    people: Callable[[UserRow], TestClient],
    here: Path,
) -> None:
    ordered = client.post("/api/v1/trainings/1/merged-models", json={"form": "base"}).json()
    again = client.post("/api/v1/trainings/1/merged-models", json={"form": "base"})
    early = client.delete(f"/api/v1/merged-models/{ordered['id']}")
    facts = check.Facts("float32", "float32", 10, 9, 0.5, 0.4, "", {})
    with writing(engine) as session:
        row = store.get(session, ordered["id"])
        path = service.file_of(settings, row)
        path.parent.mkdir()
        path.write_bytes(b"a zip")
        row.done_at, row.sha256, row.bytes, row.facts = utcnow(), "0" * 64, 5, facts.to_json()
        job_store.get(session, row.job_id or 0).status = Status.DONE
    other = people(make.user(name="Otto", email="otto@example.org"))
    refused, shown = other.delete(f"/api/v1/merged-models/{ordered['id']}"), other.get("/trainings/1/merged").text
    removed = people(make.admin()).post(f"/merged-models/{ordered['id']}/remove", follow_redirects=False)

    assert (again.status_code, early.status_code, refused.status_code, removed.status_code) == (409, 409, 403, 303)
    assert "near-tied token" in shown
    assert "Remove<span" not in shown
    assert not path.exists()
    assert client.get(f"/api/v1/merged-models/{ordered['id']}/file").status_code == 404
    assert "removed" in client.get("/trainings/1/merged").text
    assert client.post("/api/v1/trainings/1/merged-models", json={"form": "base"}).status_code == 202


def test_an_adapter_that_was_changed_on_the_disk_is_not_merged(
    done: Callable[[str], dict[str, Any]], engine: Engine, blobs: Blobs, here: Path
) -> None:
    with reading(engine) as session:
        path = blobs.path(str(session.get_one(TrainingRow, 1).adapter_sha256))
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(Exception, match="was changed on the disk"):
        done("base")
