"""What is accepted as a password, and how one is checked."""

import pytest

from app.users import passwords
from app.users.passwords import Passwords, faults, one_time

CHEAP = Passwords(1, 8)


@pytest.mark.parametrize(
    "password",
    [
        "four green wet stones",
        "Zwölf Schöne Äpfel",
        "x9$kLm2!pQ7w",
        "a" * 3 + "bcdefghijk mnop",
        "пароль из нескольких слов",
    ],
)
def test_length_is_what_counts(password: str) -> None:
    assert list(faults(password, "Dana", "dana@example.org")) == []


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "at least 12"),
        ("short word", "at least 12"),
        ("x" * 257, "at most 256"),
        ("aaaaaaaaaaaaaaaa", "different characters"),
        ("password1234", "easy to guess"),
        ("Password-2026", "easy to guess"),
        ("123456789012", "easy to guess"),
        ("passwordpassword", "easy to guess"),
        ("dana.iverson1", "easy to guess"),
    ],
)
def test_what_is_guessed_first_is_refused(password: str, sentence: str) -> None:
    assert sentence in " ".join(faults(password, "Dana Iverson", "dana@example.org"))


def test_a_hash_opens_with_its_password_only() -> None:
    stored = CHEAP.hash("four green wet stones")

    assert stored.startswith("$argon2id$")
    assert CHEAP.verify("four green wet stones", stored)
    assert not CHEAP.verify("four green wet stone", stored)


def test_nobody_has_no_password() -> None:
    assert not CHEAP.verify("", None)
    assert not CHEAP.verify("four green wet stones", None)


def test_a_letter_typed_in_two_ways_is_the_same_letter() -> None:
    stored = CHEAP.hash("zwo\u0308lf scho\u0308ne aepfel")

    assert CHEAP.verify("zw\u00f6lf sch\u00f6ne aepfel", stored)


def test_one_time_passwords_are_long_and_never_the_same() -> None:
    made = {one_time() for _ in range(200)}

    assert len(made) == 200
    assert all(list(faults(one)) == [] for one in made)


def test_the_limit_of_two_is_for_the_whole_process() -> None:
    assert passwords.with_cost(1, 8) is passwords.with_cost(1, 8)
