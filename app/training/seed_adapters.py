"""Adapters of the other seeds of a run: asked the test rows like the one that is judged, to show how much of its score
is chance. None of them is handed out: whoever could take the best of several on the test rows would have chosen there.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from app import secret
from app.baselines import job as baseline_job
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.generator import Unusable
from app.inference.local_protocol import Dtype
from app.jobs.claims import Claim
from app.training import legs, service, store
from app.training.checkpoints import CheckpointStore, Corrupt
from app.training.facts import OutcomeJson
from app.training.legs import Outcome
from app.training.protocol import ADAPTER


def judge(claim: Claim, run: Path, dtype: Dtype) -> None:
    """Have the adapter of each other seed answer the test rows; what was answered before is not asked again.

    What goes wrong here costs the spread, which then says so, and never the run.

    Raises:
        Cancelled, Fenced, Stopping: pass them on.
    """
    with claim.read() as session:
        outcomes = of_seeds(store.get(session, claim.subject_id).training_facts.get("legs", ()))
    for outcome in outcomes:
        try:
            _judge(claim, run, outcome, dtype)
        except (Corrupt, Unusable) as fault:
            claim.check()
            claim.log(f"The adapter of seed {outcome.seed} could not be scored: {fault}")
            with claim.write() as session:
                service.note(session, claim.subject_id, {"seeds_fault": f"Seed {outcome.seed}: {fault}"})


def of_seeds(stored: Sequence[OutcomeJson]) -> list[Outcome]:
    """The legs of other seeds that have an adapter. stored: `training_facts["legs"]`."""
    outcomes = [Outcome.from_json(one) for one in stored]
    return [one for one in outcomes if one.kind == "seed" and not one.diverged]


def _judge(claim: Claim, run: Path, outcome: Outcome, dtype: Dtype) -> None:
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        model = model_store.get(session, row.model_id)
        arm = service.adapter_arm(session, row, seed=outcome.seed)
        arm_id, digest, done = arm.id, row.digest, arm.test is not None
    if done:
        return
    kept = CheckpointStore(run, secret.key(claim.settings), digest, 0)
    adapter = legs.store(kept, outcome.name).read(legs.folder(run, outcome.name) / ADAPTER).folder
    claim.log(f"The adapter of seed {outcome.seed} answers the test rows.")
    claim.report({"stage": f"Scoring the adapter of seed {outcome.seed} on the test rows"}, now=True)
    with closing(inference.generator(claim.settings, model, adapter, dtype=dtype)) as generator:
        baseline_job.answer_arm(claim, arm_id, "test", generator, why="another seed of an adapter")
