"""The last test of a model server, as it is kept with the connection.

A connection that was changed is another one, and its test goes. A run that meets a server notes how that went, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.db import utcnow
from app.inference.tables import ModelRow

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

    def to_json(self) -> dict[str, Any]:
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
