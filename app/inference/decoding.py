"""Greedy decoding of many rows at once. Only child processes import this file.

What all prompts begin with (the instructions and shots of a few-shot prompt) is computed once. Rows then go through a
pool (`pool.py`): the longest first, each leaves as it is finished, and the next ones take its place. In float32 the
text is that of one call after the other (tests/bench/RESULTS.md). A model whose attention is another than a pool's is
decoded in batches by the library's own means: padded on the left, rows of like length together.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from app.inference import attention, constrained, loading, pool
from app.inference.local_protocol import AnsweredRow
from app.inference.rows import Row, alike, batches, in_common, prefill, repeated, taken, tokens_at_once

import torch  # isort: skip  (after loading, which makes it stay offline)
from transformers import DynamicCache  # isort: skip

ROWS = 64  # at once: measured, more are hardly quicker on a CPU core
READ = 4096  # tokens of prompts in one pass at most: past this a wider pass is no quicker, and a stop waits longer
REFILL = 4  # new rows are read once this part of the places is free: a few at a time are as slow as many


def run(
    loaded: loading.Loaded, rows: Sequence[Row], stop: threading.Event, keeper: constrained.Constraints
) -> Iterator[AnsweredRow]:
    """Yield the answer of each row as it is done; ends early, with fewer, once `stop` is set."""
    for part in alike(rows) if rows else ():
        with torch.inference_mode():
            yield from _part(loaded, part, stop, keeper)


def _part(
    loaded: loading.Loaded, rows: Sequence[Row], stop: threading.Event, keeper: constrained.Constraints
) -> Iterator[AnsweredRow]:
    common = in_common(loaded, rows)
    if pool.fits(loaded, rows[0].ids):
        yield from _pooled(loaded, rows, common, stop, keeper)
    else:
        started = time.monotonic()
        prefix = prefill(loaded, rows[0].ids[:common]) if common else None
        _shared_out(rows, started)
        for batch in batches(rows, tokens_at_once(loaded)):
            if stop.is_set():
                return
            with attention.masked(loaded.model):
                yield from _batch(loaded, batch, common, prefix, stop, keeper)


def _shared_out(rows: Sequence[Row], started: float) -> None:
    """Time that was spent on all of them: each has its share of it."""
    seconds = (time.monotonic() - started) / max(1, len(rows))
    for row in rows:
        row.seconds += seconds


def _pooled(
    loaded: loading.Loaded, rows: Sequence[Row], common: int, stop: threading.Event, keeper: constrained.Constraints
) -> Iterator[AnsweredRow]:
    started = time.monotonic()
    known = pool.beginning(loaded, rows[0].ids[:common])
    _shared_out(rows, started)
    waiting = deque(sorted(rows, key=lambda row: (-row.most, -len(row.ids), row.id)))
    while waiting and not stop.is_set():
        width = waiting[0].most - common
        places = max(1, min(len(waiting), ROWS, (tokens_at_once(loaded) - common) // width))
        yield from _through(loaded, pool.Pool(loaded, places, width, known), waiting, common, stop, keeper)


def _through(
    loaded: loading.Loaded,
    places: pool.Pool,
    waiting: deque[Row],
    common: int,
    stop: threading.Event,
    keeper: constrained.Constraints,
) -> Iterator[AnsweredRow]:
    """Answer rows for which these places are of the right size, taking them off those that wait."""
    under_way: list[Row] = []
    while not stop.is_set():
        started = time.monotonic()
        if coming := _coming(places, waiting, common):
            logits = places.join([row.ids[common:] for row in coming])  # (rows, vocabulary)
        elif under_way:
            logits = places.step([row.generated[-1] for row in under_way])
        else:
            return
        under_way += coming
        moved = coming or under_way
        keeper.mask(logits, [row.guide for row in moved])
        chosen = logits.argmax(-1).tolist()
        _shared_out(moved, started)
        first = len(under_way) - len(moved)
        over = []
        for number, (row, token) in enumerate(zip(moved, chosen, strict=True), first):
            if (ended := taken(loaded, row, token, keeper)) is not None:
                over.append(number)
                yield ended
        for number in reversed(over):  # the last row takes the number of one that leaves, here as in the pool
            places.leave(number)
            under_way[number] = under_way[-1]
            under_way.pop()


def _coming(places: pool.Pool, waiting: deque[Row], common: int) -> list[Row]:
    """Rows to be read next. None while too few places are free, or where those that wait are far shorter: they fit more
    often into smaller places, once these are empty."""
    coming: list[Row] = []
    if places.lengths and places.free * REFILL < places.places:
        return coming
    size = 0
    while waiting and len(coming) < places.free:
        row = waiting[0]
        size += len(row.ids) - common
        if 2 * (row.most - common) < places.width or (coming and size > READ):
            break
        coming.append(waiting.popleft())
    return coming


def _batch(
    loaded: loading.Loaded,
    batch: list[Row],
    shared: int,
    prefix: DynamicCache | None,
    stop: threading.Event,
    keeper: constrained.Constraints,
) -> Iterator[AnsweredRow]:
    started = time.monotonic()
    cache = DynamicCache(config=loaded.model.config) if prefix is None else repeated(prefix, len(batch))
    width = max(len(row.ids) for row in batch) - shared
    inputs = torch.full((len(batch), width), loaded.tokenizer.pad_token_id or 0)  # (rows, tokens)
    seen = torch.zeros((len(batch), shared + width), dtype=torch.long)
    seen[:, :shared] = 1
    for number, row in enumerate(batch):
        inputs[number, width - (len(row.ids) - shared) :] = torch.tensor(row.ids[shared:])
        seen[number, shared + width - (len(row.ids) - shared) :] = 1
    positions = (seen.cumsum(1) - 1)[:, shared:].clamp(min=0)  # padding sits between the shared part and the rest
    while batch and not stop.is_set():
        under_way = batch
        logits = loaded.model(
            input_ids=inputs,
            attention_mask=seen,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]  # (rows, vocabulary)
        keeper.mask(logits, [row.guide for row in batch])
        now = time.monotonic()
        for row in under_way:  # a step is one for all of them: each has its share of it
            row.seconds += (now - started) / len(under_way)
        started = now
        kept = []
        for number, token in enumerate(logits.argmax(-1).tolist()):
            if (ended := taken(loaded, batch[number], token, keeper)) is not None:
                yield ended
            else:
                kept.append(number)
        if len(kept) < len(batch):
            index = torch.tensor(kept, dtype=torch.long)
            batch, seen = [batch[number] for number in kept], seen[index]
            if batch:
                cache.batch_select_indices(index)
        inputs = torch.tensor([[row.generated[-1]] for row in batch])
        seen = torch.cat([seen, torch.ones((len(batch), 1), dtype=torch.long)], 1)
        positions = seen.sum(1, keepdim=True) - 1
