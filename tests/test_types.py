"""How often a value says nothing about itself: `Any` by room, which may become less and never more.

What is left is at edges: another library's values without types, fields by a name that is only known when it runs, JSON
as some older version wrote it. JSON whose keys are not ours has its two names in `app/json_types.py`, where nobody can
lean on a value before looking at it; everything else is a dataclass, or a TypedDict where it has to stay JSON.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import ROOT

# By room the most of `Any`, and of the dictionaries and mappings of texts to it among them. A room that is not here may
# have none. Lower a number when it became less.
MOST: dict[str, tuple[int, int]] = {
    "advice": (3, 2),
    "assessments": (3, 1),
    "baselines": (4, 2),
    "datasets": (11, 6),
    "db.py": (11, 2),
    "demo": (3, 1),
    "dossier": (2, 0),
    "economics": (2, 2),
    "exchange": (1, 1),
    "glossary.py": (1, 1),
    "inference": (5, 0),
    "instructions": (1, 1),
    "processes": (8, 8),
    "retrieval": (2, 0),
    "standing": (5, 0),
    "strict.py": (3, 0),
    "training": (3, 1),
    "web": (6, 1),
    "wording.py": (1, 0),
}


def counted(source: str) -> tuple[int, int]:
    """How often a file says `Any`, and how often that a dictionary or mapping holds it by a text."""
    nodes = list(ast.walk(ast.parse(source)))
    return sum(map(_is_any, nodes)), sum(map(_holds_any, nodes))


def _is_any(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "Any"


def _holds_any(node: ast.AST) -> bool:
    """`dict[str, Any]`, `Mapping[str, Any]`."""
    if (
        not isinstance(node, ast.Subscript)
        or not isinstance(node.value, ast.Name)
        or not isinstance(node.slice, ast.Tuple)
    ):
        return False
    inside = [part.id for part in node.slice.elts if isinstance(part, ast.Name)]
    return node.value.id in {"dict", "Mapping"} and inside == ["str", "Any"]


def of_rooms(app: Path) -> dict[str, tuple[int, int]]:
    """The sums by the folder, or the file, that stands directly under the app."""
    named: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for path in sorted(app.rglob("*.py")):
        room = path.relative_to(app).parts[0]
        any_there, by_text = counted(path.read_text(encoding="utf-8"))
        named[room] += any_there
        held[room] += by_text
    return {room: (number, held[room]) for room, number in named.items()}


def _grown(rooms: dict[str, tuple[int, int]]) -> Iterator[str]:
    for room, (named, held) in rooms.items():
        most, most_held = MOST.get(room, (0, 0))
        if named > most:
            yield f"{room} says Any {named} times, and {most} were enough"
        if held > most_held:
            yield f"{room} has {held} dictionaries of Any, and {most_held} were enough"


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("from typing import Any", (0, 0)),
        ("def f(value: Any) -> list[Any]: ...", (2, 0)),
        ("def f(value: dict[str, Any]) -> Mapping[str, Any]: ...", (2, 2)),
        ("known: dict[int, Any] = {}", (1, 0)),
        ("# Any\nx = 'Any'", (0, 0)),
    ],
)
def test_every_way_to_say_it_counts(source: str, numbers: tuple[int, int]) -> None:
    assert counted(source) == numbers


def test_no_room_says_less_about_its_values_than_before() -> None:
    rooms = of_rooms(ROOT / "app")

    assert len(rooms) > 40
    assert list(_grown(rooms)) == []


def test_a_room_that_is_named_is_there() -> None:
    assert sorted(MOST.keys() - of_rooms(ROOT / "app").keys()) == []
