"""What happened to an assessment, in sentences: acts from the record, and what jobs came to. Pure.

Saves of the same kind by the same person on the same day are one line, however often somebody pressed Save.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.advice import starting_points
from app.audit import sentences
from app.json_types import JsonDict
from app.wording import plural, upper_first

FOLDED = frozenset({
    "assessment.answers", "assessment.rename", "baseline.tag", "constraint.remove", "constraint.save", "dataset.decide",
    "dataset.open_row", "documents.add", "documents.decide", "documents.remove", "economics.costs", "economics.target",
    "recipe.save", "share.open",
})  # fmt: skip
"""Acts of which only the sum and the last word of a day are news."""

QUIET = frozenset({"gate.denied"})


class Entry(Protocol):
    """An entry of the record."""

    at: datetime
    actor_name: str
    act: str
    subject: str
    subject_id: int | None
    detail: JsonDict


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the feed. who: the person, or empty where a worker did it. text: what happened, without the person;
    url: where to read on, a path, or empty."""

    at: datetime
    who: str
    text: str
    url: str = ""


def feed(
    assessment_id: int, entries: Sequence[Entry], outcomes: Iterable[Event], names: Mapping[int, str]
) -> tuple[Event, ...]:
    """Newest first. entries: the acts, newest first; outcomes: what jobs came to, in any order; names: of the versions
    of the data, by their id."""
    kept = [entry for entry in entries if entry.act not in QUIET]
    lines = [_event(assessment_id, group, names) for group in _folded(kept)]
    return tuple(sorted([*lines, *outcomes], key=lambda event: event.at, reverse=True))


def _folded(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Neighbours that are one line."""
    group: list[Entry] = []
    for entry in entries:
        if group and not _alike(group[0], entry):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _alike(one: Entry, other: Entry) -> bool:
    same = ("act", "actor_name", "subject", "subject_id")
    return (
        one.act in FOLDED
        and all(getattr(one, name) == getattr(other, name) for name in same)
        and one.at.date() == other.at.date()
    )


def _event(assessment_id: int, group: Sequence[Entry], names: Mapping[int, str]) -> Event:
    newest = group[0]
    detail = _together(group)
    name = names.get(newest.subject_id or 0, "") if newest.subject == "dataset" else ""
    parts = sentences.parts(newest.act, newest.actor_name, newest.subject, newest.subject_id, detail, name)
    who = newest.actor_name if parts and parts[0].kind == "who" else ""
    text = _without_itself(parts[1:] if who else parts, newest.subject)
    times = f" ({plural(len(group), 'time')})" if len(group) > 1 and not _summed(newest.act) else ""
    return Event(newest.at, who, f"{text if who else upper_first(text)}{times}", _url(assessment_id, newest))


def _summed(act: str) -> bool:
    """Whether the sentence says how much it was altogether."""
    return act in {"assessment.answers", "baseline.tag", "economics.costs"}


def _together(group: Sequence[Entry]) -> JsonDict:
    """The details of several saves as those of one: everything that changed, and the last word on metric and target."""
    detail: JsonDict = {}
    for entry in reversed(group):
        for key, value in entry.detail.items():
            before = detail.get(key)
            if isinstance(before, list) and isinstance(value, list) and key not in {"metric", "target"}:
                detail[key] = list(dict.fromkeys(map(_hashable, [*before, *value])))
            elif isinstance(before, dict) and isinstance(value, dict):
                detail[key] = before | value
            else:
                detail[key] = value
    if group[0].act == "baseline.tag":
        detail["answers"] = _tagged(group)
    if point := starting_points.BY_SLUG.get(str(detail.get("starting_point", ""))):
        detail["starting_point"] = f"“{point.title}”"
    return detail


def _tagged(group: Iterable[Entry]) -> int:
    """How many answers were tagged altogether. One that was tagged again counts once, where the record says which it
    was: of several that were saved at once it keeps their number alone."""
    one_by_one: set[object] = set()
    at_once = 0
    for entry in group:
        answers = entry.detail.get("answers")
        if isinstance(answers, list):
            one_by_one.update(answer[0] for answer in answers)
        elif "answer" in entry.detail:
            one_by_one.add(entry.detail["answer"])
        else:
            at_once += answers if isinstance(answers, int) else 0
    return len(one_by_one) + at_once


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _without_itself(parts: Sequence[sentences.Part], subject: str) -> str:
    """The sentence on the assessment's own page, where "of Route messages" says nothing new."""
    text = ""
    for part in parts:
        if part.kind == "what" and subject == "assessment":
            shorter = next(
                (text.removesuffix(word) for word in (" of ", " to ", " in ", " for ") if text.endswith(word)), ""
            )
            text = shorter or f"{text}this assessment"
        else:
            text += part.text
    return text.strip()


def _url(assessment_id: int, entry: Entry) -> str:
    base, detail = f"/assessments/{assessment_id}", entry.detail
    concept = entry.act.partition(".")[0]
    if concept == "review" and "review" in detail:
        return f"/reviews/{detail['review']}"
    if concept == "training" and "training" in detail:
        return f"/trainings/{detail['training']}"
    if entry.subject in {"dataset", "job"} and entry.subject_id is not None:
        return f"/{'datasets' if entry.subject == 'dataset' else 'jobs'}/{entry.subject_id}"
    places = {
        "assessment.answers": "/describe", "assessment.policy": "/verdict", "economics.costs": "/costs",
        "constraint.remove": "/constraint", "constraint.save": "/constraint", "economics.target": "/costs",
        "scoring.add_database": "/metrics", "scoring.remove_database": "/metrics", "scoring.watch": "/metrics",
        "scoring.unwatch": "/metrics",
        "recipe.save": "/plan",
    }  # fmt: skip
    pages = {"baseline": "/measure", "documents": "/documents", "share": "/share", "demo": ""}
    place = places.get(entry.act, pages.get(concept, ""))
    return base + place if place else ""
