"""What stands in a record beside question and answer: parts of the question, names for filing, and what can't be read.

A passage to be read, options to choose from, a schema: whoever answers has to see them, so they are written below the
question under their name, the same way for baselines, training and export, which all read the canonical rows. Pictures
and sound can't be asked about as text; such a record is refused by name. Names for filing (id, url, category) are left
out. Anything else is left out, too, but a report warns where it is long: it may be a part of the question.
"""

from collections.abc import Iterable, Mapping, Sequence

from app.datasets.reading.faults import Unfit, kind_of, storable
from app.json_types import JsonObject
from app.wording import state

TITLES = ("title", "subject", "headline")
# In the order in which they are written. `input` is Alpaca's: it stands below the instruction without a name.
CONTEXT = (
    *(
        "context",
        "contexts",
        "ctx",
        "ctxs",
        "sql_context",
        "schema",
        "table_schema",
        "passage",
        "passages",
        "paragraph",
    ),
    *("paragraphs", "document", "documents", "article", "background", "evidence", "knowledge", "reference_text"),
    *("retrieved_contexts", "retrieval_context", "retrieved_docs", "source_text", "facts", "hint"),
)
OPTIONS = ("choices", "options")
LONG = 100  # characters of a value that is not used, from which on it may be a part of the question

_OF_OPTIONS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def names(used: Sequence[str]) -> frozenset[str]:
    """The keys that become part of the question in a record whose question and answer stand under `used`."""
    return frozenset({*TITLES, *CONTEXT, *OPTIONS, "input"}) - {*used}


def added(record: JsonObject, question: str, used: Sequence[str], line_first: bool) -> str:
    """The question with all that belongs to it. line_first: a title comes before it, as before the text of an article.

    Raises:
        Unfit: a part is there that is no text.
    """
    free = [key for key in record if key not in used]
    if not free:
        return question
    above: list[str] = []
    below: list[str] = []
    for key in TITLES:
        if key in free and (text := _text(record[key], key)):
            (above if line_first else below).append(text if line_first else f"{_named(key)}: {text}")
    if "input" in free and (text := _text(record["input"], "input")):
        below.append(text)
    for keys, read in ((CONTEXT, _text), (OPTIONS, _options)):
        texts = ((key, read(record[key], key)) for key in keys if key in free)
        below += [f"{_named(key)}:\n{text}" for key, text in texts if text]
    return "\n\n".join((*above, question, *below))


def _named(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _text(value: object, at: str) -> str:
    """A text, or texts one below the other; of objects (documents) the values that are text, with their names."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return storable(value, at).strip()
    if isinstance(value, Sequence) and all(isinstance(item, str | Mapping) for item in value):
        return "\n\n".join(part for item in value if (part := _text(item, at)))
    if isinstance(value, Mapping) and all(isinstance(item, str | int | float | None) for item in value.values()):
        return storable("\n".join(f"{key}: {held}" for key, held in value.items() if held not in (None, "")), at)
    raise Unfit(at, state("of_the_question", at=at, got=kind_of(value)))


def _options(value: object, at: str) -> str:
    """`A) ...` on a line each; their letters may come with them (`{"text": [...], "label": [...]}`, `{"A": ...}`)."""
    if isinstance(value, Mapping):
        texts, marks = value.get("text"), value.get("label")
        if isinstance(texts, list) and isinstance(marks, list) and len(texts) == len(marks):
            return _listed(zip(map(str, marks), texts, strict=True), at)
        return _listed(((str(key), held) for key, held in value.items() if held is not None), at)
    if isinstance(value, list):
        marks = list(_OF_OPTIONS[: len(value)]) if len(value) <= len(_OF_OPTIONS) else list(map(str, range(len(value))))
        return _listed(zip(marks, value, strict=True), at)
    return _text(value, at)


def _listed(pairs: Iterable[tuple[str, object]], at: str) -> str:
    return "\n".join(
        f"{mark}) {_text(str(option) if isinstance(option, int | float) else option, at)}" for mark, option in pairs
    )
