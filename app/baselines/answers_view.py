"""Single answers for reading: beside what was asked, with personal data hidden."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.baselines import answer_store, causes, passage_use, prompts, standing, store, tag_store, with_passages
from app.baselines.prompts import Passage, Shot
from app.baselines.spending import AnswerCost, Prices, Used
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.blobs import Blobs
from app.chat import Message, messages_from_json
from app.datasets import masked_rows
from app.datasets import store as dataset_store
from app.datasets.pages.diff_view import Piece, differences
from app.datasets.store import Example
from app.evaluation import labels, metrics, parts
from app.evaluation.form import Decoration, decoration
from app.evaluation.labels import LabelScores
from app.privacy.masking import Masker

COMPARED = 4_000  # characters of an answer that a page shows beside the other one


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer beside what was asked, for reading. compared_*: what the metric really compares. raw: the answer as it
    came, where thinking was taken off. cause: why it failed, in the word that counts, empty for none. tagged_by: who
    gave it; settled_by: who decided between different words.

    blind: whoever looks is tagging it as second person: `cause` is their own word, and nothing hints at another.

    cost: of this answer; None where nobody knows it.

    The texts are as they may be shown; `answer` holds them as they are.
    """

    answer: AnswerRow
    line: int
    question: str
    target: str
    output: str
    raw: str | None
    error: str | None
    compared_target: str
    compared_output: str
    right: bool | None
    guess: causes.Guess | None
    cause: str = ""
    tagged_by: str = ""
    settled_by: str = ""
    blind: bool = False
    cost: AnswerCost | None = None

    @property
    def failure(self) -> passage_use.Failure | None:
        """How a wrong answer came about that was given passages; None where nobody knows the right one."""
        return passage_use.failure(self.answer.details, self.answer.finish) if self.right is False else None

    @property
    def chance(self) -> float | None:
        """The probability of the label that was given; None where the answer came with none."""
        return chance_of(self.answer)

    @property
    def pieces(self) -> tuple[list[Piece], list[Piece]]:
        """The expected answer and the output, word by word, with what only one of them has marked."""
        return differences(self.target[:COMPARED], self.output[:COMPARED])


def chance_of(answer: AnswerRow) -> float | None:
    """The probability with which an answer gave its label; None where it came with none."""
    known = (answer.details or {}).get("chances") or {}
    return float(known.get(answer.output, max(known.values()))) if known else None


def masking(session: Session, baseline: BaselineRow) -> Masker:
    """What hides personal data on the pages of a measurement, as long as nobody has decided on it."""
    return masked_rows.masker_for_measurements(dataset_store.get(session, baseline.dataset_id))


def view(
    baseline: BaselineRow,
    examples: Mapping[int, Example],
    answer: AnswerRow,
    hide: Masker,
    names: Mapping[int, str] | None = None,
    own: Mapping[int, str] | None = None,
) -> AnswerView:
    """Put an answer together with its row. names: of people, by id, for who tagged it. own: the answers that whoever
    looks is tagging as second person, with their own words (`tag_store.own_words`)."""
    example = examples[answer.example_id]
    metric = metrics.get(baseline.metric)
    question = prompts.question(example.messages)
    right = None if answer.score is None else answer.score >= standing.passing(baseline)
    guess, blind = None, answer.id in (own or {})
    if right is False and not blind:
        guess = causes.guess(
            question,
            example.target,
            answer.output,
            finish=answer.finish,
            metric=baseline.metric,
            options=baseline.metric_options,
            passages=answer.details,
        )
    return AnswerView(
        answer=answer,
        line=example.line,
        question=hide.text(question),
        target=hide.text(example.target),
        output=hide.text(answer.output),
        raw=None if answer.raw is None else hide.text(answer.raw),
        error=None if answer.error is None else hide.text(answer.error),
        compared_target=hide.text(metric.view(example.target, baseline.metric_options)),
        compared_output=hide.text(metric.view(answer.output, baseline.metric_options)),
        right=right,
        guess=guess,
        cause=(own or {})[answer.id] if blind else answer.cause or "",
        tagged_by=(names or {}).get(answer.tagged_by or 0, "") if answer.cause and not blind else "",
        settled_by="" if blind else (names or {}).get(answer.settled_by or 0, ""),
        blind=blind,
        cost=cost_of(baseline, answer),
    )


def cost_of(baseline: BaselineRow, answer: AnswerRow) -> AnswerCost | None:
    """Money for an answer at the prices that the measurement began with; nothing for one of an earlier run."""
    prices = Prices.from_json(baseline.prices)
    if answer.taken_from is not None:
        return AnswerCost(0.0, prices.currency, "measured")
    written = len(answer.raw or answer.output)
    used = Used.of(answer.prompt_tokens, answer.completion_tokens, answer.prompt_characters, written)
    arm = next((arm for arm in baseline.arms if arm.id == answer.arm_id), None)
    model_id = baseline.model_id if arm is None else int(arm.settings.get("model_id", baseline.model_id))
    money = None if used is None or answer.status != "ok" else prices.cost(model_id, used)
    return None if money is None or used is None else AnswerCost(money, prices.currency, used.source)


@dataclass(frozen=True, slots=True)
class PartsOf:
    """Where an arm's score comes from; a list is empty, and the others None, where the wanted answers do not have such
    parts. scores: precision, recall and F1 by label; decoration: what normalised match took off the answers."""

    labels: list[parts.Label]
    fields: list[parts.FieldScore]
    confusions: parts.Confusions | None
    scores: LabelScores | None = None
    decoration: Decoration | None = None


def parts_of(session: Session, arm: ArmRow, split: str) -> PartsOf:
    """An arm's score by label and by field of the wanted JSON, and which label it gave for which other one."""
    baseline, hide = arm.baseline, masking(session, arm.baseline)
    answered = [
        parts.Answered(hide.text(row.target), hide.text(row.output), row.score)
        for row in answer_store.texts(session, arm.id, split)
    ]
    metric, options = metrics.get(baseline.metric), baseline.metric_options
    by_label = parts.by_label(answered, binary=metric.binary)
    pairs = scores = None
    if by_label and metric.binary:
        every = [hide.text(target).strip() for target, _, _ in dataset_store.label_counts(session, baseline.dataset_id)]
        if metric.name == "normalised_match":
            answered = _as_spelt(answered, every, lambda text: metric.view(text, options))
            by_label = parts.by_label(answered, binary=True)
        pairs = parts.confusions(answered, every)
        given = [(row.target.strip(), row.output.strip()) for row in answered if row.score is not None]
        scores = labels.scores(given, every)
    dressed = None
    if metric.name == "normalised_match":
        texts = (row.output for row in answer_store.texts(session, arm.id, split) if row.score is not None)
        dressed = decoration(texts, prefix=bool(options.get("prefix")))
    return PartsOf(by_label, parts.by_field(answered, options), pairs, scores, dressed)


def _as_spelt(
    answered: Sequence[parts.Answered], every: Sequence[str], view: Callable[[str], str]
) -> list[parts.Answered]:
    """The answers with each text that is compared like a label in place of that label, as it is spelt first."""
    spelt: dict[str, str] = {}
    for label in every:
        spelt.setdefault(view(label), label)
    return [
        replace(
            row,
            target=spelt.get(view(row.target), row.target),
            output=row.output if row.score is None else spelt.get(view(row.output), row.output),
        )
        for row in answered
    ]


def rows_answered(session: Session, arm: ArmRow, split: str, *, expected: str, output: str) -> frozenset[int] | None:
    """Ids of the rows that want `expected` and got `output`, as the texts may be shown; None where neither is asked
    for. Either may be empty, for any text."""
    if not expected and not output:
        return None
    hide = masking(session, arm.baseline)
    return frozenset(
        row.example_id
        for row in answer_store.texts(session, arm.id, split)
        if (not expected or hide.text(row.target).strip() == expected)
        and (not output or hide.text(row.output).strip() == output)
    )


def examples_of(session: Session, baseline: BaselineRow, split: str) -> dict[int, Example]:
    return {row.id: row for row in dataset_store.rows(session, baseline.dataset_id, split)}


def examples_by_id(session: Session, ids: Collection[int]) -> dict[int, Example]:
    """The rows with these ids."""
    rows = dataset_store.by_ids(session, ids).values()
    return {row.id: Example(row.id, row.line, tuple(messages_from_json(row.messages)), row.target) for row in rows}


def prompt_of(
    session: Session, blobs: Blobs, answer_id: int, user_id: int = 0
) -> tuple[AnswerRow, ArmRow, AnswerView, tuple[Message, ...], bool]:
    """The prompt of an answer, rendered again, and whether it is letter by letter the one that was asked. user_id: who
    looks."""
    answer = answer_store.answer(session, answer_id)
    arm = store.arm(session, answer.arm_id)
    baseline = arm.baseline
    examples = examples_of(session, baseline, answer.split)
    by_line = (
        {row.line: row for row in dataset_store.rows(session, baseline.dataset_id, "train")} if answer.shots else {}
    )
    shots = [Shot(row.id, row.line, tuple(row.messages), row.target) for row in map(by_line.__getitem__, answer.shots)]
    passages = with_passages.given(session, blobs, arm, answer.details)
    question = examples[answer.example_id].messages
    rendered = prompts.render(standing.instructions_of(baseline, arm), shots, question, passages)
    same = prompts.sha256(rendered) == answer.prompt_sha256
    hide = masking(session, baseline)
    visible = tuple(Message(turn.role, hide.text(turn.content)) for turn in rendered)
    own = tag_store.own_words(session, baseline.id, user_id)
    return answer, arm, view(baseline, examples, answer, hide, own=own), visible, same


def passages_of(session: Session, blobs: Blobs, arm: ArmRow, answers: Sequence[AnswerRow]) -> Mapping[int, Passage]:
    """The passages that an arm's answers were given, by their ids, read once for all of them."""
    ids = {number for answer in answers for number, _ in (answer.details or {}).get("passages", ())}
    index = (arm.settings.get("passages") or {}).get("index")
    return with_passages.passages_of(session, blobs, int(index), ids) if ids and index is not None else {}
