"""What exactly is approved: one canonical text, and its digest.

The text is JSON by the rules of RFC 8785 as far as we need them: sorted keys, no white space, NFC strings, and no
floating point numbers at all. A float has more than one spelling, so numbers that are not whole are written as strings
first (`exact`). Equal content therefore has one text and one digest, on every machine.

How versions go on: `gate-v1` stays readable for good, since approvals name its digests. A part that a subject did not
have before is added only where there is something to say in it, so that what was approved keeps its digest; whatever
changes the text of every subject takes a new prefix, and `digest_of_text` goes by the prefix that a review was stored
with.
"""

import json
import math
import re
from collections.abc import Mapping
from hashlib import sha256

from app.json_types import JsonObject
from app.text import normal_form

PREFIX = b"gate-v1\n"  # says what kind of digest it is; a change of the rules above changes it
_DIGEST = re.compile(r"[0-9a-f]{64}")


def exact(value: object) -> object:
    """A copy of `value` that `canonical` accepts: floats as their shortest decimal text, tuples as lists.

    Raises:
        ValueError: not a number (NaN, infinity), or not JSON at all.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            return normal_form("NFC", value)
        case float():
            if not math.isfinite(value):
                raise ValueError("a subject holds no NaN and no infinity")
            return repr(value)
        case Mapping():
            return {exact(str(key)): exact(part) for key, part in value.items()}
        case list() | tuple():
            return [exact(part) for part in value]
        case _:
            raise ValueError(f"a subject holds no {type(value).__name__}")


def canonical(subject: JsonObject) -> bytes:
    """The one text of a subject."""
    return json.dumps(
        exact(subject), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(subject: JsonObject) -> str:
    """SHA-256 of the canonical text, 64 lower-case hexadecimal digits."""
    return digest_of_text(canonical(subject))


def digest_of_text(text: bytes) -> str:
    """The digest of a canonical text as stored."""
    return sha256(PREFIX + text).hexdigest()


def well_formed(text: object) -> bool:
    """Whether this can be a digest at all: no upper case, no white space, no other type."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def differences(before: JsonObject, after: JsonObject) -> list[tuple[str, object, object]]:
    """What changed between two subjects: (path, value before, value after), None where there was none."""
    return list(_walk("", exact(before), exact(after)))


def _walk(path: str, before: object, after: object) -> list[tuple[str, object, object]]:
    if isinstance(before, dict) and isinstance(after, dict):
        changes = []
        for key in sorted({*before, *after}):
            changes += _walk(f"{path}.{key}" if path else key, before.get(key), after.get(key))
        return changes
    return [] if before == after else [(path, before, after)]
