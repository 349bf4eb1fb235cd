"""A record as one line of our own JSON."""

import orjson

from app.chat import Record, messages_from_json
from app.json_types import JsonDict


def to_line(record: Record) -> bytes:
    """A record as one line of our own JSON, without split or id: what the working file holds."""
    value: JsonDict = {
        "line": record.line,
        "messages": [turn.to_json() for turn in record.messages],
        "target": record.target,
    }
    # Most rows have none of these.
    if record.group:
        value["group"] = record.group
    if record.part:
        value["part"] = record.part
    if record.source is not None:
        value["source"] = record.source
    if record.time:
        value["time"] = record.time
    if record.reasoning:
        value["reasoning"] = record.reasoning
    return orjson.dumps(value)


def from_line(raw: bytes) -> Record:
    value = orjson.loads(raw)
    messages = messages_from_json(value["messages"])
    more = (
        value.get("group", ""),
        value.get("part"),
        value.get("source"),
        value.get("time", ""),
        value.get("reasoning", ""),
    )
    return Record(value["line"], messages, value["target"], *more)
