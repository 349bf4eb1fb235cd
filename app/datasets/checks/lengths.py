"""How long rows are, in what a model reads (tokens) where its tokenizer is at hand, else in characters.

A row that is longer than the limit is left out of training and counted, never cut: half an answer teaches to stop
halfway. So the report says how many rows that would be before anybody pays for a run.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.chat import Record
from app.datasets.checks.report_parts import LengthBar, LengthReport

ROW_TOKENS = 1024  # the longest row that a training recipe takes unless it says otherwise
# What a chat template adds to a turn, about: a start, the role, a line end, a stop. A system text that some templates
# bring themselves (21 tokens in SmolLM2's) is not counted; `training.preflight` counts the rows as they will be read.
TURN_TOKENS = 5
BATCH = 1000
BARS = 24  # of the histogram


class Counter:
    """Counts the tokens of rows with a model's own tokenizer (`tokenizer.json`), without the model.

    name: the model as people know it. limit: the longest row, in tokens, that can be trained on.
    """

    def __init__(self, file: Path, name: str, context: int | None = None) -> None:
        from tokenizers import Tokenizer

        self.name = name
        self.limit = min(ROW_TOKENS, context or ROW_TOKENS)
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def count(self, records: Sequence[Record]) -> list[int]:
        """Tokens of question, reasoning and answer with about what a chat template adds."""
        texts = [[*(turn.content for turn in record.messages), record.reasoning + record.target] for record in records]
        encodings = self._tokenizer.encode_batch_fast([text for row in texts for text in row], add_special_tokens=False)
        sizes = iter([len(encoding) for encoding in encodings])
        return [sum(next(sizes) + TURN_TOKENS for _ in row) for row in texts]


def of_rows(
    sizes: Sequence[int],
    usable: npt.NDArray[np.int64],
    *,
    unit: str,
    limit: int,
    tokenizer: str = "",
) -> LengthReport:
    """The summary of the rows that can be used, or of all where none can; `of` says which: usable or all.

    A report with `of` promises that each row of the table carries its size, so that a number leads to its rows.
    """
    every = np.asarray(sizes)
    counted = every[usable] if len(usable) else every
    lengths = summary(counted, unit=unit, limit=limit, tokenizer=tokenizer)
    return replace(lengths, of="usable" if len(usable) else "all", rows=len(counted))


def summary(
    sizes: Sequence[int] | npt.NDArray[np.integer], *, unit: str, limit: int, tokenizer: str = ""
) -> LengthReport:
    """The middle, the ends and the histogram of these sizes.

    The bars of the histogram are equally wide and end at the 99th percentile or at
    the limit, whichever is larger; what is longer stands in the last one.
    """
    values = np.sort(np.asarray(sizes, dtype=np.int64))
    if not len(values):
        return LengthReport(unit=unit, tokenizer=tokenizer, limit=limit)
    longest = int(values[-1])
    over = int(np.count_nonzero(values > limit))
    end = int(values[int((len(values) - 1) * 0.99)]) if not over else max(limit, int(values[len(values) // 2]))
    width = max(1, -(-min(longest, end) // BARS))
    places = np.minimum((np.maximum(values, 1) - 1) // width, BARS - 1)
    counts = np.bincount(places)
    bars = [
        LengthBar(number * width + (1 if number else 0), (number + 1) * width, int(count))
        for number, count in enumerate(counts)
    ]
    bars[-1] = replace(bars[-1], most=max(bars[-1].most, longest))
    return LengthReport(
        unit=unit,
        tokenizer=tokenizer,
        limit=limit,
        median=int(values[len(values) // 2]),
        p95=int(values[min(len(values) - 1, int(len(values) * 0.95))]),
        longest=longest,
        over=over,
        histogram=tuple(bars),
    )
