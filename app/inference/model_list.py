"""What a server's list of models (`GET /models`) says of one model besides its name. Pure: bytes in, values out.

There is no standard for it: the protocol has a name only. So each thing is looked for under the names that servers
give it: `max_model_len` (vLLM, SGLang), `context_length` (OpenRouter, Together), `context_window` (Groq),
`max_context_length` (Mistral, LM Studio), `meta.n_ctx` (llama.cpp); and for the end of a model `shutdown_date`,
`deprecation` (Mistral), `expiration_date` and their like.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import orjson

from app.inference import completion
from app.json_types import JsonObject

# In this order: what is loaded counts before what the model could do.
WINDOW = ("loaded_context_length", "max_model_len", "context_window", "context_length", "max_context_length", "n_ctx")
WINDOW_LEAST, WINDOW_MOST = 64, 100_000_000  # tokens; what lies outside is no window
ENDS = (
    *("shutdown_date", "shut_down_date", "retirement_date", "retires_at", "sunset_date", "expiration_date"),
    *("deprecation_date", "deprecation", "deprecated_at"),
)
SUCCESSOR = ("deprecation_replacement_model", "replacement", "replaced_by", "successor")
INSIDE = ("meta", "top_provider", "lifecycle", "limits")  # objects in an entry that are looked into, too
YEARS = range(2020, 2100)


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list says. names: how many models it has. entry: whether the model is one of them. window: tokens that
    it reads at once, field: under which name that stood. ends: the day after which nothing answers, as ISO date.
    successor: the model that is named in its place."""

    names: int = 0
    entry: bool = False
    window: int | None = None
    field: str = ""
    ends: str = ""
    successor: str = ""


def read(content: bytes, model: str) -> Listed:
    """What the answer to `GET /models` says of a model; nothing where it is no such list."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Listed()
    entries = body.get("data", body.get("models")) if isinstance(body, dict) else body
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    entry = _entry(known, model)
    if entry is None:
        return Listed(len(known))
    window, field = next(_windows(entry), (None, ""))
    ends = next((day for name in ENDS for part in _parts(entry) if (day := _day(part.get(name)))), "")
    successor = next(
        (name for key in SUCCESSOR for part in _parts(entry) if isinstance(name := part.get(key), str)), ""
    )
    return Listed(len(known), True, window, field, ends, completion.excerpt(successor.encode())[:100])


def _entry(known: Sequence[JsonObject], model: str) -> JsonObject | None:
    """The entry of this name; where there is no such name, the only one there is: such servers answer to any name."""
    named = [entry for entry in known if model in (entry.get("id"), entry.get("name"))]
    return named[0] if named else known[0] if len(known) == 1 else None


def _parts(entry: JsonObject) -> Iterator[JsonObject]:
    yield entry
    yield from (part for name in INSIDE if isinstance(part := entry.get(name), dict))


def _windows(entry: JsonObject) -> Iterator[tuple[int, str]]:
    for name in WINDOW:
        for part in _parts(entry):
            value = part.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and WINDOW_LEAST <= value <= WINDOW_MOST:
                yield value, name


def _day(value: object) -> str:
    """A day as it may be written, a text or seconds since 1970, as ISO date; empty where it is none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            day = datetime.fromtimestamp(value, UTC).date()
        elif isinstance(value, str):
            day = date.fromisoformat(value.strip()[:10])
        else:
            return ""
    except (ValueError, OverflowError, OSError):
        return ""
    return day.isoformat() if day.year in YEARS else ""
