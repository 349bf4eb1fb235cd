"""One case: what a team answered and what was measured, and the strict way in from JSON.

Every field may be None, which means unknown (an answer) or not measured yet (a measurement). Two readings matter:

- `owner`: null says that nobody owns it and is kept as `NOBODY`; a missing key or "unknown" is None.
- `total: 0` in a baseline or a teacher says that nothing was run there.

`parse` refuses with one sentence for each fault, all at once. It refuses what it does not know by name, so a misspelt
key never turns into a silent "unknown". It does not refuse values that only disagree with each other across questions
(declared 5,000, measured 720): that is what the advice is there to notice. Inside one result (passed and total, low,
score and high) a contradiction is a fault. The best arm was run, whether or not it is listed among the arms.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

NOBODY = ""  # the owner, when the answer is that there is none
UNKNOWN = "unknown"
LARGEST_COUNT = 10**15
ROUNDING = 1e-9  # a mean of equal scores may come out a hair beside them
LONGEST_TEXT = 200
LARGEST_FILE = 1_000_000  # bytes; a case is a few thousand

GOALS = (
    "facts", "format", "style", "terms", "classify", "extract", "tools", "reasoning", "efficiency", "safety", "general",
)  # fmt: skip
ARMS = (
    "zero_shot", "few_shot_random", "few_shot_nearest", "revised_prompt", "schema", "rag", "oracle", "many_shot",
    "trivial", "small_classifier", "stronger_model",
)  # fmt: skip
CHOICES: dict[str, tuple[str, ...]] = {
    "fact_change": ("none", "yearly", "monthly", "weekly", "daily"),
    "sources": ("must", "nice", "no"),
    "access_rights": ("yes", "some", "no"),
    "rarity": ("rare", "mixed", "common"),
    "label_agreement": ("high", "medium", "low"),
    "coverage": ("broad", "gaps", "skewed"),
    "recurrence": ("once", "months", "ongoing"),
    "prompting_tried": ("no", "met", "unclear", "short_small", "short_large"),
    "holdout": ("split", "own_file", "no"),
    "latency": ("tight", "normal"),
    "data_location": ("own_servers", "approved_vendor"),
    "definition_changes": ("monthly", "stable"),
    "checker_helps": ("most", "partly", "no"),
    "stakes": ("high", "normal"),
    "language_fit": ("weak", "fine"),
    "training_rights": ("yes", "no"),
}
ARM_SPLITS = ("test", "train")
COST_CASES = ("pass", "fail", "not_goal")
OUTPUT_KINDS = ("label", "json", "sql", "code", "prose", "mixed")
KNOWLEDGE = ("likely", "unclear", "unlikely")


class NotACase(Exception):
    """The input is not a case; `faults` holds one sentence for each thing that is wrong with it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What people declared. None is unknown."""

    goals: tuple[str, ...] | None = None
    main_goal: str | None = None
    fact_change: str | None = None
    sources: str | None = None
    access_rights: str | None = None
    corpus_tokens: int | None = None
    context_window: int | None = None
    rarity: str | None = None
    examples_declared: int | None = None
    label_agreement: str | None = None
    coverage: str | None = None
    recurrence: str | None = None
    calls_per_month: int | None = None
    prompting_tried: str | None = None
    metric: str | None = None
    target: float | None = None
    holdout: str | None = None
    latency: str | None = None
    data_location: str | None = None
    owner: str | None = None
    definition_changes: str | None = None
    checker_helps: str | None = None
    stakes: str | None = None
    language_fit: str | None = None
    training_rights: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A score on held-out rows: counted (`passed` of `total`) or graded (`score` with its interval).

    rows: how many rows a graded score is the mean of; a counted one says so itself (`total`).
    """

    passed: int | None = None
    total: int | None = None
    score: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int | None = None

    @property
    def counted(self) -> bool:
        return bool(self.total) and self.passed is not None

    @property
    def graded(self) -> bool:
        return self.score is not None and self.low is not None and self.high is not None

    @property
    def there(self) -> bool:
        return self.counted or self.graded

    @property
    def answered(self) -> int | None:
        """Rows that were asked and answered, whatever a file holds beside them; None where nobody said."""
        return self.total if self.counted else self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(Result):
    """What prompting reached: the arms that were run, and the best of them once on the test rows.

    cut_rate: share of the best arm's answers that were cut at the length limit, where that is most of them.
    """

    arms: tuple[str, ...] = ()
    revised: bool = False
    best_arm: str | None = None
    error_rate: float | None = None
    cut_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCauses:
    """How many failed items people put down to which cause."""

    behaviour: int = 0
    facts: int = 0
    instructions: int = 0
    reference: int = 0

    @property
    def total(self) -> int:
        return self.behaviour + self.facts + self.instructions + self.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult(Result):
    """One arm beside the best one, for comparison; `prompt_tokens` is what one call of it takes on average.

    split: which rows it answered: the frozen test rows, as the best prompt did, or parts of the training rows that were
    held out in turn (train). Nothing is said of arms on the dev rows.
    """

    prompt_tokens: int | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the rows themselves show before any model was asked; shares are 0 to 1, None where nobody looked.

    output_kind: label, json, sql, code, prose or mixed. novelty: share of rows whose answer holds names, numbers or
    dates that its input doesn't. cites: share of rows whose answer names a source. schema_share: share of answers
    that a schema would hold. knowledge: whether answering takes facts that aren't in the input.
    """

    rows: int | None = None
    output_kind: str | None = None
    distinct_answers: int | None = None
    distinct_share: float | None = None
    novelty: float | None = None
    cites: float | None = None
    schema_share: float | None = None
    knowledge: str | None = None
    goals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the app measured. None is not measured yet.

    similar_questions: of which `contradiction_rate` is the share; None where only the share is known.
    target_changes: changes of metric or target after a result on these test rows, by anybody; one is allowed.
    baseline_on_base: whether prompting was measured on the very weights that would be trained; None while no base is
    chosen. baseline_ran_on, trains_on: what to call the two.
    baseline_unfinished: a newer measurement on these rows has begun to answer and has no result yet.
    failures: dev rows on which the best arm failed, tagged or not; failure_causes: what people said of those they read.
    """

    uploaded_examples: int | None = None
    usable_examples: int | None = None
    contradiction_rate: float | None = None
    similar_questions: int | None = None
    agreement_kappa: float | None = None
    test_rows: int | None = None
    test_overlap_rows: int | None = None
    test_human_checked: bool | None = None
    metric_set_before_baseline: bool | None = None
    target_changes: int | None = None
    baseline: Baseline | None = None
    baseline_on_base: bool | None = None
    baseline_ran_on: str | None = None
    trains_on: str | None = None
    baseline_unfinished: bool | None = None
    teacher: Result | None = None
    oracle_gain: float | None = None
    rows_carry_context: bool | None = None
    failure_causes: FailureCauses | None = None
    failures: int | None = None
    winning_prompt_tokens: int | None = None
    cost_case: str | None = None
    identifiers_decided: bool | None = None
    cost_basis: str | None = None
    corpus_tokens: int | None = None
    arms: dict[str, ArmResult] | None = None
    signals: Signals | None = None


@dataclass(frozen=True, slots=True)
class Case:
    answers: Answers = field(default_factory=Answers)
    measured: Measured = field(default_factory=Measured)


ANSWER_KEYS = tuple(item.name for item in fields(Answers))
MEASURED_KEYS = tuple(item.name for item in fields(Measured))


def parse(data: object) -> Case:
    """Read one case.

    Raises:
        NotACase: with one sentence for each fault.
    """
    reader = _Reader()
    root = reader.mapping(data, "The case", ("answers", "measured"))
    answers = _answers(reader, reader.mapping(root.get("answers"), "answers", ANSWER_KEYS))
    measured = _measured(reader, reader.mapping(root.get("measured"), "measured", MEASURED_KEYS))
    if reader.faults:
        raise NotACase(reader.faults)
    return Case(answers, measured)


def load(path: Path) -> object:
    """The JSON in a file, stricter than `json` alone: no NaN, no Infinity, no key twice.

    Raises:
        NotACase: the file can't be read, or is no JSON.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise NotACase([f"{path} can't be read: {error.strerror}."]) from error
    if len(raw) > LARGEST_FILE:
        raise NotACase([f"{path} is larger than {LARGEST_FILE:,} bytes; a case file is a few thousand."])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotACase([f"{path} is not UTF-8 text: byte {error.start + 1} is wrong."]) from error
    return loads(text, str(path))


def loads(text: str, name: str) -> object:
    """The JSON in a text; `name` says in messages where it came from.

    Raises:
        NotACase: it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)
    except json.JSONDecodeError as error:
        raise NotACase([f"{name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."]) from error
    except RecursionError as error:
        raise NotACase([f"{name} is nested too deeply."]) from error
    except ValueError as error:
        raise NotACase([f"{name} is not a case: {error}."]) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" stands there twice')
    return found


def to_json(case: Case) -> dict[str, Any]:
    """The same case as JSON, unknown keys left out; `parse(to_json(case)) == case`."""
    answers = {key: value for key, value in asdict(case.answers).items() if value is not None}
    if "goals" in answers:
        answers["goals"] = list(answers["goals"])
    if answers.get("owner") == NOBODY:
        answers["owner"] = None
    measured = {key: value for key, value in asdict(case.measured).items() if value is not None}
    for key in ("baseline", "teacher", "signals"):
        if key in measured:
            measured[key] = _known(measured[key])
    if "baseline" in measured:
        measured["baseline"]["arms"] = list(measured["baseline"]["arms"])
    if "signals" in measured:
        measured["signals"]["goals"] = list(measured["signals"]["goals"])
    if "arms" in measured:
        measured["arms"] = {arm: _known(result) for arm, result in measured["arms"].items()}
    return {"answers": answers, "measured": measured}


def _known(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def changed(case: Case, change: Mapping[str, Any]) -> Case:
    """The case with some keys replaced, each in the half (`answers` or `measured`) that has a key of that name.

    The size of the reference text stands in both: it is changed where it counts, in what was measured if anything was.
    Only what changes is read anew, since a search tries hundreds of changes.

    Raises:
        NotACase: what comes out is no case.
    """
    reader = _Reader()
    said = {key: value for key, value in change.items() if key in ANSWER_KEYS and _kept_as_answer(case, key)}
    found = {key: value for key, value in change.items() if key not in said}
    answers, measured = case.answers, case.measured
    if said:
        if "goals" in said or "main_goal" in said:
            said = {"goals": list(answers.goals or ()), "main_goal": answers.main_goal} | said
        read = _answers(reader, said)
        answers = replace(answers, **{key: getattr(read, key) for key in said})
    if found:
        parsed = _measured(reader, reader.mapping(found, "measured", MEASURED_KEYS))
        measured = replace(measured, **{key: getattr(parsed, key) for key in found if key in MEASURED_KEYS})
    if reader.faults:
        raise NotACase(reader.faults)
    return Case(answers, measured)


def _kept_as_answer(case: Case, key: str) -> bool:
    return key not in MEASURED_KEYS or getattr(case.measured, key) is None


def _answers(reader: "_Reader", given: Mapping[str, Any]) -> Answers:
    values = {
        key: _answer(reader, key, value) for key, value in given.items() if value is not None and value != UNKNOWN
    }
    if "owner" in given and given["owner"] is None:
        values["owner"] = NOBODY
    values["metric"] = values.get("metric") or None
    goals, main = values.get("goals"), values.get("main_goal")
    if main and not goals:
        values["goals"] = (main,)
    elif main and goals and main not in goals:
        reader.faults.append(f'answers.main_goal is "{main}", which is not among answers.goals.')
    return Answers(**values)


def _answer(reader: "_Reader", key: str, value: Any) -> Any:
    at = f"answers.{key}"
    match key:
        case "goals":
            return reader.choices(value, at, GOALS) or None
        case "target":
            return reader.number(value, at, 0, 1)
        case "corpus_tokens" | "context_window" | "examples_declared" | "calls_per_month":
            return reader.count(value, at, least=1 if key == "context_window" else 0)
        case "metric" | "owner":
            return reader.text(value, at)
        case "fact_change" if value == "hourly":
            return "daily"
    return reader.choice(value, at, GOALS if key == "main_goal" else CHOICES[key])


def _measured(reader: "_Reader", given: Mapping[str, Any]) -> Measured:
    values: dict[str, Any] = {}
    for key in MEASURED_KEYS:
        value = given.get(key)
        if value is None:
            continue
        at = f"measured.{key}"
        match key:
            case "contradiction_rate":
                values[key] = reader.number(value, at, 0, 1)
            case "agreement_kappa" | "oracle_gain":
                values[key] = reader.number(value, at, -1, 1)
            case (
                "test_human_checked" | "metric_set_before_baseline" | "rows_carry_context" | "identifiers_decided"
                | "baseline_on_base" | "baseline_unfinished"
            ):  # fmt: skip
                values[key] = reader.flag(value, at)
            case "cost_case":
                values[key] = reader.choice(value, at, COST_CASES)
            case "cost_basis" | "baseline_ran_on" | "trains_on":
                values[key] = reader.text(value, at)
            case _:
                values[key] = _PARTS[key](reader, value, at) if key in _PARTS else reader.count(value, at)
    return Measured(**values)


def _teacher(reader: "_Reader", value: object, at: str) -> Result:
    return Result(**_result(reader, reader.mapping(value, at, _RESULT), at))


def _failure_causes(reader: "_Reader", value: object, at: str) -> FailureCauses:
    causes = reader.mapping(value, at, tuple(item.name for item in fields(FailureCauses)))
    counts = {name: reader.count(count, f"{at}.{name}") for name, count in causes.items()}
    return FailureCauses(**{name: count or 0 for name, count in counts.items()})


_RESULT = tuple(item.name for item in fields(Result))
_ARM_RESULT = tuple(item.name for item in fields(ArmResult))


def _arms(reader: "_Reader", value: object, at: str) -> dict[str, ArmResult]:
    found = {}
    for arm, result in reader.mapping(value, at, ARMS).items():
        given = reader.mapping(result, f"{at}.{arm}", _ARM_RESULT)
        values = _result(reader, given, f"{at}.{arm}")
        if given.get("prompt_tokens") is not None:
            values["prompt_tokens"] = reader.count(given["prompt_tokens"], f"{at}.{arm}.prompt_tokens")
        if given.get("split") is not None:
            values["split"] = reader.choice(given["split"], f"{at}.{arm}.split", ARM_SPLITS)
        found[arm] = ArmResult(**values)
    return {arm: found[arm] for arm in ARMS if arm in found}


def _signals(reader: "_Reader", value: object, at: str) -> Signals:
    """The sums that the advice rests on. Whatever else a check wrote down beside them is for pages, and is let be."""
    written = tuple(value) if isinstance(value, dict) else ()
    known = tuple(item.name for item in fields(Signals))
    values: dict[str, Any] = {}
    for key, item in reader.mapping(value, at, (*known, *written)).items():
        if item is None or key not in known:
            continue
        match key:
            case "rows" | "distinct_answers":
                values[key] = reader.count(item, f"{at}.{key}")
            case "output_kind":
                values[key] = reader.choice(item, f"{at}.{key}", OUTPUT_KINDS)
            case "knowledge":
                values[key] = reader.choice(item, f"{at}.{key}", KNOWLEDGE)
            case "goals":
                values[key] = reader.choices(item, f"{at}.{key}", GOALS)
            case _:
                values[key] = reader.number(item, f"{at}.{key}", 0, 1)
    return Signals(**values)


def _baseline(reader: "_Reader", value: object, at: str) -> Baseline:
    given = reader.mapping(value, at, tuple(item.name for item in fields(Baseline)))
    values = _result(reader, given, at)
    if given.get("arms") is not None:
        values["arms"] = reader.choices(given["arms"], f"{at}.arms", ARMS)
    if given.get("revised") is not None:
        values["revised"] = reader.flag(given["revised"], f"{at}.revised")
    if given.get("error_rate") is not None:
        values["error_rate"] = reader.number(given["error_rate"], f"{at}.error_rate", 0, 1)
    if given.get("cut_rate") is not None:
        values["cut_rate"] = reader.number(given["cut_rate"], f"{at}.cut_rate", 0, 1)
    if given.get("best_arm") is not None:
        best = values["best_arm"] = reader.choice(given["best_arm"], f"{at}.best_arm", ARMS)
        if best is not None and best not in values.get("arms", ()):
            values["arms"] = (*values.get("arms", ()), best)
    values.setdefault("revised", False)
    return Baseline(**values)


_PARTS: dict[str, Callable[["_Reader", object, str], object]] = {
    "baseline": _baseline,
    "teacher": _teacher,
    "failure_causes": _failure_causes,
    "arms": _arms,
    "signals": _signals,
}


def _result(reader: "_Reader", given: Mapping[str, Any], at: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in ("passed", "total", "rows"):
        if given.get(name) is not None:
            values[name] = reader.count(given[name], f"{at}.{name}")
    for name in ("score", "low", "high"):
        if given.get(name) is not None:
            values[name] = reader.number(given[name], f"{at}.{name}", 0, 1)
    if None not in values.values():
        reader.faults += _contradictions(values, at)
    return values


def _contradictions(values: dict[str, Any], at: str) -> Iterator[str]:
    """What is wrong inside one result; the single values are all right."""
    counted = [name for name in ("passed", "total") if name in values]
    graded = [name for name in ("score", "low", "high") if name in values]
    if counted and graded:
        yield f"{at} gives passed and total or score, low and high, not both."
    elif len(counted) == 1:
        yield f"{at}.passed and {at}.total go together."
    elif len(graded) in (1, 2):
        yield f"{at}.score, {at}.low and {at}.high go together."
    elif "rows" in values and (counted or not graded):
        yield f"{at}.rows goes with a score; passed and total say it themselves."
    elif counted and values["passed"] > values["total"]:
        yield f"{at}.passed is {values['passed']}, more than {at}.total, {values['total']}."
    elif graded and not values["low"] - ROUNDING <= values["score"] <= values["high"] + ROUNDING:
        yield f"{at}.score must lie between {at}.low and {at}.high."


class _Reader:
    """Takes values one by one and remembers what was wrong; a faulty value reads as None."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def mapping(self, value: object, at: str, known: tuple[str, ...]) -> dict[str, Any]:
        if value is None and at != "The case":
            return {}
        if not isinstance(value, dict):
            self.faults.append(f"{at} must be an object, not {_shown(value)}.")
            return {}
        for key in value:
            if key not in known:
                prefix = "" if at == "The case" else f"{at}."
                self.faults.append(f"There is no key {prefix}{_cut(str(key))}; known are {', '.join(known)}.")
        return {key: item for key, item in value.items() if key in known}

    def count(self, value: Any, at: str, least: int = 0) -> int | None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least <= value <= LARGEST_COUNT or value != int(value):
            self.faults.append(f"{at} must be a whole number from {least} to {LARGEST_COUNT}, not {_shown(value)}.")
            return None
        return int(value)

    def number(self, value: Any, at: str, low: float, high: float) -> float | None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low - ROUNDING <= value <= high + ROUNDING:
            self.faults.append(f"{at} must be a number from {low} to {high}, not {_shown(value)}.")
            return None
        return min(max(float(value), low), high)

    def flag(self, value: object, at: str) -> bool | None:
        if not isinstance(value, bool):
            self.faults.append(f"{at} must be true or false, not {_shown(value)}.")
            return None
        return value

    def choice(self, value: object, at: str, known: tuple[str, ...]) -> str | None:
        if not isinstance(value, str) or value not in known:
            self.faults.append(f"{at} must be one of {', '.join(known)}, not {_shown(value)}.")
            return None
        return value

    def choices(self, value: object, at: str, known: tuple[str, ...]) -> tuple[str, ...]:
        """A set in the vocabulary's order, so that the order in which people ticked changes nothing."""
        if not isinstance(value, list):
            self.faults.append(f"{at} must be a list, not {_shown(value)}.")
            return ()
        picked = [self.choice(item, f"An entry of {at}", known) for item in value]
        return tuple(item for item in known if item in picked)

    def text(self, value: object, at: str) -> str | None:
        if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
            self.faults.append(f"{at} must be one line of at most {LONGEST_TEXT} characters, not {_shown(value)}.")
            return None
        return value.strip()


def _shown(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'"{_cut(value)}"'
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
