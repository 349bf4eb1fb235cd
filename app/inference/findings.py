"""What was found out about a model server before it is measured, and how it is asked because of it. Pure.

`Manner` is the part that changes what is sent and what a result is worth: every later call uses it, a measurement keeps
it, and a reviewer approves it. `Findings` is what a person reads: each thing with what was asked and what came.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.json_types import JsonObject
from app.strict import Frozen
from app.wording import inflect, plural

NEAR = 2  # times a mean: how long the longest of many prompts may well be
SEED = 7  # sent where a server takes a seed: the same one in every call


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed(Frozen):
    """How many of so many answers were another one when the same was asked again."""

    changed: int
    of: int

    @property
    def sentence(self) -> str:
        return f"{self.changed:,} of {plural(self.of, 'answer')} changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner(Frozen):
    """How a server is asked, and what has to be known of its answers.

    at: when it was found out (ISO, UTC). without: what it does not take (`Endpoint`). seed: what it is asked with.
    form: how output constraints are said to it (`wire_forms`). wire: what else is sent with every question, by
    somebody's choice: a switch that turns thinking off. window: tokens that it reads at once; window_from: declared,
    refused, cut or tried (so many were read, more were not tried). cuts: it cuts longer prompts off without a word.
    thinks: where its thinking stands: apart, part or inside. counts: tokens: present, zero or missing. alone, together:
    answers that changed when asked one by one, and several at once. answers_as: another name that it gives its model.
    ends: the day after which the model is gone, as the server said at that time.
    """

    at: str
    without: tuple[str, ...] = ()
    seed: int | None = None
    form: str | None = None
    wire: JsonObject | None = None
    window: int | None = None
    window_from: str | None = None
    cuts: bool | None = None
    thinks: str | None = None
    counts: str | None = None
    alone: Changed | None = None
    together: Changed | None = None
    answers_as: str | None = None
    ends: str | None = None

    @property
    def also_sent(self) -> JsonObject:
        """What goes with every question beside what a question needs."""
        return {**({} if self.seed is None else {"seed": self.seed}), **(self.wire or {})}

    def differs(self) -> JsonObject:
        """What of it answers may depend on; nothing where it is asked as one that nobody met."""
        asked = {"without": sorted(self.without), "sent": self.also_sent, "form": self.form}
        return {name: value for name, value in asked.items() if value}

    def asks_like(self, other: "Manner") -> bool:
        """Whether the same question is sent in the same way by both."""
        return self.differs() == other.differs()


PLAIN = Manner(at="")  # of a server that nobody met: everything is learnt from being refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Frozen):
    """One thing that was looked for. name: a key of `LABELS`. sentence: what it comes to. asked, came: in words.
    differs: it is not as a measurement would have it."""

    name: str
    sentence: str
    asked: str
    came: str
    differs: bool | None = None


LABELS: Mapping[str, str] = {
    "limit": "Answer limit",
    "temperature": "Temperature 0",
    "seed": "Seed",
    "schema": "JSON schema",
    "system": "System turn",
    "turns": "Turns of one speaker",
    "thinking": "Thinking",
    "window": "Context window",
    "usage": "Token counts",
    "name": "Model that answers",
    "alone": "Asked again, alone",
    "together": "Asked again, four at once",
    "ends": "Retirement",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings(Frozen):
    """One meeting with a server. base_url, model: whom it was with. seconds: how long it took; calls, tokens_in,
    tokens_out: what it took, tokens as the server counted them. switch: what would turn thinking off, switch_name: how
    to call that. later: what a measurement found different since, a sentence each."""

    base_url: str
    model: str
    calls: int
    seconds: float
    manner: Manner
    lines: tuple[Line, ...]
    tokens_in: int = 0
    tokens_out: int = 0
    switch: JsonObject | None = None
    switch_name: str | None = None
    later: tuple[str, ...] | None = None

    @property
    def differences(self) -> int:
        """How many things are not as a measurement would have them."""
        return sum(bool(line.differs) for line in self.lines)

    @property
    def thinking_off(self) -> bool:
        """Whether somebody chose that it is asked without thinking."""
        return self.manner.wire is not None


def notes(manner: Manner, tokens: float = 0.0) -> list[str]:
    """What a reader of scores has to know of the server, one sentence each, the weightiest first. tokens: of the
    longest kind of prompt that it got, on average."""
    sentences = []
    if manner.cuts and manner.window and NEAR * tokens > manner.window:
        sentences.append(
            f"The server cuts prompts off without a word at about {plural(manner.window, 'token')}, and prompts here "
            f"have {tokens:,.0f} on average: of the longest ones not all was read."
        )
    worst = max((one for one in (manner.together, manner.alone) if one), key=_share, default=None)
    if worst is not None and worst.changed:
        when = "four at once" if worst is manner.together else "one by one"
        sentences.append(
            f"The server does not always answer alike: {worst.sentence} when the same was asked again, {when}. A "
            "difference of a few rows between two variants may be that."
        )
    if manner.ends:
        sentences.append(f"The server says that this model is there until {manner.ends} (read on {manner.at[:10]}).")
    return sentences


def _share(one: Changed) -> float:
    return one.changed / one.of if one.of else 0.0


def headline(found_out: Findings) -> str:
    """What a meeting comes to, in a line."""
    if not found_out.differences:
        return "It takes everything that a measurement asks for."
    number = found_out.differences
    return f"{plural(number, 'thing')} {inflect(number, 'differs', 'differ')} from what a measurement asks for."
