"""What a record holds of personal data: in what is asked and answered, and in what stands beside."""

from collections.abc import Iterator

from app.chat import Record
from app.privacy.detect import find

LONG_NUMBER = 10**8  # from which on a bare number in JSON is looked at: a shorter one names nobody


def kinds_in_record(record: Record) -> set[str]:
    """The kinds found anywhere in a record: in what is asked and answered, and in what stands beside."""
    return {finding.kind for _, text in texts_in_record(record) for finding in find(text)}


def values_in_record(record: Record) -> Iterator[tuple[str, str]]:
    """Each value found anywhere in a record, with its kind; never to be shown or stored as it is."""
    for _, text in texts_in_record(record):
        for finding in find(text):
            yield finding.kind, text[finding.start : finding.end]


def texts_in_record(record: Record) -> Iterator[tuple[str, str]]:
    """Every text of a record, after words for where it stands."""
    for turn in record.messages:
        yield "the question" if turn.role == "user" else f"one {turn.role} message", turn.content
    yield "the answer", record.target
    if record.reasoning:
        yield "the reasoning before the answer", record.reasoning
    if record.group:
        yield "the group", record.group
    if record.source is not None:
        for text in _leaves(record.source):
            yield "what stands beside the turns", text


def _leaves(value: object) -> Iterator[str]:
    """Every text in a JSON value, and every number long enough to be one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int) and abs(value) > LONG_NUMBER:
        yield str(value)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _leaves(item)
