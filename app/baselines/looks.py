"""Looks at the test rows, and targets that were changed when results were known: what happened before a result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.baselines import standing, store
from app.baselines.history import Before, LateTarget, Look
from app.baselines.tables import ArmRow, BaselineRow
from app.db import utcnow
from app.users.tables import UserRow


def unnoted(session: Session, baseline: BaselineRow, arms_: Sequence[ArmRow], by: UserRow) -> list[ArmRow]:
    """Of these arms those whose test answers this person has not been shown yet, since the last revision."""
    noted = {
        (opening.arm_id, opening.round)
        for opening in store.openings(session, {baseline.id})
        if opening.user_id == by.id
    }
    return [arm for arm in arms_ if arm.test and (arm.id, standing.revisions(baseline)) not in noted]


def note_opening(session: Session, baseline: BaselineRow, arms_: Sequence[ArmRow], by: UserRow, how: str) -> None:
    """Write down that somebody is shown the answers of these arms to the test rows: `how` is read, downloaded, tagged.

    Reading them is no fault. Writing better instructions after it makes the test rows rows that were looked at.
    """
    for arm in arms_:
        opening: store.NewOpening = {
            "baseline_id": baseline.id,
            "arm_id": arm.id,
            "user_id": by.id,
            "round": standing.revisions(baseline),
            "how": how,
            "at": utcnow(),
        }
        store.note_opening(session, opening)


def by_people(session: Session, baseline: BaselineRow) -> list[Look]:
    """The looks that people took at the test rows since the last revision, which now begins from what they saw."""
    titles = {arm.id: (arm.name, arm.title) for arm in baseline.arms}
    return [
        Look(
            arm=titles[opening.arm_id][0],
            title=titles[opening.arm_id][1],
            at=opening.at.isoformat(),
            by=opening.user_id,
            why=f"its test answers were {opening.how} before a revision",
        )
        for opening in store.openings(session, {baseline.id})
        if opening.round == standing.revisions(baseline)
    ]


@dataclass(frozen=True, slots=True)
class History:
    """What else happened on the test rows of a measurement: those that were measured on them, itself among them, and
    targets that were changed when results were known."""

    on_same_rows: Sequence[BaselineRow]
    late_targets: Sequence[LateTarget]


def history(session: Session, assessment: AssessmentRow, baseline: BaselineRow) -> History:
    on_same_rows = store.on_same_rows(session, baseline.dataset_id)
    return History(on_same_rows, late_targets(session, assessment, baseline, on_same_rows))


def before(session: Session, baseline: BaselineRow) -> Before:
    """What happened on the same test rows before this result, in whichever version, copy or measurement: looks at them,
    and targets that were changed when results were known. Only what there was.

    What others do later changes nothing here: an approval is not lost because somebody else measures.
    """
    assessment = assessment_store.get(session, baseline.assessment_id)
    return before_by(session, baseline, history(session, assessment, baseline))


def before_by(session: Session, baseline: BaselineRow, known: History) -> Before:
    """The same from the history that was read already."""
    looks = earlier_looks(session, baseline, known.on_same_rows)
    return Before(looks=tuple(looks) or None, late_targets=tuple(known.late_targets) or None)


def earlier_looks(session: Session, baseline: BaselineRow, on_same_rows: Sequence[BaselineRow]) -> list[Look]:
    """Looks at these test rows by other measurements, up to this one's last look; all so far while it has none."""
    until = max((datetime.fromisoformat(str(look["at"])) for look in baseline.test_looks), default=None)
    others = {row.id: row for row in on_same_rows if row.id != baseline.id}
    earlier = [
        Look.from_json({"assessment": row.assessment_id, "measurement": row.id, **look})
        for row in others.values()
        for look in row.test_looks
        if until is None or datetime.fromisoformat(str(look["at"])) < until
    ]
    if others:
        named = {arm.id: arm for row in others.values() for arm in row.arms}
        earlier += [
            Look(
                assessment=others[opening.baseline_id].assessment_id,
                measurement=opening.baseline_id,
                arm=named[opening.arm_id].name,
                title=named[opening.arm_id].title,
                at=opening.at.isoformat(),
                by=opening.user_id,
                why=f"its test answers were {opening.how}",
            )
            for opening in store.openings(session, others)
            if opening.at < baseline.created_at
        ]
    return sorted(earlier, key=lambda look: (look.at, look.measurement or 0, look.arm))


def late_targets(
    session: Session, assessment: AssessmentRow, baseline: BaselineRow, on_same_rows: Sequence[BaselineRow]
) -> list[LateTarget]:
    """Metric and target as they were set after a result on these test rows was known, up to the setting that holds.

    A setting of another assessment on the same rows counts: copying an assessment makes nobody forget.
    """
    measured = [(standing.first_result(row), row) for row in on_same_rows]
    known = [(at, row) for at, row in measured if at]
    settled = assessment.metric_set_at
    if not known or settled is None:
        return []
    first, of_first = min(known, key=lambda pair: pair[0])
    if settled <= first and settled == baseline.metric_set_at:
        return []
    rows = [
        row
        for row in assessment_store.late_targets(session, {assessment.id, *(row.assessment_id for _, row in known)})
        if first < row.changed_at <= settled
    ]
    late = [
        LateTarget(
            assessment=row.assessment_id,
            at=row.changed_at.isoformat(),
            by=row.changed_by,
            from_=f"{row.metric_before} {row.target_before}".strip(),
            to=f"{row.metric} {row.target}".strip(),
        )
        for row in rows
    ]
    own = sum(row.assessment_id == assessment.id for row in assessment_store.late_targets(session, {assessment.id}))
    if settled != baseline.metric_set_at:  # changed by an earlier version of the app, which kept the number only
        unnamed = LateTarget(assessment=assessment.id, at=settled.isoformat(), by=None, from_="", to="")
        late += [unnamed] * max(0, (assessment.target_changes or 0) - own)
    elif settled > first and all(row.changed_at != settled for row in rows):
        answers = assessments.answers(assessment)
        now = f"{answers.get('metric')} {answers.get('target')}"
        used = {f"{row.metric} {row.target}" for at, row in known if row.created_at < settled}
        if now not in used | {change.to for change in late}:
            was = f"{of_first.metric} {of_first.target}"
            by, when = assessment.created_by, settled.isoformat()
            late.append(LateTarget(assessment=assessment.id, at=when, by=by, from_=was, to=now))
    return late
