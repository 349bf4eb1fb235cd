"""Two systems on the same rows: is the second better, and on which rows.

The verdict is about the difference, never about two intervals that do or do not overlap. "Inconclusive" is an
answer: it says that these rows cannot tell, and how many could.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from app.evaluation import assurance, correction, grouped, statistics
from app.evaluation.assurance import Needed
from app.evaluation.correction import Labels, Tally
from app.evaluation.grouped import Codes, Design
from app.intervals import CONFIDENCE
from app.wording import plural, signed_points

Verdict = Literal["improved", "not better", "regressed", "inconclusive"]

WORTHWHILE = 0.03  # a gain below 3 points is not worth a model of one's own; "not better" rules out more than this
MORE = 50  # rows, of which it is said how much they would narrow an interval
BEST_PROMPT = "the best prompt"
CHANGED = 0.1  # a graded row counts as fixed or broken when its score moves by at least this much


@dataclass(frozen=True, slots=True)
class Pair:
    """One row, scored for both systems."""

    id: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the rows say about "after" against "before".

    delta, low, high: after minus before with its 95 % interval. p and test: the exact McNemar test for right and
    wrong, the paired randomisation test for graded scores; where rows come in groups, the same by group. fixed, broken:
    ids of the rows that changed, the largest change first. rows_for_answer: how many rows would settle it, when these
    do not; chance: that they do, 0 to 1, None where results of earlier versions named a number without one. design: of
    the differences, None where no two rows belong together.
    """

    rows: int
    before: float
    after: float
    delta: float
    low: float
    high: float
    p: float
    test: str
    fixed: tuple[int, ...]
    broken: tuple[int, ...]
    verdict: Verdict
    rows_for_answer: int | None
    words: str
    chance: float | None = None
    design: Design | None = None

    @property
    def same(self) -> int:
        """Rows that were neither fixed nor broken."""
        return self.rows - len(self.fixed) - len(self.broken)

    @property
    def narrower(self) -> float:
        """By how much `MORE` rows would narrow the interval, from end to end."""
        return statistics.narrower(self.high - self.low, self.rows, MORE)


def compare(
    pairs: Sequence[Pair],
    *,
    binary: bool,
    seed: int = 0,
    worthwhile: float = WORTHWHILE,
    groups: Mapping[int, int] | None = None,
    assured: bool = True,
    against: str = BEST_PROMPT,
    labels: Labels | None = None,
) -> Comparison:
    """Compare row by row. Rows that one of the two could not answer must be left out by the caller, and counted.

    groups: of rows that belong together, the number of their group, by the row's id. assured: name the rows still
    needed with the chance that they settle it (`assurance`), else as results of earlier versions did. against: what the
    first of the two is, in a sentence. labels: of people, where a judge scored: shares and the difference are corrected
    by them, with the uncertainty of both; the test and the rows are those of its own words (`correction`).

    improved: the interval of the difference lies above 0 and the test agrees (p < 0.05). regressed: the same below 0.
    not better: the interval rules out a gain of `worthwhile` or more. inconclusive: anything else. Graded scores have
    to stand up to rows of a kind that was not seen as well (`statistics.paired_bounded`); where answers are right or
    wrong the interval has that in it.
    """
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    codes = _codes(pairs, groups)
    if binary:
        fixed = tuple(pair.id for pair in pairs if pair.after > pair.before)
        broken = tuple(pair.id for pair in pairs if pair.after < pair.before)
    else:
        moved = sorted(pairs, key=lambda pair: (-abs(pair.after - pair.before), pair.id))
        fixed = tuple(pair.id for pair in moved if pair.after - pair.before >= CHANGED - 1e-9)
        broken = tuple(pair.id for pair in moved if pair.before - pair.after >= CHANGED - 1e-9)
    p, test = grouped.difference_test(before, after, binary=binary, seed=seed, groups=codes)
    difference = grouped.paired(before, after, binary=binary, seed=seed, groups=codes)
    shares = _mean(before), _mean(after)
    if labels is not None and pairs:
        difference, shares = by_judge(difference, before, after, labels)
    bound = difference if binary else _bound(before, after, difference, seed, groups=codes)
    verdict = _verdict(bound, p, worthwhile)
    design = grouped.design([pair.after - pair.before for pair in pairs], codes) if codes else None
    needed = None
    if verdict == "inconclusive" and len(pairs) > 1:
        told = correction.discernment(labels) if labels is not None else 1.0  # a judge's words differ by less
        needed = _needed(pairs, difference.delta * told, worthwhile * told, design, binary=binary, assured=assured)
    return Comparison(
        rows=len(pairs),
        before=shares[0],
        after=shares[1],
        delta=difference.delta,
        low=difference.low,
        high=difference.high,
        p=p,
        test=test,
        fixed=fixed,
        broken=broken,
        verdict=verdict,
        rows_for_answer=needed.rows if needed else None,
        words=_words(
            _seen(difference, len(pairs), design),
            verdict,
            worthwhile,
            _more(len(pairs), difference, worthwhile, needed, assured=assured),
            clear=_clear(difference, p, worthwhile),
            against=against,
        ),
        chance=needed.chance if needed and assured else None,
        design=design,
    )


def by_judge(
    seen: statistics.Difference,
    before: Sequence[float],
    after: Sequence[float],
    labels: Labels,
    confidence: float = CONFIDENCE,
) -> tuple[statistics.Difference, tuple[float, float]]:
    """A difference by a judge's words and the two shares of passes, as people's labels correct them; 0 to 1."""
    first, second = (Tally(round(math.fsum(scores)), len(scores)) for scores in (before, after))
    shares = [one.share if (one := correction.corrected(tally, labels)) else tally.share for tally in (first, second)]
    return correction.difference(seen, first, second, labels, confidence), (shares[0], shares[1])


def _codes(pairs: Sequence[Pair], groups: Mapping[int, int] | None) -> Codes | None:
    """For each row the number of its group; None where no two belong together."""
    if not groups:
        return None
    codes = [groups.get(pair.id, -1 - place) for place, pair in enumerate(pairs)]
    return None if grouped.alone(codes) else codes


def _seen(difference: statistics.Difference, rows: int, design: Design | None) -> str:
    """The difference in words."""
    low, high = signed_points(difference.low), signed_points(difference.high)
    on_rows = f"{rows:,} rows" + (f" in {plural(design.groups, 'group')}" if design else "")
    return f"{signed_points(difference.delta)} points on the same {on_rows} (95 % interval {low} to {high})"


def _bound(
    before: Sequence[float],
    after: Sequence[float],
    found: statistics.Difference,
    seed: int,
    confidence: float = CONFIDENCE,
    groups: Codes | None = None,
) -> statistics.Difference:
    """What a verdict on graded scores goes by: the interval, widened to where rows that nobody saw could move it."""
    bounded = grouped.paired_bounded(before, after, seed, confidence, groups)
    return replace(found, low=min(found.low, bounded.low), high=max(found.high, bounded.high))


def _clear(difference: statistics.Difference, p: float, worthwhile: float) -> bool:
    """Whether the interval alone would settle it."""
    return _verdict(difference, p, worthwhile) != "inconclusive"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _verdict(difference: statistics.Difference, p: float, worthwhile: float) -> Verdict:
    if difference.low > 0 and p < statistics.ALPHA:
        return "improved"
    if difference.high < 0 and p < statistics.ALPHA:
        return "regressed"
    if difference.high < worthwhile:
        return "not better"
    return "inconclusive"


def _needed(
    pairs: Sequence[Pair], delta: float, worthwhile: float, design: Design | None, *, binary: bool, assured: bool
) -> Needed | None:
    """Rows that would settle it. Not assured: that show a gap as large as the one seen, or the smallest worthwhile one
    if that is larger, were it the true one. Rows in groups are counted as independent ones, and back."""
    gap = max(abs(delta), worthwhile)
    changes = np.array([pair.after - pair.before for pair in pairs])
    spread = float(changes.std(ddof=1))
    if not assured and binary:
        return Needed(statistics.rows_needed(gap, max(float(np.mean(changes != 0)), gap)), statistics.POWER)
    if not assured:
        rows = statistics.rows_needed_graded(gap, spread, unseen=2 * statistics.BOUNDED)
        return Needed(rows, statistics.POWER)
    share = design.rows / len(pairs) if design else 1.0
    if binary:
        b, c = float((changes < 0).sum()), float((changes > 0).sum())
        both = float(sum(pair.before > 0 and pair.after > 0 for pair in pairs))
        cells = (both, b, c, len(pairs) - both - b - c)
        needed = assurance.needed_rates(*(round(cell * share, 6) for cell in cells), worthwhile)
    else:
        needed = assurance.needed_graded(len(pairs) * share, delta, spread, worthwhile)
    return needed and replace(needed, rows=assurance.rounded(needed.rows / share))


def _words(seen: str, verdict: Verdict, worthwhile: float, more: str, *, clear: bool, against: str) -> str:
    if verdict == "improved":
        return f"Improved: {seen}. Chance alone would hardly show this."
    if verdict == "regressed":
        return f"Regressed: {seen}. It is worse than {against}."
    if verdict == "not better":
        return f"Not better: {seen}. A gain of {100 * worthwhile:.0f} points or more can be ruled out."
    if clear:
        return (
            f"Inconclusive: {seen}. So few rows do not rule out that one in a while changes far more than any of these "
            "did, which could undo it."
        )
    return f"Inconclusive: {seen}. These rows cannot tell whether it is better.{more}"


def _more(
    rows: int, difference: statistics.Difference, worthwhile: float, needed: Needed | None, *, assured: bool
) -> str:
    """What more rows would do, in a sentence."""
    if needed is None or needed.rows <= rows:
        return ""
    if assured:
        chance = f"{100 * needed.chance:.0f} %"
        return f" With about {needed.rows:,} rows it is settled with a chance of {chance}, going by these {rows:,}."
    gap = f"{100 * max(abs(difference.delta), worthwhile):.1f} points"
    return (
        f" About {needed.rows:,} rows would show a difference of {gap} in four of five tries: a rough guess from these"
        f" {rows:,}."
    )


# ------------------------------------------------------------------ more than one to beat

Kind = Literal["prompt", "free", "unasked"]
ONE_SIDED = 0.90  # confidence of an interval whose lower end alone is a 95 % bound


@dataclass(frozen=True, slots=True)
class Rival:
    """Something else that has to be beaten before "improved" is said.

    kind: a prompt that the dev rows could not tell from the best one; what needs no language model (free); or such a
    prompt that was not asked the test rows (unasked): then `before` is None, and the difference adds what the dev rows
    leave open to what the test rows show (`statistics.chained`). low, high: a 90 % interval, so that each is a bound
    that holds in 95 of 100 cases.
    """

    title: str
    kind: Kind
    before: float | None
    delta: float
    low: float
    high: float
    verdict: Verdict


def rival(
    title: str,
    kind: Kind,
    pairs: Sequence[Pair],
    *,
    binary: bool,
    seed: int = 0,
    groups: Mapping[int, int] | None = None,
    labels: Labels | None = None,
) -> Rival:
    """One that answered the same rows. groups: of rows that belong together. labels: as for `compare`."""
    before, after = [pair.before for pair in pairs], [pair.after for pair in pairs]
    codes = _codes(pairs, groups)
    found = grouped.paired(before, after, binary=binary, seed=seed, confidence=ONE_SIDED, groups=codes)
    reached = _mean(before)
    if labels is not None and pairs:
        found, (reached, _) = by_judge(found, before, after, labels, ONE_SIDED)
    bound = found if binary else _bound(before, after, found, seed, ONE_SIDED, codes)
    return _rival(title, kind, reached, found, bound)


def doubt(others: int) -> float:
    """The confidence of what the dev rows say about the best prompt, where it stands in for test rows. others: how many
    more prompts there were.

    Any of them might have come out best by luck, and is then flattered: each is allowed its part of 5 % on one side
    (Bonferroni). With two others that is an interval of 95 %, with four of 97.5 %.
    """
    return max(CONFIDENCE, 1 - 2 * statistics.ALPHA / max(1, others))


def unasked(title: str, first: Comparison, on_dev: statistics.Difference) -> Rival:
    """One that did not. on_dev: how much the best prompt was better than it on the dev rows (`doubt`)."""
    total = statistics.chained(statistics.Difference(first.delta, first.low, first.high), on_dev)  # 95 %: on its side
    return _rival(title, "unasked", None, total, total)


def _rival(
    title: str, kind: Kind, before: float | None, found: statistics.Difference, bound: statistics.Difference
) -> Rival:
    """found: what is shown. bound: what the verdict goes by."""
    verdict: Verdict = "inconclusive"
    if bound.low > 0:
        verdict = "improved"
    elif bound.high < WORTHWHILE:
        verdict = "regressed" if bound.high < 0 else "not better"
    return Rival(title, kind, before, found.delta, found.low, found.high, verdict)


def against_all(first: Comparison, rivals: Sequence[Rival]) -> Comparison:
    """The comparison with the best prompt, as it may be said once all others are looked at.

    "Improved" has to hold against each of them at one-sided 5 %: an intersection-union test, whose level is 5 % however
    many there are (Berger 1982, Technometrics 24:295). Choosing the best prompt on few dev rows is so no way to an easy
    one: whichever of those within reach is truly best, it has to be beaten too. `tests/bench/bench_choice.py` has how
    often that goes wrong and what it costs. Other verdicts stay.
    """
    ahead = max((one for one in rivals if one.kind == "free" and (one.before or 0.0) > first.after), key=_reached,
                default=None)  # fmt: skip
    if first.verdict != "improved":
        if ahead is None:
            return first
        return replace(first, words=f"{first.words} “{ahead.title}” gets to {_share(ahead.before)} on the same rows.")
    left = [one for one in rivals if one.verdict != "improved"]
    if not left:
        return replace(first, words=first.words + _beaten(rivals))
    toughest = min(left, key=lambda one: (one.kind != "free", one.low))
    ruled_out = any(one.verdict in ("regressed", "not better") for one in left)
    seen = f"{signed_points(first.delta)} points over the best prompt on the same {first.rows:,} rows"
    verdict: Verdict = "not better" if ruled_out else "inconclusive"
    head = "Not better" if ruled_out else "Inconclusive"
    return replace(first, verdict=verdict, rows_for_answer=None, words=f"{head}: {seen}, but {_unbeaten(toughest)}")


def _unbeaten(one: Rival) -> str:
    gap = f"{signed_points(one.delta)} points, 90 % interval {signed_points(one.low)} to {signed_points(one.high)}"
    if one.kind == "free":
        return (
            f"“{one.title}” gets to {_share(one.before)} without a language model, and the adapter is not shown to be "
            f"better ({gap}). Use it, or beat it."
        )
    if one.kind == "unasked":
        return (
            f"“{one.title}”, which the dev rows could not tell from that prompt, was not asked the test rows. With "
            f"what the dev rows leave open, the adapter is not shown to be better than it ({gap})."
        )
    return (
        f"“{one.title}”, which the dev rows could not tell from that prompt, gets to {_share(one.before)}, and the "
        f"adapter is not shown to be better than it ({gap})."
    )


def _beaten(rivals: Sequence[Rival]) -> str:
    prompts = sum(one.kind != "free" for one in rivals)
    free = sum(one.kind == "free" for one in rivals)
    parts = []
    if prompts:
        parts.append("the other prompt within reach" if prompts == 1 else f"the {prompts} other prompts within reach")
    if free:
        parts.append("what needs no language model")
    return f" It beats {' and '.join(parts)} as well." if parts else ""


def _reached(one: Rival) -> float:
    return one.before or 0.0


def _share(score: float | None) -> str:
    return f"{100 * (score or 0.0):.1f} %"
