"""YAML of people who keep test cases in it, read so that nothing in it can run, refer to itself without end, or swell.

Built from the parser's events, one after the other: no tag makes an object, no alias is copied out before it is known
how large that would be, and brackets are counted as they open. Words mean what they mean to the tools that write such
files (YAML 1.2's core schema, as js-yaml reads it): `no` and `on` are text, only true and false are not.
"""

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeAlias

from app.datasets.reading.faults import DEEPEST, Unreadable
from app.datasets.reading.json_text import Written
from app.wording import state

LONGEST = 4 << 20  # bytes of a file; what people write by hand has some hundred KiB
MOST_NODES = 500_000  # values, each alias counted as what it stands for
NAMES = (
    *("vars", "assert", "description", "tests", "prompts", "providers", "targets", "defaultTest", "scenarios", "env"),
    *("options", "threshold", "metadata", "tags", "evaluateOptions", "commandLineOptions", "outputPath", "sharing"),
    *("extensions", "derivedMetrics", "nunjucksFilters", "redteam"),
)

# What was read of the lines before a key is never read another way: with a way more each, a few lines take for ever.
_BEGINS = re.compile(
    rb"(?:(?:---)?[ \t]*+(?:#[^\n]*+\n|\r?\n)|%YAML[^\n]*+\n)*+(?:-[ \t]+)?(?:"
    + "|".join(NAMES).encode()
    + rb")[ \t]*:(?:[ \t\r\n]|$)"
)
_PLAIN_TAG = re.compile(r"tag:yaml\.org,2002:(?:str|int|float|bool|null|map|seq)")
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
STRING = "tag:yaml.org,2002:str"


Event: TypeAlias = Any
"""An event of the YAML library, which has no types."""


class Lined(dict[str, object]):
    """An object that knows the line on which it begins."""

    line: int = 0


def begins(start: bytes) -> bool:
    """Whether a text begins as test cases in YAML do: with one of promptfoo's keys, after comments."""
    return _BEGINS.match(start) is not None


def load(data: bytes) -> object:
    """The one document of a file.

    Raises:
        Unreadable: it is no YAML, or more than is read.
    """
    import yaml

    if len(data) > LONGEST:
        raise Unreadable(state("yaml_large", mib=LONGEST >> 20))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml).document(yaml.parse(data, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it can't be parsed")
        raise Unreadable(state("no_yaml", problem=problem[:200]), mark.line + 1 if mark else None) from error


class _Composer:
    """Makes values of events. One document, then it is used up."""

    def __init__(self, yaml: ModuleType) -> None:
        self._yaml = yaml
        self._anchors: dict[str, tuple[object, int]] = {}  # the value and how many nodes it stands for
        self._open: set[str] = set()
        self._nodes = 0

    def document(self, events: Iterator[Event]) -> object:
        yaml, value, documents = self._yaml, None, 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Unreadable(state("yaml_documents"), _line(event))
            elif isinstance(event, yaml.NodeEvent):
                value = self._node(event, events, 0)
        return value

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> object:
        yaml = self._yaml
        if depth > DEEPEST:
            raise Unreadable(state("yaml_deep", most=DEEPEST), _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None and not _PLAIN_TAG.fullmatch(event.tag) and event.tag != "!":
            raise Unreadable(state("yaml_tag", tag=event.tag[:60]), _line(event))
        value: object
        items: list[object]
        before, anchor = self._nodes, event.anchor
        self._count(1, event)
        if anchor:
            self._open.add(anchor)
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = items = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self._node(inner, events, depth + 1))
        else:
            value = self._mapping(event, events, depth)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = value, self._nodes - before
        return value

    def _mapping(self, event: Event, events: Iterator[Event], depth: int) -> Lined:
        value = Lined()
        value.line = _line(event)
        while not isinstance(key := next(events), self._yaml.MappingEndEvent):
            if not isinstance(key, self._yaml.ScalarEvent):
                raise Unreadable(state("yaml_key"), _line(key))
            if key.value == "<<" and not key.style:
                raise Unreadable(state("yaml_merge"), _line(key))
            if key.value in value:
                raise Unreadable(state("key_twice", key=key.value[:80]), _line(key))
            self._count(1, key)
            value[key.value] = self._node(next(events), events, depth + 1)
        return value

    def _alias(self, event: Event) -> object:
        if event.anchor in self._open or event.anchor not in self._anchors:
            raise Unreadable(state("yaml_alias", anchor=event.anchor[:60]), _line(event))
        value, size = self._anchors[event.anchor]
        self._count(size, event)
        return value

    def _count(self, more: int, event: Event) -> None:
        self._nodes += more
        if self._nodes > MOST_NODES:
            raise Unreadable(state("yaml_swollen", most=MOST_NODES), _line(event))


def _scalar(event: Event) -> object:
    """A value as YAML 1.2's core schema reads it; a number too long to be exact stays text."""
    text: str = event.value
    if event.style or event.tag in (STRING, "!"):
        return text
    if _NULL.fullmatch(text):
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) and not _padded(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not _padded(text):
        return Written(text)
    return text


def _padded(text: str) -> bool:
    """Whether a number has zeros in front: a postcode or a key, which would lose them."""
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1
