"""What a gate says: its state, what was measured, and what would change it, as codes and numbers."""

from dataclasses import dataclass
from typing import Literal

from app.wording import Statement

State = Literal["pass", "fail", "unknown", "not_applicable"]
How = Literal["measured", "declared", "estimated"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate found.

    observed: what was measured or declared, as codes of `sentences/gates.py`. actions: what would change the state, as
    names of the gate's sentences in the policy.
    """

    state: State
    how: How
    observed: tuple[Statement, ...]
    actions: tuple[Statement, ...] = ()

    @property
    def locks(self) -> bool:
        return self.state in ("fail", "unknown")


def passed(how: How, *observed: Statement) -> Finding:
    return Finding("pass", how, observed)


def action(code: str, /, **values: object) -> Statement:
    """A sentence of the gate in the policy. The tests look for these calls."""
    return Statement(code, values)
