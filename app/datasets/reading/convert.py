"""How a record of a known shape becomes the one shape we work with.

A record is a conversation up to the answer (`messages`) and the answer wanted (`target`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.chat import Message, Record
from app.datasets.reading import (
    content_parts,
    context_fields,
    conversations,
    json_text,
    messages,
    sharegpt,
    test_cases,
    tool_calls,
    turns,
)
from app.datasets.reading.columns import TIMES, group_of, part_of, time_of, value_at
from app.datasets.reading.faults import Unfit, storable, wrong_kind
from app.datasets.reading.read_as import COLUMN_NAMES, GUESS, TRAIN, ReadAs
from app.datasets.reading.shapes import (
    ALPACA,
    CHAT,
    COLUMNS,
    LABELLED,
    MLFLOW,
    PAIR_OF,
    PROMPT,
    PROMPTFOO,
    SHAREGPT,
    Shape,
)
from app.datasets.reading.tool_calls import Definition
from app.datasets.reading.turns import Turn
from app.json_types import JsonObject
from app.wording import state


def used_keys(shape: Shape, how: ReadAs = GUESS) -> frozenset[str]:
    """The keys that `convert` reads; all others are kept out."""
    marks = frozenset((how.group or "group", how.part or "split", *((how.time,) if how.time else TIMES)))
    if shape is COLUMNS:
        return marks | {how.question, how.answer, how.system} | _beside_columns(how)
    if shape in (PROMPTFOO, MLFLOW):
        return marks | (_PROMPTFOO if shape is PROMPTFOO else {"inputs", "expectations"})
    more = context_fields.names(_asked_under(shape)) | {
        "system",
        *_TOOLS,
        *turns.THOUGHTS,
        *turns.MEDIA,
    }
    if shape in (CHAT, SHAREGPT):
        own = {_asked_under(shape)[0], "parallel_tool_calls", "schemaVersion"}
        return marks | (more - {*context_fields.TITLES, "input"}) | own
    return marks | more | {*_asked_under(shape), *_ALSO.get(shape.name, ())}


_PROMPTFOO = {"vars", "assert", test_cases.EXPECTED, *(f"{test_cases.EXPECTED}{number}" for number in range(1, 10))}
_TOOLS = ("tools", "functions", "toolConfig")
_ALSO = {"alpaca": ("history",), "prompt_completion": ("label",)}
_ASKED_UNDER: dict[str, tuple[str, ...]] = {
    **PAIR_OF,
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


def convert(shape: Shape, record: JsonObject, line: int, how: ReadAs = GUESS) -> tuple[Record, Aside]:
    """The record in our own shape, and what was left out of it or put where it did not stand.

    Raises:
        Unfit: a value is missing, blank or of the wrong kind.
    """
    group, part, time = group_of(record, how), part_of(record, how), time_of(record, how)
    if (
        (wanted := _answer_at(shape, how))
        and (stated := value_at(record, wanted)) is not None
        and type(stated) is not str
    ):
        record = {**record, wanted: json_text.answer_as_written(stated, wanted)}
    asked_under = _asked_under(shape)
    # Nearly all records hold a question and an answer, and nothing beside them.
    more = bool(asked_under) and len(record) > len(asked_under)
    joined, thought = _beside_question(shape, record) if more else ((), "")
    if shape is COLUMNS:
        joined = _full(record, _beside_columns(how))
    if (pair := PAIR_OF.get(shape.name)) and _two_texts(record, *pair):
        question = _text(record[pair[0]], pair[0])
        if joined:
            question = context_fields.added(record, question, pair, line_first=shape is LABELLED)
        messages = (*_system(record), Message("user", question))
        target = _unblanked(shape, _text(record[pair[1]], pair[1]))
        aside = Aside(thought=thought, joined=joined) if joined or thought else NOTHING
        reasoning = _reasoning(how, turns.reasoning_text(record[thought]) if thought else "")
        return Record(line, messages, target, group, part, None, time, reasoning), aside
    spoken, definitions, at = _turns(shape, record, how)
    if joined:
        _join(spoken, {key: record[key] for key in joined})
    conversation = conversations.into_messages(spoken, definitions, at)
    if conversation.source and shape is CHAT and isinstance(together := record.get("parallel_tool_calls"), bool):
        conversation.source["parallel_tool_calls"] = together  # nothing here asks for it; the export gives it back
    aside = Aside(conversation.cut, thought or conversation.thought, conversation.padded, joined)
    reasoning = _reasoning(how, turns.reasoning_text(record[thought]) if thought else conversation.reasoning)
    source = conversation.source
    return Record(line, conversation.messages, conversation.target, group, part, source, time, reasoning), aside


def _reasoning(how: ReadAs, text: str) -> str:
    """
    Raises:
        Unfit: it can't be stored.
    """
    return storable(text, "reasoning") if how.reasoning == TRAIN else ""


def _beside_question(shape: Shape, record: JsonObject) -> tuple[tuple[str, ...], str]:
    """The columns that belong to the question, and the key of what was thought before the answer.

    Raises:
        Unfit: something is there that can't be asked, or two answers of which one is a model's.
    """
    name = _asked_under(shape)[-1]
    if record.get("ground_truth") and name in ("answer", "response"):
        raise Unfit("ground_truth", state("two_answers", name=name))
    turns.refuse_media(record)
    names = _beside(shape)
    return _full(record, names), next((key for key in turns.THOUGHTS if not _blank(record, key)), "")


def _answer_at(shape: Shape, how: ReadAs) -> str:
    """The key whose value is an answer whatever it is: a label or a yes or no may be true, 0.0 or a list.

    A completion is text; one that is a number is a fault of the file.
    """
    if shape is COLUMNS:
        return how.answer
    return PAIR_OF[shape.name][1] if shape.name in PAIR_OF and shape is not PROMPT else ""


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


def _full(record: JsonObject, names: frozenset[str]) -> tuple[str, ...]:
    return tuple(key for key in record if key in names and record[key] not in (None, "", []))


def _join(turns: list[Turn], parts: JsonObject) -> None:
    """Write what stands beside a conversation below the last thing that the user says before the answer."""
    last = max((place for place, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
    place = max((place for place, turn in enumerate(turns[:last]) if turn.role == "user"), default=-1)
    if place < 0:
        return
    turn = turns[place]
    text = context_fields.added(parts, turn.text, (), line_first=False)
    turns[place] = replace(turn, text=text, raw={**turn.raw, "content": text})


def _blank(record: JsonObject, key: str) -> bool:
    value = record.get(key)
    return not value.strip() if isinstance(value, str) else not value


def _two_texts(record: JsonObject, first: str, second: str) -> bool:
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


def _system(record: JsonObject) -> tuple[Message, ...]:
    text = _instruction(record, "system")
    return (Message("system", text),) if text else ()


def _instruction(record: JsonObject, at: str) -> str:
    """A system text that stands beside the conversation, as text or (Anthropic) in parts; empty if there is none."""
    text = value_at(record, at)
    if isinstance(text, list) and text:
        text = content_parts.joined_texts(text, at)
    if text and not isinstance(text, str):
        raise wrong_kind(at, "text", text)
    return storable(text, at) if isinstance(text, str) and text.strip() else ""


def _unblanked(shape: Shape, target: str) -> str:
    """Old guides had people begin each completion with one blank; it is no part of the answer."""
    return target[1:] if shape is PROMPT and target[0] == " " and target[1] != " " else target


def _turns(shape: Shape, record: JsonObject, how: ReadAs) -> tuple[list[Turn], list[Definition], str]:
    """The conversation of a record, its tools, and the key that faults of the conversation are about."""
    if shape is CHAT:
        turns = messages.turns_of_messages(json_text.list_in_cell(record["messages"]), "messages")
        return _with_system(record, turns, "system"), _tools(record), "messages"
    if shape is SHAREGPT:
        turns = sharegpt.turns_of_sharegpt(json_text.list_in_cell(record["conversations"]))
        return _with_system(record, turns, "system"), _tools(record), "conversations"
    if shape is ALPACA:
        return _alpaca(record), [], "output"
    if shape is COLUMNS:
        question = value_at(record, how.question)
        turns = [*_asked(question, how.question), *_answered(value_at(record, how.answer), how.answer)]
        return _with_system(record, turns, how.system) if how.system else turns, [], how.answer
    if shape in (PROMPTFOO, MLFLOW):
        return _case(shape, record), [], "messages"
    first, second = PAIR_OF[shape.name]
    if second == "expectedOutput" and isinstance(given := record.get(first), dict) and "messages" not in given:
        record = {**record, first: test_cases.inputs(given, first)}
    if shape is PROMPT and _unwanted(record.get("label")):
        raise Unfit("label", state("unwanted"))
    turns = [*_asked(record.get(first), first), *_answered(record.get(second), second)]
    return _with_system(record, turns, "system"), _tools(record), second


def _tools(record: JsonObject) -> list[Definition]:
    """The tools that a model may call, under the name that one or the other gives them."""
    return tool_calls.definitions_of(next((record[key] for key in _TOOLS if record.get(key)), None))


def _case(shape: Shape, record: JsonObject) -> list[Turn]:
    """A test case: MLflow's, promptfoo's as an object, or promptfoo's as a row of a table."""
    if shape is MLFLOW:
        inputs, wanted = (json_text.list_in_cell(record[name], "{") for name in ("inputs", "expectations"))
        key, wanted, at = "inputs", test_cases.expectations(wanted), "expectations"
    elif "vars" in record and "assert" in record:
        cells = json_text.list_in_cell(record["vars"], "{"), json_text.list_in_cell(record["assert"])
        asked, wanted = test_cases.question_and_answer(*cells)
        return [*_asked(asked, "vars"), *_answered(wanted, "assert")]
    else:
        wanted, taken = test_cases.expected(record)
        inputs = {name: value for name, value in test_cases.variables(record).items() if name != taken}
        key, at = "the columns", test_cases.EXPECTED
    return [*_asked(test_cases.inputs(inputs, key), key), *_answered(wanted, at)]


def _alpaca(record: JsonObject) -> list[Turn]:
    instruction = _text(record.get("instruction"), "instruction")
    extra = record.get("input") or ""
    if not isinstance(extra, str):
        raise wrong_kind("input", "text", extra)
    if extra.strip():
        instruction = f"{instruction}\n{storable(extra, 'input')}"
    turns = [*_history(record.get("history")), _turn("user", instruction)]
    turns.append(_turn("assistant", _text(record.get("output"), "output")))
    return _with_system(record, turns, "system")


def _history(exchanges: object) -> Iterator[Turn]:
    """Earlier exchanges: a list of [question, answer] pairs."""
    if not exchanges:
        return
    exchanges = json_text.list_in_cell(exchanges)
    if not isinstance(exchanges, list):
        raise wrong_kind("history", "pairs", exchanges)
    for number, pair in enumerate(exchanges):
        at = f"history[{number}]"
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise Unfit(at, state("no_pair", at=at))
        yield _turn("user", storable(pair[0], at))
        yield _turn("assistant", storable(pair[1], at))


def _asked(value: object, at: str) -> list[Turn]:
    """A question as text, as a list of messages, or as an object that holds such a list."""
    if isinstance(value, dict) and "messages" in value:
        value = value["messages"]
    if isinstance(value, list):
        return messages.turns_of_messages(value, at)
    return [_turn("user", _text(value, at))]


def _answered(value: object, at: str) -> list[Turn]:
    if isinstance(value, dict) and value.get("role") == "assistant":
        value = [value]
    if isinstance(value, list) and value and all(isinstance(message, dict) and "role" in message for message in value):
        return messages.turns_of_messages(value, at)
    return [_turn("assistant", _text(value, at))]


def _with_system(record: JsonObject, turns: list[Turn], at: str) -> list[Turn]:
    if (text := _instruction(record, at)) and not any(turn.role == "system" for turn in turns):
        return [_turn("system", text), *turns]
    return turns


def _turn(role: str, text: str) -> Turn:
    return Turn(role, text, raw={"role": role, "content": text})


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise wrong_kind(at, "quoted", value)
    if not value.strip():
        raise Unfit(at, state("empty", at=at), "empty")
    return storable(value, at)
