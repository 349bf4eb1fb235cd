"""Passwords: what is accepted, and how one is kept and checked."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.text import normal_form
from app.web.refusals import TooMany

SHORTEST = 12  # characters; length is what counts, so there are no rules about kinds of characters (NIST SP 800-63B)
LONGEST = 256
AT_ONCE = 2  # passwords looked at

# Runs that people type when twelve characters are asked for. What holds one of them needs as many others besides.
WORN = ("password", "passwort", "qwertyuiop", "qwertzuiop", "asdfghjkl", "1234567890", "0987654321", "letmein",
        "welcome", "administrator", "iloveyou", "abcdefghij", "tunegate", "changeme", "secret")  # fmt: skip


def faults(password: str, *about: str) -> Iterator[str]:
    """Say what is wrong with a new password; `about` are the person's own names, which are guessed first."""
    if len(password) < SHORTEST:
        yield f"Use at least {SHORTEST} characters; a few words in a row are fine."
        return
    if len(password) > LONGEST:
        yield f"Use at most {LONGEST} characters."
        return
    plain = password.casefold()
    if len(set(plain)) < 5:
        yield "Use more than a few different characters."
    left = plain
    for worn in (*WORN, *(part for text in about for part in _parts(text))):
        left = left.replace(worn, "")
    if left != plain and len(left) < 6:
        yield "This is too easy to guess; add words that have nothing to do with you or with this site."


def _parts(text: str) -> list[str]:
    return [part for part in text.casefold().replace("@", " ").replace(".", " ").split() if len(part) > 3]


def one_time() -> str:
    """A password to hand over once: 80 bits, in groups that can be read out."""
    text = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(16))
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


class Passwords:
    """Argon2id with the installation's cost, at most two at once: a rush of sign-ins must not take all the memory.

    Nor may it take the threads that make the pages, so only a few wait for their turn.
    """

    WAITING, RESERVED = 6, 6  # that wait, of strangers and of those who were here before

    def __init__(self, passes: int, memory: int) -> None:
        self._hasher = PasswordHash((Argon2Hasher(time_cost=passes, memory_cost=memory, parallelism=1),))
        self._turn = threading.Semaphore(AT_ONCE)
        self._nobody = self._hasher.hash(secrets.token_hex())
        self._inside = 0
        self._lock = threading.Lock()

    @contextmanager
    def admitted(self, *, known: bool = False) -> Iterator[None]:
        """Be one of the few who have a password looked at, or wait for it. known: not a stranger.

        Raises:
            TooMany: all places are taken; nothing has been looked at, so nothing counts as a failure.
        """
        with self._lock:
            if self._inside >= AT_ONCE + self.WAITING + (self.RESERVED if known else 0):
                raise TooMany("Many people are signing in right now. Try again in a few seconds.", 3)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def hash(self, password: str) -> str:
        with self._turn:
            return self._hasher.hash(_normal(password))

    def verify(self, password: str, stored: str | None) -> bool:
        """Check a password; for nobody (`None`) it takes as long and is always wrong.

        One that is longer than any that is accepted is wrong before anything is done with it.
        """
        if len(password) > LONGEST:
            return False
        with self._turn:
            return self._hasher.verify(_normal(password), stored or self._nobody) and stored is not None


def _normal(password: str) -> str:
    # The same letter can be typed as one sign or as two, depending on the keyboard.
    return normal_form("NFC", password)


@lru_cache(maxsize=4)
def with_cost(passes: int, memory: int) -> Passwords:
    """Give the one `Passwords` of this cost, so that the limit of two holds for the whole process."""
    return Passwords(passes, memory)
