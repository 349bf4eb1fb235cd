"""Parts of the report's page that need more than a look-up: counts beside lists that are cut, and decisions of before.

Like `overview`: pure, and nothing is guessed where an old report lacks a key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Report = Mapping[str, Any]

# The state of a row that is not used, in a word.
STATES = {
    "fault": "not read",
    "empty": "empty",
    "too_long": "too long",
    "private": "personal data",
    "duplicate": "duplicate",
    "near_duplicate": "near-duplicate",
    "contradiction": "contradiction",
    "leak": "in the test file",
    "test_group": "group in the test file",
}
KIND_LINES = 8  # lines that a report names for a kind of personal data


class Version(Protocol):
    """What is read of a version of the data."""

    @property
    def version(self) -> int: ...
    @property
    def decisions(self) -> Mapping[str, Any]: ...


# ------------------------------------------------------------------------------------------------ rows to compare


@dataclass(frozen=True, slots=True)
class PairList:
    """One kind of pairs. rows: of the upload and the test file; judged: how many of them stand in the test file."""

    anchor: str
    title: str
    about: str
    pairs: Sequence[Mapping[str, Any]]
    total: int
    rows: int
    link: str
    judged: int = 0


def pair_lists(report: Report, rows: str, taken: Mapping[str, int]) -> list[PairList]:
    """Lists that hold a pair. rows: the address of the rows; taken: rows that each status took out of the upload."""
    counts = report.get("counts") or {}
    leaks = counts.get("leaks", 0)
    nearly = ", or nearly" if counts.get("exact_leaks", leaks) != leaks else ""

    def listed(key: str, status: str, title: str, anchor: str, about: str, total: int) -> PairList:
        number = counts.get(status, 0)
        judged = 0 if status == "leak" else number - taken.get(status, number)
        link = f"{rows}?status={status}"
        return PairList(anchor, title, about, report.get(key) or (), total, number, link, judged)

    every = (
        listed(
            "contradictions", "contradiction", "Contradictions", "contradictions",
            "Rows that ask the same and are answered differently. A model learns from them that either is right, so "
            "neither is used: correct one and upload again.",
            counts.get("contradictions", 0),
        ),
        listed(
            "leaks", "leak", f"Test rows that stand in the upload too{nearly}", "leaks",
            "The first number is the row of the test file. The rows of the upload are taken out: a model must not have "
            "seen what judges it.",
            leaks,
        ),
        listed(
            "near_duplicates", "near_duplicate", "Near-duplicates", "near",
            "Rows that differ by a light edit. Of each group the longest is kept.",
            counts.get("near_duplicate", 0),
        ),
        listed(
            "duplicates", "duplicate", "Duplicates", "duplicates",
            "Rows whose question is the same but for capitals and spaces. One of each is kept.",
            counts.get("duplicate", 0),
        ),
    )  # fmt: skip
    return [one for one in every if one.pairs]


# ------------------------------------------------------------------------------------------------ personal data


@dataclass(frozen=True, slots=True)
class PersonalKind:
    """A kind of personal data with its rows and what was decided about it.

    more: more lines of the upload hold it than the report names. from_before: the decision was made for an earlier
    version than the one that this version was made from. kept_in: the number of an earlier version in which it was kept
    as it was, where nothing is decided about this one; else 0.
    """

    kind: str
    rows: int
    lines: Sequence[int]
    test_lines: Sequence[int]
    more: bool
    decision: Mapping[str, Any] | None
    from_before: bool
    kept_in: int


def personal(report: Report, dataset: Version, versions: Sequence[Version]) -> list[PersonalKind]:
    """Every kind of personal data that the report names. versions: of the same assessment, the newest first."""
    found = report.get("identifiers") or {}
    return [_personal(one, dataset, versions) for one in found.get("kinds") or ()]


def _personal(one: Mapping[str, Any], dataset: Version, versions: Sequence[Version]) -> PersonalKind:
    kind, lines, test_lines = one["kind"], one["lines"], one.get("test_lines") or ()
    decision = dataset.decisions.get(kind)
    return PersonalKind(
        kind,
        one["rows"],
        lines,
        test_lines,
        more=len(lines) <= KIND_LINES and one["rows"] > len(lines) + len(test_lines),
        decision=decision,
        from_before=decision is not None and decision.get("version", dataset.version) < dataset.version - 1,
        kept_in=0 if decision else _kept_in(kind, dataset, versions),
    )


def _kept_in(kind: str, dataset: Version, versions: Sequence[Version]) -> int:
    for one in versions:
        if one.version < dataset.version and one.decisions.get(kind, {}).get("action") == "attest":
            return one.version
    return 0


# ------------------------------------------------------------------------------------------------ split and lengths


@dataclass(frozen=True, slots=True)
class Lacking:
    """Labels that one side of the split lacks. names: the first of `labels`; more: those that are not named."""

    labels: int
    rows: int
    names: Sequence[str]

    @property
    def more(self) -> int:
        return max(self.labels - len(self.names), 0)


def lacking(report: Report, key: str) -> Lacking | None:
    """key: untaught (in the test rows, and no row teaches them) or untested (no test row has them)."""
    found = report.get("split", {}).get(key)
    if not isinstance(found, Mapping) or not found.get("labels"):
        return None
    return Lacking(found["labels"], found.get("rows", 0), found["names"])


def some_undated(report: Report) -> bool:
    """Whether rows without a time stand beside rows with one, in a split by time."""
    split = report.get("split", {})
    return bool(split.get("times")) and split["times"] < split["usable"] + split["test"]


def open_ended(report: Report) -> int | None:
    """Where the last column of the lengths begins, if it is wider than the others and holds all that is longer."""
    bins = (report.get("lengths") or {}).get("histogram") or []
    if len(bins) < 2 or bins[-1]["to"] - bins[-1]["from"] <= bins[-2]["to"] - bins[-2]["from"]:
        return None
    return int(bins[-1]["from"])
