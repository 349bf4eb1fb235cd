"""What is noticed about the records of a file, and said at its end."""

from collections import Counter
from collections.abc import Iterable, Iterator

from app.chat import Record
from app.datasets.reading import context_fields, test_cases
from app.datasets.reading.columns import Mark, columns_of, misread
from app.datasets.reading.convert import NOTHING, Aside, used_keys
from app.datasets.reading.faults import Fault, kind_of
from app.datasets.reading.messages import KNOWN_KEYS
from app.datasets.reading.read_as import TRAIN, ReadAs
from app.datasets.reading.shapes import PROMPTFOO, Shape
from app.json_types import JsonDict, JsonObject
from app.privacy import masking
from app.wording import state

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

    def look(self, value: JsonObject, *, always: bool = False) -> None:
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

    def note(self, value: JsonObject, record: Record, shape: Shape, how: ReadAs) -> None:
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
                f"messages.{key}" for turn in _turns(record.source) for key in turn if key not in KNOWN_KEYS
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
        """All of it. records: how many were tried; shape: of the file."""
        if self.tool_rows:
            yield Fault(None, "tool_calls", state("tools_called", records=self.tool_rows), "warning")
        yield from self._asides(how)
        yield from self._names_and_long_texts(records, shape, how)
        for (mark, name), counted in self._misread.items():
            values = [seen for seen, _ in counted.most_common(_NAMES_QUOTED)]
            where = {"column": name[:80], "records": counted.total()}
            misread_as = state("misread", mark=mark, values=values, more=len(counted) > _NAMES_QUOTED, **where)
            yield Fault(None, name[:80], misread_as, "warning")
        if self.tidied:
            yield Fault(None, "", state("tidied"), "warning")
        if self.unused:
            names = [key[:40] for key, _ in self.unused.most_common(_KEYS_NAMED)]
            yield Fault(None, "", state("unused", names=names, more=len(self.unused) - len(names)), "note")

    def _asides(self, how: ReadAs) -> Iterator[Fault]:
        """What became of the parts of records that have no place in ours."""
        if self._thoughts:
            trained, names = how.reasoning == TRAIN, _named(self._thoughts)
            thoughts = state("thoughts", records=self._thoughts.total(), trained=trained, **names)
            yield Fault(None, next(iter(self._thoughts)), thoughts, "warning")
        if self._padded:
            yield Fault(None, "tool_calls", state("padded", arguments=self._padded), "note")
        for name, number in self._joined.most_common():
            yield Fault(None, name, state("joined", column=name, records=number), "note")

    def _names_and_long_texts(self, records: int, shape: Shape | None, how: ReadAs) -> Iterator[Fault]:
        """Keys that are not asked, though a model might need what they hold."""
        titles = [name for name in context_fields.TITLES if name in self.unused]
        if titles and shape is not None and shape.name in ("chat", "sharegpt"):
            yield Fault(None, titles[0], state("title", column=titles[0]), "warning")
        often = {name: count for name, count in self._long.items() if 2 * count > records}
        if often and not how.shape:
            yield Fault(None, min(often)[:80], state("long_texts", **_named(Counter(often))), "warning")


def _named(counted: Counter[str]) -> JsonDict:
    """The commonest names, for a sentence."""
    names = [name[:40] for name, _ in counted.most_common(_NAMES_QUOTED)]
    return {"names": names, "more": len(counted) > len(names)}


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) >= context_fields.LONG


def _turns(source: JsonObject) -> list[JsonDict]:
    """The messages of a conversation in OpenAI's form, which `conversations` made."""
    turns = source["messages"]
    return turns if isinstance(turns, list) else []


def _uses_tools(source: JsonObject) -> bool:
    """Whether tools are defined or called in a conversation."""
    calls = {"tool_calls", "function_call", "tool_call_id"}
    return "tools" in source or any(not calls.isdisjoint(turn) for turn in _turns(source))


def _sample(value: object) -> str:
    """A short look at a value."""
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return f"{kind_of(value)} of {len(value):,}"
    # Hidden before it is cut; nobody decides on a column that is not read, so it is never shown in full.
    return " ".join(masking.mask(str(value)[:4000]).split())[:80]
