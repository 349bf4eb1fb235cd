"""What people decide about each kind of personal data, as it is stored with a version or a file."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from app.json_types import JsonDict, JsonObject
from app.privacy.identifier_report import IdentifierReport
from app.strict import stored

# As they are stored and sent; "attest" is what keeping values as they are was called when it was first stored.
MASK, EXCLUDE, KEEP_AS_IS = "mask", "exclude", "attest"
ACTIONS = (MASK, EXCLUDE, KEEP_AS_IS)


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision on a kind of personal data.

    action: mask (replace each value by its kind, and keep the row), exclude (leave the row out), or attest (keep it as
    it is). reason: why values may be kept. by: the user's id. at: ISO 8601, in UTC. version: of the data, on which it
    was decided; a mask holds for later versions, too. None for documents, which have no versions.
    """

    action: str
    reason: str = ""
    by: int = 0
    at: str = ""
    version: int | None = None

    @staticmethod
    def from_json(value: JsonObject) -> "Decision":
        """What `to_json` wrote; the oldest have no version."""
        return stored(Decision, value)

    def to_json(self) -> JsonDict:
        value: JsonDict = {"action": self.action, "reason": self.reason, "by": self.by, "at": self.at}
        return value if self.version is None else value | {"version": self.version}


Decisions = Mapping[str, Decision]


def decisions_from_json(kept: Mapping[str, JsonObject]) -> dict[str, Decision]:
    """Decisions by kind, as `decisions_to_json` wrote them."""
    return {kind: Decision.from_json(decision) for kind, decision in kept.items()}


def decisions_to_json(decisions: Decisions) -> JsonDict:
    return {kind: decision.to_json() for kind, decision in decisions.items()}


def actions(decisions: Decisions) -> dict[str, str]:
    """What is done with each kind that was decided on."""
    return {kind: decision.action for kind, decision in decisions.items()}


def kinds_with(action: str, decisions: Decisions) -> frozenset[str]:
    """The kinds on which this was decided."""
    return frozenset(kind for kind, decision in decisions.items() if decision.action == action)


def undecided(identifiers: IdentifierReport | None, decided: Container[str]) -> list[str]:
    """The kinds found that nobody has decided on; none where nobody looked."""
    return identifiers.undecided(decided) if identifiers else []
