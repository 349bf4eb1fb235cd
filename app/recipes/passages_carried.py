"""What is kept of the passages that training rows carry, as it is stored and approved."""

from typing import TypedDict


class CarriedPassages(TypedDict, total=False):
    """way, k, index, sha256: of the arm's index, which decides the passages of a row; without an index where an arm
    gives all documents. of_rows, of_split: hashes of the data that they were looked up for. rows_sha256: of the file
    with the rows that carry them. excluded: passages left out since they give dev or test rows away. short: rows that
    got fewer than k."""

    way: str
    k: int
    index: int
    sha256: str
    of_rows: str | None
    of_split: str | None
    rows_sha256: str
    excluded: int
    rows: int
    short: int
