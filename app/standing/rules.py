"""The one status of an assessment, decided from a few facts: pure, so that every state can be argued with in a test.

The newest event counts. A run that goes on, then whatever came last of these: the end of a run, a word in a review, an
edit. Where nothing of that kind is newer, the advice says what the next step is, in the order of work. After a run that
made things worse nothing is green until another one is better.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from app.json_types import JsonDict, JsonObject
from app.strict import stored
from app.web.protocols import Action, Standing, State
from app.wording import joined, lower_first, percent, plural

Data = Literal["none", "checking", "rejected", "ready", "frozen"]
Baselines = Literal["none", "queued", "running", "stopped", "failed", "done"]
Review = Literal["none", "open", "changes_requested", "approved", "expired", "outdated"]
Run = Literal["none", "queued", "running", "evaluating", "done", "failed", "cancelled", "paused", "refused"]
Plan = Literal["none", "unchecked", "blocked", "checked"]
Preflight = Literal["none", "running", "failed", "blocked", "done"]
Newest = Literal["work", "review", "run"]

STATES: tuple[State, ...] = get_args(State)
RUNNING = ("queued", "running", "evaluating")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the newest run that was judged came to. before, after: the scores of the best prompt and of the adapter.

    adapter: whether its file is here. failing: how many release checks fail.
    """

    verdict: str
    before: float | None = None
    after: float | None = None
    reaches_target: bool | None = None
    adapter: bool = True
    failing: int = 0

    @property
    def state(self) -> State:
        state: State = self.verdict.replace(" ", "_")  # type: ignore[assignment]  # one of four verdicts
        return state


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the status depends on.

    answered: the goals are named. headline, why: the advice in words; approach, leaning, training, technique: as it
    is decided. met: prompting was measured and meets the target. measured_against: metric and target are set.
    blockers: criteria that lock training, the cheapest first; act: what to do about the first, in words, and the page
    below the assessment's own (`advice.acts`). undecided: personal data waits for a decision.
    data: of the newest version; baselines: of the measurement that counts, `queued` or `running` while any is.
    plan: the training config and its preflight. review: the newest one that is not over; `outdated` where something
    changed since it was asked for. run: the newest training run. outcome: of the newest run that was judged.
    newest: which of the three was touched last; `work` stands for answers, data, measurements, costs and the plan.
    measured_on, trains_on: names of the two models, where they are not the same. base: the id of the model to train.

    failure: why the newest run failed, as its job says.

    The rest is for the steps alone. usable_rows: of the data. variants: how many were measured; measured: a measurement
    was begun. last_review: state of the newest review, over or not; moved_on: the revision is another by now.
    judged: whether any run was; result: the newest run's verdict. costs: something was said to count with.
    """

    assessment_id: int
    archived: bool = False
    answered: bool = True
    headline: str = ""
    why: str = ""
    approach: str = "prompt"
    leaning: str | None = None
    training: str = "locked"
    technique: str | None = None
    met: bool = False
    blockers: tuple[str, ...] = ()
    act: tuple[str, str] | None = None
    undecided: bool = False
    measured_against: bool = True
    best: float | None = None
    target: float | None = None
    data: Data = "none"
    baselines: Baselines = "none"
    plan: Plan = "none"
    review: Review = "none"
    review_id: int | None = None
    run: Run = "none"
    outcome: Outcome | None = None
    newest: Newest = "work"
    measured_on: str = ""
    trains_on: str = ""
    base: int | None = None
    questions_answered: int = 0
    questions: int = 0
    usable_rows: int = 0
    variants: int = 0
    measured: bool = False
    preflight: Preflight = "none"
    last_review: str = ""
    moved_on: bool = False
    judged: bool = False
    result: str = ""
    costs: bool = False
    failure: str = ""

    def to_json(self) -> JsonDict:
        return asdict(self)

    @staticmethod
    def from_json(value: JsonObject) -> "Situation":
        return stored(Situation, value)


def decide(now: Situation) -> Standing:
    """Where an assessment stands."""
    if now.archived:
        overview = f"/assessments/{now.assessment_id}"  # where the button is: to restore changes something
        return _made(now, "archived", "Archived", "This assessment is in the archive.", "soft", ("Restore", overview))
    if now.run in RUNNING:
        return _running(now)
    if now.newest == "run" and now.run in ("failed", "cancelled", "paused", "refused"):
        return _ended(now)
    if now.newest == "run" and now.run == "done":
        return _judged(now, now.outcome or Outcome("inconclusive"))
    return _in_review(now) or _by_advice(now)


# ------------------------------------------------------------------ the run


def _running(now: Situation) -> Standing:
    label, sentence = {
        "queued": ("Training queued", "The training run waits for a worker."),
        "evaluating": ("Evaluating", "The adapter answers the test set."),
    }.get(now.run, ("Training", "The training run is going on."))
    return _made(now, "training", label, sentence, "info", ("Watch the run", "run"), why=_mismatch(now))


def _ended(now: Situation) -> Standing:
    label, sentence, tone = {
        "paused": ("Training paused", "The training run is paused and can go on.", "open"),
        "cancelled": ("Training cancelled", "The training run was cancelled.", "open"),
        "refused": ("Training refused", "The training run was refused at its start.", "fail"),
    }.get(now.run, ("Training failed", "The training run failed.", "fail"))
    why = " ".join(part for part in (now.failure, _earlier(now)) if part)
    return _made(now, "training_failed", label, sentence, tone, ("See what happened", "run"), why=why)


WORDS: Mapping[State, str] = {
    "improved": "improved",
    "not_better": "not better",
    "regressed": "regressed",
    "inconclusive": "inconclusive",
}
TONES = {"improved": "pass", "not_better": "open", "regressed": "fail", "inconclusive": "open"}


def _judged(now: Situation, outcome: Outcome) -> Standing:
    short = outcome.state == "improved" and outcome.reaches_target is False
    label = f"Trained: {WORDS[outcome.state]}"
    sentence = f"{label}. {_scores(outcome)}" if _scores(outcome) else f"{label}."
    target = f"The target of {now.target * 100:g} % is missed." if short and now.target is not None else ""
    failing = outcome.failing
    unfit = f"{plural(failing, 'release check fails', 'release checks fail')}." if failing else ""
    action = (
        ("Edit training config", "plan")  # the words of the result page, for what it asks for as well
        if outcome.state in ("regressed", "not_better") or short
        else ("Get the adapter", "result")
        if outcome.state == "improved" and outcome.adapter and not outcome.failing
        else ("See the result", "result")
    )
    return _made(
        now,
        outcome.state,
        ", ".join([label, *(["short of target"] if short else []), *(["checks fail"] if failing else [])]),
        sentence,
        "open" if outcome.state == "improved" and (short or failing) else TONES[outcome.state],
        action,
        why=" ".join(part for part in (unfit, target, _mismatch(now)) if part),
    )


def _scores(outcome: Outcome) -> str:
    if outcome.before is None or outcome.after is None:
        return ""
    return f"The adapter scores {percent(outcome.after)}, the best prompt {percent(outcome.before)}."


def _mismatch(now: Situation) -> str:
    if not (now.measured_on and now.trains_on):
        return ""
    return f"Baselines ran on {now.measured_on}, training on {now.trains_on}: the scores are not comparable."


def _earlier(now: Situation) -> str:
    """What an earlier run came to, for a status that something newer decides."""
    if now.outcome is None:
        return ""
    return f"The last result: {WORDS[now.outcome.state]}. {_scores(now.outcome)}".strip()


def _unspoilt(now: Situation, tone: str) -> str:
    """Green only where no judged run says the contrary."""
    spoilt = now.outcome is not None and now.outcome.state != "improved"
    return "info" if tone == "pass" and spoilt else tone


# ------------------------------------------------------------------ the review


def _in_review(now: Situation) -> Standing | None:
    page = f"/reviews/{now.review_id}"
    if now.review == "open":
        return _made(
            now, "in_review", "In review", "Waiting for a reviewer.", "info",
            ("Open the review", page), why=_earlier(now) or now.headline,
        )  # fmt: skip
    if now.review == "changes_requested":
        return _made(
            now, "changes_requested", "Changes requested", "A reviewer requested changes.", "fail",
            ("Read the comments", page), why=_earlier(now),
        )  # fmt: skip
    if now.review == "approved":
        ready = now.training == "ready"
        sentence = "Approved: training can start." if ready else f"Approved: {lower_first(now.headline)}"
        action = ("Start training", "run") if ready else ("See the verdict", "verdict")
        why = _mismatch(now) or _earlier(now)
        return _made(now, "approved", "Approved", sentence, _unspoilt(now, "pass"), action, why=why)
    return None


# ------------------------------------------------------------------ the advice


def _by_advice(now: Situation) -> Standing:
    if not now.answered:
        sentence = now.headline or "Say what should get better."
        return _made(now, "draft", "Draft", sentence, "soft", ("Answer the questions", "describe/goal"))
    if now.baselines in ("queued", "running") and (going_on := _baselines(now)):
        return going_on  # whatever the advice is so far, it is about to change
    if now.training == "ready":
        return _ready(now)
    if now.leaning is None:
        return _decided(now)
    if not now.measured_against:
        sentence = "Set the metric and the target first."
        why = "Both have to stand before the first result."
        return _made(now, "draft", "Needs a target", sentence, "open", ("Set the target", "describe/success"), why=why)
    return _data(now) or _baselines(now) or _not_yet(now)


def _ready(now: Situation) -> Standing:
    void = {
        "expired": "The approval has expired or does not count any more.",
        "outdated": "Something changed since the last review was requested.",
    }.get(now.review, "")
    label, action = {
        "none": ("Needs a training plan", ("Set the training config", "plan")),
        "unchecked": ("Needs a preflight", ("Run the preflight", "plan")),
        "blocked": ("Preflight blocked", ("See the preflight", "plan")),
    }.get(now.plan, ("Ready for review", ("Request review", "review")))
    why = " ".join(part for part in (void, _mismatch(now) or _earlier(now)) if part) or now.why
    if now.plan == "blocked":
        sentence = "The preflight found what keeps this config from being trained here."
        why = " ".join(part for part in (void, _mismatch(now) or _earlier(now)) if part) or now.headline
        return _made(now, "ready_for_review", label, sentence, "fail", action, why=why)
    return _made(now, "ready_for_review", label, now.headline, "info", action, why=why)


LABELS = {"prompt": "Prompt recommended", "rag": "RAG recommended"}
MEASURED = ("prompt", "rag")  # what is recommended here is tried on the rows first
INSTEAD = {
    "small_classifier": "Classifier recommended",
    "embedding_classifier": "Classifier recommended",
    "trivial": "Lookup recommended",
    "whole_corpus_in_context": "Prompt recommended",
}


def _decided(now: Situation) -> Standing:
    label = LABELS.get(now.approach, "Decided")
    if now.baselines == "done":  # what does instead is known beside a measured prompt only
        label = INSTEAD.get(now.technique or "", label)
    action = ("See the verdict", "verdict")
    if now.approach in MEASURED and now.data != "none" and (first := _data(now) or _baselines(now)):
        action = (first.action.label, first.action.url)
    if now.met:
        label = "RAG meets target" if now.approach == "rag" else "Prompt meets target"
    tone = _unspoilt(now, "pass" if now.met else "info")
    why = _earlier(now) or now.why
    return _made(now, "decided", label, now.headline, tone, action, why=why)


def _data(now: Situation) -> Standing | None:
    if now.data == "frozen":
        return None
    if now.data == "ready" and now.undecided:  # what the page of the data asks for first
        sentence = "Some rows seem to hold personal data or a secret. Decide on them, then freeze the split."
        action = ("Decide on personal data", "data?tab=personal")
        return _made(now, "needs_data", "Personal data undecided", sentence, "open", action, why=_earlier(now))
    label, sentence, tone, button = {
        "none": ("Needs data", "Upload examples: prompting is measured on your own rows.", "open", "Upload examples"),
        "checking": ("Checking data", "The upload is being checked.", "info", "Watch the check"),
        "rejected": ("Data rejected", "The upload can't be used.", "fail", "See what is wrong"),
    }.get(now.data, ("Needs a frozen split", "The data is checked. Freeze the split before you measure.", "open",
                     "Freeze the split"))  # fmt: skip
    return _made(now, "needs_data", label, sentence, tone, (button, "data"), why=_earlier(now))


def _baselines(now: Situation) -> Standing | None:
    if now.baselines == "done":
        return None
    label, sentence, tone, action = {
        "queued": ("Baselines queued", "Baselines wait for a worker.", "info", "See the run"),
        "running": ("Running baselines", "Baselines are running.", "info", "Watch the run"),
        "stopped": ("Baselines stopped", "The run is paused, or its budget is used up.", "open", "Resume the run"),
        "failed": ("Baselines failed", "The baselines did not finish.", "fail", "See what failed"),
    }.get(now.baselines, ("Needs baselines", "Measure what prompting reaches on these rows.", "open", "Run baselines"))
    return _made(now, "needs_baselines", label, sentence, tone, (action, "measure"), why=_earlier(now))


def _not_yet(now: Situation) -> Standing:
    action = now.act or (("See the criteria" if now.blockers else "See the verdict"), "verdict")
    why = _earlier(now)
    if now.blockers and now.blockers[0] == "G5" and (mismatch := _mismatch(now)):
        action, why = (f"Run baselines on {now.trains_on}", run_on(now)), mismatch
    label = "RAG now, training later" if now.leaning == "hybrid" else "Fine-tune: not yet"
    names = joined(list(now.blockers[:3]))
    more = len(now.blockers) - 3
    open_ones = f"Open: {names}{f' and {more} more' if more > 0 else ''}." if names else ""
    return _made(now, "not_yet", label, now.headline, "open", action, why=why or now.why or open_ones)


def run_on(now: Situation) -> str:
    """Where baselines are run on the model that is to be trained: the form, with it chosen."""
    return "measure" if now.base is None else f"measure?model_id={now.base}#model_id"


def _made(
    now: Situation, state: State, label: str, sentence: str, tone: str, action: tuple[str, str], *, why: str = ""
) -> Standing:
    words, where = action
    url = where if where.startswith("/") else f"/assessments/{now.assessment_id}/{where}"
    return Standing(state, label, sentence, why, tone, Action(words, url), now.best, now.target)
