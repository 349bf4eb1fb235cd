"""Several processes that train one adapter: it is that of one process, whoever of them is lost on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.db import reading
from app.errors import Invalid
from app.jobs import store as job_store
from app.settings import Settings
from app.training import batches, job, launchers, store
from app.training import recipe as recipes
from app.training.launchers import AsApproved, Process, TorchRun
from app.training.protocol import SPEC, Exit, Start, of_rank
from app.training.ray_launcher import Tail, against
from app.training.recipe import Recipe
from tests.support import tiny
from tests.support.story import Story
from tests.support.trainer import Child, Run

CLOSE = 1e-4  # what losses in nats may differ by: sums of 32-bit numbers in another order, over a dozen steps


def together(run: Run, attempt: int = 1) -> list[Child]:
    """All ranks from start to end."""
    run.order(attempt)
    children = run.start_all()
    for child in children:
        child.wait()
    return children


def losses(*children: Child) -> dict[tuple[str, int], float]:
    return {
        (kind, event["step"]): event["loss"]
        for child in children
        for kind in ("step", "dev")
        for event in child.events(kind)
    }


def alike(run: Run, other: Run) -> None:
    """Whether their adapters are the same but for the order of sums."""
    import numpy as np
    from safetensors.numpy import load_file

    mine, theirs = (load_file(one.folder / "adapter" / "adapter_model.safetensors") for one in (run, other))
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        np.testing.assert_allclose(tensor, theirs[name], rtol=1e-2, atol=1e-3)


def test_every_row_of_a_step_is_dealt_once_and_in_equal_shares() -> None:
    lengths = [90, 12, 400, 33, 33, 250, 7, 61]
    for ranks in (1, 2, 3, 8, 20):
        shares = [batches.dealt([7, 0, 1, 2, 3, 4, 5, 6], lengths, rank, ranks) for rank in range(ranks)]
        assert sorted(row for share in shares for row in share) == list(range(8))
        heaviest = max(sum(lengths[row] for row in share) for share in shares)
        assert heaviest <= sum(lengths) / ranks + max(lengths)


@pytest.mark.torch
def test_two_processes_end_like_one(run: Run, another: Callable[..., Run]) -> None:
    pair = another(processes=2, launcher="torchrun")
    alone = run.train()
    first, second = together(pair)

    assert (first.code, second.code) == (Exit.DONE, Exit.DONE), first.output + second.output
    assert losses(first) == pytest.approx(losses(alone), abs=CLOSE)
    assert first.events("done")[0]["best_step"] == alone.events("done")[0]["best_step"]
    assert second.output == b"", "the first one speaks for all"
    alike(pair, run)


@pytest.mark.torch
@pytest.mark.deep
def test_two_processes_choose_the_same_of_several_trainings(another: Callable[..., Run]) -> None:
    several: dict[str, Any] = {"sweep": "three", "seeds": 2, "max_steps": 6}
    alone, pair = another(**several), another(**several, processes=2, launcher="torchrun")
    one = alone.train()
    children = together(pair)

    assert {child.code for child in children} == {Exit.DONE}, children[0].output
    done, expected = (child.events("done")[0]["facts"] for child in (children[0], one))
    assert done["chosen_leg"] == expected["chosen_leg"]
    assert [leg["name"] for leg in done["legs"]] == [leg["name"] for leg in expected["legs"]]
    found, wanted = ([leg["best_loss"] for leg in facts["legs"]] for facts in (done, expected))
    assert found == pytest.approx(wanted, abs=CLOSE)
    alike(pair, alone)


@pytest.mark.torch
@pytest.mark.deep
@pytest.mark.parametrize(("batch_rows", "processes"), [(1, 2), (4, 3), (2, 4)])
def test_a_step_with_fewer_rows_than_processes_is_the_same_step(
    another: Callable[..., Run], batch_rows: int, processes: int
) -> None:
    alone = another(batch_rows=batch_rows, max_steps=7)
    several = another(batch_rows=batch_rows, max_steps=7, processes=processes, launcher="torchrun")
    one = alone.train()
    children = together(several)

    assert {child.code for child in children} == {Exit.DONE}, children[0].output
    assert losses(children[0]) == pytest.approx(losses(one), abs=CLOSE)
    alike(several, alone)


@pytest.mark.torch
@pytest.mark.deep
@pytest.mark.parametrize(("batch_rows", "processes"), [(4, 2), (1, 2), (4, 3)])
def test_a_base_that_is_sharded_over_the_processes_gives_the_same_adapter(
    run: Run, another: Callable[..., Run], batch_rows: int, processes: int
) -> None:
    alone = another(batch_rows=batch_rows, max_steps=9)
    sharded = another(
        batch_rows=batch_rows, max_steps=9, processes=processes, launcher="torchrun", base_weights="sharded"
    )
    one = alone.train()
    children = together(sharded)

    assert {child.code for child in children} == {Exit.DONE}, children[0].output
    assert losses(children[0]) == pytest.approx(losses(one), abs=CLOSE)
    alike(sharded, alone)


@pytest.mark.torch
def test_each_process_needs_a_token_of_its_own_and_is_one_of_those_approved(another: Callable[..., Run]) -> None:
    pair = another(processes=2, launcher="torchrun")
    pair.order()
    (pair.folder / of_rank(SPEC, 1)).unlink()
    second = pair.start(1)
    alone = replace(pair, recipe=replace(pair.recipe, processes=1, launcher="local")).start()

    assert second.wait() == Exit.NO_TOKEN
    assert alone.wait() == Exit.REFUSED
    assert alone.events("ended")[0]["text"] == "Approved for 2 processes, started as 1."


@pytest.mark.torch
@pytest.mark.deep
@pytest.mark.parametrize("lost", [0, 1])
def test_a_process_that_is_killed_ends_the_start_and_the_next_goes_on_from_the_checkpoint(
    run: Run, another: Callable[..., Run], lost: int
) -> None:
    pair = another(processes=2, launcher="torchrun")
    whole = run.train()
    pair.order()
    children = pair.start_all()
    while not any(event["step"] == 6 for event in children[0].events("checkpoint")):
        assert children[0].hear(), children[0].output
    os.kill(children[lost].pid, signal.SIGKILL)
    assert [child.wait() for child in children][1 - lost] not in {Exit.DONE, None}

    again = together(pair, 2)

    assert {child.code for child in again} == {Exit.DONE}, again[0].output
    assert again[0].events("started")[0]["step"] >= 6
    assert losses(children[0], again[0]) == pytest.approx(losses(whole), abs=CLOSE)
    alike(pair, run)
    calm = another(processes=2, launcher="torchrun")
    together(calm)
    assert pair.adapter == calm.adapter, "the same to the bit as two that nobody disturbs"


@pytest.mark.torch
@pytest.mark.deep
@pytest.mark.parametrize("how", ["cancel", "the worker dies", "a process is killed", "torchrun is killed"])
def test_torchrun_leaves_nothing_behind_whatever_ends_it(another: Callable[..., Run], how: str) -> None:
    """With the real torchrun, as a worker starts it."""
    pair = another(processes=2, launcher="torchrun", epochs=20)
    pair.order()
    spec = Start(**{**_order(pair), "threads": 2})
    running = TorchRun(pair.data, 2).start(pair.folder, spec)
    try:
        events: list[dict[str, Any]] = []
        ranks: list[int] = []
        while running.code is None:
            event = running.next()
            if event is None:
                continue
            events.append(event)
            if event["event"] == "step" and not ranks:
                ranks = [int(pid) for pid in _children(running.child.pid)]
                assert len(ranks) == 2
                if how == "cancel":
                    running.cancel()
                elif how == "the worker dies":
                    running.child._cut_lifeline()
                else:
                    os.kill(ranks[1] if how == "a process is killed" else running.child.pid, signal.SIGKILL)
        code, why = running.code, running.how
    finally:
        running.close()

    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in ranks):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.1)
    if how in {"cancel", "the worker dies"}:
        steps = [event["step"] for event in events if event["event"] == "step"]
        assert code == Exit.STOPPED
        assert [event["step"] for event in events if event["event"] == "checkpoint"][-1] == steps[-1]
    else:
        assert code not in {Exit.DONE, Exit.STOPPED}
    if how == "a process is killed":
        assert why.startswith("Process 2 of the trainer was killed")


@dataclass
class Watched:
    """A trainer beside whom something happens at every event, before the job hears of it."""

    inner: Any
    watch: Callable[[Process, dict[str, Any]], None]

    def next(self) -> dict[str, Any] | None:
        event: dict[str, Any] | None = self.inner.next()
        if event is not None:
            self.watch(self.inner, event)
        return event

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Watching:
    """Starts trainers as a worker does, and has them watched."""

    inner: AsApproved
    watch: Callable[[Process, dict[str, Any]], None]

    def start(self, run: Path, spec: Start) -> Any:
        return Watched(self.inner.start(run, spec), self.watch)


def _order(run: Run) -> dict[str, Any]:
    """What a worker would start this run with."""
    spec: dict[str, Any] = json.loads((run.folder / SPEC).read_text(encoding="utf-8"))
    launchers.forget_orders(run.folder)
    return spec


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


@pytest.mark.parametrize("wrong", [{"processes": 2}, {"launcher": "torchrun"}, {"launcher": "ray", "processes": 1}])
def test_one_process_needs_no_launcher_and_several_need_one(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        recipes.parse(wrong)

    assert [error.field for error in refused.value.errors] == ["processes"]


def test_a_recipe_for_one_process_is_stored_as_before() -> None:
    """So that what was approved before there was a choice keeps its digest."""
    assert not {"launcher", "processes"} & recipes.to_json(Recipe()).keys()
    assert recipes.to_json(Recipe(launcher="ray", processes=4))["launcher"] == "ray"


def test_what_stands_against_a_launcher_is_said(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    offered = Settings(data=tmp_path, launcher=("local", "torchrun", "ray"), ray_token_file=tmp_path / "token")
    many = Recipe(launcher="torchrun", processes=cores + 1)

    assert "does not offer torchrun" in next(launchers.against(Settings(data=tmp_path), many, 0))
    assert list(launchers.against(offered, many, 64)) == []
    assert "this machine has" in next(launchers.against(offered, many, 0))
    assert list(against(offered)) == [
        "There is no address of a Ray cluster. The operator sets it: TUNEGATE_RAY_ADDRESS."
    ]


@pytest.mark.parametrize(("mode", "text", "says"), [
    (None, "", "There is no token"), (0o644, "secret", "Others on this machine"), (0o600, "\n", "is empty"),
])  # fmt: skip
def test_nothing_is_sent_to_a_cluster_without_a_token_of_ours_alone(
    tmp_path: Path, mode: int | None, text: str, says: str
) -> None:
    token = tmp_path / "token"
    if mode is not None:
        token.write_text(text, encoding="ascii")
        token.chmod(mode)
    settings = Settings(data=tmp_path, ray_address="http://127.0.0.1:9", ray_token_file=token)

    (reason,) = against(settings)
    assert says in reason


@pytest.mark.torch
@pytest.mark.deep
def test_a_run_that_loses_a_process_goes_on_by_itself(story: Story) -> None:
    """The whole job: approved for two processes, one of which is killed in the middle."""
    settings = story.make.settings.model_copy(update={"launcher": ("local", "torchrun"), "threads": 1})
    story.make.settings = settings
    story.recipe(max_steps=40, evals_per_epoch=20, launcher="torchrun", processes=2)
    story.check()
    story.approve()
    row = story.launch()
    killed: list[int] = []

    def kill(process: Process, event: dict[str, Any]) -> None:
        if event["event"] == "checkpoint" and event["step"] > 0 and not killed:
            killed.append(int(_children(process.child.pid)[-1]))
            os.kill(killed[0], signal.SIGKILL)

    job.work(story.claim(story.train_job(row)), Watching(AsApproved(settings), kill))

    run = story.run(row)
    with reading(story.engine) as session:
        log = [str(event.body["line"]) for event in job_store.log_lines(session, int(run.job_id or 0))]
        steps = [one.step for one in store.metrics(session, run.id, "step")]
    assert (run.state, run.training_facts["attempts"]) == ("done", 2)
    assert steps == list(range(1, 41))
    assert any("Process 2 of the trainer was killed" in line for line in log)
    assert any("begins from the checkpoint" in line for line in log)


@pytest.mark.torch
@pytest.mark.deep
def test_a_cluster_that_loses_a_node_ends_like_one_process() -> None:
    """Where the extra `ray` is installed: two nodes on this machine, one of them killed."""
    pytest.importorskip("ray")
    bench = Path(__file__).parents[1] / "bench" / "bench_ray.py"
    ended = subprocess.run([sys.executable, str(bench)], capture_output=True, text=True, check=False, timeout=900)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_lines_of_a_file_are_heard_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "heard"
    tail = Tail(path)
    assert tail.next() is None
    with path.open("a", encoding="utf-8") as file:
        file.write('{"event": "step"}\n{"event": "de')
        file.flush()
        assert (tail.next(), tail.next()) == ({"event": "step"}, None)
        file.write('v"}\n')
    assert (tail.next(), tail.next()) == ({"event": "dev"}, None)


@pytest.mark.torch
@pytest.mark.deep
def test_several_trainings_by_two_processes_killed_twice_end_like_undisturbed_ones(another: Callable[..., Run]) -> None:
    """With general rows, the metric as judge and layers that compute again: killed within a training and after one."""
    options: dict[str, Any] = {
        "sweep": "three", "seeds": 2, "curve": "quarters", "epochs": 1, "evals_per_epoch": 2, "replay": 0.2,
        "stop_by": "metric", "scored_rows": 10, "checkpointing": "on", "processes": 2, "launcher": "torchrun",
    }  # fmt: skip
    whole, cut = another(**options), another(**options)
    whole.scored = cut.scored = {"metric": "chrf", "options": {}, "max_tokens": 8}
    undisturbed = together(whole)
    assert {child.code for child in undisturbed} == {Exit.DONE}, undisturbed[0].output + undisturbed[1].output
    for attempt, wait in enumerate(("checkpoint", "leg"), 1):
        cut.order(attempt)
        children = cut.start_all()
        children[0].until(wait)
        for child in children:  # as torchrun ends the others
            os.kill(child.pid, signal.SIGKILL)
        for child in children:
            child.wait()
    last = together(cut, attempt=3)

    assert {child.code for child in last} == {Exit.DONE}, last[0].output + last[1].output
    assert cut.adapter == whole.adapter
    facts, again = (each[0].events("done")[0]["facts"] for each in (undisturbed, last))
    assert again["chosen_leg"] == facts["chosen_leg"]
    for name in ("name", "best_loss", "best_score", "rows", "steps"):
        assert [one[name] for one in again["legs"]] == [one[name] for one in facts["legs"]]


@pytest.mark.torch
@pytest.mark.deep
def test_two_processes_are_judged_by_answers_that_were_thought_about(another: Callable[..., Run]) -> None:
    """The first process answers the dev rows with thinking on while the second waits; both keep the same adapter."""
    options: dict[str, Any] = {"stop_by": "metric", "scored_rows": 10, "patience": 1}
    alone, pair = another(**options), another(**options, processes=2, launcher="torchrun")
    for run in (alone, pair):
        run.scored = {"metric": "chrf", "options": {}, "max_tokens": 12}
        rows = [json.loads(line) | {"reasoning": "Look."} for line in run.rows.read_text().splitlines()]
        tiny.write_rows(run.rows, rows)
        run.thinks = True
    one = alone.train()
    children = together(pair)

    assert {child.code for child in children} == {Exit.DONE}, children[0].output + children[1].output
    mine, theirs = ([event["score"] for event in child.events("dev")] for child in (children[0], one))
    assert len(mine) == len(theirs) > 1
    assert mine == pytest.approx(theirs, abs=0.1)
