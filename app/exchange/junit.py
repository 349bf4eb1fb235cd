"""A measurement as JUnit XML, which build servers read: a row is a test case, wrong a failure, no answer an error.

XML 1.0 has no way to write most control characters, not even escaped, and a model may say any of them: they are
written as the text `\\u001b`.
"""

import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

import orjson

from app.exchange.values import Block, ExportedAnswer, Lines, Measurement, Tally

NAMED = 80  # characters of a question that a test case is called by
# What XML 1.0 (section 2.2, "Char") does not allow, with the carriage return, which every reader turns into a line end.
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(measurement: Measurement, blocks: Sequence[Block], lines: Lines) -> Iterator[bytes]:
    """The file, a piece at a time."""
    totals = [block.tally for block in blocks]
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites name={_attribute(measurement.title)}{_counts(totals)}>\n".encode()
    for block in blocks:
        name = f"{block.title}, {block.split} rows"
        moment = f" timestamp={_attribute(measurement.started_at.partition('+')[0])}"
        yield f'<testsuite name={_attribute(name)}{_counts([block.tally])} skipped="0"{moment}>\n'.encode()
        yield _properties(measurement, block).encode()
        for line in lines(block):
            yield _case(measurement, block, line).encode()
        yield b"</testsuite>\n"
    yield b"</testsuites>\n"


def legal(text: str) -> str:
    """The text without characters that XML has no way to write; each is named in its place."""
    return _ILLEGAL.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _counts(tallies: Sequence[Tally]) -> str:
    asked, wrong = sum(tally.asked for tally in tallies), sum(tally.wrong for tally in tallies)
    errors, seconds = sum(tally.errors for tally in tallies), sum(tally.seconds for tally in tallies)
    return f' tests="{asked}" failures="{wrong}" errors="{errors}" time="{seconds:.3f}"'


def _properties(measurement: Measurement, block: Block) -> str:
    values = {
        "assessment": measurement.assessment,
        "measurement": measurement.number,
        "arm": block.arm,
        "split": block.split,
        "model": block.model,
        "model_answered": ", ".join(block.answered),
        "metric": measurement.metric,
        "metric_options": orjson.dumps(dict(measurement.metric_options), option=orjson.OPT_SORT_KEYS).decode(),
        "passing": measurement.passing,
        "rules": measurement.rules,
        "dataset_version": measurement.dataset_version,
        "rows_sha256": measurement.rows_sha256,
        "split_sha256": measurement.split_sha256,
        "score": "" if block.tally.mean is None else block.tally.mean,
    }
    inside = "".join(
        f"<property name={_attribute(name)} value={_attribute(str(value))}/>\n" for name, value in values.items()
    )
    return f"<properties>\n{inside}</properties>\n"


def _case(measurement: Measurement, block: Block, line: ExportedAnswer) -> str:
    question = " ".join(line.question.split())
    name = f"row {line.line}: {question[:NAMED]}{'…' if len(question) > NAMED else ''}"
    start = (
        f"<testcase classname={_attribute(f'{measurement.name}.{block.task}')} name={_attribute(name)}"
        f' time="{(line.latency_ms or 0) / 1000:.3f}">'
    )
    facts = {
        "score": line.score,
        "finish": line.finish,
        "prompt_tokens": line.prompt_tokens,
        "completion_tokens": line.completion_tokens,
        "prompt_sha256": line.prompt_sha256,
        "raw": line.raw,
        "output": line.output,
    }
    out = f"<system-out>{_text(orjson.dumps(facts).decode())}</system-out>"
    return f"{start}{_outcome(measurement, line)}{out}</testcase>\n"


def _outcome(measurement: Measurement, line: ExportedAnswer) -> str:
    if line.score is None:
        return f'<error type="no answer" message={_attribute(line.error or "")}/>'
    if line.correct:
        return ""
    message = f"{measurement.metric} {line.score:g}"
    told_apart = f"expected: {line.compared_target}\nanswered: {line.compared_output}"
    return f"<failure type={_attribute(measurement.metric)} message={_attribute(message)}>{_text(told_apart)}</failure>"


def _text(text: str) -> str:
    return escape(legal(text))


def _attribute(text: str) -> str:
    return quoteattr(legal(text))
