"""The strict way from JSON to a case and back.

`parse` refuses with one sentence for each fault, all at once. It refuses what it does not know by name, so a misspelt
key never turns into a silent "unknown". It does not refuse values that only disagree with each other across questions
(declared 5,000, measured 720): that is what the advice is there to notice. Inside one result (passed and total, low,
score and high) a contradiction is a fault.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.advice.schema import (
    ANSWER_KEYS,
    ARMS,
    MEASURED_KEYS,
    NOBODY,
    ROUNDING,
    UNKNOWN,
    Answer,
    Answers,
    Case,
    Measured,
    Result,
)
from app.errors import FieldError, pointer
from app.json_types import JsonDict, JsonObject
from app.strict import Fault, Place, faults

LARGEST_FILE = 1_000_000  # bytes; a case is a few thousand
SCORES = ("passed", "total", "score", "low", "high", "rows")

_CASE, _ANSWERS, _MEASURED, _RESULT = (
    TypeAdapter(Case),
    TypeAdapter(Answers),
    TypeAdapter(Measured),
    TypeAdapter(Result),
)


class NotACase(Exception):
    """The input is not a case; `errors` has each thing that is wrong with it, with its place, and `faults` the same as
    sentences alone."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        self.faults = [error.detail for error in errors]
        super().__init__(" ".join(self.faults))


def parse(data: object) -> Case:
    """Read one case.

    Raises:
        NotACase: with one sentence for each fault.
    """
    prepared = _prepared(data)
    try:
        case, wrong = _CASE.validate_python(prepared), []
    except ValidationError as error:
        case, wrong = Case(), list(faults(error, Case))
    errors = [_error(fault) for fault in wrong if not _inside_unknown(fault, wrong)]
    errors += _clashes(prepared, {fault.place for fault in wrong})
    if errors:
        raise NotACase(errors)
    return Case(_implied(case.answers), case.measured)


def _inside_unknown(fault: Fault, wrong: Sequence[Fault]) -> bool:
    """Whether a fault is of what stands at a key that is not known, which is said already."""
    return any(
        other.kind == "unknown" and other is not fault and fault.place[: len(other.place)] == other.place
        for other in wrong
    )


def _prepared(data: object) -> object:
    """The case without what says nothing: null, and "unknown" among the answers."""
    if not isinstance(data, dict):
        return data
    halves = {key: value for key, value in data.items() if value is not None or key not in ("answers", "measured")}
    if isinstance(halves.get("answers"), dict):
        halves["answers"] = _prepared_answers(halves["answers"])
    if isinstance(halves.get("measured"), dict):
        halves["measured"] = _prepared_measured(halves["measured"])
    return halves


def _prepared_answers(answers: JsonObject) -> JsonDict:
    prepared = {
        key: value
        for key, value in answers.items()
        if key not in ANSWER_KEYS or (value is not None and value != UNKNOWN)
    }
    if "owner" in answers and answers["owner"] is None:
        prepared["owner"] = NOBODY
    if prepared.get("fact_change") == "hourly":
        prepared["fact_change"] = "daily"
    return prepared


def _prepared_measured(measured: JsonObject) -> JsonDict:
    return {key: value for key, value in measured.items() if value is not None or key not in MEASURED_KEYS}


def _implied(answers: Answers) -> Answers:
    """The answers with what follows from them: a main goal is a goal; no goal and an empty metric are not known."""
    goals = answers.goals or ((answers.main_goal,) if answers.main_goal else None)
    metric = answers.metric or None
    if goals == answers.goals and metric == answers.metric:
        return answers
    return replace(answers, goals=goals, metric=metric)


def load(path: Path) -> object:
    """The JSON in a file, stricter than `json` alone: no NaN, no Infinity, no key twice.

    Raises:
        NotACase: the file can't be read, or is no JSON.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise NotACase([_whole(f"{path} can't be read: {error.strerror}.")]) from error
    if len(raw) > LARGEST_FILE:
        raise NotACase([_whole(f"{path} is larger than {LARGEST_FILE:,} bytes; a case file is a few thousand.")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotACase([_whole(f"{path} is not UTF-8 text: byte {error.start + 1} is wrong.")]) from error
    return loads(text, str(path))


def loads(text: str, name: str) -> object:
    """The JSON in a text; `name` says in messages where it came from.

    Raises:
        NotACase: it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)
    except json.JSONDecodeError as error:
        raise NotACase(
            [_whole(f"{name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.")]
        ) from error
    except RecursionError as error:
        raise NotACase([_whole(f"{name} is nested too deeply.")]) from error
    except ValueError as error:
        raise NotACase([_whole(f"{name} is not a case: {error}.")]) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _refuse_repeats(pairs: list[tuple[str, object]]) -> JsonDict:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" stands there twice')
    return values


def _whole(fault: str) -> FieldError:
    """A fault of the text as a whole."""
    return FieldError("#", fault)


def answers_json(answers: Answers) -> dict[str, Answer]:
    """The answers as a case file has them, those that nobody knows left out."""
    written = {key: value for key, value in asdict(answers).items() if value is not None}
    if "goals" in written:
        written["goals"] = list(written["goals"])
    if written.get("owner") == NOBODY:
        written["owner"] = None
    return written


def to_json(case: Case) -> JsonDict:
    """The same case as JSON, unknown keys left out; `parse(to_json(case)) == case`."""
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
    return {"answers": answers_json(case.answers), "measured": measured}


def _known(values: JsonObject) -> JsonDict:
    return {name: value for name, value in values.items() if value is not None}


def changed(case: Case, change: JsonObject) -> Case:
    """The case with some keys replaced, each in the half (`answers` or `measured`) that has a key of that name.

    The size of the reference text stands in both: it is changed where it counts, in what was measured if anything was.
    Only what changes is read anew, since a search tries hundreds of changes.

    Raises:
        NotACase: what comes out is no case.
    """
    declared = {key: value for key, value in change.items() if key in ANSWER_KEYS and _kept_as_answer(case, key)}
    measurements = {key: value for key, value in change.items() if key not in declared}
    answers, measured = case.answers, case.measured
    halves: JsonDict = {}
    try:
        if declared:
            if "goals" in declared or "main_goal" in declared:
                declared = {"goals": list(answers.goals or ()), "main_goal": answers.main_goal} | declared
            halves["answers"] = _prepared_answers(declared)
            read = _implied(_ANSWERS.validate_python(halves["answers"]))
            answers = replace(answers, **{key: getattr(read, key) for key in declared})
        if measurements:
            halves["measured"] = _prepared_measured(measurements)
            new = _MEASURED.validate_python(halves["measured"])
            measured = replace(measured, **{key: getattr(new, key) for key in measurements if key in MEASURED_KEYS})
    except ValidationError:
        parse(halves)  # says what is wrong
        raise
    if errors := list(_clashes(halves, set())):
        raise NotACase(errors)
    return Case(answers, measured)


def _kept_as_answer(case: Case, key: str) -> bool:
    return key not in MEASURED_KEYS or getattr(case.measured, key) is None


# ------------------------------------------------------------------ faults


def _error(fault: Fault) -> FieldError:
    """A fault in words, at its place; one of an entry stands at its list."""
    *parents, key = fault.place or ("The case",)
    if fault.kind == "unknown":
        name = ".".join([*map(str, parents), _cut(str(key))])
        return FieldError(pointer(*fault.place), f"There is no key {name}; known are {', '.join(fault.choices)}.")
    at, place = ".".join(map(str, fault.place)) or "The case", fault.place
    if isinstance(key, int):
        at, place = f"An entry of {'.'.join(map(str, parents))}", tuple(parents)
    expected = f"one of {', '.join(fault.choices)}" if fault.choices else fault.expected
    return FieldError(pointer(*place), f"{at} must be {expected}, not {_as_text(fault.value)}.")


def _clashes(data: object, wrong: set[Place]) -> Iterator[FieldError]:
    """Values that are right one by one and wrong together. wrong: the places of those that are not right."""
    halves = data if isinstance(data, dict) else {}
    answers, measured = halves.get("answers"), halves.get("measured")
    goals_wrong = any(place[:2] in (("answers", "goals"), ("answers", "main_goal")) for place in wrong)
    if isinstance(answers, dict) and not goals_wrong:
        goals, main = answers.get("goals"), answers.get("main_goal")
        if main and goals and main not in goals:
            fault = f'answers.main_goal is "{main}", which is not among answers.goals.'
            yield FieldError(pointer("answers", "main_goal"), fault)
    for place, result in _results(measured) if isinstance(measured, dict) else ():
        if isinstance(result, dict) and not any((*place, name) in wrong for name in SCORES):
            scores = {name: result[name] for name in SCORES if result.get(name) is not None}
            yield from _clash(_RESULT.validate_python(scores), place)


def _results(measured: JsonObject) -> Iterator[tuple[Place, object]]:
    """Everything that is a result, with its place."""
    for name in ("baseline", "teacher"):
        yield ("measured", name), measured.get(name)
    arms = measured.get("arms")
    for arm, result in arms.items() if isinstance(arms, dict) else ():
        if arm in ARMS:
            yield ("measured", "arms", arm), result


def _clash(result: Result, place: Place) -> Iterator[FieldError]:
    """What is wrong inside one result; the single values are all right."""
    at = ".".join(map(str, place))
    counted = [name for name in ("passed", "total") if getattr(result, name) is not None]
    graded = [name for name in ("score", "low", "high") if getattr(result, name) is not None]
    if counted and graded:
        yield FieldError(pointer(*place), f"{at} gives passed and total or score, low and high, not both.")
    elif len(counted) == 1:
        yield FieldError(pointer(*place, "passed"), f"{at}.passed and {at}.total go together.")
    elif len(graded) in (1, 2):
        yield FieldError(pointer(*place, "score"), f"{at}.score, {at}.low and {at}.high go together.")
    elif result.rows is not None and (counted or not graded):
        fault = f"{at}.rows goes with a score; passed and total say it themselves."
        yield FieldError(pointer(*place, "rows"), fault)
    elif result.passed is not None and result.total is not None and result.passed > result.total:
        fault = f"{at}.passed is {result.passed}, more than {at}.total, {result.total}."
        yield FieldError(pointer(*place, "passed"), fault)
    elif (
        result.score is not None
        and result.low is not None
        and result.high is not None
        and not result.low - ROUNDING <= result.score <= result.high + ROUNDING
    ):
        yield FieldError(pointer(*place, "score"), f"{at}.score must lie between {at}.low and {at}.high.")


def _as_text(value: object) -> str:
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
