"""A digest of the code that statuses are worked out with: what another version of the app kept is not believed."""

import hashlib
from functools import cache
from pathlib import Path

APP = Path(__file__).parents[1]
RULES = ("advice", "assessments", "baselines", "datasets", "economics", "evaluation", "gate", "standing", "training",
         "documents", "labelling", "chosen.py", "glossary.py",
         "wording.py")  # fmt: skip
"""Where the code is that a status, its words and its evidence come from."""


@cache
def rules_version() -> str:
    """16 hexadecimal digits; worked out once a process, from a megabyte of text."""
    digest = hashlib.sha256()
    for name in RULES:
        place = APP / name
        paths = [place] if place.is_file() else sorted((*place.rglob("*.py"), *place.rglob("*.toml")))
        for path in paths:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
