"""Asking a server for base and adapter: the body of the job kind `check_served`."""

import random
from collections.abc import Sequence
from contextlib import closing

from app.assessments import own_servers
from app.assessments import store as assessment_store
from app.baselines import asking, scored, with_passages
from app.baselines import store as baseline_store
from app.baselines.asking import Preparation
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.deployed import service, store
from app.deployed.judgement import Compared
from app.inference import answer_text
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.generator import Answer, Unusable
from app.inference.tables import ModelRow
from app.jobs.claims import Claim, Failed
from app.jobs.progress import Progress
from app.scoring.scores import Scoring
from app.training import store as trainings


def check(claim: Claim) -> None:
    """Ask the same dev rows of both, with the adapter's own prompt, and note where their answers differ.

    Raises:
        Failed: a connection was changed, cannot be used, or rows may not be sent there any more.
    """
    with claim.read() as session:
        row = store.get(session, claim.subject_id)
        run = trainings.get(session, row.training_id)
        arm = baseline_store.arm(session, run.arm_id or 0)
        rows = dataset_store.rows(session, arm.baseline.dataset_id, "dev")
        models = [model_store.get(session, number) for number in (row.base_model_id, row.adapter_model_id)]
        stored = [row.base_as, row.adapter_as]
        names = [model.name for model, was in zip(models, stored, strict=True) if not service.unchanged(model, was)]
        assessment = assessment_store.get(session, run.assessment_id)
        sending = [own_servers.against_sending(assessment, model) for model in models]
    if names:
        raise Failed(f"The connection of {names[0]} was changed since. Check again.")
    if against := next(filter(None, sending), ""):
        raise Failed(against)
    sample = random.Random(f"served/{row.training_id}").sample(rows, min(service.ROWS, len(rows)))
    passages = with_passages.look_up(claim, arm, sample)
    prepared = asking.preparation(arm, (), sample, None, passages)
    answers = [_asked(claim, model, prepared, sample, arm.baseline.max_tokens) for model in models]
    with closing(scored.scorer_of(claim, arm.baseline)) as scorer:
        compared = {
            str(example.id): _compared(scorer, example, *(each.get(str(example.id)) for each in answers))
            for example in sample
        }
    with claim.write() as session:
        stored_row = store.get(session, claim.subject_id)
        stored_row.answers = compared
        stored_row.done_at = utcnow()


def _asked(
    claim: Claim, model: ModelRow, prepared: Preparation, sample: Sequence[Example], max_tokens: int
) -> dict[str, Answer]:
    claim.report({"stage": f"Asking {model.name}"}, now=True)
    requests = [prepared.ask(example).request(str(example.id), max_tokens) for example in sample]
    targets = {str(example.id): example.target for example in sample}
    answers: dict[str, Answer] = {}
    try:
        with closing(inference.generator(claim.settings, model)) as generator:
            for answer in generator.answer(requests, claim.cancelled):
                answers[answer.id] = answer_text.settled(answer, max_tokens, targets[answer.id])
                progress: Progress = {"done": len(answers), "total": len(requests), "unit": "answers"}
                claim.report({"stage": f"Asking {model.name}", **progress})
    except Unusable as error:
        claim.check()
        raise Failed(f"{model.name}: {error}") from error
    claim.check()
    return answers


def _compared(scorer: Scoring, example: Example, base: Answer | None, adapter: Answer | None) -> Compared:
    """What is kept of one row: two scores, and whether both said the same."""
    for answer in (base, adapter):
        if answer is None or answer.error is not None:
            return {"error": answer.error or "" if answer else "Not asked."}
    assert base is not None  # noqa: S101 - looked at above
    assert adapter is not None  # noqa: S101 - looked at above
    of_base, of_adapter = (scored.score(scorer, answer.text, example) for answer in (base, adapter))
    if of_base.value is None:
        return {"error": of_base.why}
    if of_adapter.value is None:
        return {"error": of_adapter.why}
    return {"base": of_base.value, "adapter": of_adapter.value, "same": base.text.strip() == adapter.text.strip()}
