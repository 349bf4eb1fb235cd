"""What a run of the optimizer may use, what it has used, and why it ended. Pure."""

from dataclasses import asdict, dataclass

from app.json_types import JsonDict, JsonObject
from app.strict import stored

CANDIDATES_MOST = 60  # that one run may draft
PATIENCE = 6  # drafts in a row that did not become the best one, after which a run ends
MOSTLY_RIGHT = 0.9  # dev score of the first prompt from which on most batches of rows are right and nothing is learnt
BATCH = (
    8  # train rows of one reflection; with GEPA's usual three a prompt that is 30 points better loses every third time
)

ENDINGS = {
    "candidates": "All the drafts that were ordered were tried.",
    "no_gain": "No draft came out ahead several times in a row.",
    "calls": "The budget of calls was used up.",
    "tokens": "The budget of tokens was used up.",
    "minutes": "The time was up.",
    "money": "The budget of money was used up.",
    "right": "The prompt was right on nearly every train row that was looked at, so there was nothing to learn from.",
    "stopped": "Somebody took the best prompt so far.",
}


@dataclass(frozen=True, slots=True)
class Prices:
    """Money for a million tokens, in and out; None where nobody knows it."""

    read: float | None = None
    write: float | None = None

    @property
    def known(self) -> bool:
        return self.read is not None and self.write is not None

    def of(self, read: int, write: int) -> float:
        """What so many tokens cost; 0 where no price is known."""
        return ((self.read or 0.0) * read + (self.write or 0.0) * write) / 1e6


UNPRICED = Prices()


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use at most; None is no limit. candidates: drafts of the critic. calls: of both models together,
    and of the LLM judge where one decides. money: at the prices given. judge: what its calls cost, None where no judge
    decides."""

    candidates: int
    calls: int
    tokens: int | None = None
    minutes: float | None = None
    money: float | None = None
    task: Prices = UNPRICED
    critic: Prices = UNPRICED
    judge: Prices | None = None

    @property
    def priced(self) -> bool:
        """Whether there is a price for every model that is asked."""
        return self.task.known and self.critic.known and (self.judge is None or self.judge.known)

    @property
    def calls_a_row(self) -> int:
        """Calls that one answer with its score takes."""
        return 1 if self.judge is None else 2

    def to_json(self) -> JsonDict:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JsonObject) -> "Budget":
        return stored(cls, value)


@dataclass(slots=True)
class Spent:
    """What a run has used so far, in all of its attempts. seconds: that it was at work."""

    calls: int = 0
    read: int = 0
    write: int = 0
    critic_calls: int = 0
    critic_read: int = 0
    critic_write: int = 0
    judge_calls: int = 0
    judge_read: int = 0
    judge_write: int = 0
    seconds: float = 0.0

    def to_json(self) -> JsonDict:
        return asdict(self)

    @classmethod
    def from_json(cls, value: JsonObject) -> "Spent":
        return stored(cls, value)

    @property
    def all_calls(self) -> int:
        return self.calls + self.critic_calls + self.judge_calls

    @property
    def tokens(self) -> int:
        of_both = self.read + self.write + self.critic_read + self.critic_write
        return of_both + self.judge_read + self.judge_write

    def money(self, budget: Budget) -> float:
        """At the budget's prices."""
        of_judge = (budget.judge or UNPRICED).of(self.judge_read, self.judge_write)
        return budget.task.of(self.read, self.write) + budget.critic.of(self.critic_read, self.critic_write) + of_judge


def used_up(budget: Budget, spent: Spent, more_calls: int = 0) -> str:
    """Which part of the budget does not allow so many more calls; empty where all do."""
    if spent.all_calls + more_calls > budget.calls:
        return "calls"
    if budget.tokens is not None and spent.tokens >= budget.tokens:
        return "tokens"
    if budget.minutes is not None and spent.seconds >= 60 * budget.minutes:
        return "minutes"
    if budget.money is not None and spent.money(budget) >= budget.money:
        return "money"
    return ""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run is likely to ask for. least: where every draft fails on its first rows; most: where each is scored on
    dev. winner: calls of measuring the winner on dev rows and, where it leads, once on test rows."""

    least: int
    most: int
    critic: int
    winner: int


def expected(candidates: int, dev_rows: int, test_rows: int, *, batch: int = BATCH, calls_a_row: int = 1) -> Expected:
    """Calls of all models for so many drafts: for each the parent's and the draft's answers to a batch of train rows,
    one reply of the critic, and for one that does better there, all the dev rows. calls_a_row: two where a judge scores
    every answer."""
    a_draft = 2 * batch * calls_a_row + 1
    return Expected(
        least=candidates * a_draft,
        most=candidates * (a_draft + dev_rows * calls_a_row),
        critic=candidates,
        winner=(dev_rows + test_rows) * calls_a_row,
    )
