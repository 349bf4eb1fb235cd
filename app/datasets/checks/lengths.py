"""How long rows are, in what a model reads (tokens) where its tokenizer is at hand, else in characters.

A row that is longer than the limit is left out of training and counted, never cut: half an answer teaches to stop
halfway. So the report says how many rows that would be before anybody pays for a run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.chat import Record

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
        """Tokens of question and answer with about what a chat template adds."""
        texts = [[turn.content for turn in record.messages] + [record.target] for record in records]
        found = self._tokenizer.encode_batch_fast([text for row in texts for text in row], add_special_tokens=False)
        sizes = iter([len(one) for one in found])
        return [sum(next(sizes) + TURN_TOKENS for _ in row) for row in texts]


def of_rows(
    sizes: Sequence[int],
    usable: npt.NDArray[np.int64],
    *,
    unit: str,
    limit: int,
    tokenizer: str = "",
) -> dict[str, Any]:
    """The summary of the rows that can be used, or of all where none can; `of` says which: usable or all.

    A report with `of` promises that each row of the table carries its size, so that a number leads to its rows.
    """
    every = np.asarray(sizes)
    shown = every[usable] if len(usable) else every
    found = summary(shown, unit=unit, limit=limit, tokenizer=tokenizer)
    return found | {"of": "usable" if len(usable) else "all", "rows": len(shown)}


def summary(sizes: Sequence[int] | npt.NDArray[Any], *, unit: str, limit: int, tokenizer: str = "") -> dict[str, Any]:
    """The part of the report: {unit, tokenizer, median, p95, longest, limit, over, histogram: [{from, to, rows}]}.

    over: rows longer than the limit. The bars of the histogram are equally wide and end at the 99th percentile or at
    the limit, whichever is larger; what is longer stands in the last one. `to` belongs to the bar.
    """
    values = np.sort(np.asarray(sizes, dtype=np.int64))
    found = {"unit": unit, "tokenizer": tokenizer, "limit": limit}
    if not len(values):
        return found | {"median": 0, "p95": 0, "longest": 0, "over": 0, "histogram": []}
    longest = int(values[-1])
    over = int(np.count_nonzero(values > limit))
    end = int(values[int((len(values) - 1) * 0.99)]) if not over else max(limit, int(values[len(values) // 2]))
    width = max(1, -(-min(longest, end) // BARS))
    places = np.minimum((np.maximum(values, 1) - 1) // width, BARS - 1)
    counts = np.bincount(places)
    bars = [
        {"from": number * width + (1 if number else 0), "to": (number + 1) * width, "rows": int(count)}
        for number, count in enumerate(counts)
    ]
    bars[-1]["to"] = max(int(bars[-1]["to"]), longest)
    return found | {
        "median": int(values[len(values) // 2]),
        "p95": int(values[min(len(values) - 1, int(len(values) * 0.95))]),
        "longest": longest,
        "over": over,
        "histogram": bars,
    }
