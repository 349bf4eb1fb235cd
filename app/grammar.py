"""Numbers with the words that go with them."""


def plural(number: int, one: str, several: str = "") -> str:
    """1 row, 2,000 rows. several: where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def verb(number: int, of_one: str, of_several: str) -> str:
    """The form of a verb that goes with so many."""
    return of_one if number == 1 else of_several
