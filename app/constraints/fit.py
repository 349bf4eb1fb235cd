"""How many of the answers that are wanted a constraint allows. One that is not allowed can never be given. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.inference import schemas
from app.inference.constraints import Constraint
from app.json_types import JsonDict, JsonObject
from app.strict import stored

LEAST = 0.95  # share of wanted answers, of each split that is looked at, that has to be allowed
MOST = 20_000  # rows of a split that are looked at
LISTED = 10  # answers that are listed


@dataclass(frozen=True, slots=True)
class Wanted:
    """An answer of a row that learns or chooses; test rows are not looked at."""

    split: str
    line: int
    answer: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A wanted answer that is not allowed, and why."""

    split: str
    line: int
    answer: str
    why: str


@dataclass(frozen=True, slots=True)
class Fit:
    """counts: for each split how many wanted answers are allowed, and how many there are. forbidden: the first ones.

    reordered: of those that are allowed, how many have keys in another order than the schema. They are right all the
    same, but a model that is held to the schema writes its order, whatever its examples show.
    """

    counts: Mapping[str, tuple[int, int]]
    forbidden: tuple[Forbidden, ...] = ()
    reordered: int = 0

    def share(self, split: str) -> float | None:
        """Of the wanted answers of a split that are allowed; None where there are none."""
        allowed, of = self.counts.get(split, (0, 0))
        return allowed / of if of else None

    @property
    def left_out(self) -> int:
        return sum(of - allowed for allowed, of in self.counts.values())

    @property
    def reordered_share(self) -> float:
        """Of the allowed answers, those with keys in another order."""
        allowed = sum(allowed for allowed, _ in self.counts.values())
        return self.reordered / allowed if allowed else 0.0

    @property
    def enough(self) -> bool:
        return all(allowed >= LEAST * of for allowed, of in self.counts.values())

    def to_json(self) -> JsonDict:
        """Numbers only: answers stay where their rows are."""
        counts = {split: [allowed, of] for split, (allowed, of) in self.counts.items()}
        return {"counts": counts, "reordered": self.reordered}

    @staticmethod
    def from_json(value: JsonObject) -> "Fit":
        return stored(Fit, value)


def of(constraint: Constraint, rows: Iterable[Wanted]) -> Fit:
    """Check every wanted answer."""
    counts: dict[str, tuple[int, int]] = {}
    forbidden: list[Forbidden] = []
    reordered = 0
    for row in rows:
        why = constraint.check.fault(row.answer)
        allowed, seen = counts.get(row.split, (0, 0))
        counts[row.split] = (allowed + (not why), seen + 1)
        if not why and constraint.kind == "json_schema":
            reordered += not in_order(json.loads(row.answer), constraint.schema, constraint.schema)
        if why and len(forbidden) < LISTED:
            forbidden.append(Forbidden(row.split, row.line, row.answer, why))
    return Fit(counts, tuple(forbidden), reordered)


def in_order(value: object, schema: object, root: object, followed: set[tuple[str, int]] | None = None) -> bool:
    """Whether the keys of a value stand in the order in which its schema names them. followed: which references were
    for which part of the value, each once: a few that name each other many times would take for ever."""
    if not isinstance(schema, dict) or not isinstance(value, dict | list):
        return True  # what is neither has no keys, whatever alternatives are named for it
    followed = set() if followed is None else followed
    if isinstance(reference := schema.get("$ref"), str):
        if (reference, id(value)) in followed:
            return True
        followed.add((reference, id(value)))
        return in_order(value, schemas.resolved(reference, root), root, followed)
    known = schema.get("properties")
    if isinstance(value, dict) and isinstance(known, dict):
        place = {name: at for at, name in enumerate(known)}
        places = [place[name] for name in value if name in place]
        inside = (in_order(value[name], known[name], root, followed) for name in value if name in place)
        return places == sorted(places) and all(inside)
    if isinstance(value, list) and "items" in schema:
        return all(in_order(one, schema["items"], root, followed) for one in value)
    parts = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or ()
    return all(in_order(value, part, root, followed) for part in parts)
