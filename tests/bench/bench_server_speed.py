"""How much of a model server's time a run uses, beside lm-evaluation-harness and promptfoo.

    python tests/bench/bench_server_speed.py [--calls 400 4000] [--wide 16] [--ms 50] [--times 3]
        [--lm-eval PYTHON] [--promptfoo NODE_MODULES/.bin/promptfoo] [--bare] [--profile FILE]

A light server in a process of its own answers every call after so many milliseconds; in the second round it turns 5 %
of the calls away (429, Retry-After: 1) and breaks 1 % (500). The ideal is calls x time / width. The floor is what a
client needs at least that loses nothing but what it is told to wait. Ours is the real path of a measurement's job: one
variant on so many dev rows, prompts put together, answers scored and written to the database, the result summed up,
nothing taken from earlier runs. Others are run where they are given: `lm_eval[api]` (local-chat-completions, by its own
API), promptfoo (its OpenAI provider, cache off). --bare: threads that send the same bytes and read what comes, as fast
as anybody can be with this server on this machine (without faults only). Prints a line each: seconds, shares of ideal
and floor, rows that came out wrong although the server's answers were right, rows without an answer.
"""

import argparse
import cProfile
import heapq
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app import schema
from app.baselines import ahead, answer_store, asked_model, job, runs, store
from app.baselines.order import BaselineRequest
from app.datasets.tables import ExampleRow
from app.db import make_engine, reading, writing
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.settings import Settings
from app.worker import TURN, settle_in
from tests.support.factories import Make
from tests.support.measured import claim_of
from tests.support.processes import cheap

FAULTS = {"without faults": (0.0, 0.0), "5 % 429, 1 % 500": (0.05, 0.01)}
AFTER = 1.0  # seconds of Retry-After


@dataclass(frozen=True)
class Round:
    """calls of so many milliseconds each, `wide` at once; shares of calls that are turned away and that break."""

    calls: int
    ms: float
    wide: int
    slow_down: float
    broken: float

    @property
    def ideal(self) -> float:
        return self.calls * self.ms / 1000 / self.wide

    def floor(self) -> float:
        """Seconds of a client that loses nothing but what it is told to wait."""
        draw, moment = random.Random(7), 0.0
        free = [0.0] * self.wide
        waiting = [(0.0, number) for number in range(self.calls)]
        heapq.heapify(waiting)
        while waiting:
            slot = heapq.heappop(free)
            due, number = heapq.heappop(waiting)
            begun = max(slot, due)
            fate = draw.random()
            if fate < self.slow_down:
                heapq.heappush(waiting, (begun + AFTER, number))
                heapq.heappush(free, begun)
            elif fate < self.slow_down + self.broken:
                heapq.heappush(waiting, (begun, number))
                heapq.heappush(free, begun)
            else:
                moment = max(moment, begun + self.ms / 1000)
                heapq.heappush(free, begun + self.ms / 1000)
        return moment


@dataclass(frozen=True)
class Came:
    """cpu: seconds of this process, where it is ours."""

    seconds: float
    wrong: int
    errors: int
    log: dict[str, Any]
    cpu: float = 0.0


@contextmanager
def server(of: Round) -> Iterator[str]:
    script = Path(__file__).with_name("light_server.py")
    options = ["--ms", of.ms, "--slow-down", of.slow_down, "--broken", of.broken, "--retry-after", AFTER]
    process = subprocess.Popen([sys.executable, script, *map(str, options)], stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise RuntimeError("it has no output")
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.wait()


def log_of(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.replace("/v1", "/log")) as answer:  # noqa: S310 - our own server
        log: dict[str, Any] = json.load(answer)
        return log


def question(number: int) -> str:
    return f"w{number} is a word of a row; say it in capitals"


# ---------------------------------------------------------------- ours


def ours(of: Round, profile: Path | None) -> Came:
    with tempfile.TemporaryDirectory() as folder, server(of) as url:
        settings = cheap(Path(folder) / "data", allowed_hosts=("127.0.0.0/8",), endpoint_concurrency=of.wide)
        settings.data.mkdir(parents=True)
        schema.migrate(settings.url)
        return _measured(of, settings, url, profile)


def _measured(of: Round, settings: Settings, url: str, profile: Path | None) -> Came:
    engine, queue = make_engine(settings.url), job_engine.Client(settings.url)
    make = Make(engine, settings)
    author = make.author()
    assessment = make.assessment(author, answers={"metric": "exact_match", "target": 0.9})
    dataset = make.dataset(assessment, author, train=20, dev=of.calls, test=20)
    with writing(engine) as session:
        for row in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            row.messages = [{"role": "user", "content": question(row.line)}]
            row.target = f"W{row.line}"
    model = make.model(name="Light", kind="endpoint", base_url=url, reference="light", files={})
    order = BaselineRequest(
        model_id=model.id, instructions="Say it.", arms=("zero_shot",), consent=True, fresh=True, at_once=of.wide
    )
    with writing(engine) as session:
        jobs.bind(session, queue)
        baseline = runs.start(session, assessment.id, order, by=author)
    claim = claim_of(engine, settings, queue, baseline.id)
    arm_id = next(arm.id for arm in baseline.arms if arm.name == "zero_shot")
    with asked_model.opened(claim, model.id) as generator, cProfile.Profile() if profile else _nothing() as taken:
        with reading(engine) as session:
            meter = ahead.meter(claim, session, store.get(session, baseline.id))
        begun, worked = time.perf_counter(), time.process_time()
        job.answer_arm(claim, arm_id, "dev", generator, meter=meter)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    if profile and taken:
        taken.dump_stats(profile)
    with reading(engine) as session:
        scores = answer_store.scores(session, arm_id, "dev")
    wrong, errors = sum(score == 0 for score in scores), sum(score is None for score in scores)
    came = Came(seconds, wrong, errors, log_of(url), cpu)
    queue.close()
    engine.dispose()
    return came


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def bare(of: Round) -> Came:
    """The server's own limit: nothing is put together, understood or kept."""
    body = json.dumps({"model": "light", "messages": [{"role": "user", "content": question(1)}]}).encode()
    sent = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with server(of) as url:
        numbers = itertools.count()

        def ask() -> None:
            with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0]))) as line:
                while next(numbers) < of.calls:
                    line.sendall(sent)
                    line.recv(65536)

        threads = [threading.Thread(target=ask) for _ in range(of.wide)]
        begun, worked = time.perf_counter(), time.process_time()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Came(time.perf_counter() - begun, 0, 0, log_of(url), time.process_time() - worked)


# ---------------------------------------------------------------- others

LM_EVAL = """
import json, sys, time
from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalChatCompletion
url, calls, wide = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = LocalChatCompletion(base_url=url + "/chat/completions", model="light", num_concurrent=wide, max_retries=30,
    tokenized_requests=False, tokenizer_backend=None)
question = "w{} is a word of a row; say it in capitals".format
texts = [json.dumps([{"role": "user", "content": question(n)}]) for n in range(calls)]
from lm_eval.models.api_models import JsonChatStr
requests = [Instance("generate_until", {}, (JsonChatStr(text), {"max_gen_toks": 64, "until": []}), n)
    for n, text in enumerate(texts)]
begun = time.perf_counter()
answers = model.generate_until(requests, disable_tqdm=True)
seconds = time.perf_counter() - begun
errors = sum(not one for one in answers)
wrong = sum(bool(one) and one != f"W{n}" for n, one in enumerate(answers))
print(json.dumps({"seconds": seconds, "wrong": wrong, "errors": errors}))
"""


def lm_eval(of: Round, python: str) -> Came:
    with server(of) as url:
        command = [python, "-c", LM_EVAL, url, str(of.calls), str(of.wide)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "OPENAI_API_KEY": "none"}
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        said = json.loads(done.stdout.strip().splitlines()[-1])
        return Came(said["seconds"], said["wrong"], said["errors"], log_of(url))


def promptfoo(of: Round, command: str) -> Came:
    with tempfile.TemporaryDirectory() as folder, server(of) as url:
        place = Path(folder)
        tests = [
            {"vars": {"row": question(number)}, "assert": [{"type": "equals", "value": f"W{number}"}]}
            for number in range(of.calls)
        ]
        config = {
            "prompts": ["{{row}}"],
            "providers": [
                {"id": "openai:chat:light", "config": {"apiBaseUrl": url, "apiKey": "none", "temperature": 0}}
            ],
            "tests": tests,
        }
        (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
        quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_CONFIG_DIR": folder}
        arguments = ["eval", "-c", "config.json", "-o", "out.json", "--no-cache", "--no-progress-bar", "--no-table"]
        before = time.perf_counter()
        done = subprocess.run(
            [command, *arguments, "-j", str(of.wide), "--no-write"],
            cwd=place,
            env={**os.environ, **quiet},
            capture_output=True,
            text=True,
            check=False,
        )
        whole = time.perf_counter() - before
        if not (place / "out.json").exists():
            raise RuntimeError((done.stdout + done.stderr)[-2000:])
        results = json.loads((place / "out.json").read_text(encoding="utf-8"))["results"]["results"]
        log = log_of(url)
        print(f"    promptfoo with its start and end: {whole:.1f} s", flush=True)
        # By the server's clock: its start of two seconds and more is not what is compared here.
        errors = sum(bool(one.get("error")) and not (one.get("response") or {}).get("output") for one in results)
        wrong = sum(not one["success"] for one in results) - errors
        return Came(log["seconds"] + of.ms / 1000, wrong, errors, log)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[400, 4000])
    parser.add_argument("--wide", type=int, default=16)
    parser.add_argument("--ms", type=float, default=50.0)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--lm-eval", default="")
    parser.add_argument("--promptfoo", default="")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--profile", type=Path)
    given = parser.parse_args()
    runners: dict[str, Any] = {"ours": lambda of: ours(of, given.profile)}
    if given.lm_eval:
        runners["lm-eval"] = lambda of: lm_eval(of, given.lm_eval)
    if given.promptfoo:
        runners["promptfoo"] = lambda of: promptfoo(of, given.promptfoo)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {given.ms:g} ms a call, {given.wide} wide")
    sys.setswitchinterval(TURN)
    ours(Round(40, 1.0, given.wide, 0.0, 0.0), None)  # a worker has its libraries loaded, and this pace
    settle_in()
    for calls in given.calls:
        for name, (slow_down, broken) in FAULTS.items():
            of = Round(calls, given.ms, given.wide, slow_down, broken)
            print(f"{calls:,} calls, {name}: ideal {of.ideal:.2f} s, floor {of.floor():.2f} s", flush=True)
            for _ in range(given.times):
                for runner, run in {**({"bare": bare} if given.bare and not slow_down else {}), **runners}.items():
                    came = run(of)
                    share, at_best = of.ideal / came.seconds, of.floor() / came.seconds
                    print(
                        f"  {runner:10} {came.seconds:7.2f} s  {share:6.1%} of the ideal, {at_best:6.1%} of the floor; "
                        f"wrong {came.wrong}, without an answer {came.errors}; {came.log['calls']:,} calls met the "
                        f"server, {came.log['most']} at once"
                        + (f"; {1000 * came.cpu / calls:.2f} ms of cpu a call" if came.cpu else ""),
                        flush=True,
                    )


if __name__ == "__main__":
    main()
