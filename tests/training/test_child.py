"""The trainer as a process: what lets it start, what stops it, and that stopping costs nothing."""

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from app.processes import parent
from app.training.protocol import SPEC, Exit
from tests.support.depth import depth, sampled
from tests.support.trainer import Child, Run, build

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Run, Child]:
    """A run that nobody interrupted; whoever goes on with it takes a copy."""
    made = build(tmp_path_factory.mktemp("finished"), tiny_model)
    child = made.train()
    assert child.code == Exit.DONE, child.output
    return made, child


@pytest.fixture(scope="module")
def undisturbed(finished: tuple[Run, Child]) -> str:
    """Hash of the adapter of a run that nobody interrupts."""
    return finished[0].adapter


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Run:
    """The same run, killed after its checkpoint of step 6; whoever goes on with it takes a copy."""
    made = build(tmp_path_factory.mktemp("killed"), tiny_model)
    _stop_after(made, 6)
    return made


def test_a_run_ends_with_the_best_adapter_in_peft_layout(finished: tuple[Run, Child]) -> None:
    run, child = finished

    (done,) = child.events("done")
    losses = {dev["step"]: dev["loss"] for dev in child.events("dev")}
    config = json.loads((run.folder / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert losses[done["best_step"]] == min(losses.values()) < losses[0]
    assert [step["step"] for step in child.events("step")] == list(range(1, 13))
    assert config["base_model_name_or_path"] == "someone/tiny"
    assert str(run.model) not in json.dumps(config)


def test_the_same_seed_makes_the_same_adapter(run: Run, undisturbed: str) -> None:
    assert run.train().code == Exit.DONE

    assert run.adapter == undisturbed


def test_nothing_starts_without_a_launch_token(tmp_path: Path) -> None:
    """As a command, the way somebody at a shell would try it."""
    (tmp_path / SPEC).write_text("{}", encoding="utf-8")

    ended = subprocess.run(
        [sys.executable, "-m", "app.training.child", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"TUNEGATE_DATA": str(tmp_path)},
    )

    assert ended.returncode == Exit.NO_TOKEN
    assert "No valid launch token" in ended.stdout


@pytest.mark.parametrize(
    "changes",
    [{"token": ""}, {"attempt": 2}, {"job_id": 8}, {"digest": "0" * 64}],
    ids=["none", "of another attempt", "of another job", "of another subject"],
)
def test_a_token_is_for_one_attempt_at_one_job(run: Any, changes: dict[str, Any]) -> None:
    run.order(tampered=changes)
    child = run.start()

    assert child.wait() == Exit.NO_TOKEN
    assert not list(run.folder.glob("*.jsonl"))


@pytest.mark.parametrize("wrong", [{"key": b"another key entirely"}, {"life": -1}], ids=["forged", "expired"])
def test_a_token_that_is_forged_or_old_is_none(run: Any, wrong: dict[str, Any]) -> None:
    made = dataclasses.replace(run, **wrong)
    made.order()
    child = made.start()

    assert child.wait() == Exit.NO_TOKEN


def test_a_changed_subject_is_refused(run: Any) -> None:
    run.order()
    spec = json.loads((run.folder / SPEC).read_text(encoding="utf-8"))
    spec["subject"] = spec["subject"].replace('"epochs":2', '"epochs":9')
    (run.folder / SPEC).write_text(json.dumps(spec), encoding="utf-8")
    child = run.start()

    assert child.wait() == Exit.REFUSED
    assert not child.events("step")


def test_changed_rows_are_refused(run: Any) -> None:
    run.order()
    run.rows.write_bytes(run.rows.read_bytes().replace(b"alpha", b"omega", 1))
    child = run.start()

    assert child.wait() == Exit.REFUSED
    assert not (run.folder / "rows.jsonl").exists()
    assert "changed after they were approved" in child.events("ended")[0]["text"]


def test_rows_behind_a_link_are_refused(run: Any) -> None:
    run.order()
    moved = run.rows.rename(run.rows.with_suffix(".moved"))
    run.rows.symlink_to(moved)
    child = run.start()

    assert child.wait() == Exit.REFUSED


def test_a_changed_base_model_is_refused(run: Any, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    for path in run.model.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    run.model = copied
    run.order()
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    child = run.start()

    assert child.wait() == Exit.REFUSED
    assert "model.safetensors" in child.events("ended")[0]["text"]


def test_killed_at_any_moment_it_goes_on_to_the_same_adapter(another: Callable[..., Any]) -> None:
    """Each attempt is killed a few lines after its start, at no particular place: in a step, a dev check, a commit."""
    epochs, kills = depth(3, 6), depth(2, 12)
    whole, cut = another(epochs=epochs), another(epochs=epochs)
    assert whole.train().code == Exit.DONE
    chance = random.Random(11)
    killed = 0
    for attempt in range(1, 100):
        cut.order(attempt)
        child = cut.start()
        if killed < kills:
            child.lines(chance.randint(1, 6))
            time.sleep(chance.uniform(0, 0.03))
            os.kill(child.pid, signal.SIGKILL)
        code = child.wait()
        killed += code == -signal.SIGKILL
        if code == Exit.DONE:
            break
        assert code == -signal.SIGKILL, child.output

    assert killed >= depth(1, 3)  # it may be through before a busy machine lets us kill it
    assert cut.adapter == whole.adapter


@pytest.mark.parametrize("how", sampled(["the worker dies", "SIGTERM", "cancel"], every=3))
def test_asked_to_stop_it_keeps_the_step_it_was_at(another: Callable[..., Any], how: str) -> None:
    made = another(epochs=20)
    made.order()
    child = made.start()
    child.until("step")
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == parent.NICENESS, "the web and the worker come first"
    if how == "the worker dies":
        child.hang_up()
    elif how == "SIGTERM":
        os.kill(child.pid, signal.SIGTERM)
    else:
        child.tell(b'{"do": "cancel"}\n')

    assert child.wait() == Exit.STOPPED
    last = child.events("step")[-1]["step"]
    assert last < 120
    assert child.events("checkpoint")[-1]["step"] == last
    made.order(2)
    resumed = made.start()
    assert resumed.until("started")["step"] == last
    resumed.hang_up()
    resumed.wait()


@pytest.mark.deep
def test_dropout_resumes_bit_by_bit_too(another: Callable[..., Any]) -> None:
    whole, cut = another(dropout=0.3), another(dropout=0.3)
    whole.train()
    cut.order()
    child = cut.start()
    child.until("step")
    child.hang_up()
    child.wait()

    cut.train(attempt=2)

    assert cut.adapter == whole.adapter


def damage_truncate(folder: Path) -> None:
    path = folder / "masters.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def damage_bit(folder: Path) -> None:
    data = bytearray((folder / "optimizer.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "optimizer.safetensors").write_bytes(data)


def damage_missing(folder: Path) -> None:
    (folder / "optimizer.safetensors").unlink()


def damage_zero(folder: Path) -> None:
    (folder / "MANIFEST.json").write_bytes(b"")


def damage_planted(folder: Path) -> None:
    (folder / "optimizer.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")


def damage_step(folder: Path) -> None:
    path = folder / "MANIFEST.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"step": 6', '"step": 5'), encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    sampled([damage_truncate, damage_bit, damage_missing, damage_planted, damage_zero, damage_step], every=3),
)
def test_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path, killed: Run, undisturbed: str, damage: Callable[[Path], None]
) -> None:
    made = killed.copy(tmp_path)
    newest = max((made.folder / "checkpoints").iterdir())
    damage(newest)

    child = made.train(attempt=2)

    assert child.code == Exit.DONE, child.output
    assert newest.name in child.events("log")[0]["line"]
    assert child.events("started")[0]["step"] < 6
    assert made.adapter == undisturbed


def test_with_every_checkpoint_damaged_it_starts_anew(tmp_path: Path, killed: Run, undisturbed: str) -> None:
    made = killed.copy(tmp_path)
    for folder in (made.folder / "checkpoints").iterdir():
        damage_bit(folder)

    child = made.train(attempt=2)

    assert child.events("started")[0]["step"] == 0
    assert made.adapter == undisturbed


def test_a_checkpoint_of_another_subject_is_not_read(another: Callable[..., Any], killed: Run) -> None:
    second = another(seed=2)
    shutil.copytree(killed.folder / "checkpoints", second.folder / "checkpoints")

    child = second.train()

    assert "belongs to another subject" in child.events("log")[0]["line"]
    assert child.events("started")[0]["step"] == 0


def test_training_stops_at_the_first_number_that_is_none(another: Callable[..., Any], tmp_path: Path) -> None:
    """Weights of the base that hold one NaN, approved as they are: the loss of the first step shows it."""
    made = another()
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in made.model.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    tensors = load_file(broken / "model.safetensors")
    name = next(name for name in tensors if "layernorm" in name)
    tensors[name] = tensors[name] * float("nan")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    made.model = broken

    child = made.train()

    assert child.code == Exit.DIVERGED
    assert "step 1 is not a number" in child.events("ended")[0]["text"]
    assert not (made.folder / "adapter").exists()


def test_it_stops_when_dev_loss_no_longer_falls(another: Callable[..., Any]) -> None:
    made = another(epochs=20, patience=2, learning_rate=1e-2)

    child = made.train()

    assert child.code == Exit.DONE
    assert child.events("step")[-1]["step"] < 120
    assert "stopping early" in child.events("log")[-1]["line"]


def test_only_the_best_and_the_newest_checkpoints_stay(finished: tuple[Run, Child]) -> None:
    run, child = finished

    kept = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    best = child.events("done")[0]["best_step"]
    assert len(kept) <= 3
    assert any(name.startswith(f"step-{best:08d}") for name in kept)
    assert not list((run.folder / "staging").iterdir())


def test_a_finished_run_is_not_trained_again(tmp_path: Path, finished: tuple[Run, Child]) -> None:
    run, first = finished

    second = run.copy(tmp_path).train(attempt=2)

    assert second.events("done")[0]["best_step"] == first.events("done")[0]["best_step"]
    assert not second.events("step")


def _stop_after(made: Any, step: int) -> None:
    """Train to the dev check at `step` and kill it there."""
    made.order()
    child = made.start()
    while not any(event["step"] == step for event in child.events("checkpoint")):
        assert child.hear(), child.output
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    for folder in (made.folder / "checkpoints").iterdir():
        if int(folder.name.split("-")[1]) > step:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
