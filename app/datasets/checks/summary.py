"""The report of a check, put together from what its stages worked out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from app.datasets.checks import file_warnings, languages, message_words, messages, suspicious
from app.datasets.checks.duplicates import Twin
from app.datasets.checks.judge import Judge
from app.datasets.checks.notes import Message, Notes
from app.datasets.checks.outcome import Check
from app.datasets.checks.report import Report, Verdict
from app.datasets.checks.report_parts import (
    Clusters,
    ClusterSize,
    Contradiction,
    Counts,
    FileFacts,
    GapRows,
    LabelCount,
    LabelGap,
    LanguageShare,
    Leak,
    LengthReport,
    NeedsRows,
    Pair,
    Remark,
    ReportMessage,
    Sample,
    SampleTurn,
    SharedGroups,
    SplitReport,
    WaterfallStep,
)
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows, different_values, question
from app.datasets.splits import shares
from app.datasets.splits.draw import Drawn
from app.datasets.splits.places import Split
from app.datasets.thresholds import RARE_LABEL

SAMPLES = 3
LABELS = 500  # labels listed in a report
LABELS_NAMED = 8  # in a sentence
_LABELS_COUNTED = 1000  # labels that sentences about labels are made of
_LANGUAGES = 20
_LINES = 1000  # lines with something to say about them that even a short report lists
_TEXT, _ANSWER, _SAMPLE = 200, 200, 600  # characters of a text that a report quotes

# (name of the step, words on the page, status of the rows that end here)
STEPS = (
    ("valid", "could be read", RowStatus.FAULT),
    ("not_empty", "with question and answer", RowStatus.EMPTY),
    ("not_private", "without personal data that you left out", RowStatus.PRIVATE),
    ("within_length", "within the length", RowStatus.TOO_LONG),
    ("unique", "ask something different", RowStatus.DUPLICATE),
    ("near_unique", "and not nearly the same", RowStatus.NEAR_DUPLICATE),
    ("consistent", "without contradictions", RowStatus.CONTRADICTION),
    ("not_in_test", "not in the test file", RowStatus.LEAK),
    ("of_other_groups", "of groups that the test file does not hold", RowStatus.TEST_GROUP),
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the stages of a check worked out. facts: of each file; task: labels, json or text.

    lengths: of the rows; shared: what became of rows whose group the own test file holds; needed: examples that
    training asks for, 0 where nobody is to be told.
    """

    facts: Sequence[FileFacts]
    notes: Notes
    judge: Judge
    drawn: Drawn
    task: str
    lengths: LengthReport
    shared: SharedGroups
    needed: int
    own_test: bool


def report_of(outcome: Check, findings: Findings) -> Report:
    """The report but for what is measured on the texts once more. Gives the outcome the marks that count."""
    rows, notes, judge = outcome.rows, findings.notes, findings.judge
    parts = outcome.split.counts()
    usable = all(parts[part] > 0 for part in ("train", "dev", "test"))
    remarks, outcome.marks = _remarks(rows, findings.task)
    labels = _labels(rows) if findings.task == "labels" else []
    warnings = list(_file_warnings(outcome, findings)) if usable else []
    _note_whole_file(outcome, findings, labels, warnings, remarks)
    notes.messages.sort(key=lambda message: (message.line is not None, message.file, message.line or 0))
    why = tuple(warning.text for warning in warnings)
    split = _split(outcome, findings, usable=usable)
    if not usable:
        why = _refuse(notes, split.why_not)
    waterfall = waterfall_of(rows, outcome.status, notes.refused_counts, parts, own_test=findings.own_test)
    most = notes.max_messages
    of_file = {fact.name: getattr(findings.facts[0], fact.name) for fact in fields(FileFacts)}
    report = Report(
        verdict=_verdict(notes, why, usable=usable),
        why=why,
        **of_file | {"undecodable": sum(facts.undecodable for facts in findings.facts)},
        samples=_samples(rows),
        uploaded=waterfall[0].count,
        records=sum(1 for file in rows.files if not file),
        test_records=sum(1 for file in rows.files if file),
        bad_lines=_bad_lines(rows, findings)[: max(_LINES, most)],
        test_bad_lines=tuple(sorted({rows.lines[leak.later] for leak in judge.leaks}))[: max(_LINES, most)],
        messages=tuple(notes.messages),
        message_counts=dict(notes.counts),
        waterfall=waterfall,
        task=findings.task,
        languages=_languages(rows),
        remarks=tuple(remarks),
        clusters=_clusters(outcome.group, kept=len(judge.kept_groups)),
        split=split,
        test_overlap_rows=_overlap(outcome),
        can_be_used=usable,
        lengths=findings.lengths,
        needs_rows=_needs_rows(split.test),
    )
    return _with_labels(_with_pairs(report, outcome, findings), outcome, findings, labels)


def _with_pairs(report: Report, outcome: Check, findings: Findings) -> Report:
    """The report with the rows that repeat, contradict or leak, and their numbers."""
    rows, judge, most = outcome.rows, findings.judge, findings.notes.max_messages
    status = Counter(outcome.status)
    return replace(
        report,
        duplicates=_pairs(outcome, RowStatus.DUPLICATE, most),
        near_duplicates=_pairs(outcome, RowStatus.NEAR_DUPLICATE, most),
        contradictions=tuple(_contradiction(outcome, twin) for twin in judge.contradictions[:most]),
        leaks=tuple(_leak(rows, leak) for leak in sorted(judge.leaks, key=lambda leak: leak.later)[:most]),
        counts=Counts(
            **{end.value: status[end] for end in RowStatus},
            contradictions=len(judge.contradictions),
            leaks=len(judge.leaks),
            exact_leaks=sum(rows.keys[leak.earlier] == rows.keys[leak.later] for leak in judge.leaks),
            groups=len(judge.contradicted),
            repeated_groups=len(judge.repeated),
        ),
        contradiction_rate=contradiction_rate(len(judge.contradicted), len(judge.repeated)),
        similar_questions=len(judge.repeated),
    )


def _with_labels(report: Report, outcome: Check, findings: Findings, labels: Sequence[LabelCount]) -> Report:
    """The report with what is known of labels; as it is where the answers are none."""
    if findings.task != "labels":
        return report
    answers = Counter(outcome.rows.answers)
    return replace(
        report,
        label_agreement=findings.judge.agreement(),
        labels=tuple(labels[:LABELS]),
        different_labels=len(answers),
        labelled_rows=answers.total(),
        rare_labels=sum(1 for count in answers.values() if count < RARE_LABEL),
    )


def contradiction_rate(contradicted: int, repeated: int) -> float:
    """The share of repeated questions whose answers contradict each other; 0 where no question is repeated."""
    return contradicted / max(repeated, 1)


# ---------------------------------------------------------------------- the verdict and what is said
def _verdict(notes: Notes, why: Sequence[str], *, usable: bool) -> Verdict:
    if not usable:
        return "reject"
    return "warn" if why or notes.counts["error"] or notes.counts["warning"] else "accept"


def _file_warnings(outcome: Check, findings: Findings) -> Iterable[file_warnings.FileWarning]:
    """What the verdict says first of a file that can be used."""
    rows, split = outcome.rows, outcome.split.counts()
    uploaded = np.asarray(rows.files) == 0
    ends = Counter(status for status, file in zip(outcome.status, rows.files, strict=True) if not file)
    counts = file_warnings.Counts(
        rows=int(np.count_nonzero(uploaded)),
        unread=sum(count for (file, _), count in findings.notes.refused_counts.items() if not file),
        usable=split["train"] + split["dev"],
        repeats=ends[RowStatus.DUPLICATE] + ends[RowStatus.NEAR_DUPLICATE],
        answers=different_values(np.asarray(rows.answers)[uploaded]),
    )
    return file_warnings.of_file(rows, findings.task, counts, findings.lengths, findings.needed)


def _note_whole_file(
    outcome: Check,
    findings: Findings,
    labels: Sequence[LabelCount],
    warnings: Iterable[file_warnings.FileWarning],
    remarks: Iterable[Remark],
) -> None:
    """Add what is to be said about the rows as a whole, unless the file could not be read through."""
    notes = findings.notes
    if any(message.line is None and message.level == "error" for message in notes.messages):
        return
    numbers = messages.FileNumbers(
        labels=labels,
        leaks=findings.judge.leaks,
        # As the waterfall counts them, and the page of these rows.
        contradicting=outcome.status.count(RowStatus.CONTRADICTION) if findings.judge.contradictions else 0,
        own_test=findings.own_test,
        test_rows=outcome.split.counts()["test"],
    )
    for message in messages.of_file(outcome.rows, numbers):
        notes.add(message, 0)
    for warning in warnings:
        if warning.kind != "too_few":  # no fault of the file; the verdict says it
            notes.add(Message(None, warning.statement), 0)
    for remark in remarks:
        notes.add(ReportMessage(None, "", remark.text, remark.level), 0)


def _refuse(notes: Notes, why_not: str) -> tuple[str, ...]:
    """Give a refusal its sentence, where no fault of the whole file has said it already."""
    whole_file = [message.text for message in notes.messages if message.line is None and message.level == "error"]
    text = message_words.why_refused(whole_file, why_not)
    if not whole_file:
        notes.messages.insert(0, ReportMessage(None, "", text))
        notes.counts["error"] += 1
    return (text,)


def _bad_lines(rows: WorkingRows, findings: Findings) -> tuple[int, ...]:
    contradicting = {rows.lines[twin.later] for twin in findings.judge.contradictions if not rows.files[twin.later]}
    return tuple(sorted(findings.notes.lines | contradicting))


def _remarks(rows: WorkingRows, task: str) -> tuple[list[Remark], Sequence[int]]:
    """What is doubtful about the upload's own rows, and the marks of each row that count."""
    counts = Counter(rows.answers) if task == "labels" else Counter()
    uploaded = bytes(0 if file else mark for mark, file in zip(rows.marks, rows.files, strict=True))
    return suspicious.remarks_of(uploaded, task, rows.lines.__getitem__, lambda index: counts[rows.answers[index]])


# ---------------------------------------------------------------------- from uploaded to usable
def waterfall_of(
    rows: WorkingRows,
    status: list[RowStatus],
    refused: Mapping[tuple[int, RowStatus], int],
    split: Mapping[Split, int],
    *,
    own_test: bool,
) -> tuple[WaterfallStep, ...]:
    """From the lines of the upload down to the usable rows. A test file of its own is not counted in.

    refused: lines without a record, by file and status.
    """
    ends = Counter(end for end, file in zip(status, rows.files, strict=True) if not file)
    ends.update({end: count for (file, end), count in refused.items() if not file})
    left = ends.total()
    steps = [WaterfallStep("uploaded", "rows uploaded", left)]
    for name, label, end in STEPS:
        optional = end in (RowStatus.PRIVATE, RowStatus.TEST_GROUP)
        if (end is RowStatus.LEAK and not own_test) or (optional and not ends[end]):
            continue
        left -= ends[end]
        steps.append(WaterfallStep(name, label, left, ends[end], end.value))
    test = 0 if own_test else split.get("test", 0)
    label = "usable: to train on and to choose by" if own_test else "usable: besides the test rows"
    steps.append(WaterfallStep("usable", label, left - test, test, RowStatus.USABLE.value))
    return tuple(steps)


# ---------------------------------------------------------------------- the split
def _split(outcome: Check, findings: Findings, *, usable: bool) -> SplitReport:
    parts, drawn, own_test = outcome.split.counts(), findings.drawn, findings.own_test
    untested, untaught = _coverage(outcome) if findings.task == "labels" else (None, None)
    learning = parts["train"] + parts["dev"]
    rows = learning + (0 if own_test else parts["test"])
    why_not = (
        "" if usable or not rows else message_words.why_not_split(rows, drawn.groups, drawn.units, own_test=own_test)
    )
    how = {part.name: getattr(drawn, part.name) for part in fields(Drawn) if part.name != "split"}
    return SplitReport(
        train=parts["train"],
        dev=parts["dev"],
        test=parts["test"],
        usable=learning,
        own_test=own_test,
        untested=untested,
        untaught=untaught,
        **how,
        shared=findings.shared,
        why_not=why_not,
    )


def _needs_rows(test_rows: int) -> NeedsRows:
    needs = shares.needs_rows(test_rows)
    return NeedsRows(test_rows, needs.gap, tuple(GapRows(gap, rows) for gap, rows in needs.table))


def _overlap(outcome: Check) -> int:
    """Test rows of whose group another row is trained on or chosen by; counted from the outcome, not from the plan."""
    group = np.asarray(outcome.group, dtype=np.int64)
    learning, judging = group[outcome.split.where("train", "dev")], group[outcome.split.where("test")]
    return int(np.count_nonzero(np.isin(judging, learning)))


def _coverage(outcome: Check) -> tuple[LabelGap, LabelGap]:
    """Labels that no test row has, and labels that only test rows have."""
    rows = outcome.rows
    answers = np.asarray(rows.answers, dtype=np.uint64)

    def in_parts(*parts: Split) -> Counter[int]:
        return Counter(answers[outcome.split.where(*parts)].tolist())

    test, learning, every = in_parts("test"), in_parts("train"), in_parts("train", "dev", "test")
    untested = {label: count for label, count in every.items() if label not in test}
    untaught = {label: count for label, count in test.items() if label not in learning}
    return _gap(rows, untested), _gap(rows, untaught)


def _gap(rows: WorkingRows, labels: Mapping[int, int]) -> LabelGap:
    commonest = sorted(labels, key=lambda label: (-labels[label], label))[:LABELS_NAMED]
    names = tuple(rows.quoted(rows.answers.index(label)).target[:60] for label in commonest)
    return LabelGap(len(labels), sum(labels.values()), names)


# ---------------------------------------------------------------------- what the rows are
def _labels(rows: WorkingRows) -> list[LabelCount]:
    _, first, counts = np.unique(np.asarray(rows.answers), return_index=True, return_counts=True)
    commonest = np.lexsort((first, -counts))[:_LABELS_COUNTED]  # of equals the one that came first
    return [LabelCount(rows.quoted(int(first[place])).target[:_ANSWER], int(counts[place])) for place in commonest]


def _languages(rows: WorkingRows) -> tuple[LanguageShare, ...]:
    """Languages of what is asked, commonest first; rows too short to tell are left out of the shares."""
    counts = Counter(code for code, file in zip(rows.languages, rows.files, strict=True) if not file)
    del counts[rows.codes.index("")]
    total = counts.total()
    return tuple(
        LanguageShare(rows.codes[code], languages.name(rows.codes[code]), count, round(count / total, 4))
        for code, count in counts.most_common(_LANGUAGES)
    )


def _clusters(group: Sequence[int], *, kept: int) -> Clusters:
    """How large the clusters are: rows by size of their cluster."""
    members = np.bincount(np.asarray(group, dtype=np.int64))
    members = members[members > 1]
    sizes, counts = np.unique(members, return_counts=True)
    by_size = tuple(
        ClusterSize(size, count, size * count) for size, count in zip(sizes.tolist(), counts.tolist(), strict=True)
    )
    return Clusters(len(members), int(members.sum()), by_size, kept)


def _samples(rows: WorkingRows) -> tuple[Sample, ...]:
    records = (rows.quoted(index) for index in range(min(SAMPLES, len(rows))))
    return tuple(
        Sample(
            record.line,
            tuple(SampleTurn(turn.role, turn.content[:_SAMPLE]) for turn in record.messages[-4:]),
            record.target[:_SAMPLE],
        )
        for record in records
    )


# ---------------------------------------------------------------------- pairs of rows
def _pairs(outcome: Check, status: RowStatus, most: int) -> tuple[Pair, ...]:
    rows = outcome.rows
    pairs: list[Pair] = []
    for index, end in enumerate(outcome.status):
        if end is status and len(pairs) < most:
            other, similarity = outcome.twin.get(index) or (index, 1.0)
            pairs.append(
                Pair(
                    line=rows.lines[index],
                    of_line=rows.lines[other],
                    similarity=similarity,
                    text=_excerpt(rows, index),
                    of_text=_excerpt(rows, other),
                    answer=rows.quoted(index).target[:_ANSWER],
                    of_answer=rows.quoted(other).target[:_ANSWER],
                    file=rows.files[index],
                )
            )
    return tuple(pairs)


def _contradiction(outcome: Check, twin: Twin) -> Contradiction:
    rows = outcome.rows
    return Contradiction(
        line=rows.lines[twin.later],
        of_line=rows.lines[twin.earlier],
        cluster=outcome.group[twin.later],
        same=rows.pair(twin.later)[0] == rows.pair(twin.earlier)[0],
        text=_excerpt(rows, twin.later),
        of_text=_excerpt(rows, twin.earlier),
        answer=rows.quoted(twin.later).target[:_ANSWER],
        of_answer=rows.quoted(twin.earlier).target[:_ANSWER],
        similarity=twin.similarity,
        file=rows.files[twin.later],
    )


def _leak(rows: WorkingRows, leak: Twin) -> Leak:
    return Leak(
        line=rows.lines[leak.later],
        of_line=rows.lines[leak.earlier],
        similarity=leak.similarity,
        text=_excerpt(rows, leak.later),
        of_text=_excerpt(rows, leak.earlier),
    )


def _excerpt(rows: WorkingRows, index: int) -> str:
    question_text = question(rows.quoted(index))
    return question_text if len(question_text) <= _TEXT else question_text[: _TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"
