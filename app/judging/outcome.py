"""What a run of a judge came to: scores as it gave them and as people's labels correct them, and how far it agrees."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.baselines import arms
from app.baselines import store as baseline_store
from app.baselines.arms import ArmResult
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.evaluation import correction, statistics
from app.evaluation.correction import Calibration, Corrected, Tally
from app.evaluation.statistics import Difference
from app.judging import items, store
from app.judging.items import Wanted
from app.judging.tables import JudgementRow, JudgeRunRow

TURNED = {"first": "second", "second": "first", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class ArmScore:
    """One arm by the judge. tally: of the judgements that could be read; errors: those that could not; waiting: answers
    without a judgement. corrected: by people's labels; None where `Outcome.against` says why not. decides: what the
    metric that decides says of the same rows, where the arm has a result there."""

    arm: ArmRow
    tally: Tally
    errors: int
    waiting: int
    corrected: Corrected | None
    decides: ArmResult | None

    @property
    def known(self) -> bool:
        """Whether the share may be read: not where more than the policy's share of judgements is missing."""
        asked = self.tally.total + self.errors
        return self.tally.total > 0 and not self.waiting and self.errors <= arms.ERROR_LIMIT * asked


@dataclass(frozen=True, slots=True)
class PairScore:
    """Two arms on the same rows. wins, losses: pairs that the judge gave to the first or the second arm in both orders;
    ties: pairs on which it said tie in both; flips: pairs on which the two orders disagree, which count as ties, and of
    these those where it said the same place twice, by place. same: pairs with one text, which nobody was asked about.
    gap: share of wins less share of losses; p: exact, of wins against losses.
    """

    first: ArmRow
    second: ArmRow
    wins: int
    losses: int
    ties: int
    flips: int
    for_first_read: int
    for_second_read: int
    same: int
    errors: int
    waiting: int
    gap: Difference
    p: float

    @property
    def judged(self) -> int:
        """Pairs that count: read in both orders, or one text."""
        return self.wins + self.losses + self.not_won

    @property
    def not_won(self) -> int:
        """Ties of any kind: said so twice, orders that disagree, one text."""
        return self.ties + self.flips + self.same

    @property
    def asked(self) -> int:
        """Pairs that were read in both orders."""
        return self.judged - self.same

    @property
    def known(self) -> bool:
        return self.asked > 0 and not self.waiting and self.errors <= arms.ERROR_LIMIT * (self.asked + self.errors)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a run came to so far. against: why no score is corrected; empty where they are. pair: only in
    pairwise, where scores is empty. labels_waiting: answers that people were given and that it has not judged."""

    scores: tuple[ArmScore, ...]
    pair: PairScore | None
    calibration: Calibration
    against: str
    judged: int
    errors: int
    waiting: int
    labels_waiting: int = 0


def outcome(session: Session, run: JudgeRunRow) -> Outcome:
    """Work it out from what is stored."""
    baseline = baseline_store.get(session, run.baseline_id)
    judged = {row.answer_id: row for row in store.judged(session, run.id)}
    calibrated = calibration_of(session, run, judged)
    labels = calibrated.labels
    against = correction.against(labels) if run.use == "pass_fail" else ""
    wanted = Wanted.of_run(session, run)
    counted = {"judged": len(judged), "errors": sum(row.status == "error" for row in judged.values())}
    if run.use == "pairwise":
        pair, waiting = _pair(session, run, baseline, judged, wanted)
        return Outcome((), pair, calibrated, against, waiting=waiting, **counted)
    answers = items.answers(session, wanted)
    tallies = {arm_id: _tally(judged, [one for one in answers if one.arm_id == arm_id]) for arm_id in run.arms}
    pool = _pool(session, run, answers, judged, tallies)
    by_id = {arm.id: arm for arm in baseline.arms}
    scores = []
    for arm_id in run.arms:
        mine = [one for one in answers if one.arm_id == arm_id]
        errors = sum(one.id in judged and judged[one.id].status == "error" for one in mine)
        tally = tallies[arm_id]
        scores.append(
            ArmScore(
                arm=by_id[arm_id],
                tally=tally,
                errors=errors,
                waiting=len(mine) - tally.total - errors,
                corrected=correction.corrected(tally, labels, pool, run.seed),
                decides=by_id[arm_id].dev if run.split == "dev" else by_id[arm_id].test,
            )
        )
    waiting = sum(score.waiting for score in scores)
    labels_waiting = sum(one not in judged for one in wanted.sample)
    return Outcome(tuple(scores), None, calibrated, against, waiting=waiting, labels_waiting=labels_waiting, **counted)


def calibration_of(session: Session, run: JudgeRunRow, judged: Mapping[int, JudgementRow]) -> Calibration:
    """People's labels by this rubric beside what this judge said of the same answers. A pairwise run has none: people
    say pass or fail."""
    labels = store.counted_labels(session, run.rubric_id) if run.use == "pass_fail" else {}
    pairs = [
        (label, word)
        for answer_id, label in labels.items()
        if answer_id in judged and (word := judged[answer_id].word) is not None
    ]
    return correction.calibration(pairs, limit(session, run.assessment_id), run.seed)


def limit(session: Session, assessment_id: int) -> float:
    """The agreement that the policy of an assessment asks of two people; a judge is held to the same."""
    assessment = assessment_store.get(session, assessment_id)
    return float(assessments.policy_of(session, assessment).limit("kappa"))


def _tally(judged: Mapping[int, JudgementRow], answers: Sequence[AnswerRow]) -> Tally:
    words = [judged[one.id].word for one in answers if one.id in judged]
    return Tally(words.count("pass"), sum(word is not None for word in words))


def _pool(
    session: Session,
    run: JudgeRunRow,
    answers: Sequence[AnswerRow],
    judged: Mapping[int, JudgementRow],
    tallies: Mapping[int, Tally],
) -> tuple[Tally, ...]:
    """The judge's words on all that people's sample was drawn from; nothing where it did not judge that."""
    drawn = [row for row in store.rounds(session, run.rubric_id) if row.done_at is not None]
    sources = {tuple(row.arms) for row in drawn if row.baseline_id == run.baseline_id}
    whole = run.split == "dev" and not run.rows and len(sources) == 1 and len(drawn) > 0
    if not whole or any(row.baseline_id != run.baseline_id for row in drawn):
        return ()
    source = next(iter(sources))
    mine = [one for one in answers if one.arm_id in source]
    missing = sum(one.id not in judged or judged[one.id].word is None for one in mine)
    if not set(source) <= set(run.arms) or missing > arms.ERROR_LIMIT * len(mine):
        return ()
    return tuple(tallies[arm_id] for arm_id in source)


def _pair(
    session: Session,
    run: JudgeRunRow,
    baseline: BaselineRow,
    judged: Mapping[int, JudgementRow],
    wanted: Wanted,
) -> tuple[PairScore, int]:
    by_id = {arm.id: arm for arm in baseline.arms}
    counts: Counter[str] = Counter()
    for first, second in items.pairs(session, wanted):
        if items.same(first, second):
            counts["same"] += 1
            continue
        there, turned = judged.get(first.id), judged.get(second.id)
        if there is None or turned is None:
            counts["waiting"] += 1
        elif there.word is None or turned.word is None:
            counts["errors"] += 1
        else:
            counts[settled(there.word, turned.word)] += 1
    ties = counts["tie"] + counts["same"] + _flips(counts)
    score = PairScore(
        first=by_id[run.arms[0]],
        second=by_id[run.arms[1]],
        wins=counts["first"],
        losses=counts["second"],
        ties=counts["tie"],
        flips=_flips(counts),
        for_first_read=counts["first read"],
        for_second_read=counts["second read"],
        same=counts["same"],
        errors=counts["errors"],
        waiting=counts["waiting"],
        gap=statistics.paired_rates(ties, counts["second"], counts["first"], 0),
        p=statistics.mcnemar(counts["first"], counts["second"]),
    )
    return score, counts["waiting"]


def settled(word: str, turned: str) -> str:
    """What two orders come to. word: with the first arm's answer read first; turned: the other way round.

    first, second, tie: both orders agree; first read, second read: it went by the place; half: one order says tie.
    """
    if word == TURNED[turned]:
        return word
    return f"{word} read" if word == turned else "half"


def _flips(counts: Mapping[str, int]) -> int:
    return counts["first read"] + counts["second read"] + counts["half"]
