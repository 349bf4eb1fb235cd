"""A run of the optimizer as a worker does it: both models, the rows, and what it came to."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from app.baselines import (
    answer_store,
    arms,
    asked_model,
    asking,
    classifier,
    measured_model,
    scored,
    standing,
    with_passages,
)
from app.baselines import store as baseline_store
from app.baselines.prompts import Shot, question
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.inference import job as inference_job
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.generator import Generator, Unusable
from app.inference.local_protocol import Dtype
from app.inference.tables import ModelRow
from app.instructions import service, store
from app.instructions.copies import Copies, RowText
from app.instructions.models import Critic, Task
from app.instructions.rounds import Rounds
from app.instructions.tables import OptimisationRow
from app.jobs.claims import Claim, Failed
from app.scoring.scores import Scoring
from app.users import store as user_store


def optimise(claim: Claim) -> None:
    """Bring a run to its end: drafts are written and scored, and a better one becomes an arm that is measured."""
    claim.report({"stage": "Getting the rows ready"}, now=True)
    with claim.read() as session:
        run = store.get(session, claim.subject_id)
        baseline = baseline_store.get(session, run.baseline_id)
        first = next(arm for arm in baseline.arms if arm.id == run.arm_id)
        model, critic = service.task_model(session, baseline, first), model_store.get(session, run.critic_id)
        against = measured_model.against_model(session, baseline) or service.against_critic(session, run)
    if against:
        raise Failed(against)
    if critic.kind != "endpoint" and not critic.files:
        _prepare(claim, critic)
    with claim.read() as session:
        model, critic = model_store.get(session, model.id), model_store.get(session, critic.id)
    with ExitStack() as opened:
        task = opened.enter_context(_generator(claim, model, standing.dtype_of(baseline).get("dtype", "auto")))
        writer = opened.enter_context(_generator(claim, critic, "auto"))
        scorer = opened.enter_context(closing(scored.scorer_of(claim, baseline)))
        rounds = _rounds(claim, run, baseline, first, task, Critic(writer), scorer)
        try:
            ending = rounds.run(run.candidates)
        except Unusable as error:
            claim.check()
            raise Failed(str(error)) from error
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        service.conclude(session, row, ending, by=user_store.get(session, claim.by or row.created_by))


def _prepare(claim: Claim, critic: ModelRow) -> None:
    """Have the critic's files checked and hashed, and keep with the run what they are."""
    inference_job.prepare(claim, critic.id)
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.critic_as = {**row.critic_as, "files": dict(model_store.get(session, critic.id).files)}


@contextmanager
def _generator(claim: Claim, model: ModelRow, dtype: Dtype) -> Iterator[Generator]:
    claim.report({"stage": f"Starting {model.name}"}, now=True)
    try:
        generator = inference.generator(claim.settings, model, dtype=dtype)
    except Unusable as error:
        raise Failed(str(error)) from error
    try:
        yield generator
    finally:
        generator.close()


def _rounds(
    claim: Claim,
    run: OptimisationRow,
    baseline: BaselineRow,
    first: ArmRow,
    task: Generator,
    critic: Critic,
    scorer: Scoring,
) -> Rounds:
    with claim.read() as session:
        dataset = dataset_store.get(session, baseline.dataset_id)
        rows = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
        known = answer_store.scored(session, first.id, "dev")
        arm = baseline_store.arm(session, first.id)
        pool = [Shot(row.id, row.line, tuple(row.messages), row.target) for row in rows["train"]]
    dev = _drawn(_drawn(rows["dev"], baseline.dev_limit, baseline.seed), run.dev_rows, baseline.seed)
    asked = [*_drawn(rows["train"], run.train_rows, run.seed), *dev]
    needs_pool = {"shots", "scoring"} & set(arm.settings)
    prepared = asking.preparation(
        arm,
        pool if needs_pool else [],
        asked,
        asked_model.embed_for(claim, arm),
        with_passages.look_up(claim, arm, asked),
    )
    seed = run.candidates[0].text
    rounds = Rounds(
        claim=claim,
        run_id=run.id,
        task=Task(task, prepared, scorer, baseline.max_tokens),
        critic=critic,
        budget=run.budget,
        spent=run.spent,
        copies=Copies(_texts(rows), seed, labels=classifier.labelled([row.target for row in rows["train"]])),
        masker=masked_rows.masker_for_measurements(dataset),
        train=_drawn(rows["train"], run.train_rows, run.seed),
        dev=dev,
        seed=run.seed,
    )
    rounds.know(seed, known)
    return rounds


def _drawn(rows: list[Example], limit: int, seed: int) -> list[Example]:
    chosen = set(arms.sample([row.id for row in rows], limit, seed))
    return [row for row in rows if row.id in chosen]


def _texts(rows: dict[str, list[Example]]) -> Iterator[RowText]:
    """Every question and answer, for the check of copies. Test rows are looked for in prompts and never scored."""
    for split, examples in rows.items():
        for row in examples:
            yield RowText(split, row.line, question(row.messages), answer=False)
            yield RowText(split, row.line, row.target, answer=True)
