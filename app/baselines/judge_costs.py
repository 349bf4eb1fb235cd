"""What an LLM judge that decides will take beside the models that answer: a call for each answer, as an estimate.

Answers without a language model are judged as well. Two variants that answer a row alike are one question, asked once,
so there may be fewer calls.
"""

from dataclasses import dataclass
from statistics import fmean

from app.assessments import service as assessments
from app.baselines import deciding_judge
from app.baselines.arms import CHARACTERS_PER_TOKEN
from app.baselines.offers import Context
from app.baselines.outlines import Cost, Known
from app.chat import Message
from app.scoring import judge_questions
from app.scoring.judge import REPLY_CHARACTERS
from app.web.protocols import CallPrice, JudgeChoice

SAMPLE = 20  # dev rows that the length of a question to the judge is taken from


def chosen(context: Context, known: Known) -> JudgeChoice | None:
    """The judge that an order names, usable or not; None where the metric is another one, or nobody knows of it."""
    if known.judges is None or assessments.answers(context.assessment).get("metric") != deciding_judge.METRIC:
        return None
    key = context.order.metric_options.get("judge")
    return next((one for one in known.judges(context.session, context.assessment) if one.key == key), None)


@dataclass(frozen=True, slots=True)
class JudgeCost:
    """reads, writes: tokens of a judgement; seconds: of one, None where none was timed; price: None without one."""

    reads: float
    writes: float
    seconds: float | None
    price: CallPrice | None

    @classmethod
    def of(cls, context: Context, judge: JudgeChoice, price: CallPrice | None) -> "JudgeCost":
        """By what the judge took so far; where its server counts no tokens, by the characters of the dev rows."""
        reads, writes = judge.reads, judge.writes
        if reads is None or writes is None:
            reads, writes = _characters(context, judge) / CHARACTERS_PER_TOKEN, REPLY_CHARACTERS / CHARACTERS_PER_TOKEN
        return cls(reads, writes, judge.seconds, price)

    def calls(self, calls: int) -> Cost:
        """So many of them. The time is a rough guess: several are asked at once, how many is up to the server."""
        read, write = calls * self.reads, calls * self.writes
        seconds = None if self.seconds is None else calls * self.seconds
        cost = None if self.price is None else (read * self.price.input + write * self.price.output) / 1e6
        return Cost(calls, read, write, seconds, seconds or 0.0, cost)


def _characters(context: Context, judge: JudgeChoice) -> float:
    """Of what a judge is asked about one answer, which is taken to be as long as the expected one."""
    kept = deciding_judge.of(judge.kept)
    rows = [*context.examples["dev"], *context.examples["train"]][:SAMPLE]
    asked = [
        judge_questions.single(
            kept.passes_if if kept else "",
            "\n\n".join(turn.content for turn in row.messages),
            row.target,
            row.target if kept is None or kept.with_expected else None,
        )
        for row in rows
    ]
    return fmean(map(_length, asked)) if asked else 0.0


def _length(asked: tuple[Message, ...]) -> int:
    return sum(len(turn.content) for turn in asked)
