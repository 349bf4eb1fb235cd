"""Preparing local models: what is hashed, and what is refused."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.db import reading, writing
from app.errors import Conflict, Invalid
from app.inference import connecting, folders, job, service, store
from app.inference.generator import Unusable
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim, Failed
from app.jobs.tables import Status
from app.settings import Settings
from tests.support.factories import Make


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the files of a model; nothing here loads them."""
    made = tmp_path / "tiny"
    made.mkdir()
    (made / "config.json").write_text('{"max_position_embeddings": 512}')
    (made / "tokenizer.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def claim_of(engine: Engine, settings: Settings, queue: job_engine.Client, model_id: int) -> Claim:
    with writing(engine) as session:
        row = job_store.latest(session, "convert", model_id)
        assert row is not None
        attempt = job_store.claim(session, row.id, "test", row.created_at)
        assert attempt is not None
        return Claim(
            job_id=row.id,
            subject_id=model_id,
            attempt=attempt,
            engine=engine,
            settings=settings,
            blobs=Blobs(settings.blobs_dir),
            queue=queue,
            stopping=threading.Event(),
        )


def over(engine: Engine, claim: Claim) -> None:
    with writing(engine) as session:
        job_store.get(session, claim.job_id).status = Status.DONE


def added(engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, place: Path | str) -> ModelRow:
    admin = make.admin()
    with writing(engine) as session:
        jobs.bind(session, queue)
        return connecting.add_folder(session, settings, by=admin, name="Tiny", path=str(place))


def test_a_folder_is_hashed_before_it_can_be_used(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, place: Path
) -> None:
    row = added(engine, settings, queue, make, place)
    with pytest.raises(Unusable, match="not set up"):
        service.generator(settings, row)

    job.convert(claim_of(engine, settings, queue, row.id))

    with reading(engine) as session:
        ready = store.get(session, row.id)
    assert ready.files == folders.hashes(place)
    assert ready.context_window == 512
    assert service.folder(settings, ready) == place


def test_files_that_changed_since_are_refused(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, place: Path
) -> None:
    row = added(engine, settings, queue, make, place)
    claim = claim_of(engine, settings, queue, row.id)
    job.convert(claim)
    over(engine, claim)
    (place / "model.safetensors").write_bytes(b"others!")

    author = make.author()
    with writing(engine) as session:
        jobs.bind(session, queue)
        connecting.prepare(session, row.id, author)
    with pytest.raises(Failed, match="not those that were recorded"):
        job.convert(claim_of(engine, settings, queue, row.id))

    with reading(engine) as session:
        assert store.get(session, row.id).files["model.safetensors"] != folders.sha256(place / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("modeling.py", "print(1)", "modeling.py is not a file that we load"),
        ("pytorch_model.bin", "x", "pytorch_model.bin is not a file that we load"),
        ("generation_config.json", '{"custom_generate": "x/y"}', "asks for code"),
    ],
)
def test_a_folder_with_code_is_refused_at_the_form(
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    make: Make,
    place: Path,
    name: str,
    content: str,
    reason: str,
) -> None:
    (place / name).write_text(content)

    with pytest.raises(Invalid) as refused:
        added(engine, settings, queue, make, place)

    assert reason in refused.value.errors[0].detail


def test_a_link_is_no_folder(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, place: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(place)

    with pytest.raises(Invalid, match="not added"):
        added(engine, settings, queue, make, link)


def test_the_bundled_model_without_its_file_says_what_to_install(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, tmp_path: Path
) -> None:
    author = make.author()
    with writing(engine) as session:
        jobs.bind(session, queue)
        row = service.bundled(session)
        connecting.prepare(session, row.id, author)
    nowhere = settings.model_copy(update={"assets": tmp_path / "nothing"})

    with pytest.raises(Failed, match="install the package"):
        job.convert(claim_of(engine, nowhere, queue, row.id))


def test_a_hub_name_is_fetched_only_where_the_operator_allows_it(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Invalid):
        added(engine, settings, queue, make, "team/model")
    allowed = settings.model_copy(update={"allow_hub": True})
    row = added(engine, allowed, queue, make, "team/model")
    assert service.hub_name(allowed, row) == "team/model"

    with pytest.raises(Failed, match="TUNEGATE_ALLOW_HUB"):
        job.convert(claim_of(engine, settings, queue, row.id))
    with hub({"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights", "x.py": b"1"}) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        monkeypatch.setenv("HF_HOME", str(settings.data / "hub-cache"))
        job.convert(claim_of(engine, allowed, queue, row.id))

    with reading(engine) as session:
        assert sorted(store.get(session, row.id).files) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_a_hub_that_is_not_there_is_said_in_a_sentence(
    engine: Engine, settings: Settings, queue: job_engine.Client, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = settings.model_copy(update={"allow_hub": True})
    row = added(engine, allowed, queue, make, "team/model")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(settings.data / "hub-cache"))

    with pytest.raises(Failed, match="could not be fetched from the hub"):
        job.convert(claim_of(engine, allowed, queue, row.id))


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[str]:
    """As much of a hub, on loopback, as fetching a folder needs."""
    commit = "a" * 40

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path.startswith("/api/models/team/model"):
                if "/tree/" in path:
                    listed = [
                        {"type": "file", "path": name, "size": len(text), "oid": "b" * 40}
                        for name, text in files.items()
                    ]
                    return self.send(json.dumps(listed).encode())
                siblings = [{"rfilename": name} for name in files]
                return self.send(json.dumps({"id": "team/model", "sha": commit, "siblings": siblings}).encode())
            name = path.rpartition("/")[2]
            return self.send(files[name]) if name in files else self.send(b"", 404)

        def send(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", commit)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_needs_no_preparation(session: Session, make: Make) -> None:
    row = make.model(kind="endpoint", base_url="https://models.example.org/v1", reference="m", files={})
    author = make.author()

    with pytest.raises(Conflict, match="test the connection instead"):
        connecting.prepare(session, row.id, author)
