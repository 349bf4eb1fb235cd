"""A measured case, a judge on loopback that says what a script tells it to, and a way to run its job right here."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from app.baselines.tables import ArmRow
from app.db import reading, writing
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.judging import job, outcome, rounds, service, store
from app.judging.order import Order
from app.judging.outcome import Outcome
from app.judging.tables import JudgementRow, JudgeRoundRow, JudgeRunRow
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, finish_job, started
from tests.support.model_server import ModelServer, Raw, last_user

RULE = "it gives the label of the case"
Reply = str | Raw


def says(word: str, reason: str = "Because.") -> str:
    return json.dumps({"reason": reason, "verdict": word})


def between(body: dict[str, Any], name: str) -> str:
    """What stands between the marks of that name in what a judge was asked."""
    found = re.search(rf"<<{name} ([0-9a-f]+)>>\n(.*)\n<<end {name} \1>>", last_user(body), re.DOTALL)
    assert found is not None, last_user(body)
    return found.group(2)


def fair(body: dict[str, Any]) -> str:
    """A judge that is right: an answer passes if it is the expected one; of two, the one that is."""
    expected = between(body, "expected answer")
    if "<<answer " in last_user(body):
        return says("pass" if between(body, "answer") == expected else "fail")
    first, second = (between(body, f"{which} answer") == expected for which in ("first", "second"))
    return says("tie" if first == second else "first" if first else "second")


@dataclass
class Judgeable:
    """A measured case with its judge."""

    case: Case
    baseline_id: int
    judge: ModelRow
    engine: Engine
    settings: Settings
    queue: job_engine.Client
    arms: list[ArmRow] = field(default_factory=list)

    @property
    def arm_ids(self) -> tuple[int, ...]:
        """Zero-shot and nearest examples."""
        by_family = {arm.family: arm.id for arm in self.arms}
        return by_family["zero_shot"], by_family["few_shot_nearest"]

    def write_rubric(self, passes_if: str = RULE, *, with_expected: bool = True) -> None:
        with writing(self.engine) as session:
            service.add_rubric(
                session,
                self.case.assessment.id,
                "wrong label",
                passes_if,
                with_expected=with_expected,
                by=self.case.author,
            )

    def order(self, **different: Any) -> Order:
        return Order(**{"judge_id": self.judge.id, "arms": self.arm_ids, "consent": True, **different})

    def start(self, **different: Any) -> int:
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            order = self.order(**different)
            return service.start(session, self.case.assessment.id, order, by=self.case.author).id

    def go_on(self, run_id: int, calls: int | None = None) -> None:
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            service.go_on(session, run_id, by=self.case.author, calls=calls)

    def claim(self, run_id: int, **more: Any) -> Claim:
        return claim_of(self.engine, self.settings, self.queue, run_id, kind="judge", **more)

    def work(self, run_id: int) -> None:
        """The job that stands in line, done right here."""
        claim = self.claim(run_id)
        try:
            job.judge(claim)
        finally:
            finish_job(self.engine, claim)

    def judged(self, **different: Any) -> int:
        """Start a run and bring it to its end; its id."""
        run_id = self.start(**different)
        self.work(run_id)
        return run_id

    def run(self, run_id: int) -> JudgeRunRow:
        with reading(self.engine) as session:
            return store.get(session, run_id)

    def outcome(self, run_id: int) -> Outcome:
        with reading(self.engine) as session:
            return outcome.outcome(session, store.get(session, run_id))

    def judgements(self, run_id: int) -> Sequence[JudgementRow]:
        with reading(self.engine) as session:
            return store.judged(session, run_id)

    def label(self, by: UserRow, right: Callable[[str, str], bool] = lambda output, target: output == target) -> int:
        """A person labels a whole round; right: of an answer and what was expected. The id of the round."""
        with writing(self.engine) as session:
            row: JudgeRoundRow = rounds.begin(session, self.case.assessment.id, by=by)
            for one in rounds.to_label(session, row):
                assert one.expected is not None
                label = "pass" if right(one.output, one.expected) else "fail"
                rounds.say(session, row.id, one.place, label, by=by)
            rounds.end(session, row.id, by=by)
            return row.id


def judgeable(
    make: Make,
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    servers: tuple[ModelServer, ModelServer],
    **rows: int,
) -> Judgeable:
    """servers: of the model and of the judge. Two prompts were measured; the rubric is not written yet."""
    from app.baselines import job as measuring

    sizes = {"train": 30, "dev": 40, "test": 20, **rows}
    case = a_case(make, engine, servers[0], "Loopback", **sizes)
    judge = make.model(
        name="Judge",
        kind="endpoint",
        base_url=servers[1].url,
        reference="claude-judge",
        files={},
        created_by=case.author.id,
    )
    baseline = started(engine, queue, case, variants=("zero_shot", "few_shot_nearest"))
    claim = claim_of(engine, settings, queue, baseline.id)
    measuring.measure(claim)
    finish_job(engine, claim)
    there = Judgeable(case, baseline.id, judge, engine, settings, queue)
    there.arms = list(baseline_of(engine, baseline.id).arms)
    return there
