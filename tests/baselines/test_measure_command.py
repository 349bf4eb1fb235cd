"""`python -m app measure` as a process: what it prints, and with which status it ends."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from sqlalchemy import Engine

from app import measure_command
from app.__main__ import main as command_line
from app.baselines import store
from app.baselines.spending import Budget
from app.db import reading
from app.jobs import service as jobs
from app.jobs.tables import JobRow
from app.settings import Settings
from tests.support.depth import DEEP
from tests.support.factories import Make
from tests.support.measured import Case, a_case, clever
from tests.support.model_server import ModelServer, Raw, last_user, serving
from tests.support.places import ROOT
from tests.support.processes import Process, environment, until

DEV, TEST = 20, 20


def written(folder: Path, case: Case, **different: Any) -> Path:
    plan = {
        "assessment": case.assessment.id,
        "model": case.model.name,
        "instructions": "Give the label.",
        "arms": ["zero_shot", "few_shot_nearest"],
        "consent": True,
    }
    file = folder / "plan.json"
    file.write_text(json.dumps({**plan, **different}), encoding="utf-8")
    return file


def run(settings: Settings, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app", "measure", *map(str, arguments)]
    return subprocess.run(command, env=environment(settings), cwd=ROOT, capture_output=True, text=True, check=False)


def open_to_loopback(settings: Settings) -> Settings:
    return settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",), "endpoint_concurrency": 2})


def a_small_case(make: Make, engine: Engine, server: ModelServer) -> Case:
    return a_case(make, engine, server, train=30, dev=DEV, test=TEST)


def served(engine: Engine) -> bool:
    with reading(engine) as session:
        return {"cpu", "model"} <= jobs.served(session, 5.0)


@pytest.mark.worker
def test_a_plan_is_measured_and_printed_with_intervals_and_the_advice(
    make: Make,
    engine: Engine,
    settings: Settings,
    tmp_path: Path,
    worker: Callable[..., Process],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By a worker that is there; in the deep suite the command is a process of its own as well."""
    settings = open_to_loopback(settings)
    with serving(clever) as server:
        case = a_small_case(make, engine, server)
        worker(settings)
        until(lambda: served(engine))
        file = written(tmp_path, case)
        if DEEP:
            done = run(settings, file)
            status, out, error = done.returncode, done.stdout, done.stderr
        else:
            status = measure_command.main(settings, file, [])
            out, error = capsys.readouterr()
        asked = len(server.calls)

    assert (status, "Traceback" in error) == (0, False), error
    came = json.loads(out)
    assert came["status"] == "done"
    assert came["best_arm"] == "few_shot_nearest"
    assert came["calls"] == asked == 2 * DEV + TEST
    best = next(arm for arm in came["arms"] if arm["name"] == "few_shot_nearest")
    assert best["test"]["low"] < best["test"]["score"] < best["test"]["high"]
    assert came["advice"]["training"] != "ready"


@pytest.mark.deep
def test_a_budget_ends_it_cleanly_with_a_worker_of_its_own(
    make: Make, engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    settings = open_to_loopback(settings)
    with serving(clever, delay=0.1) as server:
        case = a_small_case(make, engine, server)

        done = run(settings, written(tmp_path, case), "--budget", "10", "calls")

        asked = len(server.calls)
    assert done.returncode == 2, done.stderr
    assert "more than the budget of 10" in done.stderr
    came = json.loads(done.stdout)
    assert came["status"] == "stopped"
    assert "budget of 10 calls" in came["reason"]
    assert came["page"] in done.stderr
    assert 10 <= came["calls"] <= asked < 2 * DEV + TEST


@pytest.mark.deep
def test_what_the_server_refused_is_said_with_its_words(
    make: Make, engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    """Rows with errors above the policy's share: no result, exit 2, and the sentence that the server gave for them."""
    refusal = Raw(b'{"error": {"message": "this text cannot be processed"}}', 400)
    settings = open_to_loopback(settings)
    with serving(lambda body: refusal if crc32(last_user(body).encode()) % 3 == 0 else clever(body)) as server:
        case = a_small_case(make, engine, server)
        done = run(settings, written(tmp_path, case))

    came = json.loads(done.stdout)
    assert (done.returncode, came["status"], came["best_arm"]) == (2, "failed", None)
    assert came["reason"].startswith("No variant can be evaluated")
    assert {one["arm"] for one in came["errors"]} == {"zero_shot", "few_shot_nearest"}
    assert "dev rows: The model server refused this row (status 400). this text cannot be processed" in done.stderr


def test_a_line_says_how_far_it_is_and_what_is_left_of_the_budget() -> None:
    spent = {"calls": 9, "tokens": 378, "money": None, "currency": "", "estimated": False, "taken": 0}
    job = JobRow(progress={"stage": "Zero-shot: 20 dev rows", "done": 69, "total": 388, "spent": spent})

    assert measure_command._how_far(JobRow(), Budget()) == "Waiting for a worker."
    assert measure_command._how_far(job, Budget()) == "69 of 388 answers (9 calls). Now: Zero-shot: 20 dev rows"
    said = measure_command._how_far(job, Budget(calls=15, tokens=1000))
    assert said == "69 of 388 answers (9 of 15 calls · 378 of 1,000 tokens). Now: Zero-shot: 20 dev rows"


def test_what_cannot_start_is_said_on_standard_error(
    make: Make, engine: Engine, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(clever) as server:
        case = a_small_case(make, engine, server)
    cases: list[tuple[dict[str, Any], list[tuple[str, str]], str]] = [
        ({"colour": "red"}, [], "colour"),
        ({"model": "No such"}, [], "There is no model 'No such'"),
        ({"consent": False}, [], "consent: Confirm that rows may be sent to 127.0.0.1"),
        ({"arms": ["magic"]}, [], "There is no variant 'magic'"),
        ({"by": "nobody@example.org"}, [], "Nobody with an open account"),
        ({"assessment": 9_999}, [], "no such assessment"),
        ({"assessment": 10**30}, [], "assessment: Input should be less than"),
        ({"rows": {"dev": 10**12}}, [], "rows.dev: Input should be less than"),
        ({"instructions": "Give\x00"}, [], "instructions: String should match"),
        ({}, [("ten", "calls")], "--budget 500 calls"),
        ({}, [("2", "money")], "There is no price for Loopback"),
    ]
    for different, budget, reason in cases:
        status = measure_command.main(settings, written(tmp_path, case, **different), budget)
        out, error = capsys.readouterr()
        assert (status, out) == (1, "")
        assert reason.lower() in error.lower()
    assert measure_command.main(settings, tmp_path / "absent.json", []) == 1
    with pytest.raises(SystemExit) as ended:  # 2 would say that it began
        command_line(["measure", "plan.json", "--budget", "10 calls"])
    assert ended.value.code == 1
    with reading(engine) as session:
        assert store.current(session, case.assessment.id) is None
