"""A trainer on a Ray cluster, as its supervisor sees it: started by Ray's job API, heard through the run's folder.

Ray itself is not imported here. The job (`ray_job`) starts one trainer a rank on the nodes of the cluster, and these
write what they say beside the run's log. So the data folder has to be one storage, at the same path, on all nodes.

Ray's job API runs any program that is sent to it, so it is only used where it asks for a token: without one of ours,
and with a cluster that would do without, nothing is started.
"""

import json
import os
import shlex
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx2

from app.inference import outbound
from app.processes import children
from app.processes.children import ROOT
from app.processes.lines import Event
from app.settings import Settings
from app.training import launchers
from app.training.launchers import POLL, Ending, NotOffered
from app.training.protocol import BEATS, HEARD, LOST_AFTER, Start, of_rank, plain

OVER = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})  # Ray's own words for a job that has ended
BEAT = 5.0  # seconds between two signs of life of ours
ASK = 2.0  # seconds between two looks at the job
ANSWER = 10.0  # seconds for one answer of the cluster
STOPPING = 90.0  # seconds for a job that was told to stop


class Cluster:
    """The job API of one cluster."""

    def __init__(self, settings: Settings) -> None:
        """Raises: NotOffered: no address, or no token that is ours alone."""
        if not settings.ray_address:
            raise NotOffered("There is no address of a Ray cluster. The operator sets it: TUNEGATE_RAY_ADDRESS.")
        self.address = settings.ray_address.rstrip("/")
        headers = {"Authorization": f"Bearer {token(settings.ray_token_file.expanduser())}"}
        verify = outbound.trust(settings.ca_file)
        self._http = httpx2.Client(headers=headers, timeout=ANSWER, trust_env=False, verify=verify)

    def close(self) -> None:
        self._http.close()

    def check(self) -> None:
        """Raises: NotOffered: it does not answer, does not know our token, or asks for none."""
        try:
            bare = self._http.get(f"{self.address}/api/jobs/", headers={"Authorization": ""})
            ours = self._http.get(f"{self.address}/api/jobs/")
        except httpx2.HTTPError as error:
            raise NotOffered(f"The Ray cluster at {self.address} does not answer: {error}.") from error
        if bare.status_code not in {401, 403}:
            raise NotOffered(
                f"The Ray cluster at {self.address} takes programs without a token, from anybody who reaches it. Start "
                "all of its nodes with RAY_AUTH_MODE=token."
            )
        if ours.status_code != 200:
            raise NotOffered(f"The Ray cluster at {self.address} does not take our token ({ours.status_code}).")

    def submit(self, name: str, command: str, env: Mapping[str, str]) -> None:
        """Raises: NotOffered: the cluster does not take it."""
        body = {"entrypoint": command, "submission_id": name, "runtime_env": {"env_vars": dict(env)}}
        try:
            answer = self._http.post(f"{self.address}/api/jobs/", json=body, timeout=60)
        except httpx2.HTTPError as error:
            raise NotOffered(f"The Ray cluster at {self.address} does not answer: {error}.") from error
        if answer.status_code != 200:
            raise NotOffered(f"The Ray cluster does not take the job: {answer.text[:300]}")

    def look(self, name: str) -> tuple[str, str] | None:
        """Ray's word for how a job is, and what it says about that; None while the cluster does not answer."""
        try:
            answer = self._http.get(f"{self.address}/api/jobs/{name}")
            job = answer.json() if answer.status_code == 200 else {}
            return str(job["status"]), children.last_line(str(job.get("message") or ""))
        except (httpx2.HTTPError, ValueError, KeyError):
            return None

    def stop(self, name: str) -> None:
        try:
            self._http.post(f"{self.address}/api/jobs/{name}/stop")
        except httpx2.HTTPError:
            return  # it is asked again, or gone with its cluster

    def names(self, beginning: str) -> Iterator[str]:
        """Jobs of this beginning that are not over."""
        try:
            jobs = self._http.get(f"{self.address}/api/jobs/").json()
        except (httpx2.HTTPError, ValueError):
            return
        for job in jobs:
            name = str(job.get("submission_id") or "")
            if name.startswith(beginning) and job.get("status") not in OVER:
                yield name

    def end(self, name: str) -> None:
        """Have a job of ours over, as far as the cluster lets us."""
        deadline = time.monotonic() + STOPPING
        self.stop(name)
        while time.monotonic() < deadline:
            seen = self.look(name)
            if seen is not None and seen[0] in OVER:
                return
            time.sleep(ASK)


def token(path: Path) -> str:
    """The cluster's token. Raises: NotOffered: there is none, or others on this machine can read it."""
    try:
        open_to_others = stat.S_IMODE(path.stat().st_mode) & 0o077
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotOffered(
            f"There is no token for the Ray cluster: {path} cannot be read. A cluster is used with a token only; the "
            "operator names its file: TUNEGATE_RAY_TOKEN_FILE."
        ) from error
    if open_to_others:
        raise NotOffered(f"Others on this machine can read the token of the Ray cluster: chmod 600 {path}.")
    if not text:
        raise NotOffered(f"The file for the token of the Ray cluster is empty: {path}.")
    return text


def against(settings: Settings) -> Iterator[str]:
    """Why nothing could be started on the cluster now."""
    try:
        cluster = Cluster(settings)
        try:
            cluster.check()
        finally:
            cluster.close()
    except NotOffered as error:
        yield str(error)


class OnRay:
    """Several processes on the nodes of a Ray cluster, one a device; they end without us, after a checkpoint."""

    def __init__(self, settings: Settings, processes: int) -> None:
        self.settings, self.processes = settings, processes

    def start(self, run: Path, spec: Start) -> "RayJob":
        """Raises: NotOffered: the cluster cannot be used; nothing was started."""
        run = run.resolve()
        cluster = Cluster(self.settings)
        try:
            cluster.check()
            beginning = f"tunegate-{run.name}-{sha256(str(run).encode()).hexdigest()[:8]}-"
            for before in cluster.names(beginning):  # of a worker that died; what it has not stored is lost
                cluster.end(before)
            threads = self.settings.threads or 1
            launchers.order(run, replace(spec, threads=threads), self.processes)
            attempt = spec.attempt
            started = RayJob(cluster, f"{beginning}{attempt}", run, attempt, self.processes)
            started.beat()
            words = (str(run), str(attempt), str(self.processes), str(threads), self.settings.device)
            command = shlex.join([sys.executable, "-m", "app.training.ray_job", *words])
            env = {
                "PYTHONPATH": str(ROOT),
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # a busy node takes more than the minute it has
                **launchers.settings_of(self.settings.data),
            }
            cluster.submit(started.name, command, env)
        except NotOffered:
            cluster.close()
            raise
        return started


class RayJob:
    """A trainer that a job of the cluster runs."""

    def __init__(self, cluster: Cluster, name: str, run: Path, attempt: int, processes: int) -> None:
        self.name = name
        self._cluster, self._run, self._attempt = cluster, run, attempt
        heard = HEARD.format(attempt)
        files = [of_rank(heard, rank) for rank in range(processes)]
        self._tails = [Tail(run / file) for file in (*files, f"{heard}.job")]
        self._ending = Ending()
        self._cancel = False
        self._beats, self._beat_at, self._asked_at = 0, 0.0, 0.0
        self._answered_at = time.monotonic()
        self._status, self._words = "PENDING", ""
        self._code: int | None = None

    def next(self) -> Event | None:
        now = time.monotonic()
        if now - self._beat_at >= BEAT:
            self.beat()
        for tail in self._tails:
            while (event := tail.next()) is not None:
                if (told := self._ending.heard(event)) is not None:
                    return told
        if self._status in OVER:  # and all was heard
            self._code = self._ending.code(0 if self._status == "SUCCEEDED" else 1)
            return None
        if now - self._asked_at >= ASK:
            self._ask(now)
            return None  # what was said before it ended is read before we say that it has
        time.sleep(POLL)
        return None

    def _ask(self, now: float) -> None:
        self._asked_at = now
        seen = self._cluster.look(self.name)
        if seen is not None:
            (self._status, self._words), self._answered_at = seen, now
        elif now - self._answered_at > LOST_AFTER:
            self._status = "FAILED"

    @property
    def code(self) -> int | None:
        return self._code

    @property
    def how(self) -> str:
        if time.monotonic() - self._answered_at > LOST_AFTER:
            return "The Ray cluster does not answer any more."
        ended = f"The job {self.name} of the Ray cluster {self._status.lower()}: a process or a node was lost."
        return f"{ended} {self._words}".strip()

    def beat(self) -> None:
        """Say that we are there, and whether to stop: the ranks read it as a child reads its standard input."""
        self._beats, self._beat_at = self._beats + 1, time.monotonic()
        written = self._run / f"{BEATS}.new"
        written.unlink(missing_ok=True)
        with os.fdopen(plain(written, os.O_WRONLY | os.O_EXCL), "w", encoding="utf-8") as file:
            json.dump({"attempt": self._attempt, "beat": self._beats, "cancel": self._cancel}, file)
        written.replace(self._run / BEATS)

    def cancel(self) -> None:
        self._cancel = True
        self.beat()

    def close(self) -> None:
        """Cut the lifeline, which makes the ranks end after the step they are at; then insist."""
        (self._run / BEATS).unlink(missing_ok=True)
        deadline = time.monotonic() + launchers.GRACE
        while self._status not in OVER and time.monotonic() < deadline:
            self._ask(time.monotonic())
            time.sleep(POLL)
        if self._status not in OVER:
            self._cluster.end(self.name)
        self._cluster.close()


class Tail:
    """The lines that are written to the end of a file, one after the other; one that is not whole yet is waited for."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._lines = path, 0, list[bytes]()

    def next(self) -> Event | None:
        if not self._lines:
            self._read()
        return json.loads(self._lines.pop(0)) if self._lines else None

    def _read(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                text = file.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        self._lines = whole.splitlines()
