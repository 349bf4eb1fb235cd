"""JSON whose keys are not ours to know: what somebody else wrote, or what is only stored and handed on.

Where we know the keys there is a class instead: a `Frozen` value, a dataclass, or a TypedDict for what stays JSON.
"""

from collections.abc import Mapping

JsonObject = Mapping[str, object]
"""A JSON object. Whoever reads a key of it says there what it has to be."""
