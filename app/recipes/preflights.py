"""A stored preflight as pages read it, whichever version stored it. Pure.

Preflights are kept as their version made them. Each version added to what is measured, and some may hold no more than
what stood against a start. What is read here holds every part whole or not at all, so that a page asks for a part and
never for the pieces of one.
"""

from collections.abc import Iterable, Mapping
from typing import NotRequired, TypedDict, cast

from app.json_types import JsonObject
from app.recipes.settings import RecipeSettings


class Counts(TypedDict):
    """Rows and their tokens, and how many of these are trained."""

    rows: int
    tokens: int
    trained_tokens: int


class Replayed(Counts):
    """General rows that are mixed in. wanted: how many the config asks for."""

    wanted: int


class LongRow(TypedDict):
    """Tokens of one row. id: its line in the upload."""

    id: str
    prompt: int
    completion: int


class Sample(TypedDict):
    """A row as it would be trained. id: its line in the upload; a general row has none."""

    id: NotRequired[str]
    prompt: str
    completion: str


class Needs(TypedDict):
    """Memory in bytes, and between which bounds. tried: on the heaviest steps, not only worked out."""

    bytes: int
    low: int
    high: int
    tried: bool


class Passes(TypedDict):
    """How passes are made. tokens: of one, at most; usual: what it would be with memory to spare."""

    tokens: int
    usual: int
    recompute: bool


class Priced(TypedDict):
    """One training of the run. seconds: at most."""

    words: str
    rows: int
    seconds: float


class MetTestSet(TypedDict):
    """A frozen test set that training rows are in. title: of its assessment, empty for one's own."""

    assessment: int
    title: str
    version: int
    rows: int


class Proposal(TypedDict):
    """A change that would make the run fit. change: what the config would be given. model_id: of the base in 4 bits;
    missing: why there is none."""

    kind: str
    change: RecipeSettings
    needs: Needs
    left_out: int
    fits: bool
    model_id: NotRequired[int]
    missing: NotRequired[str]


class Preflight(TypedDict, total=False):
    """Everything that a preflight counts, shows, times and measures; each part only where it could be had.

    Bytes, seconds and tokens. `blockers`: what stands against a start, in sentences.
    """

    train: Counts
    replay: Replayed
    dev_rows: int
    left_out: int
    untrained: list[str]
    steps: int
    steps_per_epoch: int
    longest: list[LongRow]
    samples: list[Sample]
    replay_samples: list[Sample]
    warnings: list[str]
    remarks: list[str]
    dtype: str
    context: int
    threads: int
    device: str
    device_free: int
    devices: int
    available: int
    shards: Mapping[str, int]
    shared_tokens: int
    padding: float
    adapter_parameters: int
    memory: Mapping[str, int]
    needs: Needs
    passes: Passes
    tokens_per_second: float
    dev_seconds: float
    peak_bytes: int
    scored_rows: int
    score_seconds: float
    seconds: float
    trainings: list[Priced]
    proposals: list[Proposal]
    licence: str
    test_sets: int
    met: list[MetTestSet]
    started_as: str
    blockers: list[str]


class ReadablePreflight(Preflight, total=False):
    """With what can be relied on. counted: whether rows and steps are known. memory_bytes: the sum of `memory`."""

    counted: bool
    memory_bytes: int


COUNTED = ("train", "steps", "steps_per_epoch", "dev_rows", "left_out")
"""What every version counted: without one of these, how much would be trained is not known."""
PIECES: Mapping[str, tuple[str, ...]] = {
    "train": ("rows", "tokens", "trained_tokens"),
    "needs": ("bytes", "low", "high", "tried"),
    "passes": ("tokens", "usual", "recompute"),
    "replay": ("rows", "wanted"),
}
"""Of a part: the numbers that it consists of."""
EACH: Mapping[str, tuple[str, ...]] = {
    "longest": ("id", "prompt", "completion"),
    "samples": ("id", "prompt", "completion"),
    "replay_samples": ("prompt", "completion"),
    "trainings": ("words", "rows", "seconds"),
    "met": ("assessment", "title", "version", "rows"),
    "proposals": ("kind", "change", "fits", "needs", "left_out"),
}
"""Of a list: what each of its items holds."""
BESIDE: Mapping[str, tuple[str, ...]] = {
    "tokens_per_second": ("dev_seconds", "threads", "dtype", "shared_tokens", "adapter_parameters"),
    "scored_rows": ("score_seconds",),
    "test_sets": ("met", "licence"),
    "needs": ("memory",),
}
"""What is said in one breath with a part; where it is missing, the part is not said either."""
BY_PART = ("weights", "adapter", "activations", "program", "reserve")
"""The parts of the memory since forecasts have bounds; before, whatever is there is listed by its name."""


def readable(stored: Preflight | None) -> ReadablePreflight | None:
    """The preflight with what can be relied on; None where there is none.

    Besides what was stored: `counted` says whether rows and steps are known, `memory_bytes` is the sum of `memory`.
    """
    if stored is None:
        return None
    kept = {name: value for name, value in stored.items() if value is not None and _whole(name, value)}
    for name, others in BESIDE.items():
        if name in kept and any(other not in kept for other in others):
            del kept[name]
    memory = stored.get("memory") or {}
    if any(part not in memory for part in BY_PART):
        kept.pop("needs", None)
    known = cast("Preflight", kept)
    return {
        **known,
        "blockers": list(stored.get("blockers") or ()),
        "counted": counted(stored),
        "memory_bytes": sum(memory.values()),
    }


def counted(stored: Preflight) -> bool:
    """Whether rows and steps are known."""
    parts: JsonObject = stored
    return all(parts.get(name) is not None and _whole(name, parts[name]) for name in COUNTED)


def _whole(name: str, value: object) -> bool:
    """Whether a part has all of its pieces."""
    if name in PIECES:
        return _has(value, PIECES[name])
    if name not in EACH:
        return True
    listed = value if isinstance(value, Iterable) else ()
    return all(_has(each, EACH[name]) and (name != "proposals" or _made(each)) for each in listed)


def _made(proposal: object) -> bool:
    """Whether a proposal says what would change and what that would need."""
    match proposal:
        case {"kind": kind, "change": Mapping() as change, "needs": needs}:
            return _has(needs, PIECES["needs"]) and (kind != "rows" or "max_row_tokens" in change)
    return False


def _has(part: object, pieces: tuple[str, ...]) -> bool:
    return isinstance(part, Mapping) and all(piece in part for piece in pieces)
