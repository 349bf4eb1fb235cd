"""What an upload's own columns say where an answer is from: the file is read once more for them.

Columns that name a source are no part of the question, so the rows do not keep them.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from app.chat import Record
from app.datasets.reading import json_pieces
from app.datasets.reading.json_objects import JSON_LINES, LONGEST_LINE
from app.datasets.reading.read_as import ReadAs
from app.datasets.reading.reader import CHUNK, Reading, Upload

# Names under which rows say which document or passage their answer is from; the surest come first.
COLUMNS = (
    *("passage_id", "passage_ids", "paragraph_id", "paragraph_ids", "chunk_id", "chunk_ids", "context_id"),
    *("document_id", "document_ids", "doc_id", "doc_ids", "doc", "docs", "source", "sources", "source_document"),
    *("file", "filename", "source_file", "page", "url", "document", "documents", "passage", "title"),
)
LONGEST = 200  # characters of a name; what is longer is the text itself


def named(file: BinaryIO, filename: str, how: ReadAs, layout: str, columns: frozenset[str]) -> dict[int, list[str]]:
    """The names that rows give, by the line of the row. columns: of the file; layout: what it was read as."""
    wanted = [column for column in COLUMNS if column in columns]
    if not wanted:
        return {}
    if layout == JSON_LINES and not filename.casefold().endswith((".gz", ".gzip")):
        return _of_lines(file, wanted)
    names: defaultdict[int, list[str]] = defaultdict(list)
    for column in wanted:
        file.seek(0)
        # What belongs together is read from a column that can be chosen, one at a time.
        upload = Upload(file, filename, _grouped(how, column))
        for record in Reading(upload):
            if isinstance(record, Record) and record.group:
                names[record.line].append(record.group)
    return dict(names)


def _grouped(how: ReadAs, column: str) -> ReadAs:
    return ReadAs.from_json({**how.to_json(), "group": column})


def _of_lines(file: BinaryIO, wanted: list[str]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = {}
    chunks = iter(lambda: file.read(CHUNK), b"")
    for number, line in json_pieces.lines(chunks, LONGEST_LINE):
        try:
            value = orjson.loads(line or b"")
        except orjson.JSONDecodeError:
            continue  # the check of the data has said so
        if isinstance(value, dict) and (mine := [text for column in wanted for text in _texts(value.get(column))]):
            names[number] = mine
    return names


def _texts(value: object) -> Iterator[str]:
    """A name, or several of them."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and 0 < len(each) <= LONGEST:
            yield each
