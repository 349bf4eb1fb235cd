"""Rows as other tools read them: OpenAI's chat, or prompt and completion. What is read back gives the same rows.

The rows come from the canonical file of a version (the used rows, nothing else), a line at a time.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NotRequired, TypedDict

import orjson

from app.blobs import Damaged
from app.json_types import JsonDict

Form = Literal["rows", "chat", "pairs"]

FORMS: dict[Form, str] = {
    "rows": "Tunegate JSONL, with split, group and hash",
    "chat": "OpenAI chat: messages, and tools where there are any",
    "pairs": "prompt and completion",
}


class CanonicalRow(TypedDict):
    """What the export reads of a canonical row (`check_job.writing.NewRow.canonical`)."""

    split: str
    messages: list[dict[str, str]]
    target: str
    source: NotRequired[JsonDict]


def lines(form: Form, rows: Iterable[bytes], part: str = "") -> Iterator[bytes]:
    """The export. part: train, dev or test; empty for all.

    Raises:
        Damaged: a line is none of ours.
    """
    for raw in rows:
        try:
            row: CanonicalRow = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Damaged("The stored rows of this version cannot be read. Tell the operator.") from error
        if part and row["split"] != part:
            continue
        value: object = row if form == "rows" else chat(row) if form == "chat" else pair(row)
        yield orjson.dumps(value) + b"\n"


def chat(row: CanonicalRow) -> JsonDict:
    """The conversation with its answer; one that came with tools or weights leaves as it came."""
    if row.get("source"):
        return dict(row["source"])
    return {"messages": [*row["messages"], {"role": "assistant", "content": row["target"]}]}


def pair(row: CanonicalRow) -> JsonDict:
    """A question and its answer as text; a conversation as a list of messages and its answer as another."""
    question = row["messages"]
    if len(question) == 1 and question[0]["role"] == "user":
        return {"prompt": question[0]["content"], "completion": row["target"]}
    return {"prompt": question, "completion": [{"role": "assistant", "content": row["target"]}]}
