"""What people may change while a measurement runs: calls at once, its budget, and whether it pauses.

The job looks at it twice a second, in one short query. A pause and a budget that is used up end the run in the same
way: nothing further is begun, what is under way is still answered and kept, and the job lets go of its worker.
"""

import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.baselines import answer_store, arms, deciding_judge, judge_calls
from app.baselines.answer_details import NewAnswer
from app.baselines.judge_calls import NewCall
from app.baselines.spending import Budget, Prices, Spent, Used
from app.baselines.tables import ArmRow, BaselineRow
from app.inference.endpoint import Endpoint
from app.inference.generator import Generator
from app.jobs.claims import Claim, Ended
from app.json_types import JsonObject

EVERY = 0.5  # seconds between two looks
PAUSED = "Paused. What was answered is kept; press Resume to go on."


class RunControl:
    """One run of a measurement. `spent` is what all its runs together took."""

    def __init__(self, claim: Claim, session: Session, baseline: BaselineRow) -> None:
        self._claim = claim
        self._baseline_id = baseline.id
        self._model_id = baseline.model_id
        judge = deciding_judge.of(baseline.judge)
        self._judge_id = judge.model_id if judge else None
        self._prices = Prices.from_json(baseline.prices)
        self.spent = spent(session, baseline)
        self._why = ""  # no further question is begun
        self._sums = threading.Lock()  # threads that would begin a question read them while answers are added
        self._uncounted = self._unjudged = 0  # of answers that came and are judged together with others
        self._at_once: int | None = None
        self._budget = Budget()
        self._looked = 0.0
        self._take(baseline.at_once, baseline.paused_at, baseline.budget)

    def leads(self, generator: Generator) -> Callable[[], bool]:
        """Have a model follow; what to ask it with whether to stop at once."""
        if not isinstance(generator, Endpoint):
            return self._ended
        generator.may_begin = self._may_begin

        def stop() -> bool:
            self._look()
            lead()
            return self._claim.cancelled()

        def lead() -> None:
            most = self._most_at_once
            generator.at_once(most, named=most == self._at_once)

        lead()
        return stop

    @property
    def _most_at_once(self) -> int:
        """One, until a first answer has said what it takes of a budget in tokens or money, and its judgement, too."""
        if not self.known:
            return 1
        return self._at_once or self._claim.settings.endpoint_concurrency

    def waits_for_judge(self) -> None:
        """An answer came that is judged together with others: until then neither it nor its judgement is counted."""
        with self._sums:
            self._uncounted += 1
            self._unjudged += 1
            self._why = self._why or self._no_room()

    def _no_room(self, under_way: int = 0) -> str:
        """Why no further question may be begun; empty while one may."""
        waiting = self._unjudged - self._uncounted  # judgements of answers that are counted: none are left over
        return self.spent.over(self._budget, under_way + self._uncounted, waiting)

    def judgements(self, wanted: int, *, paid: bool) -> int:
        """How many judgements there is room for. paid: of answers that cost something: their judgements were allowed
        for when they were asked."""
        if paid:
            return wanted
        with self._sums:
            room, why = self.spent.room_for_judgements(self._budget)
            if room < wanted:
                self._why = self._why or why
        return int(min(room, wanted))

    @property
    def known(self) -> bool:
        """Whether it is known what an answer and its judgement take, as far as a limit asks."""
        judged, both = self.spent.judge_calls, self.spent.calls
        return (both > judged and (judged > 0 or not self.spent.judged)) or not set(self._budget.limits) - {"calls"}

    def count_judgements(self, calls: Sequence[NewCall]) -> None:
        """These calls of the judge that decides came back, as they are stored; what waited for it is judged now."""
        with self._sums:
            self._unjudged = 0
            for call in calls:
                used = None
                if call["prompt_characters"]:
                    characters = call["prompt_characters"], call["characters"]
                    used = Used.of(call["prompt_tokens"], call["completion_tokens"], *characters)
                self.spent.judge(1, used, self._judge_cost(used))

    def _judge_cost(self, used: Used | None) -> float | None:
        return None if used is None or self._judge_id is None else self._prices.cost(self._judge_id, used)

    def count(self, row: NewAnswer, arm: ArmRow) -> None:
        """An answer came. row: as it is stored."""
        if row["taken_from"] is not None:
            self.spent.taken += 1
            return
        used = None
        if row["error"] is None:
            written = len(row["raw"] or row["output"])
            used = Used.of(row["prompt_tokens"], row["completion_tokens"], row["prompt_characters"], written)
        model_id = int(arm.settings.get("model_id", self._model_id))
        with self._sums:
            self._uncounted = max(0, self._uncounted - 1)
            self.spent.add(1, used, self._prices.cost(model_id, used) if used else None)
            self._why = self._why or self._no_room()

    def check(self) -> None:
        """Raises: Ended: nothing further is to be asked, and why."""
        self._look()
        if self._why:
            raise Ended(self._why)

    def _ended(self) -> bool:
        self._look()
        return bool(self._why) or self._claim.cancelled()

    def _may_begin(self, under_way: int) -> bool:
        with self._sums:
            why = self._why or self._no_room(under_way)
            if not under_way:  # else one that was counted already may be among those under way
                self._why = why
            return not why

    def _look(self) -> None:
        if time.monotonic() - self._looked < EVERY:
            return
        with self._claim.read() as session:
            query = select(BaselineRow.at_once, BaselineRow.paused_at, BaselineRow.budget)
            row = session.execute(query.where(BaselineRow.id == self._baseline_id)).one()
        self._take(row.at_once, row.paused_at, row.budget)

    def _take(self, at_once: int | None, paused_at: object, budget: JsonObject | None) -> None:
        self._looked = time.monotonic()
        self._at_once, self._budget = at_once, Budget.from_json(budget)
        if paused_at is not None:
            self._why = PAUSED


def spent(session: Session, baseline: BaselineRow) -> Spent:
    """What a measurement has taken so far, by its stored answers."""
    prices = Prices.from_json(baseline.prices)
    judge = deciding_judge.of(baseline.judge)
    total = Spent(currency=prices.currency, judged=judge is not None)
    of_arm = {arm.id: arm for arm in baseline.arms if arm.family not in (*arms.FREE, "adapter")}
    for row in answer_store.used(session, of_arm):
        total.taken += row.taken
        model_id = int(of_arm[row.arm_id].settings.get("model_id", baseline.model_id))
        if not row.calls:
            continue
        counted = Used(row.prompt_tokens, row.completion_tokens)
        total.add(row.calls, counted, prices.cost(model_id, counted))
        if row.uncounted:
            guess = Used.of(0, 0, row.prompt_characters, row.characters)
            total.add(0, guess, prices.cost(model_id, guess) if guess else None)
    if judge is not None:
        _add_judgements(session, baseline, total, prices, judge.model_id)
    return total


def _add_judgements(session: Session, baseline: BaselineRow, total: Spent, prices: Prices, judge_id: int) -> None:
    used = judge_calls.used(session, [arm.id for arm in baseline.arms if arm.family != "adapter"])
    if not used.calls:
        return
    counted = Used(used.prompt_tokens, used.completion_tokens)
    total.judge(used.calls, counted, prices.cost(judge_id, counted))
    if used.uncounted:
        guess = Used.of(0, 0, used.prompt_characters, used.characters)
        total.judge(0, guess, prices.cost(judge_id, guess) if guess else None)
