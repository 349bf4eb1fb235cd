"""What an answer may be: a JSON schema, a regular expression, or one of some labels. Pure."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Kind = Literal["json_schema", "regex", "labels"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """All that an answer may be. text: the schema as JSON, the expression, or the labels one a line."""

    kind: Kind
    text: str

    @property
    def sha256(self) -> str:
        """Identity of what was allowed, down to the last blank; part of what a reviewer approves."""
        return hashlib.sha256(f"{self.kind}\n{self.text}".encode()).hexdigest()
