"""Frozen values as JSON: the keys in the order of the fields."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.json_types import JsonDict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
LEFT_OUT: Mapping[str, bool] = {"left_out": True}  # of a field that is no key of the JSON while it is None


def plain(value: object) -> object:
    """A part, or a sequence or mapping of them, as JSON values; the keys in the order of the fields."""
    if (to_json := getattr(value, "to_json", None)) is not None:
        return to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def fields_of(part: "DataclassInstance") -> JsonDict:
    """The fields of a part as JSON values, without those that are left out while they are None."""
    held = ((known.name, getattr(part, known.name), "left_out" in known.metadata) for known in dataclasses.fields(part))
    return {name: plain(value) for name, value, optional in held if not (optional and value is None)}
