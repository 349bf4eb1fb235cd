"""Automatic rounds: GEPA over one prompt, with everything kept in our own tables.

GEPA (Agrawal et al. 2025, arXiv 2507.19457) shows a critic some rows with what a prompt made of them, tries what it
writes on the same rows, and scores what does better there on all dev rows; parents are drawn from the prompts that are
best on some dev row. What the library does besides is switched off: nothing is pickled or written to a folder, no
reply is taken over unread, and an answer that failed is no score.

An attempt that goes on after a kill begins with the best prompt so far; scores that stand are not asked for again.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from app.baselines.prompts import question
from app.datasets.store import Example
from app.db import utcnow
from app.evaluation import selection
from app.instructions import budget as budgets
from app.instructions import replies, store
from app.instructions.budget import Budget, Spent
from app.instructions.copies import Copies, described
from app.instructions.models import Critic, Outcome, Task
from app.instructions.reflection import Tried
from app.instructions.replies import Refused
from app.instructions.tables import CandidateRow, Conclusion
from app.jobs.claims import Claim
from app.privacy.masking import Masker
from app.wording import percent, plural

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch

PART = "instructions"  # GEPA improves texts by name; there is one
PERFECT_MOST = 5  # batches in a row that were all right, after which there is nothing to learn from


class Ended(Exception):
    """The run is over without a fault; the text is one of `budget.ENDINGS`."""


Traced: TypeAlias = tuple[Example, Outcome]
"""A row and what a prompt did on it: what GEPA hands on from `evaluate`, unread."""


@dataclass
class Rounds:
    """One attempt at a run. train: rows that are reflected on; dev: rows that choose. Test rows are not here."""

    claim: Claim
    run_id: int
    task: Task
    critic: Critic
    budget: Budget
    spent: Spent
    copies: Copies
    masker: Masker
    train: Sequence[Example]
    dev: Sequence[Example]
    seed: int
    outcomes: dict[str, dict[int, Outcome]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    dev_scores: dict[int, float] = field(default_factory=dict)
    drafts: int = 0
    idle: int = 0
    _perfect: int = 0
    _draft: str = ""
    _parent: str = ""
    _broken: Exception | None = None
    _over: str = ""
    _began: float = field(default_factory=time.monotonic)
    _before: float = 0.0

    def __post_init__(self) -> None:
        self._before = self.spent.seconds
        self._dev_ids = {example.id for example in self.dev}

    # ------------------------------------------------------------ the run

    def run(self, candidates: Sequence[CandidateRow]) -> str:
        """Go on from these candidates until something ends it; returns what, of `budget.ENDINGS`.

        Raises:
            Failed: a model gave no answers.
            Unusable: a model cannot be asked any more.
            Cancelled, Fenced, Stopping: pass them on.
        """
        self._take_up(candidates)
        try:
            self._finish_what_was_begun(candidates)
            self._optimise()
        except Ended as ended:
            self._over = str(ended)
        finally:
            self._keep_spent()
        if self._broken is not None:
            raise self._broken
        self._leave_nothing_open()
        return self._over

    def know(self, text: str, scores: Mapping[int, float]) -> None:
        """Scores that stand already: what the first prompt's arm came to on the dev rows, asked the same way."""
        self.outcomes.setdefault(text, {}).update({row: Outcome(score) for row, score in scores.items()})

    def _take_up(self, candidates: Sequence[CandidateRow]) -> None:
        best = -1.0
        for row in candidates:
            self.numbers.setdefault(row.text, row.number)
            self.drafts += row.number > 0
            self.idle += row.number > 0
            if row.state in ("first", "scored", "scoring"):
                self.know(row.text, row.of_rows)
            if row.state in ("first", "scored") and row.score is not None:
                self.dev_scores[row.number] = row.score
                if row.score > best:
                    best, self.idle = row.score, 0

    def _finish_what_was_begun(self, candidates: Sequence[CandidateRow]) -> None:
        """A prompt that did better on its train rows when the last attempt ended is scored now; of one that had not got
        so far, nothing is known."""
        for row in candidates:
            if row.state == "scoring":
                self._score(row.text, self.dev)
            elif row.state == "drafted":
                self._update(row.number, state="interrupted", reason="The run stopped before it was tried.")

    def _optimise(self) -> None:
        from gepa.api import optimize  # half a second, and only this job needs it

        first = next(text for text, number in self.numbers.items() if number == 0)
        if 0 not in self.dev_scores:
            self._score(first, self.dev)
        if self._stops():
            return
        best = max(self.dev_scores, key=lambda number: (self.dev_scores[number], -number))
        begins = next(text for text, number in self.numbers.items() if number == best)
        optimize(
            seed_candidate={PART: begins},
            trainset=list(self.train),
            valset=list(self.dev),
            adapter=cast("Any", self),  # its two methods; the library's protocol names more than it asks for
            reflection_minibatch_size=min(budgets.BATCH, len(self.train)),
            acceptance_criterion="strict_improvement",
            stop_callbacks=lambda _state: self._stops(),
            logger=_Silent(),
            run_dir=None,
            seed=self.seed + self.claim.attempt,
            raise_on_exception=True,
        )

    def _stops(self) -> bool:
        """Whether to begin no further draft."""
        if self._broken is not None or self._over:
            return True
        self._time()
        if self.drafts >= self.budget.candidates:
            self._over = "candidates"
        elif self.idle >= budgets.PATIENCE:
            self._over = "no_gain"
        elif self._perfect >= PERFECT_MOST:
            self._over = "right"
        else:
            self._over = budgets.used_up(self.budget, self.spent, more_calls=1)
        return bool(self._over)

    def _leave_nothing_open(self) -> None:
        with self.claim.write() as session:
            for row in store.get(session, self.run_id).candidates:
                if row.state in ("drafted", "scoring"):
                    row.state, row.reason = "interrupted", "The budget ended before it was scored."

    # ------------------------------------------------------------ what GEPA asks for

    def evaluate(
        self, batch: list[Example], candidate: dict[str, str], capture_traces: bool = False
    ) -> "EvaluationBatch[Traced, None]":
        """Scores of a prompt on rows, as GEPA wants them; with what the critic may read of them."""
        from gepa.core.adapter import EvaluationBatch

        text = candidate[PART]
        if batch[0].id in self._dev_ids:
            self._score(text, batch)
        else:
            self._try(text, batch)
        known = self.outcomes[text]
        scores = [known[example.id].score for example in batch]
        tried = [(example, known[example.id]) for example in batch] if capture_traces else None
        return EvaluationBatch(outputs=[None] * len(batch), scores=scores, trajectories=tried)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: "EvaluationBatch[Traced, None]", components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Traced]]]:
        """The train rows of one batch, as the critic may read them: hidden is what hides on pages, too."""
        return {PART: [{"tried": tried} for tried in eval_batch.trajectories or ()]}

    def propose_new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Traced]]],
        components_to_update: list[str],
    ) -> dict[str, str]:
        """Ask the critic; an empty answer keeps the parent. GEPA swallows what is raised here and asks again, so it is
        kept and raised when GEPA is through."""
        try:
            return self._proposed(candidate[PART], [one["tried"] for one in reflective_dataset[PART]])
        except Exception as error:  # noqa: BLE001 - see above
            self._broken = error
            return {}

    # ------------------------------------------------------------ drafting and scoring

    def _proposed(self, parent: str, batch: Sequence[Traced]) -> dict[str, str]:
        self._tell(f"The critic writes draft {self.drafts + 1}")
        rows = [
            Tried(
                self.masker.text(question(example.messages)),
                self.masker.text(outcome.answer),
                self.masker.text(example.target),
                outcome.score,
            )
            for example, outcome in batch
        ]
        reply = self.critic.reply(parent, rows, self.claim.cancelled, self.spent)
        self._keep_spent()
        if reply is None:
            self.claim.check()
            return {}
        read = self._checked(replies.read(reply, replies.longest(self._first)))
        self.drafts += 1
        self.idle += 1
        if isinstance(read, Refused):
            self._add(reply.text, parent, "refused", read.sentence)
            return {}
        self.numbers[read] = self._add(read, parent, "drafted")
        self._draft, self._parent = read, parent
        return {PART: read}

    @property
    def _first(self) -> str:
        return next(text for text, number in self.numbers.items() if number == 0)

    def _checked(self, read: str | Refused) -> str | Refused:
        if isinstance(read, Refused):
            return read
        if read in self.numbers:
            return Refused("same")
        copied = self.copies.inside(read)
        return Refused("copied", described(copied)) if copied else read

    def _try(self, text: str, batch: Sequence[Example]) -> None:
        """Score a prompt on a batch of train rows: a parent before the critic reads them, or its draft after."""
        drafted = text == self._draft
        name = f"draft {self.numbers[text]}" if self.numbers[text] else "the first prompt"
        self._tell(f"Trying {name} on {plural(len(batch), 'train row')}")
        self._ask(text, batch)
        scores = [self.outcomes[text][example.id].score for example in batch]
        if not drafted:
            self._perfect = self._perfect + 1 if all(score >= 1 for score in scores) else 0
            return
        before = sum(self.outcomes[self._parent][example.id].score for example in batch)
        self._draft = ""
        better = sum(scores) > before
        self._update(
            self.numbers[text],
            state="scoring" if better else "behind",
            batch_rows=len(batch),
            batch_before=before,
            batch_after=sum(scores),
        )

    def _score(self, text: str, batch: Sequence[Example]) -> None:
        """Score a prompt on the dev rows, which choose."""
        number = self.numbers[text]
        if number in self.dev_scores:
            return
        self._tell(f"Scoring {f'draft {number}' if number else 'the first prompt'} on {plural(len(batch), 'dev row')}")
        self._ask(text, batch)
        scores = self._on_dev(text)
        score = fmean(scores.values())
        if number and score > max(self.dev_scores.values(), default=-1.0):
            self.idle = 0
        self.dev_scores[number] = score
        self._update(number, state="scored" if number else "first", score=score, scores=scores)

    def _ask(self, text: str, batch: Sequence[Example]) -> None:
        """Have every row of a batch answered.

        Raises:
            Ended: the budget does not allow it.
        """
        known = self.outcomes.setdefault(text, {})
        waiting = list({example.id: example for example in batch if example.id not in known}.values())
        self._time()
        if over := budgets.used_up(self.budget, self.spent, len(waiting) * self.budget.calls_a_row):
            raise Ended(over)
        if not waiting:
            return
        try:
            self.task.answer(text, waiting, known, self.claim.cancelled, self.spent)
        finally:
            self._keep_spent(text)
        self.claim.check()

    # ------------------------------------------------------------ writing down

    def _time(self) -> None:
        self.spent.seconds = self._before + time.monotonic() - self._began

    def _keep_spent(self, text: str = "") -> None:
        """Keep what was used, and of a prompt the dev rows that were answered, also while the run is being stopped."""
        self._time()
        with self.claim.keep() as session:
            row = store.get(session, self.run_id)
            row.spent = Spent.from_json(self.spent.to_json())
            for candidate in row.candidates:
                if candidate.text == text and candidate.state in ("first", "scoring"):
                    candidate.scores = self._on_dev(text)

    def _on_dev(self, text: str) -> dict[str, float]:
        known = self.outcomes[text]
        return {str(example.id): round(known[example.id].score, 6) for example in self.dev if example.id in known}

    def _add(self, text: str, parent: str, state: str, reason: str = "") -> int:
        with self.claim.write() as session:
            row = CandidateRow(
                optimisation_id=self.run_id,
                number=store.next_number(session, self.run_id),
                parent=self.numbers[parent],
                text=text[: replies.LONGEST],
                state=state,
                reason=reason,
                scores={},
                attempt=self.claim.attempt,
                created_at=utcnow(),
            )
            session.add(row)
            session.flush()
            return row.number

    def _update(self, number: int, **values: object) -> None:
        with self.claim.write() as session:
            row = store.candidate(session, self.run_id, number)
            for name, value in values.items():
                setattr(row, name, value)

    def _tell(self, stage: str) -> None:
        self.claim.report(
            {
                "stage": stage,
                "done": min(self.spent.all_calls, self.budget.calls),
                "total": self.budget.calls,
                "unit": "calls",
                "drafts": self.drafts,
                "most_drafts": self.budget.candidates,
            },
            now=True,
        )


class _Silent:
    """GEPA logs texts of rows and prompts; they stand in our tables."""

    def log(self, message: str) -> None:
        """Say nothing."""


def concluded(candidates: Sequence[CandidateRow]) -> Conclusion:
    """What a run came to, from its candidates as they stand.

    drafts: what the critic wrote; scored: prompts with a score on the dev rows, the first one among them; first, best:
    their scores; winner: number of the best, the earliest of equals; gain: of it over the first; apart, luck: see
    `selection`; refused: replies that were not taken over; rows: dev rows.
    """
    there = [row for row in candidates if row.state in ("first", "scored") and row.score is not None]
    drafts = sum(row.number > 0 for row in candidates)
    refused = sum(row.state == "refused" for row in candidates)
    if not there:
        return {"drafts": drafts, "refused": refused, "scored": 0}
    scores = {row.number: row.score or 0.0 for row in there}
    winner = max(scores, key=lambda number: (scores[number], -number))
    rows = len(there[0].scores)
    differ = selection.apart([row.of_rows for row in there])
    return {
        "drafts": drafts,
        "refused": refused,
        "behind": sum(row.state == "behind" for row in candidates),
        "scored": len(there),
        "rows": rows,
        "first": scores.get(0, 0.0),
        "best": scores[winner],
        "winner": winner,
        "gain": scores[winner] - scores.get(0, 0.0),
        "apart": differ,
        "luck": selection.luck(len(there), rows, differ),
    }


def mostly_right(score: float) -> str:
    """Why rounds are of no use where a prompt is right already; empty where they may be."""
    if score < budgets.MOSTLY_RIGHT:
        return ""
    return (
        f"The best prompt is right on {percent(score, 0)} of the dev rows already. The few rows that a critic is shown "
        "would all be right, and it would learn nothing. Revise it by hand, with its failures before you."
    )
