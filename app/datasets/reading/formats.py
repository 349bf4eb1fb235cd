"""The shapes an uploaded record may have, and how each becomes the one shape we work with.

A record is a conversation up to the answer (`messages`) and the answer wanted (`target`). Which shape a record has is
seen from its keys alone; a file is named after the shape of its first record. Where the guess is wrong, or there is
none, people say how the file is to be read (`ReadAs`). Shapes of others that we know but can't use as they are
(preference pairs, plain passages) are called by their name, so that the person knows what to choose or to change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from app.chat import Message, Part, Record
from app.datasets.reading import context_fields, conversations, test_cases
from app.datasets.reading.conversations import Turn
from app.datasets.reading.faults import Unfit, kind_of, storable


@dataclass(frozen=True, slots=True)
class Shape:
    """A known record shape. `about` says in one sentence what is done with it."""

    name: str
    title: str
    about: str


PROMPT = Shape(
    "prompt_completion", "Prompt and completion", "The prompt is asked, the completion is the answer wanted."
)
CHAT = Shape(
    "chat",
    "Chat messages",
    "The last assistant message is the answer wanted; everything before it is asked.",
)
ALPACA = Shape(
    "alpaca", "Instruction, input and output", "Instruction and input are asked, output is the answer wanted."
)
SHAREGPT = Shape(
    "sharegpt", "Conversations", "The last answer of gpt is the answer wanted; everything before it is asked."
)
COLUMNS = Shape("columns", "Columns of your choice", "One column is asked, another is the answer wanted.")
LABELLED = Shape("text_label", "Text and label", "The text is asked, the label is the answer wanted.")
PAIRS = {
    ("question", "answer"): Shape(
        "question_answer", "Question and answer", "The question is asked, the answer is wanted."
    ),
    ("query", "response"): Shape("query_response", "Query and response", "The query is asked, the response is wanted."),
    ("input", "output"): Shape("input_output", "Input and output", "The input is asked, the output is wanted."),
    ("input", "expectedOutput"): Shape(
        "input_expected", "Input and expected output", "The input is asked, the expected output is wanted."
    ),
    ("instruction", "response"): Shape(
        "instruction_response", "Instruction and response", "The instruction is asked, the response is wanted."
    ),
    ("text", "label"): LABELLED,
    ("prompt", "response"): Shape(
        "prompt_response", "Prompt and response", "The prompt is asked, the response is wanted."
    ),
    ("question", "response"): Shape(
        "question_response", "Question and response", "The question is asked, the response is wanted."
    ),
    ("question", "ground_truth"): Shape(
        "question_truth", "Question and ground truth", "The question is asked, the ground truth is wanted."
    ),
    ("user_input", "reference"): Shape(
        "input_reference", "User input and reference", "The user's input is asked, the reference is wanted."
    ),
    ("input", "expected_output"): Shape(
        "input_expected_output", "Input and expected output", "The input is asked, the expected output is wanted."
    ),
    ("input", "expected"): Shape("input_wanted", "Input and expected", "The input is asked, the expected is wanted."),
    ("text_input", "output"): Shape(
        "text_output", "Text input and output", "The input is asked, the output is wanted."
    ),
}
PROMPTFOO = Shape(
    "promptfoo", "promptfoo test cases", "The variables are asked, the answer that has to be equal is wanted."
)
MLFLOW = Shape("mlflow", "MLflow test cases", "The inputs are asked, the expected response is wanted.")
# In the order in which a file is tried for them.
SHAPES = {shape.name: shape for shape in (CHAT, PROMPT, ALPACA, SHAREGPT, PROMPTFOO, MLFLOW, *PAIRS.values(), COLUMNS)}
_PAIR_OF = {shape.name: pair for pair, shape in PAIRS.items()} | {"prompt_completion": ("prompt", "completion")}
# The keys that make a record of a shape; the first that fits.
_BY_KEYS: tuple[tuple[set[str], Shape], ...] = (
    ({"messages"}, CHAT),
    ({"prompt", "completion"}, PROMPT),
    ({"instruction", "output"}, ALPACA),
    ({"conversations"}, SHAREGPT),
    ({"vars", "assert"}, PROMPTFOO),
    ({test_cases.EXPECTED}, PROMPTFOO),
    ({"inputs", "expectations"}, MLFLOW),
    *((set(pair), shape) for pair, shape in PAIRS.items()),
)

TIMES = ("time", "timestamp", "date", "created_at", "created")  # columns that say when a row came up

# Shapes we can name but not use, by the keys that give them away.
_CHOOSE = "choose the columns that hold the question and the answer wanted"
_FOREIGN = (
    (
        {"prompt", "chosen", "rejected"},
        "holds preference pairs (chosen, rejected); to learn from the better ones choose chosen as the answer column",
    ),
    (
        {"chosen", "rejected"},
        "holds preference pairs without a prompt; take rejected out and rename chosen to messages (a list) or text",
    ),
    ({"conversation_a", "conversation_b"}, "compares two conversations; keep the better one, under the name messages"),
    ({"preferred_output"}, "holds preference pairs; choose input and preferred_output as the columns"),
    (
        {"custom_id"},
        "is a line of a batch, a request or an answer; join the two by custom_id into prompt and completion",
    ),
    ({"annotations", "data"}, "is a task of Label Studio; export as JSON-MIN or CSV, and choose the columns"),
    ({"inputs", "outputs"}, f"holds inputs and outputs; {_CHOOSE} (such as inputs.question and outputs.answer)"),
    ({"vars"}, f"is a promptfoo test case without assert; {_CHOOSE} (such as vars.question)"),
)
_PASSAGE = frozenset({"id", "_id", "text", "title", "source", "url", "metadata", "meta", "split", "group", *TIMES})
Mark = Literal["split", "group"]
_PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "val": "dev",
    "eval": "dev",
    "evaluation": "dev",
    "development": "dev",
    "test": "test",
    "testing": "test",
    "heldout": "test",
    "holdout": "test",
}


@dataclass(frozen=True, slots=True)
class ReadAs:
    """How a person wants a file to be read; what is empty is guessed.

    shape: a name of SHAPES; with `columns`, question and answer name the columns that hold them, system one with a
    system text. group, part, time: what belongs together, where a row belongs, when it came up; `group`, `split` and
    one of TIMES, unless others are chosen. A key inside an object is named with a dot: `vars.question`. header: whether
    the first row of a table names its columns; without, they are called "column 1" and so on. encoding: one of
    `encodings.CHOICES`; empty is UTF-8, unless the file begins with the mark of another.
    """

    shape: str = ""
    question: str = ""
    answer: str = ""
    system: str = ""
    group: str = ""
    part: str = ""
    time: str = ""
    header: bool = True
    encoding: str = ""

    @property
    def guessed(self) -> bool:
        return self == ReadAs()

    def in_lower_case(self) -> "ReadAs":
        """The same with its columns in lower case, which is how the first row of a table is read."""
        names: dict[str, Any] = {name: column_name(getattr(self, name)) for name in COLUMN_NAMES}
        return replace(self, **names)

    def to_json(self) -> dict[str, Any]:
        """What differs from a guess; an empty object is a guess."""
        names = ("shape", *COLUMN_NAMES, "header", "encoding")
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(GUESS, name)}


COLUMN_NAMES = ("question", "answer", "system", "group", "part", "time")
GUESS = ReadAs()


def read_as(stored: Mapping[str, Any]) -> ReadAs:
    """What `to_json` wrote."""
    return ReadAs(**stored)


def column_name(given: str) -> str:
    """A column's name as it is read: trimmed, and in lower case but for the one that we know with a capital."""
    name = given.strip().casefold()
    return "expectedOutput" if name == "expectedoutput" else name


def tidy_keys(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record with its keys trimmed and in lower case, or None where that changes nothing or makes two alike."""
    if all(key == column_name(key) for key in record):
        return None
    tidy = {column_name(key): value for key, value in record.items()}
    return tidy if len(tidy) == len(record) else None


def shape_of(keys: Mapping[str, Any] | Sequence[str]) -> Shape | None:
    """Which shape a record with these keys has, or None."""
    have = keys.keys() if isinstance(keys, Mapping) else set(keys)
    return next((shape for wanted, shape in _BY_KEYS if wanted <= have), None)


def stranger(record: Mapping[str, Any]) -> Unfit:
    """Say what a record of no known shape lacks, as precisely as its keys allow."""
    have = set(record)
    if not have:
        return Unfit("", "The object is empty; it needs prompt and completion, or messages.")
    for keys, words in _FOREIGN:
        if keys <= have:
            return Unfit(min(keys), f"The record {words}.")
    conversations.refuse_media(record)
    if "text" in have:
        alone = "The record is plain text without an answer; upload it as a document for retrieval, not as examples."
        return Unfit("text", alone if have <= _PASSAGE else f"The record has text but no label; {_CHOOSE}.")
    for asked, wanted in (("prompt", "completion"), ("instruction", "output"), *PAIRS):
        if asked in have:
            return Unfit(wanted, f"The record has {asked} but no {wanted}.")
        if wanted in have and wanted not in ("input", "text", "label"):
            return Unfit(asked, f"The record has {wanted} but no {asked}.")
    seen = ", ".join(sorted(repr(key[:40]) for key in list(have)[:4]))
    return Unfit("", f"The record has neither prompt and completion nor messages; its keys are {seen}.")


def used_keys(shape: Shape, how: ReadAs = GUESS) -> frozenset[str]:
    """The keys that `convert` reads; all others are kept out."""
    marks = frozenset((how.group or "group", how.part or "split", *((how.time,) if how.time else TIMES)))
    if shape is COLUMNS:
        return marks | {how.question, how.answer, how.system} | _beside_columns(how)
    if shape in (PROMPTFOO, MLFLOW):
        return marks | ({"vars", "assert", test_cases.EXPECTED} if shape is PROMPTFOO else {"inputs", "expectations"})
    more = context_fields.names(_asked_under(shape)) | {
        "system",
        *_TOOLS,
        *conversations.THOUGHTS,
        *conversations.MEDIA,
    }
    if shape in (CHAT, SHAREGPT):
        own = {_asked_under(shape)[0], "parallel_tool_calls", "schemaVersion"}
        return marks | (more - {*context_fields.TITLES, "input"}) | own
    return marks | more | {*_asked_under(shape), *_ALSO.get(shape.name, ())}


_TOOLS = ("tools", "functions", "toolConfig")
_ALSO = {"alpaca": ("history",), "prompt_completion": ("label",)}
_ASKED_UNDER: dict[str, tuple[str, ...]] = {
    **_PAIR_OF,
    "chat": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "input", "output"),
}


def _asked_under(shape: Shape) -> tuple[str, ...]:
    """The keys of question and answer."""
    return _ASKED_UNDER.get(shape.name, ())


@dataclass(frozen=True, slots=True)
class Aside:
    """What of a record is not in ours as it stood there.

    cut: turns after the answer wanted. thought: the key of what was thought before an answer, left out. padded: nulls
    in tool calls that a table put there. joined: columns that became part of the question.
    """

    cut: bool = False
    thought: str = ""
    padded: int = 0
    joined: tuple[str, ...] = ()


NOTHING = Aside()
CUT = "The last answer has weight 0: the one before it is the answer wanted, and the rest is left out."


def convert(shape: Shape, record: Mapping[str, Any], line: int, how: ReadAs = GUESS) -> tuple[Record, Aside]:
    """The record in our own shape, and what was left out of it or put where it did not stand.

    Raises:
        Unfit: a value is missing, blank or of the wrong kind.
    """
    group, part, time = _group(record, how), _part(record, how), _time(record, how)
    if (wanted := _answer_at(shape, how)) and (said := _value(record, wanted)) is not None and type(said) is not str:
        record = {**record, wanted: conversations.written(said, wanted)}
    asked_under = _asked_under(shape)
    # Nearly all records hold a question and an answer, and nothing beside them.
    more = bool(asked_under) and len(record) > len(asked_under)
    joined, thought = _found_beside(shape, record) if more else ((), "")
    if shape is COLUMNS:
        joined = _full(record, _beside_columns(how))
    if (pair := _PAIR_OF.get(shape.name)) and _two_texts(record, *pair):
        asked = _text(record[pair[0]], pair[0])
        if joined:
            asked = context_fields.added(record, asked, pair, line_first=shape is LABELLED)
        messages = (*_system(record), Message("user", asked))
        target = _unblanked(shape, _text(record[pair[1]], pair[1]))
        aside = Aside(thought=thought, joined=joined) if joined or thought else NOTHING
        return Record(line, messages, target, group, part, None, time), aside
    turns, definitions, at = _turns(shape, record, how)
    if joined:
        _join(turns, {key: record[key] for key in joined})
    found = conversations.asked(turns, definitions, at)
    if found.source and shape is CHAT and isinstance(together := record.get("parallel_tool_calls"), bool):
        found.source["parallel_tool_calls"] = together  # nothing here asks for it; the export gives it back
    aside = Aside(found.cut, thought or found.thought, found.padded, joined)
    return Record(line, found.messages, found.target, group, part, found.source, time), aside


def _found_beside(shape: Shape, record: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The columns that belong to the question, and the key of what was thought before the answer.

    Raises:
        Unfit: something is there that can't be asked, or two answers of which one is a model's.
    """
    name = _asked_under(shape)[-1]
    if record.get("ground_truth") and name in ("answer", "response"):
        text = f"The record holds a model's {name} beside the right one (ground_truth)"
        raise Unfit("ground_truth", f"{text}; take {name} out, or choose the columns.")
    conversations.refuse_media(record)
    names = _beside(shape)
    return _full(record, names), next((key for key in conversations.THOUGHTS if not _blank(record, key)), "")


def _answer_at(shape: Shape, how: ReadAs) -> str:
    """The key whose value is an answer whatever it is: a label or a yes or no may be true, 0.0 or a list.

    A completion is text; one that is a number is a fault of the file.
    """
    if shape is COLUMNS:
        return how.answer
    return _PAIR_OF[shape.name][1] if shape.name in _PAIR_OF and shape is not PROMPT else ""


def _beside(shape: Shape) -> frozenset[str]:
    """The keys whose values become part of the question. The title of a conversation is its name, or tells its end."""
    names = _BESIDE.get(shape.name)
    if names is None:
        names = context_fields.names(_asked_under(shape))
        _BESIDE[shape.name] = names = names - {*context_fields.TITLES, "input"} if shape in (CHAT, SHAREGPT) else names
    return names


_BESIDE: dict[str, frozenset[str]] = {}


def _beside_columns(how: ReadAs) -> frozenset[str]:
    """What belongs to the question beside a column of somebody's choice; titles and inputs are theirs to choose."""
    chosen = {getattr(how, name) for name in COLUMN_NAMES}
    return context_fields.names(()) - {*context_fields.TITLES, "input"} - chosen


def _full(record: Mapping[str, Any], names: frozenset[str]) -> tuple[str, ...]:
    return tuple(key for key in record if key in names and record[key] not in (None, "", []))


def _join(turns: list[Turn], parts: Mapping[str, Any]) -> None:
    """Write what stands beside a conversation below the last thing that the user says before the answer."""
    last = max((place for place, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
    place = max((place for place, turn in enumerate(turns[:last]) if turn.role == "user"), default=-1)
    if place < 0:
        return
    turn = turns[place]
    text = context_fields.added(parts, turn.text, (), line_first=False)
    turns[place] = replace(turn, text=text, raw={**turn.raw, "content": text})


def _blank(record: Mapping[str, Any], key: str) -> bool:
    value = record.get(key)
    return not value.strip() if isinstance(value, str) else not value


def _two_texts(record: Mapping[str, Any], first: str, second: str) -> bool:
    """Whether this is a plain pair; nearly all records are, and need none of the care that conversations do."""
    if (
        not isinstance(record.get(first), str)
        or not isinstance(record.get(second), str)
        or any(record.get(key) for key in _TOOLS)
    ):
        return False
    return "label" not in record or not _unwanted(record["label"])


def _unwanted(label: object) -> bool:
    """Whether KTO's mark says that the answer is a bad one; a table writes the mark as text."""
    return label is False or (isinstance(label, str) and label.strip().casefold() == "false")


def _system(record: Mapping[str, Any]) -> tuple[Message, ...]:
    text = _instruction(record, "system")
    return (Message("system", text),) if text else ()


def _instruction(record: Mapping[str, Any], at: str) -> str:
    """A system text that stands beside the conversation, as text or (Anthropic) in parts; empty if there is none."""
    text = _value(record, at)
    if isinstance(text, list) and text:
        text = conversations.joined(text, at)
    if text and not isinstance(text, str):
        raise Unfit(at, f"{at} has to be text, not {kind_of(text)}.")
    return storable(text, at) if isinstance(text, str) and text.strip() else ""


def _unblanked(shape: Shape, target: str) -> str:
    """Old guides had people begin each completion with one blank; it is no part of the answer."""
    return target[1:] if shape is PROMPT and target[0] == " " and target[1] != " " else target


def _turns(shape: Shape, record: Mapping[str, Any], how: ReadAs) -> tuple[list[Turn], list[dict[str, Any]], str]:
    """The conversation of a record, its tools, and the key that faults of the conversation are about."""
    if shape is CHAT:
        turns = conversations.chat(conversations.listed(record["messages"]), "messages")
        return _with_system(record, turns, "system"), _tools(record), "messages"
    if shape is SHAREGPT:
        turns = conversations.sharegpt(conversations.listed(record["conversations"]))
        return _with_system(record, turns, "system"), _tools(record), "conversations"
    if shape is ALPACA:
        return _alpaca(record), [], "output"
    if shape is COLUMNS:
        asked = _value(record, how.question)
        turns = [*_asked(asked, how.question), *_answered(_value(record, how.answer), how.answer)]
        return _with_system(record, turns, how.system) if how.system else turns, [], how.answer
    if shape in (PROMPTFOO, MLFLOW):
        return _case(shape, record), [], "messages"
    first, second = _PAIR_OF[shape.name]
    if second == "expectedOutput" and isinstance(record.get(first), dict) and "messages" not in record[first]:
        record = {**record, first: test_cases.inputs(record[first], first)}
    if shape is PROMPT and _unwanted(record.get("label")):
        text = "The record marks its answer as unwanted (label is false); only wanted answers can be learned from."
        raise Unfit("label", text)
    turns = [*_asked(record.get(first), first), *_answered(record.get(second), second)]
    return _with_system(record, turns, "system"), _tools(record), second


def _tools(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools that a model may call, under the name that one or the other gives them."""
    return conversations.tools(next((record[key] for key in _TOOLS if record.get(key)), None))


def _case(shape: Shape, record: Mapping[str, Any]) -> list[Turn]:
    """A test case: MLflow's, promptfoo's as an object, or promptfoo's as a row of a table."""
    if shape is MLFLOW:
        asked, wanted = (conversations.listed(record[name], "{") for name in ("inputs", "expectations"))
        key, wanted, at = "inputs", test_cases.expectations(wanted), "expectations"
    elif "vars" in record and "assert" in record:
        asked, wanted = conversations.listed(record["vars"], "{"), conversations.listed(record["assert"])
        key, wanted, at = "vars", test_cases.asserted(wanted), "assert"
        if isinstance(asked, str):
            raise Unfit("vars", "vars names a file; write its variables into the case.")
    else:
        key, asked, wanted = (
            "the columns",
            test_cases.variables(record),
            test_cases.expected(record.get(test_cases.EXPECTED)),
        )
        at = test_cases.EXPECTED
    return [*_asked(test_cases.inputs(asked, key), key), *_answered(wanted, at)]


def _alpaca(record: Mapping[str, Any]) -> list[Turn]:
    asked = _text(record.get("instruction"), "instruction")
    extra = record.get("input") or ""
    if not isinstance(extra, str):
        raise Unfit("input", f"input has to be text, not {kind_of(extra)}.")
    if extra.strip():
        asked = f"{asked}\n{storable(extra, 'input')}"
    turns = [*_history(record.get("history")), _turn("user", asked)]
    turns.append(_turn("assistant", _text(record.get("output"), "output")))
    return _with_system(record, turns, "system")


def _history(given: object) -> Iterator[Turn]:
    """Earlier exchanges: a list of [question, answer] pairs."""
    if not given:
        return
    given = conversations.listed(given)
    if not isinstance(given, list):
        raise Unfit("history", f"history has to be a list of question and answer pairs, not {kind_of(given)}.")
    for number, pair in enumerate(given):
        at = f"history[{number}]"
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise Unfit(at, f"{at} has to be a pair of texts, a question and its answer.")
        yield _turn("user", storable(pair[0], at))
        yield _turn("assistant", storable(pair[1], at))


def _asked(value: object, at: str) -> list[Turn]:
    """A question as text, as a list of messages, or as an object that holds such a list."""
    if isinstance(value, dict) and "messages" in value:
        value = value["messages"]
    if isinstance(value, list):
        return conversations.chat(value, at)
    return [_turn("user", _text(value, at))]


def _answered(value: object, at: str) -> list[Turn]:
    if isinstance(value, dict) and value.get("role") == "assistant":
        value = [value]
    if isinstance(value, list) and value and all(isinstance(one, dict) and "role" in one for one in value):
        return conversations.chat(value, at)
    return [_turn("assistant", _text(value, at))]


def _with_system(record: Mapping[str, Any], turns: list[Turn], at: str) -> list[Turn]:
    if (text := _instruction(record, at)) and not any(turn.role == "system" for turn in turns):
        return [_turn("system", text), *turns]
    return turns


def _turn(role: str, text: str) -> Turn:
    return Turn(role, text, raw={"role": role, "content": text})


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise Unfit(at, f"{at} has to be text in quotes, not {kind_of(value)}.")
    if not value.strip():
        raise Unfit(at, f"{at} is empty.", "empty")
    return storable(value, at)


# ---------------------------------------------------------------------- columns
def _value(record: Mapping[str, Any], name: str) -> Any:
    """What a key holds; `a.b` is the key b of the object under a, unless a key is really called so."""
    if name in record or "." not in name:
        return record.get(name)
    value: Any = record
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _group(record: Mapping[str, Any], how: ReadAs) -> str:
    value = _value(record, how.group or "group")
    if isinstance(value, str):
        return value.strip()[:200].replace("\0", "")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a table that has rows without a group writes the numbers of the others as 7.0
    return str(value)[:200] if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _time(record: Mapping[str, Any], how: ReadAs) -> str:
    value = _value(record, how.time) if how.time else next((record[name] for name in TIMES if name in record), None)
    return str(value)[:40] if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _part(record: Mapping[str, Any], how: ReadAs) -> Part | None:
    value = _value(record, how.part or "split")
    return _PARTS.get(value.strip().casefold().replace("-", "").replace("_", "")) if isinstance(value, str) else None


def misread(given: Mapping[str, Any], read: Record, how: ReadAs) -> Iterator[tuple[Mark, str, str]]:
    """The marks of a record that say something which is no part of the split, or no group: mark, column, words."""
    marks: tuple[tuple[Mark, str, object], ...] = (
        ("split", how.part or "split", read.part),
        ("group", how.group or "group", read.group),
    )
    for mark, name, found in marks:
        value = None if found else _value(given, name)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            yield mark, name, repr(value.strip()[:40]) if isinstance(value, str) else kind_of(value)


def columns(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The columns that a person may choose, objects opened one level deep."""
    for key, value in record.items():
        yield key, value
        if isinstance(value, dict):
            for inner, held in value.items():
                yield f"{key}.{inner}", held
