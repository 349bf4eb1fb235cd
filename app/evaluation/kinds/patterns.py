"""What a regular expression finds in the answer."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from app.evaluation.kinds.metric import Fault, Kept, Metric, Option, Options, text_of

if TYPE_CHECKING:
    import re2

PATTERN_LIMIT = 1_000  # characters; a longer expression is a program, not a check
PATTERN_MEMORY = 8 << 20  # bytes that re2 may use for one expression


def pattern_coverage(pattern: str, targets: Sequence[str]) -> float:
    """Share of wanted answers in which the expression matches at all; a low one means it checks little."""
    if not targets:
        return 0.0
    return sum(bool(_matches(target, {"pattern": pattern})) for target in targets) / len(targets)


def _compiled(pattern: str) -> "re2._Regexp":
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
    expression = _expression(text_of(options, "pattern"))
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


def _faults(kept: Kept) -> Iterator[Fault]:
    if "pattern" in kept and (wrong := _pattern_fault(text_of(kept, "pattern"))):
        yield "pattern", wrong


METRICS = (
    Metric(
        name="pattern",
        binary=True,
        score=_pattern,
        view=_pattern_view,
        faults=_faults,
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
)
