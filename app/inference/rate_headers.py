"""What a server says of its own limits in the headers of an answer, read as seconds to wait. Pure.

Two kinds: how long to wait after being turned away (`Retry-After`, RFC 9110, 10.2.3, and the same in milliseconds), and
how many calls and tokens are left until a count begins anew. The second is said with answers too, so that nobody need
be turned away at all. Each provider writes it in its own way: OpenAI and those alike with spans like `6m0s`, Anthropic
with moments, others with seconds or seconds since 1970.
"""

import email.utils
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

NAMES = ("retry-after", "retry-after-ms")
# Where the count of what is left stands, for calls and for tokens: prefix, then the order of the words.
LEFT = {
    "calls": (
        ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-limit-requests"),
        (
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
            "anthropic-ratelimit-requests-limit",
        ),
        ("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit"),
        ("ratelimit-remaining", "ratelimit-reset", "ratelimit-limit"),
    ),
    "tokens": (
        ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "x-ratelimit-limit-tokens"),
        (
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
            "anthropic-ratelimit-tokens-limit",
        ),
    ),
}
KEPT = frozenset(NAMES) | {name for kinds in LEFT.values() for names in kinds for name in names}
SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
SINCE_1970 = 1e9  # a number of seconds from which on it is a moment and no span


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a server asked for; None if it did not say."""
    exact = _number(headers.get("retry-after-ms", ""))
    if exact is not None:
        return max(0.0, exact / 1000)
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if (seconds := _number(value)) is not None:
        return max(0.0, seconds)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - (now or datetime.now(UTC))).total_seconds())


def used_up(headers: Mapping[str, str], tokens: float = 0.0, now: datetime | None = None) -> float:
    """Seconds until there is room for one more call; 0 where there is some, or where nobody says.

    tokens: what a call takes, as far as it is known. Where the whole allowance is known it comes back bit by bit, and
    only what is missing of one call is waited for; else the whole time is.
    """
    waits = [0.0]
    for kind, spellings in LEFT.items():
        needed = 1.0 if kind == "calls" else tokens
        for left_name, reset_name, limit_name in spellings:
            left, reset = _number(headers.get(left_name, "")), headers.get(reset_name, "")
            if left is None or left >= needed or not reset:
                continue
            whole, limit = _span(reset, now or datetime.now(UTC)), _number(headers.get(limit_name, ""))
            by_bits = bool(SPAN.match(reset.strip())) and limit is not None and limit >= needed
            share = (needed - left) / (limit - left) if by_bits and limit else 1.0
            waits.append(whole * share)
    return max(waits)


def _number(value: str) -> float | None:
    try:
        number = float(value.strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _span(value: str, now: datetime) -> float:
    """Seconds from now: of a span in words (`1m30s`), of plain seconds, of a moment."""
    value = value.strip()
    if (seconds := _number(value)) is not None:
        return max(0.0, seconds - now.timestamp() if seconds >= SINCE_1970 else seconds)
    if (parts := SPAN.findall(value)) and "".join(number + unit for number, unit in parts) == value:
        return sum(float(number) * SECONDS[unit] for number, unit in parts)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
