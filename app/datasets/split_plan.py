"""What was said about the split of a version, as it is stored with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.datasets.reading.read_as import ReadAs
from app.json_types import JsonDict


@dataclass(frozen=True, slots=True)
class DroppedTestFile:
    """A test file of the team's own that was given up, and the version that had it."""

    file: str
    version: int

    def to_json(self) -> JsonDict:
        return {"file": self.file, "version": self.version}


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How the rows of a version are split, and where its own test file came from.

    by: random, time or column; empty for what the file suggests. fresh: places of versions never frozen do not count.
    shared: what a person said about rows whose group stands in the own test file (out, in), empty where nobody did.
    test_kept: the version that the own test file was taken over from. test_read_as: how that is read, where it is not
    read as the examples are. test_dropped: one that was given up.
    """

    by: str = ""
    fresh: bool = False
    shared: str = ""
    test_kept: int | None = None
    test_read_as: ReadAs | None = None
    test_dropped: DroppedTestFile | None = None

    def for_next_upload(self) -> "SplitPlan":
        """What of it holds for other examples."""
        return SplitPlan(by=self.by, shared=self.shared)

    def for_same_files(self) -> "SplitPlan":
        """What of it holds for the next version of the same files."""
        return SplitPlan(by=self.by, shared=self.shared, test_read_as=self.test_read_as)

    def chosen_now(self) -> "SplitPlan":
        """The same, said by a person about this version: nothing of it was taken over."""
        return replace(self, test_kept=None, test_dropped=None)

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "SplitPlan":
        """What `to_json` wrote."""
        read_as, dropped = stored.get("test_read_as"), stored.get("test_dropped")
        return SplitPlan(
            by=stored.get("by", ""),
            fresh=bool(stored.get("fresh")),
            shared=stored.get("shared", ""),
            test_kept=stored.get("test_kept"),
            test_read_as=None if read_as is None else ReadAs.from_json(read_as),
            test_dropped=None if dropped is None else DroppedTestFile(dropped["file"], dropped["version"]),
        )

    def to_json(self) -> JsonDict:
        """What was said; an empty object is what the file suggests."""
        value: JsonDict = {}
        if self.by:
            value["by"] = self.by
        if self.fresh:
            value["fresh"] = True
        if self.shared:
            value["shared"] = self.shared
        if self.test_kept is not None:
            value["test_kept"] = self.test_kept
        if self.test_read_as is not None:
            value["test_read_as"] = self.test_read_as.to_json()
        if self.test_dropped is not None:
            value["test_dropped"] = self.test_dropped.to_json()
        return value
