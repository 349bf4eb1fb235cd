"""JSON in a model's answer: found in what stands around it, read with exact numbers, compared, and shown. Pure."""

import json
import re
from decimal import Decimal, InvalidOperation

# A fence of back ticks or tildes, on lines of its own or on one; what follows its opening may name the language.
FENCE = re.compile(
    r"(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[\w.+-]*)[ \t]*\n?(?P<inside>.*?)\n?[ \t]*(?P=fence)", re.DOTALL
)
# The same around all of a text: what stands inside may hold back ticks too, but no line that begins with them.
WHOLE = re.compile(FENCE.pattern.replace(".*?", ".*"), re.DOTALL)
FENCED_LINE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})", re.MULTILINE)
MARKS_FIRST = (
    "\ufeff",
    "\u00ef\u00bb\u00bf",
    "\u200b",
    "\u2060",
)  # a byte-order mark, as it is and as Latin-1 reads it
NOTHING = object()  # what a text that is no JSON says


def bare(text: str, *, fence: bool = False, around: bool = False) -> str:
    """What is read as JSON: the text without a byte-order mark, and without a fence or sentences where that is allowed.

    fence: the whole answer may be one fence. around: other text may stand before and behind it. Two are never one.
    """
    text = _unmarked(text)
    if not fence and not around:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = WHOLE.fullmatch(text)
    if whole and not FENCED_LINE.search(whole["inside"]):
        return _unmarked(whole["inside"])
    fences = list(FENCE.finditer(text))
    if len(fences) == 1 and (around or fences[0].span() == (0, len(text))):
        return _unmarked(fences[0]["inside"])
    return _only(text) if around and not fences else text


def _unmarked(text: str) -> str:
    text = text.strip()
    while mark := next((mark for mark in MARKS_FIRST if text.startswith(mark)), ""):
        text = text.removeprefix(mark).strip()
    return text.rstrip("\ufeff\u200b\u2060").rstrip()


def _only(text: str) -> str:
    """The one object or list inside a text; the whole text when there is none, or more than one."""
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts:
        return text
    first = min(starts)
    try:
        _, end = json.JSONDecoder().raw_decode(text, first)
    except (ValueError, RecursionError):
        return text
    return text if {"{", "["} & set(text[end:]) else text[first:end]


def parsed(text: str, *, fence: bool = False, around: bool = False) -> object:
    """The value, with every number as it is written: a float would round a long one to its neighbour."""
    read = bare(text, fence=fence, around=around)
    try:
        value = json.loads(read, parse_int=Decimal, parse_float=Decimal, parse_constant=_refuse)
        if "\\u" in read:
            written(value).encode()  # half a character cannot be kept or shown
    except (ValueError, RecursionError, InvalidOperation):
        return NOTHING
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def same(one: object, other: object) -> bool:
    """Equal as JSON: 1 and 1.0 are the same number, true is not 1, the order of keys does not matter."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def fields(value: object, path: str = "") -> dict[str, object]:
    """Every field of an object with its value, by its path (`address.city`); fields of objects in it stand for
    themselves, a list is one value. What is no object is one field without a name."""
    if not isinstance(value, dict) or (path and not value):
        return {path: value}
    held: dict[str, object] = {}
    for name, inner in value.items():
        held |= fields(inner, f"{path}.{name}" if path else name)
    return held


def judged_fields(wanted: object, answered: object) -> dict[str, str]:
    """Each field of the wanted JSON as right, other or missing, then those that only the answer has as extra.

    answered: NOTHING where the answer is no JSON; then every field is missing.
    """
    given = {} if answered is NOTHING else fields(answered)
    judged = {
        name: "missing" if name not in given else "right" if same(given[name], value) else "other"
        for name, value in fields(wanted).items()
    }
    return judged | {name: "extra" for name in given if name not in judged}


def written(value: object, indent: str = "") -> str:
    """JSON with sorted keys, two blanks a level, and numbers digit by digit."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(k, ensure_ascii=False)}: {written(value[k], deeper)}" for k in sorted(value)]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(deeper + written(entry, deeper) for entry in value) + f"\n{indent}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
