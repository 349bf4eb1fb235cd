"""Values replaced by their kind: in a text, in a JSON value, in a record; and what hides them on pages."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

import orjson

from app.chat import Record
from app.json_types import JsonDict, JsonObject
from app.privacy.decisions import KEEP_AS_IS, undecided
from app.privacy.detect import find
from app.privacy.identifier_report import IdentifierReport
from app.privacy.kinds import KINDS
from app.privacy.records import LONG_NUMBER
from app.text import json_value


def mask(text: str, only: frozenset[str] | None = None) -> str:
    """The text with each value replaced by its kind in square brackets; `only` narrows the kinds.

    JSON stays JSON: a number that goes leaves a string.
    """
    parts, at = [], 0
    for finding in find(text):
        if only is None or finding.kind in only:
            parts += [text[at : finding.start], f"[{finding.kind}]"]
            at = finding.end
    if not parts:
        return text
    masked = "".join([*parts, text[at:]])
    if text.lstrip()[:1] in ("{", "["):
        value = json_value(text)
        if value is not None and json_value(masked) is None:
            return orjson.dumps(mask_json(value, only)).decode()
    return masked


def mask_json(value: object, only: frozenset[str] | None) -> object:
    """The value with every text and long number in it masked, keys included."""
    if isinstance(value, str):
        return mask(value, only)
    if isinstance(value, int) and abs(value) > LONG_NUMBER:
        masked = mask(str(value), only)
        return value if masked == str(value) else masked
    if isinstance(value, list):
        return [mask_json(item, only) for item in value]
    if isinstance(value, dict):
        return masked_object(value, only)
    return value


def masked_object(value: JsonObject, only: frozenset[str] | None) -> JsonDict:
    """The same of an object."""
    return {mask(key, only): mask_json(item, only) for key, item in value.items()}


@dataclass(frozen=True, slots=True)
class Masker:
    """Hides the values of some kinds where rows are shown. Mask a text before you cut it: half a value is one too."""

    kinds: frozenset[str]

    def text(self, text: str) -> str:
        return mask(text, self.kinds) if self.kinds else text

    def everywhere(self, value: object) -> object:
        """The same for every text in a JSON value."""
        return mask_json(value, self.kinds) if self.kinds else value

    def turns(self, messages: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
        return [{**turn, "content": self.text(turn["content"])} for turn in messages]

    def record(self, record: Record) -> Record:
        return masked_record(record, self.kinds) if self.kinds else record


UNMASKED = Masker(frozenset())


def masker(actions: Mapping[str, str]) -> Masker:
    """What hides a version's rows on pages: every kind but those that somebody decided to keep as they are.

    actions: what was decided about each kind (`decisions.actions`).
    """
    return Masker(frozenset(kind for kind in KINDS if actions.get(kind) != KEEP_AS_IS))


def masker_for_undecided(identifiers: IdentifierReport | None, decided: Container[str]) -> Masker:
    """What hides the texts of a measurement: kinds that were found in its rows and that nobody has decided on.

    Rows of decided kinds hold no value that has to be hidden, and what a model makes up has to be seen to be judged.
    identifiers: as a report has them.
    """
    return Masker(frozenset(undecided(identifiers, decided)))


def masked_record(record: Record, only: frozenset[str]) -> Record:
    """The record with the values of these kinds replaced, wherever they stand."""
    messages = tuple(replace(turn, content=mask(turn.content, only)) for turn in record.messages)
    source = None if record.source is None else masked_object(record.source, only)
    group = mask(record.group, only) if record.group else ""
    reasoning = mask(record.reasoning, only) if record.reasoning else ""
    target = mask(record.target, only)
    return replace(record, messages=messages, target=target, source=source, group=group, reasoning=reasoning)
