"""How a call to a model server fails: what is worth another try, how long to wait, and what may be repeated of it."""

from app.inference import addresses, completion, outbound
from app.inference.generator import Unusable

KEY_PART = 8  # characters of a key that are looked for in what comes back


class RowFailed(Exception):
    """This row has no answer; the others may have."""


class Busy(Exception):
    """Worth another try; `after` is how many seconds the server asked us to wait, None if it did not say.

    wide: the server is busy or away for everybody, not only for this row. unheard: there was no answer of any kind.
    hopeless: there is no such server, as far as we can tell. load: too many calls, or too fast.
    """

    def __init__(
        self,
        reason: str,
        after: float | None = None,
        *,
        wide: bool = False,
        unheard: bool = False,
        hopeless: bool = False,
        load: bool = False,
    ) -> None:
        super().__init__(reason)
        self.after = after
        self.wide = wide
        self.unheard = unheard
        self.hopeless = hopeless
        self.load = load


class Slow(Busy):
    """The call ended at its deadline."""


def failure_of(cause: BaseException) -> Exception:
    """What a call that got no status comes to."""
    if isinstance(cause, outbound.NotAllowed | outbound.NotTrusted):
        return Unusable(str(cause))
    if isinstance(cause, outbound.NoSuchName):
        return Busy(str(cause), wide=True, unheard=True, hopeless=True)
    if isinstance(cause, outbound.TooLong):
        return Slow("The model server did not finish its answer in time.")
    for kind, text in ENDED.items():
        if isinstance(cause, kind):
            return RowFailed(text)
    text = completion.excerpt(str(cause).encode())
    return Busy(f"The connection to the model server failed: {text}", wide=True, unheard=True)


def not_there(address: addresses.Address, model: str, door: str, status: int, content: bytes, excerpt: str) -> Unusable:
    """What it comes to that nothing of what was asked for is at an address."""
    if address.classic_azure and not address.version:
        return Unusable(f"Nothing answers at this address (status {status}). {addresses.AZURE}")
    if completion.is_page(content):
        return Unusable(
            f"There is a web page at this address, not a model server (status {status}). Check the address: it "
            "usually ends in /v1."
        )
    return Unusable(
        f"The model server knows no model “{model}” at this address (status {status}). "
        f"Check the model's name and that the address ends where {door} begins. {excerpt}"
    )


ENDED = {
    outbound.TooLarge: "The answer is larger than an answer may be.",
    outbound.Encoded: "The answer is compressed although that was not asked for.",
    outbound.Stopped: "Cancelled before there was an answer.",
}


def all_words(content: bytes) -> str:
    return " ".join(f"{fault.code} {fault.message}" for fault in completion.faults(content))


def duration(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return f"{min(seconds / 86_400, 9999):.0f} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def clock_time(seconds: float) -> str:
    """Minutes and seconds: 1:07."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def without_key(text: str, key: str) -> str:
    """A stranger's text without this key of ours, or a longer part of it: some servers repeat what they were sent."""
    if len(key) < KEY_PART:
        return text.replace(key, "[key]") if len(key) >= 4 and not key.isalpha() else text
    for start in range(0, len(key) - KEY_PART + 1, KEY_PART):
        part, at = key[start : start + KEY_PART], 0
        while (at := text.find(part, at)) >= 0:
            first, last, before, after = at, at + KEY_PART, start, start + KEY_PART
            while first > 0 and before > 0 and text[first - 1] == key[before - 1]:
                first, before = first - 1, before - 1
            while last < len(text) and after < len(key) and text[last] == key[after]:
                last, after = last + 1, after + 1
            if last - first >= min(len(key), KEY_PART + 4):
                text = f"{text[:first]}[key]{text[last:]}"
                at = first + len("[key]")
            else:
                at = last
    return text
