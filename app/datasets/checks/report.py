"""The quality report: what a check found out about an upload, as it is stored with the version and shown on its page.

`Report.from_json` is the one place that reads what earlier versions of the program stored: what a check did not look
for yet gets its default there, or is None where a reader has to tell "not measured" from "nothing found". `to_json`
writes the keys in the order of the fields; the API and `check-data` give them as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.datasets.checks.report_json import LEFT_OUT, fields_of
from app.datasets.checks.report_parts import (
    Carried,
    Changes,
    Clusters,
    Column,
    Contradiction,
    Counts,
    LabelAgreement,
    LabelCount,
    LanguageShare,
    Leak,
    LengthReport,
    NeedsRows,
    Pair,
    Remark,
    ReportMessage,
    Sample,
    SplitReport,
    WaterfallStep,
)
from app.datasets.checks.report_trials import Learnability, Signals
from app.datasets.thresholds import RARE_LABEL
from app.json_types import JsonDict, JsonObject
from app.privacy.identifier_report import IdentifierReport
from app.strict import stored

VERSION = 1  # raise it when a key changes its meaning; a new key needs none, for it is missing in what is older

TOO_FEW = "Prompting needs far fewer, and can be measured."  # ends the reason that pages say in words of their own

Verdict = Literal["accept", "warn", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found out about one version of an upload.

    verdict: reject means one thing: no row can be learnt from and judged by, `can_be_used` is False, and the upload
    replaces nothing. why: the sentences behind it, the gravest first.
    format, layout, encoding: what was detected; columns: of the file; read_as: what a person chose about reading it.
    line_word: what a number counts: line, row (CSV, Parquet) or record (JSON array). undecodable: lines that are no
    text in their encoding, of both files; a person can choose another one. samples: the first three rows.
    uploaded: lines of the upload; records, test_records: rows that could be read. bad_lines, test_bad_lines: lines
    that something is said about, 1-based, rising.
    messages: the first of them, file-wide ones before all others; message_counts: how many of each level there were.
    waterfall: from uploaded to usable, each row of the upload in one place.
    duplicates, near_duplicates, contradictions, leaks: the first pairs of each kind; `counts` has the full numbers.
    contradiction_rate: share of `similar_questions` that are answered differently, 0 to 1. similar_questions: None in
    reports that took the share of 20 where there were fewer. label_agreement: only where answers are labels.
    task: labels, json or text. labels: the commonest 500 of different_labels; labelled_rows: rows of all of them;
    rare_labels: labels with fewer than `RARE_LABEL` rows. languages: of what is asked, the commonest first.
    test_overlap_rows: test rows that are nearly a row of train or dev. identifiers: None where nobody looked.
    learnability, carried, index_sha256 and changes are added by the job; index_sha256 is the index that later versions
    are compared with, changes None for a first version.
    """

    version: int = VERSION
    verdict: Verdict = "reject"
    why: tuple[str, ...] = ()
    format: str = "unknown"
    format_title: str = ""
    format_about: str = ""
    layout: str = ""
    line_word: str = "line"
    columns: tuple[Column, ...] = ()
    read_as: JsonObject = field(default_factory=dict)
    encoding: str = ""
    undecodable: int = 0
    samples: tuple[Sample, ...] = ()
    uploaded: int = 0
    records: int = 0
    test_records: int = 0
    bad_lines: tuple[int, ...] = ()
    test_bad_lines: tuple[int, ...] = ()
    messages: tuple[ReportMessage, ...] = ()
    message_counts: Mapping[str, int] = field(default_factory=dict)
    waterfall: tuple[WaterfallStep, ...] = ()
    duplicates: tuple[Pair, ...] = ()
    near_duplicates: tuple[Pair, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    leaks: tuple[Leak, ...] = ()
    counts: Counts = field(default_factory=Counts)
    contradiction_rate: float = 0.0
    similar_questions: int | None = field(default=None, metadata=LEFT_OUT)
    label_agreement: LabelAgreement | None = field(default=None, metadata=LEFT_OUT)
    task: str = "text"
    labels: tuple[LabelCount, ...] = ()
    different_labels: int = 0
    labelled_rows: int = 0
    rare_labels: int = 0
    languages: tuple[LanguageShare, ...] = ()
    remarks: tuple[Remark, ...] = ()
    clusters: Clusters | None = field(default=None, metadata=LEFT_OUT)
    split: SplitReport = field(default_factory=SplitReport)
    test_overlap_rows: int = 0
    can_be_used: bool = False
    lengths: LengthReport = field(default_factory=LengthReport)
    needs_rows: NeedsRows = field(default_factory=NeedsRows)
    identifiers: IdentifierReport | None = field(default=None, metadata=LEFT_OUT)
    signals: Signals | None = field(default=None, metadata=LEFT_OUT)
    learnability: Learnability | None = field(default=None, metadata=LEFT_OUT)
    carried: Carried | None = field(default=None, metadata=LEFT_OUT)
    index_sha256: str | None = field(default=None, metadata=LEFT_OUT)
    changes: Changes | None = None

    def to_json(self) -> JsonDict:
        """As it is stored and sent. The first version of the format has no number in it, for none had."""
        values = fields_of(self)
        if self.version == 1:
            del values["version"]
        if self.index_sha256 is None:  # only a stored version can have changed since another
            del values["changes"]
        return values

    @staticmethod
    def from_json(value: JsonObject) -> "Report":
        """The report of this or of any earlier version of the program; `{}`, of an upload not checked yet, is empty.

        Raises:
            Unreadable: a value is of another kind than it ever was.
        """
        return stored(Report, _brought_up(value))

    @property
    def dropped(self) -> dict[str, int]:
        """Rows of the upload by the status that took them out."""
        return {step.status: step.dropped for step in self.waterfall if step.status}

    def among_test_rows(self, status: str) -> int:
        """How many of the rows with this status are in the own test file, as far as the report tells."""
        every = self.counts.of_status(status)
        return every - self.dropped.get(status, every)

    @property
    def read_rows(self) -> int:
        """Rows of the upload; 0 for a file that could not be read through, of which nobody knows how many it has."""
        return self.waterfall[0].count if self.waterfall else 0

    @property
    def kinds_found(self) -> list[str]:
        """The kinds of personal data and secrets that were found."""
        return [kind.kind for kind in self.identifiers.kinds] if self.identifiers else []

    @property
    def why_besides_rows(self) -> tuple[str, ...]:
        """The reasons but for the one that there are too few usable rows. Stored are the sentences, no more."""
        return tuple(reason for reason in self.why if not reason.endswith(TOO_FEW))

    @property
    def unlearnable(self) -> bool:
        return self.learnability is not None and self.learnability.verdict == "unlearnable"

    @property
    def errors(self) -> int:
        return self.message_counts.get("error", 0)

    @property
    def warnings(self) -> int:
        return self.message_counts.get("warning", 0)

    @property
    def all_messages(self) -> int:
        """How many messages there were, of which `messages` are the first."""
        return sum(self.message_counts.values())


# ---------------------------------------------------------------------- what earlier versions stored
OldReport = dict[str, Any]
"""A report as some version of the program stored it: `stored` says what of it is not as it should be."""


def _brought_up(value: JsonObject) -> OldReport:
    """A stored report with what it lacks worked out from the rest of it, where that can be.

    An empty object stands for a part that was not measured, as a missing one does.
    """
    known = {key: _without_none(held) for key, held in value.items() if held is not None}
    values: OldReport = {key: held for key, held in known.items() if held != {}}
    for name in ("duplicates", "near_duplicates", "contradictions", "leaks"):
        values[name] = [_with_other_text(pair) for pair in values.get(name) or ()]
    if counts := values.get("counts"):  # leaks were exact before near ones were looked for
        values["counts"] = {"exact_leaks": counts.get("leaks", 0), **counts}
    _labels_counted(values)
    if (tried := values.get("learnability")) and "label_agreement" not in value:
        # Such checks took rows that only look alike for one question, so what they called the best score to hope for
        # says nothing.
        values["learnability"] = {**tried, "ceiling": None, "ceiling_high": None}
    return values


def _without_none(value: object) -> object:
    """What was stored as null says no more than a key that is missing."""
    if isinstance(value, dict):
        return {key: _without_none(held) for key, held in value.items() if held is not None}
    if isinstance(value, list):
        return [_without_none(held) for held in value]
    return value


def _with_other_text(pair: JsonObject) -> JsonDict:
    """A pair of rows that were the same to the letter had one text for both."""
    return {"of_text": pair.get("text", ""), **pair}


def _labels_counted(values: OldReport) -> None:
    listed = values.get("labels") or ()
    rare = sum(1 for label in listed if label["rows"] < RARE_LABEL)
    values["rare_labels"] = max(values.get("rare_labels") or 0, rare) if listed else 0
    values["different_labels"] = max(values.get("different_labels") or 0, len(listed))
    values["labelled_rows"] = values.get("labelled_rows") or sum(label["rows"] for label in listed)
