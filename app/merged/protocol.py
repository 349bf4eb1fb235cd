"""What the process that merges is given, and what it says when it is done."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from app.merged.plan import Form


class MergeOrder(TypedDict):
    """base, adapter: folders; target: an empty one. files: of the base, SHA-256 by name. gguf: the file to write where
    that form is asked for. texts: by which its vocabulary is compared with the tokenizer."""

    base: str
    files: Mapping[str, str]
    adapter: str
    target: str
    form: Form
    gguf: str
    name: str
    licence: str
    texts: list[str]


class Merged(TypedDict):
    """dtype: of the weights that were written. gguf: version of the package that wrote the file."""

    dtype: str
    libraries: Mapping[str, str]
    gguf: NotRequired[str]
