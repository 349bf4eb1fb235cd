"""Watched metrics: scored for every answer beside the deciding metric, and read by people only.

No criterion, no review and no comparison of arms asks here, and watching another metric makes no new revision: what was
approved rests on the deciding metric alone. One that is added later is worked out from the stored answers; nothing is
asked again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import answer_store, scored, store
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.evaluation import metrics, statistics
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.json_types import JsonObject
from app.processes.sealed import Unavailable
from app.scoring import service as scoring
from app.scoring import store as scoring_store
from app.scoring.scores import Scoring
from app.scoring.tables import WatchedResultRow, WatchedRow
from app.settings import Settings
from app.users.tables import UserRow
from app.wording import plural

MOST = 8  # watched metrics of one assessment
AT_ONCE = 100  # answers scored between two writes
SPLITS = ("dev", "test")


def watch(
    session: Session,
    settings: Settings,
    assessment_id: int,
    metric: str,
    options: JsonObject,
    *,
    by: UserRow,
) -> WatchedRow:
    """Watch a metric from now on; answers that are stored already are scored by a job. The same one again gives the one
    that is there.

    Raises:
        Invalid: it cannot be used like this, or there are too many.
        Conflict: the assessment is archived.
    """
    assessment_store.opened(session, assessment_id)
    kept = metrics.checked(metric, options)
    faults = scoring.against(session, settings, assessment_id, metric, kept)
    there = scoring_store.watched(session, assessment_id)
    key = hashlib.sha256(json.dumps([metric, kept], sort_keys=True).encode()).hexdigest()
    if same := next((row for row in there if row.key == key), None):
        return same
    if len(there) >= MOST:
        faults.append(FieldError("#/metric", f"At most {MOST} metrics can be watched. Take one off first."))
    if faults:
        raise Invalid("The metric cannot be watched like this.", faults)
    row = WatchedRow(
        assessment_id=assessment_id, metric=metric, options=kept, key=key, created_by=by.id, created_at=utcnow()
    )
    session.add(row)
    session.flush()
    _note(session, row, by, "scoring.watch")
    if any(arm.dev or arm.test for baseline in _measurements(session, assessment_id) for arm in baseline.arms):
        title = f"Score stored answers: {metrics.get(metric).title}"
        jobs.add(session, "watch", row.id, by.id, assessment_id=assessment_id, title=title)
    return row


def unwatch(session: Session, assessment_id: int, watched_id: int, *, by: UserRow) -> None:
    """Watch a metric no more; its scores go, the answers stay."""
    assessment_store.opened(session, assessment_id)
    row = scoring_store.one_watched(session, assessment_id, watched_id)
    _note(session, row, by, "scoring.unwatch")
    session.delete(row)
    session.flush()


def _note(session: Session, row: WatchedRow, by: UserRow, act: str) -> None:
    """On record, and no hand in it: what decides nothing makes nobody an author."""
    detail = {"assessment": row.assessment_id, "metric": row.metric, "options": row.options}
    audit.record(session, by, act, "assessment", row.assessment_id, detail)


def _measurements(session: Session, assessment_id: int) -> list[BaselineRow]:
    """Those on today's rows, the newest first."""
    dataset = dataset_store.current(session, assessment_id)
    rows = store.of_assessment(session, assessment_id)
    return [row for row in rows if dataset is not None and row.dataset_id == dataset.id]


# ---------------------------------------------------------------- scoring


def score_stored(claim: Claim) -> None:
    """The job after a metric was added: score every stored answer on today's rows by it."""
    with claim.read() as session:
        watched = scoring_store.one_watched(session, claim.assessment_id or 0, claim.subject_id)
        work = [
            (arm.id, split)
            for baseline in _measurements(session, watched.assessment_id)
            for arm in baseline.arms
            for split, result in (("dev", arm.dev), ("test", arm.test))
            if result is not None
        ]
    for number, (arm_id, split) in enumerate(work, start=1):
        claim.report({"stage": f"Variant {number} of {len(work)}", "done": number - 1, "total": len(work)})
        score_arm(claim, arm_id, split, only=watched.id)


def score_arm(claim: Claim, arm_id: int, split: str, *, only: int | None = None) -> None:
    """Score an arm's answers to a split by the watched metrics, those that have no score yet, and sum them up. What
    cannot be scored at all is logged and left out: it decides nothing, so it stops nothing. only: one of them."""
    with claim.read() as session:
        arm = store.arm(session, arm_id)
        watched = [
            row for row in scoring_store.watched(session, arm.baseline.assessment_id) if only is None or row.id == only
        ]
        if not watched:
            return
        answers = [row for row in answer_store.answers(session, arm_id, split) if row.status == "ok"]
        rows = {row.id: row for row in dataset_store.rows(session, arm.baseline.dataset_id, split)}
    for one in watched:
        try:
            with claim.read() as session:
                scorer = scoring.opened(session, claim.settings, claim.blobs, one.metric, one.options)
            with closing(scorer):
                _score(claim, one, arm, split, answers, rows, scorer)
        except (Conflict, Unavailable) as why:
            claim.log(f"{metrics.get(one.metric).title} is watched and could not be scored. {why}")


def _score(
    claim: Claim,
    watched: WatchedRow,
    arm: ArmRow,
    split: str,
    answers: Sequence[AnswerRow],
    rows: Mapping[int, Example],
    scorer: Scoring,
) -> None:
    with claim.read() as session:
        known = scoring_store.scored(session, watched.id, [answer.id for answer in answers])
    score_of = {answer_id: row.score for answer_id, row in known.items()}
    waiting = [answer for answer in answers if answer.id not in known]
    for start in range(0, len(waiting), AT_ONCE):
        claim.check()
        made: list[scoring_store.NewScore] = []
        for answer in waiting[start : start + AT_ONCE]:
            example = rows[answer.example_id]
            score = scorer.score(answer.output, example.target, scored.about(example))
            score_of[answer.id] = score.value
            made.append({
                "watched_id": watched.id, "answer_id": answer.id, "score": score.value, "why": score.why,
            })  # fmt: skip
        with claim.write() as session:
            scoring_store.put_scores(session, made)
    values = [score for score in score_of.values() if score is not None]
    binary = metrics.get(watched.metric).binary
    interval = statistics.mean_interval(values, binary=binary, seed=arm.baseline.seed)
    result: scoring_store.NewResult = {
        "n": len(values),
        "unscored": len(score_of) - len(values),
        "score": sum(values) / len(values) if values else 0.0,
        "low": interval.low,
        "high": interval.high,
    }
    with claim.write() as session:
        scoring_store.put_result(session, watched.id, arm.id, split, result)


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class WatchedLine:
    """One arm with what it came to by each watched metric on a split, in their order; None where there is nothing."""

    arm: ArmRow
    split: str
    score: float
    low: float
    high: float
    results: tuple[WatchedResultRow | None, ...]


@dataclass(frozen=True, slots=True)
class WatchedTable:
    """Arms by watched metrics. waiting: scores that a job still has to work out."""

    watched: tuple[WatchedRow, ...]
    lines: tuple[WatchedLine, ...]
    waiting: bool

    @property
    def unscored(self) -> str:
        """How many answers could not be scored, as a sentence; empty where all could."""
        number = sum(result.unscored for line in self.lines for result in line.results if result)
        return f"{plural(number, 'score')} could not be calculated; each answer says why." if number else ""


def table(session: Session, baseline: BaselineRow) -> WatchedTable | None:
    """What the page of a measurement shows beside its results; None where nothing is watched."""
    watched = tuple(scoring_store.watched(session, baseline.assessment_id))
    if not watched:
        return None
    there = {
        (row.watched_id, row.arm_id, row.split): row
        for row in scoring_store.results(session, [arm.id for arm in baseline.arms])
    }
    measured = [
        (arm, split, result)
        for arm in baseline.arms
        for split, result in (("dev", arm.dev), ("test", arm.test))
        if result is not None and result.known
    ]
    lines = [
        WatchedLine(
            arm,
            split,
            result.score,
            result.low,
            result.high,
            tuple(there.get((one.id, arm.id, split)) for one in watched),
        )
        for arm, split, result in measured
    ]
    ordered = sorted(lines, key=lambda line: (SPLITS.index(line.split), -line.score))
    return WatchedTable(watched, tuple(ordered), any(None in line.results for line in lines))


@dataclass(frozen=True, slots=True)
class WatchedScore:
    """What one answer scores by a watched metric; None where it could not be scored."""

    watched: WatchedRow
    score: float | None
    why: str

    @property
    def title(self) -> str:
        return metrics.get(self.watched.metric).title


def dev_answers(session: Session, arm_id: int, *, after: int, limit: int) -> list[int]:
    """Ids of an arm's answers to dev rows above `after`."""
    query = select(AnswerRow.id).where(AnswerRow.arm_id == arm_id, AnswerRow.split == "dev", AnswerRow.id > after)
    return list(session.scalars(query.order_by(AnswerRow.id).limit(limit)))


def of_answers(session: Session, baseline: BaselineRow, answer_ids: Sequence[int]) -> dict[int, list[WatchedScore]]:
    """What these answers score by each watched metric, by their ids."""
    watched = {row.id: row for row in scoring_store.watched(session, baseline.assessment_id)}
    if not watched:
        return {}
    return {
        answer_id: [WatchedScore(watched[row.watched_id], row.score, row.why) for row in rows]
        for answer_id, rows in scoring_store.scores_of_answers(session, answer_ids).items()
    }
