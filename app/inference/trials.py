"""The last test of a model server and the last meeting with it, as they are kept with the connection.

A connection that was changed is another one: its test goes, and what a meeting found out is outdated. A run notes how a
server was, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.db import utcnow
from app.inference.findings import Findings, Manner
from app.inference.tables import ModelRow, TrialJson

EXCERPT = 300  # characters of an answer that are kept


@dataclass(frozen=True, slots=True)
class Trial:
    """One test. error: why the server cannot be used and what to do, empty where it answered. seconds: until it
    answered, measured. text: what it wrote. remarks: what works otherwise than asked for. offers: the models that it
    lists. by_run: met by a measurement, not by a test."""

    at: datetime
    error: str = ""
    seconds: float = 0.0
    text: str = ""
    remarks: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    by_run: bool = False

    def to_json(self) -> TrialJson:
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "error": self.error,
            "seconds": self.seconds,
            "text": self.text,
            "remarks": list(self.remarks),
            "offers": list(self.offers),
            "by_run": self.by_run,
        }


def last(model: ModelRow) -> Trial | None:
    """The last test of this connection; None where there was none since it was made or changed."""
    kept = model.tested
    if not kept:
        return None
    return Trial(
        datetime.fromisoformat(kept["at"]),
        kept["error"],
        kept["seconds"],
        kept["text"],
        tuple(kept["remarks"]),
        tuple(kept["offers"]),
        kept["by_run"],
    )


def now(
    *, error: str = "", seconds: float = 0.0, text: str = "", remarks: Sequence[str] = (), offers: Sequence[str] = ()
) -> Trial:
    """A test that ends now."""
    moment = utcnow().replace(microsecond=0)
    return Trial(moment, error, round(seconds, 3), text[:EXCERPT], tuple(remarks), tuple(offers))


def same_connection(first: ModelRow, second: ModelRow) -> bool:
    """Whether a test of the one says anything of the other: the same address, model and key."""
    return (first.base_url, first.reference, first.key_sealed) == (second.base_url, second.reference, second.key_sealed)


# ---------------------------------------------------------------- what a meeting found out


def met(model: ModelRow) -> Findings | None:
    """What was found out about a server when it was met last; None where nobody met it."""
    return None if model.met is None else Findings.from_json(model.met)


def outdated(model: ModelRow) -> bool:
    """Whether that was another server or another model of it."""
    before = met(model)
    return before is not None and (before.base_url, before.model) != (model.base_url, model.reference)


def manner(model: ModelRow) -> Manner | None:
    """How a server is asked by what is known of it; None where nothing is, or only of another one."""
    known = met(model)
    return None if known is None or outdated(model) else known.manner


def window(model: ModelRow) -> int | None:
    """Tokens that a model reads at once, as people entered it, its files say or a meeting found; None where nobody
    knows. So many as were tried without reaching the end are no window."""
    known = manner(model)
    measured = known.window if known is not None and known.window_from != "tried" else None
    if known is not None and known.cuts:
        return measured
    return model.context_window or measured
