"""`python -m app advise CASE.json`: one case file in, the advice as JSON text out, or what is wrong with the file."""

import json
from pathlib import Path
from typing import Any

from app.advice.case import NotACase, parse
from app.advice.verdict import advise

LARGEST_FILE = 1_000_000  # bytes; a case is a few thousand


def advise_file(path: Path) -> str | list[str]:
    """The advice as JSON text, or one sentence for each fault."""
    try:
        return json.dumps(advise(parse(read(path))).to_json(), indent=2, ensure_ascii=False)
    except NotACase as refusal:
        return refusal.faults


def read(path: Path) -> object:
    """The JSON in a file, stricter than `json` alone: no NaN, no Infinity, no key twice.

    Raises:
        NotACase: the file can't be read, or is no JSON.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise NotACase([f"{path} can't be read: {error.strerror}."]) from error
    if len(raw) > LARGEST_FILE:
        raise NotACase([f"{path} is larger than {LARGEST_FILE:,} bytes; a case file is a few thousand."])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotACase([f"{path} is not UTF-8 text: byte {error.start + 1} is wrong."]) from error
    return read_text(text, str(path))


def read_text(text: str, name: str) -> object:
    """The JSON in a text; `name` says in messages where it came from.

    Raises:
        NotACase: it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)
    except json.JSONDecodeError as error:
        raise NotACase([f"{name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."]) from error
    except RecursionError as error:
        raise NotACase([f"{name} is nested too deeply."]) from error
    except ValueError as error:
        raise NotACase([f"{name} is not a case: {error}."]) from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" stands there twice')
    return found
