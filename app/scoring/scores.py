"""Scoring one answer after another by any metric: most are computed here, those that are executed in a sealed child.

What could not be scored is no wrong answer: an expected statement that fails, or a scorer that breaks, gives no score
and says why.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from app.chat import Message
from app.evaluation import metrics
from app.evaluation.kinds.executed import statement
from app.evaluation.kinds.metric import Metric, Options
from app.json_types import JsonObject
from app.processes.sealed import Broken, Sealed
from app.scoring import scorer_child, sql_child

SPARE_SECONDS = 5.0  # beside what both statements may take
SCORER_SECONDS = 2.0  # that a team's scorer may take for one answer
LOADING_SECONDS = 5.0  # that its text may take to be run
MOST_BREAKS = 20  # times that a child may break before the rest is given up: each costs up to a deadline


@dataclass(frozen=True, slots=True)
class Score:
    """What an answer came to, 0 to 1. value None: it could not be scored. why: what was wrong, where that is known; a
    stranger's words are in it, so what no database keeps is taken out."""

    value: float | None
    why: str = ""

    def __post_init__(self) -> None:
        kept = self.why.encode("utf-8", "replace").decode().replace("\x00", "?")
        object.__setattr__(self, "why", kept)


@dataclass(frozen=True, slots=True)
class AboutRow:
    """What a scorer is told of a row beside the answers; a team's own is not told the turns, only the question."""

    line: int = 0
    question: str = ""
    turns: tuple[Message, ...] = ()

    def to_json(self) -> JsonObject:
        return {"line": self.line, "question": self.question}


class Scoring(Protocol):
    """One metric with its options, ready to score."""

    def score(self, output: str, target: str, row: AboutRow) -> Score:
        """Raises Unavailable where this machine cannot confine what is executed."""

    def close(self) -> None:
        """Have no process of it left."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A metric that is computed right here."""

    metric: Metric
    options: Options

    def score(self, output: str, target: str, row: AboutRow) -> Score:
        return Score(self.metric.score(output, target, self.options))

    def close(self) -> None:
        return


@dataclass
class Statements:
    """Results of statements on a database, which is a file in the content store."""

    database: Path
    fence: bool = False
    seconds: float = sql_child.SECONDS
    breaks: int = 0
    child: Sealed = field(init=False)

    def __post_init__(self) -> None:
        self.child = Sealed(Path(sql_child.__file__), str(self.database), str(self.seconds))

    def _ask(self, wanted: str, answer: str) -> sql_child.Compared:
        asked = {"wanted": wanted, "answer": answer}
        return cast("sql_child.Compared", self.child.ask(asked, 2 * self.seconds + SPARE_SECONDS))

    def tables(self) -> list[sql_child.Table]:
        """What the database holds.

        Raises:
            Broken: it cannot be read.
        """
        self._ask("select 1", "select 1")
        return list(self.child.opening["tables"])

    def score(self, output: str, target: str, row: AboutRow) -> Score:
        wanted, answer = (statement(text, fence=self.fence) for text in (target, output))
        if self.breaks >= MOST_BREAKS:
            return Score(None, "Not scored: the process that runs statements broke too often.")
        try:
            given = self._ask(wanted, answer)
        except Broken as why:
            self.breaks += 1
            return self._after(wanted, str(why))
        return Score(None, given["error"]) if "error" in given else Score(float(given["score"]), str(given["why"]))

    def _after(self, wanted: str, why: str) -> Score:
        """Whose fault it was: where the expected statement alone works, it is the answer that broke it."""
        try:
            alone = self._ask(wanted, wanted)
        except Broken as again:
            return Score(None, f"The expected statement cannot be run: it {again}.")
        return Score(None, str(alone["error"])) if "error" in alone else Score(0.0, f"It cannot be run: it {why}.")

    def close(self) -> None:
        self.child.close()


@dataclass
class TeamScorer:
    """A team's own function, by its text."""

    text: str
    seconds: float = SCORER_SECONDS
    breaks: int = 0
    child: Sealed = field(init=False)
    _loaded_in: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.child = Sealed(Path(scorer_child.__file__))

    def score(self, output: str, target: str, row: AboutRow) -> Score:
        if self.breaks >= MOST_BREAKS:
            return Score(None, "Not scored: the team's scorer broke too often.")
        try:
            if fault := self._load():
                return Score(None, f"The team's scorer cannot be used. {fault}")
            given = self.child.ask({"answer": output, "expected": target, "row": row.to_json()}, self.seconds)
        except Broken as why:
            self.breaks += 1
            return Score(None, f"The team's scorer gave no score: it {why}.")
        if "error" in given:
            return Score(None, f"The team's scorer gave no score. {given['error']}")
        value = given.get("score")
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            return Score(None, "The team's scorer gave no score that can be used.")
        return Score(float(value))

    def _load(self) -> str:
        """Have the child that runs now know the text; what is wrong with it, empty if nothing is."""
        if self._loaded_in is not None and self._loaded_in == self.child.pid and not self.child.due:
            return ""
        answer = self.child.ask({"text": self.text}, LOADING_SECONDS)
        self._loaded_in = self.child.pid
        return str(answer.get("error", ""))

    def close(self) -> None:
        self.child.close()


def computed(name: str, options: Options) -> Computed:
    """A metric that is not executed."""
    return Computed(metrics.get(name), options)
