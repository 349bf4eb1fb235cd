"""Which rows of two variants are read side by side: what can be chosen, and how an address says it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Split = Literal["dev", "test"]
Which = Literal["all", "fixed", "broken", "both_wrong", "both_right"]
Mark = Literal["error", "cut", "thinking", "cache", "decoration"]

WHICH: Mapping[Which, str] = {
    "fixed": "Fixed by B",
    "broken": "Broken by B",
    "both_wrong": "Both wrong",
    "both_right": "Both right",
    "all": "All",
}
# What one of the two answers has to be, and how it is said of a single answer.
MARKS: Mapping[Mark, tuple[str, str]] = {
    "error": ("Error", "error"),
    "cut": ("Cut", "cut at the limit"),
    "thinking": ("Thinking removed", "thinking removed"),
    "cache": ("From the cache", "from the cache"),
    "decoration": ("Decoration removed", "decoration removed"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The values of an address that a page of two variants hands on.

    a, b: ids of the arms; None for what is proposed. marks: each of them has to hold for one of the two answers.
    expected: the expected answer has to be this label. words: stand in question, expected answer or one of the answers.
    """

    a: int | None = None
    b: int | None = None
    split: Split = "dev"
    which: Which = "all"
    marks: tuple[Mark, ...] = ()
    expected: str = ""
    words: str = ""

    @property
    def kept(self) -> dict[str, object]:
        """The values that are set, for the links of a page."""
        values: dict[str, object] = {
            "a": self.a,
            "b": self.b,
            "split": "" if self.split == "dev" else self.split,
            "which": "" if self.which == "all" else self.which,
            "mark": list(self.marks),
            "expected": self.expected,
            "words": self.words,
        }
        return {name: value for name, value in values.items() if value}

    @property
    def narrowed(self) -> bool:
        """Whether anything is left out."""
        return bool(self.which != "all" or self.marks or self.expected or self.words)

    def showing(self, which: Which) -> dict[str, object]:
        """The address of the same with another outcome."""
        return replace(self, which=which).kept

    def toggled(self, mark: Mark) -> dict[str, object]:
        """The address of the same with a mark more, or without it."""
        rest = tuple(one for one in self.marks if one != mark)
        return replace(self, marks=rest if mark in self.marks else (*self.marks, mark)).kept

    def swapped(self) -> dict[str, object]:
        """The address of the same rows with the two variants changed over: what B fixed, A then broke."""
        turned: dict[Which, Which] = {"fixed": "broken", "broken": "fixed"}
        return replace(self, a=self.b, b=self.a, which=turned.get(self.which, self.which)).kept

    def cleared(self) -> dict[str, object]:
        return Wanted(self.a, self.b, self.split).kept
