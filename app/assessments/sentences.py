"""What was measured, in words, beside the questions that measurements answer or replace."""

from collections.abc import Mapping

from app.wording import Wording


def _causes(causes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in causes.items())


def _with_basis(sentence: str, basis: str) -> str:
    return f"{sentence} {basis}".strip()


MEASURED = Wording({
    "usable": "{usable:#usable example}",
    "causes": _causes,
    "tokens": "{tokens:#token}",
    "cost_pass": lambda basis: _with_basis("It pays.", basis),
    "cost_fail": lambda basis: _with_basis("It does not pay.", basis),
    "passed": "{passed:,} of {total:#test row}",
    "score": "{score:%1} on the test rows",
    "test_rows": "{rows:#test row is|test rows are} set aside",
})  # fmt: skip
