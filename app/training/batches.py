"""Which rows are trained together, in which order: seeded, so that a run that was killed goes on with the same rows."""

import random
from collections.abc import Sequence

# Of one pass through the model, padding included. Products of matrices take 1.13 ms a token with 256 tokens, 1.03 with
# 1,024 and 0.98 with 2,048; memory grows with it (tests/bench/RESULTS.md).
MICRO_TOKENS = 1536
# The same on an accelerator, which is idle with less; where it does not fit, passes are halved until it does.
WIDE_TOKENS = 16_384
WINDOW = 16  # optimizer steps among which rows are sorted by length: little padding, and still a shuffle

Step = tuple[tuple[int, ...], ...]  # the passes of one optimizer step, each the numbers of its rows


def steps_per_epoch(rows: int, batch_rows: int) -> int:
    """Optimizer steps of one pass over the data; the last one may have fewer rows."""
    return -(-rows // batch_rows)


def epoch(lengths: Sequence[int], batch_rows: int, seed: int, number: int, budget: int = MICRO_TOKENS) -> list[Step]:
    """The steps of pass `number`: every row once, in steps of `batch_rows` rows of like length. budget: see `passes`.

    Rows are shuffled, sorted by length within windows of a few steps, cut into steps, and the steps shuffled again.
    """
    chance = random.Random(f"{seed}/{number}")
    order = list(range(len(lengths)))
    chance.shuffle(order)
    steps: list[list[int]] = []
    for start in range(0, len(order), batch_rows * WINDOW):
        window = sorted(order[start : start + batch_rows * WINDOW], key=lambda row: (lengths[row], row))
        steps += [window[at : at + batch_rows] for at in range(0, len(window), batch_rows)]
    chance.shuffle(steps)
    return [passes(step, lengths, budget) for step in steps]


def passes(rows: Sequence[int], lengths: Sequence[int], budget: int = MICRO_TOKENS) -> Step:
    """Cut rows into passes that hold at most `budget` tokens with padding; a longer row gets its own."""
    cut: list[list[int]] = []
    for row in sorted(rows, key=lambda row: (lengths[row], row)):
        if not cut or lengths[row] * (len(cut[-1]) + 1) > budget:
            cut.append([])
        cut[-1].append(row)
    return tuple(tuple(part) for part in cut)


def dealt(rows: Sequence[int], lengths: Sequence[int], rank: int, ranks: int) -> list[int]:
    """The rows of one step that this rank takes: all of like length, and of all tokens about its share.

    Every row is dealt once. A step with fewer rows than ranks leaves some of them without any.
    """
    ordered = sorted(rows, key=lambda row: (lengths[row], row))
    total = sum(lengths[row] for row in ordered)
    mine, before = [], 0
    for row in ordered:
        middle = before + lengths[row] / 2
        if min(ranks - 1, int(middle * ranks / max(total, 1))) == rank:
            mine.append(row)
        before += lengths[row]
    return mine


def shares(rows: Sequence[int], lengths: Sequence[int], ranks: int, budget: int, *, even: bool) -> list[Step]:
    """The passes of one step by rank. even: as many for each, some of them without rows."""
    each = [passes(dealt(rows, lengths, rank, ranks), lengths, budget) for rank in range(ranks)]
    most = max(map(len, each)) if even else 0
    return [(*one, *[()] * (most - len(one))) for one in each]


def padding(steps: Sequence[Step], lengths: Sequence[int]) -> float:
    """Share of computed tokens that are padding, 0 to 1."""
    real = sum(lengths[row] for step in steps for part in step for row in part)
    computed = sum(max(lengths[row] for row in part) * len(part) for step in steps for part in step)
    return 1 - real / computed if computed else 0.0
