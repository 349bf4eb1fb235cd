"""Asking base and adapter what the release checks rest on: the last thing that a training job does.

What goes wrong here costs the checks, which then say so, and never the run: the adapter is there and was judged.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.baselines import asking, scored
from app.baselines import store as baseline_store
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.inference import answer_text
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.generator import Answer, Request, Unusable
from app.inference.local_protocol import Dtype
from app.inference.tables import ModelRow
from app.jobs.claims import Claim
from app.jobs.progress import Progress
from app.release import items, refusals, store
from app.scoring.scores import Scoring
from app.training import service as trainings
from app.training import stages
from app.training import store as training_store

TRAIN_ROWS = 100  # of the training set, drawn from the run's seed: enough for a gap of 10 points at most metrics
TOGETHER = 60  # questions that are asked before their answers are written down


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask. score: of an answer, 0 to 1. kept: whether the answer itself may be written down."""

    part: str
    item: str
    request: Request
    score: Callable[[str], float | None]
    kept: bool = True


def check(claim: Claim, adapter: Path) -> None:
    """Ask what was not asked yet; a run that was killed here goes on where it was.

    Raises:
        Cancelled, Fenced, Stopping: pass them on.
    """
    count = claim.settings.release_questions
    if not count:
        return
    with claim.read() as session:
        row = training_store.get(session, claim.subject_id)
        model = model_store.get(session, row.model_id)
        arm = baseline_store.arm(session, row.arm_id or 0)
        dtype: Dtype = arm.settings.get("dtype") or row.training_facts.get("dtype", "auto")
        baseline = arm.baseline
    ours = [*_general(count), *_pleas(count)]
    try:
        with closing(scored.scorer_of(claim, baseline)) as scorer:
            _ask(claim, model, adapter, dtype, "adapter", [*ours, *_learnt(claim, count, scorer)])
        _ask(claim, model, None, dtype, "base", ours)
    except Unusable as error:
        claim.check()
        claim.log(f"The release checks could not be finished: {error}")
        with claim.write() as session:
            trainings.note(session, claim.subject_id, {"release_fault": str(error)})


def _ask(
    claim: Claim, model: ModelRow, adapter: Path | None, dtype: Dtype, who: str, questions: Sequence[Question]
) -> None:
    with claim.read() as session:
        done = store.answered(session, claim.subject_id, who)
    waiting = [question for question in questions if (question.part, question.item) not in done]
    if not waiting:
        return
    name = "the adapter" if adapter else "the base model"
    began = time.monotonic()
    with closing(inference.generator(claim.settings, model, adapter, dtype=dtype)) as generator:
        for start in range(0, len(waiting), TOGETHER):
            together = waiting[start : start + TOGETHER]
            by_id = {question.request.id: question for question in together}
            progress: Progress = {
                "stage": f"{stages.RELEASE_CHECKS}: asking {name}",
                "done": len(done) + start,
                "total": len(questions),
                "unit": "questions",
            }
            claim.report(progress, now=True)
            answers = generator.answer([question.request for question in together], claim.cancelled)
            rows = [_row(claim, who, by_id[answer.id], answer) for answer in answers]
            claim.check()
            with claim.write() as session:
                store.put(session, rows)
    claim.log(f"Release checks: asked {name} {len(waiting)} questions in {time.monotonic() - began:.0f} s.")


def _row(claim: Claim, who: str, question: Question, answer: Answer) -> store.NewAnswer:
    settled = answer_text.settled(answer, question.request.max_tokens, "", unseen=False)
    failed = settled.error is not None and settled.finish != "length"
    return {
        "training_id": claim.subject_id,
        "part": question.part,
        "item": question.item,
        "who": who,
        "version": items.VERSION if question.part == "general" else refusals.VERSION,
        "output": settled.text if question.kept else "",
        "score": None if failed else question.score(settled.text),
        "error": (settled.error or "") if failed else "",
        "at": utcnow(),
    }


# ------------------------------------------------------------------ what is asked


def _general(count: int) -> Iterator[Question]:
    for item in items.general(count):
        request = Request(f"general:{item.id}", item.messages, items.MAX_TOKENS)
        yield Question("general", item.id, request, partial(_right, item))


def _right(item: items.Item, text: str) -> float:
    return float(items.right(item, text))


def _scored(scorer: Scoring, example: Example, text: str) -> float | None:
    return scored.score(scorer, text, example).value


def _pleas(count: int) -> Iterator[Question]:
    for plea in refusals.pleas(-(-count // 6)):
        request = Request(f"pleas:{plea.id}", plea.messages, refusals.MAX_TOKENS)
        yield Question("pleas", plea.id, request, lambda text: float(refusals.declines(text)))


def _learnt(claim: Claim, count: int, scorer: Scoring) -> list[Question]:
    """A sample of the training rows, asked as the test rows were. Rows that carry passages are left out of this check:
    what they would be given now is not what they carried."""
    with claim.read() as session:
        row = training_store.get(session, claim.subject_id)
        arm = baseline_store.arm(session, row.arm_id or 0)
        baseline = arm.baseline
        if arm.settings.get("passages"):
            return []
        learned = dataset_store.rows(session, baseline.dataset_id, "train")
        wanted = min(TRAIN_ROWS, count, len(learned))
        sample = random.Random(f"release/{row.id}").sample(list(learned), wanted)
        prepared = asking.preparation(arm, (), sample)
        tokens = baseline.max_tokens
        return [
            Question(
                "train",
                str(example.id),
                prepared.ask(example).request(f"train:{example.id}", tokens),
                partial(_scored, scorer, example),
                kept=False,
            )
            for example in sample
        ]
