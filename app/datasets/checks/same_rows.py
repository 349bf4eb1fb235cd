"""Whether two sets of test rows are the same rows, whatever version, assessment or file they came in.

A result, a look or a target that was changed after a result belongs to the rows, not to the object that holds them:
objects can be made anew by anybody. Two rows are the same when they ask the same (`compared_text.key`), so another
space or capital, or another answer, makes no fresh row.
"""

from collections.abc import Iterable, Mapping

from app.chat import Record, messages_from_json
from app.datasets.checks import compared_text
from app.datasets.checks.working_rows import question

SHARED = 0.1
"""Share of the smaller set from which two sets are taken for the same: a few common questions stand in many files, and
leaving out some rows must not make a set that was looked at a fresh one."""


def key_of(messages: Iterable[Mapping[str, str]]) -> int:
    """What a row asks, as 64 bits with a sign, as both databases store them."""
    turns = messages_from_json(messages)
    key = compared_text.key(question(Record(0, turns, "")))
    return key - (1 << 64) if key >= 1 << 63 else key


def same_rows(shared: int, one: int, other: int) -> bool:
    """Whether sets of `one` and `other` rows that have `shared` in common count as the same."""
    return shared > 0 and shared >= SHARED * min(one, other)
