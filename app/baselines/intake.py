"""Answers of one arm as they come in: scored, stored and counted, a judge asked about several of them at once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from app.baselines import scored
from app.baselines.answer_store import NewAnswer
from app.baselines.batch import Batch
from app.baselines.judged import Judged
from app.baselines.outbox import Meter, Outbox
from app.baselines.tables import ArmRow
from app.inference.generator import Answer
from app.jobs.claims import Claim
from app.scoring.scores import Scoring


@dataclass
class Intake:
    """Where answers of a batch go. unseen: whether the model may have thought where we cannot look."""

    claim: Claim
    arm: ArmRow
    split: str
    batch: Batch
    meter: Meter
    scorer: Scoring
    outbox: Outbox
    judged: Judged
    unseen: bool

    @classmethod
    def of(cls, claim: Claim, arm: ArmRow, split: str, batch: Batch, meter: Meter, *, unseen: bool) -> Self:
        """Raises: Failed: the deciding metric cannot be opened."""
        scorer, outbox = scored.scorer_of(claim, arm.baseline), Outbox(claim)
        judged = Judged.of(claim, arm, scorer, outbox, meter, unseen=unseen)
        return cls(claim, arm, split, batch, meter, scorer, outbox, judged, unseen)

    def kept(
        self, answers: Iterable[Answer], taken_from: Mapping[str, int] | None = None, *, paid: bool = True
    ) -> Iterator[NewAnswer]:
        """Keep answers as they come, and give each as it is stored. taken_from: the answers of earlier runs that these
        are, by the row's id as text. paid: whether they are asked for now, which costs something.

        Raises:
            Ended: the budget has no room for the judgements of answers that were there already.
            Failed: a judge that scores them cannot be asked.
            Cancelled, Fenced, Stopping: pass them on.
        """
        most = self.arm.baseline.max_tokens
        for several in self.judged.few(answers, paid=paid):
            asked = [(one, self.batch.asked[one.id], self.batch.examples[one.id], most) for one in several]
            scorable = self.judged.ahead(asked, paid=paid)
            for answer in several[:scorable]:
                yield self._keep(answer, (taken_from or {}).get(answer.id))
            if scorable < len(several) and self.meter.control is not None:
                self.meter.control.check()

    def _keep(self, answer: Answer, taken_from: int | None) -> NewAnswer:
        name, batch = answer.id, self.batch
        request = batch.unanswered.pop(name)
        row = scored.stored(
            self.claim,
            self.arm,
            self.split,
            batch.examples[name],
            request,
            batch.asked[name],
            answer,
            scorer=self.scorer,
            unseen=self.unseen,
        )
        row |= {"asked_sha256": batch.keys[name], "taken_from": taken_from}
        self.outbox.put(row)
        if self.meter.control is not None:
            self.meter.control.count(row, self.arm)
        return row

    def close(self) -> None:
        """Have no scorer left, and everything that came on the disk."""
        self.judged.count()
        self.scorer.close()
        self.outbox.flush()
