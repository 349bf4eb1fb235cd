"""What runs on the cluster: `python -m app.training.ray_job RUN_DIR ATTEMPT PROCESSES THREADS DEVICE`, as a Ray job.

It has Ray Train place one worker a rank (`TorchTrainer`), and each of these starts the very trainer that runs elsewhere
(`child`), with its rank in the environment, and writes what that says into the run's folder. Ray starts nothing again:
a token is good for one start, so a lost node ends this job, and the run's supervisor starts another one from the last
checkpoint. Imported by nothing of the app; Ray is only here.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol, TypedDict

from app.processes import children
from app.processes.children import Child
from app.training.launchers import GRACE, POLL, settings_of
from app.training.protocol import BEATS, HEARD, LOG, LOST_AFTER, Exit, of_rank, plain

ROOM = 600.0  # seconds that nodes may take to come, or to come back


class Lifeline:
    """Whether whoever supervises the run is still there: it counts up in a file, and counts stand still when it dies.

    By our own clock and its counting, since clocks of two machines need not agree.
    """

    def __init__(self, run: Path, attempt: int) -> None:
        self._path, self._attempt = run / BEATS, attempt
        self._beat, self._at = -1, time.monotonic()
        self.cancelled = False

    @property
    def cut(self) -> bool:
        now = time.monotonic()
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return True
        except (OSError, ValueError):
            return now - self._at > LOST_AFTER
        if told["attempt"] != self._attempt:
            return True  # another start has taken over
        self.cancelled = bool(told["cancel"])
        if told["beat"] != self._beat:
            self._beat, self._at = told["beat"], now
        return now - self._at > LOST_AFTER


class Say(Protocol):
    """Hands an event on to whoever supervises the run."""

    def __call__(self, event: str, /, **body: object) -> None: ...


class Placed(TypedDict):
    """What each rank is told. threads: of its process."""

    run: str
    attempt: int
    threads: int


def rank(order: Placed) -> None:
    """One rank, in a worker of Ray Train: start the trainer and hand on what it says until it ends.

    Raises: RuntimeError: it ended otherwise than well, so that Ray ends the others.
    """
    import ray.train
    from ray.train import torch as devices

    context = ray.train.get_context()
    number, run = context.get_world_rank(), Path(order["run"])
    device = devices.get_device()
    settings = {
        "RANK": str(number),
        "WORLD_SIZE": str(context.get_world_size()),
        "LOCAL_RANK": str(device.index or 0 if device.type == "cuda" else context.get_local_rank()),
        **_meeting(number),
        **settings_of(Path(os.environ["TUNEGATE_DATA"])),
    }
    heard = plain(run / of_rank(HEARD.format(order["attempt"]), number), os.O_WRONLY | os.O_APPEND)
    log = os.fdopen(plain(run / of_rank(LOG, number), os.O_RDWR | os.O_APPEND), "ab")
    lifeline = Lifeline(run, order["attempt"])
    child = children.start("app.training.child", str(run), threads=order["threads"], log=log, settings=settings)
    try:
        with os.fdopen(heard, "a", encoding="utf-8") as file:
            _hand_on(child, file, lifeline)
    finally:
        child.close(grace=5, patience=GRACE)
    if child.code:
        raise RuntimeError(f"Rank {number} {children.reason(child.code)}.")


def _hand_on(child: Child, file: IO[str], lifeline: Lifeline) -> None:
    looked_at, asked = time.monotonic(), False
    while child.code is None:
        event = child.next(POLL)
        if event is not None:
            file.write(json.dumps(event) + "\n")
            file.flush()
        if time.monotonic() - looked_at < 1:
            continue
        looked_at = time.monotonic()
        if lifeline.cut:
            child.close(grace=5, patience=GRACE)
            return
        if lifeline.cancelled and not asked:
            asked = child.send(do="cancel")


def _meeting(number: int) -> dict[str, str]:
    """Where the trainers meet: at a free port of the first one's node, which the workers tell each other."""
    import ray
    from torch import distributed

    told: list[tuple[str, int] | None] = [None]
    if number == 0:
        with socket.socket() as free:
            free.bind(("", 0))
            told = [(ray.util.get_node_ip_address(), free.getsockname()[1])]
    distributed.broadcast_object_list(told, 0)  # among the workers of one job of ours
    place = told[0]
    assert place is not None  # noqa: S101 - the first one has said it
    host, port = place
    return {"MASTER_ADDR": host, "MASTER_PORT": str(port)}


def main(argv: list[str]) -> int:
    """Place the ranks, and wait for them."""
    run, attempt, processes, threads = Path(argv[0]), int(argv[1]), int(argv[2]), int(argv[3])
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    ray.init(address="auto", log_to_driver=False)
    lifeline = Lifeline(run, attempt)
    heard = plain(run / f"{HEARD.format(attempt)}.job", os.O_WRONLY | os.O_APPEND)
    with os.fdopen(heard, "a", encoding="utf-8") as file:

        def say(event: str, /, **body: object) -> None:
            file.write(json.dumps({"event": event, **body}) + "\n")
            file.flush()

        accelerated = argv[4] == "cuda" or (argv[4] == "auto" and ray.cluster_resources().get("GPU", 0) > 0)
        each = {"CPU": float(threads), **({"GPU": 1.0} if accelerated else {})}
        if missing := _wait_for_room(each, processes, lifeline, say):
            say("ended", code=int(Exit.DEVICE), name="device", text=missing)
            return int(Exit.DEVICE)
        trainer = TorchTrainer(
            rank,
            train_loop_config={"run": str(run), "attempt": attempt, "threads": threads},
            torch_config=TorchConfig(backend="gloo"),  # of the workers, which only say where the trainers meet
            scaling_config=ScalingConfig(num_workers=processes, use_gpu=accelerated, resources_per_worker=each),
            run_config=RunConfig(
                name=f"ray-{attempt}",
                storage_path=str(run / "ray"),
                failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
            ),
        )
        trainer.fit()
    return 0


def _wait_for_room(each: Mapping[str, float], processes: int, lifeline: Lifeline, say: Say) -> str:
    """Wait until the cluster has what all ranks need. Gives what it lacks where that does not come; empty once it is
    there."""
    import ray

    deadline, told = time.monotonic() + ROOM, ""
    while True:
        has = ray.cluster_resources()
        lacking = [name for name, amount in each.items() if has.get(name, 0) < amount * processes]
        if not lacking:
            return ""
        lacks = ", ".join(f"{has.get(name, 0):.0f} of {each[name] * processes:.0f} {name}s" for name in lacking)
        if lacks != told:
            told = lacks
            say("log", line=f"Waiting for nodes: the cluster has {lacks}.")
        if lifeline.cut or lifeline.cancelled:
            return "Stopped while it waited for nodes."
        if time.monotonic() > deadline:
            return f"The cluster has {lacks} that this run needs. Add nodes and resume the run."
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
