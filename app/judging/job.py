"""A run of a judge as a worker does it: what has no judgement is asked, and each word is written down as it comes.

A prompt that this judge has replied to, in this run or an earlier one of the assessment, is not asked again, and two
answers that make one prompt are asked once. A kill costs at most the calls that were in flight.
"""

import time
from collections.abc import Generator as Closable
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from app.baselines import store as baseline_store
from app.db import utcnow
from app.inference import answer_text
from app.inference import job as inference_job
from app.inference import service as inference
from app.inference import store as model_store
from app.inference.endpoint import Endpoint
from app.inference.findings import Manner
from app.inference.generator import Answer, Generator, Request, Unusable
from app.jobs.claims import Claim, Failed
from app.jobs.progress import Progress
from app.judging import items, offers, service, store
from app.judging.items import Item, Wanted
from app.judging.order import Spent
from app.judging.store import JudgeWord, NewJudgement
from app.judging.tables import JudgementRow
from app.privacy import masking
from app.scoring import judge_replies as replies
from app.scoring.judge import REPLY_TOKENS
from app.scoring.judge_replies import Unreadable
from app.wording import plural

HOPELESS = 20  # replies from the start that all failed: nobody needs the same error 400 times
FLUSH_ROWS = 32
FLUSH_SECONDS = 0.25


def judge(claim: Claim) -> None:
    """Bring a run to its end: every answer judged, or the budget used up."""
    claim.report({"stage": "Getting the answers ready"}, now=True)
    with claim.read() as session:
        run = store.get(session, claim.subject_id)
        model, against = model_store.get(session, run.judge_id), service.against_judge(session, run)
    if against:
        raise Failed(against)
    if model.kind != "endpoint" and not model.files:
        _prepare(claim, model.id)
    with claim.read() as session:
        run, model = store.get(session, claim.subject_id), model_store.get(session, model.id)
        rubric, baseline = store.rubric(session, run.rubric_id), baseline_store.get(session, run.baseline_id)
        there = items.items(session, baseline, rubric, Wanted.of_run(session, run))
        done = {row.answer_id for row in store.judged(session, run.id)}
        manner = service.judge_of(run).manner
        known = offers.known_replies(session, run.assessment_id, model, manner)
    outbox = Outbox(claim, run.spent, total=len(there), done=len(done))
    waiting = [item for item in there if item.answer_id not in done]
    outbox.reuse([(item, known[item.sha256]) for item in waiting if item.sha256 in known])
    asked: dict[str, list[Item]] = {}
    for item in waiting:
        if item.sha256 not in known:
            asked.setdefault(item.sha256, []).append(item)
    allowed = len(asked) if run.calls is None else max(0, min(len(asked), run.calls - run.spent.calls))
    within = dict(list(asked.items())[:allowed])
    if within:
        with _opened(claim, model.id, manner) as generator:
            _ask(claim, within, generator, outbox)
    claim.check()
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.ending, row.ended_at = ("done" if allowed == len(asked) else "calls"), utcnow()


def _prepare(claim: Claim, model_id: int) -> None:
    """Have the judge's files checked and hashed, and keep with the run what they are."""
    inference_job.prepare(claim, model_id)
    with claim.write() as session:
        row = store.get(session, claim.subject_id)
        row.judge_as = {**row.judge_as, "files": dict(model_store.get(session, model_id).files)}


@contextmanager
def _opened(claim: Claim, model_id: int, manner: Manner) -> Iterator[Generator]:
    """The judge, asked as when the run began."""
    with claim.read() as session:
        model = model_store.get(session, model_id)
    claim.report({"stage": f"Starting {model.name}"}, now=True)
    try:
        generator = inference.generator(claim.settings, model, asked_as=manner)
        try:
            yield generator
        finally:
            generator.close()
    except Unusable as error:
        claim.check()
        raise Failed(str(error)) from error


def _ask(claim: Claim, asked: Mapping[str, Sequence[Item]], generator: Generator, outbox: "Outbox") -> None:
    """Ask each prompt once and keep the word for every answer that makes it.

    Raises:
        Failed: nothing that came could be read.
    """
    requests = [Request(sha256, same[0].messages, REPLY_TOKENS) for sha256, same in asked.items()]
    unseen, failed, came = isinstance(generator, Endpoint), 0, 0
    if isinstance(generator, Endpoint):
        generator.on_wait = outbox.waits
    try:
        with closing(_iterated(generator.answer(requests, claim.cancelled))) as answers:
            for answer in answers:
                settled = answer_text.settled(answer, REPLY_TOKENS, unseen=unseen)
                row = _row(claim, asked[answer.id][0], settled)
                outbox.put(row, asked[answer.id])
                came += 1
                failed += row["status"] == "error"
                if failed == came == HOPELESS:
                    last = masking.mask(row["error"] or "")
                    raise Failed(f"The first {plural(HOPELESS, 'reply', 'replies')} all failed. The last one: {last}")
    finally:
        outbox.flush()  # whatever ends this: judgements that came are kept


def _row(claim: Claim, item: Item, answer: Answer) -> NewJudgement:
    """A judgement as it is stored: a reply that can't be read is an error, and its text is kept."""
    read = None if answer.error is not None else replies.read(answer, item.words)
    error = answer.error if read is None else read.sentence if isinstance(read, Unreadable) else None
    word, reason = (None, "") if read is None or isinstance(read, Unreadable) else (read.word, read.reason)
    return {
        "run_id": claim.subject_id,
        "answer_id": item.answer_id,
        "beside_id": item.beside_id,
        "status": "ok" if word else "error",
        "word": word,
        "reason": reason,
        "raw": answer.raw or answer.text or None,
        "error": error,
        "prompt_sha256": item.sha256,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "seconds": answer.seconds,
        "reused": False,
        "attempt": claim.attempt,
        "created_at": utcnow(),
    }


def _iterated(answers: Iterator[Answer]) -> Closable[Answer, None, None]:
    """Generators can be closed; the interface only promises an iterator."""
    return (answer for answer in answers)


@dataclass
class Outbox:
    """Judgements on their way to the database with what they took: a few at a time, never for long."""

    claim: Claim
    spent: Spent
    total: int
    done: int
    waiting: list[NewJudgement] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.monotonic)
    came: int = 0

    def reuse(self, known: Sequence[tuple[Item, JudgementRow]]) -> None:
        """Take over what was replied to the same prompt before."""
        for item, row in known:
            kept: JudgeWord = {
                "status": row.status,
                "word": row.word,
                "reason": row.reason,
                "raw": row.raw,
                "error": row.error,
                "prompt_sha256": row.prompt_sha256,
            }
            self._add(self._copy(kept, item))
        self.flush()

    def put(self, judgement: NewJudgement, same: Sequence[Item]) -> None:
        """Keep a judgement for every item with its prompt; it was asked once."""
        self.spent.calls += 1
        self.spent.read += judgement["prompt_tokens"]
        self.spent.write += judgement["completion_tokens"]
        self.came += 1
        self._add(judgement)
        for item in same[1:]:
            self._add(self._copy(judgement, item))
        self._tell()

    def _copy(self, kept: JudgeWord, item: Item) -> NewJudgement:
        self.spent.reused += 1
        return {
            **kept,
            "run_id": self.claim.subject_id,
            "answer_id": item.answer_id,
            "beside_id": item.beside_id,
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "seconds": 0.0,
            "reused": True,
            "attempt": self.claim.attempt,
            "created_at": utcnow(),
        }

    def _add(self, judgement: NewJudgement) -> None:
        self.waiting.append(judgement)
        self.done += 1
        if len(self.waiting) >= FLUSH_ROWS or time.monotonic() - self.since >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            with self.claim.keep() as session:
                store.put(session, self.waiting)
                store.get(session, self.claim.subject_id).spent = Spent.from_json(self.spent.to_json())
            self.waiting = []
        self.since = time.monotonic()

    def waits(self, why: str) -> None:
        """Say that nothing comes for now, and why."""
        self._tell(stage=why)

    def _tell(self, stage: str = "") -> None:
        progress: Progress = {
            "stage": stage or "Judging",
            "done": self.done,
            "total": self.total,
            "unit": "judgements",
            "calls": self.spent.calls,
        }
        if self.came >= 4 and not stage:
            rate = self.came / max(time.monotonic() - self.began, 1e-6)
            progress |= {"rate": rate, "seconds_left": max(0, self.total - self.done) / rate}
        self.claim.tell(progress, now=bool(stage))
