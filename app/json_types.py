"""Two names for JSON whose keys no type of ours lists, by the side that one stands on.

A value whose keys are ours is a dataclass, and if it is stored a `Frozen` one (`app/strict.py`). What is left are the
edges: what strangers send and their tables hold, and what is written for a program, a column or a page to take as it
is. Whatever is in one of these is an `object`: nobody can lean on it before looking.
"""

from collections.abc import Mapping
from typing import TypeAlias

JsonObject: TypeAlias = Mapping[str, object]
"""An object that is read: somebody sent or stored it."""

JsonDict: TypeAlias = dict[str, object]
"""An object that is made, to be written down or sent."""
