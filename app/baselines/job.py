"""The measuring itself: ask every arm what it has not answered yet, and write each answer down as it comes.

Nothing is kept in memory that a kill could lose: rows with an answer are never asked again, so an attempt that goes
on after a crash repeats at most the calls that were in flight. The test rows are asked after all arms are through, by
the one that did best on the dev rows and by those that the dev rows cannot tell from it.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.baselines import (
    answer_store,
    arms,
    asking,
    classifier,
    measured_model,
    prompts,
    rivals,
    shots,
    standing,
    store,
)
from app.baselines.arms import ArmResult, Scored
from app.baselines.asking import Asked
from app.baselines.outbox import Meter, Outbox
from app.baselines.prompts import Shot
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.evaluation import metrics
from app.inference import answer_text
from app.inference import job as inference_job
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Generator, Request, Unusable
from app.inference.local import Dtype, LocalModel
from app.jobs.claims import Claim, Failed
from app.privacy import masking
from app.wording import inflect, percent, plural

WITHIN_REACH = "within reach on dev"
HOPELESS = 20  # rows from the start of an arm that all failed: nobody needs the same error 400 times


def measure(claim: Claim) -> None:
    """Bring a measurement to its end: all arms on dev, the best one on test, the result written down."""
    with claim.read() as session:
        baseline = store.get(session, claim.subject_id)
        model = model_store.get(session, baseline.model_id)
        meter = _meter(claim, session, baseline)
        tested = len(_sample(session, baseline, "test"))
    if model.kind != "endpoint" and not model.files:
        inference_job.prepare(claim, model.id)
    _same_model(claim)
    with _model(claim, baseline) as generator:
        for arm in baseline.arms:
            if arm.family != "adapter" and _waits(arm.dev):
                _same_model(claim)  # an answer of the questionnaire may have changed meanwhile
                answer_arm(claim, arm.id, "dev", generator, meter=meter)
        for_test = _for_test(claim)
        with claim.read() as session:
            may_follow = rivals.rivals_at_most(session, store.get(session, claim.subject_id))
        for number, (arm, why) in enumerate(for_test):
            _same_model(claim)
            meter.expect((len(for_test) - number) * tested, (len(for_test) - number + may_follow) * tested)
            answer_arm(claim, arm.id, "test", generator, meter=meter, why=why)
        with claim.read() as session:
            close = rivals.rivals_to_ask(session, store.get(session, claim.subject_id))
        for number, arm in enumerate(close):
            meter.expect((len(close) - number) * tested)
            answer_arm(claim, arm.id, "test", generator, meter=meter, why=WITHIN_REACH)
        meter.begin("Writing the results down", split="end")
    with claim.write() as session:
        store.get(session, claim.subject_id).concluded_at = utcnow()


def _same_model(claim: Claim) -> None:
    """Ask only what the measurement began with; what a model was not prepared for then is written down now.

    Raises:
        Failed: its connection was changed, it was retired, or the rows may not be sent to it any more.
    """
    with claim.write() as session:
        baseline = store.get(session, claim.subject_id)
        if baseline.model_as is not None and not baseline.model_as["files"]:
            baseline.model_as = {**baseline.model_as, "files": dict(model_store.get(session, baseline.model_id).files)}
        if against := measured_model.against_model(session, baseline):
            raise Failed(against)


def answer_arm(
    claim: Claim,
    arm_id: int,
    split: str,
    generator: Generator | None,
    *,
    meter: Meter | None = None,
    why: str = "",
) -> ArmResult:
    """Have one arm answer the rows of a split that it has not answered, score them, and store the result.

    Training calls this for the adapter's arm: same rows, same rendering, same metric. A look at the test rows is
    written down before the first of them is asked. Returns the result as the arm's row keeps it.

    Raises:
        Failed: the model cannot be used, or the first rows all failed and nothing else in this measurement worked.
        Cancelled, Fenced, Stopping: pass them on.
    """
    with claim.read() as session:
        arm = store.arm(session, arm_id)
        baseline = arm.baseline
        examples = _sample(session, baseline, split)
        free = arm.family in arms.FREE
        takes_shots = free or "shots" in arm.settings
        pool = _pool(session, baseline) if takes_shots else []
        done = answer_store.answered(session, arm_id, split)
    if split == "test" and not free:
        _note_look(claim, arm, why or ("adapter" if arm.family == "adapter" else "best on dev"))
    waiting = [example for example in examples if example.id not in done]
    meter = meter or Meter(claim, total=len(waiting))
    meter.begin(f"{arm.label}: {plural(len(examples), split + ' row')}", arm_id, split)
    if free:
        _put_free(claim, arm, split, waiting, pool)
        meter.count(len(waiting))
    elif waiting:
        _ask(claim, arm, split, waiting, pool, generator, meter)
    claim.check()
    return _conclude(claim, arm_id, split, examples, pool, generator)


# ---------------------------------------------------------------- rows


def _sample(session: Session, baseline: BaselineRow, split: str) -> list[Example]:
    """The rows of a split that this measurement asks, the same ones every time."""
    rows = dataset_store.rows(session, baseline.dataset_id, split)
    limit = baseline.dev_limit if split == "dev" else baseline.test_limit
    chosen = set(arms.sample([row.id for row in rows], limit, baseline.seed))
    return [row for row in rows if row.id in chosen]


def _pool(session: Session, baseline: BaselineRow) -> list[Shot]:
    """The training rows, the only ones that may be shown as examples."""
    return [
        Shot(row.id, row.line, tuple(row.messages), row.target)
        for row in dataset_store.rows(session, baseline.dataset_id, "train")
    ]


def _meter(claim: Claim, session: Session, baseline: BaselineRow) -> Meter:
    """Count what this run asks: the arms without a dev result, and on the test rows one prompt and what asks no model;
    others follow once they are known. What an attempt before this one got answers for is done already."""
    sizes = {split: len(_sample(session, baseline, split)) for split in ("dev", "test")}
    waiting = [arm for arm in baseline.arms if arm.family != "adapter" and _waits(arm.dev)]
    free = [arm for arm in baseline.arms if arm.family in arms.FREE and _waits(arm.test)]
    done = sum(len(answer_store.answered(session, arm.id, "dev")) for arm in waiting)
    total = len(waiting) * sizes["dev"] + (1 + len(free)) * sizes["test"]
    return Meter(claim, total, done, most=total + arms.RIVALS_MOST * sizes["test"])


def _for_test(claim: Claim) -> list[tuple[ArmRow, str]]:
    """Arms that look at the test rows first: the best one, and those without a language model, which choose nothing.

    Raises:
        Failed: no arm counts, because each had too many errors.
    """
    with claim.read() as session:
        baseline = store.get(session, claim.subject_id)
    best = standing.leading(baseline)
    if best is None:
        raise Failed(
            f"No variant can be evaluated: each one had errors on more than {percent(arms.ERROR_LIMIT, 0)} of its "
            "rows. Look at the errors, fix the cause, and press Resume."
        )
    revised = best.family == "revised_prompt"
    best_first = [(best, "best on dev after a revision" if revised else "best on dev")] if _waits(best.test) else []
    return best_first + [(arm, "") for arm in baseline.arms if arm.family in arms.FREE and _waits(arm.test)]


def _waits(result: ArmResult | None) -> bool:
    """Whether an arm has no result on a split, or one with errors, which were asked again."""
    return result is None or bool(result.errors)


def _note_look(claim: Claim, arm: ArmRow, why: str) -> None:
    """Log a look at the test rows, once for each arm: from the third on they are no longer quite unseen."""
    with claim.write() as session:
        baseline = store.get(session, arm.baseline_id)
        if all(look["arm"] != arm.name for look in baseline.test_looks):
            look = {"arm": arm.name, "title": arm.title, "at": utcnow().isoformat(), "by": claim.by, "why": why}
            baseline.test_looks = [*baseline.test_looks, look]


# ---------------------------------------------------------------- asking


@contextmanager
def _model(claim: Claim, baseline: BaselineRow) -> Iterator[Generator]:
    """The run's model, in the precision that its first answers were given in."""
    dtype: Dtype = next((arm.settings["dtype"] for arm in baseline.arms if "dtype" in arm.settings), "auto")
    with claim.read() as session:
        model = model_store.get(session, baseline.model_id)
    claim.report({"stage": f"Starting {model.name}"}, now=True)
    try:
        generator = inference.generator(claim.settings, model, dtype=dtype)
        try:
            if isinstance(generator, LocalModel) and dtype == "auto" and (info := generator.info(claim.cancelled)):
                _keep_dtype(claim, info.dtype)
            yield generator
            if isinstance(generator, Endpoint) and generator.answered:
                with claim.write() as session:
                    inference.note_run(session, model, "")
        finally:
            generator.close()
    except Unusable as error:
        claim.check()
        with claim.write() as session:
            inference.note_run(session, model, str(error))
        raise Failed(str(error)) from error


def _keep_dtype(claim: Claim, dtype: str) -> None:
    """Write down the precision, so that a later attempt, a revision and the adapter are asked in the same."""
    with claim.write() as session:
        for arm in store.get(session, claim.subject_id).arms:
            arm.settings = {**arm.settings, "dtype": dtype}


def _ask(
    claim: Claim,
    arm: ArmRow,
    split: str,
    waiting: Sequence[Example],
    pool: Sequence[Shot],
    generator: Generator | None,
    meter: Meter,
) -> None:
    """Ask for every waiting row and store what comes, errors too."""
    if generator is None:
        raise ValueError("only an arm without a model needs no generator")
    prepared = asking.preparation(arm, pool)
    by_id = {str(example.id): example for example in waiting}
    asked: dict[str, Asked] = {}
    for name, example in by_id.items():
        claim.check()
        asked[name] = prepared.ask(example)
    requests = [each.request(name, arm.baseline.max_tokens) for name, each in asked.items()]
    unanswered = {request.id: request for request in requests}
    if isinstance(generator, Endpoint):
        generator.on_wait = meter.waits
    outbox = Outbox(claim)
    failed, hopeless = 0, ""
    try:
        with closing(_iterated(generator.answer(requests, claim.cancelled))) as answers:
            for number, answer in enumerate(answers, start=1):
                request = unanswered.pop(answer.id)
                unseen = isinstance(generator, Endpoint)
                row = _answer(claim, arm, split, by_id[answer.id], request, asked[answer.id], answer, unseen=unseen)
                outbox.put(row)
                meter.count()
                failed += row["error"] is not None
                if failed == number == HOPELESS:
                    hopeless = masking.mask(row["error"])
                    break
    finally:
        outbox.flush()  # whatever ends this: answers that came are kept
    if hopeless:
        _give_up(claim, arm, split, f"The first {HOPELESS} rows all failed. The last one: {hopeless}")
        for left, request in unanswered.items():
            nothing = Answer(left, "", "", 0, 0, 0.0, error=f"Not asked: the first {HOPELESS} rows all failed.")
            outbox.put(_answer(claim, arm, split, by_id[left], request, asked[left], nothing))
        outbox.flush()


def _give_up(claim: Claim, arm: ArmRow, split: str, why: str) -> None:
    """An arm that cannot be asked costs that arm, as long as the model has answered another one.

    Raises:
        Failed: it has not, or it is the test rows that cannot be asked.
    """
    claim.check()
    with claim.read() as session:
        others = (
            split == "dev" and arm.family != "adapter" and answer_store.any_answer(session, arm.baseline_id, arm.id)
        )
    if not others:
        raise Failed(why)
    claim.log(f"{arm.label} was given up. {why}")


def _iterated(answers: Iterator[Answer]) -> Any:
    """Generators can be closed; the interface only promises an iterator."""
    return (answer for answer in answers)


def _answer(
    claim: Claim,
    arm: ArmRow,
    split: str,
    example: Example,
    request: Request,
    asked: Asked,
    answer: Answer,
    *,
    unseen: bool = False,
) -> dict[str, Any]:
    baseline = arm.baseline
    score = None
    if arm.family not in arms.FREE:
        answer = answer_text.settled(answer, request.max_tokens, example.target, unseen=unseen)
    if answer.error is None:
        score = metrics.score(baseline.metric, answer.text, example.target, baseline.metric_options)
    return {
        "arm_id": arm.id,
        "split": split,
        "example_id": example.id,
        "status": "error" if answer.error else "ok",
        "output": answer.text,
        "raw": answer.raw,
        "error": answer.error,
        "score": score,
        "finish": answer.finish,
        "prompt_sha256": prompts.sha256(request.messages),
        "shots": [shot.line for shot in asked.shots],
        "details": {**(asked.details or {}), **({"chances": dict(answer.chances)} if answer.chances else {})} or None,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "seconds": answer.seconds,
        "attempt": claim.attempt,
        "created_at": utcnow(),
    }


def _put_free(claim: Claim, arm: ArmRow, split: str, waiting: Sequence[Example], pool: Sequence[Shot]) -> None:
    """Answer without a language model: by a small classifier, with the most similar row's answer, or the commonest."""
    outbox = Outbox(claim)
    for example, text, alike in _free_answers(arm, waiting, pool):
        request, copied = Request(str(example.id), (), 0), Asked((), alike)
        outbox.put(_answer(claim, arm, split, example, request, copied, Answer(request.id, text, "stop", 0, 0, 0.0)))
    outbox.flush()


def _free_answers(
    arm: ArmRow, waiting: Sequence[Example], pool: Sequence[Shot]
) -> Iterator[tuple[Example, str, list[Shot]]]:
    """Each row with its answer and the training row that it was copied from, if it was."""
    questions = [prompts.question(example.messages) for example in waiting]
    label = arm.settings.get("label")
    if arm.family == "small_classifier":
        labels = classifier.Classifier(pool, arm.baseline.seed).answer(questions) if waiting else []
        yield from ((example, text, []) for example, text in zip(waiting, labels, strict=True))
    elif label is not None:
        yield from ((example, str(label), []) for example in waiting)
    else:
        nearest = shots.Nearest(pool)
        for example, text in zip(waiting, questions, strict=True):
            alike = nearest.alike(text, 1)
            yield example, alike[0].target if alike else "", alike


# ---------------------------------------------------------------- the result


def _conclude(
    claim: Claim,
    arm_id: int,
    split: str,
    examples: Sequence[Example],
    pool: Sequence[Shot],
    generator: Generator | None,
) -> ArmResult:
    """Sum up an arm's answers on a split, once all of its rows have one."""
    with claim.write() as session:
        arm = store.arm(session, arm_id)
        rows = answer_store.answers(session, arm_id, split)
        if len(rows) < len(examples):
            missing = len(examples) - len(rows)
            have = inflect(missing, "has", "have")
            raise Failed(f"{plural(missing, 'row')} of {arm.label} {have} no answer. Press Resume to ask again.")
        binary = metrics.get(arm.baseline.metric).binary
        nothing = binary and not any(row.score for row in rows)
        wanted = {example.id: example.target for example in examples}
        by_model = arm.family not in arms.FREE
        size = _prompt_characters(arm, examples, pool) if by_model else None
        scored = [_scored(arm.baseline, row, wanted.get(row.example_id, ""), near=nothing and by_model) for row in rows]
        result = arms.tallied(scored, binary=binary, seed=arm.baseline.seed, prompt_characters=size)
        result = replace(result, at=utcnow().isoformat())
        assessment_store.note_result(session, arm.baseline.assessment_id, utcnow())
        if by_model:
            pace = _pace(rows, result, generator)
            result = replace(result, pace=pace, null=() if pace else ("pace",))
        if isinstance(generator, Endpoint):
            result = replace(result, reported=tuple(sorted(generator.reported)) or None)
            remarks = list(generator.remarks)
            if size is not None and arms.counted_short(result, size):
                remarks.append(
                    f"The server counted {result.tokens_in:,.0f} tokens for prompts of about {size:,.0f} "
                    "characters. It may cut prompts off: look at the size of its context."
                )
            result = replace(result, remarks=tuple(remarks) or None)
        if split == "dev":
            arm.dev = result
        else:
            arm.test = result
        return result


def _scored(baseline: BaselineRow, row: AnswerRow, target: str, *, near: bool) -> Scored:
    name, options = baseline.metric, baseline.metric_options
    answered = row.score is not None
    return Scored(
        row.score,
        row.prompt_tokens,
        row.completion_tokens,
        row.seconds,
        cut=row.finish == "length",
        thought=row.raw is not None,
        dressed=bool(row.score) and metrics.dressed(name, row.output, target, options),
        saved=metrics.saved(name, row.output, target, options) if answered and not row.score else "",
        near=metrics.score("chrf", row.output, target, {}) if near and answered else 0.0,
        characters=len(row.raw or row.output),
    )


def _prompt_characters(arm: ArmRow, examples: Sequence[Example], pool: Sequence[Shot]) -> float:
    """Characters of a prompt of this arm, on average."""
    question = _mean([len(turn.content) for example in examples for turn in example.messages], of=len(examples))
    shots = int(arm.settings.get("k", 0))
    shot_size = _mean([len(turn.content) for shot in pool for turn in shot.messages], of=len(pool))
    shot_size += _mean([len(shot.target) for shot in pool], of=len(pool))
    return len(standing.instructions_of(arm.baseline, arm)) + question + shots * shot_size


def _mean(values: Sequence[int], *, of: int) -> float:
    return sum(values) / of if of else 0.0


def _pace(rows: Sequence[AnswerRow], result: ArmResult, generator: Generator | None) -> float | None:
    """Seconds from one answer to the next: by the clock where several are under way, else what each took."""
    if isinstance(generator, Endpoint):
        return arms.pace([(row.attempt, row.created_at.timestamp(), row.seconds) for row in rows])
    return result.mean_seconds or None
