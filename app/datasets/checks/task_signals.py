"""What the examples themselves say about the job, before any model is asked (decision-rules F01, F07, F13, gate G2).

Three questions: what kind of answer is wanted, could a schema hold it, and do the answers hold knowledge that neither
the question nor the other examples give? The last is the one that matters most: facts are looked up, not trained.

How knowledge is told from behaviour, without a list of subjects or of question words:

- *Items* are names, numbers and dates, by their writing: digits, capitals inside a sentence, signs inside a word. Of
  JSON only the values count, of SQL only the literals.
- An item is *new* when it isn't in the input, and isn't *vocabulary*: something that several different answers use
  can be learnt from examples (label names, columns, class names); what one answer says alone can't. A fact that is
  asked for in five wordings is still one answer, so equal answers count once.
- *Uncovered* is the share of an answer's information that its input does not give, each word weighed by how few
  answers use it. Without lists of stop words, in any language; writing without blanks is taken in pairs of signs.
- What is asked: a question (a question mark in any script), or material to work on (code, JSON, long or of many lines),
  or a fixed instruction with something behind it. Material gives the answer its content; a bare question gives none.
- Where question and answer share no common words they are in two languages (a translation); then wording proves
  nothing, and new numbers alone count.

Thresholds are judgements, fitted to the shared sets and to a public tool's seventeen demo sets: see
`tests/datasets/checks/test_task_signals.py`, which also asks the same of cut, lower-cased and translated versions.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from app.datasets.checks import learning_words
from app.datasets.checks.answer_items import items_of, plain, words_of
from app.datasets.checks.answer_kinds import KINDS, could_be_label, kind_of, nothing_but_reading
from app.datasets.checks.compared_text import Texts
from app.datasets.checks.knowledge import (
    FEW,
    NEW,
    UNCOVERED,
    Inputs,
    Knowledge,
    SampledRow,
    rounded,
    same_questions,
    share_of,
)
from app.datasets.checks.report_trials import SignalEvidence, Signals
from app.datasets.thresholds import LABEL_REPEATS

SAMPLE = 2000  # rows looked at, evenly spread; shares of so many are right to 2 points
MOST_SIGNS = 8_000_000  # characters in all of them, so that long rows take no longer than short ones
WORTH_SAYING = 0.05  # share from which on something is worth a sentence
LINES = 5  # named for each piece of evidence
MAIN = 0.8  # share of one kind from which on the file is of that kind

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_./:-][A-Za-z0-9]+)+|[A-Z][A-Z0-9]+")
_LITERAL = re.compile(r"'((?:[^']|'')*)'|\"([^\"]*)\"|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")
_LINK = re.compile(r"\b(?:https?://|doi:|doi\.org/|arXiv:)\S+", re.IGNORECASE)
_REFERENCE = re.compile(
    r"(?:(?<!\w)|(?<=[a-z]{3}))\[(?:[1-9]\d{0,2}(?:\s*[,\u2013-]\s*\d{1,3})*|[A-Za-z][\w.-]*[#:]\s?\d+|[\w./-]+\.(?:md|html?|pdf|txt|rst|docx?))\]"
    r"|\((?:[A-Z][^()\d]{1,60},?\s+(?:19|20)\d\d[a-z]?)(?:,\s*p+\.\s*\d+)?\)"
    r"|\u00a7+\s?\d|\u3010[^\u3011]+\u3011"
)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """The sample and what was found in it. rows: of the file; distinct: different answers in all of it."""

    rows: list[SampledRow]
    inputs: Inputs
    cites: list[SampledRow]
    schema: list[SampledRow]
    kind_shares: dict[str, float]
    output: str
    knowledge: Knowledge
    total: int
    distinct: int

    def share(self, part: Sequence[SampledRow]) -> float:
        return rounded(len(part) / len(self.rows)) if self.rows else 0.0

    @property
    def distinct_share(self) -> float:
        return rounded(self.distinct / self.total) if self.total else 0.0


def measure(texts: Texts, lines: Sequence[int], answers: Sequence[int]) -> Signals:
    """The signals of a file, as they are stored in the report and given to the advice.

    lines: the line of each row; answers: a hash of each row's answer. Everything but `rows` and the distinct answers is
    taken from a sample of at most `SAMPLE` rows.
    """
    sampled = _sampled(texts, lines, answers)
    inputs = sampled.inputs
    return Signals(
        rows=sampled.total,
        sampled=len(sampled.rows),
        output_kind=sampled.output,
        kind_shares={kind: share for kind, share in sampled.kind_shares.items() if share},
        distinct_answers=sampled.distinct,
        distinct_share=sampled.distinct_share,
        novelty=inputs.novelty,
        uncovered=inputs.uncovered,
        questions=inputs.asking,
        cites=sampled.share(sampled.cites),
        schema_share=sampled.share(sampled.schema),
        knowledge=sampled.knowledge,
        goals=tuple(_goals(sampled)),
        evidence=tuple(
            SignalEvidence(signal, text, share, tuple(row.line for row in rows[:LINES]))
            for signal, text, share, rows in (*_form(sampled), *_knowledge(sampled), *_sources(sampled))
        ),
    )


def _sampled(texts: Texts, lines: Sequence[int], answers: Sequence[int]) -> _Sampled:
    rows = _sample(texts, lines)
    _classify(rows)
    for row in rows:
        content = _content(row)
        row.items = frozenset(items_of(content)) if row.kind != "label" else frozenset()
        row.words = frozenset(words_of(content))
    inputs = Inputs(rows)
    counts = Counter(row.kind for row in rows)
    shares: dict[str, float] = {kind: rounded(counts[kind] / max(1, len(rows))) for kind in KINDS}
    output = next((kind for kind in KINDS if shares[kind] >= MAIN), "mixed") if rows else "prose"
    cites = [row for row in rows if _cites(row)]
    return _Sampled(
        rows, inputs, cites, _schema(rows), shares, output, inputs.knowledge(), len(texts), len(set(answers))
    )


def _sample(texts: Texts, lines: Sequence[int]) -> list[SampledRow]:
    """Rows evenly spread over the file, so that a sorted file does no harm."""
    total = len(texts)
    number = min(total, SAMPLE)
    rows: list[SampledRow] = []
    signs = 0
    for place in range(number):
        index = place * total // number
        question, answer = texts.pair(index)
        rows.append(SampledRow(lines[index], question, answer, "prose"))
        signs += len(question) + len(answer)
        if signs > MOST_SIGNS and len(rows) >= FEW:
            break
    return rows


def _classify(rows: list[SampledRow]) -> None:
    with closing(sqlite3.connect(":memory:")) as grammar:
        grammar.set_authorizer(nothing_but_reading)
        for row in rows:
            row.kind, row.value = kind_of(row.answer, grammar)
    short = [row for row in rows if row.kind in ("prose", "code") and could_be_label(row.answer)]
    different = {plain(row.answer) for row in short}
    names = sum(1 for row in short if _IDENTIFIER.fullmatch(row.answer.strip()))
    repeats = len(short) >= LABEL_REPEATS * len(different) and not same_questions(short)
    if short and (repeats or names > MAIN * len(short)):
        for row in short:
            row.kind = "label"


def _content(row: SampledRow) -> str:
    """The part of the answer that may hold facts."""
    if row.kind == "json":
        return "\n".join(_leaves(row.value))
    if row.kind == "sql":
        return "\n".join(single or double or number for single, double, number in _LITERAL.findall(row.answer))
    return row.answer


def _leaves(value: object) -> list[str]:
    texts: list[str] = []
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, str):
            texts.append(part)
        elif isinstance(part, int | float) and not isinstance(part, bool):
            texts.append(str(part))
    return texts


# ---------------------------------------------------------------------- what follows
def _schema(rows: Sequence[SampledRow]) -> list[SampledRow]:
    """The rows whose answer a schema would hold: labels, and JSON whose keys recur.

    Any of the keys may be left out, as in an address without a floor; a key that hardly any other row has is no field
    of a form but a value of its own row.
    """
    keys = [_keys(row.value) if row.kind == "json" else frozenset() for row in rows]
    counts = Counter(key for some in keys for key in some)
    enough = max(2, len(rows) // 50)
    return [
        row
        for row, some in zip(rows, keys, strict=True)
        if row.kind == "label" or (row.kind == "json" and all(counts[key] >= enough for key in some))
    ]


def _keys(value: object) -> frozenset[str]:
    """The keys of an answer, or of the objects of a list; of a list of other things a sign for that."""
    if isinstance(value, dict):
        return frozenset(map(str, value))
    items = value if isinstance(value, list) else []
    objects = [item for item in items if isinstance(item, dict)]
    return frozenset(f"[{key}" for item in objects for key in item) | (
        {"["} if len(objects) < len(items) else frozenset()
    )


def _cites(row: SampledRow) -> bool:
    if row.kind in ("label", "json", "sql", "code"):
        return False
    return _REFERENCE.search(row.answer) is not None or _LINK.search(row.answer) is not None


def _goals(sampled: _Sampled) -> list[str]:
    """Goals of F01 that the answers suggest, the likeliest first."""
    rows, output, inputs = sampled.rows, sampled.output, sampled.inputs
    if not rows:
        return []
    if output == "json":
        calls = share_of(rows, lambda row: isinstance(row.value, dict) and {"name", "arguments"} <= set(row.value))
        copied = inputs.uncovered < 0.5
        first = "tools" if calls >= 0.5 else "extract" if copied else "classify"
        return [first, "format"]
    fixed: dict[str, list[str]] = {
        "label": ["classify"],
        "sql": ["tools", "format"],
        "code": ["format", "style", "terms"],
    }
    if output in fixed:
        return fixed[output]
    if output != "prose":
        return []
    if sampled.knowledge == "likely":
        return ["facts"]
    return (
        ["style", "terms", "general"]
        if inputs.framed and inputs.uncovered >= UNCOVERED
        else ["general", "style", "terms"]
    )


_Evidence = Iterator[tuple[str, str, float, Sequence[SampledRow]]]


def _form(sampled: _Sampled) -> _Evidence:
    rows = sampled.rows
    if not rows:
        return
    kinds = sorted(((kind, share) for kind, share in sampled.kind_shares.items() if share), key=lambda entry: -entry[1])
    yield "output_kind", learning_words.kinds(kinds), kinds[0][1], [row for row in rows if row.kind == kinds[0][0]]
    total, distinct = sampled.total, sampled.distinct
    if total >= FEW and sampled.distinct_share <= 1 / LABEL_REPEATS:
        text = learning_words.repeats(
            total, distinct, labels=sampled.output == "label", facts=sampled.inputs.novelty >= NEW
        )
        yield "distinct_answers", text, sampled.distinct_share, rows
    if schema := sampled.schema:
        share = sampled.share(schema)
        yield "schema_share", learning_words.shaped(share), share, schema


def _knowledge(sampled: _Sampled) -> _Evidence:
    rows, inputs = sampled.rows, sampled.inputs
    if inputs.novelty >= WORTH_SAYING:
        new = [row for row in rows if row.new]
        yield "novelty", learning_words.novel(inputs.novelty), inputs.novelty, new
    if not inputs.one_language:
        yield "languages", learning_words.LANGUAGES, 1.0, rows
    elif inputs.free and sampled.output not in ("label", "sql"):
        text = learning_words.uncovered(inputs.uncovered, facts=sampled.knowledge == "likely")
        yield "uncovered", text, inputs.uncovered, sorted(inputs.free, key=lambda row: -row.uncovered)


def _sources(sampled: _Sampled) -> _Evidence:
    if (share := sampled.share(sampled.cites)) >= WORTH_SAYING:
        yield "cites", learning_words.cited(share), share, sampled.cites
