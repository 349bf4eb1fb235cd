"""Who came in, how they proved it, and what that reaches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from app.users.tables import SessionRow, TokenRow, UserRow

NOTICE_EVERY = timedelta(minutes=10)  # how often "last seen" and "last used" are worth a write
# What a token of each scope may do. Approving is no more than writing, and no less: it is something else, so that a
# program which writes or launches cannot also be the second person. Asking is something else again: it reaches the
# models that are served, and nothing that the pages have.
SCOPES: Mapping[str, frozenset[str]] = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "launch": frozenset({"read", "write", "launch"}),
    "approve": frozenset({"read", "approve"}),
    "ask": frozenset({"ask"}),
}


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who proved who they are: by a browser session (its hash, and its row), or by a token of some scope."""

    user: UserRow
    session_sha256: str = ""
    token: TokenRow | None = None
    session: SessionRow | None = None

    def may(self, scope: str) -> bool:
        """Whether the token's scope reaches that far; a browser session reaches everything its role does."""
        return self.token is None or scope in SCOPES[self.token.scope]


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def printable(text: str) -> bool:
    """Whether a name has only signs that can be seen: nothing that turns a line around or ends it."""
    return all(sign.isprintable() for sign in text)
