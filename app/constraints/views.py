"""What the page and the API make of constraints: their names, and a form's boxes as choices. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app import glossary
from app.constraints.fit import Fit
from app.constraints.inferring import Choices, Field
from app.inference.constraints import KINDS, Constraint
from app.wording import percent, plural

REQUIRED, CLOSED = "required-", "closed-"


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A field of a proposal as the form has it: names of its boxes, and whether they are ticked."""

    field: Field
    required: str
    closed: str


def kinds() -> list[tuple[str, str, str]]:
    """Kinds with label and help, for a form."""
    terms = [glossary.term(f"constraint.{kind}") for kind in KINDS]
    return [(kind, term.label, term.help) for kind, term in zip(KINDS, terms, strict=True)]


def lines(fields: Sequence[Field]) -> list[FieldLine]:
    return [FieldLine(one, f"{REQUIRED}{one.path}", f"{CLOSED}{one.path}") for one in fields]


def choices(typed: Mapping[str, str]) -> Choices:
    """What the boxes of a form say; as proposed where the form had none."""
    if "fields" not in typed:
        return Choices()
    return Choices(*(_ticked(typed, prefix) for prefix in (REQUIRED, CLOSED)))


def _ticked(typed: Mapping[str, str], prefix: str) -> frozenset[str]:
    return frozenset(name.removeprefix(prefix) for name in typed if name.startswith(prefix))


def title(constraint: Constraint) -> str:
    """What a constraint is in a few words: `Label list, 77 labels`."""
    label = glossary.label(f"constraint.{constraint.kind}")
    if constraint.kind == "labels":
        return f"{label}, {plural(len(constraint.labels), 'label')}"
    if constraint.kind == "json_schema" and isinstance(known := constraint.schema.get("properties"), dict):
        return f"{label}, {plural(len(known), 'key')}"
    return label


def fit_sentence(fit: Fit) -> str:
    """How many expected answers are allowed: `198 of 200 train (99.0 %), 50 of 50 dev (100.0 %)`."""
    parts = [
        f"{allowed:,} of {of:,} {split} ({percent(allowed / of, 1)})"
        for split, (allowed, of) in fit.counts.items()
        if of
    ]
    return ", ".join(parts) or "no rows"


def cost(fit: Fit) -> str:
    """What is lost by right answers that are forbidden, and what is written otherwise; empty where nothing is."""
    sentences = []
    share = fit.share("dev")
    if share is not None and share < 1:
        sentences.append(f"At most {percent(share, 1)} of the dev set can be answered as expected.")
    if fit.reordered:
        sentences.append(
            f"In {percent(fit.reordered_share, 1)} of the allowed answers keys stand in another order; held to it, a "
            "model writes the schema's."
        )
    return " ".join(sentences)
