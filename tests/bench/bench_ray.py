"""A run on a Ray cluster of two nodes, one of which is killed: does it end like one process on one machine?

    pip install "ray[default,train]" into an environment that has the app's requirements, and with its python:
    python tests/bench/bench_ray.py

Two nodes of one CPU each on the loopback interface, token authentication on. The first start loses its second node to
`kill -9` in the middle; a new node joins, and the second start goes on from the last checkpoint. Then another run is
cancelled, and a cluster without tokens is refused. Prints what was seen and fails where it is not as promised. Takes
three to eight minutes.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from safetensors.numpy import load_file

from app.settings import Settings
from app.training.launchers import Launcher, Local, Running, forget_orders
from app.training.protocol import SPEC, Exit
from app.training.ray_launcher import OnRay, against
from tests.support import tiny
from tests.support.trainer import QUICK, Run, build

HERE = "127.0.0.1"
CLOSE = 1e-3  # nats and weights, over 48 steps at a high learning rate: sums in another order
OBJECTS = 80 * 1024 * 1024  # bytes of object store for each node: nothing goes through it


class Cluster:
    """Nodes that are processes of this machine; ended by their ids, since `ray stop` would end every Ray there is."""

    def __init__(self, root: Path, *, tokens: bool = True) -> None:
        self.token = root / "token"
        self.token.write_text(secrets.token_hex(32), encoding="ascii")
        self.token.chmod(0o600)
        self.port, self.dashboard = _free(), _free()
        self.address = f"http://{HERE}:{self.dashboard}"
        self.root, self.nodes = root, list[subprocess.Popen[bytes]]()
        auth = (
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token)}
            if tokens
            else {"RAY_AUTH_MODE": "disabled"}
        )
        self.env = {
            **os.environ,
            **auth,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_memory_monitor_refresh_ms": "0",  # it would end our workers for the memory of other work here
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }

    def head(self) -> None:
        where = ["--head", f"--port={self.port}", f"--dashboard-host={HERE}", f"--dashboard-port={self.dashboard}"]
        self._start("head", where)
        _until(lambda: _answers(self.dashboard), "the head node", 120)

    def node(self, name: str) -> subprocess.Popen[bytes]:
        return self._start(name, [f"--address={HERE}:{self.port}"])

    def _start(self, name: str, where: list[str]) -> subprocess.Popen[bytes]:
        ray = [
            sys.executable,
            "-c",
            "import sys; from ray.scripts.scripts import main; sys.exit(main())",
            "start",
            "--block",
        ]
        few = ["--num-cpus=1", f"--object-store-memory={OBJECTS}", f"--node-ip-address={HERE}", "--disable-usage-stats"]
        log = (self.root / f"{name}.log").open("wb")
        temp = ["--temp-dir", str(self.root / "ray")] if "--head" in where else []
        process = subprocess.Popen(
            [*ray, *where, *few, *temp], stdout=log, stderr=log, env=self.env, start_new_session=True
        )
        self.nodes.append(process)
        return process

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """As when the power fails: everything of a node at once."""
        for pid in [*_below(node.pid), node.pid]:
            _kill(pid)
        node.wait()
        self.nodes.remove(node)

    def close(self) -> None:
        for node in reversed(self.nodes.copy()):
            self.kill(node)


def go(
    run: Run, launcher: Launcher, attempt: int, watch: Callable[[Running, dict[str, Any]], None] | None = None
) -> Any:
    """One start to its end: its exit code, what it said, and the seconds it took."""
    run.order(attempt)
    spec = json.loads((run.folder / SPEC).read_text(encoding="utf-8")) | {"meeting": "", "threads": 1}
    forget_orders(run.folder)
    began = time.monotonic()
    running = launcher.start(run.folder, spec)
    heard = []
    try:
        while running.code is None:
            if event := running.next():
                heard.append({**event, "at": time.monotonic() - began})
                if watch:
                    watch(running, event)
    finally:
        code, how = running.code, running.how
        running.close()
    return code, how, heard, time.monotonic() - began


def main() -> int:
    root = Path(tempfile.mkdtemp(prefix="ray-bench-"))
    print(f"in {root}", flush=True)
    model = tiny.make(root / "model")
    cluster = Cluster(root)
    settings = Settings(
        launcher=("ray",), ray_address=cluster.address, ray_token_file=cluster.token, device="cpu", threads=1
    )
    try:
        cluster.head()
        assert list(against(settings)) == []
        lose_a_node(cluster, settings, root, model)
        cancel(settings, root, model)
    finally:
        cluster.close()
    (root / "open").mkdir()
    unguarded = Cluster(root / "open", tokens=False)
    try:
        unguarded.head()
        (refused,) = against(settings.model_copy(update={"ray_address": unguarded.address}))
        print(f"a cluster without tokens: {refused}", flush=True)
        assert "without a token" in refused
    finally:
        unguarded.close()
    return 0


def lose_a_node(cluster: Cluster, settings: Settings, root: Path, model: Path) -> None:
    """One process beside two nodes, of which one is killed at step 20."""
    second = cluster.node("second")
    alone, pair = _made(root / "alone", model, 1), _made(root / "pair", model, 2)
    launcher = OnRay(settings.model_copy(update={"data": pair.data}), 2)
    code, _, one, seconds = go(alone, Local(alone.data), 1)
    print(f"one process: code {code}, {seconds:.0f} s", flush=True)
    lost: list[float] = []

    def lose(_running: Running, event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 20 and not lost:
            lost.append(time.monotonic())
            cluster.kill(second)

    code, how, first, seconds = go(pair, launcher, 1, lose)
    noticed = time.monotonic() - lost[0]
    print(f"first start: code {code} after {seconds:.0f} s, {noticed:.0f} s after the kill. {how}", flush=True)
    assert code not in {None, Exit.DONE}
    cluster.node("third")
    code, _, rest, seconds = go(pair, launcher, 2)
    (begun,) = [event for event in rest if event["event"] == "started"]
    step, after = begun["step"], begun["at"]
    print(f"second start: code {code}, from step {step} after {after:.0f} s, {seconds:.0f} s in all", flush=True)
    assert code == Exit.DONE
    assert step > 0
    apart, tensors = _apart(one, first + rest), _tensors(alone, pair)
    print(f"losses differ by at most {apart:.1e} nats, tensors by {tensors:.1e}", flush=True)
    assert max(apart, tensors) < CLOSE


def cancel(settings: Settings, root: Path, model: Path) -> None:
    """Asked to stop at its first step, it ends with a checkpoint of the step it was at."""
    stopped = _made(root / "stopped", model, 2)
    launcher = OnRay(settings.model_copy(update={"data": stopped.data}), 2)
    code, _, heard, _ = go(
        stopped, launcher, 1, lambda running, event: running.cancel() if event["event"] == "step" else None
    )
    steps = [event["step"] for event in heard if event["event"] == "step"]
    kept = [event["step"] for event in heard if event["event"] == "checkpoint"]
    print(f"cancelled: code {code}, last step {steps[-1]}, last checkpoint {kept[-1]}", flush=True)
    assert (code, kept[-1]) == (Exit.STOPPED, steps[-1])


def _made(root: Path, model: Path, processes: int) -> Run:
    root.mkdir()
    run = build(root, model)
    run.recipe = replace(QUICK, epochs=8, processes=processes, launcher="ray" if processes > 1 else "local")
    run.life = 600
    return run


def _apart(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    mine, theirs = (
        {(e["event"], e["step"]): e["loss"] for e in events if e["event"] in {"step", "dev"}} for events in (one, other)
    )
    assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
    apart: list[float] = [abs(mine[key] - theirs[key]) for key in mine]
    return max(apart)


def _tensors(one: Run, other: Run) -> float:
    mine, theirs = (load_file(run.folder / "adapter" / "adapter_model.safetensors") for run in (one, other))
    apart: list[float] = [float(abs(mine[name] - theirs[name]).max()) for name in mine]
    return max(apart)


def _free() -> int:
    with socket.socket() as sock:
        sock.bind((HERE, 0))
        return int(sock.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((HERE, port)) == 0


def _until(there: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come up")
        time.sleep(0.5)


def _below(pid: int) -> list[int]:
    """All processes that this one has started, and these."""
    children = []
    for thread in Path(f"/proc/{pid}/task").glob(
        "*/children"
    ):  # Ray starts trainers from another thread than the main one
        try:
            children += [int(one) for one in thread.read_text(encoding="ascii").split()]
        except OSError:
            continue
    return [below for child in children for below in (*_below(child), child)]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main())
