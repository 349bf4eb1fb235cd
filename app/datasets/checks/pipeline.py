"""What an upload is worth: which rows can be used, and why the others can't.

`check` takes the bytes through reading (`gathering`), near-duplicates (`duplicates`), contradictions and leaks
(`judge`, `leaks`) and the split, and gives back one status a row and one report (`summary`).
"""

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from app.datasets.checks import (
    compared_text,
    duplicates,
    gathering,
    judge,
    leaks,
    lengths,
    row_warnings,
    summary,
    task_signals,
)
from app.datasets.checks.checkpoint import Checkpoint
from app.datasets.checks.gathering import Gathering, Tick, silent
from app.datasets.checks.judge import Judge
from app.datasets.checks.notes import Notes
from app.datasets.checks.outcome import Check
from app.datasets.checks.report_parts import LengthReport, SharedGroups
from app.datasets.checks.statuses import RowStatus
from app.datasets.checks.working_rows import WorkingRows, question
from app.datasets.reading.reader import Upload
from app.datasets.splits import draw
from app.datasets.splits.declared import DeclaredColumns, declared_by
from app.datasets.splits.draw import DrawInput, Drawn
from app.datasets.splits.places import Split
from app.privacy import masking
from app.privacy.scan import Scan

# Stages, by the words that a reader sees; those of reading: `gathering`.
COMPARING, LEAKS, DRAWING = "Comparing rows", "Looking for test questions", "Drawing the split"
COUNTING, ANSWERS = "Counting tokens", "Reading the answers"

_REPEATS = (
    ("Duplicates", RowStatus.DUPLICATE),
    ("Near-duplicates", RowStatus.NEAR_DUPLICATE),
    ("Contradictions", RowStatus.CONTRADICTION),
    ("Also in the test file", RowStatus.LEAK),
)

Came = Callable[[Mapping[str, int | str]], None]


def unheard(results: Mapping[str, int | str]) -> None:
    """Tell nobody what came so far."""


MAX_MESSAGES = 500  # messages, pairs and lines kept in a report, unless the caller says otherwise


@dataclass(frozen=True, slots=True)
class CheckInput:
    """What goes into a check.

    own_test: the uploader's own test file. seed: of the split. previous_assignment: the split of the versions before,
    by key of input. decisions: what is done with each kind of personal data (mask, exclude, attest). plan: how to split
    (`draw.PLANS`). shared: what a person said about rows whose group stands in the own test file (out, in).
    masked_before: kinds of personal data that were masked in an earlier version and are not now. kept_keys: keys of the
    clusters whose repeats a person wants to use all the same. max_messages: how many messages and pairs of each kind
    the report holds. tokens: counts what a model reads; None counts characters. needed: examples that training asks
    for, 0 where nobody is to be told.
    """

    upload: BinaryIO | Upload
    own_test: BinaryIO | Upload | None = None
    seed: int = 7
    previous_assignment: Mapping[int, Split] | None = None
    decisions: Mapping[str, str] = field(default_factory=dict)
    plan: str = ""
    shared: str = ""
    masked_before: Collection[str] = ()
    kept_keys: Collection[int] = ()
    max_messages: int = MAX_MESSAGES
    tokens: lengths.Counter | None = None
    needed: int = 0

    @property
    def files(self) -> list[BinaryIO | Upload]:
        return [self.upload] if self.own_test is None else [self.upload, self.own_test]


def stages(inputs: CheckInput) -> list[str]:
    """The stages of this check, in their order."""
    own_test = inputs.own_test is not None
    every = (
        (gathering.READING, True),
        (gathering.READING_TEST, own_test),
        (COMPARING, True),
        (LEAKS, own_test),
        (DRAWING, True),
        (COUNTING, inputs.tokens is not None),
        (ANSWERS, True),
    )
    return [stage for stage, comes in every if comes]


def check(
    inputs: CheckInput,
    rows: WorkingRows,
    *,
    tick: Tick = silent,
    came: Came = unheard,
    checkpoint: Checkpoint | None = None,
) -> Check:
    """Go through an upload (and the uploader's own test file) from bytes to report.

    rows: an empty working file, or the one that an attempt with the same `checkpoint` left. tick: told the stage in
    words, with rows done and in all (0 where that is not known yet); may raise to stop. came: told what came so far.
    """
    masker = masking.masker(inputs.decisions)
    notes = Notes(inputs.max_messages, masker)
    scan = Scan(inputs.decisions)
    facts = Gathering(rows, notes, scan, tick, checkpoint).run(inputs.files)
    rows.masker = masker if scan.any else None
    came({"Rows read": len(rows), "Unreadable or empty": notes.refused_counts.total()})
    task = judge.task_of(rows)
    judged = _judged(inputs, rows, task, tick, checkpoint)
    ends = Counter(judged.status)
    came({name: ends[status] for name, status in _REPEATS if ends[status]})
    tick(DRAWING, 0, 0)
    together = judged.together()
    declared = declared_by(rows) if any(rows.declared) else DeclaredColumns({}, {}, {})
    shared = _leave_out(rows, together, judged.status, declared, inputs.shared)
    drawn = _drawn(inputs, rows, judged.status, together, declared, labels=task == "labels")
    parts = drawn.split.counts()
    came({"Train": parts["train"], "Dev": parts["dev"], "Test": parts["test"]})
    outcome = Check(rows, judged.status, judged.twin, together, drawn.split, notes.refused)
    # Measurements that read the texts once more stand here, each under its own stage.
    outcome.sizes, measured = _sizes(rows, judged.status, inputs.tokens, tick, checkpoint)
    findings = summary.Findings(
        facts, notes, judged, drawn, task, measured, shared, inputs.needed, own_test=inputs.own_test is not None
    )
    report = summary.report_of(outcome, findings)
    tick(ANSWERS, 0, 0)
    signals = task_signals.measure(rows, rows.lines, rows.answers)
    outcome.report = replace(report, identifiers=scan.report(), signals=signals)
    return outcome


# ---------------------------------------------------------------------- judging
def _judged(inputs: CheckInput, rows: WorkingRows, task: str, tick: Tick, checkpoint: Checkpoint | None) -> Judge:
    tick(COMPARING, 0, 0)
    groups = duplicates.find(
        rows,
        rows.keys,
        labels=task == "labels",
        conflict=lambda one, other: judge.conflict(task, one, other),
        tick=lambda done, total: tick(COMPARING, len(rows) * done // max(total, 1), len(rows)),  # work, in rows
        checkpoint=checkpoint,
    )
    judged = Judge(rows, groups, task, inputs.kept_keys).judge()
    if inputs.own_test is not None:
        tick(LEAKS, 0, len(rows))
        judged.add_leaks(leaks.find(rows, lambda done, total: tick(LEAKS, done, total)))
    return judged


# ---------------------------------------------------------------------- splitting
def _usable(status: Sequence[RowStatus]) -> npt.NDArray[np.int64]:
    """The positions of the rows that can be used."""
    positions: npt.NDArray[np.int64] = np.flatnonzero(np.fromiter((end is RowStatus.USABLE for end in status), bool))
    return positions


def _leave_out(
    rows: WorkingRows, together: Sequence[int], status: list[RowStatus], declared: DeclaredColumns, shared: str
) -> SharedGroups:
    """Take out the rows whose group the own test file holds, or leave them where that is the better guess or wanted."""
    usable = _usable(status)
    in_test = draw.shared_groups(usable, together, rows.files, declared).tolist()
    uploaded = int(np.count_nonzero(np.asarray(rows.files, dtype=np.uint8)[usable] == 0))
    out = shared == "out" if shared else len(in_test) <= draw.MOST_SHARED * uploaded
    if out:
        for index in in_test:
            status[index] = RowStatus.TEST_GROUP
    return SharedGroups(len(in_test), left_out=out and bool(in_test), default=not shared)


def _drawn(
    inputs: CheckInput,
    rows: WorkingRows,
    status: Sequence[RowStatus],
    together: Sequence[int],
    declared: DeclaredColumns,
    *,
    labels: bool,
) -> Drawn:
    return draw.draw(
        DrawInput(
            usable=_usable(status),
            oldest=together,
            keys=rows.keys,
            files=rows.files,
            declared=declared,
            seed=inputs.seed,
            plan=inputs.plan,
            previous_assignment=inputs.previous_assignment or {},
            own_test=inputs.own_test is not None,
            labels=rows.answers if labels else None,
            earlier_keys=_keys_when_masked(rows, frozenset(inputs.masked_before)),
        )
    )


def _keys_when_masked(rows: WorkingRows, kinds: frozenset[str]) -> dict[int, int]:
    """The keys that rows had while these kinds of personal data were masked, where they were others."""
    if not kinds:
        return {}
    masked = ((index, masking.masked_record(record, kinds)) for index, record in enumerate(rows))
    keys = ((index, compared_text.key(question(record))) for index, record in masked)
    return {index: key for index, key in keys if key != rows.keys[index]}


# ---------------------------------------------------------------------- lengths
def _sizes(
    rows: WorkingRows,
    status: Sequence[RowStatus],
    tokens: lengths.Counter | None,
    tick: Tick,
    checkpoint: Checkpoint | None,
) -> tuple[Sequence[int], LengthReport]:
    """How long each row is, in tokens where there is a tokenizer; and the report's part about it."""
    usable = _usable(status)
    if tokens is None:
        return rows.lengths, lengths.of_rows(rows.lengths, usable, unit="characters", limit=row_warnings.LONGEST_RECORD)
    sizes = _token_sizes(rows, tokens, tick, checkpoint)
    return sizes, lengths.of_rows(sizes, usable, unit="tokens", limit=tokens.limit, tokenizer=tokens.name)


def _token_sizes(rows: WorkingRows, tokens: lengths.Counter, tick: Tick, checkpoint: Checkpoint | None) -> "array[int]":
    """What each row takes; stored before the check goes on, for counting reads every text once more."""
    if checkpoint and (saved := checkpoint.load_arrays("sizes")):
        return array("Q", saved["sizes"].tobytes())
    sizes = array("Q")
    for start in range(0, len(rows), lengths.BATCH):
        tick(COUNTING, start, len(rows))
        sizes.extend(tokens.count([rows[index] for index in range(start, min(start + lengths.BATCH, len(rows)))]))
    if checkpoint:
        checkpoint.save_arrays("sizes", sizes=np.asarray(sizes))
    return sizes
