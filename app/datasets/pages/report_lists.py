"""Lists of the report's page that need more than a look-up: pairs with their counts, and decisions of before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.datasets.checks.report import Report
from app.datasets.checks.report_parts import Contradiction, Leak, Pair
from app.privacy.decisions import KEEP_AS_IS, Decision
from app.privacy.identifier_report import IdentifierKind

Pairs = Sequence[Pair | Contradiction | Leak]

KIND_LINES = 8  # lines that a report names for a kind of personal data


class Version(Protocol):
    """What is read of a version of the data."""

    @property
    def version(self) -> int: ...
    @property
    def decisions(self) -> Mapping[str, Decision]: ...


# ------------------------------------------------------------------------------------------------ rows to compare


@dataclass(frozen=True, slots=True)
class PairList:
    """One kind of pairs. rows: of the upload and the test file; judged: how many of them stand in the test file."""

    anchor: str
    title: str
    about: str
    pairs: Pairs
    total: int
    rows: int
    link: str
    judged: int = 0


def pair_lists(report: Report, rows: str) -> list[PairList]:
    """Lists that hold a pair. rows: the address of the rows."""
    counts = report.counts
    nearly = ", or nearly" if counts.near_leaks else ""

    def listed(pairs: Pairs, status: str, title: str, anchor: str, about: str, total: int) -> PairList:
        judged = 0 if status == "leak" else report.among_test_rows(status)
        return PairList(anchor, title, about, pairs, total, counts.of_status(status), f"{rows}?status={status}", judged)

    every = (
        listed(
            report.contradictions, "contradiction", "Contradictions", "contradictions",
            "Rows that ask the same and are answered differently. Neither is used: correct one and upload "
            "again.",
            counts.contradictions,
        ),
        listed(
            report.leaks, "leak", f"Test rows that stand in the upload too{nearly}", "leaks",
            "The first number is the row of the test file. The rows of the upload are taken out: a model must not "
            "have seen its test set.",
            counts.leaks,
        ),
        listed(
            report.near_duplicates, "near_duplicate", "Near-duplicates", "near",
            "Rows that differ by a light edit. Of each group the longest is kept.",
            counts.near_duplicate,
        ),
        listed(
            report.duplicates, "duplicate", "Duplicates", "duplicates",
            "Rows whose question is the same but for capitals and spaces. One of each is kept.",
            counts.duplicate,
        ),
    )  # fmt: skip
    return [pairs for pairs in every if pairs.pairs]


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
    decision: Decision | None
    from_before: bool
    kept_in: int


def personal(report: Report, dataset: Version, versions: Sequence[Version]) -> list[PersonalKind]:
    """Every kind of personal data that the report names. versions: of the same assessment, the newest first."""
    kinds = report.identifiers.kinds if report.identifiers else ()
    return [_personal(kind, dataset, versions) for kind in kinds]


def _personal(listed: IdentifierKind, dataset: Version, versions: Sequence[Version]) -> PersonalKind:
    decision = dataset.decisions.get(listed.kind)
    return PersonalKind(
        listed.kind,
        listed.rows,
        listed.lines,
        listed.test_lines,
        more=len(listed.lines) <= KIND_LINES and listed.unnamed > 0,
        decision=decision,
        from_before=decision is not None and (decision.version or dataset.version) < dataset.version - 1,
        kept_in=0 if decision else _kept_in(listed.kind, dataset, versions),
    )


def _kept_in(kind: str, dataset: Version, versions: Sequence[Version]) -> int:
    """The newest earlier version in which values of this kind were kept as they are; 0 where there is none."""
    earlier = (each for each in versions if each.version < dataset.version)
    kept = (each.version for each in earlier if kind in each.decisions and each.decisions[kind].action == KEEP_AS_IS)
    return next(kept, 0)
