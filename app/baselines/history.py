"""What happened on the test rows before a result, as a reviewer sees it: looks at them, and targets changed late."""

from dataclasses import dataclass
from typing import ClassVar

from app.strict import Frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Frozen):
    """Somebody or some arm saw the test rows.

    arm, title: whose answers. at: when, ISO 8601. by: the user's id, None where a worker went on by itself. why: in a
    few words. assessment, measurement: where, for a look of another measurement on the same rows.
    """

    assessment: int | None = None
    measurement: int | None = None
    arm: str
    title: str | None = None
    at: str
    by: int | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LateTarget(Frozen):
    """Metric and target as they were set after a result on these rows was known.

    by: None, and `from_` and `to` empty, where an earlier version of the app kept the number of changes only.
    """

    assessment: int
    at: str
    by: int | None
    from_: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Before(Frozen):
    """What came before on the same test rows, in whichever version, copy or measurement; only what there was."""

    version: ClassVar[int] = 1

    looks: tuple[Look, ...] | None = None
    late_targets: tuple[LateTarget, ...] | None = None

    @property
    def anything(self) -> bool:
        return bool(self.looks or self.late_targets)
