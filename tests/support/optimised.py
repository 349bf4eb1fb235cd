"""A measured prompt that can be improved, a critic on loopback, and a way to run the optimizer's job right here."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from app.baselines import job as measuring
from app.db import reading, writing
from app.inference.tables import ModelRow
from app.instructions import job, service, store
from app.instructions.order import Order
from app.instructions.tables import OptimisationRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.settings import Settings
from tests.support.factories import Make
from tests.support.measured import Case, a_case, claim_of, finish_job, number_of, started, target
from tests.support.model_server import ModelServer, Raw, completion, last_user

SEED = "Give the label."
PLANTED = "Write the word label, a dash, and the number of the case."
WORSE = "Say whatever comes to mind."
Reply = str | Raw


def share_right(instructions: str) -> float:
    """How many rows a prompt gets right: the planted one most, one that is bad hardly any."""
    return 0.85 if PLANTED in instructions else 0.1 if WORSE in instructions else 0.4


def task(body: dict[str, Any]) -> str:
    """The model whose prompt is improved: which rows it gets right depends on its instructions only."""
    instructions = next((turn["content"] for turn in body["messages"] if turn["role"] == "system"), "")
    number = number_of(last_user(body))
    luck = hashlib.sha256(str(number).encode()).digest()[0] / 256
    return target(number) if luck < share_right(instructions) else f"wrong-{number}"


def marked(text: str) -> str:
    return f"<instructions>\n{text}\n</instructions>"


@dataclass
class Script:
    """A critic that says one thing after the other, and the last one again and again."""

    replies: Sequence[Reply]
    asked: list[str] = field(default_factory=list)

    def __call__(self, body: dict[str, Any]) -> Reply:
        self.asked.append(last_user(body))
        return self.replies[min(len(self.asked), len(self.replies)) - 1]


def cut(text: str) -> Raw:
    """A reply that the token limit ended."""
    return Raw(completion(text, finish="length"))


@dataclass
class Improvable:
    """A measured case, its critic, and the order of a run."""

    case: Case
    baseline_id: int
    critic: ModelRow
    engine: Engine
    settings: Settings
    queue: job_engine.Client

    def start(self, **different: Any) -> OptimisationRow:
        order = Order(**{"critic_id": self.critic.id, "consent": True, "candidates": 4, **different})
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            return service.start(session, self.case.assessment.id, order, by=self.case.author)

    def resume(self, run_id: int) -> None:
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            service.resume(session, run_id, by=self.case.author)

    def claim(self, run_id: int) -> Claim:
        return claim_of(self.engine, self.settings, self.queue, run_id, kind="optimise")

    def optimise(self, **different: Any) -> OptimisationRow:
        """Start a run, bring it to its end, and give it back as it then stands."""
        claim = self.claim(self.start(**different).id)
        job.optimise(claim)
        finish_job(self.engine, claim)
        return self.run(claim.subject_id)

    def run(self, run_id: int) -> OptimisationRow:
        with reading(self.engine) as session:
            return store.get(session, run_id)

    def measure(self) -> None:
        """The measuring job that stands in line, done right here."""
        claim = claim_of(self.engine, self.settings, self.queue, self.baseline_id)
        measuring.measure(claim)
        finish_job(self.engine, claim)


def improvable(
    make: Make,
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    servers: tuple[ModelServer, ModelServer],
    number: int = 0,
    **rows: int,
) -> Improvable:
    """servers: of the model and of its critic. number: tells several in one installation apart."""
    sizes = {"train": 30, "dev": 24, "test": 20, **rows}
    more = f" {number}" if number else ""
    case = a_case(make, engine, servers[0], name=f"Loopback{more}", **sizes)
    critic = make.model(
        name=f"Critic{more}",
        kind="endpoint",
        base_url=servers[1].url,
        reference="critic-1",
        files={},
        created_by=case.author.id,
    )
    baseline = started(engine, queue, case, variants=("zero_shot",))
    there = Improvable(case, baseline.id, critic, engine, settings, queue)
    there.measure()
    return there


def serve(reply: Callable[[dict[str, Any]], Reply]) -> Iterator[ModelServer]:
    """For fixtures: a server that ends with the test."""
    server = ModelServer(reply)
    server.start()
    try:
        yield server
    finally:
        server.close()
