"""Which arms need not be asked to the end, because another one is surely better: looked at after every block of rows.

A fixed-n test that is looked at ten times is wrong far more often than it says. An e-value may be looked at after every
row: where the arm is no worse than the one it is held against, it reaches x at any time in at most one of x runs
(Ville 1939). With 20 times the number of arms as the limit, however many there are to lead, the truly best arm is
dropped in at most 5 % of runs. That any of several equal arms is dropped stays below that too, for as many arms as
plans usually have, and with a higher limit for more (`USUAL`): `tests/bench/bench_racing.py` has both, and what it
saves.

Rows that belong together, several questions on one document say, are hard or easy together, and taking them for so many
independent rows drops equal arms far more often than promised. There whole groups are bet on, one after the other.

Only dev rows are raced on, and only to drop. The score of a dropped arm ended when it looked bad, so it is no estimate
of what it would have come to; what is reported on test rows stays a result on a number of rows fixed before.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

ODDS = 20.0  # against each arm: 5 %
USUAL = 8  # arms up to which the odds grow with their number; from there on with the number of pairs, its square
ROUND_LEAST = 20  # rows between two looks: fewer hardly ever drop anything
ROUNDS_MOST = 10
# Shares of the capital that are put on the leader, or on the other one: evenly spread between none and all of it.
_SHARES = tuple(side * number / 21 for number in range(1, 21) for side in (1, -1))

Scores = Mapping[int, float]
"""Scores from 0 to 1 by the id of their row; rows that got no answer are not there."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An arm that need not be asked any more. rows: how many both had answered; e: the e-value, at least `limit`."""

    arm: str
    against: str
    rows: int
    e: float
    limit: float


def ends(rows: int) -> list[int]:
    """After how many rows to look, the last one being all of them."""
    step = max(ROUND_LEAST, math.ceil(rows / ROUNDS_MOST))
    return [*range(step, rows, step), rows] if rows else []


def wins(won: int, lost: int) -> float:
    """How much the rows that only one of two gets right speak for a difference, as an e-value.

    e = 2^(w+l) * B(w + 1/2, l + 1/2) / B(1/2, 1/2): the likelihood under rates drawn from Jeffreys' prior over that
    of a fair coin (mixture martingale; Robbins 1970, Annals of Mathematical Statistics 41:1397). It speaks for either
    side, and is used for one: where the leader has won more rows. A leader that is worse wins fewer rows than a fair
    coin would let it, so the bound holds for it all the more.
    """
    log_e = (won + lost) * math.log(2) + _log_beta(won + 0.5, lost + 0.5) - _log_beta(0.5, 0.5)
    return _exp(log_e)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def bets(differences: Iterable[float]) -> float:
    """The same for graded scores, from how much better the leader is on each row (-1 to 1).

    Somebody bets a fixed share of what they have on the leader, row by row, or on the other one; where neither is
    better on average nobody gets rich by that, whatever the share, and the mean over many shares for either side
    doesn't, either (Waudby-Smith and Ramdas 2024, JRSS B 86:1, section 4.4 and appendix B: hedged and diversified
    bets). As with `wins` it speaks for either side and is used for one.
    """
    logs = [0.0] * len(_SHARES)
    for difference in differences:
        for place, share in enumerate(_SHARES):
            logs[place] += math.log1p(share * difference)
    most = max(logs)
    return _exp(most + math.log(math.fsum(math.exp(one - most) for one in logs) / len(logs)))


def _exp(log_e: float) -> float:
    return math.exp(min(log_e, 700.0))


def losers(
    scores: Mapping[str, Scores],
    *,
    binary: bool,
    of: int,
    may_lead: Collection[str] | None = None,
    groups: Mapping[int, int] | None = None,
) -> list[Dropped]:
    """The arms that are surely worse than the leader, from what each scored on the rows so far.

    of: how many arms began the race, also those that were dropped since. may_lead: arms that may be held against
    others; None: all. The leader has most points on the rows so far, the first of those that have as many; it is
    never dropped, and neither is anything while only one arm is there. groups: by row the number of its group, where
    rows belong together; each group then has to be there whole (`whole`), and its rows speak as one.
    """
    able = [arm for arm in scores if may_lead is None or arm in may_lead]
    if len(scores) < 2 or not able:
        return []
    leader = max(able, key=lambda arm: math.fsum(scores[arm].values()))
    limit = ODDS * of * max(1.0, of / USUAL)
    largest = max(Counter((groups or {}).values()).values(), default=1)
    dropped = []
    for arm, theirs in scores.items():
        if arm == leader:
            continue
        mine = scores[leader]
        both = [row for row in mine if row in theirs]
        if groups is None:
            e = _against([(mine[row], theirs[row]) for row in both], binary=binary)
        else:
            e = _by_group([(groups[row], mine[row] - theirs[row]) for row in both], largest)
        if e >= limit:
            dropped.append(Dropped(arm, leader, len(both), e, limit))
    return dropped


def _against(pairs: Sequence[tuple[float, float]], *, binary: bool) -> float:
    """How surely the first of two is better; 1 says nothing, and 0 where it has won no more than the other."""
    if not binary:
        differences = [first - other for first, other in pairs]
        return bets(differences) if math.fsum(differences) > 0 else 0.0
    won, lost = sum(first > other for first, other in pairs), sum(first < other for first, other in pairs)
    return wins(won, lost) if won > lost else 0.0


def _by_group(differences: Sequence[tuple[int, float]], largest: int) -> float:
    """The same where rows belong together, from the group of each row and how much better the first is on it.

    Rows of a group are right or wrong together, so the bets are on whole groups: on the sum over a group, as a share of
    the `largest` group of the race, known before it begins. That lies in -1 to 1, and is 0 on average where neither of
    two is better. A group in parts would be bet on twice.
    """
    sums: dict[int, list[float]] = {}
    for group, difference in differences:
        sums.setdefault(group, []).append(difference)
    changes = [math.fsum(group) / largest for group in sums.values()]
    return bets(changes) if math.fsum(changes) > 0 else 0.0


def whole(rows: Sequence[int], end: int, groups: Mapping[int, int]) -> Sequence[int]:
    """The first `end` rows without those of a group that goes on after them. Rows of a group stand side by side."""
    if not 0 < end < len(rows) or groups[rows[end]] != groups[rows[end - 1]]:
        return rows[:end]
    cut = groups[rows[end]]
    return [row for row in rows[:end] if groups[row] != cut]
