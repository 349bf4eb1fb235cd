"""What others on the machine, in the database or in a file could read or run, and can't."""

import base64
import csv
import io
import json
import os
import pickle
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app import secret
from app.chat import Message, Record
from app.datasets.checks.row_warnings import remarks
from app.db import make_engine, reading, utcnow, writing
from app.economics import prices
from app.economics.prices import Price
from app.exchange import tables_of_answers
from app.exchange.values import ExportedAnswer
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store
from app.processes import children
from app.settings import Settings
from app.text import cell, printable, uncell
from tests.support.factories import Make
from tests.support.places import ROOT
from tests.support.processes import Process, environment, until


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


# ---------------------------------------------------------------- pickles


@pytest.mark.worker
@pytest.mark.long("starts a real worker, on both databases")
def test_a_pickled_row_runs_nothing_and_stops_no_other_job(either: Settings, tmp_path: Path) -> None:
    marker, engine = tmp_path / "ran", make_engine(either.url)
    pickled = base64.b64encode(pickle.dumps({"args": (Bomb(marker),), "kwargs": {}})).decode()
    queue, author = job_engine.Client(either.url), Make(engine, either).author()
    ids = []
    for subject in (998, 999):
        with writing(engine) as session:
            jobs.bind(session, queue)
            ids.append(jobs.add(session, "check", subject, author.id, title="Count", queue="cpu").id)
    with writing(engine) as session:
        row = {"id": job_engine.workflow_id(ids[0]), "pickled": pickled}
        status, given = (f"{schema_of(engine)}{table}" for table in ("workflow_status", "workflow_input"))
        session.execute(text(f"update {status} set serialization='py_pickle' where workflow_uuid=:id"), row)  # noqa: S608
        session.execute(text(f"update {given} set inputs=:pickled where workflow_uuid=:id"), row)  # noqa: S608
    worker = Process(either, "worker", "--queues", "cpu")
    try:
        until(lambda: ended(engine, ids[1]))
        until(lambda: taken(engine, ids[0]))
    finally:
        worker.stop()
        queue.close()
        engine.dispose()

    assert not marker.exists()


def schema_of(engine: Engine) -> str:
    return "dbos." if engine.dialect.name == "postgresql" else ""


def ended(engine: Engine, job_id: int) -> bool:
    with reading(engine) as session:
        return store.get(session, job_id).final


def taken(engine: Engine, job_id: int) -> bool:
    with reading(engine) as session:
        query = text(f"select status from {schema_of(engine)}workflow_status where workflow_uuid=:id")  # noqa: S608
        return session.execute(query, {"id": job_engine.workflow_id(job_id)}).scalar() != "ENQUEUED"


def test_web_and_worker_read_no_pickle(tmp_path: Path) -> None:
    """Both import the engine's module, and from then on nothing in the process unpickles for it."""
    from dbos._serialization import DBOSDefaultSerializer, deserialize_value

    pickled = base64.b64encode(pickle.dumps(Bomb(tmp_path / "ran"))).decode()

    with pytest.raises(TypeError, match="never read"):
        deserialize_value(pickled, "py_pickle", DBOSDefaultSerializer)
    with pytest.raises(TypeError, match="never read"):
        deserialize_value(pickled, None, DBOSDefaultSerializer)
    assert not (tmp_path / "ran").exists()


# ---------------------------------------------------------------- files


def open_to_others(folder: Path) -> Iterator[str]:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"{path.relative_to(folder)} {path.stat().st_mode:o}"


def run(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app", *arguments]
    return subprocess.run(
        command, env=environment(settings), cwd=ROOT, check=False, capture_output=True, text=True, umask=0o022
    )


def test_what_is_made_is_for_this_account_alone(settings: Settings, tmp_path: Path) -> None:
    fresh = settings.model_copy(update={"data": tmp_path / "fresh"})

    done = run(fresh, "migrate")

    assert done.returncode == 0, done.stderr
    assert list(open_to_others(fresh.data)) == []


def test_an_older_folder_is_closed_at_the_next_start(settings: Settings) -> None:
    settings.data.chmod(0o755)

    run(settings, "setup-code")

    assert settings.data.stat().st_mode & 0o777 == 0o700


def test_a_blob_is_for_its_owner_alone(settings: Settings) -> None:
    from app.blobs import Blobs

    blobs = Blobs(settings.blobs_dir)

    assert blobs.path(blobs.put_bytes(b"x").sha256).stat().st_mode & 0o777 == 0o400


def test_doctor_looks_who_else_can_read(settings: Settings) -> None:
    settings.data.chmod(0o700)
    secret.key(settings)
    assert secret.open_to_others(settings) == ""

    settings.key_file.chmod(0o640)
    assert "chmod 600" in secret.open_to_others(settings)
    settings.data.chmod(0o750)
    said = run(settings, "doctor")

    assert "chmod 700" in said.stdout
    assert said.returncode == 2


# ---------------------------------------------------------------- children


def test_a_child_gets_no_key_and_no_address_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ("TUNEGATE_DATABASE_URL", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "HF_TOKEN", "SOMETHING")
    for name in ours:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with tempfile.TemporaryFile() as log:
        prints = ("-n1", "-r1", "-s", "import os, json; print(json.dumps(sorted(os.environ)))", "pass")
        child = children.start("timeit", *prints, threads=1, log=log)
        said = b"".join(child.chunks())
        child.close()
    seen = set(json.loads(said.splitlines()[0]))

    assert not seen & set(ours)
    assert {"CUDA_VISIBLE_DEVICES", "PATH", "OMP_NUM_THREADS", "HF_HUB_OFFLINE"} <= seen
    assert "HF_TOKEN" in children.environment(children.TO_A_HUB, (), {})


# ---------------------------------------------------------------- terminals and spreadsheets


def test_a_case_file_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    case = tmp_path / "case.json"
    case.write_text(json.dumps({"answers": {"\x1b]0;owned\x07\x1b[2J": "x", "metric\x9b2J": 1}}))

    done = subprocess.run(
        [sys.executable, "-m", "app", "advise", str(case)], cwd=ROOT, check=False, capture_output=True
    )

    assert done.returncode == 1
    assert b"\x1b" not in done.stderr
    assert b"\\x1b" in done.stderr


def test_ordinary_text_is_printed_as_it_is() -> None:
    assert printable("Füße\tund 日本語 🙂\nnext line") == "Füße\tund 日本語 🙂\nnext line"
    assert printable("a\x1b[31m\u202eb\x00\x9b") == "a\\x1b[31m\\u202eb\\x00\\x9b"


FORMULAS = ("=1+1", " =1+1", "\u00a0=1", "+1", "-1", "@SUM(A1)", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20A1")
INSIDE = ("x;=1+1", "x; =cmd|' /C calc'!A0", "x\n=1", 'x;"=1"', "x;\uff1d1", "x;+cmd|'x'!A0", "x;-1")


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_run_by_a_spreadsheet(formula: str) -> None:
    price = prices.to_csv([Price(f"a{formula}", "input_tokens", 1, "EUR", utcnow().date(), formula)]).decode(
        "utf-8-sig"
    )

    assert cell(formula) == f"'{formula}"
    assert uncell(cell(formula)) == formula
    assert list(csv.reader(io.StringIO(price)))[1][-1] == f"'{formula}"


@pytest.mark.parametrize("text_inside", INSIDE)
def test_no_cell_begins_where_another_sign_parts_them(text_inside: str) -> None:
    safe = cell(text_inside)

    assert all(part.lstrip(' "')[:1] == "'" for part in safe.replace("\n", ";").split(";")[1:])
    assert uncell(safe) == text_inside


@pytest.mark.parametrize("plain", ["", "refund", "a = b", "x; y", "a\n- milk\n- bread", "1;2", "don't", "it's; so"])
def test_what_is_no_formula_stays(plain: str) -> None:
    assert cell(plain) == plain


def test_every_file_for_spreadsheets_and_every_warning_goes_by_the_same_rule() -> None:
    row = Record(1, (Message("user", "q"),), "\uff1d1+1")
    given: dict[str, Any] = dict.fromkeys(tables_of_answers.COLUMNS, "")
    line = ExportedAnswer(**given | {"question": " =1", "target": "x;=1", "output": "\uff1dx"})

    answers = b"".join(tables_of_answers.rows([line])).decode()

    assert ["spreadsheet formula" in fault.text for fault in remarks(row, table=True)] == [True]
    assert "' =1" in answers
    assert "x;'=1" in answers
    assert "'\uff1dx" in answers
