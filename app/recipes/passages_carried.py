"""What is kept of the passages that training rows carry, as it is stored and approved."""

from app.baselines.arm_settings import Searched


class CarriedPassages(Searched, total=False):
    """As the best arm has them; without an index where it gives all documents. of_rows, of_split: hashes of the data
    that they were looked up for. rows_sha256: of the file with the rows that carry them. excluded: passages left out
    since they give dev or test rows away. short: rows that got fewer than k."""

    of_rows: str | None
    of_split: str | None
    rows_sha256: str
    excluded: int
    rows: int
    short: int
