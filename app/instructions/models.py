"""The two models of a run: the one whose prompt is improved, and the critic that writes prompts.

An answer that did not come is never a wrong one: it is asked for again, and then the run stops and says why. Otherwise
an outage would teach the critic that the prompt is bad.
"""

from collections import abc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from app.baselines import scored
from app.baselines.asking import Preparation
from app.datasets.store import Example
from app.inference import answer_text
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Generator, Request
from app.instructions import reflection
from app.instructions.budget import Spent
from app.jobs.claims import Failed
from app.privacy import masking
from app.scoring.judge import Judge
from app.scoring.scores import Scoring
from app.wording import plural

TRIES = 3  # times that a row or the critic is asked before the run stops; a server's client waits and retries besides
CRITIC_TOKENS = 4_096  # that a reply of the critic may have
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one row and its score, 0 to 1; the answer is empty where only the score was kept."""

    score: float
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """The model whose prompt is improved, asked as its arm asks. prepared: for every row that may be asked."""

    generator: Generator
    prepared: Preparation
    scorer: Scoring
    max_tokens: int

    def answer(
        self, text: str, examples: Sequence[Example], into: dict[int, Outcome], stop: Stop, spent: Spent
    ) -> None:
        """Put the answers to these rows with this text as the instructions into a dictionary by row, each as it comes;
        not all of them once `stop` is true.

        Raises:
            Failed: rows got no answer.
            Unusable: the model cannot be asked any more.
        """
        prepared = replace(self.prepared, instructions=text)
        waiting = {str(example.id): example for example in examples}
        trouble = ""
        for _ in range(TRIES):
            asked = {name: prepared.ask(example) for name, example in waiting.items()}
            requests = [each.request(name, self.max_tokens) for name, each in asked.items()]
            with closing(_iterated(self.generator.answer(requests, stop))) as answers:
                for answer in answers:
                    _count(spent, answer)
                    example = waiting[answer.id]
                    settled = answer_text.settled(answer, self.max_tokens, example.target, unseen=self._unseen)
                    if settled.error is not None:
                        trouble = settled.error
                        continue
                    settled, _ = asked[answer.id].kept(settled, example.target)  # scored without what it cites
                    score = scored.score(self.scorer, settled.text, example)
                    _count_judge(spent, self.scorer)
                    if score.value is None:
                        trouble = score.why
                        continue
                    into[example.id] = Outcome(score.value, settled.text)
                    del waiting[answer.id]
            if not waiting or stop():
                return
        raise Failed(
            f"{plural(len(waiting), 'row')} got no answer in {TRIES} tries, so no prompt can be scored on them. "
            f"{_sentence(trouble)} Fix the cause, then press Resume: the prompts so far are kept."
        )

    @property
    def _unseen(self) -> bool:
        return isinstance(self.generator, Endpoint)


@dataclass(frozen=True, slots=True)
class Critic:
    """The model that reads what went wrong and writes better instructions."""

    generator: Generator

    def reply(self, current: str, rows: Sequence[reflection.Tried], stop: Stop, spent: Spent) -> Answer | None:
        """What it writes; None once `stop` is true.

        Raises:
            Failed: it gave no answer.
            Unusable: it cannot be asked any more.
        """
        trouble = ""
        for _ in range(TRIES):
            request = Request("critic", reflection.asked(current, rows), CRITIC_TOKENS)
            with closing(_iterated(self.generator.answer([request], stop))) as answers:
                answer: Answer | None = next(iter(answers), None)
            if answer is None or stop():
                return None
            spent.critic_calls += 1
            spent.critic_read += answer.prompt_tokens
            spent.critic_write += answer.completion_tokens
            if answer.error is None:
                return answer
            trouble = answer.error
        raise Failed(
            f"The critic gave no answer in {TRIES} tries. {_sentence(trouble)} Fix the cause, then press Resume: "
            "the prompts so far are kept."
        )


def _sentence(trouble: str) -> str:
    """What a server said, as a sentence, without personal data."""
    return f"{masking.mask(trouble).rstrip('. ')}."


def _count_judge(spent: Spent, scorer: Scoring) -> None:
    """The calls of the LLM judge, where one scores the answers."""
    for call in scorer.taken() if isinstance(scorer, Judge) else ():
        spent.judge_calls += 1
        spent.judge_read += call.prompt_tokens
        spent.judge_write += call.completion_tokens


def _count(spent: Spent, answer: Answer) -> None:
    spent.calls += 1
    spent.read += answer.prompt_tokens
    spent.write += answer.completion_tokens


def _iterated(answers: Iterator[Answer]) -> abc.Generator[Answer, None, None]:
    """Generators can be closed; the interface only promises an iterator."""
    return (answer for answer in answers)
