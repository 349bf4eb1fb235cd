"""Whether a merged model says what base and adapter say: counted on a few dev rows, and put into words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from app.json_types import JsonObject
from app.strict import stored
from app.wording import percent, plural

ROWS = 10  # dev rows that both are asked: enough to see that something is broken, too few to measure a difference


@dataclass(frozen=True, slots=True)
class Facts:
    """What making one came to. dtype: of its weights. computed: the precision in which both answered, that of the
    measurement. identical: rows to which both gave the same text. adapter, merged: mean scores on the rows that both
    have one of, 0 to 1; None without any. gguf: the version of the package that wrote the file; empty where none did.
    libraries: versions by name, of what merged it.
    """

    dtype: str
    computed: str
    rows: int
    identical: int
    adapter: float | None
    merged: float | None
    gguf: str
    libraries: Mapping[str, str]

    def to_json(self) -> JsonObject:
        return asdict(self)

    @staticmethod
    def from_json(value: JsonObject) -> "Facts":
        return stored(Facts, value)

    @property
    def rounded(self) -> str:
        """The precision to which the sum of base and adapter was rounded, in the file or to compute; empty where it was
        not."""
        return next((dtype for dtype in (self.dtype, self.computed) if dtype != "float32"), "")

    @property
    def words(self) -> str:
        """The outcome in a sentence or two."""
        if not self.rows:
            return "No dev row was answered by both, so nothing is known of how it answers."
        said = f"{self.identical:,} of {plural(self.rows, 'dev row')} got the same text as from base and adapter"
        scores = (
            f"; scores on these rows: {percent(self.merged, 0)} merged, {percent(self.adapter, 0)} with the adapter"
            if self.merged is not None and self.adapter is not None
            else ""
        )
        if self.identical == self.rows:
            return f"{said}{scores}."
        why = (
            f" The sum of base and adapter is rounded to {self.rounded}, which neither was while they stood apart: a "
            "near-tied token can tip an answer."
            if self.rounded
            else " Sums are added in another order: a near-tied token can tip an answer."
        )
        return f"{said}{scores}.{why}"


def compared(adapter: Sequence[str], merged: Sequence[str]) -> int:
    """How many texts are the same, to the last sign."""
    return sum(one == other for one, other in zip(adapter, merged, strict=True))
