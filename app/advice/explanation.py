"""Advice in words for people: one sentence that stands for it, what it rests on, and the reasons for each approach.

The sentence is put together from the same values that decided, never from the scores alone, and it says only what was
measured or answered. `head` is what to do; `because` why, shortest first; `training` what that means for training.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.advice.case import Case
from app.advice.gates import ARM_NAMES, Gate, percent, score_text
from app.advice.needs import Needs, interval, needs, rows_to_settle
from app.advice.policy import Points
from app.advice.questions import FACTORS, QUESTIONS
from app.advice.scoring import Reason, examples
from app.advice.verdict import Advice

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
    match advice.rule:
        case 1:
            return f"{'Look things up' if advice.approach == 'rag' else _prompt(advice)}: this runs once."
        case 2:
            return _met(advice)
        case 3 if advice.approach == "prompt":
            return "Put the whole reference text into the prompt; do not train."
        case 3:
            return "Look things up; do not train."
        case 4:
            ready = advice.training == "ready"
            return "Fine-tune on looked-up text." if ready else "Look things up now; training may follow."
        case 5:
            return _behaviour(advice, need)
    if not advice.case.answers.goals:
        return "Say what should get better; until then, use a prompt."
    return f"{_prompt(advice)}; nothing here calls for more."


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


def _behaviour(advice: Advice, need: Needs) -> str:
    if advice.training == "ready":
        return "Train a small model to copy the large one." if need.efficiency_path else "Fine-tune."
    if advice.leaning is None:
        return f"{_prompt(advice)}; do not train."
    open_gates = advice.blockers
    if need.baseline == "unclear":
        return "Not yet: more test rows first."
    if all(gate.id in ONCE for gate in open_gates):
        if len(open_gates) <= FEW_LEFT:
            return f"Fine-tune, once {' and '.join(ONCE[gate.id] for gate in open_gates)}."
        return f"Fine-tune, once {len(open_gates)} points are settled."
    return f"Not yet: {FIRST[open_gates[0].id]}."


def _training(advice: Advice) -> str:
    if advice.training == "ready":
        return "Every criterion passes. Training needs the approval of somebody who had no hand in this."
    count = len(advice.blockers)
    return f"Training is locked: {count} of {len(advice.gates)} criteria {'is' if count == 1 else 'are'} open."


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
    change = {"daily": "every day", "weekly": "every week", "monthly": "every month"}.get(
        case.answers.fact_change or ""
    )
    if change:
        yield f"the facts change {change}, and what a model has learnt cannot be edited"
    if case.answers.sources == "must":
        yield "answers have to show their source, which only looked-up text can"
    tokens = case.answers.corpus_tokens
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
            yield "nothing has been measured yet"
        return
    best = f" by {ARM_NAMES[baseline.best_arm]}" if baseline.best_arm else ""
    reached = f"prompting{best} reaches {score_text(baseline)}"
    if target is None:
        yield f"{reached}, and there is no target to hold it against"
        return
    if need.baseline == "unclear":
        yield f"{reached}, and the target of {target * 100:g} % lies inside that"
        settles = rows_to_settle(baseline, target, advice.policy)
        if settles and baseline.total:
            yield f"about {settles - baseline.total} more test rows would settle it"
        return
    yield (
        f"{reached} of the {target * 100:g} % you need"
        if need.baseline == "short"
        else (f"{reached}; the target is {target * 100:g} %")
    )
    if need.baseline == "met":
        yield "training would cost money and improve nothing that you asked for"
    teacher = case.measured.teacher
    if need.efficiency_path and teacher is not None and teacher.there:
        yield f"the large model reaches {percent(interval(teacher)[0])}"


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
        yield f"{count:,} {'usable examples' if measured else 'examples, as you said,'} are short of {floor:,}"
    elif measured:
        yield f"{count:,} usable examples are enough"


def _why_no_leaning(advice: Advice) -> Iterator[str]:
    if advice.case.answers.definition_changes == "monthly":
        yield "the rules change monthly; a prompt follows in minutes, a trained model has to be trained again"
    else:
        scores = advice.scores
        yield f"the answers speak no more for training ({scores.fine_tune:+d}) than for a prompt ({scores.prompt:+d})"


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
    """One reason from one approach's side. topic and answer are in words; points are this approach's."""

    points: int
    topic: str
    answer: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Side:
    """What speaks for and against one approach, the heaviest first."""

    key: str
    name: str
    tone: str
    points: int
    speaks_for: tuple[Ground, ...]
    against: tuple[Ground, ...]


def sides(advice: Advice) -> list[Side]:
    """Every approach with its reasons, the one with most points first."""
    found = []
    for key, name, tone in APPROACHES:
        grounds = [
            Ground(_of(reason.points, key), topic(reason.factor), answer_words(reason), reason)
            for reason in advice.reasons
            if _of(reason.points, key)
        ]
        grounds.sort(key=lambda ground: -abs(ground.points))
        plus = tuple(ground for ground in grounds if ground.points > 0)
        minus = tuple(ground for ground in grounds if ground.points < 0)
        found.append(Side(key, name, tone, _of(advice.scores, key), plus, minus))
    return sorted(found, key=lambda side: -side.points)


def _of(points: Points, key: str) -> int:
    return {"prompt": points.prompt, "rag": points.rag, "fine_tune": points.fine_tune}[key]


TOPICS = {
    "F01": "What should get better",
    "F02": "How fast facts change",
    "F03": "Sources in the answer",
    "F04": "Rights and erasure",
    "F05": "Reference text",
    "F06": "Rare or well-known",
    "F07": "Examples",
    "F08": "Agreement on labels",
    "F09": "Coverage",
    "F10": "How long it runs",
    "F11": "Calls a month",
    "F12": "What prompting reached",
    "F13": "Why failures fail",
    "F14": "Measure and target",
    "F15": "Held-out rows",
    "F16": "Speed",
    "F17": "Cost case",
    "F18": "Where text may go",
    "F19": "Owner",
    "F20": "Stability of the task",
    "F21": "Length of the prompt",
    "F22": "What a checker catches",
    "F23": "Stakes",
    "F24": "Language or field",
}
MEASURED_WORDS = {
    "met": "met the target",
    "unclear": "cannot tell yet",
    "short_small": "short by less than 10 points",
    "short_large": "short by 10 points or more",
    "behaviour": "wrong form, tone or label",
    "facts": "missing facts",
    "instructions": "unclear instructions",
    "reference": "wrong reference answers",
    "pass": "it pays",
    "fail": "it does not pay",
    "not_goal": "not the goal",
}


def topic(factor: str) -> str:
    """A factor in a word or two, for tables and lists."""
    return TOPICS.get(factor, factor)


def answer_words(reason: Reason) -> str:
    """An answer as its question words it."""
    if not reason.known:
        return "not known"
    if reason.factor in ("F12", "F13", "F17") and reason.answer in MEASURED_WORDS:
        return MEASURED_WORDS[reason.answer]
    for question in QUESTIONS:
        if question.factor == reason.factor:
            for choice in question.choices:
                if choice.value == reason.answer:
                    return f"{choice.label[0].lower()}{choice.label[1:]}"
    if reason.answer.isdigit():
        unit = FACTORS[reason.factor].unit or ("tokens" if reason.factor == "F21" else "")
        return f"{int(reason.answer):,} {unit}".strip()
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
"""Where a criterion is settled: a page of the assessment, and the section of the questionnaire."""


@dataclass(frozen=True, slots=True)
class Todo:
    """One open criterion as something to do, and where. page: a route's name; section: of the questionnaire."""

    gate: Gate
    page: str
    section: str


def todos(advice: Advice) -> list[Todo]:
    """What is open, the cheapest for the user first."""
    return [Todo(gate, *WHERE[gate.id]) for gate in advice.blockers]
