"""What an operator can set, all of it by environment variables that start with `TUNEGATE_`.

Nothing else in the product reads the environment, so this file is the list of settings.
"""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one installation.

    data: folder for the database, uploaded files, models and run directories.
    database_url: SQLAlchemy address; empty means SQLite inside `data`.
    public_url: the address people type. An https address turns on Secure cookies and HSTS.
    hosts: host names that requests may carry besides the one in `public_url`.
    trusted_proxies: addresses (comma list) whose X-Forwarded-For is believed; sign-in is limited by the address behind.
        Empty by default: any program on the machine could otherwise say that it is somebody else.
    allowed_hosts: model servers on private addresses that may be called, as `host:port`, `host` or CIDR.
    allow_hub: whether a model may be named by its hub name; nothing reaches a hub without it.
    patience: seconds that a request may take to arrive, and a second more for each kB; a quarter of it for its head.
    threads: CPU threads of a model child; 0 means all cores but none of the web's.
    device: what models of this machine compute on, in baselines, training and where they are served: auto takes a GPU
        that is there and works, else the CPU; cpu, cuda (ROCm, too) and mps are taken at their word.
    launcher: what may start a trainer, as a comma list: local for one process, torchrun for several of one machine, ray
        for several of a cluster. More than one, and the training config offers the choice.
    ray_address: the cluster's dashboard, as http://10.0.0.5:8265. ray_token_file: holds its token, for this account
        alone; nothing is sent to a cluster that takes programs without one.
    training_gb: memory that a training run may take, in GB (10^9 bytes), on the machine or, with one, on the GPU; 0 for
        what is free. Its passes are made small enough for it.
    endpoint_concurrency: model calls in flight at once on one endpoint, at most, where a measurement does not say.
    endpoint_seconds: how long one answer of a model server may take, from when it can be expected.
    endpoint_patience: seconds that a model server may be away (loading, overloaded) before a measurement ends.
    endpoint_first_wait: seconds before a server in trouble is asked again; doubled with each further time.
    ca_file: certificate authorities (PEM) that are trusted for model servers besides the usual ones, as companies have.
    release_questions: general questions that base and adapter are asked after training, at most 240, and a sixth as
        many harmful requests; 0 asks nothing, and the result says that these checks were not made.
    approval_days: days after which an approval that was not used expires.
    serve_idle: seconds after the last question until a served model is let go of. serve_a_minute: questions to served
        models that one person may send within a minute.
    served_days: days after which the record of a call to a served model is dropped; 0 keeps all of them.
    share_days: the longest that a read-only link to an assessment's advice may live; 0 switches all of them off.
    team_scorers: whether administrators may add scorers in Python. They run confined (`processes.seal`), but what they
        say decides what is measured; off unless the operator wants that.
    jobs_per_person: jobs of one person that run at once, at most, over all workers; 0: any number. One worker does four
        short jobs and one with a model at once, so three leave something to others.
    worker_poll: seconds between two looks of a worker for a job that waits; a look costs some 40 microseconds.
    worker_beat, worker_lost_after: how often a worker says that it is alive, and after how long a silence, in seconds,
        another one takes its jobs over.
    hash_time, hash_memory: argon2 cost (passes, KiB). The default is OWASP's second choice, about 0.1 s.
    """

    model_config = SettingsConfigDict(env_prefix="TUNEGATE_", extra="ignore")

    data: Path = Path("data")
    assets: Path = Path("assets")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    public_url: str = ""
    hosts: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: str = ""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    allow_hub: bool = False
    patience: Annotated[float, Field(gt=0, le=3600)] = 60.0
    threads: Annotated[int, Field(ge=0, le=512)] = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    launcher: Annotated[tuple[Literal["local", "torchrun", "ray"], ...], NoDecode, Field(min_length=1)] = ("local",)
    ray_address: str = ""
    ray_token_file: Path = Path("~/.ray/auth_token")
    training_gb: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    endpoint_concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    endpoint_seconds: Annotated[float, Field(gt=0, le=86_400)] = 120.0
    endpoint_patience: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    endpoint_first_wait: Annotated[float, Field(gt=0, le=60)] = 0.5
    ca_file: str = ""
    release_questions: Annotated[int, Field(ge=0, le=240)] = 240
    approval_days: Annotated[int, Field(ge=1, le=365)] = 14
    serve_idle: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    serve_a_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    served_days: Annotated[int, Field(ge=0, le=3650)] = 90
    share_days: Annotated[int, Field(ge=0, le=365)] = 90
    upload_limit: Annotated[int, Field(ge=1024)] = 2 * 1024**3
    hash_time: Annotated[int, Field(ge=1)] = 2
    hash_memory: Annotated[int, Field(ge=8)] = 19 * 1024
    team_scorers: bool = False
    jobs_per_person: Annotated[int, Field(ge=0, le=1000)] = 3
    worker_poll: Annotated[float, Field(gt=0, le=60)] = 0.5
    worker_beat: Annotated[float, Field(gt=0, le=60)] = 5.0
    worker_lost_after: Annotated[float, Field(gt=0, le=3600)] = 30.0

    @field_validator("hosts", "allowed_hosts", "launcher", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{(self.data / 'tunegate.db').resolve()}"

    @property
    def address(self) -> str:
        """Where people find the app, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def secure(self) -> bool:
        return urlsplit(self.address).scheme == "https"

    @property
    def known_hosts(self) -> frozenset[str]:
        """Host headers (without port) that we answer to."""
        named = urlsplit(self.address).hostname or self.host
        return frozenset({named, self.host, "localhost", "127.0.0.1", *self.hosts})

    @property
    def blobs_dir(self) -> Path:
        return self.data / "blobs"

    @property
    def runs_dir(self) -> Path:
        return self.data / "runs"

    @property
    def models_dir(self) -> Path:
        return self.data / "models"

    @property
    def key_file(self) -> Path:
        """Secret of this installation: signs launch tokens and encrypts stored model keys. Never in the database."""
        return self.data / "secret.key"
