"""An assessment's seven steps in the order of work, with one fact for each: pure, from the same facts as the status."""

from collections.abc import Sequence
from dataclasses import dataclass

from app import glossary
from app.standing.rules import RUNNING, Situation
from app.web.protocols import Step
from app.wording import percent, plural

RUN_OVER = frozenset({"cancelled", "failed", "paused", "refused"})


def steps(now: Situation) -> Sequence[Step]:
    """The way through, each step with its address, its one fact, that fact's tone, and why it cannot be done yet.

    What was done once stays open, whatever changed since: its page is where the reader finds out.
    """
    base = f"/assessments/{now.assessment_id}"
    whole = now.questions_answered == now.questions
    words = (
        (
            "describe",
            "Use case",
            _Word(f"{now.questions_answered} of {now.questions}", "pass" if whole else "", whole),
        ),
        ("data", "Data", _data(now)),
        ("measure", "Baselines", _baselines(now)),
        ("verdict", "Verdict", _verdict(now) if now.answered else _Word()),
        ("plan", "Training plan", _plan(now)),
        ("review", "Review", _review(now) if now.answered else _Word(locked="needs a verdict")),
        ("run", "Run and result", _run(now)),
    )
    places = {"run": f"{base}/result"} if now.judged else {}
    return tuple(
        Step(slug, name, places.get(slug, f"{base}/{slug}"), word.state, word.tone, word.done, word.locked)
        for slug, name, word in words
    )


@dataclass(frozen=True, slots=True)
class _Word:
    """What a step says: see `Step`."""

    state: str = ""
    tone: str = ""
    done: bool = False
    locked: str = ""


# What does instead of a language model, where the advice names it.
WITHOUT_MODEL = {"small_classifier": "Classifier", "embedding_classifier": "Classifier", "trivial": "Lookup"}


def _data(now: Situation) -> _Word:
    if now.data == "none":
        return _Word()
    if now.data in ("checking", "rejected"):
        return _Word(now.data, "info" if now.data == "checking" else "fail")
    frozen = now.data == "frozen"
    return _Word(f"{now.usable_rows:,} usable{', frozen' if frozen else ''}", "pass" if frozen else "", frozen)


def _baselines(now: Situation) -> _Word:
    if now.variants:
        if now.best is not None:
            return _Word(f"best prompt {percent(now.best)}", "", done=True)
        words: dict[str, _Word] = {
            "queued": _Word("queued", "info"),
            "running": _Word("running", "info"),
            "stopped": _Word("stopped", "unknown"),
            "failed": _Word("failed", "fail"),
        }
        return words.get(now.baselines) or _Word(plural(now.variants, "variant"))
    return _Word(locked="" if now.measured or now.data == "frozen" else "needs a frozen split")


def _verdict(now: Situation) -> _Word:
    if now.training == "ready":
        return _Word(f"{glossary.label('approach.fine_tune')}: allowed", "pass", done=True)
    if now.leaning:
        return _Word("not yet", "unknown")
    instead = WITHOUT_MODEL.get(now.technique or "") if now.baselines == "done" else None
    return _Word(instead or glossary.known("approach", now.approach), "", done=True)


def _plan(now: Situation) -> _Word:
    if now.plan != "none":
        words = {
            "running": _Word("preflight running", "info"),
            "failed": _Word("preflight failed", "fail"),
            "blocked": _Word("preflight blocked", "fail"),
            "done": _Word("preflight done", "pass", done=True),
        }
        return words.get(now.preflight, _Word("config saved"))
    if now.training == "ready":
        return _Word("not saved")
    if now.answered and now.leaning is None and now.approach in {"prompt", "rag"}:
        return _Word(locked="not needed")
    return _Word() if now.measured else _Word(locked="needs baselines")


def _review(now: Situation) -> _Word:
    if not now.last_review:
        return _Word(locked=_before_review(now))
    if now.last_review in {"withdrawn", "superseded"}:
        return _Word()
    if now.last_review == "consumed":
        return _Word("launched", "pass", done=True)
    if now.moved_on:
        return _Word("outdated", "unknown")
    if now.review in ("outdated", "expired"):
        return _Word("invalidated", "fail")
    words = {"open": _Word("waiting", "info"), "approved": _Word("approved", "pass", done=True)}
    return words.get(now.last_review, _Word("changes requested", "fail"))


def _before_review(now: Situation) -> str:
    """What is missing for a review that could come to something; empty where one can be asked for. A verdict against
    training can be reviewed, too."""
    if now.training == "ready":
        return "" if now.plan != "none" else "needs a training plan"
    return "needs a verdict" if now.leaning is not None else ""


def _run(now: Situation) -> _Word:
    """The newest run speaks; there is a tick once one was judged, whatever became of later ones."""
    if now.run == "none":
        return _Word(locked="" if now.last_review == "approved" and not now.moved_on else "needs an approval")
    if now.run in RUN_OVER or now.run in RUNNING:
        tone = "open" if now.run == "paused" else "fail" if now.run in RUN_OVER else "info"
        return _Word(now.run, tone, done=now.judged)
    if not now.result:
        return _Word("trained", "pass", done=True)
    tones = {"improved": "pass", "regressed": "fail", "inconclusive": "unknown", "not better": "unknown"}
    if now.result == "improved" and now.outcome is not None and now.outcome.reaches_target is False:
        return _Word("improved, short of target", "open", done=True)
    return _Word(now.result, tones.get(now.result, ""), done=True)
