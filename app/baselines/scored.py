"""The deciding metric at work in a job: opened for a measurement, and what it makes of an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.baselines import arms, deciding_judge, judge_calls, measured_model, prompts, replies
from app.baselines.answer_details import AnswerDetails
from app.baselines.answer_store import NewAnswer
from app.baselines.asking import Asked
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.errors import Conflict
from app.inference import answer_text
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.generator import Answer, Request, Unusable
from app.jobs.claims import Claim, Failed
from app.processes.sealed import Unavailable
from app.scoring import service as scoring
from app.scoring.judge import Judge, Question
from app.scoring.scores import AboutRow, Score, Scoring


def scorer_of(claim: Claim, baseline: BaselineRow) -> Scoring:
    """The deciding metric, ready to score; whoever has it closes it.

    Raises:
        Failed: what it is executed with is not there or not allowed.
    """
    if baseline.metric == deciding_judge.METRIC:
        return _judge(claim, baseline)
    try:
        with claim.read() as session:
            return scoring.opened(session, claim.settings, claim.blobs, baseline.metric, baseline.metric_options)
    except Conflict as refusal:
        raise Failed(str(refusal)) from refusal


def _judge(claim: Claim, baseline: BaselineRow) -> Judge:
    """The judge that decides, asked as when the measurement began.

    Raises:
        Failed: it is another one by now, or may not be asked any more.
    """
    decides = deciding_judge.of(baseline.judge)
    if decides is None:
        raise Failed("No LLM judge is kept with this measurement. Start a new one.")
    with claim.read() as session:
        model = model_store.get(session, decides.model_id)
        against = measured_model.against_judge(session, baseline, decides)
        dataset = dataset_store.get(session, baseline.dataset_id)
        hide = masked_rows.masker_for_measurements(dataset)
    if against:
        raise Failed(against)
    try:
        generator = inference.generator(claim.settings, model, asked_as=decides.manner)
    except Unusable as why:
        raise Failed(f"The LLM judge cannot be asked. {why}") from why

    def known(questions: Sequence[Question]) -> Mapping[Question, Score]:
        with claim.read() as session:
            return judge_calls.known(session, baseline.id, questions)

    return Judge(decides.passes_if, decides.with_expected, generator, hide, claim.cancelled, known)


def score(scorer: Scoring, output: str, example: Example) -> Score:
    """What an answer is worth.

    Raises:
        Failed: this machine cannot confine what is executed.
    """
    try:
        return scorer.score(output, example.target, about(example))
    except Unavailable as why:
        raise Failed(str(why)) from why
    except Unusable as why:
        raise Failed(f"The LLM judge cannot be asked. {why}") from why


def settle(
    scorer: Scoring, answer: Answer, details: AnswerDetails | None, example: Example
) -> tuple[Answer, AnswerDetails | None, float | None]:
    """An answer with what is kept of it and its score. One that could not be scored is an error and no wrong answer:
    nobody knows what it is worth."""
    if answer.error is not None:
        return answer, details, None
    made = score(scorer, answer.text, example)
    if made.value is None:
        return replace(answer, error=made.why), {**(details or {}), "unscored": True}, None
    return answer, {**(details or {}), "why": made.why} if made.why else details, made.value


def about(example: Example) -> AboutRow:
    """What a scorer is told of a row."""
    return AboutRow(example.line, prompts.question(example.messages), tuple(example.messages))


def stored(
    claim: Claim,
    arm: ArmRow,
    split: str,
    example: Example,
    request: Request,
    asked: Asked,
    answer: Answer,
    *,
    scorer: Scoring | None = None,
    unseen: bool = False,
) -> NewAnswer:
    """An answer as it is stored; without a scorer it has to be an error."""
    score, came = None, answer
    if arm.family not in arms.FREE:
        answer = answer_text.settled(answer, request.max_tokens, example.target, unseen=unseen)
    answer, details = asked.kept(answer, example.target)
    if scorer is not None:
        answer, details, score = settle(scorer, answer, details, example)
    there = answer.error is None or bool((details or {}).get("unscored"))
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
        "details": details,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "prompt_characters": sum(len(message.content) for message in request.messages) or None,
        "asked_sha256": None,
        "reply": replies.beside(came, answer.raw, answer.text) if there else None,
        "taken_from": None,
        "seconds": answer.seconds,
        "attempt": claim.attempt,
        "created_at": utcnow(),
    }
