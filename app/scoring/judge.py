"""Scoring by an LLM judge: one question for each answer, pass or fail by the rubric, read strictly.

What the judge did not say readably is no wrong answer: it has no score and says why. The same question is asked once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.chat import Message
from app.inference import answer_text
from app.inference.generator import Answer, Generator, Request
from app.privacy.masking import Masker
from app.scoring import judge_questions, judge_replies
from app.scoring.judge_replies import SINGLE, Unreadable
from app.scoring.scores import AboutRow, Score

REPLY_TOKENS = 400  # that a judgement with its reason may have


def question_of(turns: Sequence[Message], hide: Masker) -> str:
    """The turns of a row as a judge reads them."""
    hidden = [(turn.role, hide.text(turn.content)) for turn in turns]
    named = len(hidden) > 1
    return "\n\n".join(f"{role}: {content}" if named else content for role, content in hidden)


@dataclass
class Judge:
    """A judge with its rubric, ready to score. hide: takes out what pages hide. stopped: whether to ask no more; what
    is then without a word has no score."""

    passes_if: str
    with_expected: bool
    generator: Generator
    hide: Masker
    stopped: Callable[[], bool]
    words: dict[tuple[Message, ...], Score] = field(default_factory=dict)

    def asked(self, output: str, target: str, row: AboutRow) -> tuple[Message, ...]:
        """What the judge is asked about one answer."""
        expected = self.hide.text(target) if self.with_expected else None
        return judge_questions.single(
            self.passes_if, question_of(row.turns, self.hide), self.hide.text(output), expected
        )

    def ahead(self, answers: Sequence[tuple[str, str, AboutRow]]) -> None:
        """Ask about several answers at once, as (answer, expected answer, row); `score` then has their words.

        Raises:
            Unusable: the judge cannot be asked any more.
        """
        wanted = dict.fromkeys(self.asked(*one) for one in answers)
        unsaid = [asked for asked in wanted if asked not in self.words]
        requests = [Request(str(place), asked, REPLY_TOKENS) for place, asked in enumerate(unsaid)]
        if not requests:
            return
        for answer in self.generator.answer(requests, self.stopped):
            self.words[unsaid[int(answer.id)]] = _read(answer)

    def score(self, output: str, target: str, row: AboutRow) -> Score:
        """1 for pass, 0 for fail, with the judge's reason."""
        self.ahead([(output, target, row)])
        return self.words.get(self.asked(output, target, row), Score(None, "Not judged: the run was stopped."))

    def close(self) -> None:
        self.generator.close()


def _read(answer: Answer) -> Score:
    settled = answer_text.settled(answer, REPLY_TOKENS, unseen=True)
    if settled.error is not None:
        return Score(None, f"Not judged. {settled.error}")
    read = judge_replies.read(settled, SINGLE)
    if isinstance(read, Unreadable):
        return Score(None, f"Not judged. {read.sentence}")
    return Score(float(read.word == "pass"), read.reason)
