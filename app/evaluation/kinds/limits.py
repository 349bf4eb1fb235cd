"""Checks of form that need no expected answer: how long an answer may be, and which shape it has to have."""

import re
from collections.abc import Iterator, Mapping

from app.evaluation.kinds.metric import Fault, Kept, Metric, Option, Options, text_of
from app.evaluation.kinds.overlap import tokens

LONGEST = 10_000_000  # that a limit may be
MOST_LINES = 10_000

# ------------------------------------------------------------------ length

SIZES: Mapping[str, str] = {"characters": "character", "words": "word"}


def _sizes(text: str) -> dict[str, int]:
    """Words: what stands between blanks; each character where a script has no blanks (as for token F1)."""
    return {"characters": len(text.strip()), "words": max(len(text.split()), len(tokens(text)))}


def _length(output: str, _target: str, options: Options) -> float:
    sizes = _sizes(output)
    least = all(sizes[size] >= int(options.get(f"min_{size}") or 0) for size in sizes)
    most = all(sizes[size] <= int(options.get(f"max_{size}") or LONGEST) for size in sizes)
    return float(least and most)


def _length_view(text: str, _options: Options) -> str:
    return ", ".join(f"{count:,} {SIZES[size]}{'' if count == 1 else 's'}" for size, count in _sizes(text).items())


def _length_faults(kept: Kept) -> Iterator[Fault]:
    named = [f"{end}_{size}" for size in SIZES for end in ("min", "max")]
    given = {name: text_of(kept, name) for name in named if name in kept}
    if not given:
        yield "max_characters", "Set at least one limit."
    wrong = [name for name, text in given.items() if not text.strip().isdecimal() or not 0 < int(text) <= LONGEST]
    for name in wrong:
        yield name, "Use a whole number from 1."
    for size in SIZES:
        low, high = given.get(f"min_{size}"), given.get(f"max_{size}")
        if low and high and not {f"min_{size}", f"max_{size}"} & set(wrong) and int(low) > int(high):
            yield f"max_{size}", "The most is less than the least."


# ------------------------------------------------------------------ shape

_SENTENCE_END = re.compile(
    r"[.!?](?=[\"'”’»)\]]*(?:\s+[\"'“‘«(\[]*[A-Z\u00c0-\u00de\u0370-\u042f0-9]|\s*$))|[。！？।؟]"
)
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|mr|mrs|ms|dr|prof|st|z\.b|d\.h|u\.a|bzw|ca|nr|p\.ex|sr|sra|[A-Z])\.$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"\s*(?:[-*+•·–]|\d{1,3}[.)])\s+\S")
MARKDOWN: Mapping[str, re.Pattern[str]] = {
    "a code fence": re.compile(r"^\s*(?:```|~~~)", re.MULTILINE),
    "a heading": re.compile(r"^\s{0,3}#{1,6}\s+\S", re.MULTILINE),
    "bold or italic text": re.compile(r"(?<![\w*])\*{1,3}[^\s*][^*\n]*\*{1,3}(?![\w*])|(?<!\w)__[^\s_][^_\n]*__(?!\w)"),
    "a bullet": re.compile(r"^\s*[-*+]\s+\S", re.MULTILINE),
    "a link": re.compile(r"\[[^\]\n]+\]\([^)\s]+\)"),
    "a table": re.compile(r"^\s*\|?\s*:?-{3,}:?\s*\|", re.MULTILINE),
    "code": re.compile(r"`[^`\n]+`"),
}
"""What counts as Markdown, by its name."""


def sentences(text: str) -> int:
    """Sentences in a text: ends with a mark behind which another one begins, or the text ends. Common abbreviations
    end none; text behind the last mark is one."""
    text, last, counted = text.strip(), 0, 0
    for match in _SENTENCE_END.finditer(text):
        before = text[: match.end()]
        if match.end() < len(text) and _ABBREVIATION.search(before[-12:]):
            continue
        counted, last = counted + 1, match.end()
    return counted + bool(text[last:].strip(" \n\"'”’»)]"))


def checks(text: str, options: Options) -> dict[str, bool]:
    """Every check that the options ask for, in words, with whether the text passes it."""
    text = text.strip()
    lines = [line for line in text.splitlines() if line.strip()]
    made: dict[str, bool] = {}
    if start := text_of(options, "starts"):
        made[f"starts with “{start}”"] = text.startswith(start.strip())
    if end := text_of(options, "ends"):
        made[f"ends with “{end}”"] = text.endswith(end.strip())
    if wanted := text_of(options, "lines"):
        least, most = _span(wanted)
        made[f"{wanted} lines (it has {len(lines):,})"] = least <= len(lines) <= most
    if options.get("bullets"):
        made["every line is a bullet"] = bool(lines) and all(_BULLET.match(line) for line in lines)
    if options.get("one_sentence"):
        made[f"one sentence (it has {sentences(text):,})"] = sentences(text) == 1
    if options.get("no_markdown"):
        seen = [name for name, pattern in MARKDOWN.items() if pattern.search(text)]
        made["no Markdown" + (f" (it has {', '.join(seen)})" if seen else "")] = not seen
    return made


def _span(text: str) -> tuple[int, int]:
    """3 is (3, 3), 2-5 is (2, 5)."""
    least, _, most = text.replace("\u2013", "-").partition("-")
    return int(least), int(most or least)


def _format(output: str, _target: str, options: Options) -> float:
    return float(bool(output.strip()) and all(checks(output, options).values()))


def _format_view(text: str, options: Options) -> str:
    return "\n".join(f"{'yes' if passed else 'no'}: {check}" for check, passed in checks(text, options).items())


def _format_faults(kept: Kept) -> Iterator[Fault]:
    if not kept:
        yield "starts", "Set at least one check."
    if "lines" in kept:
        lines = kept["lines"] = text_of(kept, "lines").replace(" ", "").replace("\u2013", "-")
        if not re.fullmatch(r"\d{1,5}(?:-\d{1,5})?", lines):
            yield "lines", "Use a number of lines like 3, or a span like 2-5."
        elif not 1 <= _span(lines)[0] <= _span(lines)[1] <= MOST_LINES:
            yield "lines", "The span has to begin at 1 or later and end behind its beginning."


METRICS = (
    Metric(
        name="length_limits",
        binary=True,
        score=_length,
        view=_length_view,
        faults=_length_faults,
        options=tuple(
            Option(
                name=f"{end}_{size}",
                kind="text",
                title=f"{word} {size}",
                help=f"Empty: no {'upper' if end == 'max' else 'lower'} limit.",
            )
            for size in SIZES
            for end, word in (("min", "Fewest"), ("max", "Most"))
        ),
    ),
    Metric(
        name="format_check",
        binary=True,
        score=_format,
        view=_format_view,
        faults=_format_faults,
        options=(
            Option("starts", "text", "Starts with", "The first characters, as they are written. Empty: anything."),
            Option("ends", "text", "Ends with", "The last characters, as they are written. Empty: anything."),
            Option("lines", "text", "Lines", "A number like 3, or a span like 2-5; empty lines do not count."),
            Option("bullets", "flag", "Bullet list", "Every line begins with a dash, a star, a dot or a number."),
            Option("one_sentence", "flag", "One sentence", "Abbreviations such as “e.g.” end none."),
            Option("no_markdown", "flag", "No Markdown", f"None of: {', '.join(MARKDOWN)}."),
        ),
    ),
)
