"""Records as other tools export them, turned into shapes that we read: the record anew, or who it is and what to do.

Read are Gemini's contents, OpenAI's evals, Label Studio's and Argilla's annotations, sets with several right answers,
logs of calls, and conversations in one text. What names no single answer is refused, in a sentence that says what the
file is and what to change.
"""

from collections.abc import Collection, Mapping

import orjson

from app.datasets.reading import transcripts
from app.datasets.reading.faults import Unfit, short, wrong_kind
from app.json_types import JsonDict, JsonObject
from app.wording import state

_TEXTS = ("text", "prompt", "conversation", "dialogue", "dialog", "chat", "transcript", "content")
_LISTS = ("conversation", "dialogue", "dialog", "chat", "turns", "dialogs")


def translated(record: JsonObject) -> JsonDict | None:
    """The record in a shape of ours; None where nothing is known about it.

    Raises:
        Unfit: it is known, and can't be used as it is.
    """
    for wanted, turn in _TURNS:
        if wanted <= record.keys() and (record_of_ours := turn(record)) is not None:
            return record_of_ours
    return _one_text(record)


def known(columns: Collection[str]) -> bool:
    """Whether a table with these columns may be one of them."""
    return any(wanted <= {*columns} for wanted, _ in _TURNS)


# ---------------------------------------------------------------------- Gemini
_BLOBS = ("inlineData", "inline_data", "fileData", "file_data")


def _gemini(record: JsonObject) -> JsonDict | None:
    contents = record["contents"]
    if not isinstance(contents, list):
        return None
    messages = [message for number, turn in enumerate(contents) for message in _spoken(turn, f"contents[{number}]")]
    instruction = record.get("systemInstruction", record.get("system_instruction"))
    if isinstance(instruction, dict):
        messages = [
            {**message, "role": "system"} for message in _spoken({**instruction, "role": "user"}, "systemInstruction")
        ] + messages
    elif isinstance(instruction, str) and instruction.strip():
        messages = [{"role": "system", "content": instruction}, *messages]
    return _without(record, "contents", "systemInstruction", "system_instruction") | {"messages": messages}


def _spoken(turn: object, at: str) -> list[JsonDict]:
    parts = turn.get("parts") if isinstance(turn, dict) else None
    if isinstance(parts, dict):
        parts = [parts]
    if not isinstance(turn, dict) or not isinstance(parts, list):
        raise wrong_kind(at, "parts", turn)
    stated = turn.get("role") or "user"
    role = {"model": "assistant", "function": "user"}.get(stated, stated) if isinstance(stated, str) else stated
    blocks: list[JsonDict] = []
    for part in parts:
        held = part if isinstance(part, dict) else {}
        if blob := next((name for name in _BLOBS if name in held), None):
            raise Unfit(at, state("blob", at=at, name=blob))
        if held.get("thought") is True:
            blocks.append({"type": "thinking", "thinking": held.get("text")})
        elif isinstance(call := held.get("functionCall", held.get("function_call")), dict):
            blocks.append(
                {"type": "tool_use", "id": call.get("name"), "name": call.get("name"), "input": call.get("args")}
            )
        elif isinstance(result := held.get("functionResponse", held.get("function_response")), dict):
            blocks.append({"type": "tool_result", "tool_use_id": result.get("name"),
                           "content": [{"json": result.get("response")}]})  # fmt: skip
        elif isinstance(held.get("text"), str):
            blocks.append({"type": "text", "text": held["text"]})
        else:
            raise Unfit(at, state("part_type", at=at, seen=short(next(iter(held), None))))
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    return [{"role": role, "content": "".join(map(str, texts)) if len(texts) == len(blocks) else blocks}]


# ---------------------------------------------------------------------- evaluators
def _item(record: JsonObject) -> JsonDict | None:
    """OpenAI's evals and others keep a case under one key, with what a model said beside it."""
    held = record.get("item", record.get("example"))
    if not isinstance(held, dict) or not held:
        return None
    wanted = [name for name in held if name.casefold() in _ANSWERS]
    asked = [name for name in held if name not in wanted and isinstance(held[name], str)]
    if len(held) == 2 and len(wanted) == len(asked) == 1 and _OF_OURS.isdisjoint(held):
        return {"prompt": held[asked[0]], "completion": held[wanted[0]]}
    return dict(held)


# What people call the answer of an item, whose fields are theirs to name; and names that have a shape of their own.
_ANSWERS = {
    *("correct_label", "correct_answer", "expected_label", "expected_answer", "reference_answer", "ideal_answer"),
    *("label", "answer", "target", "expected", "reference", "ground_truth", "gold", "gold_label"),
}
_OF_OURS = {"messages", "prompt", "completion", "instruction", "conversations", "ideal"}


def _ideal(record: JsonObject) -> JsonDict | None:
    ideal = record["ideal"]
    if isinstance(ideal, list):
        if len(ideal) != 1:
            raise Unfit("ideal", state("right_answers", number=len(ideal)))
        ideal = ideal[0]
    return _without(record, "input", "ideal") | {"prompt": record["input"], "completion": ideal}


def _answers(record: JsonObject) -> JsonDict | None:
    """SQuAD and its kin: several answers that are all right, of which the first is the one to give."""
    held = record["answers"]
    if isinstance(held, dict):
        held = held.get("text")
    if isinstance(held, list):
        if not held:
            raise Unfit("answers", state("no_answers"), "empty")
        held = held[0].get("text") if isinstance(held[0], dict) and "text" in held[0] else held[0]
    question = next((record[name] for name in ("question", "query") if name in record), None)
    if question is None or not isinstance(held, str):
        return None
    return _without(record, "answers", "question", "query") | {"question": question, "answer": held}


# ---------------------------------------------------------------------- annotators
def _label_studio(record: JsonObject) -> JsonDict | None:
    """A task with its annotations, of which the first that was not cancelled counts."""
    data, annotations = record["data"], record["annotations"]
    if not isinstance(data, dict) or not isinstance(annotations, list):
        return None
    texts = {name: value for name, value in data.items() if isinstance(value, str) and value.strip()}
    done = [
        annotation
        for annotation in annotations
        if isinstance(annotation, dict) and not annotation.get("was_cancelled") and annotation.get("result")
    ]
    if not done:
        raise Unfit("annotations", state("no_annotation"), "empty")
    name = "text" if "text" in texts else next(iter(texts), "")
    results = done[0]["result"] if isinstance(done[0]["result"], list) else []
    values = [result.get("value") for result in results if isinstance(result, dict)]
    labels = [text for value in values if isinstance(value, dict) for text in _labels_of(value)]
    spans = any(isinstance(value, dict) and "start" in value for value in values)
    if not name or (len(texts) > 1 and name != "text") or not labels or spans:
        raise Unfit("annotations", state("marked_parts" if spans else "no_single_text"))
    return {"text": texts[name], "label": ", ".join(labels)}


def _labels_of(value: JsonObject) -> list[str]:
    for name in ("choices", "text", "taxonomy"):
        held = value.get(name)
        if isinstance(held, str):
            return [held]
        if isinstance(held, list) and held and all(isinstance(label, str) for label in held):
            return list(held)
    return [str(value["rating"])] if isinstance(value.get("rating"), int) else []


def _argilla(record: JsonObject) -> JsonDict | None:
    """A record with its fields and the responses that people sent in."""
    fields, responses = record["fields"], record["responses"]
    if not isinstance(fields, dict) or not isinstance(responses, dict | list):
        return None
    if isinstance(responses, list):  # of the first versions: one entry a person
        values = [response.get("values") for response in responses if isinstance(response, dict)]
        responses = {name: [held] for value in values[:1] if isinstance(value, dict) for name, held in value.items()}
    sent = {name: held[0].get("value") for name, held in responses.items()
            if isinstance(held, list) and held and isinstance(held[0], dict)}  # fmt: skip
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and value.strip()}
    if not sent:
        raise Unfit("responses", state("no_response"), "empty")
    if len(sent) != 1 or not texts or not isinstance(answer := next(iter(sent.values())), str | int):
        raise Unfit("responses", state("several_questions"))
    question = (
        next(iter(texts.values())) if len(texts) == 1 else "\n".join(f"{key}: {held}" for key, held in texts.items())
    )
    return {"text": question, "label": str(answer)}


def _annotation(record: JsonObject) -> JsonDict | None:
    """Argilla's first versions: a text and the label that a person gave it."""
    label = record["annotation"]
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    return _without(record, "annotation", "prediction") | {"label": label} if isinstance(label, str) else None


# ---------------------------------------------------------------------- conversations under other names
def _system_beside(record: JsonObject) -> JsonDict | None:
    """XTuner: turns with input and output in one object."""
    for name in _LISTS:
        held = record.get(name)
        if not isinstance(held, list) or not held or not all(isinstance(exchange, dict) for exchange in held):
            continue
        if all("input" in exchange and "output" in exchange for exchange in held):
            messages = []
            for exchange in held:
                if exchange.get("system"):
                    messages.append({"role": "system", "content": exchange["system"]})
                messages += [
                    {"role": "user", "content": exchange["input"]},
                    {"role": "assistant", "content": exchange["output"]},
                ]
            return _without(record, name) | {"messages": messages}
        if all("role" in exchange or "from" in exchange for exchange in held):
            return _without(record, name) | {"conversations": held}
    return None


def _one_text(record: JsonObject) -> JsonDict | None:
    if conversation := _system_beside(record):
        return conversation
    for name in _TEXTS:
        held = record.get(name)
        if isinstance(held, str) and (messages := transcripts.turns(held, name)) is not None:
            return _without(record, name) | {"messages": messages}
    return None


def _chat_export(record: JsonObject) -> JsonDict | None:
    nodes = record["mapping"]
    if not isinstance(nodes, dict) or not any(isinstance(node, dict) and "message" in node for node in nodes.values()):
        return None
    raise Unfit("mapping", state("chat_export"))


def _logged(record: JsonObject) -> JsonDict | None:
    """A log of a call: what was sent, and what came back."""
    sent, came = (_body(_opened(record[name])) for name in ("request", "response"))
    if isinstance(sent, str) and isinstance(came, str):
        return _without(record, "request", "response") | {"prompt": sent, "completion": came}
    choices = came.get("choices") if isinstance(came, dict) else None
    messages = sent.get("messages") if isinstance(sent, dict) else None
    if (
        not isinstance(choices, list)
        or not choices
        or not isinstance(choices[0], dict)
        or not isinstance(messages, list)
    ):
        raise Unfit("response", state("call_log"))
    tools = {name: sent[name] for name in ("tools", "functions") if name in sent} if isinstance(sent, dict) else {}
    return {"messages": [*messages, choices[0].get("message")], **tools}


def _body(side: object) -> object:
    return side["body"] if isinstance(side, dict) and isinstance(side.get("body"), dict) else side


def _opened(value: object) -> object:
    if isinstance(value, str):
        try:
            opened: object = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
        return opened
    return dict(value) if isinstance(value, Mapping) else value


def _without(record: JsonObject, *names: str) -> JsonDict:
    return {name: held for name, held in record.items() if name not in names}


_TURNS = (
    ({"contents"}, _gemini),
    ({"data", "annotations"}, _label_studio),
    ({"fields", "responses"}, _argilla),
    ({"text", "annotation"}, _annotation),
    ({"input", "ideal"}, _ideal),
    ({"question", "answers"}, _answers),
    ({"query", "answers"}, _answers),
    ({"mapping"}, _chat_export),
    ({"request", "response"}, _logged),
    ({"item"}, _item),
    ({"example"}, _item),
)
