"""Names of models: what to show of one, and whether two mean the same. Pure."""

import re


def shown_name(name: str) -> str:
    """The name that a server gives its model, without the folders that it lies in there: they are nobody's business."""
    if name.startswith(("/", "~", ".", "file:")) or re.match(r"[A-Za-z]:[\\/]", name) or "\\" in name:
        return re.split(r"[\\/]", name.rstrip("/\\"))[-1]
    return name


DATED = re.compile(r"[-@:](?:\d{4}-\d{2}-\d{2}|20\d{6}|\d{4}|\d{3}|latest)\Z")


def same_model(wanted: str, reported: str) -> bool:
    """Whether a reported name means what was asked for: a dated, tagged, provider's or file's form of the same name."""
    first, second = _plain(wanted), _plain(reported)
    return first == second or DATED.sub("", second) == first or DATED.sub("", first) == second


def _plain(name: str) -> str:
    name = shown_name(name).lower().rsplit("/", 1)[-1].split("@", 1)[0].removesuffix(":latest")
    return re.sub(r"\.(?:gguf|bin|safetensors)\Z", "", name)
