"""What is kept of a comparison with the run that it judged, as it is stored; each name only since a version had it."""

from typing import NotRequired, TypedDict

from app.evaluation.comparison import Kind, Verdict
from app.json_types import JsonObject


class KeptRival(TypedDict):
    """See `comparison.Rival`."""

    title: str
    kind: Kind
    before: float | None
    delta: float
    low: float
    high: float
    verdict: Verdict


class KeptCheck(TypedDict):
    """A release check, `release.judgement.Check`."""

    name: str
    state: str
    words: str
    rows: NotRequired[int]
    delta: NotRequired[float | None]
    low: NotRequired[float | None]
    high: NotRequired[float | None]


class KeptRelease(TypedDict, total=False):
    """The release checks; slices: `release.judgement.Slice`."""

    checks: list[KeptCheck]
    slices: list[JsonObject]


class KeptResult(TypedDict, total=False):
    """The comparison in short. before, after: scores of what was compared with and of the adapter, 0 to 1. fixed,
    broken: how many rows. left_out: rows that one of both could not answer. graded: which way of working out intervals
    of graded scores. spread: over seeds; replaces: against the model that it replaces (`not_worse.NotWorse`)."""

    verdict: Verdict
    words: str
    rows: int
    left_out: int
    before: float
    after: float
    delta: float
    low: float
    high: float
    p: float
    test: str
    fixed: int
    broken: int
    compared_with: str
    reaches_target: bool | None
    graded: int
    rivals: list[KeptRival]
    spread: JsonObject
    replaces: JsonObject
    release: KeptRelease
