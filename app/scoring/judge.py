"""Scoring by an LLM judge: one question for each answer, pass or fail by the rubric, read strictly.

What the judge did not say readably is no wrong answer: it has no score and says why. The same question is asked once.
Every call is written down with the tokens that it took (`Judge.taken`): they cost as much as anybody's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.chat import Message
from app.inference import answer_text
from app.inference.generator import Answer, Generator, Request
from app.privacy.masking import Masker
from app.scoring import judge_questions, judge_replies
from app.scoring.judge_replies import SINGLE, Unreadable
from app.scoring.scores import AboutRow, Score

REPLY_TOKENS = 400  # that a judgement with its reason may have
REPLY_CHARACTERS = 160  # of a verdict with a reason of one sentence, for estimates only

Answered = tuple[str, str, AboutRow]
"""An answer, the expected one, and its row."""

Question = tuple[Message, ...]
"""All that a judge is asked in one call."""


def question_of(turns: Sequence[Message], hide: Masker) -> str:
    """The turns of a row as a judge reads them."""
    hidden = [(turn.role, hide.text(turn.content)) for turn in turns]
    named = len(hidden) > 1
    return "\n\n".join(f"{role}: {content}" if named else content for role, content in hidden)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a judge that came to an end. replied: whether with a reply; score: what was read in it.
    prompt_tokens: 0 where the server did not say how many. prompt_characters, characters: of question and reply.
    seconds: it took."""

    asked: Question
    replied: bool
    score: Score
    prompt_tokens: int
    completion_tokens: int
    prompt_characters: int
    characters: int
    seconds: float


def _nothing(_asked: Sequence[Question], /) -> Mapping[Question, Score]:
    return {}


@dataclass
class Judge:
    """A judge with its rubric, ready to score. hide: takes out what pages hide. stopped: whether to ask no more; what
    is then without a word has no score. known: the scores of questions that it was asked before."""

    passes_if: str
    with_expected: bool
    generator: Generator
    hide: Masker
    stopped: Callable[[], bool]
    known: Callable[[Sequence[Question]], Mapping[Question, Score]] = _nothing
    words: dict[Question, Score] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def asked(self, output: str, target: str, row: AboutRow) -> Question:
        """What the judge is asked about one answer."""
        expected = self.hide.text(target) if self.with_expected else None
        return judge_questions.single(
            self.passes_if, question_of(row.turns, self.hide), self.hide.text(output), expected
        )

    def unsaid(self, answers: Sequence[Answered]) -> list[Question]:
        """What has to be asked before all of these answers have a score, each question once."""
        wanted = list(dict.fromkeys(asked for one in answers if (asked := self.asked(*one)) not in self.words))
        if wanted:
            self.words |= self.known(wanted)
        return [asked for asked in wanted if asked not in self.words]

    def ask(self, questions: Sequence[Question]) -> None:
        """Ask several questions at once; `score` then has the words.

        Raises:
            Unusable: the judge cannot be asked any more.
        """
        requests = [Request(str(place), asked, REPLY_TOKENS) for place, asked in enumerate(questions)]
        if not requests:
            return
        for answer in self.generator.answer(requests, self.stopped):
            asked = questions[int(answer.id)]
            score = self.words[asked] = _read(answer)
            self.calls.append(
                Call(
                    asked,
                    answer.error is None,
                    score,
                    answer.prompt_tokens,
                    answer.completion_tokens,
                    sum(len(message.content) for message in asked),
                    len(answer.raw or answer.text),
                    answer.seconds,
                )
            )

    def has_word(self, one: Answered) -> bool:
        """Whether there is a word on this answer, or a reason why there is none."""
        return self.asked(*one) in self.words

    def taken(self) -> list[Call]:
        """The calls that came back since this was last asked."""
        calls, self.calls = self.calls, []
        return calls

    def score(self, output: str, target: str, row: AboutRow) -> Score:
        """1 for pass, 0 for fail, with the judge's reason."""
        self.ask(self.unsaid([(output, target, row)]))
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
