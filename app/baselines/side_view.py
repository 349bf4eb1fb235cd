"""Two variants side by side as people and programs read them: the rows that are chosen, personal data hidden, words
that differ marked, and what each answer took. No cause is among it: whoever tags blind may read here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy.orm import Session

from app.baselines import answers_view, arms, prompts, side_store, standing, word_marks
from app.baselines.side_filter import Mark, Wanted
from app.baselines.side_store import Counts, Pairs, Texts
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.baselines.word_marks import Run
from app.datasets.store import Example
from app.errors import FieldError, Invalid, NotFound
from app.evaluation import metrics
from app.privacy.masking import Masker
from app.web.protocols import CallPrice

Outcome = Literal["fixed", "broken", "both_wrong", "both_right", "error"]
LONGEST = 20_000  # characters of a text that a page or a program gets


@dataclass(frozen=True, slots=True)
class Side:
    """One variant's answer to a row. output: what was extracted and scored; raw: as the model wrote it; compared: what
    the metric really compares. chance: the probability of the label that was given. cost: money for this answer, None
    where nobody knows; free: no language model was asked."""

    answer: AnswerRow
    right: bool | None
    output: str
    raw: str
    compared: str
    error: str
    marks: tuple[Mark, ...]
    chance: float | None
    cost: float | None
    free: bool
    runs: Sequence[Run]

    @property
    def tokens(self) -> int | None:
        """Of prompt and answer together; None where the model did not say."""
        row = self.answer
        return row.prompt_tokens + row.completion_tokens if row.tokens_known else None


@dataclass(frozen=True, slots=True)
class Row:
    """One row with both answers."""

    example_id: int
    line: int
    question: str
    target: str
    compared_target: str
    runs: Sequence[Run]
    a: Side
    b: Side

    @property
    def outcome(self) -> Outcome:
        match self.a.right, self.b.right:
            case False, True:
                return "fixed"
            case True, False:
                return "broken"
            case True, True:
                return "both_right"
            case False, False:
                return "both_wrong"
        return "error"

    @property
    def alike(self) -> bool:
        """Whether both answers are the same text."""
        return self.a.right is not None and self.b.right is not None and self.a.output == self.b.output


@dataclass(frozen=True, slots=True)
class Chosen:
    """Two variants of a measurement and which of their rows are read. whole: every row was looked through for the
    words. a was there first: B is said to fix and to break."""

    baseline: BaselineRow
    a: ArmRow
    b: ArmRow
    pairs: Pairs
    whole: bool = True


def chosen(session: Session, baseline: BaselineRow, wanted: Wanted) -> Chosen | None:
    """What an address asks for; None where there are no two variants with a result yet.

    Raises:
        NotFound: a variant is none of this measurement.
        Invalid: both are the same.
    """
    both = arms_of(baseline, wanted)
    if both is None:
        return None
    a, b = both
    if a.id == b.id:
        raise Invalid("Both variants are the same.", [FieldError("b", "Choose another variant than A.", "parameter")])
    passing = standing.passing(baseline)
    pairs = Pairs(a=a.id, b=b.id, split=wanted.split, passing=passing, which=wanted.which, marks=wanted.marks)
    return _narrowed(session, Chosen(baseline, a, b, pairs), wanted)


def arms_of(baseline: BaselineRow, wanted: Wanted) -> tuple[ArmRow, ArmRow] | None:
    """The two variants: those that are named, else the best prompt as B, and as A what is read beside it.

    Raises:
        NotFound: a variant is none of this measurement.
    """
    by_id = {arm.id: arm for arm in baseline.arms}
    if not {wanted.a, wanted.b} - {None} <= set(by_id):
        raise NotFound("There is no such variant.")
    leading = standing.leading(baseline)
    listed = [arm for arm in (leading, *baseline.arms) if arm is not None and arm.dev]
    b = by_id[wanted.b] if wanted.b else next((arm for arm in listed if arm.id != wanted.a), None)
    if b is None:
        return None
    beside = standing.compared_with(baseline, b)
    a = by_id[wanted.a] if wanted.a else beside or next((arm for arm in listed if arm.id != b.id), None)
    return None if a is None else (a, b)


def splits(baseline: BaselineRow) -> list[str]:
    """Which rows two variants have a result on."""
    results = {"dev": [arm.dev for arm in baseline.arms], "test": [arm.test for arm in baseline.arms]}
    return [split for split, known in results.items() if sum(result is not None for result in known) > 1]


def _narrowed(session: Session, both: Chosen, wanted: Wanted) -> Chosen:
    """The same with what only a look at texts can tell: labels and words as they may be read, and decoration."""
    hide, pairs, whole = answers_view.masking(session, both.baseline), both.pairs, True
    if wanted.expected:
        label = wanted.expected.strip()
        matching = side_store.targets(session, pairs, lambda target: hide.text(target).strip() == label)
        pairs = replace(pairs, targets=matching)
    if wanted.words.strip():
        words = wanted.words.strip()
        found = side_store.holding(session, pairs, words, lambda row: _holds(row, words.lower(), hide))
        pairs, whole = replace(pairs, rows=found.ids), found.whole
    if any(result and result.dressed for arm in (both.a, both.b) for result in (arm.dev, arm.test)):
        bare = frozenset(row.example_id for row in side_store.right_texts(session, pairs) if _decorated(both, row))
        pairs = replace(pairs, decorated=bare)
    return replace(both, pairs=pairs, whole=whole)


def _holds(row: Texts, words: str, hide: Masker) -> bool:
    return any(words in hide.text(text).lower() for text in (row.question, row.target, row.a, row.b))


def _decorated(both: Chosen, row: Texts) -> bool:
    answers = ((row.a, row.a_score), (row.b, row.b_score))
    return any(score and _undressed(both.baseline, output, row.target) for output, score in answers)


def _undressed(baseline: BaselineRow, output: str, target: str) -> bool:
    return metrics.dressed(baseline.metric, output, target, baseline.metric_options)


# ------------------------------------------------------------------ rows


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the chosen rows in their order. first: the number of the first one among them, from 1; 0 without any."""

    rows: Sequence[Row]
    counts: Counts
    total: int
    first: int

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


def page(
    session: Session,
    both: Chosen,
    prices: Mapping[int, CallPrice],
    *,
    after: int = 0,
    before: int | None = None,
    limit: int,
) -> Page:
    """Rows above the id `after`, or the last ones below `before`. prices: of calls of the models, by their id."""
    answers = side_store.page(session, both.pairs, after=after, before=before, limit=limit)
    counts = side_store.counted(session, both.pairs)
    first = side_store.number_of(session, both.pairs, up_to=answers[0][0].example_id) if answers else 0
    rows = _rows(session, both, answers, prices)
    return Page(rows, counts, counts.which[both.pairs.which], first)


@dataclass(frozen=True, slots=True)
class OneRow:
    """A row alone with its neighbours among the chosen ones, by their ids. number: its place among them, 0 where it is
    none of them."""

    row: Row
    preceding: int | None
    following: int | None
    number: int
    total: int


def one_row(session: Session, both: Chosen, example_id: int, prices: Mapping[int, CallPrice]) -> OneRow:
    """One row, whether it is among the chosen ones or not.

    Raises:
        NotFound: one of the two variants was not asked this row.
    """
    answers = side_store.pair(session, both.pairs, example_id)
    if answers is None:
        raise NotFound("These two variants were not both asked this row.")
    following = side_store.page(session, both.pairs, after=example_id, limit=1)
    preceding = side_store.page(session, both.pairs, before=example_id, limit=1)
    up_to = side_store.number_of(session, both.pairs, up_to=example_id)
    there = side_store.number_of(session, both.pairs, up_to=example_id - 1) < up_to
    return OneRow(
        _rows(session, both, [answers], prices)[0],
        preceding[0][0].example_id if preceding else None,
        following[0][0].example_id if following else None,
        up_to if there else 0,
        side_store.number_of(session, both.pairs),
    )


def _rows(
    session: Session,
    both: Chosen,
    answers: Sequence[tuple[AnswerRow, AnswerRow]],
    prices: Mapping[int, CallPrice],
) -> list[Row]:
    examples = answers_view.examples_by_id(session, {first.example_id for first, _ in answers})
    hide = answers_view.masking(session, both.baseline)
    return [_row(both, examples[first.example_id], first, second, hide, prices) for first, second in answers]


def _row(
    both: Chosen,
    example: Example,
    first: AnswerRow,
    second: AnswerRow,
    hide: Masker,
    prices: Mapping[int, CallPrice],
) -> Row:
    baseline, target = both.baseline, hide.text(example.target)
    outputs = [None if answer.score is None else hide.text(answer.output) for answer in (first, second)]
    words = word_marks.marked(target[:LONGEST], *(None if text is None else text[:LONGEST] for text in outputs))
    view = metrics.get(baseline.metric).view
    return Row(
        example.id,
        example.line,
        hide.text(prompts.question(example.messages))[:LONGEST],
        target[:LONGEST],
        hide.text(view(example.target, baseline.metric_options))[:LONGEST],
        words.expected,
        _side(both, both.a, first, example, hide, prices, words.first),
        _side(both, both.b, second, example, hide, prices, words.second),
    )


def _side(
    both: Chosen,
    arm: ArmRow,
    answer: AnswerRow,
    example: Example,
    hide: Masker,
    prices: Mapping[int, CallPrice],
    runs: Sequence[Run],
) -> Side:
    baseline = both.baseline
    view = metrics.get(baseline.metric).view
    return Side(
        answer=answer,
        right=None if answer.score is None else answer.score >= both.pairs.passing,
        output=hide.text(answer.output)[:LONGEST],
        raw=hide.text(answer.output if answer.raw is None else answer.raw)[:LONGEST],
        compared=hide.text(view(answer.output, baseline.metric_options))[:LONGEST],
        error="" if answer.error is None else hide.text(answer.error)[:LONGEST],
        marks=_marks(baseline, answer, example),
        chance=answers_view.chance_of(answer),
        cost=_cost(baseline, arm, answer, prices),
        free=arm.family in arms.FREE,
        runs=runs,
    )


def _marks(baseline: BaselineRow, answer: AnswerRow, example: Example) -> tuple[Mark, ...]:
    """What is to be known of one answer."""
    marks: dict[Mark, bool] = {
        "cut": answer.finish == "length",
        "thinking": answer.raw is not None,
        "cache": answer.taken_from is not None,
        "decoration": bool(answer.score) and _undressed(baseline, answer.output, example.target),
    }
    return tuple(mark for mark, there in marks.items() if there)


def _cost(baseline: BaselineRow, arm: ArmRow, answer: AnswerRow, prices: Mapping[int, CallPrice]) -> float | None:
    price = prices.get(int(arm.settings.get("model_id", baseline.model_id)))
    if price is None or not answer.tokens_known:
        return None
    return (answer.prompt_tokens * price.input + answer.completion_tokens * price.output) / 1e6
