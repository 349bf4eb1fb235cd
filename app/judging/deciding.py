"""A judge as the deciding metric: which ones may be, why the others may not, and whether one that decided still holds.

A judge may decide where people's labels of a random sample of answers show that it agrees with them as far as the
policy asks (kappa), on enough labels, and that its score can be corrected by them. A measurement keeps the judge and
the labels of that day (`baselines.deciding_judge`). What comes later closes the gate: another rubric, another
connection, new labels that the scores are not corrected by yet, or labels that show less agreement.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.orm import Session

from app.advice.evidence import Evidence
from app.assessments import own_servers
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.baselines import deciding_judge, measured_model, outlines, runs, standing
from app.baselines import store as baseline_store
from app.baselines.deciding_judge import DecidingJudge, key_of
from app.baselines.measured_model import MeasuredModel
from app.baselines.tables import BaselineRow
from app.errors import Conflict
from app.evaluation import correction
from app.evaluation.correction import LEAST, Calibration
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.judging import offers, outcome, store
from app.judging.families import Kinship
from app.judging.tables import JudgeRunRow, RubricRow
from app.users.tables import UserRow
from app.web.protocols import JudgeChoice
from app.wording import plural

Fault = Literal["rubric", "judge", "few", "kappa", "coin", "labels"]
FOLDER = (
    "A model folder of this machine can't decide: it would be loaded beside the model that is measured. Serve it at an "
    "address, and add that as a model server."
)


def choices(session: Session, assessment: AssessmentRow, /) -> Sequence[JudgeChoice]:
    """Every judge with a rubric that has judged answers of an assessment, those of the newest rubric first: as the
    metric of a new measurement, or why it can't be that and what to do."""
    rubrics = {row.id: row for row in store.rubrics(session, assessment.id)}
    newest = max((row.number for row in rubrics.values()), default=0)
    found: dict[str, JudgeRunRow] = {}
    for run in store.of_assessment(session, assessment.id):
        if run.use == "pass_fail":
            found.setdefault(_key(run, rubrics[run.rubric_id]), run)
    made = []
    for key, run in found.items():
        rubric, model = rubrics[run.rubric_id], model_store.get(session, run.judge_id)
        calibrated = calibration(session, assessment.id, rubric, key)
        against = " ".join(_against(assessment, run, model, rubric, newest, calibrated))
        kept = None if against else _kept(key, run, rubric, calibrated).to_json()
        interval, usual = calibrated.kappa_interval, store.usual(session, run.id)
        made.append(
            JudgeChoice(
                key=key,
                label=deciding_judge.label(str(run.judge_as["name"]), rubric.number, rubric.failure),
                model_id=model.id,
                host=outlines.host_of(model.base_url) if model.kind == "endpoint" else "",
                labels=calibrated.labels.total,
                enough=LEAST,
                kappa=calibrated.kappa,
                kappa_low=interval.low if interval else None,
                kappa_high=interval.high if interval else None,
                limit=calibrated.limit,
                against=against,
                kept=kept,
                reads=usual.reads,
                writes=usual.writes,
                seconds=usual.seconds,
            )
        )
    return sorted(made, key=lambda one: (bool(one.against), one.label))


def _key(run: JudgeRunRow, rubric: RubricRow) -> str:
    return key_of(rubric.sha256, MeasuredModel(**run.judge_as).part())


def _against(
    assessment: AssessmentRow,
    run: JudgeRunRow,
    model: ModelRow,
    rubric: RubricRow,
    newest: int,
    calibrated: Calibration,
) -> Iterator[str]:
    if rubric.number != newest:
        yield f"The rubric is at version {newest} by now. Judge by that one."
        return
    if against := own_servers.against_sending(assessment, model):
        yield against
    elif model.retired_at is not None:
        yield "It is retired."
    elif not MeasuredModel(**run.judge_as).answers_as(model):
        yield "Its connection was changed since it judged. Start it again, to compare it with people as it is now."
    elif model.kind != "endpoint":
        yield FOLDER
    yield from against_labels(calibrated)


def against_labels(calibrated: Calibration) -> Iterator[str]:
    """Why people's labels don't let a judge decide, and what to do."""
    labels, limit = calibrated.labels, f"{calibrated.limit:.2g}"
    if not calibrated.enough:
        missing = plural(LEAST - labels.total, "more answer")
        yield (
            f"{labels.total} of {LEAST} answers that it judged are labelled by a person. Label {missing}; kappa has to "
            f"be at least {limit}."
        )
    elif calibrated.kappa is None:
        yield "Judge and person used one word only, so there is no kappa. Label answers of which some pass, some fail."
    elif not calibrated.holds:
        kappa = f"{calibrated.kappa:.2f}".replace("-", "\N{MINUS SIGN}")
        yield (
            f"Kappa with a person is {kappa}; at least {limit} is asked for. Make the rubric clearer, or take another "
            "judge."
        )
    elif against := correction.against(labels):
        yield against


def _kept(key: str, run: JudgeRunRow, rubric: RubricRow, calibrated: Calibration) -> DecidingJudge:
    """What a measurement keeps of it. The manner is that in which it was compared with people."""
    interval = calibrated.kappa_interval
    return DecidingJudge(
        key=key,
        model_id=run.judge_id,
        model=MeasuredModel(**run.judge_as).part(),
        rubric=rubric.number,
        rubric_sha256=rubric.sha256,
        failure=rubric.failure,
        passes_if=rubric.passes_if,
        with_expected=rubric.with_expected,
        labels=calibrated.labels.counts,
        kappa=calibrated.kappa or 0.0,
        kappa_low=interval.low if interval else None,
        kappa_high=interval.high if interval else None,
        limit=calibrated.limit,
    )


def calibration(session: Session, assessment_id: int, rubric: RubricRow, key: str) -> Calibration:
    """People's labels by a rubric beside what the judge of this key said of the same answers: in its runs, and where it
    decided a measurement, there."""
    labels = store.counted_labels(session, rubric.id)
    words = store.words_of_answers(session, _runs(session, assessment_id, rubric, key), labels)
    decided = [row.id for row in baseline_store.of_assessment(session, assessment_id) if _decided(row, key)]
    words |= {
        answer: "pass" if score else "fail" for answer, score in store.scores_of(session, decided, labels).items()
    }
    pairs = [(label, words[answer]) for answer, label in sorted(labels.items()) if answer in words]
    return correction.calibration(pairs, outcome.limit(session, assessment_id))


def _runs(session: Session, assessment_id: int, rubric: RubricRow, key: str) -> list[int]:
    return [
        run.id
        for run in store.of_assessment(session, assessment_id)
        if run.use == "pass_fail" and run.rubric_id == rubric.id and _key(run, rubric) == key
    ]


def _decided(row: BaselineRow, key: str) -> bool:
    return row.judge is not None and row.judge.get("key") == key


# ---------------------------------------------------------------- whether one that decided still holds


@dataclass(frozen=True, slots=True)
class Held:
    """How the judge of a measurement stands today. fault: why its scores count for nothing at the gate, empty where
    they count. calibration: by all labels of today. sentence: the fault with what to do."""

    judge: DecidingJudge
    calibration: Calibration
    fault: Fault | None
    sentence: str


def held(session: Session, baseline: BaselineRow) -> Held | None:
    """None where no judge decides the measurement."""
    judge = deciding_judge.of(baseline.judge)
    if judge is None:
        return None
    rubrics = store.rubrics(session, baseline.assessment_id)
    used = next((row for row in rubrics if row.sha256 == judge.rubric_sha256), None)
    newest = rubrics[0] if rubrics else None
    if used is None:
        empty = correction.calibration([], outcome.limit(session, baseline.assessment_id))
        return Held(judge, empty, "rubric", "Its rubric is not there any more. Measure again.")
    today = calibration(session, baseline.assessment_id, used, judge.key)
    fault: Fault | None = None
    sentence = ""
    if newest is not None and newest.id != used.id:
        fault = "rubric"
        sentence = (
            f"The rubric was changed: the judge went by version {used.number}, the newest is {newest.number}. Have the "
            "judge compared with people by that one, and measure again."
        )
    elif against := measured_model.against_judge(session, baseline, judge):
        fault, sentence = "judge", against
    elif reasons := list(against_labels(today)):
        fault = "few" if not today.enough else "kappa" if not today.holds else "coin"
        sentence = " ".join(reasons)
    elif today.labels != judge.counted:
        fault = "labels"
        sentence = (
            f"There are other labels or judgements of labelled answers since: {plural(today.labels.total, 'label')} by "
            f"now, the scores are corrected by {judge.counted.total}. Correct the scores by all of them; nothing is "
            "asked again."
        )
    return Held(judge, today, fault, sentence)


def measured(session: Session, baseline: BaselineRow | None) -> Evidence:
    """What the judge of the measurement that counts says to the criteria; nothing where no judge decides."""
    if baseline is None or (now := held(session, baseline)) is None:
        return Evidence()
    kappa = now.calibration.kappa
    return Evidence(
        judge_holds=now.fault is None,
        judge_fault=now.fault,
        judge_labels=now.calibration.labels.total,
        judge_kappa=None if kappa is None else round(kappa, 4),
        judge_name=now.judge.name,
        judge_kin=next((one.kind for one in kin(session, baseline, now.judge)), None),
    )


def kin(session: Session, baseline: BaselineRow, judge: DecidingJudge) -> Sequence[Kinship]:
    """What the judge of a measurement has in common with the models whose answers it scored, what weighs most first."""
    model = model_store.get(session, judge.model_id)
    return offers.kinship(session, baseline, [arm.id for arm in baseline.arms], model)


def correct(session: Session, baseline_id: int, *, by: UserRow) -> BaselineRow:
    """Correct the scores of a measurement by all labels of today. Nothing is asked again: the judge's words are stored.

    Raises:
        Conflict: no judge decides it, it runs, an adapter was evaluated against it, or the judge does not hold.
    """
    baseline = baseline_store.get(session, baseline_id)
    assessment = assessment_store.opened(session, baseline.assessment_id)
    now = held(session, baseline)
    if now is None:
        raise Conflict("No judge decides this measurement.")
    if runs.running(session, baseline) or baseline.archived_at is not None:
        raise Conflict("This measurement runs, or was replaced by a newer one.")
    if standing.closed(baseline):
        raise Conflict("An adapter was evaluated against these scores; they stay as they are. Start a new measurement.")
    if now.fault not in ("labels", None):
        raise Conflict(now.sentence)
    if now.fault is None:
        raise Conflict("The scores are corrected by all labels already.")
    interval = now.calibration.kappa_interval
    kept = {
        **now.judge.to_json(),
        "labels": list(now.calibration.labels.counts),
        "kappa": now.calibration.kappa,
        "kappa_low": interval.low if interval else None,
        "kappa_high": interval.high if interval else None,
        "limit": now.calibration.limit,
    }
    baseline.judge = kept
    for arm in baseline.arms:
        for split in ("dev", "test"):
            result = arm.dev if split == "dev" else arm.test
            if result is None or result.judge_passed is None:
                continue
            words = replace(result, passed=result.judge_passed, judge_passed=None)
            made = deciding_judge.by_labels(words, kept)
            if split == "dev":
                arm.dev = made
            else:
                arm.test = made
    session.flush()
    assessments.contribute(session, assessment, by, "measure")
    detail = {"assessment": assessment.id, "labels": now.calibration.labels.total}
    audit.record(session, by, "baseline.correct", "baseline", baseline.id, detail)
    return baseline
