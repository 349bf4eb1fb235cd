"""Advice in words for people: one sentence that stands for it, what it rests on, and the reasons for each approach.

The sentence is put together from the same values that decided, never from the scores alone, and it says only what was
measured or answered. `head` is what to do; `because` why, shortest first; `training` what that means for training.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.case import Case, Result
from app.advice.gates import ARM_NAMES, percent
from app.advice.needs import Needs, interval, needs, rows_to_settle
from app.advice.policy import Points, Source, Weight
from app.advice.questions import FACTORS
from app.advice.scoring import Reason, corpus, examples
from app.advice.verdict import Advice

MINUS = "\N{MINUS SIGN}"
MOST_BECAUSE = 3  # clauses; a fourth is not read
FEW_LEFT = 2  # open criteria that can be named in a heading

APPROACHES = (("fine_tune", "Fine-tune", "tune"), ("prompt", "Prompt", "prompt"), ("rag", "Retrieve (RAG)", "rag"))
"""Key, name and colour of what is scored."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """head: what to do, in one line. because: the grounds, as clauses. training: what it means for training."""

    head: str
    because: tuple[str, ...]
    training: str

    @property
    def why(self) -> str:
        """The grounds as one sentence; empty if nothing is known yet."""
        text = "; ".join(self.because)
        return f"{text[0].upper()}{text[1:]}." if text else ""


def sentence(advice: Advice) -> Sentence:
    """The one sentence for this advice."""
    found = needs(advice.case, advice.policy)
    because = tuple(_grounds(advice, found))[:MOST_BECAUSE]
    return Sentence(_head(advice, found), because, _training(advice))


# ------------------------------------------------------------------ what to do

TECHNIQUES = {
    "whole_corpus_in_context": "with the whole reference text in it",
    "schema": "with answers held to a schema",
    "batch_tier": "in batch mode",
    "prompt_caching": "with its fixed part cached",
    "small_classifier": "or rather a small classifier",
    "many_shot": "with many examples in it",
}

FIRST = {
    "G1": "more examples first",
    "G2": "rule out missing facts first",
    "G3": "a job that keeps running first",
    "G4": "a sound test set first",
    "G5": "measure prompting first",
    "G6": "a clear result first",
    "G7": "set the measure and the target first",
    "G8": "labels that agree first",
    "G9": "read the failures first",
    "G10": "settle the rights first",
    "G11": "name an owner first",
    "G12": "work out the costs first",
}
ONCE = {
    "G4": "the test set is sound",
    "G8": "the labels agree",
    "G9": "the failures are read",
    "G10": "the rights are settled",
    "G11": "an owner is named",
    "G12": "the costs are worked out",
}
"""Criteria that a case can lack while its substance is there: enough examples, and prompting measured and short."""


def _head(advice: Advice, need: Needs) -> str:
    lookup = advice.approach == "rag"
    match advice.rule:
        case 1:
            said = f"{'Look things up' if lookup else _prompt(advice)}: this runs once."
        case 2:
            said = _met(advice)
        case 3:
            said = f"{'Look things up' if lookup else 'Put the whole reference text into the prompt'}; do not train."
        case 4:
            ready = advice.training == "ready"
            said = "Fine-tune on looked-up text." if ready else "Look things up now; training may follow."
        case 5:
            said = _locked(advice, need) if advice.training == "locked" else _ready(need)
            if need.free_lead is not None:
                said = f"{_capital(ARM_NAMES[need.free_lead])} beats every prompt: use it, or beat it. {said}"
        case _ if not advice.case.answers.goals:
            said = "Say what should get better; until then, use a prompt."
        case _:
            said = f"{_prompt(advice)}; nothing here calls for more."
    return said


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _prompt(advice: Advice) -> str:
    how = TECHNIQUES.get(advice.technique or "")
    return f"Use a prompt {how}" if how else "Use a prompt"


def _met(advice: Advice) -> str:
    measured = advice.case.measured.baseline
    if measured is None or not measured.there:
        return "Keep the prompt, and measure that it meets the target."
    if advice.technique == "small_classifier":
        return "Use the small classifier; it meets the target."
    what = "Keep looking things up" if advice.approach == "rag" else "Keep the prompt"
    return f"{what}: it meets the target."


def _ready(need: Needs) -> str:
    if need.efficiency_path:
        return "Train a small model to copy the large one."
    return "Fine-tune: the best prompt falls measurably short."


def _locked(advice: Advice, need: Needs) -> str:
    """Behaviour should change and training is locked: what has to come first, if training may follow at all."""
    if advice.leaning is None:
        how = "" if advice.technique else " with well-chosen examples"
        return f"{_prompt(advice)}{how}; do not train."
    if need.baseline == "unclear":
        return "Not yet: more test rows first."
    open_gates = advice.blockers
    if any(gate.id not in ONCE for gate in open_gates):
        return f"Not yet: {FIRST[open_gates[0].id]}."
    if len(open_gates) > FEW_LEFT:
        return f"Fine-tune, once {len(open_gates)} points are settled."
    return f"Fine-tune, once {' and '.join(ONCE[gate.id] for gate in open_gates)}."


def _training(advice: Advice) -> str:
    if advice.training == "ready":
        return "Every criterion passes. Training needs the approval of somebody who had no hand in this."
    count = len(advice.blockers)
    leaning = {"fine_tune": ", leaning towards fine-tune", "hybrid": ", leaning towards fine-tune on looked-up text"}
    locked = f"Training is locked{leaning.get(advice.leaning or '', '')}"
    return f"{locked}: {count} of {len(advice.gates)} criteria {'is' if count == 1 else 'are'} open."


# ------------------------------------------------------------------ why


def _grounds(advice: Advice, need: Needs) -> Iterator[str]:
    """Clauses that follow from what decided, what weighs most first."""
    case = advice.case
    if advice.rule == 1:
        yield "a model trained for one run is never used again"
    if need.knowledge:
        yield from _about_knowledge(advice)
    if advice.rule in (2, 4, 5):
        yield from _about_prompting(advice, need)
    if advice.rule == 5:
        yield from _about_failures(case)
        yield from _about_examples(advice)
    if advice.rule == 5 and advice.training == "locked" and advice.leaning is None:
        yield from _why_no_leaning(advice)
    if advice.rule == 6 and case.answers.goals:
        yield "no goal named here is something that looking up or training improves"
    if advice.rule in (1, 3, 6):
        yield from _about_prompting(advice, need)


def _about_knowledge(advice: Advice) -> Iterator[str]:
    case = advice.case
    causes, gain = case.measured.failure_causes, case.measured.oracle_gain
    if causes is not None and causes.facts > 0 and causes.total >= advice.policy.count("tagged_failures"):
        yield f"{causes.facts} of {causes.total} failures read are missing facts"
    if gain is not None and gain >= advice.policy.limit("oracle_gain"):
        yield f"the right passage lifts the score by {gain * 100:.0f} points"
    often = {"daily": "every day", "weekly": "every week", "monthly": "every month"}
    if case.answers.fact_change in often:
        yield f"the facts change {often[case.answers.fact_change]}, and what a model has learnt cannot be edited"
    if case.answers.sources == "must":
        yield "answers have to show their source, which only looked-up text can"
    tokens, _ = corpus(case)
    if advice.technique == "whole_corpus_in_context" and tokens is not None:
        yield f"the {tokens:,} tokens of reference text fit in front of the model"
    yield "what is missing is knowledge, and training mostly makes a model sound surer of what it does not know"


def _about_prompting(advice: Advice, need: Needs) -> Iterator[str]:
    case = advice.case
    baseline, target = case.measured.baseline, case.answers.target
    if baseline is None or not baseline.there:
        if case.answers.prompting_tried == "met" and advice.rule == 2:
            yield "prompting meets the target, you said, and nothing here has measured it yet"
        elif baseline is None:
            if advice.leaning == "fine_tune":
                yield "what should get better is behaviour, which instructions and examples can change"
            yield "nothing has been measured yet"
        return
    best = f" ({ARM_NAMES[baseline.best_arm]})" if baseline.best_arm else ""
    reached = f"the best prompt{best} reaches {_score(baseline)}"
    if target is None:
        yield f"{reached}, and there is no target to hold it against"
        return
    if need.baseline == "unclear":
        yield f"{reached}, and the target of {target * 100:g} % lies inside that"
        settles = rows_to_settle(baseline, target, advice.policy)
        if settles and baseline.total:
            yield f"about {settles - baseline.total} more test rows would settle it"
        return
    yield f"{reached}, and you need {target * 100:g} %"
    if need.baseline == "met":
        yield "training would cost money and tie you to one model for nothing that you asked for"
    teacher = case.measured.teacher
    if need.efficiency_path and teacher is not None and teacher.there:
        yield f"the large model reaches {percent(interval(teacher)[0])}"


def _score(result: Result) -> str:
    """`74.0 % (69.5 to 78.1 % on 400 rows)`."""
    score, low, high = interval(result)
    rows = f" on {result.total:,} rows" if result.total else ""
    return f"{percent(score)} ({low * 100:.1f} to {percent(high)}{rows})"


def _about_failures(case: Case) -> Iterator[str]:
    causes = case.measured.failure_causes
    if causes is not None and causes.total and causes.behaviour * 2 >= causes.total:
        yield f"{causes.behaviour} of {causes.total} failures read are form, tone or label, not facts"


def _about_examples(advice: Advice) -> Iterator[str]:
    count, measured = examples(advice.case)
    floor = advice.policy.count("usable_examples")
    if count is None:
        return
    if count < floor:
        have = f"{count:,} examples are usable" if measured else f"you have {count:,} examples, you said"
        yield f"{have}, and training needs {floor:,}"
    elif measured:
        yield f"{count:,} usable examples are enough"


def _why_no_leaning(advice: Advice) -> Iterator[str]:
    if advice.case.answers.definition_changes == "monthly":
        yield "the rules change monthly; a prompt follows in minutes, a trained model has to be trained again"
    else:
        scores = advice.scores
        training, prompt = (f"{points:+d}".replace("-", MINUS) for points in (scores.fine_tune, scores.prompt))
        yield f"the answers speak no more for training ({training}) than for a prompt ({prompt})"


# ------------------------------------------------------------------ confidence


def confidence(advice: Advice) -> str:
    """What the word rests on."""
    return {
        "high": "everything the verdict rests on was measured",
        "medium": "one thing it rests on was said, not measured",
        "low": "several things it rests on are unknown or only said",
    }[advice.confidence]


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
    ranked = sorted(APPROACHES, key=lambda one: -_of(advice.scores, one[0]))
    sides = tuple(_side(advice, key, name, tone, cited) for key, name, tone in ranked)
    found = tuple(_ground(advice, reason, 0, cited) for reason in advice.reasons if reason.known or _weighs(reason))
    missing = (advice.policy.factors[reason.factor].title for reason in advice.reasons if not reason.known)
    return Reasons(sides, found, tuple(dict.fromkeys(missing)), tuple(cited.values()))


def _side(advice: Advice, key: str, name: str, tone: str, cited: dict[str, Source]) -> Side:
    mine = sorted((one for one in advice.reasons if _of(one.points, key)), key=lambda one: -abs(_of(one.points, key)))
    plus = [_ground(advice, one, _of(one.points, key), cited) for one in mine if _of(one.points, key) > 0]
    minus = [_ground(advice, one, _of(one.points, key), cited) for one in mine if _of(one.points, key) < 0]
    return Side(key, name, tone, _of(advice.scores, key), tuple(plus), tuple(minus))


def _ground(advice: Advice, reason: Reason, points: int, cited: dict[str, Source]) -> Ground:
    weight = next((one for one in advice.policy.answers(reason.factor) if one.because == reason.because), None)
    for source in weight.sources if weight else ():
        cited.setdefault(source.key, source)
    order = list(cited)
    notes = tuple(order.index(source.key) + 1 for source in weight.sources) if weight else ()
    return Ground(points, advice.policy.factors[reason.factor].title, answer_words(reason, weight), reason, notes)


def _of(points: Points, key: str) -> int:
    return {"prompt": points.prompt, "rag": points.rag, "fine_tune": points.fine_tune}[key]


def _weighs(reason: Reason) -> bool:
    return any(_of(reason.points, key) for key, _, _ in APPROACHES)


def answer_words(reason: Reason, weight: Weight | None) -> str:
    """An answer in words: a number as it is, a choice as its question words it."""
    if not reason.known:
        return "not known"
    if reason.answer.isdigit():
        unit = FACTORS[reason.factor].unit or ("tokens" if reason.factor == "F21" else "")
        return f"{int(reason.answer):,} {unit}".strip()
    if weight is not None and weight.label and reason.answer == weight.answer:
        return f"{weight.label[0].lower()}{weight.label[1:]}"
    return reason.answer.replace("_", " ")


# ------------------------------------------------------------------ what to do next

WHERE = {
    "G1": ("data", ""),
    "G2": ("section", "goal"),
    "G3": ("section", "use"),
    "G4": ("data", ""),
    "G5": ("measure", ""),
    "G6": ("measure", ""),
    "G7": ("section", "success"),
    "G8": ("data", ""),
    "G9": ("measure", ""),
    "G10": ("section", "upkeep"),
    "G11": ("section", "upkeep"),
    "G12": ("costs", ""),
}
"""Where each criterion is settled: the name of a page of the assessment, and the section of the questionnaire."""
