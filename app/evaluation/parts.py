"""Where a score comes from: by label, and by field where answers are JSON. All pure, worked out from stored answers."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app import intervals
from app.evaluation import structure
from app.evaluation.kinds.metric import Options
from app.json_types import JsonObject

LONGEST_LABEL = 100  # characters; what is longer is a text and no label
FEWEST_A_LABEL = 2  # rows on average: where nearly every answer is another one, they are no labels


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: what was wanted, what came, and its score from 0 to 1; None where none came."""

    target: str
    output: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Label:
    """The rows that want one label. score: mean over those that were answered, None where none was.

    low, high: 95 % interval (Wilson) where scores are right or wrong, else None. instead: the commonest wrong answer.
    """

    label: str
    rows: int
    errors: int
    score: float | None
    low: float | None
    high: float | None
    instead: str | None


@dataclass(frozen=True, slots=True)
class FieldScore:
    """One field of the wanted JSON objects, over the rows that have it. field: its path, `address.city`.

    right, other, missing: the value is the same, is another one, or is not there (as in what is no JSON). extra: rows
    whose answer has the field though it was not wanted. low, high: 95 % interval (Wilson) of right in rows.
    """

    field: str
    rows: int
    right: int
    other: int
    missing: int
    extra: int
    score: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """So many rows want one label and got another one."""

    expected: str
    output: str
    rows: int


@dataclass(frozen=True, slots=True)
class Confusions:
    """Wrong answers of a classifier, split by what they are.

    pairs: one label given for another, the most frequent first. outside: rows whose answer is none of the labels, which
    is a matter of format rather than of choosing.
    """

    pairs: tuple[Confusion, ...]
    outside: int

    @property
    def rows(self) -> int:
        """Rows on which one label was given for another."""
        return sum(pair.rows for pair in self.pairs)


def confusions(answers: Sequence[Answered], labels: Collection[str]) -> Confusions:
    """Which label was given for which other one, over the answers that scored nothing; errors are no evidence.

    labels: every label there is, blanks at the ends taken off.
    """
    known = frozenset(labels)
    wrong = [(answer.target.strip(), answer.output.strip()) for answer in answers if answer.score == 0]
    counted = Counter(pair for pair in wrong if pair[1] in known and pair[0] != pair[1])
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return Confusions(
        tuple(Confusion(expected, output, rows) for (expected, output), rows in ordered),
        sum(output not in known for _, output in wrong),
    )


def by_label(answers: Sequence[Answered], *, binary: bool) -> list[Label]:
    """The scores of each label, the commonest first; nothing where the wanted answers are no labels."""
    groups: dict[str, list[Answered]] = defaultdict(list)
    for answer in answers:
        groups[answer.target.strip()].append(answer)
    lines = all(len(label) <= LONGEST_LABEL and "\n" not in label for label in groups)
    if not lines or len(groups) < 2 or len(answers) < FEWEST_A_LABEL * len(groups):
        return []
    labels = [_label(label, group, binary=binary) for label, group in groups.items()]
    return sorted(labels, key=lambda label: (-label.rows, label.label))


def _label(label: str, group: Sequence[Answered], *, binary: bool) -> Label:
    scores = [answer.score for answer in group if answer.score is not None]
    interval = intervals.wilson(sum(scores), len(scores)) if binary and scores else None
    wrong = Counter(
        answered for answer in group if answer.score == 0 and len(answered := answer.output.strip()) <= LONGEST_LABEL
    )
    return Label(
        label=label,
        rows=len(group),
        errors=len(group) - len(scores),
        score=sum(scores) / len(scores) if scores else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        instead=min(wrong, key=lambda answered: (-wrong[answered], answered)) if wrong else None,
    )


def by_field(answers: Sequence[Answered], options: Options) -> list[FieldScore]:
    """The fields of the wanted JSON objects, in the order of their first row, those of objects inside by their path;
    nothing where a wanted answer is no object. options: those of the metric, which say how far around the JSON we look.
    Errors are no evidence."""
    reach = {name: bool(options.get(name)) for name in ("fence", "around")}
    counts: dict[str, Counter[str]] = {}
    for answer in answers:
        wanted = structure.parsed(answer.target, **reach)
        if not isinstance(wanted, dict):
            return []
        if answer.score is None:
            continue
        answered = structure.parsed(answer.output, **reach)
        for name, judgement in _judged(wanted, answered if isinstance(answered, dict) else structure.NOTHING).items():
            counts.setdefault(name, Counter())[judgement] += 1
    return [_field(name, count) for name, count in counts.items()]


def _judged(wanted: JsonObject, answered: object) -> dict[str, str]:
    try:
        return structure.judged_fields(wanted, answered)
    except RecursionError:  # nested about a thousand deep: no data anyone means
        return dict.fromkeys(wanted, "other")


def _field(name: str, count: Counter[str]) -> FieldScore:
    rows = count["right"] + count["other"] + count["missing"]
    interval = intervals.wilson(count["right"], rows) if rows else None
    return FieldScore(
        field=name,
        rows=rows,
        right=count["right"],
        other=count["other"],
        missing=count["missing"],
        extra=count["extra"],
        score=count["right"] / rows if rows else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )
