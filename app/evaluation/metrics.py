"""How an answer is scored against the wanted one: deterministic, the same every time, 0 to 1, higher is better.

No model judges another here. Both sides are trimmed before anything is compared: a harness that did not trim once
scored 0 % where another scored 26.5 % on identical replies. `view` is what a metric really compares, so that a page
can show the raw text and the compared text side by side.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from app.errors import FieldError, Invalid
from app.text import normal_form

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

    explanation: for people who have not heard of it. binary: every score is 0 or 1, so the result is a rate.
    score: (answer, wanted, options) -> 0 to 1. view: the text that is compared, for the examples page.
    """

    name: str
    title: str
    explanation: str
    binary: bool
    score: Callable[[str, str, Options], float]
    view: Callable[[str, Options], str]
    options: tuple[Option, ...] = ()


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
    if "pattern" in kept and (wrong := _pattern_fault(kept["pattern"])):
        faults.append(FieldError("#/metric_options/pattern", wrong))
    if faults:
        raise Invalid(f"{metric.title} cannot be used like this.", faults)
    return kept


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


def _normal(text: str, _options: Options) -> str:
    """NFKC, case folded, white space collapsed, punctuation cut off at both ends.

    NFKC is applied again after folding, because folding can undo it (Unicode Standard, 3.13, definition D146).
    """
    folded = normal_form("NFKC", normal_form("NFKC", text).casefold())
    words = " ".join(folded.split())
    start, end = 0, len(words)
    while start < end and _edge(words[start]):
        start += 1
    while end > start and _edge(words[end - 1]):
        end -= 1
    return words[start:end]


def _edge(character: str) -> bool:
    return character == " " or unicodedata.category(character).startswith("P")


def _normalised(output: str, target: str, options: Options) -> float:
    return float(_normal(output, options) == _normal(target, options))


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

    said, wanted = _words(output), _words(target)
    if not said or not wanted:
        return float(not said and not wanted)
    common = LCSseq.similarity(said, wanted)
    return 2 * common / (len(said) + len(wanted))


def _word_view(text: str, _options: Options) -> str:
    return " ".join(_words(text))


# ------------------------------------------------------------------ structure


FENCE = re.compile(r"\A```[A-Za-z0-9]*[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
_NOT_JSON = object()


def _bare(text: str, options: Options) -> str:
    text = text.strip()
    if options.get("fence") and (fenced := FENCE.match(text)):
        return fenced[1].strip()
    return text


def _parsed(text: str, options: Options) -> Any:
    try:
        return orjson.loads(_bare(text, options))
    except orjson.JSONDecodeError:
        return _NOT_JSON


def _json_valid(output: str, _target: str, options: Options) -> float:
    return float(_parsed(output, options) is not _NOT_JSON)


def _json_match(output: str, target: str, options: Options) -> float:
    said, wanted = _parsed(output, options), _parsed(target, options)
    if said is _NOT_JSON or wanted is _NOT_JSON:
        return 0.0
    try:
        return float(_same(said, wanted))
    except RecursionError:  # nested about a thousand deep: no data anyone means
        return 0.0


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are the same number, true is not 1, the order of keys does not matter."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)


def _json_view(text: str, options: Options) -> str:
    value = _parsed(text, options)
    if value is _NOT_JSON:
        return "not JSON"
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:  # nested too deep to be written again
        return _bare(text, options)


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
        said = error.args[0] if error.args else "it cannot be read"
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"This is not a regular expression that can be used (RE2, no back references): {said}."
    if expression.search(""):
        return "The expression matches empty text, so it would find something everywhere. Make it stricter."
    return None


def _matches(text: str, options: Options) -> list[tuple[str, ...]]:
    """What the expression found, in order: the groups when it has any, else the whole match."""
    expression = _expression(options["pattern"])
    grouped = bool(expression.groups)
    return [
        tuple(part or "" for part in (found.groups() if grouped else (found.group(),)))
        for found in expression.finditer(text.strip())
    ]


def _pattern(output: str, target: str, options: Options) -> float:
    return float(_matches(output, options) == _matches(target, options))


def _pattern_view(text: str, options: Options) -> str:
    return "\n".join(" · ".join(part for part in found if part) for found in _matches(text, options))


# ------------------------------------------------------------------ the list

_FENCE_OPTION = Option(
    name="fence",
    kind="flag",
    title="Accept JSON inside a code fence",
    help="Reads the JSON between ``` lines too. Leave it off when the program behind reads the answer as it is.",
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            name="exact_match",
            title="Exact match",
            explanation="Right when the answer is the wanted text, character by character. "
            "Blank space at both ends does not count.",
            binary=True,
            score=_exact,
            view=_trimmed,
        ),
        Metric(
            name="normalised_match",
            title="Match without form",
            explanation="Right when the texts are the same once capitals, blank space, look-alike characters and "
            "punctuation at both ends are ignored. Good for labels and short answers.",
            binary=True,
            score=_normalised,
            view=_normal,
        ),
        Metric(
            name="pattern",
            title="Same findings, same order",
            explanation="A regular expression of yours picks what matters, for example section headings and "
            "parameter names. Right when the answer holds the same findings in the same order as the wanted "
            "text: nothing missing, nothing invented. With groups, only the groups are compared.",
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
            title="Same JSON",
            explanation="Right when the answer is JSON and says the same as the wanted JSON. "
            "Blank space and the order of keys do not count.",
            binary=True,
            score=_json_match,
            view=_json_view,
            options=(_FENCE_OPTION,),
        ),
        Metric(
            name="json_valid",
            title="Readable JSON",
            explanation="Right when the answer can be read as JSON, whatever it says. It shows form only: "
            "look at another metric for content.",
            binary=True,
            score=_json_valid,
            view=_json_view,
            options=(_FENCE_OPTION,),
        ),
        Metric(
            name="chrf",
            title="Character overlap (chrF)",
            explanation="How many short character sequences the answer shares with the wanted text, from 0 to "
            "100 %. Forgives other endings and works for every language; says nothing about truth.",
            binary=False,
            score=_chrf,
            view=_trimmed,
        ),
        Metric(
            name="rouge_l",
            title="Word overlap in order (ROUGE-L)",
            explanation="The longest run of words, gaps allowed, that answer and wanted text share in the same "
            "order, from 0 to 100 %. Usual for summaries; says nothing about truth. For writing without spaces "
            "between words, character overlap is the better choice.",
            binary=False,
            score=_rouge_l,
            view=_word_view,
        ),
    )
}
