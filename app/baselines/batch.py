"""The rows of an arm that are asked together: each with its request, and what was answered to it in an earlier run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.baselines import replies
from app.baselines.asking import Asked, Preparation
from app.baselines.replies import Reply
from app.baselines.tables import ArmRow
from app.datasets.store import Example
from app.inference.generator import Answer, Request
from app.jobs.claims import Claim


@dataclass(frozen=True, slots=True)
class Batch:
    """All by the row's id as text. unanswered: what is still without an answer. keys: see `replies.key`."""

    examples: Mapping[str, Example]
    asked: Mapping[str, Asked]
    unanswered: dict[str, Request]
    keys: Mapping[str, str | None]

    @classmethod
    def of(cls, claim: Claim, arm: ArmRow, prepared: Preparation, waiting: Sequence[Example]) -> "Batch":
        """Put the prompts of these rows together."""
        examples = {str(example.id): example for example in waiting}
        asked: dict[str, Asked] = {}
        for name, example in examples.items():
            claim.check()
            asked[name] = prepared.ask(example)
        fresh, most = bool(arm.baseline.fresh), arm.baseline.max_tokens
        requests = {name: each.request(name, most, fresh=fresh) for name, each in asked.items()}
        model = replies.of_arm(arm.baseline, arm)
        keys = {name: replies.key(model, request) for name, request in requests.items()}
        return cls(examples, asked, requests, keys)

    def unscored(self, claim: Claim, arm: ArmRow, split: str) -> Sequence[Answer]:
        """What was answered to these requests before in this very run, and could not be scored."""
        with claim.read() as session:
            return list(replies.unscored(session, arm.id, split, self.unanswered).values())

    def earlier(self, claim: Claim, assessment_id: int) -> Sequence[Reply]:
        """What was answered to these requests before."""
        with claim.read() as session:
            known = replies.known(session, assessment_id, self.keys, list(self.unanswered.values()))
        return list(known.values())
