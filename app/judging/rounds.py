"""People label a random sample of the answers by the rubric, knowing neither the variant nor what the judge said.

The sample is drawn once, by a seed, from the dev answers of several variants; nobody chooses which. It is the same for
every judge with this rubric, so a second judge is calibrated by the labels that are there. What was said stays once the
round is done, and counts if every answer of it was labelled: whoever leaves out what is hard agrees on what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.audit import service as audit
from app.baselines import runs
from app.baselines import store as baseline_store
from app.baselines.tables import BaselineRow
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.db import utcnow
from app.errors import Conflict, FieldError, Invalid
from app.evaluation.correction import LEAST, WORDS
from app.judging import offers, store
from app.judging.tables import JudgeLabelRow, JudgeRoundRow, RubricRow
from app.labelling import blind_rounds
from app.users.tables import UserRow

WHO = "Whoever labels has a hand in this assessment and can't approve it."


def draw(session: Session, rubric: RubricRow, baseline: BaselineRow, arm_ids: Sequence[int]) -> JudgeRoundRow | None:
    """A sample of `LEAST` dev answers of these arms that stand in none so far; None where there is no answer left. One
    that was drawn and that nobody has begun is used first."""
    drawn = store.rounds(session, rubric.id)
    if (waiting := next((row for row in drawn if _waits(row, baseline)), None)) is not None:
        return waiting
    chosen = preview(session, rubric, baseline, arm_ids)
    if not chosen:
        return None
    row = JudgeRoundRow(
        rubric_id=rubric.id,
        baseline_id=baseline.id,
        arms=sorted(arm_ids),
        answers=chosen,
        seed=baseline.seed,
        drawn_at=utcnow(),
    )
    session.add(row)
    session.flush()
    return row


def _waits(row: JudgeRoundRow, baseline: BaselineRow) -> bool:
    return row.user_id is None and row.baseline_id == baseline.id


def preview(session: Session, rubric: RubricRow, baseline: BaselineRow, arm_ids: Sequence[int]) -> list[int]:
    """Ids of the answers that the next sample of these arms would hold, in the order of the draw. Every answer is as
    likely as any other; two variants that say the same are two answers, as they are in the scores."""
    taken = {answer for row in store.rounds(session, rubric.id) for answer in row.answers}
    free = [answer.id for answer in store.answers_of(session, arm_ids, "dev") if answer.id not in taken]
    order = np.random.default_rng([baseline.seed, rubric.number, len(taken)]).permutation(len(free))
    return [free[place] for place in order[:LEAST]]


def sample(session: Session, rubric: RubricRow, baseline: BaselineRow) -> list[int]:
    """Every answer of this measurement that was drawn for people."""
    drawn = store.rounds(session, rubric.id)
    return [answer for row in drawn if row.baseline_id == baseline.id for answer in row.answers]


def open_round(session: Session, rubric_id: int, user_id: int) -> JudgeRoundRow | None:
    """The round that this person has begun and not ended."""
    return blind_rounds.open_round(store.rounds(session, rubric_id), user_id)


def refuse_while_labelling(session: Session, rubric_id: int, by: UserRow) -> None:
    """Judgements are shown to nobody who is labelling by the same rubric.

    Raises:
        Conflict: this person is.
    """
    if open_round(session, rubric_id, by.id) is not None:
        raise Conflict("You are labelling answers by this rubric. Finish first: your labels have to be your own.")


def begin(session: Session, assessment_id: int, *, by: UserRow) -> JudgeRoundRow:
    """Begin to label by the newest rubric; the round that this person has begun goes on.

    Raises:
        Conflict: there is nothing to label.
    """
    assessment_store.opened(session, assessment_id)
    there = offers.offer(session, assessment_id)
    if there.rubric is None or there.baseline is None:
        raise Conflict("Write the rubric and run baselines first: people label their answers by it.")
    if (already := open_round(session, there.rubric.id, by.id)) is not None:
        return already
    if runs.running(session, there.baseline):
        raise Conflict("Let the baselines finish first: the sample is drawn from all of their answers.")
    row = draw(session, there.rubric, there.baseline, [arm.id for arm in there.asked])
    if row is None:
        raise Conflict("Every dev answer was labelled already or is in somebody's open round, or there is none.")
    row.user_id, row.started_at = by.id, utcnow()
    session.flush()
    _note(session, row, by, "judge.label_begin", {"labelled": len(row.answers)})
    return row


def say(session: Session, round_id: int, place: int, label: str, *, by: UserRow) -> JudgeLabelRow | None:
    """Keep one label; an empty one takes it back. place: of the answer in the round, from 1.

    Raises:
        Conflict: the round is done, or has no such answer.
        Forbidden: it is somebody else's round.
        Invalid: the label is neither pass nor fail.
    """
    row = _mine(session, round_id, by)
    blind_rounds.refuse_done(row)
    if not 1 <= place <= len(row.answers):
        raise Conflict(f"This round has {len(row.answers)} answers.")
    if label and label not in WORDS:
        raise Invalid("This cannot be stored.", [FieldError("#/label", "Use pass or fail.")])
    answer_id = row.answers[place - 1]
    kept = next((one for one in store.labels_of(session, [round_id]) if one.answer_id == answer_id), None)

    def new(at: datetime) -> JudgeLabelRow:
        return JudgeLabelRow(round_id=round_id, answer_id=answer_id, label=label, at=at)

    return blind_rounds.put(session, kept, label, new)


def end(session: Session, round_id: int, *, by: UserRow) -> JudgeRoundRow:
    """End a round; from here on nothing said in it changes.

    Raises:
        Conflict: an answer has no label yet: a part of a random sample is no random sample.
        Forbidden: it is somebody else's round.
    """
    row = _mine(session, round_id, by)
    if row.done_at is None:
        left = len(row.answers) - len(store.labels_of(session, [round_id]))
        if left:
            raise Conflict(
                f"Label every answer first; {left} are left. Leaving out what is hard would flatter the judge."
            )
        row.done_at = utcnow()
        session.flush()
        _note(session, row, by, "judge.label_end", {"labelled": len(row.answers)})
    return row


# ---------------------------------------------------------------- as a person reads it


@dataclass(frozen=True, slots=True)
class ToLabel:
    """One answer of a round, from 1, as it may be read. expected: None where the rubric goes without. label: what was
    said of it, empty for nothing yet."""

    place: int
    question: str
    expected: str | None
    output: str
    label: str


def to_label(session: Session, row: JudgeRoundRow) -> list[ToLabel]:
    """The answers of a round in the order of the draw, which mixes the variants."""
    rubric = store.rubric(session, row.rubric_id)
    baseline = baseline_store.get(session, row.baseline_id)
    hide = masked_rows.masker_for_measurements(dataset_store.get(session, baseline.dataset_id))
    answers = store.answers_by_id(session, row.answers)
    examples = dataset_store.by_ids(session, {answer.example_id for answer in answers.values()})
    labels = {one.answer_id: one.label for one in store.labels_of(session, [row.id])}
    listed = []
    for place, answer_id in enumerate(row.answers, start=1):
        answer = answers[answer_id]
        example = examples[answer.example_id]
        question = "\n\n".join(turn["content"] for turn in hide.turns(example.messages))
        expected = hide.text(example.target) if rubric.with_expected else None
        listed.append(ToLabel(place, question, expected, hide.text(answer.output), labels.get(answer_id, "")))
    return listed


def _mine(session: Session, round_id: int, by: UserRow) -> JudgeRoundRow:
    row = store.round_of(session, round_id)
    assessment_store.opened(session, store.rubric(session, row.rubric_id).assessment_id)
    return blind_rounds.own(row, by)


def _note(session: Session, row: JudgeRoundRow, by: UserRow, act: str, detail: dict[str, object]) -> None:
    """Whoever labels had a hand in it; nothing that a reviewer approves changes by it."""
    rubric = store.rubric(session, row.rubric_id)
    assessment = assessment_store.get(session, rubric.assessment_id)
    assessments.contribute(session, assessment, by, "judge", changed=False)
    audit.record(session, by, act, "assessment", assessment.id, {**detail, "rubric": rubric.number})
