"""The LLM judge that decides, at work beside the answers of one arm: asked about several at once, within the budget.

Whatever it is asked counts like any other call. Answers that cost something are only asked for where there is room for
their judgement as well (`RunControl`), so they are always judged; those that cost nothing wait where there is none.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.baselines import judge_calls, scored
from app.baselines.asking import Asked
from app.baselines.outbox import Meter, Outbox
from app.baselines.run_control import RunControl
from app.baselines.tables import ArmRow
from app.datasets.store import Example
from app.inference import answer_text
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Unusable
from app.jobs.claims import Claim, Failed
from app.scoring.judge import Judge
from app.scoring.scores import AboutRow, Scoring

T = TypeVar("T")

AT_ONCE = 8  # answers that a judge is asked about together: so many are asked again after a kill


@dataclass(frozen=True, slots=True)
class Judged:
    """Nothing of it happens where the metric is another one. unseen: whether the model may have thought where we cannot
    look."""

    claim: Claim
    arm: ArmRow
    scorer: Scoring
    outbox: Outbox
    control: RunControl | None
    unseen: bool = False

    @classmethod
    def of(
        cls, claim: Claim, arm: ArmRow, scorer: Scoring, outbox: Outbox, meter: Meter, *, unseen: bool = False
    ) -> "Judged":
        """A judge on a server says through the meter that it is waited for."""
        if isinstance(scorer, Judge) and isinstance(scorer.generator, Endpoint):
            scorer.generator.on_wait = meter.waits
        return cls(claim, arm, scorer, outbox, meter.control, unseen)

    @property
    def decides(self) -> bool:
        """Whether a judge is asked at all."""
        return isinstance(self.scorer, Judge)

    def few(self, answers: Iterable[T], *, paid: bool) -> Iterator[list[T]]:
        """Answers as they come, one at a time; where a judge scores them, several that it is asked about at once. paid:
        whether asking for them cost something: until they are judged, nothing else may be asked for in their stead."""
        waiting: list[T] = []
        for answer in answers:
            waiting.append(answer)
            if len(waiting) >= self._at_once:
                yield waiting
                waiting = []
            elif paid and self.control is not None:
                self.control.waits_for_judge()
        if waiting:
            yield waiting

    @property
    def _at_once(self) -> int:
        if not self.decides:
            return 1
        return AT_ONCE if self.control is None or self.control.known else 1

    def ahead(self, answers: Sequence[tuple[Answer, Asked, Example, int]], *, paid: bool) -> int:
        """Have the judge asked about these answers together; what it says is there when they are scored. Each with how
        it was asked, its row, and the tokens that it was allowed. Returns how many of them, from the first on, can be
        scored: all, unless the budget has no room for the judgements of answers that cost nothing.

        Raises:
            Failed: the judge cannot be asked.
            Cancelled, Fenced, Stopping: pass them on; nothing of these answers is kept then.
        """
        scorer = self.scorer
        if not isinstance(scorer, Judge):
            return len(answers)
        about = [self._about(*one) for one in answers]
        questions = scorer.unsaid([one for one in about if one is not None])
        room = len(questions) if self.control is None else self.control.judgements(len(questions), paid=paid)
        try:
            scorer.ask(questions[:room])
        except Unusable as why:
            self.claim.check()
            raise Failed(f"The LLM judge cannot be asked. {why}") from why
        finally:
            self.count()
        self.claim.check()
        if room == len(questions):
            return len(answers)
        return next((place for place, one in enumerate(about) if one and not scorer.has_word(one)), len(answers))

    def _about(self, answer: Answer, asked: Asked, example: Example, most: int) -> tuple[str, str, AboutRow] | None:
        settled, _ = asked.kept(answer_text.settled(answer, most, example.target, unseen=self.unseen), example.target)
        return None if settled.error is not None else (settled.text, example.target, scored.about(example))

    def count(self) -> None:
        """Put the calls that the judge made on their way to the database, and count them."""
        if not isinstance(self.scorer, Judge):
            return
        calls = [judge_calls.row(self.arm.id, call) for call in self.scorer.taken()]
        self.outbox.judged += calls
        if self.control is not None:
            self.control.count_judgements(calls)
