"""What a reviewer looks at before deciding, section by section, drawn from the frozen subject alone.

A tick says "I looked at this". It is stored with the decision and covered by its seal; it unlocks and locks nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.advice.facts import BEYOND, NO_MODEL
from app.baselines import causes
from app.baselines.arm_settings import Optimised
from app.baselines.arms import REVISIONS, ArmResult
from app.errors import FieldError
from app.gate.reviewed import ArmTried, Measurement, Subject, Training
from app.recipes import legs, replay
from app.recipes.settings import RecipeSettings
from app.recipes.started import started_as
from app.wording import lower_first, percent, plural, signed_points

NAMES: Mapping[str, str] = {
    "data": "Data",
    "prompt": "Prompt",
    "failures": "Failures",
    "warnings": "Warnings",
    "training": "Training",
}
"""Every section that can be ticked, in the order of the page. What is stored are the keys."""


def stored(ticked: Iterable[str]) -> str:
    """The sections that were ticked, as one text: sorted, each once.

    Raises:
        KeyError: there is no such section.
    """
    return ",".join(sorted({name for name in ticked if NAMES[name]}))


def unknown(ticked: Iterable[str]) -> list[FieldError]:
    """What is wrong with ticks that somebody sent."""
    return [
        FieldError("#/checked", f"There is no section of that name; there are {', '.join(NAMES)}.")
        for name in ticked
        if name not in NAMES
    ][:1]


def listed(text: str) -> list[str]:
    """The sections of a stored text, in the order of the page."""
    ticked = set(text.split(","))
    return [name for name in NAMES if name in ticked]


@dataclass(frozen=True, slots=True)
class Prompts:
    """Two versions of the system prompt. gain: how much more the later one scored on the dev set, as a share; None
    where one of them has no result. optimiser: what is kept of the run that wrote it (`ArmTried.settings`)."""

    before: str
    after: str
    version: int
    gain: float | None
    leads: bool
    optimiser: Optimised | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One section. fact: what the subject says of it, in a line."""

    key: str
    fact: str

    @property
    def name(self) -> str:
        return NAMES[self.key]


def sections(frozen: Subject, warned: int) -> list[Section]:
    """The sections that this subject has something for. warned: how many warnings there are."""
    return list(_sections(frozen, warned))


def _sections(frozen: Subject, warned: int) -> Iterator[Section]:
    if frozen.dataset is not None:
        rows = frozen.dataset.rows
        checked = CHECKED[frozen.dataset.human_checked]
        yield Section("data", f"{plural(rows.usable, 'usable row')}, {plural(rows.test, 'test row')}; {checked}.")
    if frozen.baseline is not None:
        yield Section("prompt", _prompt(frozen.baseline))
        yield Section("failures", _failures(frozen))
    yield Section("warnings", f"{plural(warned, 'warning')}." if warned else "None.")
    if frozen.training is not None:
        yield Section("training", _training(frozen.training, frozen.dataset.rows.train if frozen.dataset else 0))


def _prompt(baseline: Measurement) -> str:
    if (pair := prompts(baseline)) is None:
        return "The system prompt was never revised."
    if pair.gain is None:
        return f"Prompt v{pair.version} was not measured."
    kept = "is the best" if pair.leads else "is not the best"
    scored = f"Prompt v{pair.version} scored {signed_points(pair.gain)} points against v1 on the dev set and {kept}."
    return f"{scored} {_optimiser(pair.optimiser)}" if pair.optimiser else scored


def _optimiser(how: Optimised) -> str:
    """Who wrote a prompt that no person wrote, and how much of its gain is that of the best of several.

    Numbers that are not whole stand as text in a subject.
    """
    gain, luck = 100 * float(how["gain"]), 100 * float(how["luck"])
    best = f"the best of {plural(int(how['scored']), 'prompt')} on {plural(int(how['rows']), 'dev row')}"
    critic = how["critic"]["name"]
    return (
        f"An optimizer wrote it with {critic}: {best}, {gain:.1f} points there, of which luck alone gives {luck:.1f}."
    )


def prompts(baseline: Measurement) -> Prompts | None:
    """The first system prompt and its last revision; None where there was none."""
    revised = [arm for arm in baseline.arms if arm.name.partition("/")[0] in REVISIONS]
    if not revised:
        return None
    last = revised[-1]
    shots = last.settings.get("shots")
    prompted = [arm for arm in baseline.arms if not _free(arm) and not arm.outdated]
    first = [arm for arm in prompted if arm not in revised and arm.settings.get("shots") == shots]
    leader = max((arm for arm in prompted if arm.dev), key=_dev, default=None)
    return Prompts(
        before=baseline.instructions,
        after=last.settings.get("instructions", ""),
        version=int(last.name.partition("/")[2]) + 1,
        gain=_dev(last) - max(map(_dev, first)) if last.dev and any(arm.dev for arm in first) else None,
        leads=leader is last,
        optimiser=last.settings.get("optimiser"),
    )


def _free(arm: ArmTried) -> bool:
    """Whether it is no prompt that could be chosen: it asks no model, or is there to show what could be reached."""
    return arm.name in ("nearest_answer", "majority_answer", *NO_MODEL) or arm.name.partition("/")[0] in BEYOND


def _dev(arm: ArmTried) -> float:
    result: ArmResult | None = arm.dev
    return result.score if result is not None else -1.0


def best_arm(baseline: Measurement) -> ArmTried | None:
    """The variant whose result on the test set stands: of those that have one, the best on the dev set."""
    tested = [arm for arm in baseline.arms if arm.test is not None and not arm.outdated and not _free(arm)]
    return max(tested, key=_dev, default=None)


def _failures(frozen: Subject) -> str:
    tagged = {name: int(number) for name, number in (frozen.evidence.failure_causes or {}).items()}
    total = sum(tagged.values())
    if not total:
        return "No failure was tagged."
    commonest = max(tagged, key=lambda name: tagged[name])
    why = lower_first(causes.CAUSES[commonest][0]) if commonest in causes.CAUSES else commonest
    return f"{plural(total, 'failure')} tagged, {percent(tagged[commonest] / total, 0)} {why}."


CHECKED: Mapping[bool | None, str] = {
    True: "test answers checked by people",
    False: "test answers not checked by people",
    None: "nobody said whether the test answers were checked",
}


@dataclass(frozen=True, slots=True)
class Steps:
    """How much of the training set a run sees. epochs: passes, with a part of one."""

    steps: int
    rows: int
    of: int
    epochs: float

    @property
    def text(self) -> str:
        """`16 steps: 128 of 6,692 rows seen (2 % of an epoch)`."""
        if self.epochs < 1:
            part = percent(self.epochs, 0 if self.epochs >= 0.01 else 1)
            return f"{plural(self.steps, 'step')}: {self.rows:,} of {plural(self.of, 'row')} seen ({part} of an epoch)"
        times = f"{self.epochs:.1f}".removesuffix(".0")
        often = "once" if times == "1" else f"{times} times"
        return f"{plural(self.steps, 'step')}: all {plural(self.of, 'row')} seen {often}"


def steps(recipe: RecipeSettings, train_rows: int) -> Steps | None:
    """What a training config comes to on so many rows; None while there are none. Numbers may be texts, as approved."""
    batch = batch_rows(recipe)
    epochs, most = float(recipe.get("epochs", 3)), int(float(recipe.get("max_steps", 0)))
    if train_rows <= 0 or batch <= 0:
        return None
    train_rows += replay.count(recipe, train_rows)
    whole = -(-train_rows // batch) * epochs
    return seen(int(min(whole, most) if most else whole), batch, train_rows)


def seen(number: int, batch: int, train_rows: int) -> Steps:
    """What so many steps have seen of so many rows: the last step of a pass may have fewer than the others."""
    an_epoch = -(-train_rows // batch)
    passes, more = divmod(number, an_epoch)
    rows = passes * train_rows + min(more * batch, train_rows)
    return Steps(number, min(rows, train_rows), train_rows, rows / train_rows)


def batch_rows(recipe: RecipeSettings) -> int:
    """Rows of one optimizer step; a number may be a text, as approved."""
    return int(float(recipe.get("batch_rows", 16)))


def _training(training: Training, train_rows: int) -> str:
    planned = steps(training.recipe, train_rows)
    several, trainings = started_as(training.recipe), legs.count(training.recipe)
    times = f" One of {trainings} trainings; which decides is fixed before the test rows." if trainings > 1 else ""
    on = f"on {training.model.name}{f', by {several}' if several else ''}."
    return (f"{planned.text}, {on}" if planned else f"O{on[1:]}") + times
