"""The deciding metric on dev rows during training: the adapter answers them, greedily, in the trainer's process.

Asked like the test rows will be: same prompt, same limit of tokens, same constraint, same scoring. Which rows is drawn
once from the config's own seed, so every check and every leg of a run answers the same ones. Only child processes
import this file.
"""

import random
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.baselines import prompts, with_passages
from app.evaluation import metrics
from app.inference import answer_text, constrained, loading, local_child
from app.inference.generator import Answer
from app.inference.local_protocol import AskedRow
from app.training.lora import Learner
from app.training.spec import SourceRow, TrainingSpec


@dataclass(frozen=True, slots=True)
class DevAnswers:
    """Rows to answer, and how. rows: each with what is asked for it."""

    spec: TrainingSpec
    rows: Sequence[tuple[AskedRow, SourceRow]]

    @staticmethod
    def of(spec: TrainingSpec, source: Iterable[SourceRow]) -> "DevAnswers | None":
        """What is answered at each check; None where dev loss alone chooses."""
        if spec.scored is None:
            return None
        dev = [row for row in source if row.split == "dev"]
        count = spec.recipe.scored_rows
        if len(dev) > count:
            dev = random.Random(f"scored/{spec.recipe.seed}").sample(dev, count)
        return DevAnswers(spec, [(_request(spec, row), row) for row in dev])

    def score(self, learner: Learner, stop: threading.Event) -> float:
        """The mean score, 0 to 1; of fewer rows once `stop` is set. What has no answer scores nothing."""
        return self.scored(learner.adapted(), stop)

    def scored(self, loaded: loading.Loaded, stop: threading.Event) -> float:
        """The same of any model that is ready to answer."""
        scored = self.spec.scored
        assert scored is not None  # noqa: S101 - there are no rows without it
        loaded.model.eval()
        asked = {request["id"]: row for request, row in self.rows}
        keeper = constrained.Constraints(loaded)
        total = 0.0
        for made in local_child.answer(loaded, [request for request, _ in self.rows], stop, keeper):
            row = asked[made["id"]]
            settled = answer_text.settled(Answer(**made), scored.max_tokens, row.target, unseen=False)
            if settled.error is None:
                total += metrics.score(scored.metric, _text(row, settled.text), row.target, scored.options)
        return total / max(1, len(self.rows))


def _text(row: SourceRow, answer: str) -> str:
    """An answer as it is scored: without the passages that it cites."""
    return with_passages.ending(row.passages, (), answer, row.target)[0] if row.passages else answer


def _request(spec: TrainingSpec, row: SourceRow) -> AskedRow:
    scored = spec.scored
    assert scored is not None  # noqa: S101 - the caller looked
    messages = prompts.render(spec.instructions, (), row.messages, row.passages)
    return {
        "id": str(row.line),
        "messages": [message.to_json() for message in messages],
        "max_tokens": scored.max_tokens,
        "constraint": scored.constraint,
        "thinks": spec.thinks and not scored.constraint,
    }
