"""Judgements as they may be read: beside what was judged and what a person said, with personal data hidden."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import store as baseline_store
from app.baselines.tables import AnswerRow, ArmRow
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.judging import store
from app.judging.store import Show
from app.judging.tables import JudgementRow, JudgeRunRow

AT_ONCE = 500  # judgements that a download reads at a time


@dataclass(frozen=True, slots=True)
class Read:
    """One judgement. beside, beside_arm: in pairwise the answer that was read second; empty and None else. label: what
    a person said of the answer, empty for nothing."""

    row: JudgementRow
    arm: ArmRow
    line: int
    split: str
    example_id: int
    question: str
    expected: str
    output: str
    beside: str
    beside_arm: ArmRow | None
    reason: str
    raw: str
    error: str
    label: str

    @property
    def differs(self) -> bool:
        """Whether judge and person said something else."""
        return bool(self.label) and self.row.word is not None and self.label != self.row.word


def read(session: Session, run: JudgeRunRow, rows: Sequence[JudgementRow]) -> list[Read]:
    """Put judgements together with what they are about."""
    baseline = baseline_store.get(session, run.baseline_id)
    hide = masked_rows.masker_for_measurements(dataset_store.get(session, baseline.dataset_id))
    ids = {one for row in rows for one in (row.answer_id, row.beside_id) if one is not None}
    answers: dict[int, AnswerRow] = store.answers_by_id(session, ids)
    examples = dataset_store.by_ids(session, {answer.example_id for answer in answers.values()})
    labels = store.counted_labels(session, run.rubric_id) if run.use == "pass_fail" else {}
    by_id = {arm.id: arm for arm in baseline.arms}
    listed = []
    for row in rows:
        answer = answers.get(row.answer_id)
        if answer is None:
            continue
        beside = answers.get(row.beside_id or 0)
        example = examples[answer.example_id]
        listed.append(
            Read(
                row=row,
                arm=by_id[answer.arm_id],
                line=example.line,
                split=answer.split,
                example_id=example.id,
                question="\n\n".join(turn["content"] for turn in hide.turns(example.messages)),
                expected=hide.text(example.target),
                output=hide.text(answer.output),
                beside=hide.text(beside.output) if beside else "",
                beside_arm=by_id[beside.arm_id] if beside else None,
                reason=hide.text(row.reason),
                raw=hide.text(row.raw or ""),
                error=hide.text(row.error or ""),
                label=labels.get(row.answer_id, ""),
            )
        )
    return listed


def every(session: Session, run: JudgeRunRow, show: Show = "all") -> Iterator[Read]:
    """All judgements of a run, for a download."""
    after = 0
    while True:
        rows, _ = store.page_of(session, run, show, after=after, limit=AT_ONCE)
        if not rows:
            return
        yield from read(session, run, rows)
        after = rows[-1].id
