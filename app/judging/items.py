"""What a run has to judge: each answer, or each two answers in both orders, with the prompt that asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import arms, prompts
from app.baselines.tables import AnswerRow, BaselineRow
from app.chat import Message, messages_from_json
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.tables import ExampleRow
from app.judging import store
from app.judging.order import Order
from app.judging.tables import JudgeRunRow, RubricRow
from app.privacy.masking import Masker
from app.scoring import judge_questions as questions
from app.scoring.judge import question_of
from app.scoring.judge_replies import PAIR, SINGLE


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to ask. answer_id: the answer, in pairwise the one that is read first; beside_id: the one that is read
    second. words: those of which the judge has to say one."""

    answer_id: int
    beside_id: int | None
    messages: tuple[Message, ...]
    sha256: str
    words: Sequence[str]

    @property
    def characters(self) -> int:
        return sum(len(turn.content) for turn in self.messages)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers are to be judged; see `JudgeRunRow`. sample: ids of dev answers that people label, judged in any
    case."""

    use: str
    split: str
    arms: tuple[int, ...]
    rows: int
    seed: int
    sample: tuple[int, ...] = ()

    @classmethod
    def of_run(cls, session: Session, run: JudgeRunRow) -> "Wanted":
        drawn = store.rounds(session, run.rubric_id) if run.use == "pass_fail" else ()
        sample = tuple(answer for one in drawn if one.baseline_id == run.baseline_id for answer in one.answers)
        return cls(run.use, run.split, tuple(run.arms), run.rows, run.seed, sample)

    @classmethod
    def of_order(cls, order: Order, seed: int, sample: Sequence[int]) -> "Wanted":
        judged_anyway = tuple(sample) if order.use == "pass_fail" else ()
        return cls(order.use, order.split, order.arms, order.rows, seed, judged_anyway)


@dataclass(frozen=True, slots=True)
class Writer:
    """Puts prompts together: the row's own turns and the answers, with what hides on pages hidden here as well."""

    rubric: RubricRow
    examples: Mapping[int, ExampleRow]
    hide: Masker

    def single(self, answer: AnswerRow) -> Item:
        """Whether one answer passes."""
        question, expected = self._row(answer.example_id)
        asked = questions.single(self.rubric.passes_if, question, self.hide.text(answer.output), expected)
        return Item(answer.id, None, asked, prompts.sha256(asked), SINGLE)

    def pair(self, first: AnswerRow, second: AnswerRow) -> Item:
        """Which of two answers to one row is better, in this order."""
        question, expected = self._row(first.example_id)
        texts = (self.hide.text(first.output), self.hide.text(second.output))
        asked = questions.pair(self.rubric.passes_if, question, texts, expected)
        return Item(first.id, second.id, asked, prompts.sha256(asked), PAIR)

    def _row(self, example_id: int) -> tuple[str, str | None]:
        row = self.examples[example_id]
        question = question_of(messages_from_json(row.messages), self.hide)
        return question, self.hide.text(row.target) if self.rubric.with_expected else None


def pairs(session: Session, wanted: Wanted) -> list[tuple[AnswerRow, AnswerRow]]:
    """The answers of two arms to the same rows; of a row that one of them gave no answer to there is no pair."""
    first, second = wanted.arms
    of_row: dict[int, dict[int, AnswerRow]] = {}
    for answer in answers(session, wanted):
        of_row.setdefault(answer.example_id, {})[answer.arm_id] = answer
    return [(there[first], there[second]) for there in of_row.values() if first in there and second in there]


def same(first: AnswerRow, second: AnswerRow) -> bool:
    """Whether two answers are one text, so that nobody has to be asked which is better."""
    return first.output.strip() == second.output.strip()


def items(session: Session, baseline: BaselineRow, rubric: RubricRow, wanted: Wanted) -> list[Item]:
    """Everything to ask, by row; in pairwise the two orders of a pair after each other."""
    if wanted.use == "pairwise":
        two = [pair for pair in pairs(session, wanted) if not same(*pair)]
        write = _writer(session, baseline, rubric, [first for first, _ in two])
        return [item for first, second in two for item in (write.pair(first, second), write.pair(second, first))]
    listed = list(answers(session, wanted))
    there = {answer.id for answer in listed}
    beside = store.answers_by_id(session, [one for one in wanted.sample if one not in there])
    listed += [beside[one] for one in wanted.sample if one in beside]
    write = _writer(session, baseline, rubric, listed)
    return [write.single(answer) for answer in listed]


def answers(session: Session, wanted: Wanted) -> list[AnswerRow]:
    """The answers of these arms to the rows that are judged: all, or a sample of the rows, the same for every arm."""
    listed = store.answers_of(session, wanted.arms, wanted.split)
    rows = sorted({answer.example_id for answer in listed})
    chosen = set(arms.sample(rows, wanted.rows, wanted.seed))
    return [answer for answer in listed if answer.example_id in chosen]


def _writer(session: Session, baseline: BaselineRow, rubric: RubricRow, listed: Sequence[AnswerRow]) -> Writer:
    dataset = dataset_store.get(session, baseline.dataset_id)
    examples = dataset_store.by_ids(session, {answer.example_id for answer in listed})
    return Writer(rubric, examples, masked_rows.masker_for_measurements(dataset))
