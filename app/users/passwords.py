"""Passwords: what is accepted, and how one is kept and checked."""

import secrets
import threading
from collections.abc import Iterator
from functools import lru_cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.text import normal_form

SHORTEST = 12  # characters; length is what counts, so there are no rules about kinds of characters (NIST SP 800-63B)
LONGEST = 256

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
    """Argon2id with the installation's cost, at most two at once: a rush of sign-ins must not take all the memory."""

    def __init__(self, passes: int, memory: int) -> None:
        self._hasher = PasswordHash((Argon2Hasher(time_cost=passes, memory_cost=memory, parallelism=1),))
        self._turn = threading.Semaphore(2)
        self._nobody = self._hasher.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        with self._turn:
            return self._hasher.hash(_normal(password))

    def verify(self, password: str, stored: str | None) -> bool:
        """Check a password; for nobody (`None`) it takes as long and is always wrong."""
        with self._turn:
            return self._hasher.verify(_normal(password), stored or self._nobody) and stored is not None


def _normal(password: str) -> str:
    # The same letter can be typed as one sign or as two, depending on the keyboard.
    return normal_form("NFC", password)


@lru_cache(maxsize=4)
def with_cost(passes: int, memory: int) -> Passwords:
    """Give the one `Passwords` of this cost, so that the limit of two holds for the whole process."""
    return Passwords(passes, memory)
