"""Asking dev rows a second time, as a worker does it: nothing of the first time is looked at, least of all answers."""

from app.baselines import asked_model, asking, reruns, scored, store, with_passages
from app.baselines.outbox import Meter
from app.baselines.prompts import Shot
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.inference import answer_text
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Generator
from app.jobs.claims import Claim

AT_ONCE = 16  # answers in a transaction


def rerun(claim: Claim) -> None:
    """Ask what has no second answer yet; rows with an error keep it, like those of a measurement that is over."""
    with claim.read() as session:
        ordered = reruns.waiting(session, claim.subject_id)
        baseline = store.get(session, claim.subject_id)
    if ordered is None:
        return
    row, waiting = ordered
    if waiting:
        with asked_model.opened(claim, baseline.model_id) as generator:
            _ask(claim, row.id, row.arm_id, waiting, generator)
    claim.check()
    with claim.write() as session:
        reruns.conclude(session, row.id)


def _ask(claim: Claim, rerun_id: int, arm_id: int, waiting: list[Example], generator: Generator) -> None:
    with claim.read() as session:
        arm = store.arm(session, arm_id)
        needs_pool = {"shots", "scoring"} & set(arm.settings)
        rows = dataset_store.rows(session, arm.baseline.dataset_id, "train") if needs_pool else []
    pool = [Shot(row.id, row.line, tuple(row.messages), row.target) for row in rows]
    looked_up = with_passages.look_up(claim, arm, waiting)
    prepared = asking.preparation(arm, pool, waiting, asked_model.embed_for(claim, arm), looked_up)
    by_id = {str(example.id): example for example in waiting}
    asked = {name: prepared.ask(example) for name, example in by_id.items()}
    requests = {name: each.request(name, arm.baseline.max_tokens) for name, each in asked.items()}
    meter = Meter(claim, total=len(waiting))
    meter.begin(f"{arm.label}: {len(waiting):,} dev rows again", arm.id, "dev")
    came: list[reruns.NewAnswer] = []
    scorer = scored.scorer_of(claim, arm.baseline)
    unseen = isinstance(generator, Endpoint)
    try:
        for answer in generator.answer([*requests.values()], claim.cancelled):
            example = by_id[answer.id]
            settled = answer_text.settled(answer, arm.baseline.max_tokens, example.target, unseen=unseen)
            settled, _ = asked[answer.id].kept(settled, example.target)
            settled, _, score = scored.settle(scorer, settled, None, example)
            came.append(_values(rerun_id, example, settled, score))
            meter.count()
            if len(came) >= AT_ONCE:
                came = _kept(claim, came)
    finally:
        scorer.close()
        _kept(claim, came)


def _values(rerun_id: int, example: Example, answer: Answer, score: float | None) -> reruns.NewAnswer:
    return {
        "rerun_id": rerun_id,
        "example_id": example.id,
        "output": answer.text,
        "error": answer.error,
        "score": score,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "created_at": utcnow(),
    }


def _kept(claim: Claim, came: list[reruns.NewAnswer]) -> list[reruns.NewAnswer]:
    """Store what came; nothing is left to store then."""
    if came:
        with claim.keep() as session:
            reruns.put(session, came)
    return []
