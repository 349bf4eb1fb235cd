"""The process that holds a model: `python -m app.inference.local_child`, JSON lines in and out. Started by `local.py`.

In: `load` first, then any number of `answer`, `count` and `stop`. The end of standard input means that the parent is
gone, and ends this process at once. Decoding is greedy. What all prompts begin with (the instructions and shots of a
few-shot prompt) is computed once; rows are sorted by length, padded on the left, and leave their batch as they finish.
Measured with five shots on a 135M model: five times the speed of one call after the other, in float32 the same text.
"""

import copy
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.chat import messages_from_json
from app.inference import constrained, devices, folders, following, label_scoring, loading, tokens
from app.processes import parent

import torch  # isort: skip  (after loading, which makes it stay offline)
from transformers import DynamicCache  # isort: skip

ROWS = 32  # in one batch: past this a CPU core is at its limit, and a wider batch only waits longer for its slowest row
CACHE_BYTES = 1 << 30
BATCH_TOKENS = 16384
WORTH_SHARING = 16  # tokens
DROPPED = "Nobody waits for this answer any more."


@dataclass(slots=True)
class Row:
    """A request on its way: `ids` of its whole prompt, the tokens `generated` so far, `room` for how many.

    opened: thinking that the prompt leaves open, which is said with the answer. seconds: this row's own share of the
    time that its batch has taken. guide: keeps the answer to its constraint, None where it has none. follower: looks
    on while it is written, None where nobody does.
    """

    id: str
    ids: list[int]
    room: int
    opened: str = ""
    generated: list[int] = field(default_factory=list)
    seconds: float = 0.0
    guide: constrained.Guide | None = None
    follower: following.Follower | None = None


def answer(
    loaded: loading.Loaded,
    requests: Sequence[dict[str, Any]],
    stop: threading.Event,
    keeper: constrained.Constraints | None = None,
    followers: Mapping[str, following.Follower] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield one answer for each request as it is done; ends early, with fewer, once `stop` is set.

    keeper: what this model needs for constraints, kept from one call to the next. followers: of answers, by their id.
    """
    keeper = keeper or constrained.Constraints(loaded)
    yield from _scored(loaded, [request for request in requests if request.get("choices")], stop, keeper)
    rows = []
    for request in requests:
        if request.get("choices"):
            continue
        row, error = _row(loaded, request, keeper)
        if row is None:
            yield _answer(Row(str(request["id"]), [], 0), error=error)
        else:
            if (follower := (followers or {}).get(row.id)) is not None:
                follower.opened, row.follower = row.opened, follower
            rows.append(row)
    shared = _shared(loaded, rows)
    with torch.inference_mode():
        started = time.monotonic()
        prefix = _prefill(loaded, rows[0].ids[:shared]) if shared else None
        share = (time.monotonic() - started) / max(1, len(rows))
        for row in rows:
            row.seconds = share
        for batch in batches(rows, _limit(loaded)):
            if stop.is_set():
                return
            yield from _decode(loaded, batch, shared, prefix, stop, keeper)


def _scored(
    loaded: loading.Loaded, requests: Sequence[dict[str, Any]], stop: threading.Event, keeper: constrained.Constraints
) -> Iterator[dict[str, Any]]:
    """Answer each request with the likeliest of its choices, and say how likely each one is."""
    for choices in dict.fromkeys(tuple(request["choices"]) for request in requests):
        rows = []
        for request in requests:
            if tuple(request["choices"]) != choices:
                continue
            row, error = _row(loaded, request, keeper)
            if row is None:
                yield _answer(Row(str(request["id"]), [], 0), error=error)
                continue
            messages = messages_from_json(request["messages"])
            rows.append(row)
        if not rows:
            continue
        try:
            labels = label_scoring.tree(loaded, messages, choices)
        except tokens.CannotRender as refusal:
            yield from (_answer(row, error=str(refusal)) for row in rows)
        else:
            yield from _with_chances(loaded, rows, choices, labels, stop)


def _with_chances(
    loaded: loading.Loaded, rows: list[Row], choices: Sequence[str], labels: label_scoring.Tree, stop: threading.Event
) -> Iterator[dict[str, Any]]:
    deepest = max(labels.depths, default=0) + 1
    for row in [row for row in rows if len(row.ids) + deepest > loaded.context]:
        error = f"The prompt has {len(row.ids)} tokens, and with a label the model reads {loaded.context} at most."
        yield _answer(row, error=error)
        rows.remove(row)
    if not rows:
        return
    parts = labels.parts(label_scoring.nodes_at_once(loaded))
    for row in rows:
        row.room = max(len(part.nodes) for part, _ in parts)
    shared, limit = _shared(loaded, rows), _limit(loaded)
    with torch.inference_mode():
        fits = label_scoring.tree_fits(loaded, labels, min((row.ids for row in rows), key=len))
        together = fits and len(parts) == 1
        yield from () if fits else _too_long(rows, len(choices), deepest)
        prefix = _prefill(loaded, rows[0].ids[:shared]) if shared and fits else None
        for batch in batches(rows, limit, min(ROWS, label_scoring.rows_at_once(loaded, labels)) if together else 1):
            if stop.is_set():
                return
            started = time.monotonic()
            prompts = [row.ids for row in batch]
            if together:
                found = label_scoring.log_chances(loaded, labels, prompts, shared, _repeated(prefix, len(batch)))
            elif fits:
                cache = _prefill(loaded, prompts[0][shared:-1], _repeated(prefix, 1))
                found = label_scoring.in_parts(loaded, parts, prompts[0], cache, stop.is_set)
            else:
                most = max(1, limit // (len(prompts[0]) + deepest))
                found = label_scoring.plain(loaded, labels, prompts[0], range(len(choices)), most).unsqueeze(0)
            for row, chances in zip(batch, found.double().softmax(-1).tolist(), strict=False):
                best = max(range(len(choices)), key=chances.__getitem__)
                row.seconds = (time.monotonic() - started) / len(batch)
                row.generated = [*labels.label(best), labels.ends[0]]
                yield {**_answer(row, choices[best]), "chances": dict(zip(choices, chances, strict=True))}


def _too_long(rows: list[Row], labels: int, deepest: int) -> Iterator[dict[str, Any]]:
    """Refuse the rows, which are taken off the list, for which writing every label out would take forever."""
    for row in [row for row in rows if (len(row.ids) + deepest) * labels > label_scoring.WRITTEN_OUT]:
        error = (
            f"This model can't score labels in one pass, and {labels} labels one by one are "
            f"{(len(row.ids) + deepest) * labels:,} tokens; {label_scoring.WRITTEN_OUT:,} at most for a row."
        )
        yield _answer(row, error=error)
        rows.remove(row)


def _shared(loaded: loading.Loaded, rows: Sequence[Row]) -> int:
    """Tokens that all prompts begin with, where it is worth while to compute them once, and possible."""
    shared = tokens.common_prefix([row.ids for row in rows])
    return 0 if shared < WORTH_SHARING or len(rows) < 2 or not loaded.plain_cache else shared


def _repeated(prefix: Any, times: int) -> Any:
    """A cache of the shared beginning for so many rows."""
    if prefix is None:
        return None
    cache = copy.deepcopy(prefix)
    cache.batch_repeat_interleave(times)
    return cache


def batches(rows: Sequence[Row], limit: int, most: int = ROWS) -> Iterator[list[Row]]:
    """Cut rows into batches of like length, longest first: at most `most` rows, and `limit` tokens of cache."""
    batch: list[Row] = []
    for row in sorted(rows, key=lambda row: (-len(row.ids), row.id)):
        widest = max([*(len(r.ids) + r.room for r in batch), len(row.ids) + row.room])
        if batch and (len(batch) == most or widest * (len(batch) + 1) > limit):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _row(loaded: loading.Loaded, request: dict[str, Any], keeper: constrained.Constraints) -> tuple[Row | None, str]:
    if request.get("choices") and request.get("constraint"):
        return None, "Given answers are scored, so there is nothing to hold to a constraint."
    messages = messages_from_json(request["messages"])
    try:
        ids = tokens.prompt_ids(loaded.tokenizer, messages)
        opened = tokens.opened(loaded.tokenizer, messages)
    except tokens.CannotRender as error:
        return None, str(error)
    if not ids:
        return None, "The prompt is empty."
    if len(ids) >= loaded.context:
        return None, f"The prompt has {len(ids)} tokens, and the model reads {loaded.context} at most."
    try:
        guide = keeper.asked(request, opened)
    except constrained.CannotConstrain as error:
        return None, str(error)
    room = min(int(request["max_tokens"]), loaded.context - len(ids))
    return Row(str(request["id"]), ids, room, opened, guide=guide), ""


def _limit(loaded: loading.Loaded) -> int:
    """Tokens that a batch may hold: bounded by the memory for keys and values."""
    config = loaded.model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    each = 2 * config.num_hidden_layers * heads * size * loading.DTYPES[loaded.dtype].itemsize
    return max(1, min(BATCH_TOKENS, int(CACHE_BYTES // each)))


def _prefill(loaded: loading.Loaded, ids: list[int], before: Any = None) -> Any:
    """The cache of these tokens; before: of those that stand before them."""
    cache = DynamicCache(config=loaded.model.config) if before is None else before
    if not ids:
        return cache
    loaded.model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def _decode(
    loaded: loading.Loaded,
    rows: list[Row],
    shared: int,
    prefix: Any,
    stop: threading.Event,
    keeper: constrained.Constraints,
) -> Iterator[dict[str, Any]]:
    started = time.monotonic()
    cache = DynamicCache(config=loaded.model.config) if prefix is None else _repeated(prefix, len(rows))
    width = max(len(row.ids) for row in rows) - shared
    inputs = torch.full((len(rows), width), loaded.tokenizer.pad_token_id or 0)  # (rows, tokens)
    seen = torch.zeros((len(rows), shared + width), dtype=torch.long)
    seen[:, :shared] = 1
    for number, row in enumerate(rows):
        inputs[number, width - (len(row.ids) - shared) :] = torch.tensor(row.ids[shared:])
        seen[number, shared + width - (len(row.ids) - shared) :] = 1
    positions = (seen.cumsum(1) - 1)[:, shared:].clamp(min=0)  # padding sits between the shared part and the rest
    while rows and not stop.is_set():
        under_way = rows
        logits = loaded.model(
            input_ids=inputs,
            attention_mask=seen,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]  # (rows, vocabulary)
        keeper.mask(logits, [row.guide for row in rows])
        now = time.monotonic()
        for row in under_way:  # a step is one for all of them: each has its share of it
            row.seconds += (now - started) / len(under_way)
        started = now
        kept = []
        for number, token in enumerate(logits.argmax(-1).tolist()):
            if (ended := _taken(loaded, rows[number], token, keeper)) is not None:
                yield ended
            else:
                kept.append(number)
        if len(kept) < len(rows):
            index = torch.tensor(kept, dtype=torch.long)
            rows, seen = [rows[number] for number in kept], seen[index]
            if rows:
                cache.batch_select_indices(index)
        inputs = torch.tensor([[row.generated[-1]] for row in rows])
        seen = torch.cat([seen, torch.ones((len(rows), 1), dtype=torch.long)], 1)
        positions = seen.sum(1, keepdim=True) - 1


def _taken(loaded: loading.Loaded, row: Row, token: int, keeper: constrained.Constraints) -> dict[str, Any] | None:
    """Go on by one token; the row's answer, if it ends with that."""
    if token in loaded.stops and not (row.guide and row.guide.fault):
        return _done(loaded, row, "stop")
    row.generated.append(token)
    if row.follower is not None and (ended := row.follower.took(loaded.tokenizer, row.generated)) is not None:
        return _answer(row, ended.text) if ended.text is not None else _answer(row, error=DROPPED)
    if row.guide is not None:
        keeper.took(row.guide, row.generated)
        if row.guide.fault:
            return _answer(row, error=row.guide.fault)
        if row.guide.over:
            return _done(loaded, row, "stop")
    return _done(loaded, row, "length") if len(row.generated) >= row.room else None


def _done(loaded: loading.Loaded, row: Row, finish: str) -> dict[str, Any]:
    text = row.opened + loaded.tokenizer.decode(row.generated, skip_special_tokens=True)
    return _answer(row, text, finish=finish)


def _answer(row: Row, text: str = "", *, finish: str = "stop", error: str = "") -> dict[str, Any]:
    return {
        "id": row.id,
        "text": text,
        "finish": finish,
        "prompt_tokens": len(row.ids),
        "completion_tokens": len(row.generated),
        "seconds": row.seconds,
        "error": error or None,
    }


def count(loaded: loading.Loaded, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the token counts of rows; with a target also those of the completion, and what is trained, decoded."""
    for row in rows:
        messages = messages_from_json(row["messages"])
        try:
            ids = tokens.training_row(loaded.tokenizer, messages, row["target"])
        except tokens.CannotRender as error:
            yield {"id": row["id"], "error": str(error)}
            continue
        yield {
            "id": row["id"],
            "prompt_tokens": len(ids.prompt),
            "completion_tokens": len(ids.completion),
            "prompt": loaded.tokenizer.decode(ids.prompt),
            "completion": loaded.tokenizer.decode(ids.completion),
        }


def _open(order: dict[str, Any]) -> loading.Loaded:
    loading.compute_with(int(order["threads"]))
    loaded = loading.load(
        Path(order["model"]),
        order.get("files"),
        order["dtype"],
        device=str(order.get("device", "cpu")),
        bits=order.get("bits"),
    )
    if order.get("adapter"):
        loaded = loading.adapted(loaded, Path(order["adapter"]))
    parent.say(
        "ready",
        dtype=loaded.dtype,
        device=loaded.device.title,
        threads=torch.get_num_threads(),
        context=loaded.context,
        model=loaded.manifest.model,
        revision=loaded.manifest.revision,
        digest=loaded.manifest.digest,
        parameters=loaded.model.num_parameters(),  # which knows that two numbers of 4 bits are one of its bytes
    )
    return loaded


def serve() -> None:
    """Do what comes in until the parent is gone."""
    stop = threading.Event()
    dropped = following.Dropped()
    inbox = parent.orders(stop, dropped.add)
    loaded = _open(inbox.get())
    keeper = constrained.Constraints(loaded)
    while True:
        order = inbox.get()
        if order["do"] == "answer":
            followers = following.followers(order["requests"], dropped)
            for answered in answer(loaded, order["requests"], stop, keeper, followers):
                parent.say("answer", answer=answered)
            dropped.forget()
        else:
            for counted in count(loaded, order["rows"]):
                parent.say("counted", row=counted)
        parent.say("end", peak_bytes=devices.peak_bytes(loaded.device))


def main() -> int:
    """Run, and put the two failures a person can do something about into words."""
    parent.give_way()
    try:
        serve()
    except (folders.NotAModel, folders.Damaged, devices.NotThere) as error:
        parent.say("failed", kind="model", text=str(error))
        return 4
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        parent.say("failed", kind="memory", text="The model process ran out of memory.")
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
