"""What a metric is: how it scores, what it compares, and which settings it has."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from app import glossary

Value = str | bool
Options = Mapping[str, Value]
"""What a metric was told: texts as they were typed, and True for each flag that is set."""
Kept = dict[str, Value]
"""The same while it is checked."""
Fault = tuple[str, str]
"""The name of an option, and what is wrong with its value as a sentence."""


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a metric as a form asks for it.

    kind: text (one line), long (several lines), flag, or what was stored before and is named by its SHA-256: database
    (an uploaded SQLite database), scorer (a version of a team's own scorer).
    """

    name: str
    kind: str
    title: str
    help: str
    required: bool = False


def _no_faults(_kept: Kept) -> Iterator[Fault]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to score.

    binary: every score is 0 or 1, so the result is a rate. score: (answer, expected, options) -> 0 to 1. view: the
    text that is compared, for the examples page. The glossary says what it is called. faults: what is wrong with the
    options that were filled in; it may write one in its one form. executed: what it scores is run, in a child process
    (`scoring.scores`), and `score` refuses. rules: what it does to a text or looks for in it, by name, for people.
    """

    name: str
    binary: bool
    score: Callable[[str, str, Options], float]
    view: Callable[[str, Options], str]
    options: tuple[Option, ...] = ()
    faults: Callable[[Kept], Iterator[Fault]] = _no_faults
    executed: bool = False
    rules: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return glossary.label(f"metric.{self.name}")

    @property
    def explanation(self) -> str:
        """For people who have not heard of it."""
        return glossary.term(f"metric.{self.name}").help


def text_of(options: Options, name: str) -> str:
    """A text option; empty where there is none."""
    value = options.get(name)
    return value if isinstance(value, str) else ""


def trimmed(text: str, _options: Options) -> str:
    """The view of a metric that takes nothing off but blank space at both ends."""
    return text.strip()


def run_elsewhere(_output: str, _target: str, _options: Options) -> NoReturn:
    """The `score` of a metric whose answers are run."""
    raise RuntimeError("This metric is scored in a child process: ask scoring.scores.")
