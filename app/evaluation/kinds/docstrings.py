"""Python docstrings: whether the sections agree in the names that they describe. Text is read, no code is run.

Google style (`Args:`), NumPy style (underlined headings) and reStructuredText fields (`:param x:`) are read; the two
texts may use different ones.
"""

import re
from dataclasses import dataclass

from app.evaluation.kinds.metric import Metric, Options

_QUOTED = re.compile(r"[rRuU]?(\"\"\"|''')(.*?)\1", re.DOTALL)
_GOOGLE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<name>Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters|"
    r"Returns?|Yields?|Raises|Attributes|Examples?|Notes?|Warnings?|See Also|References|Todo):[ \t]*(?P<rest>.*)$"
)
_UNDERLINE = re.compile(r"^[ \t]*-{3,}[ \t]*$")
_GOOGLE_ITEM = re.compile(r"^\*{0,2}(?P<name>[\w.]+)\s*(?:\([^)]*\))?\s*:")
_NUMPY_ITEM = re.compile(r"^(?P<names>\*{0,2}[\w.]+(?:\s*,\s*\*{0,2}[\w.]+)*)\s*(?::.*)?$")
_FIELD = re.compile(
    r"^[ \t]*:(?P<kind>param|parameter|arg|argument|key|keyword|raises?|except|exception|returns?|rtype|yields?)"
    r"(?:[ \t]+(?P<about>[^:\n]+))?:",
    re.MULTILINE,
)
_ARGUMENTS = {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters"}
MOST_LINES = 5_000


@dataclass(frozen=True, slots=True)
class Described:
    """What a docstring describes, by its sections."""

    arguments: frozenset[str]
    returns: bool
    raises: frozenset[str]

    @property
    def empty(self) -> bool:
        return not (self.arguments or self.returns or self.raises)


def described(text: str) -> Described:
    """The names in the sections of a docstring, of a text that holds one between triple quotes, or of a text alone."""
    quoted = _QUOTED.search(text)
    lines = (quoted[2] if quoted else text).splitlines()[:MOST_LINES]
    arguments: set[str] = set()
    raises: set[str] = set()
    returns = False
    for match in _FIELD.finditer("\n".join(lines)):
        about, kind = (match["about"] or "").split(), match["kind"]
        if kind.startswith(("param", "arg", "key")) and about:
            arguments.add(about[-1].lstrip("*"))
        elif kind.startswith(("raise", "exc")) and about:
            raises.add(about[-1].rpartition(".")[2])
        elif kind.startswith(("return", "rtype", "yield")):
            returns = True
    for name, names in _sections(lines):
        if name in _ARGUMENTS:
            arguments.update(names)
        elif name == "raises":
            raises.update(each.rpartition(".")[2] for each in names)
        elif name in ("return", "returns", "yield", "yields"):
            returns = True
    return Described(frozenset(arguments), returns, frozenset(raises))


def _sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Each section of Google or NumPy style: its name in small letters, and what it describes."""
    sections: list[tuple[str, list[str]]] = []
    at = 0
    while at < len(lines):
        google = _GOOGLE.match(lines[at])
        numpy = at + 1 < len(lines) and _UNDERLINE.match(lines[at + 1]) and lines[at].strip()
        if numpy:
            end = _next_heading(lines, at + 2)
            sections.append((lines[at].strip().lower(), _numpy_names(lines[at + 2 : end])))
            at = end
        elif google:
            indent, end = len(google["indent"].expandtabs()), at + 1
            while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
                end += 1
            sections.append((google["name"].lower(), _google_names(lines[at + 1 : end])))
            at = end
        else:
            at += 1
    return sections


def _next_heading(lines: list[str], start: int) -> int:
    underlined = (at for at in range(start, len(lines) - 1) if lines[at].strip() and _UNDERLINE.match(lines[at + 1]))
    return next(underlined, len(lines))


def _indent(line: str) -> int:
    line = line.expandtabs()
    return len(line) - len(line.lstrip())


def _outermost(lines: list[str]) -> list[str]:
    """The lines that are not indented further than the first: those that begin an entry."""
    filled = [line for line in lines if line.strip()]
    least = min(map(_indent, filled), default=0)
    return [line.strip() for line in filled if _indent(line) == least]


def _google_names(lines: list[str]) -> list[str]:
    return [match["name"] for line in _outermost(lines) if (match := _GOOGLE_ITEM.match(line))]


def _numpy_names(lines: list[str]) -> list[str]:
    matches = [match for line in _outermost(lines) if (match := _NUMPY_ITEM.match(line))]
    return [name.strip().lstrip("*") for match in matches for name in match["names"].split(",")]


def _score(output: str, target: str, _options: Options) -> float:
    """Where neither describes anything, any docstring that says something agrees."""
    return float(bool(output.strip()) and described(output) == described(target)) or float(
        not output.strip() and not target.strip()
    )


def _view(text: str, _options: Options) -> str:
    seen = described(text)
    if seen.empty:
        return "no sections"
    lines = [f"Args: {', '.join(sorted(seen.arguments))}"] if seen.arguments else []
    lines += ["Returns"] if seen.returns else []
    return "\n".join([*lines, *([f"Raises: {', '.join(sorted(seen.raises))}"] if seen.raises else [])])


METRICS = (Metric(name="docstring", binary=True, score=_score, view=_view),)
