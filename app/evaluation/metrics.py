"""How an answer is scored against the wanted one: deterministic, the same every time, 0 to 1, higher is better.

No model judges another here. Both sides are trimmed before anything is compared: a harness that did not trim once
scored 0 % where another scored 26.5 % on identical replies. `view` is what a metric really compares, so that a page
can show the raw text and the compared text side by side.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from app import glossary
from app.errors import FieldError, Invalid
from app.evaluation import form, numbers, structure

Options = Mapping[str, Any]

PATTERN_LIMIT = 1_000  # characters; a longer expression is a program, not a check
PATTERN_MEMORY = 8 << 20  # bytes that re2 may use for one expression


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a metric as a form asks for it. kind: text or flag."""

    name: str
    kind: str
    title: str
    help: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to score.

    binary: every score is 0 or 1, so the result is a rate. score: (answer, expected, options) -> 0 to 1. view: the
    text that is compared, for the examples page. The glossary says what it is called.
    """

    name: str
    binary: bool
    score: Callable[[str, str, Options], float]
    view: Callable[[str, Options], str]
    options: tuple[Option, ...] = ()

    @property
    def title(self) -> str:
        return glossary.label(f"metric.{self.name}")

    @property
    def explanation(self) -> str:
        """For people who have not heard of it."""
        return glossary.term(f"metric.{self.name}").help


def get(name: str) -> Metric:
    """The metric of that name.

    Raises:
        Invalid: there is none; the sentence lists those that there are.
    """
    if metric := METRICS.get(name):
        return metric
    known = ", ".join(METRICS)
    raise Invalid("There is no such metric.", [FieldError("#/metric", f"Choose one of: {known}.")])


def checked(name: str, options: Options) -> dict[str, Any]:
    """The options that this metric understands, ready to be stored; empty ones are left out.

    Raises:
        Invalid: an option is missing, unknown or cannot be used; all of them at once.
    """
    metric = get(name)
    known = {option.name: option for option in metric.options}
    faults = [
        FieldError("#/metric_options", f"{metric.title} has no option “{unknown}”.")
        for unknown in options
        if unknown not in known
    ]
    kept: dict[str, Any] = {}
    for option in metric.options:
        value = options.get(option.name)
        if value in (None, "", False):
            if option.required:
                faults.append(FieldError(f"#/metric_options/{option.name}", f"Fill in: {option.title}."))
        elif option.kind == "flag":
            kept[option.name] = True
        elif not isinstance(value, str):
            faults.append(FieldError(f"#/metric_options/{option.name}", f"{option.title} has to be text."))
        else:
            kept[option.name] = value
    faults += _faults(kept)
    if faults:
        raise Invalid(f"{metric.title} cannot be used like this.", faults)
    return kept


def _faults(kept: dict[str, Any]) -> list[FieldError]:
    """What is wrong with the values of options; words for the decimal sign become the sign."""
    faults = []
    if "pattern" in kept and (wrong := _pattern_fault(kept["pattern"])):
        faults.append(FieldError("#/metric_options/pattern", wrong))
    if "decimal" in kept:
        kept["decimal"] = {"point": ".", "comma": ","}.get(kept["decimal"].strip().lower(), kept["decimal"].strip())
        if kept["decimal"] not in (".", ","):
            faults.append(FieldError("#/metric_options/decimal", "Type . (as in 1,234.5) or , (as in 1.234,5)."))
    if "tolerance" in kept and not numbers.TOLERANCE.fullmatch(kept["tolerance"].strip()):
        faults.append(FieldError("#/metric_options/tolerance", "Use a number like 0.01, or a share like 1 %."))
    return faults


def score(name: str, output: str, target: str, options: Options) -> float:
    return get(name).score(output, target, options)


def pattern_coverage(pattern: str, targets: Sequence[str]) -> float:
    """Share of wanted answers in which the expression matches at all; a low one means it checks little."""
    if not targets:
        return 0.0
    return sum(bool(_matches(target, {"pattern": pattern})) for target in targets) / len(targets)


# ------------------------------------------------------------------ same text


def _exact(output: str, target: str, _options: Options) -> float:
    return float(output.strip() == target.strip())


def _trimmed(text: str, _options: Options) -> str:
    return text.strip()


def _normal(text: str, options: Options) -> str:
    bare = form.bared(form.folded(text))
    return form.unprefixed(bare) if options.get("prefix") else bare


def _normalised(output: str, target: str, options: Options) -> float:
    if output.strip() == target.strip():
        return 1.0
    answer = _normal(output, options)
    return float(bool(answer) and answer == _normal(target, options))


def dressed(name: str, output: str, target: str, options: Options) -> bool:
    """Whether an answer counts as right only because something around it was taken off."""
    return (
        name == "normalised_match"
        and _normalised(output, target, options) == 1
        and output.strip() != target.strip()
        and form.folded(output) != form.folded(target)
    )


# ------------------------------------------------------------------ a number


def _number(text: str, options: Options) -> tuple[Decimal, str] | None:
    return numbers.read(text, str(options.get("decimal", ".")))


def _number_match(output: str, target: str, options: Options) -> float:
    answer, wanted = _number(output, options), _number(target, options)
    if answer is None or wanted is None or answer[1] != wanted[1]:
        return float(output.strip() == target.strip())
    return float(numbers.same(answer[0], wanted[0], str(options.get("tolerance", ""))))


def _number_view(text: str, options: Options) -> str:
    number = _number(text, options)
    return "not one number" if number is None else f"{number[0].normalize():f} {number[1]}".strip()


# ------------------------------------------------------------------ overlap


@lru_cache(maxsize=1)
def _chrf_scorer() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()  # character order 6, word order 0, beta 2: chrF2 (Popović 2015)


def _chrf(output: str, target: str, _options: Options) -> float:
    output, target = output.strip(), target.strip()
    if not target:
        return float(not output)
    return float(_chrf_scorer().sentence_score(output, [target]).score) / 100


WORD = re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    """Runs of letters and digits. For ASCII this is rouge-score's tokenizer; unlike it, other scripts count too."""
    return WORD.findall(text.lower())


def _rouge_l(output: str, target: str, _options: Options) -> float:
    """F1 of the longest common subsequence of words (Lin 2004, section 3.1, with beta = 1)."""
    from rapidfuzz.distance import LCSseq

    answer, wanted = _words(output), _words(target)
    if not answer or not wanted:  # no word on one side: only the same signs are the same answer
        return float(output.strip() == target.strip())
    common = LCSseq.similarity(answer, wanted)
    return 2 * common / (len(answer) + len(wanted))


def _word_view(text: str, _options: Options) -> str:
    return " ".join(_words(text))


# ------------------------------------------------------------------ structure


def _reach(options: Options) -> dict[str, bool]:
    """How far around the JSON we look."""
    return {name: bool(options.get(name)) for name in ("fence", "around")}


def _json(text: str, options: Options) -> Any:
    return structure.parsed(text, **_reach(options))


def _json_valid(output: str, _target: str, options: Options) -> float:
    return float(_json(output, options) is not structure.NOTHING)


def _json_match(output: str, target: str, options: Options) -> float:
    answer, wanted = _json(output, options), _json(target, options)
    if answer is structure.NOTHING or wanted is structure.NOTHING:
        return 0.0
    try:
        return float(structure.same(answer, wanted))
    except RecursionError:  # nested about a thousand deep: no data anyone means
        return 0.0


def _json_view(text: str, options: Options) -> str:
    value = _json(text, options)
    if value is structure.NOTHING:
        return "not JSON"
    try:
        return structure.written(value)
    except RecursionError:  # nested too deep to be written again
        return structure.bare(text, **_reach(options))


def saved(name: str, output: str, target: str, options: Options) -> str:
    """The option of this metric that would make a wrong answer right, empty if none would: for a count on the page."""
    for option in get(name).options:
        if option.kind != "flag" or options.get(option.name):
            continue
        allowed = {**options, option.name: True}
        if get(name).binary and score(name, output, target, allowed) == 1 > score(name, output, target, options):
            return option.name
    return ""


def _compiled(pattern: str) -> Any:
    import re2

    settings = re2.Options()
    settings.max_mem = PATTERN_MEMORY
    settings.log_errors = False
    return re2.compile(pattern, settings)


_expression = lru_cache(maxsize=32)(_compiled)


def _pattern_fault(pattern: str) -> str | None:
    import re2

    if len(pattern) > PATTERN_LIMIT:
        return f"The expression has {len(pattern):,} characters; at most {PATTERN_LIMIT:,} can be used."
    try:
        expression = _compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else "it cannot be read"
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        return f"This is not a regular expression that can be used (RE2, no back references): {reason}."
    if expression.search(""):
        return "The expression matches empty text, so it would find something everywhere. Make it stricter."
    return None


def _matches(text: str, options: Options) -> list[tuple[str, ...]]:
    """What the expression found, in order: the groups when it has any, else the whole match."""
    expression = _expression(options["pattern"])
    grouped = bool(expression.groups)
    return [
        tuple(part or "" for part in (match.groups() if grouped else (match.group(),)))
        for match in expression.finditer(text.strip())
    ]


def _pattern(output: str, target: str, options: Options) -> float:
    if not output.strip():  # finds nothing, like a wanted text without a finding, and is no answer all the same
        return float(not target.strip())
    return float(_matches(output, options) == _matches(target, options))


def _pattern_view(text: str, options: Options) -> str:
    return "\n".join(" · ".join(part for part in parts if part) for parts in _matches(text, options))


# ------------------------------------------------------------------ the list

_FENCE_OPTION = Option(
    name="fence",
    kind="flag",
    title="Accept JSON inside a code fence",
    help="Reads the JSON between ``` or ~~~ too, when that is all there is. Leave it off when the program behind reads "
    "the answer as it is.",
)
_AROUND_OPTION = Option(
    name="around",
    kind="flag",
    title="Accept sentences around the JSON",
    help="Reads the one piece of JSON in a longer text. The program behind has to do the same. Two pieces stay wrong.",
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="exact_match",
            binary=True,
            score=_exact,
            view=_trimmed,
        ),
        Metric(
            name="normalised_match",
            binary=True,
            score=_normalised,
            view=_normal,
            options=(
                Option(
                    name="prefix",
                    kind="flag",
                    title="Take off “Label:” or “The answer is”",
                    help="Reads what follows such words. Leave it off when the program behind does not.",
                ),
            ),
        ),
        Metric(
            name="number_match",
            binary=True,
            score=_number_match,
            view=_number_view,
            options=(
                Option(
                    name="decimal",
                    kind="text",
                    title="Decimal sign",
                    help="A point as in 1,234.5, or a comma as in 1.234,5: type . or ,",
                    required=True,
                ),
                Option(
                    name="tolerance",
                    kind="text",
                    title="Tolerance",
                    help="How far off still counts as right: 0.01, or 1 % of the expected number. Empty: not at all.",
                ),
            ),
        ),
        Metric(
            name="pattern",
            binary=True,
            score=_pattern,
            view=_pattern_view,
            options=(
                Option(
                    name="pattern",
                    kind="text",
                    title="Regular expression",
                    help="RE2 syntax (no back references, no look-around). (?m) makes ^ match at each line.",
                    required=True,
                ),
            ),
        ),
        Metric(
            name="json_match",
            binary=True,
            score=_json_match,
            view=_json_view,
            options=(_FENCE_OPTION, _AROUND_OPTION),
        ),
        Metric(
            name="json_valid",
            binary=True,
            score=_json_valid,
            view=_json_view,
            options=(_FENCE_OPTION, _AROUND_OPTION),
        ),
        Metric(
            name="chrf",
            binary=False,
            score=_chrf,
            view=_trimmed,
        ),
        Metric(
            name="rouge_l",
            binary=False,
            score=_rouge_l,
            view=_word_view,
        ),
    )
}
