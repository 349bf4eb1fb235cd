"""Advice for people: the one sentence that stands for it, what it rests on, and the reasons for each approach.

The sentence is put together from the same values that decided, never from the scores alone, and it says only what was
measured or answered. The rules here give codes and numbers; `sentences/explanation.py` has the words.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.advice.facts import interval, rows_to_settle, score_of
from app.advice.policy import Points, Source
from app.advice.questions import FACTORS
from app.advice.schema import Case
from app.advice.scoring import Reason, corpus, examples
from app.advice.sentences import explanation as sentences
from app.advice.verdict import Advice
from app.wording import Statement, state, upper_first

MOST_BECAUSE = 3  # clauses; a fourth is not read
FEW_LEFT = 2  # open criteria that can be named in a heading
IN_EVIDENCE = frozenset({"reached", "reached_without_target", "enough_examples"})
"""Grounds that the evidence beside a status says line by line: target, best prompt with its interval, usable rows."""

APPROACHES = (("fine_tune", "Fine-tune", "tune"), ("prompt", "Prompt", "prompt"), ("rag", "RAG", "rag"))
"""Key, name and colour of what is scored."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """headline: what to do. grounds: why, what weighs most first. consequence: what that means for training."""

    headline: tuple[Statement, ...]
    grounds: tuple[Statement, ...]
    consequence: Statement

    @property
    def head(self) -> str:
        """What to do, in one line."""
        return " ".join(sentences.HEADS(part) for part in self.headline)

    @property
    def because(self) -> tuple[str, ...]:
        """The grounds, as clauses."""
        return tuple(sentences.GROUNDS(ground) for ground in self.grounds)

    @property
    def training(self) -> str:
        return sentences.TRAINING(self.consequence)

    @property
    def why(self) -> str:
        """The grounds as one sentence; empty if nothing is known yet."""
        return _sentence(self.because)

    @property
    def why_beside_evidence(self) -> str:
        """The same for a page that shows the evidence, which says the scores: none of them is said twice there."""
        return _sentence(sentences.GROUNDS(ground) for ground in self.grounds if ground.code not in IN_EVIDENCE)


def _sentence(clauses: Iterable[str]) -> str:
    text = "; ".join(clauses)
    return f"{upper_first(text)}." if text else ""


def sentence(advice: Advice) -> Sentence:
    """The one sentence for this advice."""
    return Sentence(tuple(_head(advice)), tuple(_grounds(advice))[:MOST_BECAUSE], _training(advice))


# ------------------------------------------------------------------ what to do

ONCE = ("G4", "G8", "G9", "G10", "G11", "G12")
"""Criteria that a case can lack while its substance is there: enough examples, and prompting measured and short."""


def _head(advice: Advice) -> Iterator[Statement]:
    lookup = advice.approach == "rag"
    match advice.rule:
        case 1:
            yield state("once", lookup=lookup, technique=advice.technique)
        case 2:
            yield _met(advice)
        case 3:
            yield state("look_up" if lookup else "whole_text")
        case 4:
            yield state("hybrid_ready" if advice.training == "ready" else "hybrid_later")
        case 5:
            if advice.facts.free_lead is not None:
                yield state("use_or_beat", arm=advice.facts.free_lead)
            yield _locked(advice) if advice.training == "locked" else _ready(advice)
        case _ if not advice.case.answers.goals:
            yield state("no_goal")
        case _:
            yield state("nothing_more", technique=advice.technique)


def _met(advice: Advice) -> Statement:
    baseline = advice.case.measured.baseline
    if baseline is None or not baseline.there:
        return state("met_unmeasured")
    if advice.technique == "small_classifier":
        return state("met_by_classifier")
    if advice.technique == "embedding_classifier":
        return state("met_by_embeddings")
    return state("met", lookup=advice.approach == "rag")


def _ready(advice: Advice) -> Statement:
    return state("copy_large" if advice.facts.efficiency_path else "fine_tune")


def _locked(advice: Advice) -> Statement:
    """Behaviour should change and training is locked: what has to come first, if training may follow at all."""
    if advice.leaning is None:
        return state("do_not_train", technique=advice.technique)
    if advice.facts.baseline == "unclear":
        return state("more_rows")
    blockers = [gate.id for gate in advice.blockers]
    if blockers[0] == "G5" and advice.case.measured.baseline_on_base is False:
        return state("other_base")
    if any(gate not in ONCE for gate in blockers):
        return state("first", gate=blockers[0])
    if len(blockers) > FEW_LEFT:
        return state("once_settled", points=len(blockers))
    return state("once_named", gates=blockers)


def _training(advice: Advice) -> Statement:
    if advice.training == "ready":
        return state("ready")
    open_criteria = len(advice.blockers)
    criteria = sum(finding.state != "not_applicable" for finding in advice.findings.values())
    return state("locked", leaning=advice.leaning, open_criteria=open_criteria, criteria=criteria)


# ------------------------------------------------------------------ why


def _grounds(advice: Advice) -> Iterator[Statement]:
    """Clauses that follow from what decided, what weighs most first."""
    case = advice.case
    if advice.rule == 1:
        yield state("one_run")
    if advice.facts.knowledge:
        yield from _about_knowledge(advice)
    if advice.rule in (2, 4, 5):
        yield from _about_prompting(advice)
    if advice.rule == 5:
        yield from _about_failures(case)
        yield from _about_examples(advice)
    if advice.rule == 5 and advice.training == "locked" and advice.leaning is None:
        yield _why_no_leaning(advice)
    if advice.rule == 6 and case.answers.goals:
        yield state("no_goal_to_train")
    if advice.rule in (1, 3, 6):
        yield from _about_prompting(advice)


def _about_knowledge(advice: Advice) -> Iterator[Statement]:
    case = advice.case
    causes, gain = case.measured.failure_causes, case.measured.oracle_gain
    if causes is not None and causes.facts > 0 and causes.total >= advice.policy.count("tagged_failures"):
        yield state("missing_facts", missing=causes.facts, tagged=causes.total)
    if gain is not None and gain >= advice.policy.limit("oracle_gain"):
        yield state("passage_helps", gain=gain)
    if case.answers.fact_change in ("daily", "weekly", "monthly"):
        yield state("facts_change", often=case.answers.fact_change)
    if case.answers.sources == "must":
        yield state("sources")
    tokens, _ = corpus(case)
    if advice.technique == "whole_corpus_in_context" and tokens is not None:
        yield state("text_fits", tokens=tokens)
    yield state("knowledge")


def _about_prompting(advice: Advice) -> Iterator[Statement]:
    case = advice.case
    baseline, target = case.measured.baseline, case.answers.target
    if baseline is None or not baseline.there:
        yield from _not_measured(advice)
        return
    arm = baseline.best_arm
    reached = {"arm": arm, "score": score_of(baseline), "on_rows": baseline.total}
    if target is None:
        yield state("reached_without_target", **reached)
        return
    if advice.facts.baseline == "unclear":
        yield state("reached_around_target", **reached, target=target)
        settles = rows_to_settle(baseline, target, advice.policy)
        if settles and baseline.total:
            yield state("rows_to_settle", rows=settles.rows - baseline.total, chance=settles.chance)
        return
    yield state("reached", **reached, target=target)
    if advice.facts.baseline == "met":
        yield state("training_buys_nothing")
    teacher = case.measured.teacher
    if advice.facts.efficiency_path and teacher is not None and teacher.there:
        yield state("teacher", score=interval(teacher)[0])


def _not_measured(advice: Advice) -> Iterator[Statement]:
    if advice.case.answers.prompting_tried == "met" and advice.rule == 2:
        yield state("met_you_said")
    elif advice.case.measured.baseline is None:
        if advice.leaning == "fine_tune":
            yield state("behaviour")
        yield state("nothing_measured")


def _about_failures(case: Case) -> Iterator[Statement]:
    causes = case.measured.failure_causes
    if causes is not None and causes.total and causes.behaviour * 2 >= causes.total:
        yield state("behaviour_failures", behaviour=causes.behaviour, tagged=causes.total)


def _about_examples(advice: Advice) -> Iterator[Statement]:
    count, measured = examples(advice.case)
    floor = advice.policy.count("usable_examples")
    if count is None:
        return
    if count < floor:
        yield state("few_usable" if measured else "few_declared", examples=count, floor=floor)
    elif measured:
        yield state("enough_examples", examples=count)


def _why_no_leaning(advice: Advice) -> Statement:
    if advice.case.answers.definition_changes == "monthly":
        return state("rules_change")
    return state("points", training=advice.scores.fine_tune, prompt=advice.scores.prompt)


# ------------------------------------------------------------------ confidence


def confidence(advice: Advice) -> str:
    """What the word rests on."""
    return sentences.CONFIDENCE[advice.confidence]


# ------------------------------------------------------------------ reasons for and against


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason in words. points: for one approach where it stands on a side, for all three in `reason`.

    topic: the factor. answer: what was answered or measured. notes: numbers of its sources in the list below.
    """

    points: int
    topic: str
    answer: str
    reason: Reason
    notes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """What speaks for and against one approach, the heaviest first."""

    key: str
    name: str
    tone: str
    points: int
    speaks_for: tuple[Ground, ...]
    against: tuple[Ground, ...]


@dataclass(frozen=True, slots=True)
class Reasons:
    """Every reason once, each approach's share of them, and the sources in the order in which they are cited.

    unknown: topics that nobody has answered or measured.
    """

    sides: tuple[Side, ...]
    all: tuple[Ground, ...]
    unknown: tuple[str, ...]
    sources: tuple[Source, ...]


def reasons(advice: Advice) -> Reasons:
    """All reasons of this advice, in words, by approach."""
    cited: dict[str, Source] = {}
    ranked = sorted(APPROACHES, key=lambda approach: -_of(advice.scores, approach[0]))
    sides = tuple(_side(advice, key, name, tone, cited) for key, name, tone in ranked)
    every = tuple(_ground(advice, reason, 0, cited) for reason in advice.reasons if reason.known or _weighs(reason))
    missing = (advice.policy.factors[reason.factor].title for reason in advice.reasons if not reason.known)
    return Reasons(sides, every, tuple(dict.fromkeys(missing)), tuple(cited.values()))


def _side(advice: Advice, key: str, name: str, tone: str, cited: dict[str, Source]) -> Side:
    weighed = [(reason, points) for reason in advice.reasons if (points := _of(reason.points, key))]
    weighed.sort(key=lambda pair: -abs(pair[1]))
    speaks_for = tuple(_ground(advice, reason, points, cited) for reason, points in weighed if points > 0)
    against = tuple(_ground(advice, reason, points, cited) for reason, points in weighed if points < 0)
    return Side(key, name, tone, _of(advice.scores, key), speaks_for, against)


def _ground(advice: Advice, reason: Reason, points: int, cited: dict[str, Source]) -> Ground:
    for source in reason.sources:
        cited.setdefault(source.key, source)
    order = list(cited)
    notes = tuple(order.index(source.key) + 1 for source in reason.sources)
    return Ground(points, advice.policy.factors[reason.factor].title, answer_words(reason), reason, notes)


def _of(points: Points, key: str) -> int:
    return {"prompt": points.prompt, "rag": points.rag, "fine_tune": points.fine_tune}[key]


def _weighs(reason: Reason) -> bool:
    return any(_of(reason.points, key) for key, _, _ in APPROACHES)


def answer_words(reason: Reason) -> str:
    """An answer in words: a number as it is, a choice as its question words it."""
    if not reason.known:
        return "not known"
    if reason.answer.isdigit():
        unit = FACTORS[reason.factor].unit or ("tokens" if reason.factor == "F21" else "")
        return sentences.amount(int(reason.answer), unit)
    weight = reason.weight
    if weight.label and reason.answer == weight.answer:
        return f"{weight.label[0].lower()}{weight.label[1:]}"
    return reason.answer.replace("_", " ")
