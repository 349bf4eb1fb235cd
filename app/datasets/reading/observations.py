"""What is noticed about the records of a file, and said at its end."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.chat import Record
from app.datasets.reading import context_fields, test_cases
from app.datasets.reading.columns import Mark, columns_of, misread
from app.datasets.reading.convert import NOTHING, Aside, used_keys
from app.datasets.reading.faults import Fault, kind_of
from app.datasets.reading.messages import KNOWN_KEYS
from app.datasets.reading.read_as import TRAIN, ReadAs
from app.datasets.reading.shapes import PROMPTFOO, Shape
from app.privacy import masking

_MISREAD: dict[Mark, str] = {
    "split": "names no part of the split (train, dev or test), so they are placed as if it said nothing",
    "group": "is neither text nor a number, so nothing keeps these records together",
}
COLUMNS_LISTED, RECORDS_LOOKED_AT, SAMPLES = 40, 200, 3  # of what the page offers to choose from
_KEYS_COUNTED = 50  # names that are remembered of keys that are not used
_KEYS_NAMED = 8
_NAMES_QUOTED = 4


class Observations:
    """Counts what is odd about the records of one file.

    unused: keys that are not read, by records. columns: the keys of the first records with a few of their values, for
    people who have to say how the file is to be read. tool_rows: records in which tools are called or defined. tidied:
    whether key names were read without their spaces and capitals.
    """

    def __init__(self) -> None:
        self.unused: Counter[str] = Counter()
        self.columns: dict[str, list[str]] = {}
        self.tool_rows = 0
        self.tidied = False
        self._long: Counter[str] = Counter()  # keys that are not used and hold long texts, by records
        self._thoughts: Counter[str] = Counter()
        self._joined: Counter[str] = Counter()
        self._padded = 0
        self._misread: dict[tuple[Mark, str], Counter[str]] = {}
        self._looked_at = 0
        self._keys: dict[str, frozenset[str]] = {}

    def look(self, value: Mapping[str, Any], *, always: bool = False) -> None:
        """Remember the columns, and a few short samples of what is in them; of the first records, or `always`."""
        if self._looked_at >= RECORDS_LOOKED_AT and not always:
            return
        self._looked_at += 1
        for name, held in columns_of(value):
            if len(name) > 200 or (name not in self.columns and len(self.columns) >= COLUMNS_LISTED):
                continue
            samples = self.columns.setdefault(name, [])
            if len(samples) < SAMPLES and (text := _sample(held)) and text not in samples:
                samples.append(text)

    def note(self, value: Mapping[str, Any], record: Record, shape: Shape, how: ReadAs) -> None:
        """Count what of a record was not read, and what its marks say that can't be read."""
        if not (used := self._used(shape, how)).issuperset(value):
            table = shape is PROMPTFOO and "vars" not in value
            variables = test_cases.variables(value) if table else ()
            free = [key for key in list(value)[:50] if key and key not in used and key not in variables]
            self._count_unused(free)
            self._long.update(key for key in free if key in self.unused and _is_long(value[key]))
        if shape is PROMPTFOO:
            self._count_unused(f"assert: {kind}" for kind in test_cases.other_assertions(value.get("assert")))
        if record.source is not None:
            self.tool_rows += _uses_tools(record.source)
            self._count_unused(
                f"messages.{key}" for turn in record.source["messages"] for key in turn if key not in KNOWN_KEYS
            )
        for mark, name, text in misread(value, record, how):
            counted = self._misread.setdefault((mark, name), Counter())
            counted[text if text in counted or len(counted) < RECORDS_LOOKED_AT else "others"] += 1

    def note_aside(self, aside: Aside) -> None:
        """Count what of a record was left out, or put where it did not stand."""
        if aside is NOTHING:
            return
        self._padded += aside.padded
        if aside.thought:
            self._thoughts[aside.thought] += 1
        self._joined.update(aside.joined)

    def _used(self, shape: Shape, how: ReadAs) -> frozenset[str]:
        """The keys that are read of this shape, worked out once."""
        if shape.name not in self._keys:
            self._keys[shape.name] = used_keys(shape, how)
        return self._keys[shape.name]

    def _count_unused(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.unused or len(self.unused) < _KEYS_COUNTED:
                self.unused[name] += 1

    # ------------------------------------------------------------------ said at the end
    def faults(self, *, records: int, shape: Shape | None, how: ReadAs) -> Iterator[Fault]:
        """All of it in words. records: how many were tried; shape: of the file."""
        if self.tool_rows:
            text = (
                f"Tools are called or defined in {_records(self.tool_rows)}. A call is written as JSON text and a "
                "tool's result as a user's message, so that any model can be measured on them; a server's own way of "
                "calling tools is not measured."
            )
            yield Fault(None, "tool_calls", text, "warning")
        yield from self._asides(how)
        yield from self._names_and_long_texts(records, shape, how)
        for (mark, name), counted in self._misread.items():
            more = " and more" if len(counted) > _NAMES_QUOTED else ""
            listed = ", ".join(misread_text for misread_text, _ in counted.most_common(_NAMES_QUOTED)) + more
            text = f"{name[:80]!r} of {_records(counted.total())} {_MISREAD[mark]}: {listed}."
            yield Fault(None, name[:80], text, "warning")
        if self.tidied:
            yield Fault(None, "", "Key names were read without their spaces and capitals.", "warning")
        if self.unused:
            names = ", ".join(repr(key[:40]) for key, _ in self.unused.most_common(_KEYS_NAMED))
            more = f" and {len(self.unused) - _KEYS_NAMED} more" if len(self.unused) > _KEYS_NAMED else ""
            yield Fault(None, "", f"Keys that are not used: {names}{more}.", "note")

    def _asides(self, how: ReadAs) -> Iterator[Fault]:
        """What became of the parts of records that have no place in ours."""
        if self._thoughts:
            beside = f"What was thought before the answer stands beside it in {_records(self._thoughts.total())}"
            became = (
                "It is trained before the answer, and models are asked with thinking on where their template knows it."
                if how.reasoning == TRAIN
                else "It is left out: models are asked and trained without it. To have it trained, choose so under "
                "“How the file is read”."
            )
            text = f"{beside} ({_quoted(self._thoughts)}). {became}"
            yield Fault(None, next(iter(self._thoughts)), text, "warning")
        if self._padded:
            arguments, were = ("argument", "was") if self._padded == 1 else ("arguments", "were")
            text = f"{self._padded:,} empty {arguments} that only the table added {were} taken out of tool calls"
            yield Fault(None, "tool_calls", f"{text}: the tools that are called do not define them.", "note")
        for name, number in self._joined.most_common():
            text = f"{name!r} is part of the question in {_records(number)}."
            yield Fault(None, name, text, "note")

    def _names_and_long_texts(self, records: int, shape: Shape | None, how: ReadAs) -> Iterator[Fault]:
        """Keys that are not asked, though a model might need what they hold."""
        titles = [name for name in context_fields.TITLES if name in self.unused]
        if titles and shape is not None and shape.name in ("chat", "sharegpt"):
            text = (
                f"{titles[0]!r} is taken for the conversation's name and is not asked; write it into the first message"
            )
            yield Fault(None, titles[0], f"{text} if a model should see it.", "warning")
        often = {name: count for name, count in self._long.items() if 2 * count > records}
        if often and not how.shape:
            hold, them = ("hold", "one") if len(often) > 1 else ("holds", "it")
            text = f"{_quoted(Counter(often))} {hold} long texts that are not asked"
            yield Fault(None, min(often)[:80], f"{text}. If they are needed to answer, call {them} context.", "warning")


def _records(number: int) -> str:
    return f"{number:,} record{'' if number == 1 else 's'}"


def _quoted(names: Counter[str]) -> str:
    more = " and more" if len(names) > _NAMES_QUOTED else ""
    return ", ".join(repr(name[:40]) for name, _ in names.most_common(_NAMES_QUOTED)) + more


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) >= context_fields.LONG


def _uses_tools(source: Mapping[str, Any]) -> bool:
    """Whether tools are defined or called in a conversation."""
    calls = {"tool_calls", "function_call", "tool_call_id"}
    return "tools" in source or any(not calls.isdisjoint(turn) for turn in source["messages"])


def _sample(value: object) -> str:
    """A short look at a value."""
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return f"{kind_of(value)} of {len(value):,}"
    # Hidden before it is cut; nobody decides on a column that is not read, so it is never shown in full.
    return " ".join(masking.mask(str(value)[:4000]).split())[:80]
